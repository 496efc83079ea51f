/* Which congestion control TCP uses on the emulated link. */
#ifndef CFS_BENCH_LINK_ROUTE_H
#define CFS_BENCH_LINK_ROUTE_H

/* Replaces the route to PEER (IPv4, as text) over the interface of this index, in the namespace that we are in, by one
 * that asks for CONGESTION. The sysctl would not do: a new namespace may choose among few algorithms only
 * (tcp_allowed_congestion_control), a route among all. 0 or -errno. */
int link_route_set(unsigned int interface, const char *peer, const char *congestion);

#endif

/* One end of the emulated link: a network namespace with one interface, a TUN device whose packets are ours to carry.
 * Linux; needs CAP_SYS_ADMIN and CAP_NET_ADMIN. Each packet begins with a struct virtio_net_hdr.
 *
 * TCP gives its segments in trains of up to 64 KB, as to any network card of today (TSO), and the other end takes a
 * train as a card's receive offload would hand it up. Each train still counts on the wire as the packets that it stands
 * for, each with its headers. That is what makes a 1 Gbit/s link cheap at an honest MTU of 1500. */
#ifndef CFS_BENCH_LINK_END_H
#define CFS_BENCH_LINK_END_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum { LINK_PACKET_MOST = 65536 + 256 };

struct link_end {
    int tun;       /* non-blocking */
    int namespace; /* to enter with setns(2) */
};

struct link_end_settings {
    const char *name;       /* of the interface */
    const char *address;    /* IPv4 */
    const char *peer;       /* IPv4, of the other end */
    const char *congestion; /* TCP's congestion control there */
    int mtu;
};

/* Moves the calling process into a new network namespace and makes the interface there. 0 or -errno; what failed is
 * said on stderr. */
int link_end_open(struct link_end *end, const struct link_end_settings *settings);

/* Whether trains of segments are allowed. Without, each packet comes alone: for loss, which must hit single packets.
 * 0 or -errno. */
int link_end_allow_trains(const struct link_end *end, bool allow);

/* Bytes that what was read from the device takes on an Ethernet: all headers, preambles and gaps. */
uint64_t link_end_wire_bytes(const void *bytes, size_t length);

#endif

/* What the kernel knows of a TCP connection. */
#ifndef CFS_SSH_TCP_H
#define CFS_SSH_TCP_H

#include <stdbool.h>
#include <stdint.h>

/* The shortest round trip of the TCP connection FD in the last minutes, in whole milliseconds; -1: unknown. */
int64_t cfs_ssh_round_trip_ms(int fd);
/* Whether bytes were sent by it, and for at least MS the other end's kernel has acknowledged nothing. */
bool cfs_ssh_is_cut(int fd, int64_t ms);

#endif

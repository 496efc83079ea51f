/* How far away the other end of a connection is. */
#ifndef CFS_SSH_ROUND_TRIP_H
#define CFS_SSH_ROUND_TRIP_H

#include <stdint.h>

/* The shortest round trip of the TCP connection FD in the last minutes, in whole milliseconds; -1: unknown. */
int64_t cfs_ssh_round_trip_ms(int fd);

#endif

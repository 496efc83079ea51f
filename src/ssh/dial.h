/* A TCP connection to a host: all of its addresses, the first that answers wins (in the manner of RFC 8305). */
#ifndef CFS_SSH_DIAL_H
#define CFS_SSH_DIAL_H

#include "base/error.h"
#include "conf/profile.h"
#include <netdb.h>
#include <stdint.h>

enum { CFS_SSH_ADDRESS_TEXT = 64 };

/* Looks the profile's host up and connects, with its port, address_family and bind_address; gives up at DEADLINE_MS
 * (cfs_system_clock, monotonic) or when CANCEL_FD becomes readable (-1: none). RET_FD is non-blocking and
 * close-on-exec, without Nagle's delay, with keepalives; RET_ADDRESS is the numeric address and port. Blocks; any
 * thread.
 *
 * -errno, and ERROR says what failed and what the usual causes are: CFS_FAILURE_NAME, _CONNECT, _TIMEOUT, _CONFIG
 * (bind_address), _CANCELLED, _SYSTEM. */
CFS_CHECKED int cfs_ssh_dial(const struct cfs_profile *profile, int cancel_fd, int64_t deadline_ms, int *ret_fd,
                             char ret_address[CFS_SSH_ADDRESS_TEXT], struct cfs_error *error);

/* The looking up alone: RET_ADDRESSES (freeaddrinfo) in the resolver's order. Failures, limits and thread as above. */
CFS_CHECKED int cfs_ssh_dial_lookup(const struct cfs_profile *profile, int cancel_fd, int64_t deadline_ms,
                                    struct addrinfo **ret_addresses, struct cfs_error *error);

/* "192.0.2.1 port 22", "2001:db8::1 port 22". */
void cfs_ssh_format_address(const struct addrinfo *address, char text[CFS_SSH_ADDRESS_TEXT]);

#endif

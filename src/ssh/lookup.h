/* Looking a host's name up without being its hostage: getaddrinfo(3) knows no time limit and cannot be cancelled, so it
 * runs in a thread of its own that may be left behind. */
#ifndef CFS_SSH_LOOKUP_H
#define CFS_SSH_LOOKUP_H

#include "base/cleanup.h"
#include <netdb.h>
#include <stdint.h>

/* FAMILY is AF_UNSPEC, AF_INET or AF_INET6. 0 and the addresses (freeaddrinfo), for TCP, in the resolver's order;
 * -ETIMEDOUT at DEADLINE_MS (cfs_system_clock, monotonic), -ECANCELED when CANCEL_FD becomes readable (-1: none),
 * -ENOMEM or -EAGAIN without memory or threads; -ENOENT when the lookup failed: then RET_PROBLEM is the code
 * for gai_strerror(3), and errno the cause of EAI_SYSTEM. Blocks; any thread. */
CFS_CHECKED int cfs_ssh_lookup(const char *host, uint16_t port, int family, int cancel_fd, int64_t deadline_ms,
                               struct addrinfo **ret_addresses, int *ret_problem);

#endif

/* Through a SOCKS5 (RFC 1928, 1929) or an HTTP proxy (CONNECT: RFC 9110, 9.3.6). */
#ifndef CFS_SSH_PROXY_H
#define CFS_SSH_PROXY_H

#include "base/error.h"
#include "conf/profile.h"
#include "conf/proxy.h"
#include <stdint.h>

/* Connects to PROFILE's proxy, which connects to PROFILE's host and port: the host's name is looked up there. As
 * cfs_ssh_dial; RET_FD gives what the host sends, from its first byte on. */
CFS_CHECKED int cfs_ssh_proxy_dial(const struct cfs_profile *profile, int cancel_fd, int64_t deadline_ms, int *ret_fd,
                                   struct cfs_error *error);

/* The second part of it, over FD, a non-blocking socket that is connected to PROXY. -errno, and ERROR says which of the
 * two is at fault. */
CFS_CHECKED int cfs_ssh_proxy_ask(const struct cfs_profile *profile, const struct cfs_proxy *proxy, int fd,
                                  int cancel_fd, int64_t deadline_ms, struct cfs_error *error);

#endif

/* How the host key policy looks keys up and records them. */
#ifndef CFS_SSH_HOST_KEY_PRIV_H
#define CFS_SSH_HOST_KEY_PRIV_H

#include "ssh/known_hosts.h"
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Adds the line "NAME TYPE key" to a known_hosts file unless it holds the key for NAME already; the file is made 0600,
 * folders above it 0700, where missing. On disk (fsync) when it returns 0. -errno. */
CFS_CHECKED int cfs_known_hosts_append(const char *path, const char *name, const char *type, const uint8_t *blob,
                                       size_t length);

/* The first line with this mark; NULL. */
const struct cfs_known_host *cfs_host_key_find_mark(const struct cfs_known_hosts *known, enum cfs_known_host_mark mark);

/* Locks a known_hosts file that is open: -ETIMEDOUT when somebody does not let go of it. Released by close. */
CFS_CHECKED int cfs_known_hosts_lock(int fd);
/* PATH still leads to the file that FD is. */
bool cfs_known_hosts_is_still(int fd, const char *path);

#endif

/* How the host key policy records a key. */
#ifndef CFS_SSH_HOST_KEY_PRIV_H
#define CFS_SSH_HOST_KEY_PRIV_H

#include "base/cleanup.h"
#include <stddef.h>
#include <stdint.h>

/* Adds the line "NAME TYPE key" to a known_hosts file unless it holds the key for NAME already; the file is made 0600,
 * folders above it 0700, where missing. On disk (fsync) when it returns 0. -errno. */
CFS_CHECKED int cfs_known_hosts_append(const char *path, const char *name, const char *type, const uint8_t *blob,
                                       size_t length);

#endif

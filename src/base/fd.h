/* Local files by descriptor, whole. */
#ifndef CFS_BASE_FD_H
#define CFS_BASE_FD_H

#include "base/cleanup.h"
#include <stddef.h>
#include <stdint.h>

/* Writes all LENGTH bytes to FD, which blocks: where it stands, or at OFFSET. 0 or -errno; on failure some of them may
 * have been written. Any thread. */
CFS_CHECKED int cfs_fd_write_all(int fd, const void *bytes, size_t length);
CFS_CHECKED int cfs_fd_write_all_at(int fd, const void *bytes, size_t length, uint64_t offset);

#endif

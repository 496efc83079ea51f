/* Operations of a remote (remote/remote.h) for commands that have nothing else to do: each waits for its end, and
 * returns call->error. Paths are relative to the remote's root. Not on a thread of the remote's. */
#ifndef CFS_CLI_BLOCKING_H
#define CFS_CLI_BLOCKING_H

#include "base/bytes.h"
#include "remote/remote.h"

CFS_CHECKED int cfs_blocking_lstat(struct cfs_remote *remote, const char *path,
                                   struct cfs_remote_attributes *ret_attributes);
CFS_CHECKED int cfs_blocking_mkdir(struct cfs_remote *remote, const char *path, mode_t mode);
CFS_CHECKED int cfs_blocking_unlink(struct cfs_remote *remote, const char *path);
CFS_CHECKED int cfs_blocking_rename(struct cfs_remote *remote, const char *from, const char *to,
                                    enum cfs_remote_rename how);
/* The mode of what is known to be no link; TYPE as S_IFMT. */
CFS_CHECKED int cfs_blocking_chmod(struct cfs_remote *remote, const char *path, mode_t type, mode_t mode);

/* Appends a whole file; -EFBIG beyond MOST bytes. */
CFS_CHECKED int cfs_blocking_read_file(struct cfs_remote *remote, const char *path, size_t most,
                                       struct cfs_buffer *bytes);
/* FLAGS: O_CREAT, O_EXCL, O_TRUNC. The mode is exactly MODE, and all of it is on the server's disk where the server
 * can say so. What was made with O_EXCL and could not be finished is removed. */
CFS_CHECKED int cfs_blocking_write_file(struct cfs_remote *remote, const char *path, int flags, mode_t mode,
                                        const void *bytes, size_t length);

#endif

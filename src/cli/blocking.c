/* Operations that are waited for one after another (waited.h). */
#include "cli/blocking.h"
#include "cli/waited.h"
#include <errno.h>
#include <fcntl.h>

enum { PIECE = 128 << 10 };

int cfs_blocking_lstat(struct cfs_remote *remote, const char *path, struct cfs_remote_attributes *ret_attributes)
{
    struct cfs_waited waited;
    int error = cfs_waited_run(remote, &waited, lstat, path);
    if (!error)
        *ret_attributes = waited.call.result.attributes;
    return error;
}

int cfs_blocking_mkdir(struct cfs_remote *remote, const char *path, mode_t mode)
{
    struct cfs_waited waited;
    return cfs_waited_run(remote, &waited, mkdir, path, mode);
}

int cfs_blocking_unlink(struct cfs_remote *remote, const char *path)
{
    struct cfs_waited waited;
    return cfs_waited_run(remote, &waited, unlink, path);
}

int cfs_blocking_rename(struct cfs_remote *remote, const char *from, const char *to, enum cfs_remote_rename how)
{
    struct cfs_waited waited;
    return cfs_waited_run(remote, &waited, rename, from, to, how);
}

int cfs_blocking_chmod(struct cfs_remote *remote, const char *path, mode_t type, mode_t mode)
{
    struct cfs_waited waited;
    const struct cfs_remote_attributes attributes = {.valid = CFS_REMOTE_MODE, .mode = mode};
    return cfs_waited_run(remote, &waited, setattr, path, type, &attributes);
}

/* --- whole files --- */

static int open_file(struct cfs_remote *remote, const char *path, int flags, mode_t mode,
                     struct cfs_remote_file **ret_file)
{
    struct cfs_waited waited;
    int error = cfs_waited_run(remote, &waited, open, path, flags, mode);
    if (!error)
        *ret_file = waited.call.result.file;
    return error;
}

static int close_file(struct cfs_remote *remote, struct cfs_remote_file *file)
{
    struct cfs_waited waited;
    return cfs_waited_run(remote, &waited, close, file);
}

static int read_all(struct cfs_remote *remote, struct cfs_remote_file *file, size_t most, struct cfs_buffer *bytes)
{
    struct cfs_waited waited;
    size_t got = 0, before = bytes->length;
    do {
        uint8_t *room = cfs_buffer_reserve(bytes, PIECE);
        if (!room)
            return -ENOMEM;
        int error = cfs_waited_run(remote, &waited, read, file, bytes->length - before, PIECE, room);
        if (error)
            return error;
        got = waited.call.result.length;
        bytes->length += got;
        if (bytes->length - before > most)
            return -EFBIG;
    } while (got == PIECE); /* less is the end of the file */
    return 0;
}

int cfs_blocking_read_file(struct cfs_remote *remote, const char *path, size_t most, struct cfs_buffer *bytes)
{
    struct cfs_remote_file *file;
    int error = open_file(remote, path, O_RDONLY, 0, &file);
    if (error)
        return error;
    error = read_all(remote, file, most, bytes);
    int closed = close_file(remote, file);
    return error ? error : closed;
}

static int write_all(struct cfs_remote *remote, struct cfs_remote_file *file, mode_t mode, const void *bytes,
                     size_t length)
{
    struct cfs_waited waited;
    const struct cfs_remote_attributes attributes = {.valid = CFS_REMOTE_MODE, .mode = mode};
    int error = cfs_waited_run(remote, &waited, fsetattr, file, &attributes);
    if (!error && length > 0)
        error = cfs_waited_run(remote, &waited, write, file, 0, length, bytes);
    return error ? error : cfs_waited_run(remote, &waited, fsync, file);
}

int cfs_blocking_write_file(struct cfs_remote *remote, const char *path, int flags, mode_t mode, const void *bytes,
                            size_t length)
{
    struct cfs_remote_file *file;
    int error = open_file(remote, path, O_WRONLY | flags, mode, &file);
    if (error)
        return error;
    error = write_all(remote, file, mode, bytes, length);
    int closed = close_file(remote, file);
    error = error ? error : closed;
    if (error && flags & O_EXCL)
        (void)!cfs_blocking_unlink(remote, path);
    return error;
}

/* Asynchronous operations, waited for. A call lives on the stack of who waits: `done` is the last to touch it, under
 * its lock. */
#include "cli/blocking.h"
#include "base/list.h"
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <string.h>

enum { PIECE = 128 << 10 };

struct wait {
    struct cfs_remote_call call;
    pthread_mutex_t lock;
    pthread_cond_t changed;
    bool is_done; /* the lock's */
};

static void on_done(struct cfs_remote_call *call)
{
    struct wait *wait = cfs_container_of(call, struct wait, call);
    pthread_mutex_lock(&wait->lock);
    wait->is_done = true;
    pthread_cond_signal(&wait->changed);
    pthread_mutex_unlock(&wait->lock);
}

static void begin(struct wait *wait)
{
    memset(wait, 0, sizeof(*wait));
    wait->call.done = on_done;
    pthread_mutex_init(&wait->lock, NULL);
    pthread_cond_init(&wait->changed, NULL);
}

/* Every call has a deadline of the remote's. */
static int end(struct wait *wait)
{
    pthread_mutex_lock(&wait->lock);
    while (!wait->is_done)
        pthread_cond_wait(&wait->changed, &wait->lock);
    pthread_mutex_unlock(&wait->lock);
    pthread_cond_destroy(&wait->changed);
    pthread_mutex_destroy(&wait->lock);
    return wait->call.error;
}

#define CALL(wait, remote, operation, ...)                                                                             \
    ({                                                                                                                 \
        begin(&(wait));                                                                                                \
        (remote)->operations->operation((remote), &(wait).call, __VA_ARGS__);                                          \
        end(&(wait));                                                                                                  \
    })

int cfs_blocking_lstat(struct cfs_remote *remote, const char *path, struct cfs_remote_attributes *ret_attributes)
{
    struct wait wait;
    int error = CALL(wait, remote, lstat, path);
    if (!error)
        *ret_attributes = wait.call.result.attributes;
    return error;
}

int cfs_blocking_mkdir(struct cfs_remote *remote, const char *path, mode_t mode)
{
    struct wait wait;
    return CALL(wait, remote, mkdir, path, mode);
}

int cfs_blocking_unlink(struct cfs_remote *remote, const char *path)
{
    struct wait wait;
    return CALL(wait, remote, unlink, path);
}

int cfs_blocking_rename(struct cfs_remote *remote, const char *from, const char *to)
{
    struct wait wait;
    return CALL(wait, remote, rename, from, to, CFS_REMOTE_RENAME_REPLACE);
}

int cfs_blocking_chmod(struct cfs_remote *remote, const char *path, mode_t type, mode_t mode)
{
    struct wait wait;
    const struct cfs_remote_attributes attributes = {.valid = CFS_REMOTE_MODE, .mode = mode};
    return CALL(wait, remote, setattr, path, type, &attributes);
}

/* --- whole files --- */

static int open_file(struct cfs_remote *remote, const char *path, int flags, mode_t mode,
                     struct cfs_remote_file **ret_file)
{
    struct wait wait;
    int error = CALL(wait, remote, open, path, flags, mode);
    if (!error)
        *ret_file = wait.call.result.file;
    return error;
}

static int close_file(struct cfs_remote *remote, struct cfs_remote_file *file)
{
    struct wait wait;
    return CALL(wait, remote, close, file);
}

static int read_all(struct cfs_remote *remote, struct cfs_remote_file *file, size_t most, struct cfs_buffer *bytes)
{
    struct wait wait;
    size_t got = 0, before = bytes->length;
    do {
        uint8_t *room = cfs_buffer_reserve(bytes, PIECE);
        if (!room)
            return -ENOMEM;
        int error = CALL(wait, remote, read, file, bytes->length - before, PIECE, room);
        if (error)
            return error;
        got = wait.call.result.length;
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
    struct wait wait;
    const struct cfs_remote_attributes attributes = {.valid = CFS_REMOTE_MODE, .mode = mode};
    int error = CALL(wait, remote, fsetattr, file, &attributes);
    if (!error && length > 0)
        error = CALL(wait, remote, write, file, 0, length, bytes);
    return error ? error : CALL(wait, remote, fsync, file);
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
    return error ? error : closed;
}

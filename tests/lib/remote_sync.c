/* The remote's operations made synchronous. */
#include "lib/remote_sync.h"
#include "base/list.h"
#include "lib/test.h"
#include <errno.h>
#include <string.h>
#include <time.h>

/* The call that this thread is submitting: completing it now would be wrong. */
static __thread const struct sync_call *submitting;

/* Results whose pointers are gone when `done` returns. */
static void keep_result(struct sync_call *sync)
{
    const struct cfs_remote_result *result = &sync->call.result;
    if (sync->call.error)
        return;
    if (result->target)
        snprintf(sync->target, sizeof(sync->target), "%s", result->target);
    if (result->entries) {
        sync->entries = calloc(result->count + 1, sizeof(*sync->entries));
        for (size_t i = 0; sync->entries && i < result->count; i++) {
            snprintf(sync->entries[i].name, sizeof(sync->entries[i].name), "%s", result->entries[i].name);
            sync->entries[i].attributes = result->entries[i].attributes;
        }
    }
    for (size_t i = 0; result->names && i < result->count && i < CFS_COUNT(sync->ids); i++) {
        sync->ids[i].id = result->names[i].id;
        sync->ids[i].is_group = result->names[i].is_group;
        snprintf(sync->ids[i].name, sizeof(sync->ids[i].name), "%s", result->names[i].name);
    }
}

static void on_done(struct cfs_remote_call *call)
{
    struct sync_call *sync = cfs_container_of(call, struct sync_call, call);
    if (submitting == sync) {
        fputs("a call completed inside the call that submitted it\n", stderr);
        abort();
    }
    pthread_mutex_lock(&sync->lock);
    keep_result(sync);
    sync->completions++;
    pthread_cond_broadcast(&sync->changed);
    pthread_mutex_unlock(&sync->lock);
}

void sync_init(struct sync_call *sync)
{
    pthread_condattr_t monotonic;
    memset(sync, 0, sizeof(*sync));
    sync->call.done = on_done;
    pthread_mutex_init(&sync->lock, NULL);
    pthread_condattr_init(&monotonic);
    pthread_condattr_setclock(&monotonic, CLOCK_MONOTONIC);
    pthread_cond_init(&sync->changed, &monotonic);
    pthread_condattr_destroy(&monotonic);
}

void sync_fini(struct sync_call *sync)
{
    free(sync->entries);
    pthread_cond_destroy(&sync->changed);
    pthread_mutex_destroy(&sync->lock);
}

void sync_begin(struct sync_call *sync)
{
    submitting = sync;
}

void sync_submitted(struct sync_call *sync)
{
    submitting = NULL;
}

bool sync_is_done(struct sync_call *sync)
{
    pthread_mutex_lock(&sync->lock);
    bool done = sync->completions > 0;
    pthread_mutex_unlock(&sync->lock);
    return done;
}

static bool wait_for_threads(struct sync_call *sync)
{
    struct timespec until;
    int error = 0;
    clock_gettime(CLOCK_MONOTONIC, &until);
    until.tv_sec += 60;
    pthread_mutex_lock(&sync->lock);
    while (sync->completions == 0 && error == 0)
        error = pthread_cond_timedwait(&sync->changed, &sync->lock, &until);
    pthread_mutex_unlock(&sync->lock);
    return error == 0;
}

int sync_wait(struct remote_driver *driver, struct sync_call *sync)
{
    if (driver->turn) {
        while (!sync_is_done(sync))
            assert_true(driver->turn(driver->context));
    } else {
        assert_true(wait_for_threads(sync));
    }
    assert_int_equal(sync->completions, 1);
    assert_null(sync->call.implementation);
    return sync->call.error;
}

/* The shape of all that follow. */
#define SUBMIT(sync, operation, ...)                                                                                   \
    do {                                                                                                               \
        sync_init(&(sync));                                                                                            \
        sync_begin(&(sync));                                                                                           \
        driver->remote->operations->operation(driver->remote, &(sync).call, ##__VA_ARGS__);                            \
        sync_submitted(&(sync));                                                                                       \
    } while (0)

static int finish(struct remote_driver *driver, struct sync_call *sync)
{
    int error = sync_wait(driver, sync);
    sync_fini(sync);
    return error;
}

int sync_lstat(struct remote_driver *driver, const char *path, struct cfs_remote_attributes *ret_attributes)
{
    struct sync_call sync;
    SUBMIT(sync, lstat, path);
    int error = finish(driver, &sync);
    if (!error && ret_attributes)
        *ret_attributes = sync.call.result.attributes;
    return error;
}

int sync_setattr(struct remote_driver *driver, const char *path, mode_t type,
                 const struct cfs_remote_attributes *attributes)
{
    struct sync_call sync;
    SUBMIT(sync, setattr, path, type, attributes);
    return finish(driver, &sync);
}

int sync_readlink(struct remote_driver *driver, const char *path, char *ret_target, size_t size)
{
    struct sync_call sync;
    SUBMIT(sync, readlink, path);
    int error = finish(driver, &sync);
    if (!error)
        snprintf(ret_target, size, "%s", sync.target);
    return error;
}

int sync_mkdir(struct remote_driver *driver, const char *path, mode_t mode)
{
    struct sync_call sync;
    SUBMIT(sync, mkdir, path, mode);
    return finish(driver, &sync);
}

int sync_put(struct remote_driver *driver, const char *path, int flags, mode_t mode, const void *data, size_t length,
             const struct cfs_remote_attributes *attributes, struct cfs_remote_attributes *ret_attributes)
{
    static const struct cfs_remote_attributes none;
    struct sync_call sync;
    SUBMIT(sync, put, path, flags, mode, length, data, attributes ? attributes : &none);
    int error = sync_wait(driver, &sync);
    if (!error && ret_attributes)
        *ret_attributes = sync.call.result.attributes;
    sync_fini(&sync);
    return error;
}

int sync_rmdir(struct remote_driver *driver, const char *path)
{
    struct sync_call sync;
    SUBMIT(sync, rmdir, path);
    return finish(driver, &sync);
}

int sync_unlink(struct remote_driver *driver, const char *path)
{
    struct sync_call sync;
    SUBMIT(sync, unlink, path);
    return finish(driver, &sync);
}

int sync_symlink(struct remote_driver *driver, const char *target, const char *path)
{
    struct sync_call sync;
    SUBMIT(sync, symlink, target, path);
    return finish(driver, &sync);
}

int sync_link(struct remote_driver *driver, const char *from, const char *to)
{
    struct sync_call sync;
    SUBMIT(sync, link, from, to);
    return finish(driver, &sync);
}

int sync_rename(struct remote_driver *driver, const char *from, const char *to, enum cfs_remote_rename how)
{
    struct sync_call sync;
    SUBMIT(sync, rename, from, to, how);
    return finish(driver, &sync);
}

int sync_set_and_rename(struct remote_driver *driver, const char *from, const char *to,
                        const struct cfs_remote_attributes *attributes, int *ret_set_error)
{
    struct sync_call sync;
    SUBMIT(sync, set_and_rename, from, to, attributes);
    int error = sync_wait(driver, &sync);
    *ret_set_error = sync.call.result.set_error;
    sync_fini(&sync);
    return error;
}

int sync_statfs(struct remote_driver *driver, struct cfs_remote_statfs *ret_statfs)
{
    struct sync_call sync;
    SUBMIT(sync, statfs);
    int error = finish(driver, &sync);
    if (!error)
        *ret_statfs = sync.call.result.statfs;
    return error;
}

int sync_open(struct remote_driver *driver, const char *path, int flags, mode_t mode, struct cfs_remote_file **ret_file)
{
    struct sync_call sync;
    SUBMIT(sync, open, path, flags, mode);
    int error = finish(driver, &sync);
    if (!error) {
        assert_non_null(sync.call.result.file);
        *ret_file = sync.call.result.file;
    }
    return error;
}

ssize_t sync_read(struct remote_driver *driver, struct cfs_remote_file *file, uint64_t offset, void *buffer,
                  size_t length)
{
    struct sync_call sync;
    SUBMIT(sync, read, file, offset, length, buffer);
    int error = finish(driver, &sync);
    assert_true(sync.call.result.length <= length);
    return error ? error : (ssize_t)sync.call.result.length;
}

int sync_write(struct remote_driver *driver, struct cfs_remote_file *file, uint64_t offset, const void *data,
               size_t length)
{
    struct sync_call sync;
    SUBMIT(sync, write, file, offset, length, data);
    return finish(driver, &sync);
}

int sync_fstat(struct remote_driver *driver, struct cfs_remote_file *file, struct cfs_remote_attributes *ret_attributes)
{
    struct sync_call sync;
    SUBMIT(sync, fstat, file);
    int error = finish(driver, &sync);
    if (!error)
        *ret_attributes = sync.call.result.attributes;
    return error;
}

int sync_fsetattr(struct remote_driver *driver, struct cfs_remote_file *file,
                  const struct cfs_remote_attributes *attributes)
{
    struct sync_call sync;
    SUBMIT(sync, fsetattr, file, attributes);
    return finish(driver, &sync);
}

int sync_flush(struct remote_driver *driver, struct cfs_remote_file *file)
{
    struct sync_call sync;
    SUBMIT(sync, flush, file);
    return finish(driver, &sync);
}

int sync_fsync(struct remote_driver *driver, struct cfs_remote_file *file)
{
    struct sync_call sync;
    SUBMIT(sync, fsync, file);
    return finish(driver, &sync);
}

ssize_t sync_copy(struct remote_driver *driver, struct cfs_remote_file *from, uint64_t from_offset,
                  struct cfs_remote_file *to, uint64_t to_offset, size_t length)
{
    struct sync_call sync;
    SUBMIT(sync, copy, from, from_offset, to, to_offset, length);
    int error = finish(driver, &sync);
    return error ? error : (ssize_t)sync.call.result.length;
}

int sync_close(struct remote_driver *driver, struct cfs_remote_file *file)
{
    struct sync_call sync;
    SUBMIT(sync, close, file);
    return finish(driver, &sync);
}

int sync_open_listing(struct remote_driver *driver, const char *path, struct cfs_remote_listing **ret_listing)
{
    struct sync_call sync;
    SUBMIT(sync, open_listing, path);
    int error = finish(driver, &sync);
    if (!error) {
        assert_non_null(sync.call.result.listing);
        *ret_listing = sync.call.result.listing;
    }
    return error;
}

ssize_t sync_read_listing(struct remote_driver *driver, struct cfs_remote_listing *listing,
                          struct sync_entry **ret_entries)
{
    struct sync_call sync;
    SUBMIT(sync, read_listing, listing);
    int error = sync_wait(driver, &sync);
    *ret_entries = sync.entries;
    sync.entries = NULL;
    sync_fini(&sync);
    return error ? error : (ssize_t)sync.call.result.count;
}

int sync_close_listing(struct remote_driver *driver, struct cfs_remote_listing *listing)
{
    struct sync_call sync;
    SUBMIT(sync, close_listing, listing);
    return finish(driver, &sync);
}

/* Open files: open, read, write and so on of one `struct cfs_cached_file`. */
#include "cache/cached_file.h"
#include "cache/call.h"
#include <errno.h>
#include <stdlib.h>

/* --- open --- */

struct opening {
    struct cfs_cache_call call;
    struct cfs_cached_file *file; /* until it is the file system's */
};

static struct opening *opening_of(struct cfs_cache_call *call)
{
    return cfs_container_of(call, struct opening, call);
}

static void release_opening(struct cfs_cache_call *call)
{
    free(opening_of(call)->file);
}

static void opened(struct cfs_cache_call *call)
{
    struct opening *opening = opening_of(call);
    if (call->lower.error == 0) {
        opening->file->lower = call->lower.result.file;
        call->upper->result.attributes = call->lower.result.attributes;
        call->upper->result.file = cfs_cached_file_as_remote(CFS_TAKE(opening->file));
    }
    cfs_cache_call_finish(call, call->lower.error);
}

void cfs_cache_open(struct cfs_remote *remote, struct cfs_remote_call *upper, const char *path, int flags, mode_t mode)
{
    struct cfs_cache *cache = cfs_cache_of(remote);
    struct opening *opening = cfs_cache_call_new(cache, upper, sizeof(*opening), release_opening);
    if (!opening)
        return;
    opening->file = calloc(1, sizeof(*opening->file));
    if (!opening->file) {
        cfs_cache_call_finish_later(&opening->call, -ENOMEM);
        return;
    }
    *opening->file = (struct cfs_cached_file){.cache = cache, .flags = flags};
    cfs_cache_call_submit(&opening->call, opened, open, path, flags, mode);
}

/* --- reading and writing --- */

void cfs_cache_read(struct cfs_remote *remote, struct cfs_remote_call *upper, struct cfs_remote_file *file,
                    uint64_t offset, size_t length, void *destination)
{
    struct cfs_cache_call *call = cfs_cache_call_new(cfs_cache_of(remote), upper, sizeof(*call), NULL);
    if (call)
        cfs_cache_call_submit(call, cfs_cache_call_pass, read, cfs_cached_file_of(file)->lower, offset, length,
                              destination);
}

void cfs_cache_write(struct cfs_remote *remote, struct cfs_remote_call *upper, struct cfs_remote_file *file,
                     uint64_t offset, size_t length, const void *data)
{
    struct cfs_cache_call *call = cfs_cache_call_new(cfs_cache_of(remote), upper, sizeof(*call), NULL);
    if (call)
        cfs_cache_call_submit(call, cfs_cache_call_pass, write, cfs_cached_file_of(file)->lower, offset, length, data);
}

void cfs_cache_fstat(struct cfs_remote *remote, struct cfs_remote_call *upper, struct cfs_remote_file *file)
{
    struct cfs_cache_call *call = cfs_cache_call_new(cfs_cache_of(remote), upper, sizeof(*call), NULL);
    if (call)
        cfs_cache_call_submit(call, cfs_cache_call_pass, fstat, cfs_cached_file_of(file)->lower);
}

void cfs_cache_fsetattr(struct cfs_remote *remote, struct cfs_remote_call *upper, struct cfs_remote_file *file,
                        const struct cfs_remote_attributes *attributes)
{
    struct cfs_cache_call *call = cfs_cache_call_new(cfs_cache_of(remote), upper, sizeof(*call), NULL);
    if (call)
        cfs_cache_call_submit(call, cfs_cache_call_pass, fsetattr, cfs_cached_file_of(file)->lower, attributes);
}

void cfs_cache_fsync(struct cfs_remote *remote, struct cfs_remote_call *upper, struct cfs_remote_file *file)
{
    struct cfs_cache_call *call = cfs_cache_call_new(cfs_cache_of(remote), upper, sizeof(*call), NULL);
    if (call)
        cfs_cache_call_submit(call, cfs_cache_call_pass, fsync, cfs_cached_file_of(file)->lower);
}

void cfs_cache_copy(struct cfs_remote *remote, struct cfs_remote_call *upper, struct cfs_remote_file *from,
                    uint64_t from_offset, struct cfs_remote_file *to, uint64_t to_offset, size_t length)
{
    struct cfs_cache_call *call = cfs_cache_call_new(cfs_cache_of(remote), upper, sizeof(*call), NULL);
    if (call)
        cfs_cache_call_submit(call, cfs_cache_call_pass, copy, cfs_cached_file_of(from)->lower, from_offset,
                              cfs_cached_file_of(to)->lower, to_offset, length);
}

/* --- close --- */

static void release_closed(struct cfs_cache_call *call)
{
    free(cfs_container_of(call, struct cfs_cached_file, close));
}

void cfs_cache_close(struct cfs_remote *remote, struct cfs_remote_call *upper, struct cfs_remote_file *file)
{
    struct cfs_cached_file *cached = cfs_cached_file_of(file);
    cfs_cache_call_init(&cached->close, cfs_cache_of(remote), upper, release_closed);
    cfs_cache_call_submit(&cached->close, cfs_cache_call_pass, close, cached->lower);
}

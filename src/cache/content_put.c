/* A file that is put, complete, into a remote below that can do so in one step: afterwards its bytes are kept as if
 * they had been written to an open file. */
#include "cache/contents_priv.h"
#include <errno.h>
#include <fcntl.h>
#include <string.h>

struct putting {
    struct cfs_cache_call call;
    uint64_t started;
    int flags;
    uint8_t *data; /* the caller's */
    size_t length;
    struct cfs_remote_attributes set;
    char path[]; /* NUL-terminated */
};

static const unsigned NEEDED = CFS_REMOTE_SIZE | CFS_REMOTE_TIMES;

/* What was put is the version that the server told, and ours alone. */
static void keep(struct cfs_content *content, const struct putting *putting,
                 const struct cfs_remote_attributes *attributes)
{
    struct cfs_extent whole = {.length = putting->length, .data = putting->data};
    if ((attributes->valid & NEEDED) != NEEDED || attributes->size != putting->length)
        return;
    cfs_reader_patch(content, &whole);
    if (putting->set.valid & CFS_REMOTE_TIMES)
        cfs_content_times_set(content, attributes->mtime);
}

static void enter_new(struct cfs_contents *contents, const struct putting *putting,
                      const struct cfs_remote_attributes *attributes)
{
    struct cfs_content *content =
        cfs_content_opened(contents, putting->path, putting->flags, attributes, putting->started, NULL);
    if (content && !cfs_content_is_ahead(content, putting->started))
        keep(content, putting, attributes);
    cfs_content_put(content);
}

/* It may have been there before: who has it open asks again. */
static void doubt(struct cfs_contents *contents, const char *path)
{
    struct cfs_content *content = cfs_content_find(contents, path);
    if (!content)
        return;
    cfs_content_get(content);
    cfs_content_drop(content);
    if (cfs_list_empty(&content->files))
        cfs_content_detach(content);
    else
        content->must_learn = true;
    cfs_turns_pump(content);
    cfs_content_put(content);
}

static void put_done(struct cfs_cache_call *base)
{
    const struct putting *putting = cfs_container_of(base, const struct putting, call);
    struct cfs_contents *contents = cfs_contents_of_call(base);
    pthread_mutex_lock(&contents->lock);
    if (base->lower.error == 0 && putting->flags & O_EXCL)
        enter_new(contents, putting, &base->lower.result.attributes);
    else if (base->lower.error != -EEXIST)
        doubt(contents, putting->path);
    pthread_mutex_unlock(&contents->lock);
    cfs_cache_call_pass(base);
}

void cfs_contents_put(struct cfs_remote *remote, struct cfs_remote_call *upper, const char *path, int flags,
                      mode_t mode, size_t length, const void *data, const struct cfs_remote_attributes *attributes)
{
    struct cfs_contents *contents = cfs_contents_of(remote);
    size_t size = strlen(path) + 1;
    struct putting *putting = cfs_cache_call_new(&contents->core, upper, sizeof(*putting) + size, NULL);
    if (!putting)
        return;
    memcpy(putting->path, path, size);
    putting->flags = flags;
    putting->data = (uint8_t *)(uintptr_t)data;
    putting->length = length;
    putting->set = *attributes;
    pthread_mutex_lock(&contents->lock);
    putting->started = contents->stamp;
    pthread_mutex_unlock(&contents->lock);
    cfs_cache_call_submit(&putting->call, put_done, put, path, flags, mode, length, data, attributes);
}

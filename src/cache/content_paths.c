/* Operations that reach files by their paths, or two at once, as far as contents are concerned. */
#include "cache/contents_priv.h"
#include <errno.h>
#include <string.h>

/* --- lstat --- */

static void lstat_done(struct cfs_cache_call *base)
{
    struct cfs_content_call *call = cfs_content_call_of(base);
    struct cfs_contents *contents = cfs_contents_of_call(base);
    pthread_mutex_lock(&contents->lock);
    struct cfs_content *content = base->lower.error == 0 ? cfs_content_find(contents, call->path) : NULL;
    if (content)
        cfs_content_correct(content, &base->lower.result.attributes, call->started, false);
    pthread_mutex_unlock(&contents->lock);
    cfs_cache_call_pass(base);
}

/* A call on PATH, and on its content, if it has one. NULL: answered. */
static struct cfs_content_call *new_on_path(struct cfs_remote *remote, struct cfs_remote_call *upper, const char *path)
{
    struct cfs_contents *contents = cfs_contents_of(remote);
    struct cfs_content_call *call = cfs_content_call_new(remote, upper, NULL);
    if (!call)
        return NULL;
    call->path = strdup(path);
    if (!call->path) {
        cfs_cache_call_finish_later(&call->call, -ENOMEM);
        return NULL;
    }
    pthread_mutex_lock(&contents->lock);
    call->started = contents->stamp;
    call->content = cfs_content_find(contents, path);
    if (call->content)
        cfs_content_get(call->content);
    pthread_mutex_unlock(&contents->lock);
    return call;
}

void cfs_contents_lstat(struct cfs_remote *remote, struct cfs_remote_call *upper, const char *path)
{
    struct cfs_content_call *call = new_on_path(remote, upper, path);
    if (call)
        cfs_cache_call_submit(&call->call, lstat_done, lstat, path);
}

/* --- setattr --- */

void cfs_content_attributes_set(struct cfs_content_call *call, int error)
{
    struct cfs_contents *contents = cfs_contents_of_call(&call->call);
    unsigned set = call->attributes.valid;
    pthread_mutex_lock(&contents->lock);
    /* Without a turn the file may have been opened meanwhile. */
    struct cfs_content *content = call->turn.content ? call->content : cfs_content_find(contents, call->path);
    if (content && set & CFS_REMOTE_SIZE && (error == 0 || cfs_remote_outcome_is_unknown(error))) {
        if (error == 0 && content == call->turn.content)
            cfs_content_truncated(content, call->attributes.size);
        else
            content->must_learn = true;
    }
    if (content && set & CFS_REMOTE_TIMES && !(set & CFS_REMOTE_SIZE) && error == 0 && content == call->turn.content)
        cfs_content_times_set(content, call->attributes.mtime);
    else if (content && set & (CFS_REMOTE_SIZE | CFS_REMOTE_TIMES))
        cfs_content_changed(content);
    if (content && set & (CFS_REMOTE_MODE | CFS_REMOTE_OWNER))
        content->kind.valid = 0;
    if (content && content != call->turn.content)
        cfs_turns_pump(content);
    pthread_mutex_unlock(&contents->lock);
}

static void setattr_done(struct cfs_cache_call *base)
{
    cfs_content_attributes_set(cfs_content_call_of(base), base->lower.error);
    cfs_content_call_pass(base);
}

static void setattr_below(struct cfs_cache_call *base)
{
    const struct cfs_content_call *call = cfs_content_call_of(base);
    cfs_cache_call_submit(base, setattr_done, setattr, call->path, call->type, &call->attributes);
}

void cfs_contents_setattr(struct cfs_remote *remote, struct cfs_remote_call *upper, const char *path,
                          mode_t expected_type, const struct cfs_remote_attributes *attributes)
{
    struct cfs_content_call *call = new_on_path(remote, upper, path);
    if (!call)
        return;
    call->attributes = *attributes;
    call->type = expected_type;
    call->then = setattr_below;
    if (call->content)
        cfs_content_call_enter_to_set(call);
    else
        setattr_below(&call->call);
}

/* --- names --- */

static void unlink_done(struct cfs_cache_call *base)
{
    struct cfs_content_call *call = cfs_content_call_of(base);
    struct cfs_contents *contents = cfs_contents_of_call(base);
    int error = base->lower.error;
    pthread_mutex_lock(&contents->lock);
    struct cfs_content *content = cfs_content_find(contents, call->path);
    if (content && (error == 0 || error == -ENOENT || cfs_remote_outcome_is_unknown(error)))
        cfs_content_detach(content);
    pthread_mutex_unlock(&contents->lock);
    cfs_cache_call_pass(base);
}

void cfs_contents_unlink(struct cfs_remote *remote, struct cfs_remote_call *upper, const char *path)
{
    struct cfs_content_call *call = new_on_path(remote, upper, path);
    if (call)
        cfs_cache_call_submit(&call->call, unlink_done, unlink, path);
}

static void detach_path(struct cfs_contents *contents, const char *path)
{
    struct cfs_content *content = cfs_content_find(contents, path);
    if (content)
        cfs_content_detach(content);
}

static void rename_done(struct cfs_cache_call *base)
{
    struct cfs_content_call *call = cfs_content_call_of(base);
    struct cfs_contents *contents = cfs_contents_of_call(base);
    int error = base->lower.error;
    if (call->attributes.valid)
        cfs_content_attributes_set(call, error == 0 ? base->lower.result.set_error : -EIO);
    pthread_mutex_lock(&contents->lock);
    if (error == 0) {
        cfs_contents_renamed(contents, call->path, call->other);
    } else if (cfs_remote_outcome_is_unknown(error)) {
        detach_path(contents, call->path);
        detach_path(contents, call->other);
    }
    pthread_mutex_unlock(&contents->lock);
    cfs_content_call_pass(base);
}

static void rename_below(struct cfs_cache_call *base)
{
    const struct cfs_content_call *call = cfs_content_call_of(base);
    if (call->attributes.valid)
        cfs_cache_call_submit(base, rename_done, set_and_rename, call->path, call->other, &call->attributes);
    else
        cfs_cache_call_submit(base, rename_done, rename, call->path, call->other, call->how);
}

/* What was written to a file is on the server before it takes another's place. */
static void submit_rename(struct cfs_remote *remote, struct cfs_remote_call *upper, const char *from, const char *to,
                          enum cfs_remote_rename how, const struct cfs_remote_attributes *attributes)
{
    struct cfs_content_call *call = new_on_path(remote, upper, from);
    if (!call)
        return;
    call->other = strdup(to);
    call->how = how;
    call->attributes = *attributes;
    call->then = rename_below;
    if (!call->other)
        cfs_cache_call_finish_later(&call->call, -ENOMEM);
    else if (call->content)
        cfs_content_call_enter_to_set(call);
    else
        rename_below(&call->call);
}

void cfs_contents_rename(struct cfs_remote *remote, struct cfs_remote_call *upper, const char *from, const char *to,
                         enum cfs_remote_rename how)
{
    static const struct cfs_remote_attributes none;
    submit_rename(remote, upper, from, to, how, &none);
}

void cfs_contents_set_and_rename(struct cfs_remote *remote, struct cfs_remote_call *upper, const char *from,
                                 const char *to, const struct cfs_remote_attributes *attributes)
{
    submit_rename(remote, upper, from, to, CFS_REMOTE_RENAME_REPLACE, attributes);
}

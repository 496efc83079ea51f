/* What is told of contents while there is no connection, to those who are content with what is old
 * (CFS_REMOTE_TELL_OLD, offline = read).
 *
 * A file of which something is kept is opened for reading without the server: what is kept is what it shows, suspect or
 * not, and attributes are those that were told last, with what was written here. The handle below is opened when
 * something is missing, and then only if it still is the same file (open_known). From then on all that is kept is
 * suspect, so that a reader who goes on when the connection is there again is not shown what has changed meanwhile
 * (content_check.c); who opens the file then asks the server, as ever.
 *
 * Nothing that is told here is learned from: how long something may be used counts from when the server said it. */
#include "cache/contents_priv.h"
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>

bool cfs_contents_is_lost(const struct cfs_contents *contents)
{
    struct cfs_remote *lower = contents->core.lower;
    return lower->operations->is_lost && lower->operations->is_lost(lower);
}

bool cfs_content_call_is_told_old(const struct cfs_content_call *call)
{
    return call->call.upper && call->call.upper->when_lost == CFS_REMOTE_TELL_OLD &&
           cfs_contents_is_lost(cfs_contents_of_call(&call->call));
}

/* --- attributes --- */

static void show(const struct cfs_content *content, struct cfs_remote_attributes *attributes)
{
    if (content->size_known && !content->end_doubted) {
        attributes->size = content->size;
        attributes->valid |= CFS_REMOTE_SIZE;
    }
    if (content->version_known && attributes->valid & CFS_REMOTE_TIMES)
        attributes->mtime = content->mtime;
    attributes->keep_ms = CFS_REMOTE_KEEP_NOT;
}

bool cfs_content_file_tell_old(const struct cfs_content_file *file, struct cfs_remote_result *ret_result)
{
    if (!(file->seen.valid & CFS_REMOTE_MODE))
        return false;
    *ret_result = (struct cfs_remote_result){.attributes = file->seen, .is_old = true};
    show(file->content, &ret_result->attributes);
    return true;
}

void cfs_contents_correct_old(struct cfs_remote *remote, const char *path, struct cfs_remote_attributes *attributes)
{
    struct cfs_contents *contents = cfs_contents_of(remote);
    pthread_mutex_lock(&contents->lock);
    const struct cfs_content *content = S_ISREG(attributes->mode) ? cfs_content_find(contents, path) : NULL;
    if (content && attributes->valid & CFS_REMOTE_SIZE && content->size_known && !content->end_doubted)
        attributes->size = content->size;
    pthread_mutex_unlock(&contents->lock);
}

/* --- opening --- */

/* Referenced; NULL: there is nothing of use. */
static struct cfs_content *kept(struct cfs_content_call *opening)
{
    struct cfs_contents *contents = cfs_contents_of_call(&opening->call);
    struct cfs_content *content = cfs_content_find(contents, opening->path);
    if (!content && opening->call.lower.known) {
        content = cfs_content_new(contents, opening->path);
        if (content)
            cfs_content_learn(content, opening->call.lower.known);
        return content;
    }
    bool is_of_use = content && content->size_known && !content->barrier && !content->must_learn && !content->learns;
    if (is_of_use)
        cfs_content_get(content);
    return is_of_use ? content : NULL;
}

bool cfs_content_may_open_old(struct cfs_content_call *opening)
{
    int flags = opening->opening->flags;
    bool only_reads = (flags & (O_ACCMODE | O_CREAT | O_TRUNC)) == O_RDONLY;
    return only_reads && opening->call.upper->when_lost == CFS_REMOTE_TELL_OLD &&
           (opening->call.lower.known || cfs_content_find(cfs_contents_of_call(&opening->call), opening->path));
}

/* The file, whose handle is LOWER, shows what is kept in OPENING's content. */
static void enter(struct cfs_content_call *opening, struct cfs_remote_file *lower)
{
    struct cfs_contents *contents = cfs_contents_of_call(&opening->call);
    pthread_mutex_lock(&contents->lock);
    struct cfs_content_file *file = CFS_TAKE(opening->opening);
    struct cfs_content *content = opening->content;
    struct cfs_remote_result *result = &opening->call.upper->result;
    file->lower = lower;
    file->seen = content->kind;
    file->seen.valid |= content->version_known ? CFS_REMOTE_TIMES : 0;
    file->seen.atime = content->mtime;
    cfs_content_get(content);
    cfs_content_file_attach(file, content);
    cfs_content_suspect(content, UINT64_MAX);
    content->told_old = true;
    *result = (struct cfs_remote_result){
        .file = (struct cfs_remote_file *)(void *)file, .attributes = file->seen, .is_old = true};
    show(content, &result->attributes);
    pthread_mutex_unlock(&contents->lock);
    cfs_cache_call_finish(&opening->call, 0);
}

static void opened(struct cfs_cache_call *base)
{
    if (base->lower.error < 0)
        cfs_cache_call_finish(base, base->lower.error);
    else
        enter(cfs_content_call_of(base), base->lower.result.file);
}

bool cfs_content_opened_unseen(struct cfs_content_call *opening)
{
    struct cfs_contents *contents = cfs_contents_of_call(&opening->call);
    pthread_mutex_lock(&contents->lock);
    struct cfs_content *content = opening->content = kept(opening);
    pthread_mutex_unlock(&contents->lock);
    if (content)
        enter(opening, opening->opening->lower);
    return content;
}

bool cfs_content_open_from_memory(struct cfs_content_call *opening)
{
    struct cfs_contents *contents = cfs_contents_of_call(&opening->call);
    pthread_mutex_lock(&contents->lock);
    struct cfs_content *content = kept(opening);
    struct cfs_remote_attributes known = {.valid = 0};
    if (content) {
        known = content->kind;
        known.valid |= CFS_REMOTE_SIZE | (content->version_known ? CFS_REMOTE_TIMES : 0);
        known.size = content->server_size;
        known.mtime = known.atime = content->mtime;
        opening->content = content;
    }
    pthread_mutex_unlock(&contents->lock);
    if (content)
        cfs_cache_call_submit(&opening->call, opened, open_known, opening->path, &known);
    return content;
}

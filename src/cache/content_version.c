/* Whether what is kept of a file may still be used.
 *
 * A version is (size, mtime). Times have whole seconds on the wire: a change within the second of the mtime may leave
 * both as they are. So bytes that were fetched when that could still happen taint what is kept from their offset on,
 * and that is dropped at the next open although nothing seems to have changed.
 *
 * When can it not happen any more? Two seconds after the version was first told, and at once if the mtime is more than
 * a minute ago, since the clocks of both sides may differ, but not by that much. In between, an mtime that is some
 * seconds ago by our clock is of a second that is over, unless the server's clock is that much behind ours, which is
 * rare: what is fetched then is not dropped but suspect at the next open (`unproven`, below), and compared in a few
 * places. So a change is missed only if all of this meets: such a clock, a change in place within the second of the
 * mtime, after our fetch, and one that spares the pages that are compared. With less than those seconds the first two
 * are nothing rare (a job that writes is looked at), and four pages would not do: a file of that many pages gains
 * nothing by it, and of a larger one they show little.
 *
 * A file that has become longer, and else looks like the same one, has probably been appended to: what is kept before
 * its old end becomes suspect, and is compared in a few places before it is used (content_check.c). The page with the
 * old end is not whole any more, and goes. Any other change drops all.
 *
 * A change of our own makes the version unknown. When what we wrote has been flushed the server is asked once for the
 * version that came of it. It is ours alone (`unmixed`) if the version from before had just been confirmed, or nothing
 * was left from before; only then what is kept belongs to the new version. What we wrote ourselves is not proven:
 * within the second of its mtime somebody else may have changed it, unseen. It is suspect at the next open, until it
 * has been compared under a version that cannot have such a double, or the file has got an old mtime from us (cp -p,
 * tar, rsync). The same goes for what was compared while the file was growing.
 *
 * When an open finds another version than others have open, it cannot be told whether it is their file, changed, or
 * another one in its place: they keep theirs, without its name, and the open gets a new one; but for a file that has
 * grown if a handle of theirs sees that, too. */
#include "cache/contents_priv.h"
#include <fcntl.h>
#include <sys/stat.h>

/* A change that leaves the mtime as it was cannot come later than that after we saw it; and a file that is older by
 * the clocks of both sides, which may differ, is not just changing, or probably not. */
enum { STABLE_MS = 2000, SURELY_OLD_SECONDS = 60, PROBABLY_OLD_SECONDS = 5 };

static const unsigned needed = CFS_REMOTE_SIZE | CFS_REMOTE_TIMES;

static int64_t now_of(const struct cfs_content *content)
{
    return cfs_clock_ms(content->contents->core.clock);
}

static bool is_older(const struct cfs_content *content, int64_t mtime, int64_t seconds)
{
    const struct cfs_clock *clock = content->contents->core.clock;
    return mtime < clock->wall(clock).tv_sec - seconds;
}

static bool is_surely_old(const struct cfs_content *content, int64_t mtime)
{
    return is_older(content, mtime, SURELY_OLD_SECONDS);
}

bool cfs_content_is_stable(const struct cfs_content *content)
{
    return content->version_known &&
           (now_of(content) - content->version_since_ms >= STABLE_MS || is_surely_old(content, content->mtime));
}

void cfs_content_taint(struct cfs_content *content, uint64_t offset)
{
    if (cfs_content_is_stable(content))
        return;
    if (content->version_known && is_older(content, content->mtime, PROBABLY_OLD_SECONDS))
        content->unproven = true;
    else if (offset < content->tainted_from)
        content->tainted_from = offset;
}

bool cfs_content_was_just_confirmed(const struct cfs_content *content)
{
    return now_of(content) - content->confirmed_ms < STABLE_MS;
}

/* --- learning --- */

static void set_version(struct cfs_content *content, int64_t mtime)
{
    content->version_known = true;
    content->mtime = mtime;
    content->version_since_ms = content->confirmed_ms = now_of(content);
    content->end_doubted = false;
    if (is_surely_old(content, mtime))
        content->unproven = false; /* a later change could not have left that time */
}

static void note_kind(struct cfs_content *content, const struct cfs_remote_attributes *attributes)
{
    content->kind = *attributes;
    content->kind.valid &= CFS_REMOTE_MODE | CFS_REMOTE_OWNER;
}

/* Nothing is kept, nothing of ours is on the way: what the server says holds. */
static void adopt(struct cfs_content *content, const struct cfs_remote_attributes *attributes)
{
    content->size_known = attributes->valid & CFS_REMOTE_SIZE;
    content->size = content->server_size = content->size_known ? attributes->size : 0;
    content->version_known = content->unmixed = content->end_doubted = false;
    if ((attributes->valid & needed) == needed)
        set_version(content, attributes->mtime);
    note_kind(content, attributes);
}

void cfs_content_learn(struct cfs_content *content, const struct cfs_remote_attributes *attributes)
{
    cfs_content_drop(content);
    adopt(content, attributes);
}

static bool is_same_version(const struct cfs_content *content, const struct cfs_remote_attributes *attributes)
{
    return (attributes->valid & needed) == needed && content->version_known &&
           content->server_size == attributes->size && content->mtime == attributes->mtime;
}

/* The file is at rest, and this what came of our own changes. */
static bool is_what_we_made(const struct cfs_content *content, const struct cfs_remote_attributes *attributes)
{
    return (attributes->valid & needed) == needed && content->unmixed && !content->version_known &&
           content->size_known && content->server_size == attributes->size;
}

/* --- growth --- */

static bool is_same_kind(const struct cfs_remote_attributes *a, const struct cfs_remote_attributes *b)
{
    unsigned both = a->valid & b->valid;
    return !(both & CFS_REMOTE_MODE && a->mode != b->mode) &&
           !(both & CFS_REMOTE_OWNER && (a->uid != b->uid || a->gid != b->gid));
}

static bool may_have_grown(const struct cfs_content *content, const struct cfs_remote_attributes *attributes)
{
    return (attributes->valid & needed) == needed && content->size_known && attributes->size > content->server_size &&
           !(content->version_known && attributes->mtime < content->mtime) && is_same_kind(&content->kind, attributes);
}

void cfs_content_suspect(struct cfs_content *content, uint64_t offset)
{
    if (content->owner.count == 0)
        return;
    content->suspicions++;
    if (offset > content->suspect_below)
        content->suspect_below = offset;
}

void cfs_content_grew(struct cfs_content *content, uint64_t size)
{
    uint64_t whole = content->server_size / CFS_PAGE_SIZE * CFS_PAGE_SIZE;
    cfs_content_changed(content);
    content->unmixed = false;
    cfs_content_suspect(content, whole);
    content->size = content->server_size = size;
}

/* It has not only been seen by a fetch of the page with the end. */
static void grow(struct cfs_content *content, const struct cfs_remote_attributes *attributes)
{
    uint64_t end = content->server_size;
    cfs_content_get(content);
    if (end % CFS_PAGE_SIZE)
        cfs_blocks_drop(&content->contents->blocks, &content->owner, end, end + 1);
    cfs_content_grew(content, attributes->size);
    set_version(content, attributes->mtime);
    cfs_content_put(content);
}

/* --- looks at a file that is known --- */

/* Of a file that the server said to be of SIZE, but we know better; after an error, only where what we wrote ends. */
static uint64_t size_ahead(const struct cfs_content *content, uint64_t size)
{
    if (!content->must_learn && !content->learns)
        return content->size;
    uint64_t end = cfs_writer_end(content);
    return size > end ? size : end;
}

/* By handle, what is kept of another version must go: the kernel will ask for pages that fit the attributes. */
void cfs_content_correct(struct cfs_content *content, struct cfs_remote_attributes *attributes, uint64_t started,
                         bool by_handle)
{
    if (cfs_content_is_ahead(content, started)) {
        if (content->size_known && attributes->valid & CFS_REMOTE_SIZE)
            attributes->size = size_ahead(content, attributes->size);
        return;
    }
    if (!by_handle && content->entered_at > started)
        return; /* of what had the name before */
    if (is_same_version(content, attributes)) {
        content->confirmed_ms = now_of(content);
        return;
    }
    if (by_handle && is_what_we_made(content, attributes)) {
        set_version(content, attributes->mtime);
        return;
    }
    bool differs = (attributes->valid & CFS_REMOTE_SIZE && attributes->size != content->size) ||
                   (attributes->valid & CFS_REMOTE_TIMES && content->version_known);
    if (!differs)
        return;
    if (!by_handle || (attributes->valid & needed) != needed)
        content->end_doubted = true; /* of another file with this name, perhaps */
    else if (may_have_grown(content, attributes))
        grow(content, attributes);
    else
        cfs_content_learn(content, attributes);
}

/* --- opens --- */

/* Others have it open, and it is another one now. */
static bool must_part(const struct cfs_content *content, const struct cfs_remote_attributes *attributes)
{
    return !cfs_list_empty(&content->files) && (content->version_known || !(attributes->valid & CFS_REMOTE_SIZE) ||
                                                !content->size_known || attributes->size != content->server_size);
}

/* What was known is what is. */
static void confirm(struct cfs_content *content)
{
    content->confirmed_ms = now_of(content);
    if (content->unproven)
        cfs_content_suspect(content, UINT64_MAX);
    cfs_blocks_drop(&content->contents->blocks, &content->owner, content->tainted_from, UINT64_MAX);
    content->tainted_from = UINT64_MAX;
}

static bool is_exclusive(int flags)
{
    return (flags & (O_CREAT | O_EXCL)) == (O_CREAT | O_EXCL);
}

struct cfs_content_file *cfs_content_witness(const struct cfs_contents *contents, const char *path, int flags,
                                             const struct cfs_remote_attributes *attributes, uint64_t started)
{
    const struct cfs_content *content = cfs_content_find(contents, path);
    if (!content || is_exclusive(flags) || flags & O_TRUNC || content->owner.count == 0 ||
        cfs_content_is_ahead(content, started) || !may_have_grown(content, attributes))
        return NULL;
    return cfs_list_first(&content->files, struct cfs_content_file, of_content);
}

struct cfs_content *cfs_content_opened(struct cfs_contents *contents, const char *path, int flags,
                                       const struct cfs_remote_attributes *attributes, uint64_t started,
                                       const struct cfs_content *proven)
{
    static const struct cfs_remote_attributes empty = {.valid = CFS_REMOTE_SIZE};
    struct cfs_content *content = cfs_content_find(contents, path);
    bool is_new = !content || is_exclusive(flags);
    if (content)
        cfs_content_get(content);
    if (!is_new && flags & O_TRUNC) {
        if (!cfs_content_is_at_rest(content))
            content->must_learn = true; /* two opens at once: the other's bytes came before or after */
        else
            cfs_content_truncated(content, 0);
        return content;
    }
    if (!is_new && cfs_content_is_ahead(content, started)) {
        /* Only just: what was told may be from before our change, or after another's. */
        if (content->owner.count > 0 && cfs_content_is_at_rest(content))
            content->must_learn = true;
        return content;
    }
    if (!is_new && is_same_version(content, attributes) && !content->end_doubted) {
        confirm(content);
        return content;
    }
    if (!is_new && content->owner.count > 0 && may_have_grown(content, attributes) &&
        (cfs_list_empty(&content->files) || content == proven)) {
        grow(content, attributes);
        return content;
    }
    if (is_new || must_part(content, attributes)) {
        if (content)
            cfs_content_drop(content);
        cfs_content_put(content);
        content = cfs_content_new(contents, path);
        if (!content)
            return NULL;
        content->changed_at = started;
    }
    if (content->owner.count > 0)
        cfs_content_drop(content);
    adopt(content, flags & O_TRUNC ? &empty : attributes);
    content->unmixed = flags & O_TRUNC;
    return content;
}

/* --- what came of our own changes --- */

struct asking {
    struct cfs_remote_call call;
    struct cfs_content *content;   /* referenced */
    struct cfs_content_file *file; /* used */
    uint64_t started;
};

static void answered(struct cfs_remote_call *call)
{
    struct asking *asking = cfs_container_of(call, struct asking, call);
    struct cfs_content *content = asking->content;
    struct cfs_contents *contents = content->contents;
    const struct cfs_remote_attributes *attributes = &call->result.attributes;
    pthread_mutex_lock(&contents->lock);
    content->asking = false;
    if (call->error == 0 && !cfs_content_is_ahead(content, asking->started) && is_what_we_made(content, attributes)) {
        set_version(content, attributes->mtime);
        note_kind(content, attributes);
    }
    cfs_content_file_put(asking->file);
    cfs_content_put(content);
    pthread_mutex_unlock(&contents->lock);
    cfs_cache_release(&contents->core);
    free(asking);
}

void cfs_content_ask_version(struct cfs_content *content, struct cfs_content_file *file)
{
    struct cfs_contents *contents = content->contents;
    struct cfs_remote *lower = contents->core.lower;
    bool useful = content->owner.count > 0 && content->unmixed && !content->version_known && !content->asking;
    if (!useful || cfs_content_is_ahead(content, UINT64_MAX))
        return;
    struct asking *asking = calloc(1, sizeof(*asking));
    if (!asking)
        return;
    *asking = (struct asking){.call = {.done = answered}, .content = content, .file = file, .started = contents->stamp};
    content->asking = true;
    file->uses++;
    cfs_content_get(content);
    cfs_cache_hold(&contents->core);
    atomic_fetch_add_explicit(&contents->core.calls_below, 1, memory_order_relaxed);
    lower->operations->fstat(lower, &asking->call, file->lower);
}

void cfs_content_times_set(struct cfs_content *content, int64_t mtime)
{
    bool is_ours = content->version_known || content->unmixed;
    cfs_content_changed(content);
    if (is_ours && content->size_known && content->server_size == content->size && !content->must_learn)
        set_version(content, mtime);
}

/* What is known of a file: where it is, how long it is, and whether what is kept of it may still be used.
 *
 * A version is (size, mtime). Times have whole seconds on the wire: a change within the second of the mtime may leave
 * both as they are. So bytes that were fetched when that could still happen taint what is kept, and it is dropped at
 * the next open although nothing seems to have changed. A change of our own makes the version unknown.
 *
 * When an open finds another version than others have open, it cannot be told whether it is their file, changed, or
 * another one in its place: they keep theirs, without its name, and the open gets a new one. */
#include "cache/contents_priv.h"
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>

/* A change that leaves the mtime as it was cannot come later than that after we saw it; and a file that is older by
 * the clocks of both sides, which may differ, is not just changing. */
enum { STABLE_MS = 2000, SURELY_OLD_SECONDS = 60 };

/* --- the table --- */

static bool has_path(const struct cfs_hash_link *link, const void *path)
{
    return strcmp(cfs_container_of(link, const struct cfs_content, link)->path, path) == 0;
}

struct cfs_content *cfs_content_find(const struct cfs_contents *contents, const char *path)
{
    struct cfs_hash_link *link = cfs_hash_find(&contents->by_path, cfs_hash_bytes(path, strlen(path)), has_path, path);
    return link ? cfs_container_of(link, struct cfs_content, link) : NULL;
}

static void enter(struct cfs_content *content, char *path)
{
    content->path = path;
    cfs_hash_insert(&content->contents->by_path, cfs_hash_bytes(path, strlen(path)), &content->link);
}

static void leave(struct cfs_content *content)
{
    if (!content->path)
        return;
    cfs_hash_remove(&content->contents->by_path, &content->link);
    free(CFS_TAKE(content->path));
}

static void free_content(struct cfs_content *content)
{
    leave(content);
    cfs_list_remove(&content->of_all);
    cfs_list_remove(&content->of_dirty);
    cfs_list_remove(&content->of_starving);
    cfs_extents_fini(&content->extents);
    free(content);
}

static void settle(struct cfs_content *content)
{
    if (content->references > 0)
        return;
    if (!content->path && content->owner.count > 0)
        cfs_content_drop(content); /* comes back here */
    else if (content->owner.count == 0)
        free_content(content);
}

static void on_emptied(struct cfs_block_owner *owner)
{
    settle(cfs_container_of(owner, struct cfs_content, owner));
}

struct cfs_content *cfs_content_new(struct cfs_contents *contents, const char *path)
{
    struct cfs_content *content = calloc(1, sizeof(*content));
    char *copy = strdup(path);
    if (!content || !copy) {
        free(content);
        free(copy);
        return NULL;
    }
    struct cfs_content *before = cfs_content_find(contents, path);
    if (before)
        cfs_content_detach(before);
    content->contents = contents;
    content->references = 1;
    cfs_block_owner_init(&content->owner, on_emptied);
    struct cfs_list *lists[] = {&content->files,  &content->turns,    &content->readers,    &content->sent,
                                &content->drains, &content->of_dirty, &content->of_starving};
    for (size_t i = 0; i < CFS_COUNT(lists); i++)
        cfs_list_init(lists[i]);
    cfs_extents_init(&content->extents, cfs_writer_extent_size, contents->write_size);
    cfs_list_push_back(&contents->all, &content->of_all);
    enter(content, copy);
    return content;
}

void cfs_content_get(struct cfs_content *content)
{
    content->references++;
}

void cfs_content_put(struct cfs_content *content)
{
    if (content && --content->references == 0)
        settle(content);
}

void cfs_content_detach(struct cfs_content *content)
{
    cfs_content_get(content);
    leave(content);
    cfs_content_put(content);
}

void cfs_content_drop(struct cfs_content *content)
{
    cfs_content_changed(content);
    cfs_blocks_drop(&content->contents->blocks, &content->owner, 0, UINT64_MAX);
}

/* PATH is at or below FROM: its new path; NULL otherwise, and without memory. */
static char *renamed_path(const char *path, const char *from, const char *to)
{
    size_t length = strlen(from);
    char *renamed = NULL;
    if (strncmp(path, from, length) == 0 && (path[length] == '/' || path[length] == '\0') &&
        asprintf(&renamed, "%s%s", to, path + length) < 0)
        return NULL;
    return renamed;
}

void cfs_contents_renamed(struct cfs_contents *contents, const char *from, const char *to)
{
    struct cfs_list *link, *following;
    struct cfs_content *replaced = cfs_content_find(contents, to);
    if (strcmp(from, to) == 0)
        return;
    if (replaced)
        cfs_content_detach(replaced);
    cfs_list_each_safe (link, following, &contents->all) {
        struct cfs_content *content = cfs_container_of(link, struct cfs_content, of_all);
        char *path = content->path ? renamed_path(content->path, from, to) : NULL;
        if (!path)
            continue;
        leave(content);
        enter(content, path);
    }
}

/* --- own changes --- */

void cfs_content_changed(struct cfs_content *content)
{
    content->changed_at = ++content->contents->stamp;
    content->version_known = false;
}

bool cfs_content_is_ahead(const struct cfs_content *content, uint64_t started)
{
    return content->extents.count > 0 || !cfs_list_empty(&content->sent) || content->barrier || content->must_learn ||
           content->changed_at > started;
}

void cfs_content_truncated(struct cfs_content *content, uint64_t size)
{
    struct cfs_blocks *blocks = &content->contents->blocks;
    bool shrinks = !content->size_known || size < content->size;
    struct cfs_block *last = cfs_blocks_find(blocks, &content->owner, size / CFS_BLOCK_SIZE);
    cfs_content_get(content);
    cfs_content_changed(content);
    content->size_known = true;
    content->size = content->server_size = size;
    if (shrinks) {
        uint64_t behind = size / CFS_PAGE_SIZE * CFS_PAGE_SIZE, page = size % CFS_BLOCK_SIZE / CFS_PAGE_SIZE;
        size_t part = size % CFS_PAGE_SIZE;
        bool keeps_part = part > 0 && last && last->valid >> page & 1;
        if (keeps_part)
            memset(last->data + page * CFS_PAGE_SIZE + part, 0, CFS_PAGE_SIZE - part);
        cfs_blocks_drop(blocks, &content->owner, keeps_part ? behind + CFS_PAGE_SIZE : behind, UINT64_MAX);
    }
    cfs_content_put(content);
}

void cfs_content_correct(struct cfs_content *content, struct cfs_remote_attributes *attributes, uint64_t started)
{
    if (cfs_content_is_ahead(content, started)) {
        if (content->size_known && attributes->valid & CFS_REMOTE_SIZE)
            attributes->size = content->size;
        return;
    }
    if ((attributes->valid & CFS_REMOTE_SIZE && attributes->size != content->size) ||
        (attributes->valid & CFS_REMOTE_TIMES && content->version_known && attributes->mtime != content->mtime))
        content->end_doubted = true;
}

/* --- versions --- */

static bool is_stable(const struct cfs_content *content)
{
    const struct cfs_clock *clock = content->contents->core.clock;
    return content->version_known && (cfs_clock_ms(clock) - content->version_since_ms >= STABLE_MS ||
                                      content->mtime < clock->wall(clock).tv_sec - SURELY_OLD_SECONDS);
}

void cfs_content_taint(struct cfs_content *content)
{
    content->tainted |= !is_stable(content);
}

/* Nothing is kept, nothing of ours is on the way: what the server says holds. */
static void adopt(struct cfs_content *content, const struct cfs_remote_attributes *attributes)
{
    content->size_known = attributes->valid & CFS_REMOTE_SIZE;
    content->size = content->server_size = content->size_known ? attributes->size : 0;
    content->version_known = content->size_known && attributes->valid & CFS_REMOTE_TIMES;
    content->mtime = attributes->mtime;
    content->version_since_ms = cfs_clock_ms(content->contents->core.clock);
    content->tainted = content->end_doubted = false;
}

void cfs_content_learn(struct cfs_content *content, const struct cfs_remote_attributes *attributes)
{
    cfs_content_drop(content);
    adopt(content, attributes);
}

static bool is_same_version(const struct cfs_content *content, const struct cfs_remote_attributes *attributes)
{
    unsigned needed = CFS_REMOTE_SIZE | CFS_REMOTE_TIMES;
    return (attributes->valid & needed) == needed && content->version_known &&
           content->server_size == attributes->size && content->mtime == attributes->mtime;
}

/* Others have it open, and it is another one now. */
static bool must_part(const struct cfs_content *content, const struct cfs_remote_attributes *attributes)
{
    return !cfs_list_empty(&content->files) && (content->version_known || !(attributes->valid & CFS_REMOTE_SIZE) ||
                                                !content->size_known || attributes->size != content->server_size);
}

struct cfs_content *cfs_content_opened(struct cfs_contents *contents, const char *path, int flags,
                                       const struct cfs_remote_attributes *attributes, uint64_t started)
{
    static const struct cfs_remote_attributes empty = {.valid = CFS_REMOTE_SIZE};
    struct cfs_content *content = cfs_content_find(contents, path);
    bool is_new = !content || (flags & (O_CREAT | O_EXCL)) == (O_CREAT | O_EXCL);
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
        if (content->tainted)
            cfs_blocks_drop(&contents->blocks, &content->owner, 0, UINT64_MAX);
        content->tainted = false;
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
    return content;
}

/* The table of contents by path, their life, and what changes of our own do to what is kept. content_version.c knows
 * whether it may still be used. */
#include "cache/contents_priv.h"
#include <string.h>

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
    content->entered_at = ++content->contents->stamp;
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
    free(content->path_before);
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
    if (before && !before->path_before)
        before->path_before = strdup(path);
    if (before)
        cfs_content_detach(before);
    content->contents = contents;
    content->references = 1;
    content->tainted_from = UINT64_MAX;
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
    content->unmixed = false;
    cfs_content_forget(content);
}

void cfs_content_forget(struct cfs_content *content)
{
    cfs_content_get(content);
    content->suspect_below = 0;
    content->tainted_from = UINT64_MAX;
    content->unproven = false;
    cfs_blocks_drop(&content->contents->blocks, &content->owner, 0, UINT64_MAX);
    cfs_content_put(content);
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
    if (content->version_known)
        content->unmixed = cfs_content_was_just_confirmed(content);
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
    if (content->suspect_below > 0 || size == 0) {
        cfs_content_forget(content);
        last = NULL;
    }
    content->unmixed |= size == 0; /* whatever it was, it is ours now */
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

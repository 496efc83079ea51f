/* Walk-ahead: which folders come next. */
#include "cache/walk.h"
#include "cache/fetch.h"
#include <stdlib.h>
#include <sys/stat.h>

enum {
    FIRST_WINDOW = 4,
    LARGEST_WINDOW = 32,
    UNUSED_LIMIT = 64,
    SCAN_LIMIT = 2000, /* names looked at in one go */
    WALK_MS = 10000,   /* a folder is part of a walk if its parent was listed so recently */
    PAUSE_MS = 2000,
    SETTLED_S = 2,     /* a folder has not changed for so long: times have whole seconds */
    UNKNOWN_LIMIT = 3, /* names that were not known: so many in a folder, and it is as good as listed; */
                       /* one is enough in a folder of such a folder */
};

bool cfs_walk_is_on(const struct cfs_cache *cache)
{
    return cache->walk.at && cfs_clock_ms(cache->clock) - cache->walk.at_ms < WALK_MS;
}

/* A long walk has listed the folders above it long ago. */
static bool is_above_walk(const struct cfs_cache *cache, const struct cfs_name *folder)
{
    const struct cfs_name *name = cfs_walk_is_on(cache) ? cache->walk.at : NULL;
    while (name && name != folder)
        name = name->parent;
    return name;
}

bool cfs_walk_was_listed(const struct cfs_cache *cache, const struct cfs_name *folder)
{
    return folder->listed_ms > 0 &&
           (cfs_clock_ms(cache->clock) - folder->listed_ms < WALK_MS || is_above_walk(cache, folder));
}

void cfs_walk_goes_on(struct cfs_cache *cache)
{
    if (cfs_walk_is_on(cache))
        cache->walk.at_ms = cfs_clock_ms(cache->clock);
}

void cfs_walk_stop(struct cfs_cache *cache)
{
    struct cfs_name *at = CFS_TAKE(cache->walk.at);
    cfs_name_put(&cache->names, at);
    cache->walk.window = FIRST_WINDOW;
    cache->walk.unused = 0;
}

void cfs_walk_opened(struct cfs_cache *cache, struct cfs_name *folder)
{
    struct cfs_walk *walk = &cache->walk;
    int64_t now = cfs_clock_ms(cache->clock);
    bool walks = cache->options.prefetch && folder->parent && cfs_walk_was_listed(cache, folder->parent);
    if (!walks || (walk->at && now - walk->at_ms > WALK_MS))
        cfs_walk_stop(cache);
    folder->listed_ms = now > 0 ? now : 1;
    if (folder->fetched_ahead) {
        folder->fetched_ahead = false;
        walk->unused -= walk->unused > 0;
        walk->window = walk->window * 2 < LARGEST_WINDOW ? walk->window * 2 : LARGEST_WINDOW;
    }
    if (walks) {
        struct cfs_name *before = walk->at;
        cfs_name_get(&cache->names, folder);
        walk->at = folder;
        walk->at_ms = now;
        cfs_name_put(&cache->names, before);
    }
}

/* --- names that are looked at, one after another --- */

bool cfs_walk_looked(struct cfs_cache *cache, const struct cfs_name *name)
{
    struct cfs_name *folder = name->parent;
    if (!folder || !folder->fetched_ahead)
        return false;
    cfs_walk_opened(cache, folder);
    return true;
}

/* A listing of a folder that is just being filled holds for a second only, in which it hides what comes. */
static bool is_being_filled(const struct cfs_cache *cache, const struct cfs_name *folder)
{
    const struct cfs_remote_attributes *attributes = &folder->attributes;
    int64_t now_s = cache->clock->wall(cache->clock).tv_sec;
    return folder->changing > 0 || (attributes->valid & CFS_REMOTE_TIMES && now_s - attributes->mtime < SETTLED_S);
}

/* Whether the program seems to go through FOLDER: it looks at NAME, of which nothing was known. */
static bool is_search(struct cfs_cache *cache, struct cfs_name *folder, const struct cfs_name *name)
{
    int64_t now = cfs_clock_ms(cache->clock);
    if (now - folder->unknown_ms >= WALK_MS)
        folder->unknown = 0;
    folder->unknown_ms = now;
    folder->unknown += folder->unknown < UNKNOWN_LIMIT && folder->unknown_last != name;
    folder->unknown_last = name;
    bool descends =
        folder->parent && folder->parent->unknown == UNKNOWN_LIMIT && now - folder->parent->unknown_ms < WALK_MS;
    return (descends || folder->unknown == UNKNOWN_LIMIT) && !is_being_filled(cache, folder) &&
           !cfs_walk_was_listed(cache, folder) && !cfs_name_is_listed(&cache->names, folder) &&
           !folder->fetched_ahead && !cfs_fetch_find(cache, folder);
}

void cfs_walk_missed(struct cfs_cache *cache, const char *path)
{
    struct cfs_fetch *fetch = NULL;
    char *folder_path CFS_AUTO_FREE = NULL;
    if (!cache->options.prefetch)
        return;
    pthread_mutex_lock(&cache->names_lock);
    struct cfs_name *name = cfs_names_find(&cache->names, path);
    struct cfs_name *folder = name && name->presence == CFS_NAME_UNKNOWN ? name->parent : NULL;
    if (folder && is_search(cache, folder, name)) {
        cfs_walk_opened(cache, folder);
        fetch = cfs_walk_fetch(cache, folder, &folder_path);
        if (fetch) /* it is wanted already */
            cfs_walk_opened(cache, folder);
    }
    pthread_mutex_unlock(&cache->names_lock);
    if (fetch)
        cfs_fetch_begin(fetch, folder_path);
}

/* --- what comes next --- */

void cfs_walk_ended(struct cfs_cache *cache, struct cfs_name *folder, int error)
{
    struct cfs_walk *walk = &cache->walk;
    walk->in_flight--;
    if (error < 0 && folder->fetched_ahead) {
        folder->fetched_ahead = false;
        walk->unused -= walk->unused > 0;
    }
}

/* The name that a walk comes to after NAME; it does not leave the folders that the program has listed. */
static struct cfs_name *next_name(const struct cfs_cache *cache, struct cfs_name *name)
{
    if (!cfs_list_empty(&name->children))
        return cfs_list_first(&name->children, struct cfs_name, sibling);
    for (; name->parent; name = name->parent) {
        const struct cfs_name *folder = name->parent;
        if (name->sibling.next != &folder->children)
            return cfs_container_of(name->sibling.next, struct cfs_name, sibling);
        if (!folder->fetched_ahead && !cfs_walk_was_listed(cache, folder))
            return NULL;
    }
    return NULL;
}

static bool is_wanted(struct cfs_cache *cache, const struct cfs_name *name)
{
    const struct cfs_remote_attributes *attributes = &name->attributes;
    return name->presence == CFS_NAME_PRESENT && attributes->valid & CFS_REMOTE_MODE && S_ISDIR(attributes->mode) &&
           name->changing == 0 && !name->fetched_ahead && !cfs_walk_was_listed(cache, name) &&
           !cfs_name_is_listed(&cache->names, name) && !cfs_fetch_find(cache, name);
}

struct plan {
    struct cfs_fetch *fetch;
    char *path;
};

/* A fetch of NAME. False without memory. */
static bool add(struct cfs_cache *cache, struct cfs_name *name, struct plan *ret_plan)
{
    char *path = cfs_name_path(name);
    struct cfs_fetch *fetch = path ? cfs_fetch_new(cache, name, true, true) : NULL;
    if (!fetch) {
        free(path);
        return false;
    }
    name->fetched_ahead = true;
    cache->walk.in_flight++;
    cache->walk.unused++;
    *ret_plan = (struct plan){fetch, path};
    return true;
}

struct cfs_fetch *cfs_walk_fetch(struct cfs_cache *cache, struct cfs_name *folder, char **ret_path)
{
    struct plan plan;
    if (cache->walk.unused >= UNUSED_LIMIT || !add(cache, folder, &plan))
        return NULL;
    *ret_path = plan.path;
    return plan.fetch;
}

static bool has_room(const struct cfs_walk *walk, unsigned scanned)
{
    return scanned < SCAN_LIMIT && walk->in_flight < walk->window && walk->unused < UNUSED_LIMIT;
}

static size_t make_plans(struct cfs_cache *cache, struct plan *plans)
{
    struct cfs_walk *walk = &cache->walk;
    struct cfs_name *name = walk->at;
    size_t count = 0;
    unsigned scanned;
    if (!name || name->detached || cfs_clock_ms(cache->clock) - walk->at_ms > PAUSE_MS)
        return 0;
    for (scanned = 0; has_room(walk, scanned); scanned++) {
        name = next_name(cache, name);
        if (!name || (is_wanted(cache, name) && !add(cache, name, &plans[count++])))
            break;
    }
    /* A program that goes by an order of its own comes to those that stand before it, too. */
    const struct cfs_list *end = walk->at->parent ? &walk->at->parent->children : &walk->at->sibling;
    const struct cfs_list *link = walk->at->parent ? walk->at->sibling.prev : end;
    for (; has_room(walk, scanned) && link != end; scanned++, link = link->prev) {
        name = cfs_container_of(link, struct cfs_name, sibling);
        if (is_wanted(cache, name) && !add(cache, name, &plans[count++]))
            break;
    }
    return count;
}

void cfs_walk_on(struct cfs_cache *cache)
{
    struct plan plans[LARGEST_WINDOW] = {{NULL, NULL}};
    pthread_mutex_lock(&cache->names_lock);
    size_t count = make_plans(cache, plans);
    pthread_mutex_unlock(&cache->names_lock);
    for (size_t i = 0; i < count && plans[i].fetch; i++) {
        cfs_fetch_begin(plans[i].fetch, plans[i].path);
        free(plans[i].path);
    }
}

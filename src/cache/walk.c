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
};

bool cfs_walk_was_listed(const struct cfs_cache *cache, const struct cfs_name *folder)
{
    return folder->listed_ms > 0 && cfs_clock_ms(cache->clock) - folder->listed_ms < WALK_MS;
}

bool cfs_walk_is_on(const struct cfs_cache *cache)
{
    return cache->walk.at && cfs_clock_ms(cache->clock) - cache->walk.at_ms < WALK_MS;
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
    struct cfs_fetch *fetch = path ? cfs_fetch_new(cache, name, true) : NULL;
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

static size_t make_plans(struct cfs_cache *cache, struct plan *plans)
{
    struct cfs_walk *walk = &cache->walk;
    struct cfs_name *name = walk->at;
    size_t count = 0;
    if (!name || name->detached || cfs_clock_ms(cache->clock) - walk->at_ms > PAUSE_MS)
        return 0;
    for (unsigned scanned = 0; scanned < SCAN_LIMIT && walk->in_flight < walk->window && walk->unused < UNUSED_LIMIT;
         scanned++) {
        name = next_name(cache, name);
        if (!name || (is_wanted(cache, name) && !add(cache, name, &plans[count++])))
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

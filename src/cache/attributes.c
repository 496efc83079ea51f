/* lstat and readlink: from what is known of names, or by a look. */
#include "cache/cache_priv.h"
#include "cache/call.h"
#include "cache/looks.h"
#include <errno.h>
#include <stdlib.h>
#include <string.h>

static void release_waiter(struct cfs_cache_call *call)
{
    free(cfs_container_of(call, struct cfs_look_waiter, call)->target);
}

/* NULL: answered. */
static struct cfs_look_waiter *new_waiter(struct cfs_remote *remote, struct cfs_remote_call *upper)
{
    struct cfs_look_waiter *waiter = cfs_cache_call_new(cfs_cache_of(remote), upper, sizeof(*waiter), release_waiter);
    if (waiter)
        cfs_list_init(&waiter->link);
    return waiter;
}

static void lock(struct cfs_cache_call *call)
{
    cfs_cache_call_lock(call);
    pthread_mutex_lock(&call->cache->names_lock);
}

/* An answer from memory; unlocks. */
static void answer(struct cfs_cache_call *call, int error, uint32_t keep_ms)
{
    struct cfs_cache *cache = call->cache;
    call->upper->result.attributes.keep_ms = cfs_cache_keep(keep_ms);
    cache->name_hits++;
    pthread_mutex_unlock(&cache->names_lock);
    cfs_cache_call_unlock(call);
    cfs_cache_call_finish_later(call, error);
}

void cfs_cache_lstat(struct cfs_remote *remote, struct cfs_remote_call *upper, const char *path)
{
    struct cfs_look_waiter *waiter = new_waiter(remote, upper);
    if (!waiter)
        return;
    struct cfs_cache *cache = waiter->call.cache;
    if (!cache->keeps_names) {
        cfs_cache_call_submit(&waiter->call, cfs_cache_call_pass, lstat, path);
        return;
    }
    struct cfs_name *name;
    uint32_t keep_ms = 0;
    bool missed = false, goes_on = false;
    cfs_cache_hold(cache);
    lock(&waiter->call);
    switch (cfs_names_look(&cache->names, path, &name, &keep_ms)) {
    case CFS_NAMES_PRESENT:
        upper->result.attributes = name->attributes;
        goes_on = cfs_walk_looked(cache, name);
        answer(&waiter->call, 0, keep_ms);
        break;
    case CFS_NAMES_ABSENT:
        answer(&waiter->call, -ENOENT, keep_ms);
        break;
    default:
        cache->name_misses++;
        cfs_look_begin(waiter, path, CFS_LOOK_ATTRIBUTES);
        missed = true;
    }
    if (missed)
        cfs_walk_missed(cache, path);
    if (goes_on)
        cfs_walk_on(cache);
    cfs_cache_release(cache);
}

/* A copy of the target for WAITER, if it may be told. */
static bool copy_target(struct cfs_look_waiter *waiter, const char *path)
{
    struct cfs_names *names = &waiter->call.cache->names;
    const struct cfs_name *name = cfs_names_find(names, path);
    const char *target = name ? cfs_name_fresh_target(names, name) : NULL;
    return target && (waiter->target = strdup(target));
}

void cfs_cache_readlink(struct cfs_remote *remote, struct cfs_remote_call *upper, const char *path)
{
    struct cfs_look_waiter *waiter = new_waiter(remote, upper);
    if (!waiter)
        return;
    struct cfs_cache *cache = waiter->call.cache;
    if (!cache->keeps_names) {
        cfs_cache_call_submit(&waiter->call, cfs_cache_call_pass, readlink, path);
        return;
    }
    lock(&waiter->call);
    if (copy_target(waiter, path)) {
        upper->result.target = waiter->target;
        answer(&waiter->call, 0, 0);
    } else {
        cache->name_misses++;
        cfs_look_begin(waiter, path, CFS_LOOK_TARGET);
    }
}

/* Looks in flight: a hash table by name and kind. */
#include "cache/looks.h"
#include <errno.h>
#include <stdlib.h>
#include <string.h>

/* The oldest look that one may join: what attr_ttl auto keeps at least. */
enum { JOIN_MS = 1000 };

struct look {
    struct cfs_cache_call call; /* the cache's own */
    struct cfs_hash_link link;
    struct cfs_name *name; /* referenced */
    enum cfs_look_kind kind;
    uint64_t stamp;
    int64_t asked_ms;
    struct cfs_list waiters;
};

struct key {
    const struct cfs_name *name;
    enum cfs_look_kind kind;
    struct cfs_cache *cache;
};

static uint64_t hash_of(const struct cfs_name *name, enum cfs_look_kind kind)
{
    return cfs_hash_number((uintptr_t)name + (uint64_t)kind);
}

static bool may_join(const struct cfs_hash_link *link, const void *context)
{
    const struct look *look = cfs_container_of(link, const struct look, link);
    const struct key *key = context;
    const struct cfs_names *names = &key->cache->names;
    int64_t oldest_ms = names->attr_ttl_ms >= 0 ? names->attr_ttl_ms : JOIN_MS;
    return look->name == key->name && look->kind == key->kind &&
           cfs_clock_ms(names->clock) - look->asked_ms < oldest_ms &&
           cfs_name_is_current(names, look->name, look->stamp);
}

/* --- the answer --- */

static uint32_t learn(struct cfs_names *names, struct look *look)
{
    const struct cfs_remote_call *lower = &look->call.lower;
    bool learned = false;
    if (lower->error == -ENOENT)
        learned = cfs_name_learn_absence(names, look->name, look->stamp, look->asked_ms);
    else if (lower->error == 0 && look->kind == CFS_LOOK_ATTRIBUTES && cfs_cache_may_keep(&lower->result.attributes))
        learned = cfs_name_learn(names, look->name, &lower->result.attributes, look->stamp, look->asked_ms);
    else if (lower->error == 0 && look->kind == CFS_LOOK_TARGET)
        learned = cfs_name_learn_target(names, look->name, lower->result.target, look->stamp, look->asked_ms);
    return learned ? cfs_cache_keep(cfs_name_keep_ms(names, look->name)) : CFS_REMOTE_KEEP_NOT;
}

static void looked(struct cfs_cache_call *call)
{
    struct look *look = cfs_container_of(call, struct look, call);
    struct cfs_cache *cache = call->cache;
    struct cfs_list waiters, *link;
    cfs_list_init(&waiters);
    pthread_mutex_lock(&cache->names_lock);
    cfs_hash_remove(&cache->looks, &look->link);
    cfs_list_splice(&waiters, &look->waiters);
    uint32_t keep_ms = learn(&cache->names, look);
    cfs_name_put(&cache->names, look->name);
    while ((link = cfs_list_pop_front(&waiters))) {
        struct cfs_look_waiter *waiter = cfs_container_of(link, struct cfs_look_waiter, link);
        pthread_mutex_unlock(&cache->names_lock);
        waiter->call.upper->result = call->lower.result;
        waiter->call.upper->result.attributes.keep_ms = keep_ms;
        cfs_cache_call_finish(&waiter->call, call->lower.error);
        pthread_mutex_lock(&cache->names_lock);
    }
    pthread_mutex_unlock(&cache->names_lock);
    cfs_cache_call_finish(call, 0);
}

/* --- asking --- */

/* One who waits is cancelled: the look goes on. */
static void leave(struct cfs_cache_call *call)
{
    struct cfs_look_waiter *waiter = cfs_container_of(call, struct cfs_look_waiter, call);
    struct cfs_cache *cache = call->cache;
    pthread_mutex_lock(&cache->names_lock);
    bool waits = !cfs_list_empty(&waiter->link);
    cfs_list_remove(&waiter->link);
    pthread_mutex_unlock(&cache->names_lock);
    if (waits)
        cfs_cache_call_finish_later(call, -EINTR);
}

static struct look *new_look(struct cfs_cache *cache, struct cfs_name *name, enum cfs_look_kind kind)
{
    struct look *look = cfs_cache_call_new(cache, NULL, sizeof(*look), NULL);
    if (!look)
        return NULL;
    look->name = name;
    look->kind = kind;
    look->stamp = cfs_names_stamp(&cache->names);
    look->asked_ms = cfs_clock_ms(cache->clock);
    cfs_list_init(&look->waiters);
    cfs_hash_insert(&cache->looks, hash_of(name, kind), &look->link);
    return look;
}

/* The look that WAITER now waits for; *ret_is_new: it must be handed down. NULL without memory. */
static struct look *join(struct cfs_look_waiter *waiter, const char *path, enum cfs_look_kind kind, bool *ret_is_new)
{
    struct cfs_cache *cache = waiter->call.cache;
    struct cfs_name *name = cfs_names_enter(&cache->names, path);
    if (!name)
        return NULL;
    struct key key = {name, kind, cache};
    struct cfs_hash_link *link = cfs_hash_find(&cache->looks, hash_of(name, kind), may_join, &key);
    struct look *look = link ? cfs_container_of(link, struct look, link) : new_look(cache, name, kind);
    *ret_is_new = look && !link;
    if (!*ret_is_new)
        cfs_name_put(&cache->names, name);
    if (look)
        cfs_list_push_back(&look->waiters, &waiter->link);
    return look;
}

void cfs_look_begin(struct cfs_look_waiter *waiter, const char *path, enum cfs_look_kind kind)
{
    struct cfs_cache *cache = waiter->call.cache;
    bool is_new;
    struct look *look = join(waiter, path, kind, &is_new);
    if (look)
        waiter->call.cancel_wait = leave;
    else
        cfs_cache_call_finish_later(&waiter->call, -ENOMEM);
    pthread_mutex_unlock(&cache->names_lock);
    cfs_cache_call_unlock(&waiter->call);
    if (look && is_new && kind == CFS_LOOK_ATTRIBUTES)
        cfs_cache_call_submit(&look->call, looked, lstat, path);
    else if (look && is_new)
        cfs_cache_call_submit(&look->call, looked, readlink, path);
}

/* Looks in flight: a hash table by name and kind. */
#include "cache/looks.h"
#include "cache/contents.h"
#include <errno.h>
#include <stdlib.h>
#include <string.h>

/* The oldest look that one may join: what attr_ttl auto keeps at least. */
enum { JOIN_MS = 1000 };

struct look {
    struct cfs_cache_call call; /* the cache's own; its `when_lost` never changes but to WAIT */
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
    enum cfs_remote_when_lost when_lost;
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
    return look->name == key->name && look->kind == key->kind && look->call.lower.when_lost == key->when_lost &&
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

/* RESULT and ERROR to all who wait; lets the lock go. */
static void answer_and_unlock(struct look *look, const struct cfs_remote_result *result, int error)
{
    struct cfs_cache *cache = look->call.cache;
    struct cfs_list waiters, *link;
    cfs_list_init(&waiters);
    cfs_hash_remove(&cache->looks, &look->link);
    cfs_list_splice(&waiters, &look->waiters);
    cfs_name_put(&cache->names, look->name);
    while ((link = cfs_list_pop_front(&waiters))) {
        struct cfs_look_waiter *waiter = cfs_container_of(link, struct cfs_look_waiter, link);
        pthread_mutex_unlock(&cache->names_lock);
        waiter->call.upper->result = *result;
        cfs_cache_call_finish(&waiter->call, error);
        pthread_mutex_lock(&cache->names_lock);
    }
    pthread_mutex_unlock(&cache->names_lock);
    cfs_cache_call_finish(&look->call, 0);
}

static void submit(struct look *look, const char *path);

/* There is no connection: what is known, however old; or, if that has gone meanwhile, they wait. Lets the lock go. */
static void tell_old_and_unlock(struct look *look)
{
    struct cfs_cache *cache = look->call.cache;
    struct cfs_remote_result result = {.is_old = true};
    char *target CFS_AUTO_FREE = NULL;
    char *path CFS_AUTO_FREE = cfs_name_path(look->name);
    struct cfs_name *name = NULL;
    enum cfs_names_answer answer = path ? cfs_names_look_old(&cache->names, path, &name) : CFS_NAMES_ASK;
    if (!path) {
        answer_and_unlock(look, &result, -ENOTCONN);
        return;
    }
    const char *known = look->kind == CFS_LOOK_TARGET && name ? cfs_name_old_target(name) : NULL;
    if (answer == CFS_NAMES_PRESENT && look->kind == CFS_LOOK_TARGET)
        result.target = target = known ? strdup(known) : NULL;
    if (answer == CFS_NAMES_ASK || (answer == CFS_NAMES_PRESENT && look->kind == CFS_LOOK_TARGET && !target)) {
        look->call.lower.when_lost = CFS_REMOTE_WAIT;
        look->stamp = cfs_names_stamp(&cache->names);
        look->asked_ms = cfs_clock_ms(cache->clock);
        pthread_mutex_unlock(&cache->names_lock);
        submit(look, path);
        return;
    }
    if (answer == CFS_NAMES_PRESENT)
        result.attributes = name->attributes;
    if (answer == CFS_NAMES_PRESENT && cache->contents)
        cfs_contents_correct_old(cache->contents, path, &result.attributes);
    result.attributes.keep_ms = CFS_REMOTE_KEEP_NOT;
    answer_and_unlock(look, &result, answer == CFS_NAMES_ABSENT ? -ENOENT : 0);
}

static void looked(struct cfs_cache_call *call)
{
    struct look *look = cfs_container_of(call, struct look, call);
    struct cfs_cache *cache = call->cache;
    struct cfs_remote_result result = call->lower.result;
    pthread_mutex_lock(&cache->names_lock);
    if (call->lower.error == -ENOTCONN && call->lower.when_lost == CFS_REMOTE_FAIL) {
        tell_old_and_unlock(look);
        return;
    }
    result.attributes.keep_ms = learn(&cache->names, look);
    answer_and_unlock(look, &result, call->lower.error);
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

/* Something old will do, and there is something. */
static enum cfs_remote_when_lost patience(struct cfs_look_waiter *waiter, const char *path, enum cfs_look_kind kind)
{
    struct cfs_names *names = &waiter->call.cache->names;
    struct cfs_name *name = NULL;
    if (waiter->call.upper->when_lost != CFS_REMOTE_TELL_OLD)
        return CFS_REMOTE_WAIT;
    enum cfs_names_answer answer = cfs_names_look_old(names, path, &name);
    bool has_it = answer == CFS_NAMES_PRESENT && (kind == CFS_LOOK_ATTRIBUTES || cfs_name_old_target(name));
    return has_it || answer == CFS_NAMES_ABSENT ? CFS_REMOTE_FAIL : CFS_REMOTE_WAIT;
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
    enum cfs_remote_when_lost when_lost = patience(waiter, path, kind);
    struct cfs_name *name = cfs_names_enter(&cache->names, path);
    if (!name)
        return NULL;
    struct key key = {name, kind, when_lost, cache};
    struct cfs_hash_link *link = cfs_hash_find(&cache->looks, hash_of(name, kind), may_join, &key);
    struct look *look = link ? cfs_container_of(link, struct look, link) : new_look(cache, name, kind);
    *ret_is_new = look && !link;
    if (*ret_is_new)
        look->call.lower.when_lost = when_lost;
    if (!*ret_is_new)
        cfs_name_put(&cache->names, name);
    if (look)
        cfs_list_push_back(&look->waiters, &waiter->link);
    return look;
}

static void submit(struct look *look, const char *path)
{
    if (look->kind == CFS_LOOK_ATTRIBUTES)
        cfs_cache_call_submit(&look->call, looked, lstat, path);
    else
        cfs_cache_call_submit(&look->call, looked, readlink, path);
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
    if (look && is_new)
        submit(look, path);
}

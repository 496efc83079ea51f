/* Files opened ahead: opening, waiting, taken over or closed.
 *
 * Life: being opened (`lower` is NULL, a call of its own is in flight) -> open -> taken, or dropped and closed. While
 * it can be claimed it is in the list, and its name refers to it. One that is dropped while it is being opened is
 * closed as soon as it is open. */
#include "cache/ahead.h"
#include "cache/cache_priv.h"
#include "cache/call.h"
#include "cache/contents.h"
#include "cache/neighbours.h"
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/stat.h>

struct cfs_ahead {
    struct cfs_cache *cache;
    struct cfs_list link;          /* in the cache's list; alone: dropped */
    struct cfs_name *name;         /* referenced, while it is in the list */
    struct cfs_remote_file *lower; /* NULL: it is being opened */
    struct cfs_remote_attributes attributes;
    uint64_t stamp, incarnation;
    int64_t asked_ms;
    uint64_t length; /* counted in `bytes` */
    unsigned course;
    uint64_t number;
    struct cfs_list waiters;
    struct cfs_cache_call close; /* so that it cannot fail */
};

struct opening {
    struct cfs_cache_call call;
    struct cfs_ahead *ahead;
};

/* --- closing --- */

static void release_closed(struct cfs_cache_call *call)
{
    free(cfs_container_of(call, struct cfs_ahead, close));
}

static void closed(struct cfs_cache_call *call)
{
    cfs_cache_call_finish(call, 0);
}

static void close_below(struct cfs_cache_call *call)
{
    cfs_cache_call_submit(call, closed, close, cfs_container_of(call, struct cfs_ahead, close)->lower);
}

static void close_later(struct cfs_ahead *ahead)
{
    cfs_cache_call_init(&ahead->close, ahead->cache, NULL, release_closed);
    cfs_cache_call_post(&ahead->close, close_below);
}

/* No more to be claimed. */
static void unlist(struct cfs_ahead *ahead)
{
    struct cfs_aheads *aheads = &ahead->cache->aheads;
    cfs_list_remove(&ahead->link);
    aheads->count--;
    aheads->bytes -= ahead->length;
    ahead->name->ahead = NULL;
    cfs_neighbours_settled(ahead->cache, ahead->course);
    cfs_name_put(&ahead->cache->names, CFS_TAKE(ahead->name));
}

static void refuse_waiters(struct cfs_ahead *ahead)
{
    struct cfs_list *link;
    while ((link = cfs_list_pop_front(&ahead->waiters))) {
        struct cfs_ahead_waiter *waiter = cfs_container_of(link, struct cfs_ahead_waiter, link);
        waiter->ready(waiter, false);
    }
}

void cfs_ahead_drop(struct cfs_ahead *ahead)
{
    if (!ahead)
        return;
    ahead->cache->aheads.wasted++;
    unlist(ahead);
    refuse_waiters(ahead);
    if (ahead->lower)
        close_later(ahead);
}

/* --- the old ones --- */

static int64_t longest_ms(const struct cfs_cache *cache)
{
    int32_t ttl_ms = cache->names.attr_ttl_ms;
    return ttl_ms >= 0 && ttl_ms < CFS_AHEAD_MS ? ttl_ms : CFS_AHEAD_MS;
}

static void expired(struct cfs_timer *timer)
{
    struct cfs_cache *cache = cfs_container_of(timer, struct cfs_cache, aheads.timer);
    struct cfs_aheads *aheads = &cache->aheads;
    int64_t now = cfs_clock_ms(cache->clock);
    pthread_mutex_lock(&cache->names_lock);
    /* The youngest first: they stand in the queue again then as they stood. */
    for (struct cfs_list *link = aheads->files.prev, *before; link != &aheads->files; link = before) {
        struct cfs_ahead *ahead = cfs_container_of(link, struct cfs_ahead, link);
        before = link->prev;
        if (!ahead->lower || now - ahead->asked_ms < CFS_AHEAD_MS)
            continue;
        cfs_neighbours_expired(cache, ahead->course, ahead->name);
        cfs_ahead_drop(ahead);
    }
    aheads->tending = !cfs_list_empty(&aheads->files);
    if (aheads->tending)
        cfs_loop_start_timer(cache->loop, timer, CFS_AHEAD_MS / 2);
    cfs_cache_hold(cache);
    pthread_mutex_unlock(&cache->names_lock);
    cfs_neighbours_on(cache);
    cfs_cache_release(cache);
}

static void start_tending(struct cfs_task *task)
{
    struct cfs_cache *cache = cfs_container_of(task, struct cfs_cache, aheads.tend);
    cfs_loop_start_timer(cache->loop, &cache->aheads.timer, CFS_AHEAD_MS / 2);
    cfs_cache_release(cache);
}

static void tend(struct cfs_cache *cache)
{
    struct cfs_aheads *aheads = &cache->aheads;
    if (aheads->tending)
        return;
    cfs_cache_hold(cache);
    aheads->tending = cfs_loop_post(cache->loop, &aheads->tend) == 0;
    if (!aheads->tending)
        cfs_cache_release(cache);
}

/* --- life of them all --- */

void cfs_aheads_init(struct cfs_cache *cache)
{
    cache->aheads = (struct cfs_aheads){.tend.run = start_tending, .timer.expired = expired};
    cfs_list_init(&cache->aheads.files);
}

void cfs_aheads_stop(struct cfs_cache *cache)
{
    struct cfs_aheads *aheads = &cache->aheads;
    pthread_mutex_lock(&cache->names_lock);
    aheads->stopped = true;
    while (!cfs_list_empty(&aheads->files))
        cfs_ahead_drop(cfs_list_first(&aheads->files, struct cfs_ahead, link));
    pthread_mutex_unlock(&cache->names_lock);
}

void cfs_aheads_fini(struct cfs_cache *cache)
{
    cfs_loop_stop_timer(cache->loop, &cache->aheads.timer);
}

/* --- opening --- */

struct cfs_ahead *cfs_ahead_new(struct cfs_cache *cache, struct cfs_name *name, unsigned course, uint64_t number)
{
    struct cfs_aheads *aheads = &cache->aheads;
    struct cfs_ahead *ahead = aheads->stopped || name->ahead ? NULL : calloc(1, sizeof(*ahead));
    if (!ahead)
        return NULL;
    uint64_t size = name->attributes.valid & CFS_REMOTE_SIZE ? name->attributes.size : 0;
    *ahead = (struct cfs_ahead){.cache = cache,
                                .name = name,
                                .stamp = cfs_names_stamp(&cache->names),
                                .incarnation = name->incarnation,
                                .asked_ms = cfs_clock_ms(cache->clock),
                                .length = size <= CFS_AHEAD_WHOLE ? size : CFS_AHEAD_BEGINNING,
                                .course = course,
                                .number = number};
    cfs_list_init(&ahead->waiters);
    cfs_list_push_back(&aheads->files, &ahead->link);
    cfs_name_get(&cache->names, name);
    name->ahead = ahead;
    name->ahead_tries++;
    name->opened_ahead_ms = ahead->asked_ms > 0 ? ahead->asked_ms : 1;
    aheads->count++;
    aheads->bytes += ahead->length;
    aheads->opened++;
    cfs_cache_hold(cache); /* until it is open */
    return ahead;
}

static bool is_settled(const struct cfs_ahead *ahead)
{
    const struct cfs_clock *clock = ahead->cache->clock;
    int64_t age_s = clock->wall(clock).tv_sec - ahead->attributes.mtime;
    int64_t seen_changed_ms = ahead->name->seen_changed_ms;
    return age_s >= CFS_AHEAD_SETTLED_S &&
           (!seen_changed_ms || cfs_clock_ms(clock) - seen_changed_ms >= CFS_AHEAD_SETTLED_S * 1000);
}

static bool is_as_known(const struct cfs_ahead *ahead)
{
    const struct cfs_name *name = ahead->name;
    const struct cfs_remote_attributes *known = &name->attributes, *opened = &ahead->attributes;
    unsigned needed = CFS_REMOTE_SIZE | CFS_REMOTE_TIMES | CFS_REMOTE_MODE;
    return name->presence == CFS_NAME_PRESENT && (known->valid & opened->valid & needed) == needed &&
           S_ISREG(opened->mode) && S_ISREG(known->mode) && known->size == opened->size &&
           known->mtime == opened->mtime;
}

/* Nothing of ours has happened to the name since. */
static bool is_current(const struct cfs_ahead *ahead)
{
    const struct cfs_name *name = ahead->name;
    return cfs_name_is_current(&ahead->cache->names, name, ahead->stamp) && name->incarnation == ahead->incarnation &&
           !name->is_shared;
}

static bool is_young(const struct cfs_ahead *ahead)
{
    return cfs_clock_ms(ahead->cache->clock) - ahead->asked_ms < longest_ms(ahead->cache);
}

static bool may_be_taken(const struct cfs_ahead *ahead)
{
    return is_current(ahead) && is_young(ahead) && is_settled(ahead) && is_as_known(ahead);
}

/* To WAITER; it is gone then. */
static void give(struct cfs_ahead *ahead, struct cfs_ahead_waiter *waiter)
{
    waiter->file = ahead->lower;
    waiter->attributes = ahead->attributes;
    waiter->stamp = ahead->stamp;
    waiter->asked_ms = ahead->asked_ms;
    ahead->cache->aheads.used++;
    ahead->name->ahead_tries = 0;
    unlist(ahead);
    free(ahead);
}

/* It is open, and in the list. */
static void settle(struct cfs_ahead *ahead)
{
    struct cfs_cache *cache = ahead->cache;
    if (is_current(ahead) && ahead->attributes.valid)
        cfs_name_update(&cache->names, ahead->name, &ahead->attributes);
    struct cfs_ahead_waiter *waiter = cfs_list_first(&ahead->waiters, struct cfs_ahead_waiter, link);
    if (!may_be_taken(ahead)) {
        cfs_ahead_drop(ahead);
        return;
    }
    if (!waiter) {
        tend(cache);
        return;
    }
    cfs_list_remove(&waiter->link);
    refuse_waiters(ahead); /* each needs a file of its own */
    give(ahead, waiter);
    waiter->ready(waiter, true);
}

/* Of what OPENING has opened: nobody else has the file yet. */
static void fetch_beginning(const struct cfs_cache_call *opening)
{
    const struct cfs_remote_result *result = &opening->lower.result;
    struct cfs_remote_file *file =
        result->attributes.valid & CFS_REMOTE_SIZE ? cfs_cache_file_below(opening->cache, result->file) : NULL;
    uint64_t size = result->attributes.size;
    if (file)
        cfs_contents_fetch_ahead(opening->cache->contents, file,
                                 size <= CFS_AHEAD_WHOLE ? size : (uint64_t)CFS_AHEAD_BEGINNING);
}

static void opened(struct cfs_cache_call *call)
{
    struct cfs_ahead *ahead = cfs_container_of(call, struct opening, call)->ahead;
    struct cfs_cache *cache = call->cache;
    bool is_open = call->lower.error == 0;
    if (is_open)
        fetch_beginning(call);
    pthread_mutex_lock(&cache->names_lock);
    bool is_dropped = cfs_list_empty(&ahead->link);
    if (is_open) { /* from here on others may take it, or close it */
        ahead->attributes = call->lower.result.attributes;
        ahead->lower = call->lower.result.file;
    }
    if (is_dropped && is_open) {
        close_later(ahead);
    } else if (!is_dropped && is_open) {
        settle(ahead);
    } else {
        if (!is_dropped)
            cfs_ahead_drop(ahead);
        free(ahead);
    }
    pthread_mutex_unlock(&cache->names_lock);
    cfs_neighbours_on(cache);
    cfs_cache_call_finish(call, 0);
}

void cfs_ahead_begin(struct cfs_ahead *ahead, const char *path)
{
    struct cfs_cache *cache = ahead->cache;
    struct opening *opening = cfs_cache_call_new(cache, NULL, sizeof(*opening), NULL);
    if (opening) {
        opening->ahead = ahead;
        opening->call.lower.when_lost = CFS_REMOTE_FAIL;
        cfs_cache_call_submit(&opening->call, opened, open, path, O_RDONLY, 0);
    } else {
        pthread_mutex_lock(&cache->names_lock);
        if (!cfs_list_empty(&ahead->link))
            cfs_ahead_drop(ahead);
        pthread_mutex_unlock(&cache->names_lock);
        free(ahead);
    }
    cfs_cache_release(cache);
}

/* --- claiming --- */

enum cfs_ahead_answer cfs_ahead_claim(struct cfs_cache *cache, struct cfs_name *name, struct cfs_ahead_waiter *waiter,
                                      unsigned *ret_course, uint64_t *ret_number, int64_t *ret_age_ms)
{
    struct cfs_ahead *ahead = name->ahead;
    cfs_list_init(&waiter->link);
    if (!ahead)
        return CFS_AHEAD_NONE;
    *ret_course = ahead->course;
    *ret_number = ahead->number;
    *ret_age_ms = cfs_clock_ms(cache->clock) - ahead->asked_ms;
    if (!ahead->lower && is_current(ahead) && is_young(ahead)) {
        cfs_list_push_back(&ahead->waiters, &waiter->link);
        return CFS_AHEAD_WAITS;
    }
    if (ahead->lower && may_be_taken(ahead)) {
        give(ahead, waiter);
        return CFS_AHEAD_TAKEN;
    }
    cfs_ahead_drop(ahead);
    return CFS_AHEAD_LATE;
}

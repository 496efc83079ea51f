/* Calls on their way through the cache: their life, handing them down, completing and cancelling them. */
#include "cache/call.h"
#include "base/later.h"
#include "cache/cache_priv.h"
#include <errno.h>
#include <stdlib.h>
#include <string.h>

static pthread_mutex_t *stripe_of(struct cfs_cache *cache, const void *call)
{
    return &cache->stripes[((uintptr_t)call / 64) % CFS_CACHE_STRIPES];
}

/* --- life --- */

void cfs_cache_hold(struct cfs_cache *cache)
{
    pthread_mutex_lock(&cache->calls_lock);
    cache->calls++;
    pthread_mutex_unlock(&cache->calls_lock);
}

void cfs_cache_release(struct cfs_cache *cache)
{
    pthread_mutex_lock(&cache->calls_lock);
    if (--cache->calls == 0)
        pthread_cond_broadcast(&cache->calls_idle);
    pthread_mutex_unlock(&cache->calls_lock);
}

void cfs_cache_calls_init(struct cfs_cache *cache)
{
    for (size_t i = 0; i < CFS_COUNT(cache->stripes); i++)
        pthread_mutex_init(&cache->stripes[i], NULL);
    pthread_mutex_init(&cache->calls_lock, NULL);
    pthread_cond_init(&cache->calls_idle, NULL);
    cache->refuse.run = cfs_cache_refuse;
}

void cfs_cache_calls_wait(struct cfs_cache *cache)
{
    pthread_mutex_lock(&cache->calls_lock);
    while (cache->calls > 0)
        pthread_cond_wait(&cache->calls_idle, &cache->calls_lock);
    pthread_mutex_unlock(&cache->calls_lock);
}

void cfs_cache_calls_fini(struct cfs_cache *cache)
{
    pthread_cond_destroy(&cache->calls_idle);
    pthread_mutex_destroy(&cache->calls_lock);
    for (size_t i = 0; i < CFS_COUNT(cache->stripes); i++)
        pthread_mutex_destroy(&cache->stripes[i]);
}

/* Calls for which there was no memory wait in a chain that needs none: by their `result.target`. */
static void refuse(struct cfs_cache *cache, struct cfs_remote_call *upper)
{
    upper->implementation = NULL; /* cannot be cancelled */
    memset(&upper->result, 0, sizeof(upper->result));
    pthread_mutex_lock(&cache->calls_lock);
    cache->calls++;
    upper->result.target = (const char *)cache->refused;
    bool first = !cache->refused;
    cache->refused = upper;
    if (first && cfs_loop_post(cache->loop, &cache->refuse) < 0)
        abort(); /* the loop lives as long as the cache */
    pthread_mutex_unlock(&cache->calls_lock);
}

void cfs_cache_refuse(struct cfs_task *task)
{
    struct cfs_cache *cache = cfs_container_of(task, struct cfs_cache, refuse);
    pthread_mutex_lock(&cache->calls_lock);
    struct cfs_remote_call *upper = CFS_TAKE(cache->refused);
    pthread_mutex_unlock(&cache->calls_lock);
    while (upper) {
        struct cfs_remote_call *next = (struct cfs_remote_call *)(uintptr_t)upper->result.target;
        upper->result.target = NULL;
        upper->error = -ENOMEM;
        upper->done(upper);
        cfs_cache_release(cache);
        upper = next;
    }
}

void cfs_cache_call_init(struct cfs_cache_call *call, struct cfs_cache *cache, struct cfs_remote_call *upper,
                         void (*release)(struct cfs_cache_call *call))
{
    *call = (struct cfs_cache_call){.cache = cache, .upper = upper, .release = release};
    call->stripe = stripe_of(cache, upper ? (const void *)upper : call);
    if (upper) {
        call->lower.when_lost = upper->when_lost;
        call->lower.known = upper->known;
        upper->error = 0;
        memset(&upper->result, 0, sizeof(upper->result));
        upper->implementation = call;
    }
    cfs_cache_hold(cache);
}

void *cfs_cache_call_new(struct cfs_cache *cache, struct cfs_remote_call *upper, size_t size,
                         void (*release)(struct cfs_cache_call *call))
{
    struct cfs_cache_call *call = calloc(1, size);
    if (!call) {
        if (upper)
            refuse(cache, upper);
        return NULL;
    }
    cfs_cache_call_init(call, cache, upper, release);
    call->allocated = true;
    return call;
}

static void free_call(struct cfs_cache_call *call)
{
    struct cfs_cache *cache = call->cache;
    bool allocated = call->allocated;
    if (call->release)
        call->release(call);
    if (allocated)
        free(call);
    cfs_cache_release(cache);
}

/* --- going on --- */

static void lower_done(struct cfs_remote_call *lower)
{
    struct cfs_cache_call *call = cfs_container_of(lower, struct cfs_cache_call, lower);
    pthread_mutex_lock(call->stripe);
    call->in_lower = false;
    pthread_mutex_unlock(call->stripe);
    call->finished(call);
}

void cfs_cache_call_begin(struct cfs_cache_call *call, void (*finished)(struct cfs_cache_call *call))
{
    atomic_fetch_add_explicit(&call->cache->calls_below, 1, memory_order_relaxed);
    pthread_mutex_lock(call->stripe);
    call->finished = finished;
    call->cancel_wait = NULL;
    call->lower.done = lower_done;
    call->in_lower = true;
}

void cfs_cache_call_handed_down(struct cfs_cache_call *call)
{
    struct cfs_remote *lower = call->cache->lower;
    if (call->cancelled)
        lower->operations->cancel(lower, &call->lower);
}

static void run_task(struct cfs_task *task)
{
    struct cfs_cache_call *call = cfs_container_of(task, struct cfs_cache_call, task);
    call->finished(call);
}

void cfs_cache_call_post(struct cfs_cache_call *call, void (*then)(struct cfs_cache_call *call))
{
    call->finished = then;
    call->task.run = run_task;
    if (cfs_loop_post(call->cache->loop, &call->task) < 0)
        abort(); /* the loop lives as long as the cache */
}

/* --- completing --- */

void cfs_cache_call_finish(struct cfs_cache_call *call, int error)
{
    struct cfs_remote_call *upper = call->upper;
    if (upper) {
        pthread_mutex_lock(call->stripe);
        upper->implementation = NULL;
        pthread_mutex_unlock(call->stripe);
        upper->error = error;
        if (error < 0)
            upper->result = (struct cfs_remote_result){.attributes.keep_ms = upper->result.attributes.keep_ms};
        upper->done(upper);
    }
    free_call(call);
}

static void finish_now(struct cfs_cache_call *call)
{
    cfs_cache_call_finish(call, call->error);
}

void cfs_cache_call_finish_later(struct cfs_cache_call *call, int error)
{
    call->error = error;
    call->finished = finish_now;
    call->task.run = run_task;
    if (!cfs_later_keep(&call->task))
        cfs_cache_call_post(call, finish_now);
}

void cfs_cache_call_pass(struct cfs_cache_call *call)
{
    call->upper->result = call->lower.result;
    cfs_cache_call_finish(call, call->lower.error);
}

/* --- cancelling --- */

void cfs_cache_call_lock(struct cfs_cache_call *call)
{
    pthread_mutex_lock(call->stripe);
}

void cfs_cache_call_unlock(struct cfs_cache_call *call)
{
    pthread_mutex_unlock(call->stripe);
}

void cfs_cache_cancel(struct cfs_remote *remote, struct cfs_remote_call *upper)
{
    struct cfs_cache *cache = cfs_cache_of(remote);
    pthread_mutex_t *stripe = stripe_of(cache, upper);
    pthread_mutex_lock(stripe);
    struct cfs_cache_call *call = upper->implementation;
    if (call && !call->cancelled) {
        call->cancelled = true;
        if (call->in_lower)
            cache->lower->operations->cancel(cache->lower, &call->lower);
        else if (call->cancel_wait)
            call->cancel_wait(call);
    }
    pthread_mutex_unlock(stripe);
}

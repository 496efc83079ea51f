/* A thread that looks a few times a second how much has not been written. What counts is that it gets less: a server
 * that is slow is waited for as long as it takes, one that does not take anything is not. */
#include "cli/ending.h"
#include "base/clock.h"
#include "base/log.h"
#include "base/thread.h"
#include "cache/cache.h"
#include "remote/pool.h"
#include <errno.h>
#include <string.h>
#include <time.h>

enum { LOOK_MS = 200 };

/* What is left, in something that gets less with each step: bytes count, and so does each change and each answer. */
static uint64_t left(const struct cfs_ending *ending)
{
    struct cfs_cache_status cache = {.calls = 0};
    struct cfs_pool_status pool;
    cfs_pool_status(ending->pool, &pool);
    if (ending->cache)
        cfs_cache_status(ending->cache, &cache);
    return cache.dirty_bytes + cache.changes + pool.open_files;
}

/* The lock is held. */
static void wait_a_little(struct cfs_ending *ending)
{
    struct timespec until;
    clock_gettime(CLOCK_MONOTONIC, &until);
    until.tv_nsec += LOOK_MS * 1000000L;
    if (until.tv_nsec >= 1000000000L) {
        until.tv_nsec -= 1000000000L;
        until.tv_sec++;
    }
    pthread_cond_timedwait(&ending->changed, &ending->lock, &until);
}

static void *look(void *context)
{
    struct cfs_ending *ending = context;
    uint64_t least = UINT64_MAX;
    int64_t since_ms = cfs_clock_awake_ms(&cfs_system_clock);
    pthread_mutex_lock(&ending->lock);
    while (!ending->over) {
        pthread_mutex_unlock(&ending->lock);
        uint64_t now = left(ending);
        int64_t now_ms = cfs_clock_awake_ms(&cfs_system_clock);
        if (now < least) {
            least = now;
            since_ms = now_ms;
        }
        if (atomic_load(ending->is_insisted))
            cfs_pool_give_up(ending->pool, "the mount has ended, and a second signal does not let it wait");
        if (ending->timeout_ms > 0 && now_ms - since_ms >= ending->timeout_ms)
            cfs_pool_give_up(ending->pool, "the mount has ended, and the server takes nothing any more");
        pthread_mutex_lock(&ending->lock);
        if (!ending->over)
            wait_a_little(ending);
    }
    pthread_mutex_unlock(&ending->lock);
    return NULL;
}

void cfs_ending_start(struct cfs_ending *ending, struct cfs_remote *pool, struct cfs_remote *cache, uint32_t timeout_ms,
                      const atomic_bool *is_insisted)
{
    *ending = (struct cfs_ending){.pool = pool, .cache = cache, .timeout_ms = timeout_ms, .is_insisted = is_insisted};
    pthread_condattr_t monotonic;
    pthread_mutex_init(&ending->lock, NULL);
    pthread_condattr_init(&monotonic);
    pthread_condattr_setclock(&monotonic, CLOCK_MONOTONIC);
    pthread_cond_init(&ending->changed, &monotonic);
    pthread_condattr_destroy(&monotonic);
    if (!pool)
        return;
    int error = cfs_thread_start(look, ending, &ending->thread);
    ending->runs = error == 0;
    if (error)
        cfs_log_warning("mount", "nobody bounds the end of the mount: %s", strerror(-error));
}

void cfs_ending_stop(struct cfs_ending *ending)
{
    pthread_mutex_lock(&ending->lock);
    ending->over = true;
    pthread_cond_signal(&ending->changed);
    pthread_mutex_unlock(&ending->lock);
    if (ending->runs)
        pthread_join(ending->thread, NULL);
    pthread_cond_destroy(&ending->changed);
    pthread_mutex_destroy(&ending->lock);
}

/* It looks a few times within TIMEOUT. Time is counted in looks, not by the clock: when the machine sleeps, or the
 * whole process is stopped, the watchdog does not turn either, and nobody has stalled.
 *
 * Threads of one name share their work: one that stalls is told, but only when none of them goes on is it given up.
 *
 *   awake -> told (TIMEOUT) -> given up (2 x) -> ended (3 x);  told -> awake when it goes on */
#include "base/watchdog.h"
#include "base/doing.h"
#include "base/thread.h"
#include <errno.h>
#include <string.h>
#include <time.h>

enum { LOOKS = 8 /* within TIMEOUT */, NEWS_MOST = 8 };

struct seen {
    uint64_t steps;
    unsigned looks; /* for which it has not gone on */
};

struct news {
    enum cfs_watchdog_news news;
    const char *thread, *what;
};

struct cfs_watchdog {
    struct cfs_watchdog_options options;
    pthread_t watcher, teller;
    struct seen seen[CFS_DOING_MOST]; /* the watcher's */
    bool told, given_up, ended;       /* likewise */
    pthread_mutex_t lock;             /* protects the rest; never held over a callback */
    pthread_cond_t changed;
    struct news news[NEWS_MOST];
    size_t news_count;
    bool leaves;
};

static void add_news(struct cfs_watchdog *watchdog, enum cfs_watchdog_news news, const struct cfs_doing_now *thread)
{
    pthread_mutex_lock(&watchdog->lock);
    if (watchdog->news_count < NEWS_MOST)
        watchdog->news[watchdog->news_count++] =
            (struct news){news, thread ? thread->name : "", thread ? thread->what : ""};
    pthread_cond_broadcast(&watchdog->changed);
    pthread_mutex_unlock(&watchdog->lock);
}

/* For how many looks it has not gone on. */
static unsigned look_at(struct seen *seen, const struct cfs_doing_now *now)
{
    bool stands = now->what && !now->may_wait && now->steps == seen->steps;
    seen->steps = now->steps;
    seen->looks = stands ? seen->looks + 1 : 0;
    return seen->looks;
}

/* The best off of those of one name. */
static unsigned least_of_name(const struct cfs_watchdog *watchdog, const struct cfs_doing_now *list, size_t count,
                              const char *name)
{
    unsigned least = UINT32_MAX;
    for (size_t i = 0; i < count; i++) {
        unsigned looks = watchdog->seen[list[i].slot].looks;
        if (strcmp(list[i].name, name) == 0 && looks < least)
            least = looks;
    }
    return least;
}

static void look(struct cfs_watchdog *watchdog)
{
    struct cfs_doing_now list[CFS_DOING_MOST];
    const struct cfs_doing_now *worst = NULL;
    size_t count = cfs_doing_list(list);
    unsigned most = 0, all = 0;
    for (size_t i = 0; i < count; i++) {
        unsigned looks = look_at(&watchdog->seen[list[i].slot], &list[i]);
        if (looks > most) {
            most = looks;
            worst = &list[i];
        }
    }
    for (size_t i = 0; i < count; i++) {
        unsigned least = least_of_name(watchdog, list, count, list[i].name);
        all = least > all ? least : all;
    }
    if (most >= LOOKS && !watchdog->told)
        add_news(watchdog, CFS_WATCHDOG_STALLED, worst);
    if (most < LOOKS && watchdog->told && !watchdog->given_up)
        add_news(watchdog, CFS_WATCHDOG_GOES_ON, NULL);
    watchdog->told = most >= LOOKS;
    if (all >= 2 * LOOKS && !watchdog->given_up) {
        watchdog->given_up = true;
        add_news(watchdog, CFS_WATCHDOG_GIVEN_UP, worst);
        watchdog->options.give_up(watchdog->options.context);
    }
    if (all >= 3 * LOOKS && !watchdog->ended) {
        watchdog->ended = true;
        watchdog->options.end(watchdog->options.context);
    }
}

/* The lock is held; false: to leave. */
static bool wait_for_next_look(struct cfs_watchdog *watchdog)
{
    struct timespec until;
    uint64_t step_ms = watchdog->options.timeout_ms / LOOKS + 1;
    clock_gettime(CLOCK_MONOTONIC, &until);
    until.tv_sec += (time_t)(step_ms / 1000);
    until.tv_nsec += (long)(step_ms % 1000) * 1000000L;
    if (until.tv_nsec >= 1000000000L) {
        until.tv_nsec -= 1000000000L;
        until.tv_sec++;
    }
    int waited = 0;
    while (!watchdog->leaves && waited == 0)
        waited = pthread_cond_timedwait(&watchdog->changed, &watchdog->lock, &until);
    return !watchdog->leaves;
}

static void *watch(void *context)
{
    struct cfs_watchdog *watchdog = context;
    pthread_mutex_lock(&watchdog->lock);
    while (wait_for_next_look(watchdog)) {
        pthread_mutex_unlock(&watchdog->lock);
        look(watchdog);
        pthread_mutex_lock(&watchdog->lock);
    }
    pthread_mutex_unlock(&watchdog->lock);
    return NULL;
}

static void *tell(void *context)
{
    struct cfs_watchdog *watchdog = context;
    pthread_mutex_lock(&watchdog->lock);
    for (;;) {
        while (watchdog->news_count == 0 && !watchdog->leaves)
            pthread_cond_wait(&watchdog->changed, &watchdog->lock);
        if (watchdog->news_count == 0)
            break;
        struct news news = watchdog->news[0];
        memmove(watchdog->news, watchdog->news + 1, --watchdog->news_count * sizeof(news));
        pthread_mutex_unlock(&watchdog->lock);
        watchdog->options.tell(watchdog->options.context, news.news, news.thread, news.what);
        pthread_mutex_lock(&watchdog->lock);
    }
    pthread_mutex_unlock(&watchdog->lock);
    return NULL;
}

static void leave(struct cfs_watchdog *watchdog)
{
    pthread_mutex_lock(&watchdog->lock);
    watchdog->leaves = true;
    pthread_cond_broadcast(&watchdog->changed);
    pthread_mutex_unlock(&watchdog->lock);
}

static void free_watchdog(struct cfs_watchdog *watchdog)
{
    pthread_cond_destroy(&watchdog->changed);
    pthread_mutex_destroy(&watchdog->lock);
    free(watchdog);
}

int cfs_watchdog_start(const struct cfs_watchdog_options *options, struct cfs_watchdog **ret_watchdog)
{
    struct cfs_watchdog *watchdog = calloc(1, sizeof(*watchdog));
    pthread_condattr_t monotonic;
    if (!watchdog)
        return -ENOMEM;
    watchdog->options = *options;
    pthread_mutex_init(&watchdog->lock, NULL);
    pthread_condattr_init(&monotonic);
    pthread_condattr_setclock(&monotonic, CLOCK_MONOTONIC);
    pthread_cond_init(&watchdog->changed, &monotonic);
    pthread_condattr_destroy(&monotonic);
    int error = cfs_thread_start(tell, watchdog, &watchdog->teller);
    if (error) {
        free_watchdog(watchdog);
        return error;
    }
    error = cfs_thread_start(watch, watchdog, &watchdog->watcher);
    if (error) {
        leave(watchdog);
        pthread_join(watchdog->teller, NULL);
        free_watchdog(watchdog);
        return error;
    }
    *ret_watchdog = watchdog;
    return 0;
}

void cfs_watchdog_stop(struct cfs_watchdog *watchdog)
{
    if (!watchdog)
        return;
    leave(watchdog);
    pthread_join(watchdog->watcher, NULL);
    pthread_join(watchdog->teller, NULL);
    free_watchdog(watchdog);
}

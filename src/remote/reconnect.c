/* Making a lost connection again.
 *
 *   CONNECTED -> RECONNECTING -> CONNECTED
 *                     |  ^-> NEEDS_LOGIN, REFUSED (no further attempts by themselves)
 *                     '----> OFFLINE, when calls have waited long enough; attempts go on -> CONNECTED
 *
 * One attempt at a time: the transport connects and logs in once (the name is looked up again); then lane 0 is opened
 * and asked for the work folder, the others beside it; when all of session 0's have come or were refused, everything
 * that waits (park.c) goes on. Further sessions come again when large files move. An attempt that fails is followed by
 * another one after a pause, which doubles from 0.2 to 30 s (4 s while somebody waits), with some chance in it: many
 * clients of a server that was restarted must not come all at once. It is the shortest again when a connection has
 * lasted for a while.
 * When the network has changed, or somebody asks for it (login.c), the next one is at once.
 *
 * An attempt whose login works, and whose lane 0 then does not answer for op_timeout, has failed, too; other lanes that
 * do not are done without.
 *
 * What is not repeated: a login that was refused, since sites lock accounts after a few of them; and a server that
 * shows another host key. Calls wait as long as for any other loss in the first case, since somebody may help, and not
 * at all in the second. */
#include "base/log.h"
#include "remote/pool_priv.h"
#include "remote/transport.h"
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/random.h>
#include <time.h>

enum {
    LEAST_DELAY_MS = 200,
    MOST_DELAY_MS = 30 * 1000,
    MOST_AWAITED_MS = 4 * 1000, /* while somebody waits for it */
    LASTING_MS = 10 * 1000,
    YOUNG_MS = 2000,
};

static enum cfs_pool_state state_of(const struct cfs_pool *pool)
{
    return pool->again.state; /* only this thread changes it */
}

static void set_state(struct cfs_pool *pool, enum cfs_pool_state state)
{
    pthread_mutex_lock(&pool->lock);
    if (pool->again.state != state)
        pool->again.since_ms = cfs_clock_ms(&cfs_system_clock);
    pool->again.state = state;
    pthread_mutex_unlock(&pool->lock);
}

bool cfs_reconnect_is_connected(const struct cfs_pool *pool)
{
    return state_of(pool) == CFS_POOL_CONNECTED && !pool->lost;
}

bool cfs_reconnect_is_lost(struct cfs_remote *remote)
{
    struct cfs_pool *pool = cfs_pool_of(remote);
    pthread_mutex_lock(&pool->lock);
    bool is_lost = state_of(pool) != CFS_POOL_CONNECTED;
    pthread_mutex_unlock(&pool->lock);
    return is_lost;
}

bool cfs_reconnect_is_awaited(const struct cfs_pool *pool)
{
    enum cfs_pool_state state = state_of(pool);
    bool may_come = state == CFS_POOL_RECONNECTING || state == CFS_POOL_NEEDS_LOGIN;
    return pool->again.is_wanted && !pool->closing &&
           (state == CFS_POOL_CONNECTED || (may_come && !pool->again.limit_has_passed));
}

void cfs_reconnect_ready(struct cfs_pool *pool)
{
    set_state(pool, CFS_POOL_CONNECTED);
    cfs_heartbeat_begin(pool);
}

void cfs_reconnect_note(struct cfs_pool *pool, const char *reason)
{
    pthread_mutex_lock(&pool->lock);
    snprintf(pool->again.why, sizeof(pool->again.why), "%.*s", (int)sizeof(pool->again.why) - 1, reason);
    snprintf(pool->last_error, sizeof(pool->last_error), "%.*s", (int)sizeof(pool->last_error) - 1, reason);
    pthread_mutex_unlock(&pool->lock);
}

/* No attempts are made. */
static bool has_stopped(const struct cfs_pool *pool)
{
    enum cfs_pool_state state = state_of(pool);
    return pool->closing || state == CFS_POOL_CLOSED || state == CFS_POOL_NEEDS_LOGIN || state == CFS_POOL_REFUSED;
}

/* --- attempts --- */

static void try_later(struct cfs_pool *pool);

static void stop_trying(struct cfs_pool *pool, enum cfs_pool_state state, const struct cfs_error *error)
{
    const char *hint = state == CFS_POOL_NEEDS_LOGIN ? pool->again.login_hint : NULL;
    cfs_log_error("pool", "the connection is not made again by itself: %s%s%s", error->text, hint ? " " : "",
                  hint ? hint : "");
    set_state(pool, state);
    cfs_park_release(pool);
}

/* The server lets us log in, and does not answer then. Without lane 0 that is no connection; without others it is. */
static void on_no_answer(struct cfs_timer *timer)
{
    struct cfs_pool *pool = cfs_container_of(timer, struct cfs_pool, again.starting);
    if (has_stopped(pool) || state_of(pool) == CFS_POOL_CONNECTED || pool->lost)
        return;
    if (pool->again.has_root)
        cfs_pool_refuse_starting(pool);
    else
        cfs_pool_drop_connection(pool, "The login works, but the server does not answer as an SFTP server.");
}

static void start_lanes(struct cfs_pool *pool)
{
    pool->again.starting.expired = on_no_answer;
    cfs_loop_start_timer(pool->loop, &pool->again.starting, pool->op_timeout_ms);
    pthread_mutex_lock(&pool->lock);
    pool->lost = false;
    pthread_mutex_unlock(&pool->lock);
    pool->again.has_root = false;
    pool->put_lane_asked = pool->put.learning = false;
    pool->sessions_capped = false;
    cfs_pool_start_lanes(pool);
}

/* What the failure of an attempt means for the next one. */
static void go_on_after(struct cfs_pool *pool, const struct cfs_error *error)
{
    enum cfs_pool_state stopped = pool->again.stopped;
    bool is_hurried = pool->again.is_hurried;
    pool->again.stopped = CFS_POOL_CONNECTED;
    pool->again.is_hurried = false;
    if (error->failure == CFS_FAILURE_LOGIN || error->failure == CFS_FAILURE_KEY_FILE) {
        stop_trying(pool, CFS_POOL_NEEDS_LOGIN, error);
    } else if (error->failure == CFS_FAILURE_HOST_KEY) {
        stop_trying(pool, CFS_POOL_REFUSED, error);
    } else if (stopped != CFS_POOL_CONNECTED && !is_hurried) {
        stop_trying(pool, stopped, error); /* by itself it would be without whoever has wanted it */
    } else {
        cfs_log_info("pool", "the connection could not be made again: %s", error->text);
        if (is_hurried)
            pool->again.delay_ms = LEAST_DELAY_MS;
        try_later(pool);
    }
}

static void on_connected(void *context, int result, const struct cfs_error *error)
{
    struct cfs_pool *pool = context;
    pool->again.is_underway = false;
    if (has_stopped(pool)) {
        cfs_login_gone(pool);
        return;
    }
    if (result == 0) {
        pool->again.stopped = CFS_POOL_CONNECTED;
        pool->again.is_hurried = false;
        start_lanes(pool);
        return;
    }
    cfs_reconnect_note(pool, error->text);
    if (cfs_login_waits(pool)) { /* what was under way was not its own */
        cfs_reconnect_log_in(pool);
        return;
    }
    go_on_after(pool, error);
    cfs_login_done(pool, result, error);
}

static void try_now(struct cfs_pool *pool)
{
    if (pool->again.is_underway || has_stopped(pool) || state_of(pool) == CFS_POOL_CONNECTED || !pool->lost)
        return;
    cfs_loop_stop_timer(pool->loop, &pool->again.retry);
    pthread_mutex_lock(&pool->lock);
    pool->again.attempts++;
    pthread_mutex_unlock(&pool->lock);
    pool->again.begun_ms = cfs_loop_now_ms(pool->loop);
    pool->again.is_hurried = false;
    int result = pool->transport->operations->reconnect(pool->transport, cfs_login_prompter(pool), on_connected, pool);
    pool->again.is_underway = result == 0;
    if (result < 0) {
        struct cfs_error error = {0};
        try_later(pool);
        (void)cfs_error_set(&error, -result, CFS_FAILURE_SYSTEM, "Cannot start a thread: %s.", strerror(-result));
        cfs_login_done(pool, result, &error);
    }
}

static void on_retry(struct cfs_timer *timer)
{
    struct cfs_pool *pool = cfs_container_of(timer, struct cfs_pool, again.retry);
    if (cfs_heartbeat_notice_sleep(pool))
        pool->again.delay_ms = LEAST_DELAY_MS; /* much may have changed */
    try_now(pool);
}

/* Between one and one and a half times the delay. */
static void try_later(struct cfs_pool *pool)
{
    uint32_t most = cfs_list_empty(&pool->parked) ? MOST_DELAY_MS : MOST_AWAITED_MS;
    uint32_t random = 0, delay = pool->again.delay_ms < most ? pool->again.delay_ms : most;
    if (getrandom(&random, sizeof(random), GRND_NONBLOCK) < 0)
        random = 0;
    pool->again.retry.expired = on_retry;
    cfs_loop_start_timer(pool->loop, &pool->again.retry, delay + random % (delay / 2 + 1));
    pool->again.delay_ms = 2 * delay < most ? 2 * delay : most;
}

/* --- losing --- */

static void go_offline(struct cfs_pool *pool)
{
    if (state_of(pool) == CFS_POOL_CONNECTED || pool->again.limit_has_passed)
        return;
    cfs_log_error("pool", "calls do not wait for the connection any more: %s", pool->again.why);
    pool->again.limit_has_passed = true;
    if (state_of(pool) == CFS_POOL_RECONNECTING)
        set_state(pool, CFS_POOL_OFFLINE);
    cfs_park_release(pool);
}

static void start_limit(struct cfs_pool *pool, int64_t delay_ms)
{
    pool->again.limit_slept_ms = cfs_clock_slept_ms(&cfs_system_clock);
    cfs_loop_start_timer(pool->loop, &pool->again.limit, delay_ms);
}

/* Nobody waits while the machine sleeps. */
static void on_limit(struct cfs_timer *timer)
{
    struct cfs_pool *pool = cfs_container_of(timer, struct cfs_pool, again.limit);
    int64_t slept_ms = cfs_clock_slept_ms(&cfs_system_clock) - pool->again.limit_slept_ms;
    if (slept_ms > 0)
        start_limit(pool, slept_ms < pool->again.limit_ms ? slept_ms : pool->again.limit_ms);
    else
        go_offline(pool);
}

/* What overlaps on a file is sent again one by one. */
static void mark_files(struct cfs_pool *pool)
{
    struct cfs_list *link;
    pthread_mutex_lock(&pool->lock);
    cfs_list_each (link, &pool->files)
        cfs_container_of(link, struct cfs_remote_file, link)->gate.striped = true;
    pthread_mutex_unlock(&pool->lock);
}

void cfs_reconnect_begin(struct cfs_pool *pool)
{
    if (!pool->again.is_wanted || has_stopped(pool))
        return;
    if (state_of(pool) == CFS_POOL_CONNECTED) {
        pool->lost_ms = cfs_clock_ms(&cfs_system_clock);
        pthread_mutex_lock(&pool->lock);
        pool->again.attempts = 0;
        snprintf(pool->again.why, sizeof(pool->again.why), "%s", pool->last_error);
        pthread_mutex_unlock(&pool->lock);
        if (pool->again.delay_ms == 0 || cfs_clock_ms(&cfs_system_clock) - pool->again.since_ms >= LASTING_MS)
            pool->again.delay_ms = LEAST_DELAY_MS;
        pool->again.limit_has_passed = false;
        mark_files(pool);
        set_state(pool, CFS_POOL_RECONNECTING);
        pool->again.limit.expired = on_limit;
        if (pool->again.limit_ms)
            start_limit(pool, pool->again.limit_ms);
    }
    if (pool->again.is_underway)
        return;
    if (!pool->again.retry.active)
        try_later(pool);
    if (cfs_login_waits(pool))
        cfs_reconnect_log_in(pool);
    else
        cfs_login_lost(pool);
}

/* --- there again --- */

void cfs_root_found_again(struct cfs_pool *pool, const char *reason)
{
    if (reason) {
        cfs_pool_drop_connection(pool, reason);
        return;
    }
    pool->again.has_root = true;
    cfs_reconnect_settled(pool);
}

static bool are_lanes_settled(const struct cfs_pool *pool)
{
    for (unsigned i = 0; i < pool->lanes_wanted; i++) {
        if (pool->lanes[i].state == CFS_LANE_STARTING)
            return false;
    }
    return pool->next_lane >= pool->lanes_wanted;
}

void cfs_reconnect_settled(struct cfs_pool *pool)
{
    if (has_stopped(pool) || state_of(pool) == CFS_POOL_CONNECTED || !pool->again.has_root || pool->lost ||
        !are_lanes_settled(pool))
        return;
    cfs_loop_stop_timer(pool->loop, &pool->again.limit);
    cfs_loop_stop_timer(pool->loop, &pool->again.retry);
    cfs_loop_stop_timer(pool->loop, &pool->again.starting);
    cfs_log_warning("pool", "the connection is there again, after %lld s",
                    (long long)(cfs_clock_ms(&cfs_system_clock) - pool->lost_ms) / 1000);
    pthread_mutex_lock(&pool->lock);
    pool->again.times++;
    pthread_mutex_unlock(&pool->lock);
    cfs_reconnect_ready(pool);
    cfs_login_done(pool, 0, NULL);
    cfs_park_release(pool);
}

void cfs_reconnect_end(struct cfs_pool *pool)
{
    cfs_loop_stop_timer(pool->loop, &pool->again.retry);
    cfs_loop_stop_timer(pool->loop, &pool->again.limit);
    cfs_loop_stop_timer(pool->loop, &pool->again.starting);
    cfs_heartbeat_end(pool);
    cfs_network_end(pool);
    set_state(pool, CFS_POOL_CLOSED);
    if (pool->again.is_underway)
        cfs_reconnect_interrupt(pool);
    else
        cfs_login_gone(pool);
    cfs_park_release(pool);
}

/* --- from outside --- */

void cfs_reconnect_interrupt(struct cfs_pool *pool)
{
    if (pool->again.is_underway && pool->transport->operations->interrupt)
        pool->transport->operations->interrupt(pool->transport);
}

void cfs_reconnect_hurry(struct cfs_pool *pool)
{
    int64_t age_ms = cfs_loop_now_ms(pool->loop) - pool->again.begun_ms;
    if (has_stopped(pool) || state_of(pool) == CFS_POOL_CONNECTED || !pool->lost || cfs_login_is_under_way(pool))
        return;
    pool->again.is_hurried = pool->again.is_underway;
    if (!pool->again.is_underway) {
        pool->again.delay_ms = age_ms < YOUNG_MS ? (uint32_t)(YOUNG_MS - age_ms) : LEAST_DELAY_MS;
        try_later(pool);
    } else if (age_ms >= YOUNG_MS) {
        cfs_log_info("pool", "the network has changed: the attempt to connect is begun anew");
        cfs_reconnect_interrupt(pool);
    }
}

void cfs_reconnect_log_in(struct cfs_pool *pool)
{
    enum cfs_pool_state state = state_of(pool);
    if (!pool->again.is_wanted || pool->closing || state == CFS_POOL_CLOSED) {
        cfs_login_gone(pool);
    } else if (state == CFS_POOL_CONNECTED && !pool->lost) {
        cfs_login_done(pool, 0, NULL);
    } else if (pool->again.is_underway) {
        cfs_reconnect_interrupt(pool);
    } else if (state == CFS_POOL_CONNECTED || !pool->lost || (pool->reap_posted && !has_stopped(pool))) {
        return; /* it was lost just now, or its lanes are coming: that has an end, which is told */
    } else {
        if (state == CFS_POOL_NEEDS_LOGIN || state == CFS_POOL_REFUSED) {
            pool->again.stopped = state;
            set_state(pool, pool->again.limit_has_passed ? CFS_POOL_OFFLINE : CFS_POOL_RECONNECTING);
        }
        cfs_login_begin(pool);
        try_now(pool);
    }
}

const char *cfs_pool_state_name(enum cfs_pool_state state)
{
    static const char *const names[] = {
        [CFS_POOL_CONNECTED] = "connected",     [CFS_POOL_RECONNECTING] = "reconnecting",
        [CFS_POOL_NEEDS_LOGIN] = "needs-login", [CFS_POOL_REFUSED] = "refused",
        [CFS_POOL_OFFLINE] = "offline",         [CFS_POOL_CLOSED] = "closed",
    };
    return (size_t)state < CFS_COUNT(names) ? names[state] : "unknown";
}

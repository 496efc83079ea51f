/* More than one session, for bulk data.
 *
 * Over distance one TCP connection is held to what its sender buffers (about 64 MB/s at 40 ms with Linux's usual
 * limits), and one libssh2 session to less. So further sessions are opened, where a login needs nobody to answer. When:
 *
 * - The second, where the round trip is 10 ms or more, beside the first: its keys are exchanged while that one logs in
 *   (transport_ssh.c), and it is logged in when that one is. A login takes eight round trips, and what is read right
 *   after the mount would be over before one that is begun then is through. It costs the server nothing but that it
 *   comes sooner; where the first login fails, or somebody has to answer for it, it is closed unused, after two
 *   seconds at most (MaxStartups, PerSourcePenalties count such connections).
 * - The others, together, when the server has let the second in and a large file moves. Not before: most mounts never
 *   move one, and a login node has thousands of users. And no more than it takes for a gigabit a second, what one
 *   carries being known (enough, below), until more than that was seen to move: a connection that is of no use does
 *   harm, since what goes by a new and slow one comes last. What the server refuses is a cap that was learned, with one
 *   attempt: it is logged once, and nothing is tried again.
 * - Nearby (2 ms or less) none, unless the user has said how many.
 *
 * A session that is lost later is no loss: what was under way on it goes again by the files' own lanes (ops_data.c),
 * and after a while another may be opened. One that has moved nothing for some minutes is closed: a server has better
 * to do than to keep it.
 *
 * Each has one lane, which carries stripes of files (stripes.c) and nothing else. Names, attributes, and each file's
 * own handle stay in session 0. */
#include "base/log.h"
#include "remote/pool_priv.h"
#include "remote/transport.h"
#include <errno.h>
#include <string.h>

enum {
    USUAL_LINK = 125 * 1000 * 1000, /* bytes a second, of the links that most have */
    WINDOW = 3 * 1024 * 1024,       /* that one connection has in flight */
    CARRIES = 62 * 1000 * 1000,     /* bytes a second, of one connection of a link that is faster than that */
    RATE_MS = 1000,
    FAR_MS = 2,           /* a shorter round trip is not worth another login: one session fills the link */
    AGAIN_MS = 30 * 1000, /* after a loss */
};

static struct cfs_lane *free_lane(struct cfs_pool *pool)
{
    for (unsigned i = pool->lanes_wanted; i < CFS_LANES_MAX; i++) {
        if (!pool->lanes[i].client)
            return &pool->lanes[i];
    }
    return NULL;
}

static void cap(struct cfs_pool *pool, const char *reason)
{
    pool->sessions_coming--;
    if (pool->sessions_capped)
        return;
    pool->sessions_capped = true;
    cfs_log_info("pool", "%u session%s the data; no more: %s", pool->sessions,
                 pool->sessions == 1 ? " carries" : "s carry", reason);
}

static void on_added(void *context, int number, const char *reason)
{
    struct cfs_pool *pool = context;
    struct cfs_lane *lane = number > 0 ? free_lane(pool) : NULL;
    if (pool->closing)
        return;       /* the transport ends it */
    if (pool->lost) { /* it is of the connection before */
        pool->sessions_coming--;
        if (number > 0)
            pool->transport->operations->drop_session(pool->transport, (unsigned)number);
        return;
    }
    if (!lane) {
        if (number > 0)
            pool->transport->operations->drop_session(pool->transport, (unsigned)number);
        cap(pool, number > 0 ? "there are too many lanes" : reason);
        return;
    }
    pool->sessions_proven = true;
    lane->session = (unsigned)number;
    cfs_lane_start(lane);
}

unsigned cfs_sessions_enough(int64_t round_trip_ms, uint64_t rate, unsigned sessions)
{
    uint64_t windows = ((uint64_t)USUAL_LINK / 1000 * (uint64_t)round_trip_ms + WINDOW - 1) / WINDOW;
    if (rate > (uint64_t)sessions * CARRIES || windows > CFS_SESSIONS_MAX)
        return CFS_SESSIONS_MAX;
    return windows < 2 ? 2 : (unsigned)windows;
}

void cfs_sessions_moved(struct cfs_pool *pool, size_t length)
{
    int64_t now = cfs_loop_now_ms(pool->loop), elapsed = now - pool->moved_since_ms;
    pool->moved += length;
    if (elapsed < RATE_MS)
        return;
    pool->moved_rate = pool->moved * 1000 / (uint64_t)elapsed;
    pool->moved = 0;
    pool->moved_since_ms = now;
}

static bool makes_sense(struct cfs_pool *pool)
{
    int64_t round_trip = cfs_pool_round_trip_ms(pool);
    unsigned sessions = pool->sessions + pool->sessions_coming;
    unsigned at_once = pool->sessions_proven ? CFS_SESSIONS_MAX : 1;
    if (pool->sessions_coming >= at_once || sessions >= pool->sessions_wanted || pool->sessions_capped || pool->closing)
        return false;
    if (pool->sessions_far_only && sessions >= cfs_sessions_enough(round_trip, pool->moved_rate, sessions))
        return false;
    if (pool->session_lost_ms && cfs_loop_now_ms(pool->loop) - pool->session_lost_ms < AGAIN_MS)
        return false;
    pthread_mutex_lock(&pool->lock);
    bool lost = pool->lost;
    pthread_mutex_unlock(&pool->lock);
    return !lost && (round_trip > FAR_MS || !pool->sessions_far_only || pool->transport->has_early);
}

static void begin(struct cfs_pool *pool)
{
    pool->sessions_coming++;
    int error = pool->transport->operations->add_session(pool->transport, on_added, pool);
    if (error == -EPERM)
        cap(pool, "the login asks for an answer");
    else if (error)
        cap(pool, strerror(-error));
}

void cfs_sessions_want(struct cfs_pool *pool)
{
    while (makes_sense(pool))
        begin(pool);
}

bool cfs_sessions_may_be_more(struct cfs_pool *pool)
{
    return pool->sessions + pool->sessions_coming > 1;
}

void cfs_sessions_prepare(struct cfs_pool *pool)
{
    pthread_mutex_lock(&pool->lock);
    bool is_alone = (pool->round_trip_ms >= CFS_TRANSPORT_FAR_MS || pool->transport->has_early) &&
                    pool->sessions + pool->sessions_coming == 1;
    pthread_mutex_unlock(&pool->lock);
    if (is_alone && makes_sense(pool))
        begin(pool);
}

static void count_sessions(struct cfs_pool *pool, int change)
{
    pthread_mutex_lock(&pool->lock);
    pool->sessions += (unsigned)change;
    pthread_mutex_unlock(&pool->lock);
}

static bool is_idle(const struct cfs_lane *lane)
{
    const struct cfs_pool *pool = lane->pool;
    return lane->session > 0 && cfs_lane_is_up(lane) && lane->open_files == 0 &&
           cfs_sftp_client_in_flight(lane->client) == 0 &&
           cfs_loop_now_ms(pool->loop) - lane->moved_ms >= (int64_t)pool->idle_ms;
}

static void close_idle(struct cfs_timer *timer)
{
    struct cfs_pool *pool = cfs_container_of(timer, struct cfs_pool, idle_timer);
    for (unsigned i = pool->lanes_wanted; i < CFS_LANES_MAX; i++) {
        struct cfs_lane *lane = &pool->lanes[i];
        if (!is_idle(lane))
            continue;
        cfs_log_info("pool", "session %u is closed: it has had nothing to do for a while", lane->session);
        cfs_lane_close(lane, CFS_LANE_CLOSED);
        cfs_session_reaped(lane);
        count_sessions(pool, -1);
    }
    if (pool->sessions > 1)
        cfs_loop_start_timer(pool->loop, timer, pool->idle_ms);
}

void cfs_sessions_end(struct cfs_pool *pool)
{
    cfs_loop_stop_timer(pool->loop, &pool->idle_timer);
}

void cfs_session_ready(struct cfs_lane *lane)
{
    struct cfs_pool *pool = lane->pool;
    pool->sessions_coming--;
    lane->moved_ms = cfs_loop_now_ms(pool->loop);
    pool->idle_timer.expired = close_idle;
    if (!pool->idle_timer.active)
        cfs_loop_start_timer(pool->loop, &pool->idle_timer, pool->idle_ms);
    count_sessions(pool, 1);
    cfs_log_info("pool", "session %u carries data, too", lane->session);
    cfs_stripes_lane_ready(pool);
}

/* A lane that never was ready belongs to a server that lets in, but gives no channel: not tried again. */
void cfs_session_lost(struct cfs_lane *lane, const char *reason)
{
    struct cfs_pool *pool = lane->pool;
    lane->doomed = true;
    if (lane->state != CFS_LANE_READY) {
        if (lane->state == CFS_LANE_STARTING)
            cap(pool, reason);
        if (!lane->client)
            cfs_session_reaped(lane);
        return;
    }
    pthread_mutex_lock(&pool->lock);
    lane->state = CFS_LANE_CLOSED;
    pthread_mutex_unlock(&pool->lock);
    count_sessions(pool, -1);
    pool->session_lost_ms = cfs_loop_now_ms(pool->loop);
    cfs_log_info("pool", "session %u is lost: %s", lane->session, reason);
}

void cfs_session_stalled(struct cfs_lane *lane)
{
    if (!lane->doomed)
        cfs_pool_lane_lost(lane, -ETIMEDOUT, "it does not answer any more");
}

void cfs_session_reaped(struct cfs_lane *lane)
{
    struct cfs_pool *pool = lane->pool;
    pool->transport->operations->drop_session(pool->transport, lane->session);
    pthread_mutex_lock(&pool->lock);
    lane->session = 0;
    lane->open_files = 0;
    pthread_mutex_unlock(&pool->lock);
}

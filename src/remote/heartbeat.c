/* A dead connection is noticed before a program has to wait for it.
 *
 * A connection on which nothing has come for a while (`heartbeat`) is asked for a sign of life on lane 0: REALPATH of
 * "/", which needs no look at any storage, so that a file system that hangs there is not touched. If the answer does
 * not come, the kernel is asked whether the other end has acknowledged the question: it has where the server stands
 * still (its storage does, or the process was stopped), and then it is waited for, since another connection would be no
 * better. Where it has not, the network or that machine is gone: the connection is dropped, and made again
 * (reconnect.c).
 *
 * It is asked at once, and for a shorter time, when the machine has slept, or its network has changed (network.c). That
 * it has slept is seen by two clocks, one of which stands still in a sleep: in our timer, which is due by then in most
 * cases, and wherever something else comes to its end by time. Nobody has waited in that time: deadlines begin anew.
 *
 * A login that somebody had to answer is not thrown away so fast: TCP itself gives up after a minute (dial.c). */
#include "base/log.h"
#include "remote/heartbeat_priv.h"
#include "remote/pool_priv.h"
#include "remote/transport.h"

enum {
    USUAL_PATIENCE_MS = 5 * 1000,
    SHORT_PATIENCE_MS = 3 * 1000,
    LONG_PATIENCE_MS = 60 * 1000,
    SILENCE_MS = 1000,
    SLEEP_LEAST_MS = 1000, /* the two clocks are read one after the other */
};

static struct cfs_pool *pool_of(struct cfs_heartbeat *heartbeat)
{
    return cfs_container_of(heartbeat, struct cfs_pool, heartbeat);
}

static void start_timer(struct cfs_pool *pool, int64_t delay_ms)
{
    cfs_loop_start_timer(pool->loop, &pool->heartbeat.timer, delay_ms);
}

/* The last sign of life, of any lane of session 0. */
static int64_t last_sign_ms(const struct cfs_pool *pool)
{
    int64_t last = pool->lanes[CFS_PUT_LANE].last_reply_ms;
    for (unsigned i = 0; i < pool->lanes_wanted; i++) {
        if (pool->lanes[i].last_reply_ms > last)
            last = pool->lanes[i].last_reply_ms;
    }
    return last;
}

static bool can_judge(const struct cfs_pool *pool)
{
    return pool->again.is_wanted && pool->transport->operations->is_cut && !pool->closing;
}

static void on_answer(struct cfs_sftp_request *request, const struct cfs_sftp_reply *reply)
{
    struct cfs_heartbeat *heartbeat = cfs_container_of(request, struct cfs_heartbeat, request);
    struct cfs_pool *pool = pool_of(heartbeat);
    heartbeat->is_asked = false;
    if (!reply->from_server)
        return;
    pool->lanes[0].last_reply_ms = cfs_loop_now_ms(pool->loop);
    if (heartbeat->interval_ms)
        start_timer(pool, heartbeat->interval_ms);
    else
        cfs_loop_stop_timer(pool->loop, &heartbeat->timer);
}

static uint32_t patience(struct cfs_pool *pool, uint32_t usual_ms)
{
    struct cfs_ssh_facts facts;
    pool->transport->operations->facts(pool->transport, &facts);
    return facts.by_person || facts.by_person_on_way ? LONG_PATIENCE_MS : usual_ms;
}

static void ask(struct cfs_pool *pool, uint32_t patience_ms)
{
    struct cfs_heartbeat *heartbeat = &pool->heartbeat;
    bool was_asked = heartbeat->is_asked;
    if (!was_asked && cfs_lane_is_up(&pool->lanes[0])) {
        heartbeat->request = (struct cfs_sftp_request){.done = on_answer};
        heartbeat->is_asked = cfs_sftp_realpath(pool->lanes[0].client, &heartbeat->request, "/") == 0;
        pthread_mutex_lock(&pool->lock);
        heartbeat->count += heartbeat->is_asked;
        pthread_mutex_unlock(&pool->lock);
    }
    patience_ms = patience(pool, patience_ms);
    /* One change of the network after another must not put the end off. */
    if (was_asked && heartbeat->timer.active && heartbeat->timer.at_ms <= cfs_clock_ms(&cfs_system_clock) + patience_ms)
        return;
    heartbeat->patience_ms = patience_ms;
    start_timer(pool, patience_ms);
}

/* No answer has come in time. */
static void judge(struct cfs_pool *pool)
{
    uint32_t patience_ms = pool->heartbeat.patience_ms;
    if (pool->transport->operations->is_cut(pool->transport, patience_ms))
        cfs_pool_drop_connection(pool, "the network does not carry anything");
    else
        start_timer(pool, patience_ms);
}

static void on_timer(struct cfs_timer *timer)
{
    struct cfs_heartbeat *heartbeat = cfs_container_of(timer, struct cfs_heartbeat, timer);
    struct cfs_pool *pool = pool_of(heartbeat);
    if (cfs_heartbeat_notice_sleep(pool) || !cfs_reconnect_is_connected(pool))
        return;
    int64_t silent_ms = cfs_loop_now_ms(pool->loop) - last_sign_ms(pool);
    if (heartbeat->is_asked)
        judge(pool);
    else if (heartbeat->interval_ms && silent_ms >= heartbeat->interval_ms)
        ask(pool, USUAL_PATIENCE_MS);
    else if (heartbeat->interval_ms)
        start_timer(pool, heartbeat->interval_ms - silent_ms);
}

bool cfs_heartbeat_notice_sleep(struct cfs_pool *pool)
{
    struct cfs_heartbeat *heartbeat = &pool->heartbeat;
    int64_t slept_ms = cfs_clock_slept_ms(&cfs_system_clock), more_ms = slept_ms - heartbeat->slept_ms;
    if (more_ms < SLEEP_LEAST_MS)
        return false;
    heartbeat->slept_ms = slept_ms;
    heartbeat->woke_ms = cfs_loop_now_ms(pool->loop);
    cfs_log_info("pool", "this machine has slept for %lld s", (long long)(more_ms / 1000));
    cfs_heartbeat_ask_now(pool);
    return true;
}

void cfs_heartbeat_ask_now(struct cfs_pool *pool)
{
    if (can_judge(pool) && cfs_reconnect_is_connected(pool))
        ask(pool, SHORT_PATIENCE_MS);
}

void cfs_heartbeat_ask_if_silent(struct cfs_pool *pool)
{
    if (cfs_loop_now_ms(pool->loop) - last_sign_ms(pool) >= SILENCE_MS)
        cfs_heartbeat_ask_now(pool);
}

void cfs_heartbeat_begin(struct cfs_pool *pool)
{
    if (can_judge(pool) && pool->heartbeat.interval_ms)
        start_timer(pool, pool->heartbeat.interval_ms);
}

void cfs_heartbeat_init(struct cfs_pool *pool, uint32_t interval_ms)
{
    pool->heartbeat = (struct cfs_heartbeat){
        .timer = {.expired = on_timer}, .interval_ms = interval_ms, .slept_ms = cfs_clock_slept_ms(&cfs_system_clock)};
}

void cfs_heartbeat_end(struct cfs_pool *pool)
{
    cfs_loop_stop_timer(pool->loop, &pool->heartbeat.timer);
}

/* Lanes: one SFTP channel each, and which of them a call takes. */
#include "base/log.h"
#include "remote/pool_priv.h"
#include <errno.h>

static void on_ready(struct cfs_sftp_client *client, void *context)
{
    struct cfs_lane *lane = context;
    struct cfs_pool *pool = lane->pool;
    lane->last_reply_ms = cfs_loop_now_ms(pool->loop);
    pthread_mutex_lock(&pool->lock);
    lane->state = CFS_LANE_READY;
    pthread_mutex_unlock(&pool->lock);
    cfs_log_debug("pool", "lane %u is ready", lane->number);
    if (lane->session > 0)
        cfs_session_ready(lane);
    else
        cfs_pool_lane_settled(lane);
}

static void on_lost(struct cfs_sftp_client *client, int error, const char *reason, void *context)
{
    struct cfs_lane *lane = context;
    lane->doomed = true;
    cfs_pool_lane_lost(lane, error, reason);
}

void cfs_lane_start(struct cfs_lane *lane)
{
    struct cfs_pool *pool = lane->pool;
    const struct cfs_sftp_callbacks callbacks = {.ready = on_ready,
                                                 .lost = on_lost,
                                                 .context = lane,
                                                 .limits = pool->limits.told ? &pool->limits : NULL,
                                                 .is_eager = pool->transport->is_eager};
    struct cfs_stream *stream = pool->transport->operations->open_stream(pool->transport, lane->session);
    struct cfs_sftp_client *client = stream ? cfs_sftp_client_new(stream, &callbacks) : NULL;
    lane->stream = stream;
    lane->client = client;
    lane->doomed = false;
    cfs_spread_init(lane);
    lane->generation++;
    pthread_mutex_lock(&pool->lock);
    lane->state = CFS_LANE_STARTING;
    lane->counted = client;
    pthread_mutex_unlock(&pool->lock);
    if (client)
        return;
    cfs_stream_close(stream);
    lane->stream = NULL;
    cfs_pool_lane_lost(lane, -ENOTCONN, "no channel could be opened");
}

void cfs_lane_close(struct cfs_lane *lane, enum cfs_lane_state state)
{
    struct cfs_pool *pool = lane->pool;
    struct cfs_sftp_client *client = lane->client;
    pthread_mutex_lock(&pool->lock);
    lane->state = state;
    if (lane->counted) {
        struct cfs_sftp_counters counters;
        cfs_sftp_client_counters(lane->counted, &counters);
        pool->past_requests += counters.requests;
        pool->past_sent += counters.bytes_sent;
        pool->past_received += counters.bytes_received;
    }
    lane->counted = NULL;
    pthread_mutex_unlock(&pool->lock);
    /* Operations that end in here give up their other requests: `client` must still be set. */
    lane->doomed = true;
    cfs_sftp_client_free(client);
    lane->client = NULL;
    lane->stream = NULL;
}

void cfs_lane_discard(struct cfs_lane *lane, const struct cfs_sftp_handle *handle)
{
    /* Without memory, or without the lane, the server closes it when the channel ends. */
    if (lane->client && !lane->doomed)
        (void)!cfs_sftp_close(lane->client, NULL, handle);
}

/* --- choosing --- */

/* Bytes in flight weigh most; idle lanes are told apart by their open files. */
static bool is_freer(const struct cfs_lane *lane, const struct cfs_lane *than)
{
    if (lane->bytes_in_flight != than->bytes_in_flight)
        return lane->bytes_in_flight < than->bytes_in_flight;
    return lane->open_files < than->open_files;
}

/* The data lane with the least to do; lane 0 where there is no other. */
static struct cfs_lane *least_loaded(struct cfs_pool *pool)
{
    struct cfs_lane *best = NULL;
    for (unsigned i = 1; i < pool->lanes_wanted; i++) {
        struct cfs_lane *lane = &pool->lanes[i];
        if (lane->state == CFS_LANE_READY && (!best || is_freer(lane, best)))
            best = lane;
    }
    return best ? best : &pool->lanes[0];
}

struct cfs_lane *cfs_pool_choose_lane(struct cfs_pool *pool, enum cfs_lane_use use)
{
    if (use == CFS_LANE_FOR_PATHS)
        return &pool->lanes[0];
    /* cp opens what it reads, then what it writes: on one lane the server can copy between the two by itself. */
    if (use == CFS_LANE_FOR_WRITING && pool->last_reader && cfs_pool_can(pool, CFS_SFTP_COPY_DATA) &&
        pool->last_reader->lane->state == CFS_LANE_READY)
        return pool->last_reader->lane;
    return least_loaded(pool);
}

/* What the pool tells of itself. */
#include "remote/pool_priv.h"
#include "remote/transport.h"
#include <string.h>

/* The lock is held. */
static void add_lanes(const struct cfs_pool *pool, struct cfs_pool_status *status)
{
    for (unsigned i = 0; i < CFS_LANES_ALL; i++) {
        const struct cfs_lane *lane = &pool->lanes[i];
        struct cfs_sftp_counters counters;
        status->lanes += lane->state == CFS_LANE_READY;
        if (!lane->counted)
            continue;
        cfs_sftp_client_counters(lane->counted, &counters);
        status->requests += counters.requests;
        status->bytes_sent += counters.bytes_sent;
        status->bytes_received += counters.bytes_received;
    }
}

void cfs_pool_status(struct cfs_remote *remote, struct cfs_pool_status *ret_status)
{
    struct cfs_pool *pool = cfs_pool_of(remote);
    struct cfs_pool_status status = {.extensions = pool->extensions};
    pthread_mutex_lock(&pool->lock);
    status.connected = !pool->lost && pool->again.state == CFS_POOL_CONNECTED;
    status.state = pool->again.state;
    status.state_ms = cfs_clock_ms(&cfs_system_clock) - pool->again.since_ms;
    status.attempts = pool->again.attempts;
    status.reconnects = pool->again.times;
    status.sessions = pool->sessions;
    status.in_flight = pool->in_flight;
    const struct cfs_operation *oldest = cfs_list_first(&pool->operations, struct cfs_operation, link);
    if (oldest)
        status.oldest_ms = cfs_clock_ms(&cfs_system_clock) - oldest->submitted_ms;
    status.round_trip_ms = pool->round_trip_ms;
    status.requests = pool->past_requests;
    status.bytes_sent = pool->past_sent;
    status.bytes_received = pool->past_received;
    add_lanes(pool, &status);
    status.heartbeats = pool->heartbeat.count;
    status.requests -= status.heartbeats;
    status.open_files = pool->open_files;
    memcpy(status.last_error, pool->last_error, sizeof(status.last_error));
    pthread_mutex_unlock(&pool->lock);
    pool->transport->operations->facts(pool->transport, &status.ssh);
    *ret_status = status;
}

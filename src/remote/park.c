/* Operations that wait for the connection, or for the handle of their file.
 *
 * They stand in the state WAITING, with their tickets at the gates of their files: so nothing that came later passes
 * them. Nothing of them is on its way. They are in pool->parked in the order in which they came there; those that wait
 * for a file alone are found by its gate. When the connection is there, each tries again: its turn, the connection and
 * its files are looked at anew. When it is not waited for any more, each ends with -ENOTCONN.
 *
 * What came from a lost connection is sent again in the order of the gates, since each file's counts as striped from
 * then on (gate.c): the order of what overlaps is kept one by one. */
#include "remote/operation_priv.h"
#include "remote/pool_priv.h"
#include <errno.h>

bool cfs_park(struct cfs_operation *operation)
{
    struct cfs_pool *pool = operation->pool;
    if (operation->replay == CFS_REPLAY_NEVER || operation->call->when_lost == CFS_REMOTE_FAIL ||
        !cfs_reconnect_is_awaited(pool))
        return false;
    cfs_list_remove(&operation->parked);
    cfs_list_push_back(&pool->parked, &operation->parked);
    return true;
}

static struct cfs_remote_file *file_at(struct cfs_ticket *ticket)
{
    return cfs_container_of(ticket->gate, struct cfs_remote_file, gate);
}

/* Whether a file of it must be opened again before; that is begun. */
static bool waits_for_file(struct cfs_operation *operation)
{
    bool waits = false;
    for (size_t i = 0; i < CFS_COUNT(operation->tickets); i++) {
        struct cfs_ticket *ticket = &operation->tickets[i];
        if (!ticket->gate || cfs_file_is_current(file_at(ticket)))
            continue;
        if (file_at(ticket)->stale) {
            cfs_operation_set_error(operation, file_at(ticket)->stale);
            return false;
        }
        waits = true;
        cfs_file_reopen(file_at(ticket));
    }
    return waits;
}

bool cfs_park_keeps(struct cfs_operation *operation)
{
    struct cfs_pool *pool = operation->pool;
    if (operation->replay == CFS_REPLAY_NEVER || operation->early_error || !pool->again.is_wanted)
        return false;
    if (operation->kind == CFS_DIAGNOSE_CLOSE) /* the server has closed it with the connection */
        return false;
    if (!cfs_reconnect_is_connected(pool)) {
        if (cfs_statfs_ends_from_memory(operation) || cfs_park(operation))
            return true;
        cfs_operation_finish(operation, -ENOTCONN);
        return true;
    }
    if (operation->follows_lanes && !cfs_lane_is_up(operation->lane)) {
        pthread_mutex_lock(&pool->lock);
        struct cfs_lane *lane = cfs_pool_choose_lane(pool, CFS_LANE_FOR_READING);
        pthread_mutex_unlock(&pool->lock);
        cfs_operation_take_lane(operation, lane);
    }
    return waits_for_file(operation);
}

void cfs_park_release(struct cfs_pool *pool)
{
    struct cfs_list parked, *link;
    cfs_list_init(&parked);
    cfs_list_splice(&parked, &pool->parked);
    while ((link = cfs_list_pop_front(&parked))) {
        struct cfs_operation *operation = cfs_container_of(link, struct cfs_operation, parked);
        if (cfs_reconnect_is_awaited(pool))
            cfs_operation_try(operation);
        else
            cfs_operation_finish(operation, -ENOTCONN);
    }
}

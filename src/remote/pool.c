/* The life of the pool.
 *
 * Opening: lanes 0 and 1 are started together, and the work folder is asked for on lane 0. The pool is settled once
 * lane 0 is ready, or has failed; the caller of cfs_pool_open waits for that and for the answer. Lane 1 is up about a
 * round trip later: before a program can know the name of a file to open. The other lanes follow one after another, in
 * the background; the first that the server refuses is the last one tried: the server has told its cap.
 *
 * Losing: a ready lane of session 0 that ends means that the connection is lost. All lanes are closed, those of further
 * sessions, too, so that everything in flight is given back: it waits for another connection (reconnect.c), or ends
 * with -ENOTCONN, and `lost` is called once. A client must not be freed from inside its own callbacks, therefore a
 * posted task does both. */
#include "base/log.h"
#include "remote/pool_priv.h"
#include "remote/transport.h"
#include <errno.h>
#include <string.h>
#include <time.h>

enum { USUAL_SESSIONS = 4, USUAL_BULK_PIECE = 64 * 1024, USUAL_IDLE_MS = 5 * 60 * 1000 };

static void start_next_lane(struct cfs_pool *pool)
{
    if (pool->next_lane < pool->lanes_wanted && !pool->closing && !pool->lost)
        cfs_lane_start(&pool->lanes[pool->next_lane++]);
}

static void start(struct cfs_task *task)
{
    struct cfs_pool *pool = cfs_container_of(task, struct cfs_pool, start_task);
    start_next_lane(pool);
    if (pool->transport->is_eager && !cfs_root_needs_version(pool))
        cfs_root_begin(pool);
    start_next_lane(pool);
    cfs_sessions_prepare(pool);
}

void cfs_pool_start_lanes(struct cfs_pool *pool)
{
    pool->next_lane = 0;
    start_next_lane(pool);
    start_next_lane(pool);
}

static void settle(struct cfs_pool *pool)
{
    if (pool->settled) {
        cfs_root_look_again(pool);
        return;
    }
    pthread_mutex_lock(&pool->lock);
    pool->extensions = cfs_sftp_client_extensions(pool->lanes[0].client);
    pool->limits = *cfs_sftp_client_limits(pool->lanes[0].client);
    pool->settled = true;
    pthread_cond_broadcast(&pool->changed);
    pthread_mutex_unlock(&pool->lock);
    cfs_root_begin(pool);
    cfs_reconnect_ready(pool);
    if (pool->again.is_wanted)
        cfs_network_begin(pool);
}

void cfs_pool_lane_settled(struct cfs_lane *lane)
{
    if (lane->number == 0)
        settle(lane->pool);
    else if (lane->number != CFS_PUT_LANE)
        start_next_lane(lane->pool);
    cfs_reconnect_settled(lane->pool);
}

/* --- losing --- */

/* What sessions.c would have done, had it learned of it by itself. */
static void forget_session(struct cfs_lane *lane, enum cfs_lane_state was)
{
    struct cfs_pool *pool = lane->pool;
    pthread_mutex_lock(&pool->lock);
    pool->sessions -= was == CFS_LANE_READY;
    pthread_mutex_unlock(&pool->lock);
    pool->sessions_coming -= was == CFS_LANE_STARTING;
}

/* Or a request that the network has held could arrive after what was sent again, and undo what came later. */
static void abort_session(struct cfs_pool *pool, unsigned session)
{
    if (pool->transport->operations->abort_session)
        pool->transport->operations->abort_session(pool->transport, session);
}

static void reap(struct cfs_task *task)
{
    struct cfs_pool *pool = cfs_container_of(task, struct cfs_pool, reap_task);
    char reason[sizeof(pool->last_error)];
    pool->reap_posted = false;
    pthread_mutex_lock(&pool->lock);
    bool lost = pool->lost;
    memcpy(reason, pool->last_error, sizeof(reason));
    pthread_mutex_unlock(&pool->lock);
    if (lost)
        abort_session(pool, 0);
    for (unsigned i = 0; i < CFS_LANES_ALL; i++) {
        struct cfs_lane *lane = &pool->lanes[i];
        if (!lane->client || !(lost || lane->doomed))
            continue;
        enum cfs_lane_state was = lane->doomed ? CFS_LANE_CLOSED : lane->state; /* else its session has been told */
        cfs_lane_close(lane, lane->state == CFS_LANE_REFUSED ? CFS_LANE_REFUSED : CFS_LANE_CLOSED);
        if (lane->session > 0) {
            abort_session(pool, lane->session);
            forget_session(lane, was);
            cfs_session_reaped(lane);
        }
    }
    if (lost)
        cfs_reconnect_begin(pool);
    if (lost && !pool->again.is_wanted && !pool->closing && pool->lost_callback) {
        void (*callback)(const char *, void *) = pool->lost_callback;
        pool->lost_callback = NULL;
        callback(reason, pool->context);
    }
}

static void post_reap(struct cfs_pool *pool)
{
    pool->reap_task.run = reap;
    if (!pool->reap_posted)
        pool->reap_posted = cfs_loop_post(pool->loop, &pool->reap_task) == 0;
}

/* The first lane of all could not be opened: cfs_pool_open fails. */
static void fail_opening(struct cfs_lane *lane, int lost_error, const char *reason)
{
    struct cfs_pool *pool = lane->pool;
    struct cfs_error error = {0};
    if (lost_error == -EPROTO) /* what the server said is the cause; how its stream ended afterwards is not */
        cfs_error_set(&error, EPROTO, CFS_FAILURE_PROTOCOL, "The server does not speak SFTP as it should: %s", reason);
    else if (lane->stream)
        pool->transport->operations->stream_error(pool->transport, lane->stream, &error);
    if (error.failure == CFS_FAILURE_NONE)
        cfs_error_set(&error, EIO, CFS_FAILURE_NO_SFTP, "The server does not answer as an SFTP server: %s", reason);
    pthread_mutex_lock(&pool->lock);
    if (!pool->settled)
        pool->error = error;
    pool->settled = true;
    pthread_cond_broadcast(&pool->changed);
    pthread_mutex_unlock(&pool->lock);
}

static void refuse(struct cfs_lane *lane, const char *reason)
{
    struct cfs_pool *pool = lane->pool;
    if (lane->number == CFS_PUT_LANE) {
        cfs_log_info("pool", "there is no channel for files to be made in one step: %s", reason);
    } else {
        cfs_log_info("pool", "the server allows %u channels: %s", lane->number, reason);
        pool->next_lane = pool->lanes_wanted;
    }
    pthread_mutex_lock(&pool->lock);
    lane->state = CFS_LANE_REFUSED;
    pthread_mutex_unlock(&pool->lock);
    cfs_reconnect_settled(pool);
}

void cfs_pool_refuse_starting(struct cfs_pool *pool)
{
    for (unsigned i = 1; i < pool->lanes_wanted; i++) {
        if (pool->lanes[i].state != CFS_LANE_STARTING)
            continue;
        cfs_lane_close(&pool->lanes[i], CFS_LANE_CLOSED);
        refuse(&pool->lanes[i], "it does not answer");
    }
}

static void lose(struct cfs_pool *pool, const char *reason)
{
    pthread_mutex_lock(&pool->lock);
    bool first = !pool->lost;
    pool->lost = true;
    if (first)
        snprintf(pool->last_error, sizeof(pool->last_error), "%s", reason);
    if (first && !pool->again.is_wanted && pool->again.state == CFS_POOL_CONNECTED)
        pool->again.state = CFS_POOL_CLOSED;
    pthread_mutex_unlock(&pool->lock);
    if (first && !pool->closing)
        cfs_log_warning("pool", "the connection is lost: %s", reason);
}

void cfs_pool_drop_connection(struct cfs_pool *pool, const char *reason)
{
    lose(pool, reason);
    post_reap(pool);
}

void cfs_pool_lane_lost(struct cfs_lane *lane, int error, const char *reason)
{
    if (lane->session > 0)
        cfs_session_lost(lane, reason);
    else if (lane->state == CFS_LANE_READY || (lane->number == 0 && lane->pool->settled))
        lose(lane->pool, reason);
    else if (lane->number == 0)
        fail_opening(lane, error, reason);
    else
        refuse(lane, reason);
    post_reap(lane->pool);
}

static void give_up(struct cfs_task *task)
{
    struct cfs_pool *pool = cfs_container_of(task, struct cfs_pool, give_up_task);
    pthread_mutex_lock(&pool->lock);
    const char *reason = pool->given_up;
    pthread_mutex_unlock(&pool->lock);
    cfs_reconnect_end(pool);
    lose(pool, reason);
    post_reap(pool);
}

void cfs_pool_give_up(struct cfs_remote *remote, const char *reason)
{
    struct cfs_pool *pool = cfs_pool_of(remote);
    pthread_mutex_lock(&pool->lock);
    bool first = !pool->given_up;
    if (first)
        pool->given_up = reason;
    pthread_mutex_unlock(&pool->lock);
    /* A loop that has stopped has nothing in flight. */
    if (first)
        (void)!cfs_loop_post(pool->loop, &pool->give_up_task);
}

/* --- opening and freeing --- */

static unsigned clamp_lanes(unsigned wanted)
{
    if (wanted < 1)
        return 1;
    return wanted > CFS_LANES_MAX ? CFS_LANES_MAX : wanted;
}

static struct cfs_pool *pool_new(struct cfs_transport *transport, const struct cfs_pool_options *options)
{
    struct cfs_pool *pool = calloc(1, sizeof(*pool));
    pthread_condattr_t monotonic;
    if (!pool)
        return NULL;
    pool->remote.operations = &cfs_pool_operations;
    pool->transport = transport;
    pool->loop = transport->operations->loop(transport);
    pool->give_up_task.run = give_up;
    pool->op_timeout_ms = options->op_timeout_ms ? options->op_timeout_ms : 1;
    pool->again.is_wanted = options->reconnects;
    pool->again.limit_ms = options->reconnect_timeout_ms;
    pool->again.login_hint = options->login_hint;
    pool->again.since_ms = cfs_clock_ms(&cfs_system_clock);
    cfs_heartbeat_init(pool, options->heartbeat_ms);
    cfs_login_init(pool);
    pool->lost_callback = options->lost;
    pool->context = options->context;
    pool->lanes_wanted = clamp_lanes(options->lanes);
    pool->sessions = 1;
    pool->idle_ms = options->idle_ms ? options->idle_ms : USUAL_IDLE_MS;
    pool->bulk_piece = options->bulk_piece ? options->bulk_piece : USUAL_BULK_PIECE;
    pool->sessions_far_only = options->sessions == 0;
    pool->sessions_wanted = options->sessions ? options->sessions : USUAL_SESSIONS;
    pool->round_trip_ms = transport->round_trip_ms;
    for (unsigned i = 0; i < CFS_LANES_ALL; i++) {
        pool->lanes[i].pool = pool;
        pool->lanes[i].number = i;
    }
    cfs_list_init(&pool->operations);
    cfs_list_init(&pool->files);
    cfs_list_init(&pool->parked);
    pthread_mutex_init(&pool->lock, NULL);
    pthread_condattr_init(&monotonic);
    pthread_condattr_setclock(&monotonic, CLOCK_MONOTONIC);
    pthread_cond_init(&pool->changed, &monotonic);
    pthread_condattr_destroy(&monotonic);
    return pool;
}

/* Until the pool is usable: 0, or the error. */
static int wait_until_settled(struct cfs_pool *pool, struct cfs_error *error)
{
    struct timespec until;
    clock_gettime(CLOCK_MONOTONIC, &until);
    until.tv_sec += pool->op_timeout_ms / 1000 + 1;
    int waited = 0;
    pthread_mutex_lock(&pool->lock);
    while (!pool->settled && waited == 0)
        waited = pthread_cond_timedwait(&pool->changed, &pool->lock, &until);
    bool settled = pool->settled;
    bool failed = pool->error.failure != CFS_FAILURE_NONE;
    if (failed && error)
        *error = pool->error;
    pthread_mutex_unlock(&pool->lock);
    if (!settled)
        return cfs_error_set(error, ETIMEDOUT, CFS_FAILURE_TIMEOUT, "The SFTP server did not answer within %u seconds.",
                             pool->op_timeout_ms / 1000 + 1);
    return failed ? -EIO : 0;
}

static int open_lanes(struct cfs_pool *pool, struct cfs_error *error)
{
    pool->start_task.run = start;
    int result = cfs_loop_post(pool->loop, &pool->start_task);
    if (result)
        return cfs_error_set(error, ENOTCONN, CFS_FAILURE_LOST, "The connection has ended.");
    return wait_until_settled(pool, error);
}

int cfs_pool_open(struct cfs_transport *transport, const struct cfs_pool_options *options,
                  struct cfs_remote **ret_remote, struct cfs_error *error)
{
    struct cfs_pool *pool = pool_new(transport, options);
    if (!pool) {
        transport->operations->free(transport);
        return cfs_error_set(error, ENOMEM, CFS_FAILURE_SYSTEM, "Out of memory.");
    }
    int result = cfs_root_new(pool, options->remote_dir);
    if (result)
        (void)cfs_error_set(error, ENOMEM, CFS_FAILURE_SYSTEM, "Out of memory.");
    else
        result = open_lanes(pool, error);
    if (!result)
        result = cfs_root_wait(pool, error);
    if (result) {
        cfs_pool_free(&pool->remote);
        return result;
    }
    *ret_remote = &pool->remote;
    return 0;
}

static void close_all(struct cfs_task *task)
{
    struct cfs_pool *pool = cfs_container_of(task, struct cfs_pool, close_task);
    pool->closing = true;
    cfs_sessions_end(pool);
    cfs_reconnect_end(pool);
    for (unsigned i = 0; i < CFS_LANES_ALL; i++) {
        if (pool->lanes[i].client)
            cfs_lane_close(&pool->lanes[i], CFS_LANE_CLOSED);
    }
    pthread_mutex_lock(&pool->lock);
    pool->closed = true;
    pthread_cond_broadcast(&pool->changed);
    pthread_mutex_unlock(&pool->lock);
}

void cfs_pool_free(struct cfs_remote *remote)
{
    if (!remote)
        return;
    struct cfs_pool *pool = cfs_pool_of(remote);
    pool->close_task.run = close_all;
    if (cfs_loop_post(pool->loop, &pool->close_task) == 0) {
        pthread_mutex_lock(&pool->lock);
        while (!pool->closed)
            pthread_cond_wait(&pool->changed, &pool->lock);
        pthread_mutex_unlock(&pool->lock);
    }
    /* Joins the loop's thread, which runs what is still posted: only then is the pool nobody's. */
    pool->transport->operations->free(pool->transport);
    pthread_cond_destroy(&pool->changed);
    pthread_mutex_destroy(&pool->lock);
    cfs_root_free(pool->search);
    free(pool->root);
    free(pool);
}

/* --- the table --- */

static const struct cfs_remote_facts *facts(struct cfs_remote *remote)
{
    return &cfs_pool_of(remote)->facts;
}

const struct cfs_remote_operations cfs_pool_operations = {
    .facts = facts,
    .cancel = cfs_operation_cancel,
    .lstat = cfs_pool_lstat,
    .setattr = cfs_pool_setattr,
    .readlink = cfs_pool_readlink,
    .mkdir = cfs_pool_mkdir,
    .rmdir = cfs_pool_rmdir,
    .unlink = cfs_pool_unlink,
    .symlink = cfs_pool_symlink,
    .link = cfs_pool_link,
    .rename = cfs_pool_rename,
    .set_and_rename = cfs_pool_set_and_rename,
    .statfs = cfs_pool_statfs,
    .open = cfs_pool_open_file,
    .open_known = cfs_pool_open_known,
    .is_lost = cfs_reconnect_is_lost,
    .read = cfs_pool_read,
    .write = cfs_pool_write,
    .fstat = cfs_pool_fstat,
    .fsetattr = cfs_pool_fsetattr,
    .flush = cfs_pool_flush,
    .fsync = cfs_pool_fsync,
    .copy = cfs_pool_copy,
    .close = cfs_pool_close_file,
    .put = cfs_pool_put,
    .open_listing = cfs_pool_open_listing,
    .read_listing = cfs_pool_read_listing,
    .close_listing = cfs_pool_close_listing,
    .id_names = cfs_pool_id_names,
};

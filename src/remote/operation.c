/* Operations: submitting, waiting for their turn, steps, deadline, cancelling, finishing (see operation_priv.h). */
#include "remote/operation_priv.h"
#include "remote/paths.h"
#include "remote/pool_priv.h"
#include <errno.h>
#include <string.h>
#include <time.h>

enum { TIMES_LOST_MOST = 10 };

static void put(struct cfs_operation *operation)
{
    struct cfs_pool *pool = operation->pool;
    pthread_mutex_lock(&pool->lock);
    bool last = --operation->references == 0;
    pthread_mutex_unlock(&pool->lock);
    if (!last)
        return;
    if (operation->dispose)
        operation->dispose(operation);
    free(operation->probes);
    free(operation->look);
    free(operation->path);
    free(operation->other);
    free(operation);
}

/* --- calls without memory for an operation --- */

static void complete_starved(struct cfs_task *task)
{
    struct cfs_pool *pool = cfs_container_of(task, struct cfs_pool, starved_task);
    pthread_mutex_lock(&pool->lock);
    struct cfs_remote_call *call = pool->starved;
    pool->starved = NULL;
    pool->starved_posted = false;
    pthread_mutex_unlock(&pool->lock);
    while (call) {
        /* The last one points at the pool: `implementation` is not NULL while a call is in flight. */
        struct cfs_remote_call *next = call->implementation == pool ? NULL : call->implementation;
        call->implementation = NULL;
        call->error = -ENOMEM;
        memset(&call->result, 0, sizeof(call->result));
        call->done(call);
        call = next;
    }
}

static void starve(struct cfs_pool *pool, struct cfs_remote_call *call)
{
    pthread_mutex_lock(&pool->lock);
    call->implementation = pool->starved ? (void *)pool->starved : pool;
    pool->starved = call;
    if (!pool->starved_posted) {
        pool->starved_task.run = complete_starved;
        pool->starved_posted = cfs_loop_post(pool->loop, &pool->starved_task) == 0;
    }
    pthread_mutex_unlock(&pool->lock);
}

static bool is_starved(const struct cfs_pool *pool, const struct cfs_remote_call *call)
{
    const struct cfs_remote_call *starved = pool->starved;
    while (starved && starved != call)
        starved = starved->implementation == pool ? NULL : starved->implementation;
    return starved;
}

/* --- submitting --- */

void *cfs_operation_new(struct cfs_pool *pool, struct cfs_remote_call *call, size_t size,
                        enum cfs_diagnose_operation kind, void (*start)(struct cfs_operation *operation))
{
    struct cfs_operation *operation = calloc(1, size);
    if (!operation) {
        starve(pool, call);
        return NULL;
    }
    operation->pool = pool;
    operation->call = call;
    operation->kind = kind;
    operation->start = start;
    cfs_list_init(&operation->steps);
    cfs_list_init(&operation->link);
    cfs_list_init(&operation->parked);
    return operation;
}

void cfs_operation_set_error(struct cfs_operation *operation, int error)
{
    if (!operation->early_error)
        operation->early_error = error;
}

void cfs_operation_set_path(struct cfs_operation *operation, const char *relative)
{
    cfs_operation_set_error(operation, cfs_path_join(operation->pool->root, relative, &operation->path));
}

void cfs_operation_set_other(struct cfs_operation *operation, const char *relative)
{
    cfs_operation_set_error(operation, cfs_path_join(operation->pool->root, relative, &operation->other));
}

static void fill_ticket(struct cfs_ticket *ticket, struct cfs_operation *operation, struct cfs_remote_file *file,
                        enum cfs_ticket_kind kind)
{
    ticket->gate = &file->gate;
    ticket->operation = operation;
    ticket->kind = kind;
    ticket->end = UINT64_MAX;
    ticket->home = file->lane;
}

void cfs_operation_use_file(struct cfs_operation *operation, struct cfs_remote_file *file, enum cfs_ticket_kind kind)
{
    fill_ticket(&operation->tickets[operation->tickets[0].gate ? 1 : 0], operation, file, kind);
}

void cfs_operation_use_range(struct cfs_operation *operation, struct cfs_remote_file *file, enum cfs_ticket_kind kind,
                             uint64_t offset, uint64_t length)
{
    fill_ticket(&operation->tickets[0], operation, file, kind);
    operation->tickets[0].home = NULL;
    operation->tickets[0].offset = offset;
    operation->tickets[0].end = offset + length;
}

static bool may_pass(struct cfs_operation *operation)
{
    for (size_t i = 0; i < CFS_COUNT(operation->tickets); i++) {
        if (operation->tickets[i].gate && !cfs_gate_may_pass(&operation->tickets[i]))
            return false;
    }
    return true;
}

/* It was sent, but has not reached the other end: there is nothing to be waited for. */
static bool is_cut(const struct cfs_operation *operation)
{
    struct cfs_transport *transport = operation->pool->transport;
    return operation->replay != CFS_REPLAY_NEVER && operation->pool->again.is_wanted && transport->operations->is_cut &&
           transport->operations->is_cut(transport, operation->pool->op_timeout_ms / 2);
}

static void on_deadline(struct cfs_timer *timer)
{
    struct cfs_operation *operation = cfs_container_of(timer, struct cfs_operation, deadline);
    struct cfs_pool *pool = operation->pool;
    (void)cfs_heartbeat_notice_sleep(pool);
    int64_t now = cfs_loop_now_ms(pool->loop), woke = pool->heartbeat.woke_ms;
    int64_t since = operation->waiting_since_ms > woke ? operation->waiting_since_ms : woke;
    int64_t last_sign = operation->lane->last_reply_ms > since ? operation->lane->last_reply_ms : since;
    int64_t left = last_sign + pool->op_timeout_ms - now;
    if (cfs_statfs_ends_from_memory(operation))
        return;
    if (operation->lane->state == CFS_LANE_STARTING)
        cfs_operation_made_progress(operation); /* it was not sent yet; who waits for the lane has a limit of its own */
    else if (left > 0 && now - since < (int64_t)CFS_DEADLINES * pool->op_timeout_ms)
        cfs_loop_start_timer(pool->loop, timer, left);
    else if (operation->reroute && operation->lane->session > 0)
        cfs_session_stalled(operation->lane); /* which sends it again, elsewhere */
    else if (is_cut(operation))
        cfs_pool_drop_connection(pool, "the network does not carry anything"); /* and it waits for another one */
    else
        cfs_operation_finish(operation, -ETIMEDOUT);
}

void cfs_operation_take_lane(struct cfs_operation *operation, struct cfs_lane *lane)
{
    struct cfs_pool *pool = operation->pool;
    if (operation->tickets[0].gate)
        operation->tickets[0].lane = lane;
    if (operation->lane == lane)
        return;
    pthread_mutex_lock(&pool->lock);
    operation->lane->bytes_in_flight -= operation->bytes;
    lane->bytes_in_flight += operation->bytes;
    operation->lane = lane;
    pthread_mutex_unlock(&pool->lock);
}

void cfs_operation_made_progress(struct cfs_operation *operation)
{
    operation->waiting_since_ms = cfs_loop_now_ms(operation->pool->loop);
    operation->deadline.expired = on_deadline;
    cfs_loop_start_timer(operation->pool->loop, &operation->deadline, operation->pool->op_timeout_ms);
}

/* A close needs none where the connection is made again: its handle is gone with the one before. */
static bool is_without_lane(const struct cfs_operation *operation)
{
    bool needs = operation->kind != CFS_DIAGNOSE_CLOSE || !operation->pool->again.is_wanted;
    return needs && !operation->sends_nothing && (!operation->lane->client || operation->lane->doomed);
}

static void run(struct cfs_operation *operation)
{
    operation->state = CFS_OPERATION_RUNNING;
    if (operation->first_ms == 0)
        operation->first_ms = cfs_clock_ms(&cfs_system_clock);
    if (operation->early_error) {
        cfs_operation_finish(operation, operation->early_error);
    } else if (is_without_lane(operation)) {
        cfs_operation_finish(operation, -ENOTCONN);
    } else {
        cfs_operation_made_progress(operation);
        for (size_t i = 0; i < CFS_COUNT(operation->tickets); i++)
            operation->tickets[i].lane = operation->lane;
        operation->start(operation);
    }
}

/* Its file may have been opened again on another lane since it was submitted. */
static void follow_file(struct cfs_operation *operation, struct cfs_ticket *ticket)
{
    struct cfs_lane *lane = cfs_container_of(ticket->gate, struct cfs_remote_file, gate)->lane;
    bool goes_by_own = !ticket->home || ticket->home == operation->lane;
    if (ticket->home)
        ticket->home = lane;
    if (operation->lane && goes_by_own)
        cfs_operation_take_lane(operation, lane);
}

void cfs_operation_enter(struct cfs_operation *operation)
{
    if (operation->state != CFS_OPERATION_QUEUED)
        return;
    operation->state = CFS_OPERATION_WAITING;
    for (size_t i = 0; i < CFS_COUNT(operation->tickets); i++) {
        if (operation->tickets[i].gate)
            follow_file(operation, &operation->tickets[i]);
    }
    for (size_t i = 0; i < CFS_COUNT(operation->tickets); i++) {
        if (operation->tickets[i].gate)
            cfs_gate_enter(&operation->tickets[i]);
    }
}

void cfs_operation_enter_before(struct cfs_operation *operation, struct cfs_ticket *ticket)
{
    cfs_operation_enter(operation);
    cfs_list_remove(&operation->tickets[0].link);
    cfs_list_insert_before(&ticket->link, &operation->tickets[0].link);
}

/* The task: once when submitted, and once more if it had to wait. */
static void on_task(struct cfs_task *task)
{
    struct cfs_operation *operation = cfs_container_of(task, struct cfs_operation, task);
    cfs_operation_enter(operation);
    operation->task.run = NULL;
    if (operation->state == CFS_OPERATION_WAITING && may_pass(operation) && !cfs_park_keeps(operation))
        run(operation);
    put(operation);
}

/* The lock is held. */
static bool post(struct cfs_operation *operation)
{
    operation->task.run = on_task;
    operation->references++;
    if (cfs_loop_post(operation->pool->loop, &operation->task) == 0)
        return true;
    operation->references--;
    operation->task.run = NULL;
    return false;
}

void cfs_operation_submit(struct cfs_operation *operation, struct cfs_lane *lane, size_t bytes)
{
    struct cfs_pool *pool = operation->pool;
    operation->lane = lane;
    operation->bytes = bytes;
    operation->submitted_ms = cfs_clock_ms(&cfs_system_clock);
    pthread_mutex_lock(&pool->lock);
    operation->call->implementation = operation;
    operation->references = 1;
    lane->bytes_in_flight += bytes;
    cfs_list_push_back(&pool->operations, &operation->link);
    pool->in_flight++;
    /* It fails only once the transport has ended, in cfs_pool_free, when nobody may submit any more. */
    (void)post(operation);
    pthread_mutex_unlock(&pool->lock);
}

void cfs_operation_submit_path(struct cfs_operation *operation)
{
    struct cfs_pool *pool = operation->pool;
    pthread_mutex_lock(&pool->lock);
    struct cfs_lane *lane = cfs_pool_choose_lane(pool, CFS_LANE_FOR_PATHS);
    pthread_mutex_unlock(&pool->lock);
    cfs_operation_submit(operation, lane, 0);
}

/* --- cancelling --- */

static void on_cancel(struct cfs_task *task)
{
    struct cfs_operation *operation = cfs_container_of(task, struct cfs_operation, cancel_task);
    cfs_operation_finish(operation, -EINTR);
    put(operation);
}

void cfs_operation_cancel(struct cfs_remote *remote, struct cfs_remote_call *call)
{
    struct cfs_pool *pool = cfs_pool_of(remote);
    pthread_mutex_lock(&pool->lock);
    struct cfs_operation *operation = is_starved(pool, call) ? NULL : call->implementation;
    if (operation && !operation->uncancellable && !operation->cancel_posted) {
        operation->cancel_task.run = on_cancel;
        operation->cancel_posted = cfs_loop_post(pool->loop, &operation->cancel_task) == 0;
        operation->references += operation->cancel_posted;
    }
    pthread_mutex_unlock(&pool->lock);
}

/* --- steps --- */

struct cfs_sftp_client *cfs_operation_client(const struct cfs_operation *operation)
{
    return operation->lane->client;
}

static void on_reply(struct cfs_sftp_request *request, const struct cfs_sftp_reply *reply)
{
    struct cfs_step *step = cfs_container_of(request, struct cfs_step, request);
    struct cfs_operation *operation = step->operation;
    cfs_list_remove(&step->link);
    if (!reply->from_server) {
        if (reply->error == -EPROTO && operation->pool->again.is_wanted)
            cfs_operation_finish(operation, -EIO); /* what the server answers, it may answer again */
        else if (operation->reroute && step->lane->session > 0)
            operation->reroute(operation);
        else
            cfs_operation_lost(operation);
        return;
    }
    step->lane->last_reply_ms = cfs_loop_now_ms(operation->pool->loop);
    if (step->then_part)
        step->then_part(operation, step, reply);
    else
        step->then(operation, reply);
}

struct cfs_sftp_request *cfs_step_arm(struct cfs_step *step, struct cfs_operation *operation, cfs_step_function *then)
{
    *step =
        (struct cfs_step){.request = {.done = on_reply}, .operation = operation, .then = then, .lane = operation->lane};
    cfs_list_push_back(&operation->steps, &step->link);
    return &step->request;
}

struct cfs_sftp_request *cfs_step_arm_part(struct cfs_step *step, struct cfs_operation *operation,
                                           cfs_part_function *then)
{
    struct cfs_sftp_request *request = cfs_step_arm(step, operation, NULL);
    step->then_part = then;
    return request;
}

struct cfs_sftp_request *cfs_step_arm_on(struct cfs_step *step, struct cfs_operation *operation, struct cfs_lane *lane,
                                         cfs_part_function *then)
{
    struct cfs_sftp_request *request = cfs_step_arm_part(step, operation, then);
    step->lane = lane;
    return request;
}

bool cfs_step_sent(struct cfs_step *step, int error)
{
    if (!error)
        return true;
    cfs_list_remove(&step->link);
    if (error == -ENOTCONN)
        cfs_operation_lost(step->operation);
    else
        cfs_operation_finish(step->operation, error == -EMSGSIZE ? -ENAMETOOLONG : error);
    return false;
}

void cfs_operation_give_up_steps(struct cfs_operation *operation)
{
    struct cfs_list *link;
    while ((link = cfs_list_pop_front(&operation->steps))) {
        struct cfs_step *step = cfs_container_of(link, struct cfs_step, link);
        cfs_sftp_cancel(step->lane->client, &step->request);
    }
}

/* Smoothed as TCP does it (RFC 6298): an eighth of the new one. */
void cfs_pool_measured(struct cfs_pool *pool, int64_t took_ms)
{
    pthread_mutex_lock(&pool->lock);
    pool->round_trip_ms = pool->round_trip_ms < 0 ? took_ms : (7 * pool->round_trip_ms + took_ms + 4) / 8;
    pthread_mutex_unlock(&pool->lock);
}

/* --- finishing --- */

void cfs_operation_try(struct cfs_operation *operation)
{
    if (operation->state != CFS_OPERATION_WAITING || operation->task.run || !may_pass(operation))
        return;
    pthread_mutex_lock(&operation->pool->lock);
    (void)post(operation);
    pthread_mutex_unlock(&operation->pool->lock);
}

void cfs_operation_wait(struct cfs_operation *operation)
{
    cfs_loop_stop_timer(operation->pool->loop, &operation->deadline);
    for (size_t i = 0; i < CFS_COUNT(operation->tickets); i++)
        operation->tickets[i].lane = NULL;
    operation->state = CFS_OPERATION_WAITING;
}

void cfs_operations_try(struct cfs_gate *gate)
{
    struct cfs_list *link, *following;
    cfs_list_each_safe (link, following, &gate->tickets)
        cfs_operation_try(cfs_container_of(link, struct cfs_ticket, link)->operation);
}

void cfs_operation_lost(struct cfs_operation *operation)
{
    cfs_operation_give_up_steps(operation);
    if (operation->state == CFS_OPERATION_FINISHED || cfs_statfs_ends_from_memory(operation))
        return;
    if (operation->reset)
        operation->reset(operation);
    free(CFS_TAKE(operation->probes));
    free(CFS_TAKE(operation->look));
    operation->result = (struct cfs_remote_result){0};
    operation->repeated = true;
    cfs_operation_wait(operation);
    /* Perhaps it is what the server does not survive. */
    if (++operation->times_lost > TIMES_LOST_MOST || !cfs_park(operation))
        cfs_operation_finish(operation, -ENOTCONN);
}

/* What consists of one request, which was not done: the server has said so. (A put may have been done in part.) Where a
 * lost connection is final, writes do not keep their bytes. */
static bool may_try_again(const struct cfs_operation *operation)
{
    return !operation->tried_again && operation->pool->again.is_wanted && operation->replay != CFS_REPLAY_NEVER &&
           !operation->is_ours && operation->lane->client && !operation->lane->doomed;
}

bool cfs_operation_tries_again(struct cfs_operation *operation)
{
    if (!may_try_again(operation))
        return false;
    operation->tried_again = true;
    cfs_operation_give_up_steps(operation);
    if (operation->reset)
        operation->reset(operation);
    free(CFS_TAKE(operation->probes));
    operation->result = (struct cfs_remote_result){0};
    cfs_operation_made_progress(operation);
    operation->start(operation);
    return true;
}

/* From here on the call is the caller's. */
static struct cfs_remote_call *detach(struct cfs_operation *operation)
{
    struct cfs_pool *pool = operation->pool;
    struct cfs_remote_call *call = operation->call;
    pthread_mutex_lock(&pool->lock);
    cfs_list_remove(&operation->link);
    pool->in_flight--;
    operation->lane->bytes_in_flight -= operation->bytes;
    call->implementation = NULL;
    pthread_mutex_unlock(&pool->lock);
    return call;
}

void cfs_operation_finish(struct cfs_operation *operation, int error)
{
    bool had_entered = operation->state == CFS_OPERATION_WAITING || operation->state == CFS_OPERATION_RUNNING;
    if (operation->state == CFS_OPERATION_FINISHED)
        return;
    operation->state = CFS_OPERATION_FINISHED;
    cfs_list_remove(&operation->parked);
    cfs_loop_stop_timer(operation->pool->loop, &operation->deadline);
    cfs_operation_give_up_steps(operation);
    for (size_t i = 0; had_entered && i < CFS_COUNT(operation->tickets); i++) {
        if (operation->tickets[i].gate)
            cfs_gate_leave(&operation->tickets[i], cfs_operation_try);
    }
    if (operation->ending)
        operation->ending(operation);
    struct cfs_remote_call *call = detach(operation);
    call->error = error;
    if (error)
        memset(&call->result, 0, sizeof(call->result));
    else
        call->result = operation->result;
    call->done(call);
    put(operation);
}

void cfs_operation_diagnose(struct cfs_operation *operation, uint32_t status)
{
    struct cfs_diagnose_question question = {
        .operation = operation->kind, .status = status, .setting = operation->setting};
    static const struct cfs_diagnose_evidence nothing;
    if (operation->repeated && cfs_replay_looks(operation, status))
        return;
    unsigned probes = cfs_diagnose_probes(&question);
    if (probes)
        cfs_probe_start(operation, &question, probes);
    else
        cfs_operation_finish(operation, cfs_diagnose(&question, &nothing));
}

void cfs_operation_finish_reply(struct cfs_operation *operation, const struct cfs_sftp_reply *reply)
{
    if (reply->status == SSH_FX_OK && reply->error == 0)
        cfs_operation_finish(operation, 0);
    else
        cfs_operation_diagnose(operation, reply->status);
}

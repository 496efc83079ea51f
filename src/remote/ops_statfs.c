/* statfs: what the server tells of its disk, remembered.
 *
 * Programs that only want to draw a window (df, a file manager) must not wait for a connection that is lost, nor for
 * one that carries nothing any more, which nobody has noticed yet. So it is asked for once, when the
 * mount is made, and what was told last is told again: at once while there is no connection (park.c), and where the
 * answer takes longer than PATIENCE_MS. In that case the pool asks by itself once more, with all the time that a call
 * may take: a server that is slow at it is believed one call later, and a connection that is dead is noticed by that.
 */
#include "remote/operation_priv.h"
#include "remote/pool_priv.h"

enum { PATIENCE_MS = 1000 };

/* The pool's own question. */
struct learning {
    struct cfs_remote_call call;
    struct cfs_pool *pool;
};

static void on_statvfs(struct cfs_operation *operation, const struct cfs_sftp_reply *reply)
{
    const struct cfs_sftp_statvfs *told = reply->statvfs;
    if (told) {
        operation->result.statfs = (struct cfs_remote_statfs){
            .block_size = told->bsize,
            .fragment_size = told->frsize,
            .blocks = told->blocks,
            .blocks_free = told->bfree,
            .blocks_available = told->bavail,
            .files = told->files,
            .files_free = told->ffree,
            .name_max = told->namemax,
            .read_only = told->flag & 1,
        };
        operation->pool->last_statfs = operation->result.statfs;
        operation->pool->statfs_known = true;
    }
    cfs_operation_finish_reply(operation, reply);
}

static void on_learned(struct cfs_remote_call *call);

static bool is_learning(const struct cfs_operation *operation)
{
    return operation->call->done == on_learned;
}

static void start(struct cfs_operation *operation)
{
    struct cfs_pool *pool = operation->pool;
    struct cfs_step *step = &operation->step[0];
    struct cfs_sftp_request *armed = cfs_step_arm(step, operation, on_statvfs);
    if (!cfs_step_sent(step, cfs_sftp_statvfs(cfs_operation_client(operation), armed, operation->path)))
        return;
    if (pool->statfs_known && !is_learning(operation) && pool->op_timeout_ms > PATIENCE_MS)
        cfs_loop_start_timer(pool->loop, &operation->deadline, PATIENCE_MS);
}

/* If memory is short the call is told. */
static void submit(struct cfs_pool *pool, struct cfs_remote_call *call)
{
    struct cfs_operation *operation = cfs_operation_new(pool, call, sizeof(*operation), CFS_DIAGNOSE_STATFS, start);
    if (!operation)
        return;
    operation->replay = CFS_REPLAY_FREELY;
    cfs_operation_set_path(operation, "");
    cfs_operation_submit_path(operation);
}

static void on_learned(struct cfs_remote_call *call)
{
    struct learning *self = cfs_container_of(call, struct learning, call);
    struct cfs_pool *pool = self->pool;
    free(self);
    pthread_mutex_lock(&pool->lock);
    pool->statfs_asked = false;
    pthread_mutex_unlock(&pool->lock);
}

static void learn(struct cfs_pool *pool)
{
    pthread_mutex_lock(&pool->lock);
    bool asked = pool->statfs_asked;
    pool->statfs_asked = true;
    pthread_mutex_unlock(&pool->lock);
    if (asked || !(pool->extensions & CFS_SFTP_STATVFS))
        return;
    struct learning *self = calloc(1, sizeof(*self));
    if (!self)
        return; /* nothing is remembered then */
    self->call.done = on_learned;
    self->pool = pool;
    submit(pool, &self->call);
}

void cfs_pool_learn_space(struct cfs_remote *remote)
{
    learn(cfs_pool_of(remote));
}

bool cfs_statfs_ends_from_memory(struct cfs_operation *operation)
{
    struct cfs_pool *pool = operation->pool;
    if (operation->kind != CFS_DIAGNOSE_STATFS || !pool->statfs_known)
        return false;
    if (operation->state == CFS_OPERATION_RUNNING) {
        if (is_learning(operation))
            return false;
        learn(pool);
    }
    operation->result.statfs = pool->last_statfs;
    cfs_operation_finish(operation, 0);
    return true;
}

void cfs_pool_statfs(struct cfs_remote *remote, struct cfs_remote_call *call)
{
    submit(cfs_pool_of(remote), call);
}

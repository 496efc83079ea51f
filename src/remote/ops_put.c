/* Putting: a small file that is complete goes to the server in one round trip. OPEN, WRITE, FSETSTAT, FSTAT and CLOSE
 * leave together, although all but the first need the handle that OPEN answers: it is foreseen. OpenSSH's sftp-server
 * gives out the lowest number that is free, so on a channel on which nothing is open it is always the same.
 *
 * That a foreseen handle is wrong must do no harm. Therefore puts have a lane of their own, and nothing else goes by
 * it; the server works on it in order, and each put ends with a CLOSE: so at no time are two handles open there. Where
 * OPEN fails none is, and what follows fails with it. Where OPEN gives another handle than was foreseen, the foreseen
 * one is nobody's: nothing can be written to a wrong file.
 *
 * It is learned, not assumed: the first puts on that lane wait for OPEN's answer, one at a time, until the same four
 * bytes have come twice; and only where the server offers what OpenSSH's does. When another handle comes, or one cannot
 * be closed, nothing is foreseen any more for as long as the pool lives; what was sent with the wrong handle is sent
 * again with the right one. As long as the lane is not there, and for good where the server does not let us have one,
 * puts go by the data lanes and wait for OPEN: two round trips.
 *
 * A mode that the server's umask has changed is set again, as for other files that are made (ops_file.c); since that
 * costs no round trip here, it is not looked whether it has. */
#include "base/log.h"
#include "remote/operation_priv.h"
#include "remote/pool_priv.h"
#include <errno.h>
#include <fcntl.h>
#include <string.h>

enum { TIMES_TO_LEARN = 2, FORESEEN_LENGTH = 4 };

/* What OpenSSH has offered since 6.5, together: who imitates all of it will work in order, too. */
static const uint32_t OPENSSH =
    CFS_SFTP_POSIX_RENAME | CFS_SFTP_STATVFS | CFS_SFTP_FSTATVFS | CFS_SFTP_HARDLINK | CFS_SFTP_FSYNC;

struct put_operation {
    struct cfs_operation operation;
    int flags;
    mode_t mode;
    size_t length;
    const uint8_t *data;
    struct cfs_sftp_attributes wire; /* to be set; flags = 0: nothing */
    bool on_put_lane, foreseen;
    bool sent;                     /* an OPEN, of which something may be left behind on the lane */
    bool opened;                   /* `handle` is that of the file */
    bool to_close;                 /* it is, and no CLOSE has been sent */
    bool closed, refused;          /* nothing is left behind */
    struct cfs_sftp_handle handle; /* by which it goes */
    unsigned waiting;              /* answers behind OPEN's */
    bool failed;
    enum cfs_diagnose_operation failed_kind; /* of what failed first */
    uint32_t status;
    size_t count;
    struct cfs_step writes[];
};

static struct put_operation *of(struct cfs_operation *operation)
{
    return cfs_container_of(operation, struct put_operation, operation);
}

/* --- the lane --- */

static struct cfs_lane *put_lane(struct cfs_pool *pool)
{
    return &pool->lanes[CFS_PUT_LANE];
}

/* Opens it in the background: once for each connection, and only where the server has let us have all the others that
 * we wanted. */
static void want_lane(struct cfs_pool *pool)
{
    struct cfs_lane *lane = put_lane(pool);
    pthread_mutex_lock(&pool->lock);
    bool may = !pool->put_lane_asked && (pool->extensions & OPENSSH) == OPENSSH && pool->lanes_wanted > 1 &&
               !pool->lost && pool->lanes[pool->lanes_wanted - 1].state == CFS_LANE_READY;
    pthread_mutex_unlock(&pool->lock);
    if (!may || pool->closing)
        return;
    pool->put_lane_asked = true;
    cfs_lane_start(lane);
}

static void give_up_foreseeing(struct cfs_pool *pool, const char *why)
{
    if (!pool->put.given_up)
        cfs_log_info("pool", "files are made in two steps from now on: %s", why);
    pool->put.given_up = true;
}

static bool is_same(const struct cfs_sftp_handle *a, const struct cfs_sftp_handle *b)
{
    return a->length == b->length && memcmp(a->bytes, b->bytes, a->length) == 0;
}

static bool is_foreseeable(const struct cfs_put_learned *learned)
{
    return learned->times >= TIMES_TO_LEARN;
}

/* Whether this one goes by the lane for puts. */
static bool may_take_lane(struct cfs_pool *pool)
{
    const struct cfs_put_learned *learned = &pool->put;
    if (learned->given_up || !cfs_lane_is_up(put_lane(pool)))
        return false;
    return is_foreseeable(learned) || !learned->learning;
}

static void learn(struct cfs_put_learned *learned, const struct cfs_sftp_handle *handle)
{
    learned->times = learned->times > 0 && is_same(handle, &learned->handle) ? learned->times + 1 : 1;
    learned->handle = *handle;
}

/* However it ended. */
static void note_end(struct cfs_operation *operation)
{
    const struct put_operation *self = of(operation);
    struct cfs_pool *pool = operation->pool;
    if (self->to_close)
        cfs_lane_discard(operation->lane, &self->handle);
    if (!self->on_put_lane)
        return;
    if (!self->foreseen)
        pool->put.learning = false;
    if (self->sent && !self->closed && !self->refused)
        give_up_foreseeing(pool, "a file may not have been closed");
    if (!self->foreseen && self->closed)
        learn(&pool->put, &self->handle);
}

/* --- concluding --- */

static void conclude(struct put_operation *self)
{
    struct cfs_operation *operation = &self->operation;
    if (!self->failed) {
        cfs_operation_finish(operation, 0);
        return;
    }
    operation->kind = self->failed_kind;
    cfs_operation_diagnose(operation, self->status);
}

static void note_answer(struct put_operation *self, const struct cfs_sftp_reply *reply,
                        enum cfs_diagnose_operation kind)
{
    if (reply->error && !self->failed) {
        self->failed = true;
        self->failed_kind = kind;
        self->status = reply->status;
    }
    self->waiting--;
}

static void go_on(struct put_operation *self)
{
    if (self->waiting == 0 && self->opened)
        conclude(self);
}

static void on_written(struct cfs_operation *operation, struct cfs_step *step, const struct cfs_sftp_reply *reply)
{
    (void)step;
    note_answer(of(operation), reply, CFS_DIAGNOSE_WRITE);
    go_on(of(operation));
}

static void on_set(struct cfs_operation *operation, const struct cfs_sftp_reply *reply)
{
    note_answer(of(operation), reply, CFS_DIAGNOSE_SETATTR_HANDLE);
    go_on(of(operation));
}

/* What it looks like is welcome; that it could not be asked is no error of the file's. */
static void on_attributes(struct cfs_operation *operation, const struct cfs_sftp_reply *reply)
{
    of(operation)->waiting--;
    if (reply->attributes)
        cfs_attributes_from_wire(reply->attributes, &operation->result.attributes);
    go_on(of(operation));
}

static void on_closed(struct cfs_operation *operation, const struct cfs_sftp_reply *reply)
{
    struct put_operation *self = of(operation);
    note_answer(self, reply, CFS_DIAGNOSE_CLOSE);
    self->closed = self->opened && !reply->error;
    go_on(self);
}

/* --- sending --- */

static bool send_writes(struct put_operation *self)
{
    struct cfs_operation *operation = &self->operation;
    size_t most = operation->pool->limits.write_size;
    for (size_t i = 0; i < self->count; i++) {
        size_t offset = i * most, left = self->length - offset;
        struct cfs_sftp_request *armed = cfs_step_arm_part(&self->writes[i], operation, on_written);
        if (!cfs_step_sent(&self->writes[i],
                           cfs_sftp_write(cfs_operation_client(operation), armed, &self->handle, offset,
                                          self->data + offset, (uint32_t)(left < most ? left : most))))
            return false;
    }
    return true;
}

static bool send_attributes(struct put_operation *self)
{
    struct cfs_operation *operation = &self->operation;
    struct cfs_sftp_client *client = cfs_operation_client(operation);
    bool is_ours = self->flags & O_EXCL && !(self->wire.flags & SSH_FILEXFER_ATTR_PERMISSIONS);
    struct cfs_sftp_attributes mode = {.flags = SSH_FILEXFER_ATTR_PERMISSIONS, .permissions = self->mode & 07777};
    if (is_ours) /* a server that does not keep modes is none that fails */
        (void)!cfs_sftp_fsetstat(client, NULL, &self->handle, &mode);
    if (self->wire.flags == 0)
        return true;
    self->waiting++;
    struct cfs_sftp_request *armed = cfs_step_arm(&operation->step[1], operation, on_set);
    return cfs_step_sent(&operation->step[1], cfs_sftp_fsetstat(client, armed, &self->handle, &self->wire));
}

/* All that goes by the handle. False: it has ended. */
static bool send_rest(struct put_operation *self)
{
    struct cfs_operation *operation = &self->operation;
    struct cfs_sftp_client *client = cfs_operation_client(operation);
    self->waiting = (unsigned)self->count + 2;
    if (!send_writes(self) || !send_attributes(self))
        return false;
    struct cfs_sftp_request *armed = cfs_step_arm(&operation->step[2], operation, on_attributes);
    if (!cfs_step_sent(&operation->step[2], cfs_sftp_fstat(client, armed, &self->handle)))
        return false;
    armed = cfs_step_arm(&operation->step[3], operation, on_closed);
    if (!cfs_step_sent(&operation->step[3], cfs_sftp_close(client, armed, &self->handle)))
        return false;
    self->to_close = false;
    return true;
}

static void on_opened(struct cfs_operation *operation, const struct cfs_sftp_reply *reply)
{
    struct put_operation *self = of(operation);
    if (reply->error) {
        self->refused = true;
        cfs_operation_give_up_steps(operation);
        cfs_operation_finish_reply(operation, reply);
        return;
    }
    self->opened = true;
    if (self->foreseen && is_same(&self->handle, reply->handle)) {
        go_on(self);
        return;
    }
    if (self->foreseen)
        give_up_foreseeing(operation->pool, "the server has given a file another handle than those before");
    cfs_operation_give_up_steps(operation);
    self->handle = *reply->handle;
    self->to_close = true;
    self->failed = false;
    if (self->on_put_lane && self->handle.length != FORESEEN_LENGTH)
        give_up_foreseeing(operation->pool, "the server's handles cannot be foreseen");
    cfs_operation_made_progress(operation);
    (void)send_rest(self);
}

static void start_put(struct cfs_operation *operation)
{
    struct put_operation *self = of(operation);
    struct cfs_pool *pool = operation->pool;
    struct cfs_sftp_attributes wire = {.flags = SSH_FILEXFER_ATTR_PERMISSIONS, .permissions = self->mode & 07777};
    want_lane(pool);
    self->on_put_lane = may_take_lane(pool);
    if (self->on_put_lane) {
        cfs_operation_take_lane(operation, put_lane(pool));
        self->foreseen = is_foreseeable(&pool->put);
        pool->put.learning |= !self->foreseen;
        self->handle = pool->put.handle;
    }
    struct cfs_sftp_request *armed = cfs_step_arm(&operation->step[0], operation, on_opened);
    self->sent = true;
    if (!cfs_step_sent(&operation->step[0], cfs_sftp_open(cfs_operation_client(operation), armed, operation->path,
                                                          cfs_open_wire_flags(self->flags), &wire)))
        return;
    if (self->foreseen)
        (void)send_rest(self);
}

/* With its connection all of it is closed. */
static void reset(struct cfs_operation *operation)
{
    struct put_operation *self = of(operation);
    if (self->on_put_lane && !self->foreseen)
        operation->pool->put.learning = false;
    self->on_put_lane = self->foreseen = self->sent = self->opened = self->to_close = false;
    self->closed = self->refused = self->failed = false;
    self->waiting = 0;
    operation->kind = cfs_open_kind(self->flags);
    cfs_operation_take_lane(operation, &operation->pool->lanes[0]);
}

/* What it has made, and perhaps written, and perhaps set the time of. */
static bool is_ours(const struct cfs_operation *operation, const struct cfs_remote_attributes *found)
{
    const struct put_operation *self = cfs_container_of(operation, const struct put_operation, operation);
    bool has_time = self->wire.flags & SSH_FILEXFER_ATTR_ACMODTIME && found->mtime == (int64_t)self->wire.mtime;
    return found->size <= self->length && (has_time || cfs_replay_is_of_that_time(operation, found));
}

/* It is there: the same once more, into that file. */
static void go_on_with_ours(struct cfs_operation *operation)
{
    reset(operation);
    of(operation)->flags = (of(operation)->flags & ~O_EXCL) | O_TRUNC;
    start_put(operation);
}

void cfs_pool_put(struct cfs_remote *remote, struct cfs_remote_call *call, const char *path, int flags, mode_t mode,
                  size_t length, const void *data, const struct cfs_remote_attributes *attributes)
{
    struct cfs_pool *pool = cfs_pool_of(remote);
    size_t most = pool->limits.write_size, count = length / most + (length % most != 0);
    struct put_operation *self =
        cfs_operation_new(pool, call, sizeof(*self) + count * sizeof(struct cfs_step), cfs_open_kind(flags), start_put);
    if (!self)
        return;
    self->operation.uncancellable = true;
    self->operation.ending = note_end;
    self->operation.reset = reset;
    self->operation.replay = CFS_REPLAY_LOOKED_UP;
    self->operation.is_ours = is_ours;
    self->operation.was_done = go_on_with_ours;
    self->operation.setting = attributes->valid;
    self->flags = flags;
    self->mode = mode;
    self->length = length;
    self->data = data;
    self->count = count;
    cfs_attributes_to_wire(attributes, &self->wire);
    cfs_operation_set_path(&self->operation, path);
    pthread_mutex_lock(&pool->lock);
    struct cfs_lane *lane = cfs_pool_choose_lane(pool, CFS_LANE_FOR_PATHS);
    pthread_mutex_unlock(&pool->lock);
    cfs_operation_submit(&self->operation, lane, length);
}

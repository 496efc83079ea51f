/* Reading and writing: a call is split into parts of the sizes that the server takes, all in flight at once.
 *
 * Reading. A part that comes back short is not yet the end of the file: servers before OpenSSH 8.6 cut reads at 64 KiB,
 * others at 32 KiB. It goes on with what is missing until the server says EOF. That last question costs a round trip at
 * the end of every file, and it is saved where the answer is certain enough: a server that tells its limits
 * (limits@openssh.com) gives a read of that size what one read(2) of the same size gave (sftp-server.c, process_read:
 * one read(2), no loop), and on a regular file read(2) is short only at the end of the file. Not believed even then: an
 * answer that ends before the size that we know, and one from a file of size 0 (/proc tells 0 and gives a page at a
 * time). A file that grows meanwhile: the end was where the answer says at the moment of the read(2), as for a local
 * reader.
 *
 * The result is what lies before the first part that is short. A part behind it may have data when the file grew
 * between the two; the next read will find it.
 *
 * Writing. All parts, or the first error; it completes when all are answered, so that nothing of it arrives afterwards.
 */
#include "remote/operation_priv.h"
#include "remote/pool_priv.h"
#include <errno.h>
#include <string.h>

struct data_part {
    struct cfs_step step;
    struct data_operation *self;
    uint64_t offset;
    uint32_t length, done;
    bool ended; /* complete, or at the end of the file */
};

struct data_operation {
    struct cfs_operation operation;
    struct cfs_remote_file *file;
    uint64_t offset;
    size_t length;
    uint8_t *destination;          /* reading: the caller's */
    uint8_t *data;                 /* writing: our copy */
    struct cfs_sftp_handle handle; /* by which it goes */
    enum cfs_direction direction;
    struct cfs_part part;
    struct cfs_marking marking; /* writing: may go in front */
    uint32_t status;            /* writing: of the first part that failed */
    bool failed;
    size_t waiting; /* parts not ended */
    size_t count;
    struct data_part parts[];
};

static struct data_operation *of(struct cfs_operation *operation)
{
    return cfs_container_of(operation, struct data_operation, operation);
}

static void dispose(struct cfs_operation *operation)
{
    free(of(operation)->data);
}

/* What was not concluded. */
static void on_end(struct cfs_operation *operation)
{
    cfs_marking_end(&of(operation)->marking);
    cfs_spread_done(&of(operation)->part, operation->lane, 0, false);
}

static void reset(struct cfs_operation *operation)
{
    struct data_operation *self = of(operation);
    on_end(operation);
    cfs_operation_take_lane(operation, self->file->lane);
    self->waiting = self->count;
    self->failed = false;
    for (size_t i = 0; i < self->count; i++) {
        self->parts[i].done = 0;
        self->parts[i].ended = false;
    }
    free(CFS_TAKE(operation->path));
}

/* A call with its parts; NULL if memory is short (then it has been taken care of). */
static struct data_operation *new_operation(struct cfs_remote *remote, struct cfs_remote_call *call,
                                            struct cfs_remote_file *file, uint64_t offset, size_t length,
                                            uint32_t part_size, enum cfs_diagnose_operation kind,
                                            enum cfs_ticket_kind ticket, void (*start)(struct cfs_operation *operation))
{
    size_t count = length / part_size + (length % part_size != 0);
    size_t size = sizeof(struct data_operation) + count * sizeof(struct data_part);
    struct data_operation *self = cfs_operation_new(cfs_pool_of(remote), call, size, kind, start);
    if (!self)
        return NULL;
    self->operation.dispose = dispose;
    self->operation.ending = on_end;
    self->operation.reset = reset;
    self->operation.replay = CFS_REPLAY_FREELY;
    self->direction = ticket == CFS_TICKET_READ ? CFS_DOWN : CFS_UP;
    self->file = file;
    self->offset = offset;
    self->length = length;
    self->count = self->waiting = count;
    for (size_t i = 0; i < count; i++) {
        size_t begin = i * part_size;
        self->parts[i].self = self;
        self->parts[i].offset = offset + begin;
        self->parts[i].length = length - begin < part_size ? (uint32_t)(length - begin) : part_size;
    }
    if (offset + length < offset || offset + length > INT64_MAX)
        cfs_operation_set_error(&self->operation, -EINVAL);
    cfs_operation_use_range(&self->operation, file, ticket, offset, length);
    return self;
}

/* The part whose step was answered: the operation is found from the step, the part is around it. */
static struct data_part *part_of(struct cfs_step *step)
{
    return cfs_container_of(step, struct data_part, step);
}

/* Takes the lane and the handle by which the bytes go. False: it has ended. */
static bool take_handle(struct data_operation *self)
{
    struct cfs_operation *operation = &self->operation;
    const struct cfs_ticket *ticket = &operation->tickets[0];
    struct cfs_lane *lane;
    const struct cfs_sftp_handle *handle =
        cfs_spread_choose(self->file, self->direction, self->length, ticket->must_take, &lane);
    if (!handle) {
        cfs_operation_lost(operation);
        return false;
    }
    if (self->direction == CFS_DOWN && lane == self->file->lane && cfs_hold_keeps(self->file, self->length)) {
        cfs_operation_wait(operation);
        return false;
    }
    self->handle = *handle;
    cfs_operation_take_lane(operation, lane);
    cfs_spread_sent(&self->part, lane, self->direction, self->length);
    return true;
}

/* The session of its stripe was lost: all of it goes again, by the file's own lane. Of writes, twice the same does no
 * harm: what they overlap waits until they are acknowledged. */
static void reroute(struct cfs_operation *operation)
{
    struct data_operation *self = of(operation);
    if (!cfs_file_is_current(self->file)) {
        cfs_operation_lost(operation);
        return;
    }
    cfs_operation_give_up_steps(operation);
    cfs_spread_done(&self->part, operation->lane, 0, false);
    self->waiting = self->count;
    for (size_t i = 0; i < self->count; i++)
        self->parts[i].done = 0;
    operation->tickets[0].must_take = self->file->lane;
    cfs_operation_made_progress(operation);
    operation->start(operation);
}

/* --- reading --- */

static void on_read(struct cfs_operation *operation, struct cfs_step *step, const struct cfs_sftp_reply *reply);

static bool send_read(struct data_part *part)
{
    struct data_operation *self = part->self;
    struct cfs_sftp_request *armed = cfs_step_arm_part(&part->step, &self->operation, on_read);
    armed->destination = self->destination + (part->offset - self->offset) + part->done;
    return cfs_step_sent(&part->step, cfs_sftp_read(cfs_operation_client(&self->operation), armed, &self->handle,
                                                    part->offset + part->done, part->length - part->done));
}

static bool is_certainly_the_end(const struct data_part *part)
{
    const struct cfs_remote_file *file = part->self->file;
    const struct cfs_sftp_limits *limits = &file->pool->limits;
    return limits->told && file->size_known && file->size > 0 && part->offset + part->done >= file->size;
}

static void conclude_read(struct data_operation *self)
{
    size_t length = 0;
    for (size_t i = 0; i < self->count; i++) {
        length += self->parts[i].done;
        if (self->parts[i].done < self->parts[i].length)
            break;
    }
    self->operation.result.length = length;
    cfs_spread_done(&self->part, self->operation.lane, length, true);
    cfs_operation_finish(&self->operation, 0);
}

static void on_read(struct cfs_operation *operation, struct cfs_step *step, const struct cfs_sftp_reply *reply)
{
    struct data_operation *self = of(operation);
    struct data_part *part = part_of(step);
    if (reply->error && reply->status != SSH_FX_EOF) {
        cfs_operation_give_up_steps(operation);
        cfs_operation_finish_reply(operation, reply);
        return;
    }
    if (!reply->error)
        part->done += (uint32_t)reply->data_length;
    if (!reply->error && part->done < part->length && !is_certainly_the_end(part)) {
        (void)!send_read(part);
        return;
    }
    if (--self->waiting == 0)
        conclude_read(self);
}

static void start_read(struct cfs_operation *operation)
{
    struct data_operation *self = of(operation);
    if (!take_handle(self))
        return;
    for (size_t i = 0; i < self->count; i++) {
        if (!send_read(&self->parts[i]))
            return;
    }
    if (self->count == 0)
        cfs_operation_finish(operation, 0);
}

void cfs_pool_read(struct cfs_remote *remote, struct cfs_remote_call *call, struct cfs_remote_file *file,
                   uint64_t offset, size_t length, void *destination)
{
    struct data_operation *self = new_operation(remote, call, file, offset, length, file->pool->limits.read_size,
                                                CFS_DIAGNOSE_READ, CFS_TICKET_READ, start_read);
    if (!self)
        return;
    self->operation.reroute = reroute;
    self->destination = destination;
    cfs_operation_submit(&self->operation, file->lane, length);
}

/* --- writing --- */

static void conclude_write(struct data_operation *self)
{
    struct cfs_operation *operation = &self->operation;
    if (!self->failed) {
        cfs_spread_done(&self->part, operation->lane, self->length, true);
        cfs_file_wrote(self->file, self->offset + self->length);
        cfs_operation_finish(operation, 0);
        return;
    }
    operation->path = cfs_file_path(self->file); /* of which file system to ask for space */
    cfs_operation_diagnose(operation, self->status);
}

static void on_written(struct cfs_operation *operation, struct cfs_step *step, const struct cfs_sftp_reply *reply)
{
    struct data_operation *self = of(operation);
    if (reply->error && !self->failed) {
        self->failed = true;
        self->status = reply->status;
    }
    if (--self->waiting == 0)
        conclude_write(self);
}

static void start_write(struct cfs_operation *operation)
{
    struct data_operation *self = of(operation);
    if (cfs_beginning_keeps(self->file, operation, self->length) || !take_handle(self))
        return;
    bool is_by_own = operation->lane == self->file->lane;
    cfs_file_writes(self->file, self->offset + self->length);
    if (is_by_own && cfs_mark_needs_write(self->file) && !cfs_marking_send(&self->marking, operation, self->file))
        return;
    for (size_t i = 0; i < self->count; i++) {
        struct data_part *part = &self->parts[i];
        struct cfs_sftp_request *armed = cfs_step_arm_part(&part->step, operation, on_written);
        if (!cfs_step_sent(&part->step,
                           cfs_sftp_write(cfs_operation_client(operation), armed, &self->handle, part->offset,
                                          self->data + (part->offset - self->offset), part->length)))
            return;
    }
    bool may_go_again = operation->lane->session > 0 || operation->pool->again.is_wanted;
    if (!may_go_again) {
        free(self->data);
        self->data = NULL;
    }
    if (self->count == 0)
        cfs_operation_finish(operation, 0);
}

void cfs_pool_write(struct cfs_remote *remote, struct cfs_remote_call *call, struct cfs_remote_file *file,
                    uint64_t offset, size_t length, const void *data)
{
    struct data_operation *self = new_operation(remote, call, file, offset, length, file->pool->limits.write_size,
                                                CFS_DIAGNOSE_WRITE, CFS_TICKET_WRITE, start_write);
    if (!self)
        return;
    self->operation.reroute = reroute;
    self->data = malloc(length ? length : 1);
    if (!self->data)
        cfs_operation_set_error(&self->operation, -ENOMEM);
    else if (length)
        memcpy(self->data, data, length);
    cfs_operation_submit(&self->operation, file->lane, length);
}

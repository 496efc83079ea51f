/* Copying on the server: copy-data between two handles of one lane.
 *
 * What has to be known of OpenSSH's (sftp-server.c, process_extended_copy_data): it refuses a copy within one file; a
 * copy that is cut short by the end of the source says OK or EOF, depending on where the end lies in its 64 KiB buffer;
 * and a write that fails in the last buffer (a full disk) says OK. Its word is therefore no proof. The proof is the
 * target's size, asked by FSTAT behind the copy, in the same round trip; it says something only where the copy makes
 * the target longer. So copies that would not are left to the caller (-EOPNOTSUPP), who reads and writes. cp(1) always
 * extends.
 *
 * The server does nothing else on that channel while it copies: long ranges go in pieces of CHUNK bytes, one after
 * another, each with a deadline of its own. Both files are at rest meanwhile (exclusive tickets). */
#include "remote/operation_priv.h"
#include "remote/pool_priv.h"
#include <errno.h>
#include <fcntl.h>

enum { CHUNK = 64 * 1024 * 1024 };

struct copy_operation {
    struct cfs_operation operation;
    struct cfs_remote_file *from, *to;
    uint64_t from_offset, to_offset;
    uint64_t length; /* as asked, then cut at the end of the source */
    uint64_t asked;  /* as asked */
    uint64_t done;
    uint64_t chunk; /* in flight */
    uint64_t from_size, to_size;
    unsigned waiting;
    uint32_t status; /* of the copy, or of an FSTAT that failed */
    int error;
};

static struct copy_operation *of(struct cfs_operation *operation)
{
    return cfs_container_of(operation, struct copy_operation, operation);
}

static void fail(struct copy_operation *self)
{
    if (self->error) {
        cfs_operation_finish(&self->operation, self->error);
        return;
    }
    self->operation.path = cfs_file_path(self->to);
    cfs_operation_diagnose(&self->operation, self->status);
}

static void send_chunk(struct copy_operation *self);

static void on_chunk(struct copy_operation *self)
{
    uint64_t expected = self->to_offset + self->done + self->chunk;
    if (self->error || self->to_size < expected) {
        /* Too short: for want of space, unless the server named another reason. */
        if (!self->error && (self->status == SSH_FX_OK || self->status == SSH_FX_EOF))
            self->status = SSH_FX_FAILURE;
        fail(self);
        return;
    }
    self->done += self->chunk;
    cfs_file_wrote(self->to, expected);
    self->to->size = self->to_size;
    self->to->size_known = true;
    if (self->done < self->length) {
        cfs_operation_made_progress(&self->operation);
        send_chunk(self);
        return;
    }
    self->operation.result.length = self->done;
    cfs_operation_finish(&self->operation, 0);
}

static void on_copied(struct cfs_operation *operation, const struct cfs_sftp_reply *reply)
{
    struct copy_operation *self = of(operation);
    self->status = reply->status;
    if (reply->status == SSH_FX_OP_UNSUPPORTED)
        self->error = -EOPNOTSUPP;
    if (--self->waiting == 0)
        on_chunk(self);
}

/* The size in a reply to FSTAT; 0 and an error without one. */
static uint64_t take_size(struct copy_operation *self, const struct cfs_sftp_reply *reply)
{
    if (reply->attributes && (reply->attributes->flags & SSH_FILEXFER_ATTR_SIZE))
        return reply->attributes->size;
    self->error = -EOPNOTSUPP;
    return 0;
}

static void on_new_size(struct cfs_operation *operation, const struct cfs_sftp_reply *reply)
{
    struct copy_operation *self = of(operation);
    self->to_size = take_size(self, reply);
    if (--self->waiting == 0)
        on_chunk(self);
}

static void send_chunk(struct copy_operation *self)
{
    struct cfs_operation *operation = &self->operation;
    struct cfs_sftp_client *client = cfs_operation_client(operation);
    struct cfs_step *step = operation->step;
    uint64_t left = self->length - self->done;
    self->chunk = left < CHUNK ? left : CHUNK;
    cfs_file_writes(self->to, self->to_offset + self->done + self->chunk);
    self->waiting = 2;
    struct cfs_sftp_request *armed = cfs_step_arm(&step[2], operation, on_copied);
    if (!cfs_step_sent(&step[2], cfs_sftp_copy_data(client, armed, &self->from->handle, self->from_offset + self->done,
                                                    self->chunk, &self->to->handle, self->to_offset + self->done)))
        return;
    armed = cfs_step_arm(&step[3], operation, on_new_size);
    (void)!cfs_step_sent(&step[3], cfs_sftp_fstat(client, armed, &self->to->handle));
}

/* Both sizes are known: is this a copy that can be proved? */
static void on_sizes(struct copy_operation *self)
{
    uint64_t available = self->from_size > self->from_offset ? self->from_size - self->from_offset : 0;
    if (self->length > available)
        self->length = available;
    if (self->error) {
        cfs_operation_finish(&self->operation, self->error);
    } else if (self->length == 0) {
        cfs_operation_finish(&self->operation, 0);
    } else {
        uint64_t first = self->length < CHUNK ? self->length : CHUNK;
        if (self->to_size >= self->to_offset + first)
            cfs_operation_finish(&self->operation, -EOPNOTSUPP);
        else
            send_chunk(self);
    }
}

static void on_from_size(struct cfs_operation *operation, const struct cfs_sftp_reply *reply)
{
    struct copy_operation *self = of(operation);
    self->from_size = take_size(self, reply);
    if (--self->waiting == 0)
        on_sizes(self);
}

static void on_to_size(struct cfs_operation *operation, const struct cfs_sftp_reply *reply)
{
    struct copy_operation *self = of(operation);
    self->to_size = take_size(self, reply);
    if (--self->waiting == 0)
        on_sizes(self);
}

static void start_copy(struct cfs_operation *operation)
{
    struct copy_operation *self = of(operation);
    struct cfs_sftp_client *client = cfs_operation_client(operation);
    struct cfs_step *step = operation->step;
    if (self->from->lane != self->to->lane) { /* by another connection than when it was asked for */
        cfs_operation_finish(operation, -EOPNOTSUPP);
        return;
    }
    self->waiting = 2;
    struct cfs_sftp_request *armed = cfs_step_arm(&step[0], operation, on_from_size);
    if (!cfs_step_sent(&step[0], cfs_sftp_fstat(client, armed, &self->from->handle)))
        return;
    armed = cfs_step_arm(&step[1], operation, on_to_size);
    (void)!cfs_step_sent(&step[1], cfs_sftp_fstat(client, armed, &self->to->handle));
}

/* From its beginning: what has been copied makes the target as long as it is to be, and then the caller copies. */
static void reset(struct cfs_operation *operation)
{
    struct copy_operation *self = of(operation);
    self->done = 0;
    self->error = 0;
    self->length = self->asked;
    free(CFS_TAKE(operation->path));
}

static int check(const struct copy_operation *self)
{
    if ((self->from->flags & O_ACCMODE) == O_WRONLY || (self->to->flags & O_ACCMODE) == O_RDONLY)
        return -EBADF;
    if (!cfs_pool_can(self->operation.pool, CFS_SFTP_COPY_DATA) || self->from->lane != self->to->lane ||
        self->from == self->to)
        return -EOPNOTSUPP;
    if (self->from_offset > INT64_MAX || self->to_offset > INT64_MAX || self->length > INT64_MAX - self->from_offset ||
        self->length > INT64_MAX - self->to_offset)
        return -EINVAL;
    return 0;
}

void cfs_pool_copy(struct cfs_remote *remote, struct cfs_remote_call *call, struct cfs_remote_file *from,
                   uint64_t from_offset, struct cfs_remote_file *to, uint64_t to_offset, size_t length)
{
    struct copy_operation *self =
        cfs_operation_new(cfs_pool_of(remote), call, sizeof(*self), CFS_DIAGNOSE_WRITE, start_copy);
    if (!self)
        return;
    self->from = from;
    self->to = to;
    self->from_offset = from_offset;
    self->to_offset = to_offset;
    self->length = self->asked = length;
    self->operation.reset = reset;
    self->operation.replay = CFS_REPLAY_FREELY;
    int error = check(self);
    if (error)
        cfs_operation_set_error(&self->operation, error);
    cfs_operation_use_file(&self->operation, from, CFS_TICKET_EXCLUSIVE);
    if (to != from)
        cfs_operation_use_file(&self->operation, to, CFS_TICKET_EXCLUSIVE);
    cfs_operation_submit(&self->operation, to->lane, 0);
}

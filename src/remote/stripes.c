/* Stripes: further handles of a large file, each on the lane of a further session (sessions.c), so that its bytes
 * travel by several connections. gate.c keeps the order where it matters.
 *
 * A stripe is opened by path, while bytes already move, and that is its danger: the name may lead to another file by
 * now, and parts of two files must never be mixed. SFTP tells no inode numbers. What tells is compared:
 *
 * - A file that is written: at rest (everything acknowledged, nothing sent), size, mtime, mode and owner must be the
 *   same by both handles. In the middle of writing, size and mtime are our own doing a moment ago: no other file has
 *   them.
 * - A file that is only read: the same, and what both handles read at two places, one of them random. And the mtime
 * must not be of the last seconds: two versions of one file in one second have the same.
 *
 * In doubt a file is not striped, and is read and written by its own handle alone.
 *
 * By which of its handles a part of a file goes: spread.c. */
#include "base/log.h"
#include "remote/pool_priv.h"
#include "sftp/protocol.h"
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/random.h>
#include <sys/stat.h>
#include <time.h>

/* In pieces of bulk data: */
enum {
    ENOUGH = 32, /* so many must have moved, */
    FEW = 1,     /* or one, of a file that is known */
    LARGE = 128, /* to be so large */
};

enum {
    RECENT_S = 3, /* an mtime that could come again */
    SAMPLE = 4096,
    SAMPLES = 2,
};

enum { OWN, OTHER, SIDES };

struct opening {
    struct cfs_operation operation;
    struct cfs_remote_file *file;
    struct cfs_lane *lane;
    unsigned generation;
    bool has_asked;  /* for the handle */
    bool has_handle; /* and the file does not have it */
    struct cfs_sftp_handle handle;
    /* The comparison. */
    struct cfs_step asked[SIDES][1 + SAMPLES];
    unsigned waiting;
    bool asked_other; /* the last to be asked */
    struct cfs_remote_attributes attributes[SIDES];
    uint64_t offset[SAMPLES];
    size_t length[SIDES][SAMPLES];
    uint8_t bytes[SIDES][SAMPLES][SAMPLE];
};

static struct opening *of(struct cfs_operation *operation)
{
    return cfs_container_of(operation, struct opening, operation);
}

static bool is_written(const struct cfs_remote_file *file)
{
    return (file->flags & O_ACCMODE) != O_RDONLY;
}

static bool is_up(const struct cfs_lane *lane, unsigned generation)
{
    return cfs_lane_is_up(lane) && lane->generation == generation;
}

bool cfs_stripe_is_up(const struct cfs_stripe *stripe)
{
    return stripe->lane && is_up(stripe->lane, stripe->generation);
}

/* --- comparing --- */

static bool is_same_file(const struct opening *self)
{
    const struct cfs_remote_attributes *own = &self->attributes[OWN], *other = &self->attributes[OTHER];
    const unsigned needed = CFS_REMOTE_SIZE | CFS_REMOTE_TIMES | CFS_REMOTE_MODE | CFS_REMOTE_OWNER;
    if ((own->valid & other->valid & needed) != needed || !S_ISREG(own->mode))
        return false;
    if (own->size != other->size || own->mtime != other->mtime || own->mode != other->mode || own->uid != other->uid ||
        own->gid != other->gid)
        return false;
    for (int i = 0; i < SAMPLES; i++) {
        if (self->length[OWN][i] != self->length[OTHER][i] ||
            memcmp(self->bytes[OWN][i], self->bytes[OTHER][i], self->length[OWN][i]) != 0)
            return false;
    }
    return true;
}

/* By our clock; the server's need not agree: what is left then are the samples. */
static bool is_recent(const struct opening *self)
{
    return !is_written(self->file) && self->attributes[OWN].mtime + RECENT_S > time(NULL);
}

static void adopt(struct opening *self)
{
    struct cfs_remote_file *file = self->file;
    struct cfs_stripe *stripe = file->stripes;
    while (stripe < file->stripes + file->stripe_count && cfs_stripe_is_up(stripe))
        stripe++;
    if (stripe == file->stripes + CFS_STRIPES_MAX)
        return;
    file->stripe_count += stripe == file->stripes + file->stripe_count;
    *stripe = (struct cfs_stripe){.lane = self->lane, .generation = self->generation, .handle = self->handle};
    self->has_handle = false;
    file->gate.striped = true;
    pthread_mutex_lock(&file->pool->lock);
    self->lane->open_files++;
    pthread_mutex_unlock(&file->pool->lock);
}

static void judge(struct opening *self)
{
    struct cfs_remote_file *file = self->file;
    bool same = is_same_file(self);
    if (same && is_recent(self)) {
        file->stripe_at = 2 * file->moved;
    } else if (same) {
        adopt(self);
    } else {
        file->not_to_stripe = true;
        cfs_log_debug("pool", "what a path leads to may be another file by now: it is not striped");
    }
    cfs_operation_finish(&self->operation, 0);
}

static void on_compared(struct cfs_operation *operation, struct cfs_step *step, const struct cfs_sftp_reply *reply)
{
    struct opening *self = of(operation);
    int side = step >= self->asked[OTHER] ? OTHER : OWN;
    long what = step - self->asked[side];
    if (reply->attributes)
        cfs_attributes_from_wire(reply->attributes, &self->attributes[side]);
    if (what > 0)
        self->length[side][what - 1] = reply->error ? 0 : reply->data_length;
    if (--self->waiting == 0 && self->asked_other)
        judge(self);
}

/* By one of the two handles. False: the operation has ended. */
static bool ask(struct opening *self, int side, struct cfs_lane *lane, const struct cfs_sftp_handle *handle)
{
    struct cfs_operation *operation = &self->operation;
    struct cfs_step *step = self->asked[side];
    self->asked_other = side == OTHER;
    struct cfs_sftp_request *armed = cfs_step_arm_on(&step[0], operation, lane, on_compared);
    self->waiting++;
    if (!cfs_step_sent(&step[0], cfs_sftp_fstat(lane->client, armed, handle)))
        return false;
    for (int i = 0; i < SAMPLES && !is_written(self->file); i++) {
        armed = cfs_step_arm_on(&step[1 + i], operation, lane, on_compared);
        armed->destination = self->bytes[side][i];
        self->waiting++;
        if (!cfs_step_sent(&step[1 + i], cfs_sftp_read(lane->client, armed, handle, self->offset[i], SAMPLE)))
            return false;
    }
    return true;
}

static void ask_other(struct opening *self)
{
    if (is_up(self->lane, self->generation))
        (void)!ask(self, OTHER, self->lane, &self->handle);
    else
        cfs_operation_finish(&self->operation, -EAGAIN);
}

/* False: the operation has ended. */
static bool ask_own(struct opening *self)
{
    struct cfs_remote_file *file = self->file;
    uint64_t random = 0, size = file->size_known && file->size > SAMPLE ? file->size : SAMPLE;
    if (!cfs_lane_is_up(file->lane) || getrandom(&random, sizeof(random), GRND_NONBLOCK) < 0) {
        cfs_operation_finish(&self->operation, -EAGAIN);
        return false;
    }
    self->offset[0] = random % size;
    self->offset[1] = size - SAMPLE;
    return ask(self, OWN, file->lane, &file->handle);
}

/* A file that is written, at rest. */
static void start_comparison(struct cfs_operation *operation)
{
    if (ask_own(of(operation)))
        ask_other(of(operation));
}

/* --- opening: what the own handle of a file that is only read says is asked for meanwhile --- */

static void on_opened(struct cfs_operation *operation, const struct cfs_sftp_reply *reply)
{
    struct opening *self = of(operation);
    struct cfs_remote_file *file = self->file;
    if (reply->error) {
        file->not_to_stripe = true;
        cfs_operation_finish(operation, reply->error);
        return;
    }
    self->handle = *reply->handle;
    self->has_handle = true;
    if (!is_written(file))
        ask_other(self);
    else if (!cfs_operation_queue_again(operation, file, CFS_TICKET_LOOK, start_comparison))
        cfs_operation_finish(operation, -EBUSY);
}

static void start_opening(struct cfs_operation *operation)
{
    static const uint32_t access[] = {
        [O_RDONLY] = SSH_FXF_READ, [O_WRONLY] = SSH_FXF_WRITE, [O_RDWR] = SSH_FXF_READ | SSH_FXF_WRITE};
    static const struct cfs_sftp_attributes none;
    struct cfs_step *step = &operation->step[0];
    struct cfs_remote_file *file = of(operation)->file;
    int flags = file->flags & O_ACCMODE;
    struct cfs_sftp_request *armed = cfs_step_arm(step, operation, on_opened);
    if (!cfs_step_sent(step, cfs_sftp_open(cfs_operation_client(operation), armed, operation->path,
                                           access[flags == O_ACCMODE ? O_RDWR : flags], &none)))
        return;
    of(operation)->has_asked = true;
    cfs_hold_asked(file);
    if (flags == O_RDONLY)
        (void)!ask_own(of(operation));
}

static void dispose(struct cfs_operation *operation)
{
    struct opening *self = of(operation);
    if (self->has_handle && is_up(self->lane, self->generation))
        cfs_lane_discard(self->lane, &self->handle);
}

static void on_end(struct cfs_operation *operation)
{
    struct opening *self = of(operation);
    if (!self->has_asked)
        cfs_hold_asked(self->file);
    if (--self->file->stripes_coming == 0)
        cfs_hold_end(self->file);
}

static void on_done(struct cfs_remote_call *call)
{
    free(call);
}

static void open_stripe(struct cfs_remote_file *file, struct cfs_lane *lane)
{
    struct cfs_remote_call *call = calloc(1, sizeof(*call));
    char *path = cfs_file_path(file);
    if (!call || !path) {
        free(call);
        free(path);
        return;
    }
    call->done = on_done;
    struct opening *self = cfs_operation_new(file->pool, call, sizeof(*self), CFS_DIAGNOSE_OPEN, start_opening);
    if (!self) {
        free(path);
        return;
    }
    self->file = file;
    self->lane = lane;
    self->generation = lane->generation;
    self->operation.path = path;
    self->operation.dispose = dispose;
    self->operation.ending = on_end;
    file->stripes_coming++;
    cfs_operation_use_file(&self->operation, file, CFS_TICKET_ASIDE);
    cfs_operation_enter(&self->operation);
    cfs_operation_submit(&self->operation, lane, 0);
}

/* --- which lanes --- */

static bool has_stripe_on(const struct cfs_remote_file *file, const struct cfs_lane *lane)
{
    for (unsigned i = 0; i < file->stripe_count; i++) {
        if (file->stripes[i].lane == lane && cfs_stripe_is_up(&file->stripes[i]))
            return true;
    }
    return false;
}

static unsigned count_stripes(const struct cfs_remote_file *file)
{
    unsigned count = 0;
    for (unsigned i = 0; i < file->stripe_count; i++)
        count += cfs_stripe_is_up(&file->stripes[i]);
    return count;
}

/* Is it worth while, and is there anything to be had? */
void cfs_stripes_consider(struct cfs_remote_file *file, size_t length)
{
    file->moved += length;
    const size_t piece = file->pool->bulk_piece;
    bool is_large = !is_written(file) && file->size_known && file->size >= LARGE * piece;
    uint64_t worth = (is_large ? FEW : ENOUGH) * piece;
    if (file->not_to_stripe || file->moved < file->stripe_at || file->moved < worth)
        return;
    cfs_sessions_want(file->pool);
    /* A close that waits ends the file when its turn has come. */
    if (file->stripes_coming > 0 || cfs_gate_somebody_waits(&file->gate, CFS_TICKET_ASIDE))
        return;
    unsigned count = count_stripes(file);
    /* Each look at a file that is written costs it a rest: the later ones together. */
    if (is_written(file) && count > 0 && file->pool->sessions_coming > 0)
        return;
    bool is_first = count == 0;
    for (unsigned i = file->pool->lanes_wanted; i < CFS_LANES_MAX && count < CFS_STRIPES_MAX; i++) {
        struct cfs_lane *lane = &file->pool->lanes[i];
        if (!is_up(lane, lane->generation) || has_stripe_on(file, lane))
            continue;
        open_stripe(file, lane);
        count++;
    }
    if (is_first && !is_written(file))
        cfs_hold_begin(file, file->stripes_coming);
}

static void forget(struct cfs_remote_file *file, struct cfs_stripe *stripe)
{
    pthread_mutex_lock(&file->pool->lock);
    stripe->lane->open_files--;
    pthread_mutex_unlock(&file->pool->lock);
    stripe->lane = NULL;
}

bool cfs_stripe_close(struct cfs_remote_file *file, unsigned number, struct cfs_lane **ret_lane,
                      struct cfs_sftp_handle *ret_handle)
{
    struct cfs_stripe *stripe = &file->stripes[number];
    if (number >= file->stripe_count || !cfs_stripe_is_up(stripe))
        return false;
    *ret_lane = stripe->lane;
    *ret_handle = stripe->handle;
    forget(file, stripe);
    return true;
}

void cfs_stripes_discard(struct cfs_remote_file *file)
{
    struct cfs_lane *lane;
    struct cfs_sftp_handle handle;
    for (unsigned i = 0; i < file->stripe_count; i++) {
        if (cfs_stripe_close(file, i, &lane, &handle))
            cfs_lane_discard(lane, &handle);
    }
}

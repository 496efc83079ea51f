/* Stripes of a file before its first large write.
 *
 * What is sent while a file has no stripes goes by one connection, which is slow while it is new. So the first large
 * write of an empty file waits a moment, to see whether much follows it; if so, it waits for the stripes, too.
 *
 * That a stripe's handle leads to this file is told by a mark that only we can have made: an mtime at random, set by
 * the file's own handle, and seen by the other. The write that waits replaces it.
 *
 * All this holds a ticket in front of that write's, so that nothing of the file is under way. It ends after a few
 * round trips, whatever is missing. */
#include "remote/look.h"
#include "remote/pool_priv.h"
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/random.h>
#include <sys/stat.h>
#include <time.h>

enum { GATHER_MS = 5, MUCH = 768 * 1024, ROUND_TRIPS = 4, LEAST_MS = 500, MARK_BITS = 24 };

struct candidate {
    struct cfs_lane *lane;
    unsigned generation;
    struct cfs_step step;
    bool has_handle;
    struct cfs_sftp_handle handle;
    bool is_marked; /* the file that the handle leads to */
};

struct beginning {
    struct cfs_operation operation;
    struct cfs_remote_file *file;
    struct cfs_timer timer;
    uint32_t mark;
    struct cfs_step marking;
    bool has_marked;
    unsigned waiting; /* for so many answers */
    unsigned count;
    struct candidate candidates[CFS_STRIPES_MAX];
};

static struct beginning *of(struct cfs_operation *operation)
{
    return cfs_container_of(operation, struct beginning, operation);
}

static bool is_up(const struct candidate *candidate)
{
    return cfs_lane_is_up(candidate->lane) && candidate->lane->generation == candidate->generation;
}

static struct candidate *candidate_of(struct beginning *self, const struct cfs_step *step)
{
    struct candidate *candidate = self->candidates;
    while (&candidate->step != step)
        candidate++;
    return candidate;
}

/* --- the other handles look --- */

static void adopt_marked(struct beginning *self)
{
    for (unsigned i = 0; i < self->count; i++) {
        struct candidate *candidate = &self->candidates[i];
        if (candidate->is_marked && is_up(candidate))
            candidate->has_handle =
                !cfs_stripe_adopt(self->file, candidate->lane, candidate->generation, &candidate->handle);
    }
    cfs_operation_finish(&self->operation, 0);
}

static void on_looked(struct cfs_operation *operation, struct cfs_step *step, const struct cfs_sftp_reply *reply)
{
    struct beginning *self = of(operation);
    struct cfs_remote_attributes attributes = {0};
    if (reply->attributes)
        cfs_attributes_from_wire(reply->attributes, &attributes);
    const unsigned needed = CFS_REMOTE_SIZE | CFS_REMOTE_TIMES | CFS_REMOTE_MODE;
    candidate_of(self, step)->is_marked = (attributes.valid & needed) == needed && S_ISREG(attributes.mode) &&
                                          attributes.size == 0 && attributes.mtime == (int64_t)self->mark;
    if (--self->waiting == 0)
        adopt_marked(self);
}

static void look(struct beginning *self)
{
    struct cfs_operation *operation = &self->operation;
    self->waiting = 1; /* ours, until all are asked */
    for (unsigned i = 0; i < self->count; i++) {
        struct candidate *candidate = &self->candidates[i];
        if (!candidate->has_handle || !is_up(candidate))
            continue;
        struct cfs_sftp_request *armed = cfs_step_arm_on(&candidate->step, operation, candidate->lane, on_looked);
        self->waiting++;
        if (!cfs_step_sent(&candidate->step, cfs_sftp_fstat(candidate->lane->client, armed, &candidate->handle)))
            return;
    }
    if (--self->waiting == 0)
        cfs_operation_finish(operation, 0);
}

/* --- marking, and opening --- */

static void answered(struct beginning *self)
{
    if (--self->waiting > 0)
        return;
    if (self->has_marked)
        look(self);
    else
        cfs_operation_finish(&self->operation, 0);
}

static void on_marked(struct cfs_operation *operation, struct cfs_step *step, const struct cfs_sftp_reply *reply)
{
    (void)step;
    of(operation)->has_marked = reply->error == 0;
    answered(of(operation));
}

static void on_opened(struct cfs_operation *operation, struct cfs_step *step, const struct cfs_sftp_reply *reply)
{
    struct candidate *candidate = candidate_of(of(operation), step);
    candidate->has_handle = reply->error == 0 && reply->handle;
    if (candidate->has_handle)
        candidate->handle = *reply->handle;
    answered(of(operation));
}

/* By the server's clock the time is about ours: the mark looks like an old time, should somebody see it. False: the
 * operation has ended. */
static bool mark(struct beginning *self)
{
    struct cfs_remote_file *file = self->file;
    uint32_t random, now = (uint32_t)time(NULL);
    if (!cfs_lane_is_up(file->lane) || getrandom(&random, sizeof(random), GRND_NONBLOCK) < 0) {
        cfs_operation_finish(&self->operation, -EAGAIN);
        return false;
    }
    self->mark = now - (random & ((1u << MARK_BITS) - 1)) - 1;
    const struct cfs_sftp_attributes attributes = {
        .flags = SSH_FILEXFER_ATTR_ACMODTIME, .atime = now, .mtime = self->mark};
    struct cfs_sftp_request *armed = cfs_step_arm_on(&self->marking, &self->operation, file->lane, on_marked);
    self->waiting++;
    return cfs_step_sent(&self->marking, cfs_sftp_fsetstat(file->lane->client, armed, &file->handle, &attributes));
}

static void open_all(struct beginning *self)
{
    static const struct cfs_sftp_attributes none;
    struct cfs_remote_file *file = self->file;
    uint32_t access = SSH_FXF_WRITE | ((file->flags & O_ACCMODE) == O_RDWR ? SSH_FXF_READ : 0);
    struct cfs_lane *lane;
    if (!mark(self))
        return;
    for (unsigned i = 0; (lane = cfs_stripes_lane(file, i)) && self->count < CFS_STRIPES_MAX; i++) {
        struct candidate *candidate = &self->candidates[self->count++];
        candidate->lane = lane;
        candidate->generation = lane->generation;
        struct cfs_sftp_request *armed = cfs_step_arm_on(&candidate->step, &self->operation, lane, on_opened);
        self->waiting++;
        if (!cfs_step_sent(&candidate->step, cfs_sftp_open(lane->client, armed, self->operation.path, access, &none)))
            return;
    }
}

/* --- gathering --- */

static uint64_t bytes_waiting(const struct cfs_gate *gate)
{
    const struct cfs_list *link;
    uint64_t sum = 0;
    cfs_list_each (link, &gate->tickets) {
        const struct cfs_ticket *ticket = cfs_container_of(link, struct cfs_ticket, link);
        if (ticket->kind == CFS_TICKET_WRITE && ticket->end != UINT64_MAX)
            sum += ticket->end - ticket->offset;
    }
    return sum;
}

static void on_too_late(struct cfs_timer *timer)
{
    cfs_operation_finish(&cfs_container_of(timer, struct beginning, timer)->operation, 0);
}

static void on_gathered(struct cfs_timer *timer)
{
    struct beginning *self = cfs_container_of(timer, struct beginning, timer);
    struct cfs_pool *pool = self->file->pool;
    if (bytes_waiting(&self->file->gate) < MUCH) {
        cfs_operation_finish(&self->operation, 0);
        return;
    }
    cfs_sessions_want(pool);
    timer->expired = on_too_late;
    cfs_loop_start_timer(pool->loop, timer, ROUND_TRIPS * cfs_pool_round_trip_ms(pool) + LEAST_MS);
    open_all(self);
}

static void start(struct cfs_operation *operation)
{
    struct beginning *self = of(operation);
    self->timer.expired = on_gathered;
    cfs_loop_start_timer(operation->pool->loop, &self->timer, GATHER_MS);
}

static void on_end(struct cfs_operation *operation)
{
    cfs_loop_stop_timer(operation->pool->loop, &of(operation)->timer);
}

static void dispose(struct cfs_operation *operation)
{
    struct beginning *self = of(operation);
    for (unsigned i = 0; i < self->count; i++) {
        if (self->candidates[i].has_handle && is_up(&self->candidates[i]))
            cfs_lane_discard(self->candidates[i].lane, &self->candidates[i].handle);
    }
}

static void on_done(struct cfs_remote_call *call)
{
    free(call);
}

bool cfs_beginning_keeps(struct cfs_remote_file *file, struct cfs_operation *write, size_t length)
{
    bool is_first = !file->has_begun && length >= file->pool->bulk_piece;
    if (!is_first)
        return false;
    file->has_begun = true;
    if (file->moved > 0 || !file->size_known || file->size > 0 || !cfs_stripes_lane(file, 0))
        return false;
    struct cfs_remote_call *call = calloc(1, sizeof(*call));
    char *path = cfs_file_path(file);
    struct beginning *self = NULL;
    if (call && path) {
        call->done = on_done;
        self = cfs_operation_new(file->pool, call, sizeof(*self), CFS_DIAGNOSE_OPEN, start);
        call = NULL; /* taken care of */
    }
    if (!self) {
        free(call);
        free(path);
        return false;
    }
    self->file = file;
    self->operation.path = path;
    self->operation.ending = on_end;
    self->operation.dispose = dispose;
    cfs_operation_use_file(&self->operation, file, CFS_TICKET_EXCLUSIVE);
    cfs_operation_wait(write);
    cfs_operation_enter_before(&self->operation, &write->tickets[0]);
    cfs_operation_submit(&self->operation, file->lane, 0);
    return true;
}

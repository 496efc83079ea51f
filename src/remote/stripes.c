/* Stripes: further handles of a large file, each on the lane of a further session (sessions.c), so that its bytes
 * travel by several connections. gate.c keeps the order where it matters.
 *
 * A stripe is opened by path, while bytes already move, and that is its danger: the name may lead to another file by
 * now, and parts of two files must never be mixed. SFTP tells no inode numbers. What tells is compared:
 *
 * - A file that is written has a mark, which the other handle must see (mark.c).
 * - Of a file that is only read, size, mtime, mode and owner must be the same by both handles, and what both read at
 * two places, one of them random. And the mtime must not be of the last seconds: two versions of one file in one second
 *   have the same.
 *
 * In doubt a file is not striped, and is read and written by its own handle alone.
 *
 * By which of its handles a part of a file goes: spread.c. */
#include "base/log.h"
#include "remote/look.h"
#include "remote/pool_priv.h"
#include "sftp/protocol.h"
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <time.h>

/* In pieces of bulk data: */
enum {
    ENOUGH = 32, /* so many must have moved, */
    FEW = 1,     /* or one, of a file that is known */
    LARGE = 128, /* to be so large */
    BEGINNING = 4,
};

enum { CHANNEL_MS = 15 };
enum { RECENT_S = 3 /* an mtime that could come again */ };

/* What the own handle of a file that is only read says: asked for once, when it is begun to be read. */
struct cfs_own_look {
    uint64_t places[CFS_LOOK_PLACES];
    struct cfs_look look;
    bool is_known;
};

/* Asking for that. */
struct own_asking {
    struct cfs_operation operation;
    struct cfs_remote_file *file;
};

struct opening {
    struct cfs_operation operation;
    struct cfs_remote_file *file;
    struct cfs_lane *lane;
    unsigned generation;
    bool has_asked;  /* for the handle */
    bool has_handle; /* and the file does not have it */
    struct cfs_sftp_handle handle;
    struct cfs_look look;
    struct cfs_list link; /* file->undecided, when only what the own handle says, or the mark, is missing */
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

/* By our clock; the server's need not agree: what is left then is what was read. */
static bool is_recent(const struct opening *self)
{
    return !is_written(self->file) && self->look.attributes.mtime + RECENT_S > time(NULL);
}

bool cfs_stripe_adopt(struct cfs_remote_file *file, struct cfs_lane *lane, unsigned generation,
                      const struct cfs_sftp_handle *handle)
{
    struct cfs_stripe *stripe = file->stripes;
    while (stripe < file->stripes + file->stripe_count && cfs_stripe_is_up(stripe))
        stripe++;
    if (stripe == file->stripes + CFS_STRIPES_MAX)
        return false;
    file->stripe_count += stripe == file->stripes + file->stripe_count;
    *stripe = (struct cfs_stripe){.lane = lane, .generation = generation, .handle = *handle};
    file->gate.striped = true;
    pthread_mutex_lock(&file->pool->lock);
    lane->open_files++;
    pthread_mutex_unlock(&file->pool->lock);
    return true;
}

static void judge(struct opening *self)
{
    struct cfs_remote_file *file = self->file;
    bool same = is_written(file) ? cfs_mark_is_seen(file, &self->look.attributes)
                                 : cfs_looks_agree(&file->own->look, &self->look);
    if (same && is_recent(self)) {
        file->stripe_at = 2 * file->moved;
    } else if (same) {
        self->has_handle = !cfs_stripe_adopt(file, self->lane, self->generation, &self->handle);
    } else {
        file->not_to_stripe = true;
        cfs_log_debug("pool", "what a path leads to may be another file by now: it is not striped");
    }
    cfs_operation_finish(&self->operation, 0);
}

static void on_looked(struct cfs_operation *operation, struct cfs_step *step, const struct cfs_sftp_reply *reply)
{
    struct opening *self = of(operation);
    cfs_look_note(&self->look, step, reply);
    if (self->look.waiting > 0)
        return;
    if (is_written(self->file) || self->file->own->is_known)
        judge(self);
    else
        cfs_list_push_back(&self->file->undecided, &self->link);
}

static void look(struct opening *self)
{
    const uint64_t *places = is_written(self->file) ? NULL : self->file->own->places;
    if (is_up(self->lane, self->generation))
        (void)!cfs_look_ask(&self->look, &self->operation, self->lane, &self->handle, places, on_looked);
    else
        cfs_operation_finish(&self->operation, -EAGAIN);
}

/* --- the mark of a file that is written --- */

static void look_for_mark(struct opening *self)
{
    struct cfs_remote_file *file = self->file;
    if (file->mark.state == CFS_MARK_SET)
        look(self);
    else if (file->mark.state == CFS_MARK_WANTED || file->mark.state == CFS_MARK_SENT)
        cfs_list_push_back(&file->undecided, &self->link);
    else
        cfs_operation_finish(&self->operation, -EAGAIN);
}

void cfs_stripes_marked(struct cfs_remote_file *file)
{
    struct cfs_list *link;
    while ((link = cfs_list_pop_front(&file->undecided)))
        look_for_mark(cfs_container_of(link, struct opening, link));
}

/* --- what the own handle of a file that is only read says --- */

static void on_own_look(struct cfs_operation *operation, struct cfs_step *step, const struct cfs_sftp_reply *reply)
{
    struct cfs_own_look *own = cfs_container_of(operation, struct own_asking, operation)->file->own;
    cfs_look_note(&own->look, step, reply);
    own->is_known = own->look.waiting == 0;
    if (own->is_known)
        cfs_operation_finish(operation, 0);
}

static void start_asking(struct cfs_operation *operation)
{
    struct cfs_remote_file *file = cfs_container_of(operation, struct own_asking, operation)->file;
    if (!cfs_lane_is_up(file->lane))
        cfs_operation_finish(operation, -EAGAIN);
    else if (cfs_look_ask(&file->own->look, operation, file->lane, &file->handle, file->own->places, on_own_look)) {
        file->own_asked = true;
        cfs_hold_asked(file);
    }
}

static void asking_ends(struct cfs_operation *operation)
{
    struct cfs_remote_file *file = cfs_container_of(operation, struct own_asking, operation)->file;
    struct cfs_list *link;
    bool is_known = file->own->is_known;
    if (!is_known) {
        file->not_to_stripe = true;
        if (file->stripes_coming == 0)
            cfs_hold_end(file);
    }
    while ((link = cfs_list_pop_front(&file->undecided))) {
        struct opening *opening = cfs_container_of(link, struct opening, link);
        if (is_known)
            judge(opening);
        else
            cfs_operation_finish(&opening->operation, -EAGAIN);
    }
}

static void on_done(struct cfs_remote_call *call)
{
    free(call);
}

/* An operation of SIZE bytes on FILE, which needs it to stay open. NULL without memory. */
static void *new_aside(struct cfs_remote_file *file, size_t size, void (*start)(struct cfs_operation *operation),
                       void (*ending)(struct cfs_operation *operation))
{
    struct cfs_remote_call *call = calloc(1, sizeof(*call));
    if (!call)
        return NULL;
    call->done = on_done;
    struct cfs_operation *operation = cfs_operation_new(file->pool, call, size, CFS_DIAGNOSE_OPEN, start);
    if (!operation)
        return NULL;
    operation->ending = ending;
    cfs_operation_use_file(operation, file, CFS_TICKET_ASIDE);
    return operation;
}

/* False: this file will have no stripes. */
static bool ask_own(struct cfs_remote_file *file)
{
    struct own_asking *asking = NULL;
    if (file->own)
        return true;
    file->own = calloc(1, sizeof(*file->own));
    if (file->own && cfs_look_choose(file->size, file->own->places) == 0)
        asking = new_aside(file, sizeof(*asking), start_asking, asking_ends);
    file->not_to_stripe = !asking;
    if (!asking)
        return false;
    asking->file = file;
    cfs_operation_enter(&asking->operation);
    cfs_operation_submit(&asking->operation, file->lane, 0);
    return true;
}

/* --- opening --- */

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
    if (is_written(file))
        look_for_mark(self);
    else
        look(self);
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
    cfs_list_remove(&self->link);
    if (--self->file->stripes_coming > 0)
        return;
    cfs_hold_end(self->file);
    cfs_mark_end(self->file);
}

static void open_stripe(struct cfs_remote_file *file, struct cfs_lane *lane)
{
    char *path = cfs_file_path(file);
    struct opening *self = path ? new_aside(file, sizeof(*self), start_opening, on_end) : NULL;
    if (!self) {
        free(path);
        return;
    }
    self->file = file;
    self->lane = lane;
    self->generation = lane->generation;
    self->operation.path = path;
    self->operation.dispose = dispose;
    cfs_list_init(&self->link);
    file->stripes_coming++;
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

/* Of what is written, sshd takes 2 MiB a channel a round trip. Over distance one more channel of the file's own session
 * carries more, then, and it is there without a login. What is read is not held up so, nor is it nearby. */
static bool needs_channels(const struct cfs_remote_file *file)
{
    return is_written(file) && cfs_pool_round_trip_ms(file->pool) >= CHANNEL_MS;
}

struct cfs_lane *cfs_stripes_lane(const struct cfs_remote_file *file, unsigned number)
{
    struct cfs_pool *pool = file->pool;
    for (unsigned i = pool->lanes_wanted; i < CFS_LANES_MAX; i++) {
        if (cfs_lane_is_up(&pool->lanes[i]) && number-- == 0)
            return &pool->lanes[i];
    }
    for (unsigned i = 1; i < pool->lanes_wanted && needs_channels(file); i++) {
        if (cfs_lane_is_up(&pool->lanes[i]) && &pool->lanes[i] != file->lane && number-- == 0)
            return &pool->lanes[i];
    }
    return NULL;
}

static void open_stripes(struct cfs_remote_file *file)
{
    struct cfs_lane *lane;
    unsigned count = count_stripes(file);
    for (unsigned i = 0; (lane = cfs_stripes_lane(file, i)) && count < CFS_STRIPES_MAX; i++) {
        if (has_stripe_on(file, lane))
            continue;
        open_stripe(file, lane);
        count++;
    }
}

static bool is_lane_starting(const struct cfs_pool *pool)
{
    for (unsigned i = pool->lanes_wanted; i < CFS_LANES_MAX; i++) {
        if (pool->lanes[i].state == CFS_LANE_STARTING)
            return true;
    }
    return false;
}

/* What is read from now on waits for the stripes that were opened, or could be in a moment. */
static void hold(struct cfs_remote_file *file)
{
    if (file->stripes_coming > 0) {
        cfs_hold_begin(file, file->stripes_coming + !file->own_asked);
    } else if (!file->hold.for_lane && is_lane_starting(file->pool)) {
        file->hold.for_lane = true;
        cfs_hold_begin_for_lane(file);
    }
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
    if (!cfs_sessions_may_be_more(file->pool) && !cfs_stripes_lane(file, 0))
        return;
    /* A close that waits ends the file when its turn has come: nothing more may wait behind it. */
    if (file->gate.exclusive > 0 || (!is_written(file) && !ask_own(file)))
        return;
    if (file->stripes_coming > 0)
        return;
    bool is_beginning = !is_written(file) && count_stripes(file) == 0 && file->moved <= BEGINNING * piece;
    open_stripes(file);
    if (is_written(file) && file->stripes_coming > 0)
        cfs_mark_want(file);
    if (is_beginning)
        hold(file);
}

void cfs_stripes_lane_ready(struct cfs_pool *pool)
{
    struct cfs_list *link;
    cfs_list_each (link, &pool->files) {
        struct cfs_remote_file *file = cfs_container_of(link, struct cfs_remote_file, link);
        if (!file->hold.is_on || file->stripes_coming > 0)
            continue;
        if (file->gate.exclusive == 0 && !file->not_to_stripe)
            open_stripes(file);
        if (file->stripes_coming > 0)
            hold(file);
        else
            cfs_hold_end(file);
    }
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
    free(CFS_TAKE(file->own));
    struct cfs_lane *lane;
    struct cfs_sftp_handle handle;
    for (unsigned i = 0; i < file->stripe_count; i++) {
        if (cfs_stripe_close(file, i, &lane, &handle))
            cfs_lane_discard(lane, &handle);
    }
}

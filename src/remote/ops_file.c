/* Open, close, and what goes by handle but moves no data.
 *
 * Opening: OPEN and an LSTAT leave together, so that the attributes cost no round trip. With O_CREAT the mode is to be
 * exactly what was asked for, while the server applies its own umask: a mode that came out different is set by FSETSTAT
 * on the new handle, one round trip more, only then, and only for a file that we made: with O_EXCL that is certain,
 * otherwise an LSTAT sent ahead of the OPEN tells (a file that another program makes between the two, microseconds
 * apart on the server, is taken for ours). If the connection was lost, and it is all sent again, the file may be there
 * because we have made it: an empty one of ours and of those seconds. With O_TRUNC, which empties any, only if the
 * first LSTAT has told that there was none. */
#include "remote/operation_priv.h"
#include "remote/pool_priv.h"
#include <errno.h>
#include <fcntl.h>
#include <sys/stat.h>

struct open_operation {
    struct cfs_operation operation;
    int flags;
    mode_t mode;
    unsigned waiting; /* answers */
    bool was_absent;
    bool seen_absent; /* the server has said so, perhaps over a connection that was lost */
    bool has_handle;  /* and nobody owns it yet */
    struct cfs_sftp_handle handle;
    struct cfs_remote_attributes before, attributes;
};

static struct open_operation *of(struct cfs_operation *operation)
{
    return cfs_container_of(operation, struct open_operation, operation);
}

static void dispose_open(struct cfs_operation *operation)
{
    if (of(operation)->has_handle)
        cfs_lane_discard(operation->lane, &of(operation)->handle);
}

static void hand_over(struct cfs_operation *operation)
{
    struct open_operation *self = of(operation);
    struct cfs_remote_file *file = cfs_file_new(operation->lane, &self->handle, operation->path, self->flags);
    if (!file) {
        cfs_operation_finish(operation, -ENOMEM);
        return;
    }
    self->has_handle = false;
    cfs_file_learn(file, &self->attributes);
    file->is_written = self->was_absent || self->flags & O_TRUNC;
    file->size_known = self->attributes.valid & CFS_REMOTE_SIZE;
    file->size = self->attributes.size;
    operation->result.file = file;
    operation->result.attributes = self->attributes;
    cfs_operation_finish(operation, 0);
}

static void on_mode_fixed(struct cfs_operation *operation, const struct cfs_sftp_reply *reply)
{
    struct open_operation *self = of(operation);
    if (!reply->error)
        self->attributes.mode |= self->mode & 07777;
    hand_over(operation);
}

static void fix_mode(struct cfs_operation *operation)
{
    struct open_operation *self = of(operation);
    struct cfs_step *step = &operation->step[3];
    struct cfs_sftp_attributes wire = {.flags = SSH_FILEXFER_ATTR_PERMISSIONS,
                                       .permissions = (self->attributes.mode & 07000) | (self->mode & 07777)};
    struct cfs_sftp_request *armed = cfs_step_arm(step, operation, on_mode_fixed);
    (void)!cfs_step_sent(step, cfs_sftp_fsetstat(cfs_operation_client(operation), armed, &self->handle, &wire));
}

/* It was there when it was sent again: because we had made it. */
static bool was_made_before(const struct open_operation *self)
{
    const struct cfs_operation *operation = &self->operation;
    const struct cfs_remote_attributes *found = &self->before;
    const unsigned told = CFS_REMOTE_MODE | CFS_REMOTE_SIZE | CFS_REMOTE_OWNER | CFS_REMOTE_TIMES;
    if (!operation->repeated || self->was_absent || (found->valid & told) != told)
        return false;
    if (self->flags & O_TRUNC ? !self->seen_absent : !operation->pool->server_clock.is_known)
        return false;
    return S_ISREG(found->mode) && found->size == 0 && !(found->mode & 0777 & ~self->mode) &&
           cfs_replay_is_of_that_time(operation, found);
}

/* All answers are in, and the file is open. */
static void conclude(struct cfs_operation *operation)
{
    struct open_operation *self = of(operation);
    bool has_mode = self->attributes.valid & CFS_REMOTE_MODE;
    if (has_mode && S_ISDIR(self->attributes.mode)) {
        /* sftp-server opens folders for reading, to no use. */
        cfs_operation_finish(operation, -EISDIR);
        return;
    }
    if (self->was_absent && !operation->repeated && self->attributes.valid & CFS_REMOTE_TIMES)
        cfs_operation_learn_clock(operation, self->attributes.mtime);
    self->was_absent |= was_made_before(self);
    /* The attributes of a link are not those of the file that was opened. */
    if (has_mode && !S_ISREG(self->attributes.mode))
        self->attributes.valid = 0;
    else if (has_mode && self->was_absent && ((self->attributes.mode ^ self->mode) & 0777)) {
        fix_mode(operation);
        return;
    }
    hand_over(operation);
}

static void answered(struct cfs_operation *operation)
{
    if (--of(operation)->waiting == 0)
        conclude(operation);
}

static void on_looked(struct cfs_operation *operation, const struct cfs_sftp_reply *reply)
{
    struct open_operation *self = of(operation);
    self->was_absent = reply->status == SSH_FX_NO_SUCH_FILE;
    self->seen_absent |= self->was_absent;
    if (reply->attributes)
        cfs_attributes_from_wire(reply->attributes, &self->before);
    answered(operation);
}

static void on_opened(struct cfs_operation *operation, const struct cfs_sftp_reply *reply)
{
    struct open_operation *self = of(operation);
    if (reply->error) {
        cfs_operation_give_up_steps(operation);
        cfs_operation_finish_reply(operation, reply);
        return;
    }
    self->handle = *reply->handle;
    self->has_handle = true;
    answered(operation);
}

static void on_attributes(struct cfs_operation *operation, const struct cfs_sftp_reply *reply)
{
    if (reply->attributes)
        cfs_attributes_from_wire(reply->attributes, &of(operation)->attributes);
    answered(operation);
}

uint32_t cfs_open_wire_flags(int flags)
{
    static const uint32_t access[] = {
        [O_RDONLY] = SSH_FXF_READ, [O_WRONLY] = SSH_FXF_WRITE, [O_RDWR] = SSH_FXF_READ | SSH_FXF_WRITE};
    uint32_t wire = access[(flags & O_ACCMODE) == O_ACCMODE ? O_RDWR : flags & O_ACCMODE];
    wire |= flags & O_CREAT ? SSH_FXF_CREAT : 0;
    wire |= (flags & O_CREAT) && (flags & O_EXCL) ? SSH_FXF_EXCL : 0;
    wire |= flags & O_TRUNC ? SSH_FXF_TRUNC : 0;
    return wire;
}

static void start_open(struct cfs_operation *operation)
{
    struct open_operation *self = of(operation);
    struct cfs_sftp_client *client = cfs_operation_client(operation);
    struct cfs_step *step = operation->step;
    struct cfs_sftp_attributes wire = {.flags = self->flags & O_CREAT ? SSH_FILEXFER_ATTR_PERMISSIONS : 0,
                                       .permissions = self->mode & 07777};
    struct cfs_sftp_request *armed;
    if (self->flags & O_TRUNC)
        cfs_files_changed(operation->pool, operation->path);
    self->waiting = 2;
    self->was_absent = (self->flags & O_CREAT) && (self->flags & O_EXCL);
    if ((self->flags & O_CREAT) && !(self->flags & O_EXCL)) {
        self->waiting++;
        armed = cfs_step_arm(&step[0], operation, on_looked);
        if (!cfs_step_sent(&step[0], cfs_sftp_lstat(client, armed, operation->path)))
            return;
    }
    armed = cfs_step_arm(&step[1], operation, on_opened);
    if (!cfs_step_sent(&step[1],
                       cfs_sftp_open(client, armed, operation->path, cfs_open_wire_flags(self->flags), &wire)))
        return;
    armed = cfs_step_arm(&step[2], operation, on_attributes);
    (void)!cfs_step_sent(&step[2], cfs_sftp_lstat(client, armed, operation->path));
}

static void reset_open(struct cfs_operation *operation)
{
    of(operation)->has_handle = false;
    of(operation)->attributes.valid = of(operation)->before.valid = 0;
}

/* We have made it, before the connection was lost. */
static void open_ours(struct cfs_operation *operation)
{
    struct open_operation *self = of(operation);
    cfs_operation_give_up_steps(operation);
    operation->result = (struct cfs_remote_result){0};
    self->flags &= ~O_EXCL;
    start_open(operation);
}

enum cfs_diagnose_operation cfs_open_kind(int flags)
{
    if (flags & O_CREAT)
        return flags & O_EXCL ? CFS_DIAGNOSE_CREATE_EXCLUSIVE : CFS_DIAGNOSE_CREATE;
    return (flags & O_ACCMODE) == O_RDONLY && !(flags & O_TRUNC) ? CFS_DIAGNOSE_OPEN : CFS_DIAGNOSE_OPEN_WRITE;
}

void cfs_pool_open_file(struct cfs_remote *remote, struct cfs_remote_call *call, const char *path, int flags,
                        mode_t mode)
{
    struct cfs_pool *pool = cfs_pool_of(remote);
    bool writes = (flags & O_ACCMODE) != O_RDONLY;
    struct open_operation *self = cfs_operation_new(pool, call, sizeof(*self), cfs_open_kind(flags), start_open);
    if (!self)
        return;
    self->operation.dispose = dispose_open;
    self->operation.reset = reset_open;
    self->operation.was_done = open_ours;
    self->operation.replay = CFS_REPLAY_LOOKED_UP;
    self->operation.follows_lanes = true;
    self->flags = flags;
    self->mode = mode;
    cfs_operation_set_path(&self->operation, path);
    pthread_mutex_lock(&pool->lock);
    struct cfs_lane *lane = cfs_pool_choose_lane(pool, writes ? CFS_LANE_FOR_WRITING : CFS_LANE_FOR_READING);
    pthread_mutex_unlock(&pool->lock);
    cfs_operation_submit(&self->operation, lane, 0);
}

/* --- without asking --- */

static void start_open_known(struct cfs_operation *operation)
{
    static const struct cfs_sftp_handle none;
    struct open_operation *self = of(operation);
    struct cfs_remote_file *file = cfs_file_new(operation->lane, &none, operation->path, O_RDONLY);
    if (!file) {
        cfs_operation_finish(operation, -ENOMEM);
        return;
    }
    file->generation--; /* of before: it is opened again at its first use */
    cfs_file_learn(file, &self->attributes);
    operation->result.file = file;
    operation->result.attributes = self->attributes;
    cfs_operation_finish(operation, 0);
}

void cfs_pool_open_known(struct cfs_remote *remote, struct cfs_remote_call *call, const char *path,
                         const struct cfs_remote_attributes *attributes)
{
    struct cfs_pool *pool = cfs_pool_of(remote);
    struct open_operation *self = cfs_operation_new(pool, call, sizeof(*self), CFS_DIAGNOSE_OPEN, start_open_known);
    if (!self)
        return;
    self->operation.sends_nothing = true;
    self->attributes = *attributes;
    cfs_operation_set_path(&self->operation, path);
    pthread_mutex_lock(&pool->lock);
    struct cfs_lane *lane = cfs_pool_choose_lane(pool, CFS_LANE_FOR_READING);
    pthread_mutex_unlock(&pool->lock);
    cfs_operation_submit(&self->operation, lane, 0);
}

/* --- by handle --- */

struct handle_operation {
    struct cfs_operation operation;
    struct cfs_remote_file *file;
    struct cfs_sftp_attributes wire;
    unsigned answers; /* fsetattr: that came; close: that are to come */
    uint32_t status;  /* close: of the first handle that could not be closed well */
    bool failed;
};

static struct cfs_remote_file *file_of(struct cfs_operation *operation)
{
    return cfs_container_of(operation, struct handle_operation, operation)->file;
}

static void reset_on_file(struct cfs_operation *operation)
{
    struct handle_operation *self = cfs_container_of(operation, struct handle_operation, operation);
    self->answers = 0;
    self->failed = false;
    free(CFS_TAKE(operation->path));
}

static struct handle_operation *new_on_file(struct cfs_remote *remote, struct cfs_remote_call *call,
                                            struct cfs_remote_file *file, enum cfs_diagnose_operation kind,
                                            void (*start)(struct cfs_operation *operation))
{
    struct handle_operation *self = cfs_operation_new(cfs_pool_of(remote), call, sizeof(*self), kind, start);
    if (!self)
        return NULL;
    self->file = file;
    self->operation.reset = reset_on_file;
    self->operation.replay = CFS_REPLAY_FREELY;
    cfs_operation_use_file(&self->operation, file,
                           kind == CFS_DIAGNOSE_CLOSE            ? CFS_TICKET_EXCLUSIVE
                           : kind == CFS_DIAGNOSE_SETATTR_HANDLE ? CFS_TICKET_WRITE
                                                                 : CFS_TICKET_READ);
    return self;
}

static void take_attributes(struct cfs_operation *operation, const struct cfs_sftp_reply *reply)
{
    struct cfs_remote_attributes *attributes = &operation->result.attributes;
    if (!reply->attributes)
        return;
    cfs_attributes_from_wire(reply->attributes, attributes);
    cfs_file_learn(file_of(operation), attributes);
    file_of(operation)->size_known = attributes->valid & CFS_REMOTE_SIZE;
    file_of(operation)->size = attributes->size;
}

static void on_fstat(struct cfs_operation *operation, const struct cfs_sftp_reply *reply)
{
    take_attributes(operation, reply);
    cfs_operation_finish_reply(operation, reply);
}

static void start_fstat(struct cfs_operation *operation)
{
    struct cfs_step *step = &operation->step[0];
    struct cfs_sftp_request *armed = cfs_step_arm(step, operation, on_fstat);
    (void)!cfs_step_sent(step, cfs_sftp_fstat(cfs_operation_client(operation), armed, &file_of(operation)->handle));
}

void cfs_pool_fstat(struct cfs_remote *remote, struct cfs_remote_call *call, struct cfs_remote_file *file)
{
    struct handle_operation *self = new_on_file(remote, call, file, CFS_DIAGNOSE_HANDLE, start_fstat);
    if (self)
        cfs_operation_submit(&self->operation, file->lane, 0);
}

/* FSETSTAT and an FSTAT leave together, so that the new attributes cost no round trip. */
static void on_one_of_both(struct cfs_operation *operation)
{
    if (++cfs_container_of(operation, struct handle_operation, operation)->answers == 2)
        cfs_operation_finish(operation, 0);
}

static void on_fsetstat(struct cfs_operation *operation, const struct cfs_sftp_reply *reply)
{
    if (reply->error) {
        cfs_operation_give_up_steps(operation);
        cfs_operation_finish_reply(operation, reply);
        return;
    }
    on_one_of_both(operation);
}

static void on_fstat_behind(struct cfs_operation *operation, const struct cfs_sftp_reply *reply)
{
    take_attributes(operation, reply);
    on_one_of_both(operation);
}

static void start_fsetattr(struct cfs_operation *operation)
{
    struct handle_operation *self = cfs_container_of(operation, struct handle_operation, operation);
    struct cfs_sftp_client *client = cfs_operation_client(operation);
    struct cfs_step *step = operation->step;
    struct cfs_sftp_request *armed = cfs_step_arm(&step[0], operation, on_fsetstat);
    if (self->wire.flags & SSH_FILEXFER_ATTR_SIZE) {
        self->file->size_known = false;
        cfs_file_truncates(self->file);
    }
    if (!cfs_step_sent(&step[0], cfs_sftp_fsetstat(client, armed, &self->file->handle, &self->wire)))
        return;
    armed = cfs_step_arm(&step[1], operation, on_fstat_behind);
    (void)!cfs_step_sent(&step[1], cfs_sftp_fstat(client, armed, &self->file->handle));
}

void cfs_pool_fsetattr(struct cfs_remote *remote, struct cfs_remote_call *call, struct cfs_remote_file *file,
                       const struct cfs_remote_attributes *attributes)
{
    struct handle_operation *self = new_on_file(remote, call, file, CFS_DIAGNOSE_SETATTR_HANDLE, start_fsetattr);
    if (!self)
        return;
    self->operation.setting = attributes->valid;
    cfs_attributes_to_wire(attributes, &self->wire);
    cfs_operation_submit(&self->operation, file->lane, 0);
}

/* A write completes when the server has acknowledged it. */
static void start_flush(struct cfs_operation *operation)
{
    cfs_operation_finish(operation, 0);
}

void cfs_pool_flush(struct cfs_remote *remote, struct cfs_remote_call *call, struct cfs_remote_file *file)
{
    struct handle_operation *self = new_on_file(remote, call, file, CFS_DIAGNOSE_HANDLE, start_flush);
    if (self)
        cfs_operation_submit(&self->operation, file->lane, 0);
}

/* FAILURE is what a full disk or a quota says: the file system is asked, by the path that the file has by now. */
static void on_flushed(struct cfs_operation *operation, const struct cfs_sftp_reply *reply)
{
    if (reply->error && !operation->path)
        operation->path = cfs_file_path(file_of(operation));
    cfs_operation_finish_reply(operation, reply);
}

static void start_fsync(struct cfs_operation *operation)
{
    struct cfs_step *step = &operation->step[0];
    if (!cfs_pool_can(operation->pool, CFS_SFTP_FSYNC)) {
        cfs_operation_finish(operation, 0);
        return;
    }
    struct cfs_sftp_request *armed = cfs_step_arm(step, operation, on_flushed);
    (void)!cfs_step_sent(step, cfs_sftp_fsync(cfs_operation_client(operation), armed, &file_of(operation)->handle));
}

void cfs_pool_fsync(struct cfs_remote *remote, struct cfs_remote_call *call, struct cfs_remote_file *file)
{
    struct handle_operation *self = new_on_file(remote, call, file, CFS_DIAGNOSE_WRITE, start_fsync);
    if (self)
        cfs_operation_submit(&self->operation, file->lane, 0);
}

/* Closing: of a file that was written, the stripes too are waited for: some file systems tell only then what went
 * wrong.
 */
static void on_one_closed(struct cfs_operation *operation)
{
    struct handle_operation *self = cfs_container_of(operation, struct handle_operation, operation);
    if (--self->answers > 0)
        return;
    if ((self->file->flags & O_ACCMODE) == O_RDONLY)
        operation->kind = CFS_DIAGNOSE_READ; /* it takes no space: neither a full disk nor a quota is the reason */
    if (self->failed)
        cfs_operation_diagnose(operation, self->status);
    else
        cfs_operation_finish(operation, 0);
}

static void on_closed(struct cfs_operation *operation, const struct cfs_sftp_reply *reply)
{
    struct handle_operation *self = cfs_container_of(operation, struct handle_operation, operation);
    if (reply->error && !self->failed) {
        self->failed = true;
        self->status = reply->status;
    }
    on_one_closed(operation);
}

static void on_stripe_closed(struct cfs_operation *operation, struct cfs_step *step, const struct cfs_sftp_reply *reply)
{
    (void)step;
    on_closed(operation, reply);
}

static void close_stripes(struct handle_operation *self)
{
    struct cfs_lane *lane;
    struct cfs_sftp_handle handle;
    for (unsigned i = 0; i < CFS_STRIPES_MAX; i++) {
        struct cfs_step *step = &self->operation.step[1 + i];
        if (!cfs_stripe_close(self->file, i, &lane, &handle))
            continue;
        struct cfs_sftp_request *armed = cfs_step_arm_on(step, &self->operation, lane, on_stripe_closed);
        if (cfs_sftp_close(lane->client, armed, &handle) == 0)
            self->answers++;
        else
            cfs_list_remove(&step->link);
    }
}

static void start_close(struct cfs_operation *operation)
{
    struct handle_operation *self = cfs_container_of(operation, struct handle_operation, operation);
    struct cfs_step *step = &operation->step[0];
    if (operation->pool->again.is_wanted && !cfs_file_is_current(self->file)) {
        cfs_operation_finish(operation, 0); /* the connection was lost, and with it the handle: it is closed there */
        return;
    }
    operation->path = cfs_file_path(self->file);
    self->answers = 1;
    if ((self->file->flags & O_ACCMODE) != O_RDONLY)
        close_stripes(self);
    struct cfs_sftp_request *armed = cfs_step_arm(step, operation, on_closed);
    (void)!cfs_step_sent(step, cfs_sftp_close(cfs_operation_client(operation), armed, &self->file->handle));
}

/* Whatever came of it, the file is no more. */
static void free_file(struct cfs_operation *operation)
{
    cfs_file_free(file_of(operation));
}

void cfs_pool_close_file(struct cfs_remote *remote, struct cfs_remote_call *call, struct cfs_remote_file *file)
{
    struct handle_operation *self = new_on_file(remote, call, file, CFS_DIAGNOSE_CLOSE, start_close);
    if (!self)
        return;
    self->operation.uncancellable = true;
    self->operation.ending = free_file;
    self->operation.reroute = on_one_closed; /* with the session of a stripe nothing is lost that was acknowledged */
    cfs_operation_submit(&self->operation, file->lane, 0);
}

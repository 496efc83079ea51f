/* Opening files again after the connection was lost.
 *
 * A handle goes with its channel. When a file is used for the first time afterwards, it is opened again, by the path
 * that it has by now (renames of this mount are followed), without O_CREAT, O_EXCL and O_TRUNC, and what has come is
 * compared with what is known. SFTP tells no inode numbers, so this is what tells another file:
 *
 * - It is no regular file, or belongs to somebody else.
 * - It was only read: it is shorter, or older. (Longer and newer is what a log does.)
 * - It was written: its size is none that our writes can have led to, counting those whose answers are missing; or it
 *   was changed after the connection was lost (by the server's clock, where we know what that shows).
 *
 * Then, or if there is nothing to be opened, all calls on it end with -ESTALE from now on, and the log says why. So
 * they do if this mount itself has removed or replaced the name meanwhile: there is no way back to such a file. Where
 * this mount has changed the file by its name or by other handles, too, size and time say nothing.
 *
 * A mode that forbids it (0444, as git makes its objects) does not matter to a handle that is there, and so it must not
 * to the next one: loan.c.
 *
 * What was acknowledged is on the server: its page cache outlives our connection, and FSYNC by the new handle brings
 * all of the file to its disk. If the server itself was started anew in between, what was acknowledged and never synced
 * may be lost. That is seen where the file has become shorter than what was acknowledged (-ESTALE), and not where what
 * is lost lies within it: SFTP does not tell that a server was restarted. */
#include "base/log.h"
#include "remote/operation_priv.h"
#include "remote/paths.h"
#include "remote/pool_priv.h"
#include "sftp/protocol.h"
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>

struct cfs_reopening {
    struct cfs_remote_call call;
    struct cfs_remote_file *file; /* NULL: it was closed meanwhile */
};

/* How the mode was lent: loan.c. */
enum lending { LENT_NOT, LENT_BY_LINK, LENT_BY_PATH };

struct reopen_operation {
    struct cfs_operation operation;
    struct cfs_reopening *reopening;
    enum lending lending;
    bool has_handle; /* and the file does not have it */
    struct cfs_sftp_handle handle;
};

static struct reopen_operation *of(struct cfs_operation *operation)
{
    return cfs_container_of(operation, struct reopen_operation, operation);
}

/* --- what is known --- */

bool cfs_file_is_current(const struct cfs_remote_file *file)
{
    return cfs_lane_is_up(file->lane) && file->generation == file->lane->generation;
}

void cfs_file_learn(struct cfs_remote_file *file, const struct cfs_remote_attributes *attributes)
{
    file->known.attributes = *attributes;
    file->known.written = 0;
}

void cfs_file_writes(struct cfs_remote_file *file, uint64_t end)
{
    file->is_written = true;
    if (end > file->known.asked)
        file->known.asked = end;
}

void cfs_file_wrote(struct cfs_remote_file *file, uint64_t end)
{
    if (end > file->known.written)
        file->known.written = end;
}

void cfs_file_truncates(struct cfs_remote_file *file)
{
    file->is_written = true;
    file->known = (struct cfs_file_known){0};
}

/* --- comparing --- */

/* Another handle of this mount may have changed the file. The lock is held. */
static bool has_other_writer(const struct cfs_remote_file *file)
{
    const struct cfs_list *link;
    cfs_list_each (link, &file->pool->files) {
        const struct cfs_remote_file *other = cfs_container_of(link, const struct cfs_remote_file, link);
        if (other != file && other->is_written && strcmp(other->path, file->path) == 0)
            return true;
    }
    return false;
}

static bool is_unsure(struct cfs_remote_file *file)
{
    pthread_mutex_lock(&file->pool->lock);
    bool unsure = file->is_unsure || has_other_writer(file);
    pthread_mutex_unlock(&file->pool->lock);
    return unsure;
}

static const char *size_differs(const struct cfs_remote_file *file, uint64_t size)
{
    uint64_t least = file->known.attributes.size;
    if (file->known.written > least)
        least = file->known.written;
    uint64_t most = file->known.asked > least ? file->known.asked : least;
    if (size < least)
        return "it has become shorter";
    return file->is_written && size > most ? "somebody else has written to it" : NULL;
}

static const char *time_differs(const struct cfs_remote_file *file, int64_t mtime)
{
    const struct cfs_pool *pool = file->pool;
    if (!file->is_written)
        return mtime < file->known.attributes.mtime ? "it is older" : NULL;
    return cfs_server_clock_may_be_before(&pool->server_clock, mtime, pool->lost_ms) ? NULL
                                                                                     : "somebody else has changed it";
}

/* NULL: it is taken for the same file. */
static const char *difference(struct cfs_remote_file *file, const struct cfs_remote_attributes *now)
{
    const struct cfs_remote_attributes *known = &file->known.attributes;
    const char *why = NULL;
    if (now->valid & CFS_REMOTE_MODE && !S_ISREG(now->mode))
        return "it is no regular file any more";
    if (is_unsure(file))
        return NULL;
    if (now->valid & known->valid & CFS_REMOTE_OWNER && (now->uid != known->uid || now->gid != known->gid))
        return "it belongs to somebody else";
    if (now->valid & known->valid & CFS_REMOTE_SIZE)
        why = size_differs(file, now->size);
    if (!why && now->valid & known->valid & CFS_REMOTE_TIMES)
        why = time_differs(file, now->mtime);
    return why;
}

/* --- opening --- */

static void be_stale(struct cfs_operation *operation, const char *why)
{
    cfs_log_warning("pool", "%s was open when the connection was lost, and cannot be used any more: %s",
                    operation->path, why);
    cfs_operation_finish(operation, -ESTALE);
}

/* It has another name by now; or the answer to a rename of it, or of a folder above, is missing: it may have either. */
static bool may_be_elsewhere(struct cfs_operation *operation)
{
    struct cfs_pool *pool = operation->pool;
    const struct cfs_list *link;
    pthread_mutex_lock(&pool->lock);
    bool is_concerned = strcmp(of(operation)->reopening->file->path, operation->path) != 0;
    cfs_list_each (link, &pool->operations) {
        const struct cfs_operation *other = cfs_container_of(link, const struct cfs_operation, link);
        bool is_rename = other->kind == CFS_DIAGNOSE_RENAME || other->kind == CFS_DIAGNOSE_RENAME_NOREPLACE;
        if (is_rename && other->path && other->other && !is_concerned)
            free(cfs_path_renamed(operation->path, other->path, other->other, &is_concerned));
    }
    pthread_mutex_unlock(&pool->lock);
    return is_concerned;
}

/* False: the file was closed meanwhile; the operation has ended. */
static bool take_attributes(struct cfs_operation *operation, const struct cfs_sftp_reply *reply,
                            struct cfs_remote_attributes *ret_now)
{
    if (!of(operation)->reopening->file) {
        cfs_operation_finish(operation, -ECANCELED);
        return false;
    }
    if (reply->attributes)
        cfs_attributes_from_wire(reply->attributes, ret_now);
    return true;
}

static void on_attributes(struct cfs_operation *operation, const struct cfs_sftp_reply *reply)
{
    struct reopen_operation *self = of(operation);
    struct cfs_remote_file *file = self->reopening->file;
    struct cfs_remote_attributes now = {0};
    if (!take_attributes(operation, reply, &now))
        return;
    const char *why = reply->attributes ? difference(file, &now) : "the server does not tell what it is";
    if (why && may_be_elsewhere(operation)) {
        cfs_operation_finish(operation, -EAGAIN);
        return;
    }
    if (why) {
        be_stale(operation, why);
        return;
    }
    self->has_handle = false;
    file->handle = self->handle;
    file->generation = operation->lane->generation;
    cfs_log_debug("pool", "%s is open again", operation->path);
    cfs_operation_finish(operation, 0);
}

static void on_opened(struct cfs_operation *operation, const struct cfs_sftp_reply *reply);

static void send_open(struct cfs_operation *operation)
{
    static const struct cfs_sftp_attributes none;
    struct cfs_step *step = &operation->step[0];
    struct cfs_sftp_request *armed = cfs_step_arm(step, operation, on_opened);
    (void)!cfs_step_sent(step,
                         cfs_sftp_open(cfs_operation_client(operation), armed, operation->path,
                                       cfs_open_wire_flags(of(operation)->reopening->file->flags & O_ACCMODE), &none));
}

/* The mode has forbidden to open it. */
static void on_mode(struct cfs_operation *operation, const struct cfs_sftp_reply *reply)
{
    struct reopen_operation *self = of(operation);
    struct cfs_remote_file *file = self->reopening->file;
    struct cfs_remote_attributes now = {0};
    if (!take_attributes(operation, reply, &now))
        return;
    mode_t needed = cfs_loan_needed(file, &now);
    if (!needed || difference(file, &now) ||
        !cfs_loan_take(file, operation, &now, needed, self->lending == LENT_BY_LINK))
        be_stale(operation, strerror(EACCES));
    else
        send_open(operation);
}

static bool may_lend(struct reopen_operation *self)
{
    if (self->lending == LENT_NOT)
        self->lending = cfs_pool_can(self->operation.pool, CFS_SFTP_LSETSTAT) ? LENT_BY_LINK : LENT_BY_PATH;
    else if (self->lending == LENT_BY_LINK) /* a server that offers it need not be able to */
        self->lending = LENT_BY_PATH;
    else
        return false;
    return true;
}

static void on_opened(struct cfs_operation *operation, const struct cfs_sftp_reply *reply)
{
    struct reopen_operation *self = of(operation);
    struct cfs_step *step = &operation->step[1];
    if (!self->reopening->file) {
        self->has_handle = !reply->error;
        self->handle = reply->error ? self->handle : *reply->handle;
        cfs_operation_finish(operation, -ECANCELED);
    } else if (reply->status == SSH_FX_PERMISSION_DENIED && may_lend(self)) {
        struct cfs_sftp_request *armed = cfs_step_arm(step, operation, on_mode);
        (void)!cfs_step_sent(step, cfs_sftp_lstat(cfs_operation_client(operation), armed, operation->path));
    } else if (reply->status == SSH_FX_NO_SUCH_FILE && may_be_elsewhere(operation)) {
        cfs_operation_finish(operation, -EAGAIN); /* round trip by round trip, until that is known */
    } else if (reply->error) {
        be_stale(operation, strerror(-reply->error));
    } else {
        self->handle = *reply->handle;
        self->has_handle = true;
        struct cfs_sftp_request *armed = cfs_step_arm(step, operation, on_attributes);
        (void)!cfs_step_sent(step, cfs_sftp_fstat(cfs_operation_client(operation), armed, &self->handle));
    }
}

static void start(struct cfs_operation *operation)
{
    if (of(operation)->reopening->file)
        send_open(operation);
    else
        cfs_operation_finish(operation, -ECANCELED);
}

static void dispose(struct cfs_operation *operation)
{
    if (of(operation)->has_handle)
        cfs_lane_discard(operation->lane, &of(operation)->handle);
}

/* An error that is none of the file's is that of all who wait now. */
static void fail_waiting(struct cfs_remote_file *file, int error)
{
    struct cfs_list *link;
    cfs_list_each (link, &file->gate.tickets) {
        struct cfs_operation *operation = cfs_container_of(link, struct cfs_ticket, link)->operation;
        if (operation->state == CFS_OPERATION_WAITING && operation->kind != CFS_DIAGNOSE_CLOSE)
            cfs_operation_set_error(operation, error);
    }
}

static void on_done(struct cfs_remote_call *call)
{
    struct cfs_reopening *self = cfs_container_of(call, struct cfs_reopening, call);
    struct cfs_remote_file *file = self->file;
    int error = call->error;
    free(self);
    if (!file)
        return;
    file->reopening = NULL;
    if (error == -ESTALE)
        file->stale = -ESTALE;
    else if (error && error != -ENOTCONN && error != -EAGAIN)
        fail_waiting(file, error);
    cfs_operations_try(&file->gate);
}

/* The server may allow fewer channels than before. */
static void move_to_lane(struct cfs_remote_file *file, struct cfs_lane *lane)
{
    struct cfs_list *link;
    pthread_mutex_lock(&file->pool->lock);
    file->lane->open_files--;
    lane->open_files++;
    file->lane = lane;
    pthread_mutex_unlock(&file->pool->lock);
    cfs_list_each (link, &file->gate.tickets) {
        struct cfs_ticket *ticket = cfs_container_of(link, struct cfs_ticket, link);
        if (ticket->home)
            ticket->home = lane;
        if (ticket->operation->state == CFS_OPERATION_WAITING)
            cfs_operation_take_lane(ticket->operation, lane);
        ticket->lane = NULL;
    }
}

static char *path_to_open(struct cfs_remote_file *file, struct cfs_lane **ret_lane)
{
    pthread_mutex_lock(&file->pool->lock);
    char *path = strdup(file->path);
    *ret_lane = cfs_lane_is_up(file->lane) ? file->lane : cfs_pool_choose_lane(file->pool, CFS_LANE_FOR_READING);
    pthread_mutex_unlock(&file->pool->lock);
    return path;
}

static void be_nameless(struct cfs_remote_file *file)
{
    cfs_log_warning("pool",
                    "%s was open when the connection was lost, and cannot be used any more: it was removed or replaced",
                    file->path);
    file->stale = -ESTALE;
    cfs_operations_try(&file->gate);
}

void cfs_file_reopen(struct cfs_remote_file *file)
{
    struct cfs_lane *lane;
    if (file->reopening || file->stale)
        return;
    if (file->is_gone) {
        be_nameless(file);
        return;
    }
    char *path = path_to_open(file, &lane);
    struct cfs_reopening *reopening = path ? calloc(1, sizeof(*reopening)) : NULL;
    if (!reopening) {
        free(path);
        fail_waiting(file, -ENOMEM);
        cfs_operations_try(&file->gate);
        return;
    }
    reopening->call.done = on_done;
    reopening->file = file;
    file->reopening = reopening;
    if (lane != file->lane)
        move_to_lane(file, lane);
    struct reopen_operation *self =
        cfs_operation_new(file->pool, &reopening->call, sizeof(*self), CFS_DIAGNOSE_OPEN, start);
    if (!self) { /* on_done is told */
        free(path);
        return;
    }
    self->reopening = reopening;
    self->operation.path = path;
    self->operation.dispose = dispose;
    cfs_operation_submit(&self->operation, lane, 0);
}

void cfs_file_forget_reopening(struct cfs_remote_file *file)
{
    if (file->reopening)
        file->reopening->file = NULL;
    file->reopening = NULL;
}

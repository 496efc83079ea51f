/* Operations on paths: most are one request and its answer. */
#include "remote/operation_priv.h"
#include "remote/paths.h"
#include "remote/pool_priv.h"
#include <errno.h>
#include <limits.h>
#include <string.h>
#include <sys/stat.h>

struct path_operation {
    struct cfs_operation operation;
    struct cfs_sftp_attributes wire;
    mode_t mode; /* wanted (mkdir), or known type (setattr) */
    char *text;  /* readlink: the result; symlink: the target */
    int64_t sent_ms;
    bool follow_up;                                    /* setattr: SETSTAT is still to be tried */
    unsigned answers;                                  /* to a change and the look behind it */
    void (*conclude)(struct cfs_operation *operation); /* when there are both */
};

static struct path_operation *of(struct cfs_operation *operation)
{
    return cfs_container_of(operation, struct path_operation, operation);
}

static void dispose(struct cfs_operation *operation)
{
    free(of(operation)->text);
}

static void reset(struct cfs_operation *operation)
{
    of(operation)->answers = 0;
    of(operation)->follow_up = false;
    if (operation->kind == CFS_DIAGNOSE_READLINK)
        free(CFS_TAKE(of(operation)->text));
}

static struct path_operation *new_operation(struct cfs_remote *remote, struct cfs_remote_call *call,
                                            enum cfs_diagnose_operation kind,
                                            void (*start)(struct cfs_operation *operation), const char *path)
{
    struct path_operation *self = cfs_operation_new(cfs_pool_of(remote), call, sizeof(*self), kind, start);
    if (!self)
        return NULL;
    self->operation.dispose = dispose;
    self->operation.reset = reset;
    self->operation.replay = kind == CFS_DIAGNOSE_MKDIR || kind == CFS_DIAGNOSE_RMDIR || kind == CFS_DIAGNOSE_UNLINK ||
                                     kind == CFS_DIAGNOSE_SYMLINK || kind == CFS_DIAGNOSE_LINK
                                 ? CFS_REPLAY_LOOKED_UP
                                 : CFS_REPLAY_FREELY;
    cfs_operation_set_path(&self->operation, path);
    return self;
}

static void submit(struct path_operation *self)
{
    if (self)
        cfs_operation_submit_path(&self->operation);
}

/* Sends one request that takes a path, to end with its answer. */
#define START_WITH_PATH(name, request, then)                                                                           \
    static void name(struct cfs_operation *operation)                                                                  \
    {                                                                                                                  \
        struct cfs_step *step = &operation->step[0];                                                                   \
        struct cfs_sftp_request *armed = cfs_step_arm(step, operation, then);                                          \
        (void)!cfs_step_sent(step, request(cfs_operation_client(operation), armed, operation->path));                  \
    }

/* --- a change and a look ---
 * An LSTAT leaves behind the change, so that what came of it costs no round trip of its own. Servers work in order, but
 * the answers may come in any. A look that fails leaves the attributes out; a change that fails gives the look up. */

static void on_one_of_both(struct cfs_operation *operation)
{
    if (++of(operation)->answers == 2)
        of(operation)->conclude(operation);
}

static void on_change(struct cfs_operation *operation, const struct cfs_sftp_reply *reply)
{
    if (reply->error) {
        cfs_operation_give_up_steps(operation);
        cfs_operation_finish_reply(operation, reply);
        return;
    }
    on_one_of_both(operation);
}

static void on_look(struct cfs_operation *operation, const struct cfs_sftp_reply *reply)
{
    if (reply->attributes)
        cfs_attributes_from_wire(reply->attributes, &operation->result.attributes);
    on_one_of_both(operation);
}

static void conclude_change(struct cfs_operation *operation)
{
    cfs_operation_finish(operation, 0);
}

/* The change, armed on the first step, has been sent or not: ERROR. */
static void look_behind(struct cfs_operation *operation, int error, const char *path)
{
    struct cfs_step *step = operation->step;
    if (!of(operation)->conclude)
        of(operation)->conclude = conclude_change;
    of(operation)->answers = 0;
    if (!cfs_step_sent(&step[0], error))
        return;
    struct cfs_sftp_request *armed = cfs_step_arm(&step[1], operation, on_look);
    (void)!cfs_step_sent(&step[1], cfs_sftp_lstat(cfs_operation_client(operation), armed, path));
}

/* --- lstat: also measures the round trip --- */

static void on_lstat(struct cfs_operation *operation, const struct cfs_sftp_reply *reply)
{
    cfs_pool_measured(operation->pool, cfs_clock_ms(&cfs_system_clock) - of(operation)->sent_ms);
    if (reply->attributes)
        cfs_attributes_from_wire(reply->attributes, &operation->result.attributes);
    cfs_operation_finish_reply(operation, reply);
}

static void start_lstat(struct cfs_operation *operation)
{
    struct cfs_step *step = &operation->step[0];
    struct cfs_sftp_request *armed = cfs_step_arm(step, operation, on_lstat);
    of(operation)->sent_ms = cfs_clock_ms(&cfs_system_clock);
    (void)!cfs_step_sent(step, cfs_sftp_lstat(cfs_operation_client(operation), armed, operation->path));
}

void cfs_pool_lstat(struct cfs_remote *remote, struct cfs_remote_call *call, const char *path)
{
    submit(new_operation(remote, call, CFS_DIAGNOSE_LSTAT, start_lstat, path));
}

/* --- setattr ---
 * lsetstat where it is offered: it does not follow a link that took the path's place meanwhile. It refuses a size, and
 * on old C libraries (glibc before 2.32) the server can change no mode that way: both go by SETSTAT, never for a link.
 */

static void send_setstat(struct cfs_operation *operation)
{
    struct cfs_sftp_request *armed = cfs_step_arm(&operation->step[0], operation, on_change);
    int error = cfs_sftp_setstat(cfs_operation_client(operation), armed, operation->path, &of(operation)->wire);
    look_behind(operation, error, operation->path);
}

static void on_lsetstat(struct cfs_operation *operation, const struct cfs_sftp_reply *reply)
{
    bool may_be_unable = reply->status == SSH_FX_FAILURE || reply->status == SSH_FX_OP_UNSUPPORTED;
    if (may_be_unable && of(operation)->follow_up) {
        cfs_operation_give_up_steps(operation); /* the look */
        operation->result.attributes.valid = 0;
        send_setstat(operation);
    } else {
        on_change(operation, reply);
    }
}

static void start_setattr(struct cfs_operation *operation)
{
    struct path_operation *self = of(operation);
    cfs_files_changed(operation->pool, operation->path);
    bool can_lsetstat = cfs_pool_can(operation->pool, CFS_SFTP_LSETSTAT);
    bool is_link = S_ISLNK(self->mode);
    if (is_link && (!can_lsetstat || (self->wire.flags & SSH_FILEXFER_ATTR_SIZE))) {
        cfs_operation_finish(operation, can_lsetstat ? -EINVAL : -EOPNOTSUPP);
        return;
    }
    if (!can_lsetstat || (self->wire.flags & SSH_FILEXFER_ATTR_SIZE)) {
        send_setstat(operation);
        return;
    }
    self->follow_up = !is_link && (self->wire.flags & SSH_FILEXFER_ATTR_PERMISSIONS);
    struct cfs_sftp_request *armed = cfs_step_arm(&operation->step[0], operation, on_lsetstat);
    int error = cfs_sftp_lsetstat(cfs_operation_client(operation), armed, operation->path, &self->wire);
    look_behind(operation, error, operation->path);
}

void cfs_pool_setattr(struct cfs_remote *remote, struct cfs_remote_call *call, const char *path, mode_t expected_type,
                      const struct cfs_remote_attributes *attributes)
{
    struct path_operation *self = new_operation(remote, call, CFS_DIAGNOSE_SETATTR, start_setattr, path);
    if (!self)
        return;
    self->mode = expected_type;
    self->operation.setting = attributes->valid;
    cfs_attributes_to_wire(attributes, &self->wire);
    submit(self);
}

/* --- readlink --- */

static void on_readlink(struct cfs_operation *operation, const struct cfs_sftp_reply *reply)
{
    struct path_operation *self = of(operation);
    if (reply->error) {
        cfs_operation_finish_reply(operation, reply);
        return;
    }
    const struct cfs_sftp_name *name = &reply->names[0];
    if (name->name_length > PATH_MAX || memchr(name->name, '\0', name->name_length)) {
        cfs_operation_finish(operation, -EIO);
        return;
    }
    self->text = strndup(name->name, name->name_length);
    operation->result.target = self->text;
    cfs_operation_finish(operation, self->text ? 0 : -ENOMEM);
}
START_WITH_PATH(start_readlink, cfs_sftp_readlink, on_readlink)

void cfs_pool_readlink(struct cfs_remote *remote, struct cfs_remote_call *call, const char *path)
{
    submit(new_operation(remote, call, CFS_DIAGNOSE_READLINK, start_readlink, path));
}

/* --- mkdir ---
 * The server applies its own umask. The look behind tells what mode came out; only where
 * bits are missing a SETSTAT follows, a second round trip. It is never sent blindly behind the MKDIR: when that fails
 * with EEXIST the SETSTAT would hit what stands there. Bits that the server added (setgid from the parent) stay. */

static void on_mode_fixed(struct cfs_operation *operation, const struct cfs_sftp_reply *reply)
{
    if (!reply->error)
        operation->result.attributes.mode |= of(operation)->wire.permissions;
    /* The folder is there, and nobody asked for more than the server allows. */
    cfs_operation_finish(operation, 0);
}

static void conclude_mkdir(struct cfs_operation *operation)
{
    struct path_operation *self = of(operation);
    struct cfs_remote_attributes *made = &operation->result.attributes;
    bool knows = (made->valid & CFS_REMOTE_MODE) && S_ISDIR(made->mode);
    if (!operation->repeated && made->valid & CFS_REMOTE_TIMES)
        cfs_operation_learn_clock(operation, made->mtime);
    if (!knows || (made->mode & 0777) == (self->mode & 0777)) {
        cfs_operation_finish(operation, 0);
        return;
    }
    struct cfs_step *step = &operation->step[2];
    struct cfs_sftp_request *armed = cfs_step_arm(step, operation, on_mode_fixed);
    self->wire = (struct cfs_sftp_attributes){.flags = SSH_FILEXFER_ATTR_PERMISSIONS,
                                              .permissions = (made->mode & 07000) | (self->mode & 07777)};
    (void)!cfs_step_sent(step, cfs_sftp_setstat(cfs_operation_client(operation), armed, operation->path, &self->wire));
}

static void start_mkdir(struct cfs_operation *operation)
{
    struct cfs_sftp_attributes wire = {.flags = SSH_FILEXFER_ATTR_PERMISSIONS,
                                       .permissions = of(operation)->mode & 07777};
    struct cfs_sftp_request *armed = cfs_step_arm(&operation->step[0], operation, on_change);
    of(operation)->conclude = conclude_mkdir;
    look_behind(operation, cfs_sftp_mkdir(cfs_operation_client(operation), armed, operation->path, &wire),
                operation->path);
}

void cfs_pool_mkdir(struct cfs_remote *remote, struct cfs_remote_call *call, const char *path, mode_t mode)
{
    struct path_operation *self = new_operation(remote, call, CFS_DIAGNOSE_MKDIR, start_mkdir, path);
    if (self) {
        self->mode = mode;
        self->operation.was_done = conclude_mkdir;
    }
    submit(self);
}

/* --- rmdir, unlink, symlink, link --- */

static void on_folder_look(struct cfs_operation *operation, const struct cfs_sftp_reply *reply)
{
    if (reply->attributes)
        cfs_attributes_from_wire(reply->attributes, &operation->result.folder);
    on_one_of_both(operation);
}

/* What is open has no name any more. */
static void conclude_unlink(struct cfs_operation *operation)
{
    cfs_files_removed(operation->pool, operation->path);
    cfs_operation_finish(operation, 0);
}

/* It was removed before the connection was lost. */
static void end_removal(struct cfs_operation *operation)
{
    operation->result = (struct cfs_remote_result){0};
    of(operation)->conclude(operation);
}

/* Whoever takes names away looks at the folder next (rm does before each). */
static void remove_and_look(struct cfs_operation *operation,
                            int (*remove)(struct cfs_sftp_client *client, struct cfs_sftp_request *request,
                                          const char *path))
{
    struct cfs_step *step = operation->step;
    struct cfs_sftp_client *client = cfs_operation_client(operation);
    char *folder CFS_AUTO_FREE = cfs_path_parent(operation->path);
    struct cfs_sftp_request *armed = cfs_step_arm(&step[0], operation, on_change);
    of(operation)->conclude = operation->kind == CFS_DIAGNOSE_UNLINK ? conclude_unlink : conclude_change;
    of(operation)->answers = folder ? 0 : 1;
    if (!cfs_step_sent(&step[0], remove(client, armed, operation->path)) || !folder)
        return;
    armed = cfs_step_arm(&step[1], operation, on_folder_look);
    (void)!cfs_step_sent(&step[1], cfs_sftp_lstat(client, armed, folder));
}

static void start_rmdir(struct cfs_operation *operation)
{
    remove_and_look(operation, cfs_sftp_rmdir);
}

static void start_unlink(struct cfs_operation *operation)
{
    remove_and_look(operation, cfs_sftp_remove);
}

void cfs_pool_rmdir(struct cfs_remote *remote, struct cfs_remote_call *call, const char *path)
{
    submit(new_operation(remote, call, CFS_DIAGNOSE_RMDIR, start_rmdir, path));
}

void cfs_pool_unlink(struct cfs_remote *remote, struct cfs_remote_call *call, const char *path)
{
    struct path_operation *self = new_operation(remote, call, CFS_DIAGNOSE_UNLINK, start_unlink, path);
    if (self)
        self->operation.was_done = end_removal;
    submit(self);
}

static void start_symlink(struct cfs_operation *operation)
{
    struct cfs_sftp_request *armed = cfs_step_arm(&operation->step[0], operation, on_change);
    look_behind(operation,
                cfs_sftp_symlink(cfs_operation_client(operation), armed, of(operation)->text, operation->path),
                operation->path);
}

void cfs_pool_symlink(struct cfs_remote *remote, struct cfs_remote_call *call, const char *target, const char *path)
{
    struct path_operation *self = new_operation(remote, call, CFS_DIAGNOSE_SYMLINK, start_symlink, path);
    if (!self)
        return;
    self->text = strdup(target);
    self->operation.target = self->text;
    if (!self->text)
        cfs_operation_set_error(&self->operation, -ENOMEM);
    else if (strlen(target) >= PATH_MAX)
        cfs_operation_set_error(&self->operation, -ENAMETOOLONG);
    submit(self);
}

static void start_link(struct cfs_operation *operation)
{
    struct cfs_sftp_request *armed = cfs_step_arm(&operation->step[0], operation, on_change);
    look_behind(operation, cfs_sftp_hardlink(cfs_operation_client(operation), armed, operation->path, operation->other),
                operation->other);
}

void cfs_pool_link(struct cfs_remote *remote, struct cfs_remote_call *call, const char *from, const char *to)
{
    struct path_operation *self = new_operation(remote, call, CFS_DIAGNOSE_LINK, start_link, from);
    if (self)
        cfs_operation_set_other(&self->operation, to);
    submit(self);
}

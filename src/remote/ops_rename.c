/* Renaming.
 *
 * REPLACE: posix-rename where it is offered: rename(2). Where it is not, the draft's RENAME, which refuses an existing
 * target; then the target is removed and RENAME tried again. That is not atomic: for a moment there is no target, and
 * if the second RENAME fails, it is gone (CFS_REMOTE_CAN_RENAME_OVER tells).
 *
 * NOREPLACE: the target is looked at first, then RENAME. OpenSSH renames a file by link(2) and unlink(2), without a
 * race; for folders and links it looks with stat(2) and then renames, so that a target that appears in between is
 * replaced (if rename(2) lets it), and a link that leads nowhere would count as no target: our own look covers the
 * latter.
 *
 * With attributes to be set before, both requests leave together where posix-rename is offered: the server works in
 * order. (lsetstat, which cannot change a mode with old C libraries there, is followed by a SETSTAT under the new
 * name.)
 *
 * Open files follow when the server has said that it is done. */
#include "remote/operation_priv.h"
#include "remote/pool_priv.h"
#include <errno.h>
#include <string.h>
#include <strings.h>
#include <sys/stat.h>

struct rename_operation {
    struct cfs_operation operation;
    enum cfs_remote_rename how;
    bool looked;
    mode_t from_mode, to_mode; /* 0: there is none */
    unsigned answers;
    struct cfs_sftp_attributes wire; /* to be set before; flags = 0: nothing */
    struct cfs_step setting;
    bool sets, renamed; /* its answer is awaited; the rename is done */
    bool follow_up;     /* SETSTAT is still to be tried */
};

static struct rename_operation *of(struct cfs_operation *operation)
{
    return cfs_container_of(operation, struct rename_operation, operation);
}

static void set_renamed(struct cfs_operation *operation);

static void conclude(struct cfs_operation *operation)
{
    struct rename_operation *self = of(operation);
    if (self->sets || !self->renamed)
        return;
    if (self->follow_up && operation->result.set_error < 0)
        set_renamed(operation);
    else
        cfs_operation_finish(operation, 0);
}

static void finish_renamed(struct cfs_operation *operation)
{
    cfs_files_renamed(operation->pool, operation->path, operation->other);
    of(operation)->renamed = true;
    conclude(operation);
}

/* --- what is set before --- */

static void on_set(struct cfs_operation *operation, struct cfs_step *step, const struct cfs_sftp_reply *reply)
{
    struct rename_operation *self = of(operation);
    (void)step;
    self->sets = false;
    self->follow_up = self->follow_up && (reply->status == SSH_FX_FAILURE || reply->status == SSH_FX_OP_UNSUPPORTED);
    operation->result.set_error = reply->error;
    conclude(operation);
}

static void set_renamed(struct cfs_operation *operation)
{
    struct rename_operation *self = of(operation);
    struct cfs_sftp_request *armed = cfs_step_arm_part(&self->setting, operation, on_set);
    self->follow_up = false;
    self->sets = true;
    (void)!cfs_step_sent(&self->setting,
                         cfs_sftp_setstat(cfs_operation_client(operation), armed, operation->other, &self->wire));
}

/* False: it has ended. */
static bool send_set(struct cfs_operation *operation)
{
    struct rename_operation *self = of(operation);
    struct cfs_sftp_client *client = cfs_operation_client(operation);
    bool can_lsetstat = cfs_pool_can(operation->pool, CFS_SFTP_LSETSTAT);
    struct cfs_sftp_request *armed = cfs_step_arm_part(&self->setting, operation, on_set);
    self->sets = true;
    self->follow_up = can_lsetstat && self->wire.flags & SSH_FILEXFER_ATTR_PERMISSIONS;
    return cfs_step_sent(&self->setting, can_lsetstat ? cfs_sftp_lsetstat(client, armed, operation->path, &self->wire)
                                                      : cfs_sftp_setstat(client, armed, operation->path, &self->wire));
}

static void send_rename(struct cfs_operation *operation);

/* --- replacing without posix-rename --- */

static void on_removed(struct cfs_operation *operation, const struct cfs_sftp_reply *reply)
{
    if (reply->error)
        cfs_operation_finish_reply(operation, reply);
    else
        send_rename(operation);
}

static void remove_target(struct cfs_operation *operation)
{
    struct rename_operation *self = of(operation);
    struct cfs_sftp_client *client = cfs_operation_client(operation);
    struct cfs_step *step = &operation->step[3];
    bool from_folder = S_ISDIR(self->from_mode), to_folder = S_ISDIR(self->to_mode);
    /* Removing the target must not remove the source: one name, or one file for a server that does not tell cases
     * apart. */
    if (strcasecmp(operation->path, operation->other) == 0) {
        cfs_operation_finish(operation, strcmp(operation->path, operation->other) == 0 ? 0 : -EEXIST);
        return;
    }
    if (from_folder != to_folder) {
        cfs_operation_finish(operation, to_folder ? -EISDIR : -ENOTDIR);
        return;
    }
    struct cfs_sftp_request *armed = cfs_step_arm(step, operation, on_removed);
    (void)!cfs_step_sent(step, to_folder ? cfs_sftp_rmdir(client, armed, operation->other)
                                         : cfs_sftp_remove(client, armed, operation->other));
}

/* --- looking at both ends --- */

static void on_both(struct cfs_operation *operation)
{
    struct rename_operation *self = of(operation);
    if (++self->answers < 2)
        return;
    self->looked = true;
    if (self->how == CFS_REMOTE_RENAME_NOREPLACE)
        self->to_mode ? cfs_operation_finish(operation, self->from_mode ? -EEXIST : -ENOENT) : send_rename(operation);
    else if (self->from_mode && self->to_mode)
        remove_target(operation);
    else
        cfs_operation_diagnose(operation, SSH_FX_FAILURE);
}

/* What a server that tells no permissions has there counts as a file. */
static mode_t mode_in(const struct cfs_sftp_reply *reply)
{
    if (!reply->attributes)
        return 0;
    return reply->attributes->flags & SSH_FILEXFER_ATTR_PERMISSIONS ? reply->attributes->permissions : S_IFREG;
}

static void on_from(struct cfs_operation *operation, const struct cfs_sftp_reply *reply)
{
    of(operation)->from_mode = mode_in(reply);
    on_both(operation);
}

static void on_to(struct cfs_operation *operation, const struct cfs_sftp_reply *reply)
{
    of(operation)->to_mode = mode_in(reply);
    on_both(operation);
}

static void look(struct cfs_operation *operation)
{
    struct cfs_sftp_client *client = cfs_operation_client(operation);
    struct cfs_step *step = operation->step;
    struct cfs_sftp_request *armed = cfs_step_arm(&step[1], operation, on_from);
    if (!cfs_step_sent(&step[1], cfs_sftp_lstat(client, armed, operation->path)))
        return;
    armed = cfs_step_arm(&step[2], operation, on_to);
    (void)!cfs_step_sent(&step[2], cfs_sftp_lstat(client, armed, operation->other));
}

/* --- renaming --- */

static bool is_plain(const struct cfs_operation *operation)
{
    return !cfs_pool_can(operation->pool, CFS_SFTP_POSIX_RENAME) ||
           cfs_container_of(operation, const struct rename_operation, operation)->how == CFS_REMOTE_RENAME_NOREPLACE;
}

static void on_renamed(struct cfs_operation *operation, const struct cfs_sftp_reply *reply)
{
    struct rename_operation *self = of(operation);
    if (!reply->error)
        finish_renamed(operation);
    else if (is_plain(operation) && self->how == CFS_REMOTE_RENAME_REPLACE && !self->looked &&
             reply->status == SSH_FX_FAILURE)
        look(operation);
    else
        cfs_operation_finish_reply(operation, reply);
}

static void send_rename(struct cfs_operation *operation)
{
    struct cfs_sftp_client *client = cfs_operation_client(operation);
    struct cfs_step *step = &operation->step[0];
    struct cfs_sftp_request *armed = cfs_step_arm(step, operation, on_renamed);
    (void)!cfs_step_sent(step, is_plain(operation)
                                   ? cfs_sftp_rename(client, armed, operation->path, operation->other)
                                   : cfs_sftp_posix_rename(client, armed, operation->path, operation->other));
}

static void start_rename(struct cfs_operation *operation)
{
    if (of(operation)->wire.flags && !send_set(operation))
        return;
    if (of(operation)->how == CFS_REMOTE_RENAME_NOREPLACE)
        look(operation);
    else
        send_rename(operation);
}

static void reset(struct cfs_operation *operation)
{
    struct rename_operation *self = of(operation);
    self->looked = self->sets = self->renamed = self->follow_up = false;
    self->from_mode = self->to_mode = 0;
    self->answers = 0;
}

/* It was renamed before the connection was lost. What was to be set may have been: it is set again. */
static void go_on_renamed(struct cfs_operation *operation)
{
    struct rename_operation *self = of(operation);
    operation->result = (struct cfs_remote_result){0};
    cfs_operation_give_up_steps(operation);
    cfs_files_renamed(operation->pool, operation->path, operation->other);
    self->renamed = true;
    self->sets = false;
    if (self->wire.flags)
        set_renamed(operation);
    else
        conclude(operation);
}

static void submit_rename(struct cfs_remote *remote, struct cfs_remote_call *call, const char *from, const char *to,
                          enum cfs_remote_rename how, const struct cfs_remote_attributes *attributes)
{
    enum cfs_diagnose_operation kind =
        how == CFS_REMOTE_RENAME_NOREPLACE ? CFS_DIAGNOSE_RENAME_NOREPLACE : CFS_DIAGNOSE_RENAME;
    struct rename_operation *self = cfs_operation_new(cfs_pool_of(remote), call, sizeof(*self), kind, start_rename);
    if (!self)
        return;
    self->how = how;
    self->operation.reset = reset;
    self->operation.replay = CFS_REPLAY_LOOKED_UP;
    self->operation.was_done = go_on_renamed;
    cfs_attributes_to_wire(attributes, &self->wire);
    cfs_operation_set_path(&self->operation, from);
    cfs_operation_set_other(&self->operation, to);
    cfs_operation_submit_path(&self->operation);
}

void cfs_pool_rename(struct cfs_remote *remote, struct cfs_remote_call *call, const char *from, const char *to,
                     enum cfs_remote_rename how)
{
    static const struct cfs_remote_attributes none;
    submit_rename(remote, call, from, to, how, &none);
}

void cfs_pool_set_and_rename(struct cfs_remote *remote, struct cfs_remote_call *call, const char *from, const char *to,
                             const struct cfs_remote_attributes *attributes)
{
    submit_rename(remote, call, from, to, CFS_REMOTE_RENAME_REPLACE, attributes);
}

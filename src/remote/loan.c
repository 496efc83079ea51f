/* The mode of a file that forbids to open it again.
 *
 * Who has a file open may go on with it, whatever its mode is by now: git makes its objects 0444 and writes them, and
 * programs protect what they have just written. To open it again by its path is refused then (reopen.c). So the mode
 * gets what is missing for a moment, if the file is our login's, and is as it was right behind the OPEN: three requests
 * that leave together, in their order.
 *
 * To give the mode back is an operation of its own, since it must happen even if the connection is lost in between: it
 * waits for the next one then, finds the file where it is by that time, and looks whether its mode is the one that was
 * lent; if not, the server has never got the request, or has given it back, or somebody has set another one. */
#include "base/log.h"
#include "remote/operation_priv.h"
#include "remote/pool_priv.h"
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>

struct cfs_loan {
    struct cfs_remote_call call;
    struct cfs_operation *operation; /* that gives it back; NULL: there was no memory for it */
    struct cfs_remote_file *file;    /* NULL: it was closed meanwhile */
    struct cfs_lane *lane;           /* on which the mode was lent */
    unsigned generation;
    bool by_link; /* lsetstat: a link that took the path's place is not followed */
    mode_t mode, lent;
};

struct loan_operation {
    struct cfs_operation operation;
    struct cfs_loan *loan;
};

static struct cfs_loan *of(struct cfs_operation *operation)
{
    return cfs_container_of(operation, struct loan_operation, operation)->loan;
}

mode_t cfs_loan_needed(const struct cfs_remote_file *file, const struct cfs_remote_attributes *now)
{
    const struct cfs_remote_facts *facts = &file->pool->facts;
    int access = file->flags & O_ACCMODE;
    mode_t needed = (access == O_WRONLY ? 0 : S_IRUSR) | (access == O_RDONLY ? 0 : S_IWUSR);
    bool is_ours = facts->login_known && now->valid & CFS_REMOTE_OWNER && now->uid == facts->login_uid;
    return is_ours && now->valid & CFS_REMOTE_MODE && S_ISREG(now->mode) ? needed & ~now->mode : 0;
}

static int set_mode(struct cfs_operation *operation, struct cfs_sftp_request *request, bool by_link, mode_t mode)
{
    const struct cfs_sftp_attributes wire = {.flags = SSH_FILEXFER_ATTR_PERMISSIONS, .permissions = mode};
    struct cfs_sftp_client *client = cfs_operation_client(operation);
    return by_link ? cfs_sftp_lsetstat(client, request, operation->path, &wire)
                   : cfs_sftp_setstat(client, request, operation->path, &wire);
}

/* --- giving back --- */

static void give_back(struct cfs_operation *operation);

static void on_looked(struct cfs_operation *operation, const struct cfs_sftp_reply *reply)
{
    struct cfs_remote_attributes now = {0};
    if (reply->attributes)
        cfs_attributes_from_wire(reply->attributes, &now);
    if (now.valid & CFS_REMOTE_MODE && S_ISREG(now.mode) && (now.mode & 07777) == of(operation)->lent)
        give_back(operation);
    else
        cfs_operation_finish(operation, reply->error);
}

static void look(struct cfs_operation *operation)
{
    struct cfs_step *step = &operation->step[0];
    struct cfs_remote_file *file = of(operation)->file;
    char *path = file ? cfs_file_path(file) : NULL;
    if (path) {
        free(operation->path);
        operation->path = path;
    }
    struct cfs_sftp_request *armed = cfs_step_arm(step, operation, on_looked);
    (void)!cfs_step_sent(step, cfs_sftp_lstat(cfs_operation_client(operation), armed, operation->path));
}

static void on_given_back(struct cfs_operation *operation, const struct cfs_sftp_reply *reply)
{
    struct cfs_loan *loan = of(operation);
    if (!reply->error || !loan->by_link) {
        cfs_operation_finish(operation, reply->error);
        return;
    }
    loan->by_link = false; /* the server offers it, and cannot: so it was not lent either, mostly */
    look(operation);
}

static void give_back(struct cfs_operation *operation)
{
    struct cfs_step *step = &operation->step[0];
    struct cfs_sftp_request *armed = cfs_step_arm(step, operation, on_given_back);
    (void)!cfs_step_sent(step, set_mode(operation, armed, of(operation)->by_link, of(operation)->mode));
}

static void start(struct cfs_operation *operation)
{
    const struct cfs_loan *loan = of(operation);
    if (operation->lane == loan->lane && loan->lane->generation == loan->generation)
        give_back(operation); /* behind the OPEN */
    else
        look(operation);
}

static void on_done(struct cfs_remote_call *call)
{
    struct cfs_loan *loan = cfs_container_of(call, struct cfs_loan, call);
    if (loan->operation && call->error)
        cfs_log_warning("pool", "the mode of %s could not be set to %04o again: %s", loan->operation->path,
                        (unsigned)loan->mode, strerror(-call->error));
    if (loan->file)
        loan->file->loan = NULL;
    free(loan);
}

/* --- lending --- */

bool cfs_loan_take(struct cfs_remote_file *file, struct cfs_operation *borrower,
                   const struct cfs_remote_attributes *now, mode_t needed, bool by_link)
{
    struct cfs_lane *lane = borrower->lane;
    char *path CFS_AUTO_FREE = strdup(borrower->path);
    struct cfs_loan *loan = path && !file->loan ? calloc(1, sizeof(*loan)) : NULL;
    if (!loan)
        return false;
    *loan = (struct cfs_loan){.call.done = on_done,
                              .lane = lane,
                              .generation = lane->generation,
                              .by_link = by_link,
                              .mode = now->mode & 07777,
                              .lent = (now->mode & 07777) | needed};
    struct loan_operation *self =
        cfs_operation_new(file->pool, &loan->call, sizeof(*self), CFS_DIAGNOSE_SETATTR, start);
    if (!self)
        return false; /* on_done is told */
    file->loan = loan;
    loan->file = file;
    loan->operation = &self->operation;
    self->loan = loan;
    self->operation.path = CFS_TAKE(path);
    self->operation.replay = CFS_REPLAY_FREELY;
    self->operation.uncancellable = true;
    self->operation.follows_lanes = true;
    (void)!set_mode(borrower, NULL, by_link, loan->lent); /* if it fails, so does the OPEN behind it */
    cfs_operation_submit(&self->operation, lane, 0);
    return true;
}

void cfs_loan_forget_file(struct cfs_remote_file *file)
{
    if (file->loan)
        file->loan->file = NULL;
    file->loan = NULL;
}

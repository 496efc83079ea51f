/* Changes whose answer was lost with the connection.
 *
 * Such an operation is sent again. If it succeeds it had not been done before (or somebody has undone it, which nobody
 * could tell). If it fails, the failure may be its own doing: MKDIR fails because the folder is there. So the server is
 * asked what it has, before the failure is told: a folder, an empty file that are ours and of just that time; a link
 * with that target; a source that is gone and a target that is there; a name that is gone from a folder that is there
 * (one that is gone, too, may be away for a while, with all that is in it). Then it was done, and the operation goes on
 * from there.
 *
 * What is not certain: an empty file or a folder that somebody else has made, under our login, at the same name and in
 * the seconds around our request, is taken for ours. */
#include "remote/operation_priv.h"
#include "remote/paths.h"
#include "remote/pool_priv.h"
#include "sftp/protocol.h"
#include <errno.h>
#include <string.h>
#include <sys/stat.h>

struct cfs_replay_look {
    uint32_t status; /* with which it has failed */
    struct cfs_step path, other, link;
    unsigned waiting;
    bool path_answered, other_answered; /* that it is there, or that it is not */
    bool path_exists, other_exists, same_target;
    struct cfs_remote_attributes path_attributes, other_attributes;
};

void cfs_operation_learn_clock(struct cfs_operation *operation, int64_t mtime)
{
    cfs_server_clock_learn(&operation->pool->server_clock, mtime, operation->first_ms, cfs_clock_ms(&cfs_system_clock));
}

/* Made by us in the seconds in which our request may have been worked off. */
bool cfs_replay_is_of_that_time(const struct cfs_operation *operation, const struct cfs_remote_attributes *found)
{
    const struct cfs_pool *pool = operation->pool;
    if (pool->facts.login_known && found->valid & CFS_REMOTE_OWNER && found->uid != pool->facts.login_uid)
        return false;
    return !(found->valid & CFS_REMOTE_TIMES) ||
           (cfs_server_clock_may_be_after(&pool->server_clock, found->mtime, operation->first_ms) &&
            cfs_server_clock_may_be_before(&pool->server_clock, found->mtime, pool->lost_ms));
}

static bool was_done(const struct cfs_operation *operation)
{
    const struct cfs_replay_look *look = operation->look;
    const struct cfs_remote_attributes *found = &look->path_attributes;
    bool is_gone = look->path_answered && !look->path_exists;
    switch (operation->kind) {
    case CFS_DIAGNOSE_MKDIR:
        return look->path_exists && S_ISDIR(found->mode) && cfs_replay_is_of_that_time(operation, found);
    case CFS_DIAGNOSE_CREATE_EXCLUSIVE:
        if (!look->path_exists || !S_ISREG(found->mode))
            return false;
        return operation->is_ours ? operation->is_ours(operation, found)
                                  : found->size == 0 && cfs_replay_is_of_that_time(operation, found);
    case CFS_DIAGNOSE_RMDIR:
    case CFS_DIAGNOSE_UNLINK:
        return is_gone && look->other_exists; /* the folder that it was in */
    case CFS_DIAGNOSE_SYMLINK:
        return look->path_exists && look->same_target;
    case CFS_DIAGNOSE_LINK:
        return look->path_exists && look->other_exists && found->mode == look->other_attributes.mode &&
               found->size == look->other_attributes.size && found->mtime == look->other_attributes.mtime;
    case CFS_DIAGNOSE_RENAME:
    case CFS_DIAGNOSE_RENAME_NOREPLACE:
        return is_gone && look->other_exists;
    default:
        return false;
    }
}

static void conclude(struct cfs_operation *operation)
{
    struct cfs_replay_look *look = operation->look;
    uint32_t status = look->status;
    bool is_done = was_done(operation);
    operation->repeated = false; /* what fails from now on is its own failure */
    if (is_done)
        operation->result.attributes =
            operation->kind == CFS_DIAGNOSE_LINK ? look->other_attributes : look->path_attributes;
    free(CFS_TAKE(operation->look));
    if (!is_done)
        cfs_operation_diagnose(operation, status);
    else if (operation->was_done)
        operation->was_done(operation);
    else
        cfs_operation_finish(operation, 0);
}

static void take(const struct cfs_sftp_reply *reply, bool *ret_answered, bool *ret_exists,
                 struct cfs_remote_attributes *ret_attributes)
{
    *ret_answered = reply->error == 0 || reply->status == SSH_FX_NO_SUCH_FILE;
    *ret_exists = reply->error == 0;
    if (reply->attributes)
        cfs_attributes_from_wire(reply->attributes, ret_attributes);
}

static void on_answer(struct cfs_operation *operation, struct cfs_step *step, const struct cfs_sftp_reply *reply)
{
    struct cfs_replay_look *look = operation->look;
    if (step == &look->path)
        take(reply, &look->path_answered, &look->path_exists, &look->path_attributes);
    else if (step == &look->other)
        take(reply, &look->other_answered, &look->other_exists, &look->other_attributes);
    else
        look->same_target = !reply->error && reply->names[0].name_length == strlen(operation->target) &&
                            memcmp(reply->names[0].name, operation->target, reply->names[0].name_length) == 0;
    if (--look->waiting == 0)
        conclude(operation);
}

typedef int send_function(struct cfs_sftp_client *client, struct cfs_sftp_request *request, const char *path);

/* False: the operation has ended, or waits for a connection. */
static bool ask(struct cfs_operation *operation, struct cfs_step *step, send_function *send, const char *path)
{
    struct cfs_sftp_request *armed = cfs_step_arm_part(step, operation, on_answer);
    operation->look->waiting++;
    return cfs_step_sent(step, send(cfs_operation_client(operation), armed, path));
}

bool cfs_replay_looks(struct cfs_operation *operation, uint32_t status)
{
    if (operation->replay != CFS_REPLAY_LOOKED_UP || operation->look || !operation->path)
        return false;
    operation->look = calloc(1, sizeof(*operation->look));
    if (!operation->look)
        return false;
    operation->look->status = status;
    bool is_removal = operation->kind == CFS_DIAGNOSE_UNLINK || operation->kind == CFS_DIAGNOSE_RMDIR;
    char *parent CFS_AUTO_FREE = is_removal ? cfs_path_parent(operation->path) : NULL;
    const char *other = is_removal ? parent : operation->other;
    if (ask(operation, &operation->look->path, cfs_sftp_lstat, operation->path) &&
        (!other || ask(operation, &operation->look->other, cfs_sftp_lstat, other)) && operation->target)
        (void)!ask(operation, &operation->look->link, cfs_sftp_readlink, operation->path);
    return true;
}

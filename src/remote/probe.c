/* After a failure: looks at what diagnose.h asks for, all in one round trip on the operation's lane, then ends the
 * operation with the conclusion; where that would be a guess, with one look more. A probe that cannot be sent or is not
 * answered is evidence that is missing, not an error. */
#include "remote/operation_priv.h"
#include "remote/paths.h"
#include "remote/pool_priv.h"
#include "sftp/protocol.h"
#include <errno.h>
#include <string.h>

enum { STATVFS_READ_ONLY = 1 }; /* PROTOCOL, section 4.5: SSH_FXE_STATVFS_ST_RDONLY */

struct cfs_probes {
    struct cfs_diagnose_question question;
    struct cfs_diagnose_evidence evidence;
    struct cfs_step step[CFS_PROBES];
    unsigned asked, waiting;
};

static bool send_probe(struct cfs_operation *operation, enum cfs_probe kind);

static void conclude(struct cfs_operation *operation)
{
    struct cfs_probes *probes = operation->probes;
    if (!(probes->asked & CFS_PROBE_CHANGE) && cfs_diagnose_is_guess(&probes->question, &probes->evidence) &&
        send_probe(operation, CFS_PROBE_CHANGE))
        return;
    int error = cfs_diagnose(&probes->question, &probes->evidence);
    if (error != -EDQUOT || !cfs_operation_tries_again(operation)) /* -EDQUOT: no more than the likeliest reason */
        cfs_operation_finish(operation, error);
}

static struct cfs_diagnose_node *node_of(struct cfs_diagnose_evidence *evidence, enum cfs_probe kind)
{
    switch (kind) {
    case CFS_PROBE_TARGET:
        return &evidence->target;
    case CFS_PROBE_OTHER:
        return &evidence->other;
    case CFS_PROBE_PARENT:
        return &evidence->parent;
    default:
        return &evidence->other_parent;
    }
}

static void take_node(struct cfs_probes *probes, enum cfs_probe kind, const struct cfs_sftp_reply *reply)
{
    struct cfs_diagnose_node *node = node_of(&probes->evidence, kind);
    if (reply->error && reply->status != SSH_FX_NO_SUCH_FILE)
        return;
    probes->evidence.answered |= kind;
    node->exists = reply->error == 0;
    if (reply->attributes && (reply->attributes->flags & SSH_FILEXFER_ATTR_PERMISSIONS))
        node->mode = reply->attributes->permissions;
}

static void take_space(struct cfs_probes *probes, enum cfs_probe kind, const struct cfs_sftp_reply *reply)
{
    struct cfs_diagnose_space *space =
        kind == CFS_PROBE_SPACE ? &probes->evidence.space : &probes->evidence.other_space;
    if (!reply->statvfs)
        return;
    probes->evidence.answered |= kind;
    space->file_system = reply->statvfs->fsid;
    space->read_only = reply->statvfs->flag & STATVFS_READ_ONLY;
    space->full = reply->statvfs->bavail == 0 || (reply->statvfs->files > 0 && reply->statvfs->ffree == 0);
}

/* Only the server that is known to take it as chown(2) does, where -1 stands for "as it is": OpenSSH's. */
static int send_change(struct cfs_sftp_client *client, struct cfs_sftp_request *request, const char *path)
{
    static const struct cfs_sftp_attributes same = {.flags = SSH_FILEXFER_ATTR_UIDGID, .uid = ~0u, .gid = ~0u};
    if (!(cfs_sftp_client_extensions(client) & CFS_SFTP_USERS_GROUPS_BY_ID))
        return -EOPNOTSUPP;
    return cfs_sftp_setstat(client, request, path, &same);
}

static void take_change(struct cfs_probes *probes, const struct cfs_sftp_reply *reply)
{
    if (reply->error && reply->status != SSH_FX_FAILURE)
        return;
    probes->evidence.answered |= CFS_PROBE_CHANGE;
    probes->evidence.refuses_change = reply->error != 0;
}

typedef int send_function(struct cfs_sftp_client *client, struct cfs_sftp_request *request, const char *path);

static const struct {
    enum cfs_probe kind;
    send_function *send;
    bool of_other, of_parent;
} kinds[CFS_PROBES] = {
    {CFS_PROBE_TARGET, cfs_sftp_lstat, false, false}, {CFS_PROBE_OTHER, cfs_sftp_lstat, true, false},
    {CFS_PROBE_PARENT, cfs_sftp_stat, false, true},   {CFS_PROBE_OTHER_PARENT, cfs_sftp_stat, true, true},
    {CFS_PROBE_SPACE, cfs_sftp_statvfs, false, true}, {CFS_PROBE_OTHER_SPACE, cfs_sftp_statvfs, true, true},
    {CFS_PROBE_CHANGE, send_change, false, true},
};

static void on_probe(struct cfs_operation *operation, struct cfs_step *step, const struct cfs_sftp_reply *reply)
{
    struct cfs_probes *probes = operation->probes;
    enum cfs_probe kind = kinds[step - probes->step].kind;
    if (kind == CFS_PROBE_SPACE || kind == CFS_PROBE_OTHER_SPACE)
        take_space(probes, kind, reply);
    else if (kind == CFS_PROBE_CHANGE)
        take_change(probes, reply);
    else
        take_node(probes, kind, reply);
    if (--probes->waiting == 0)
        conclude(operation);
}

/* Sends one; whether it is in flight. */
static bool send_probe(struct cfs_operation *operation, enum cfs_probe kind)
{
    struct cfs_probes *probes = operation->probes;
    size_t i = 0;
    while (kinds[i].kind != kind)
        i++;
    const char *path = kinds[i].of_other ? operation->other : operation->path;
    bool is_itself = kind == CFS_PROBE_CHANGE && operation->kind == CFS_DIAGNOSE_RMDIR;
    char *parent CFS_AUTO_FREE = path && kinds[i].of_parent && !is_itself ? cfs_path_parent(path) : NULL;
    struct cfs_step *step = &probes->step[i];
    if (kinds[i].of_parent && !is_itself)
        path = parent;
    probes->asked |= kind;
    if (!path)
        return false;
    if (kinds[i].send(cfs_operation_client(operation), cfs_step_arm_part(step, operation, on_probe), path) == 0) {
        probes->waiting++;
        return true;
    }
    cfs_list_remove(&step->link);
    return false;
}

static bool in_one_folder(const struct cfs_operation *operation)
{
    char *a CFS_AUTO_FREE = operation->path ? cfs_path_parent(operation->path) : NULL;
    char *b CFS_AUTO_FREE = operation->other ? cfs_path_parent(operation->other) : NULL;
    return a && b && strcmp(a, b) == 0;
}

void cfs_probe_start(struct cfs_operation *operation, const struct cfs_diagnose_question *question, unsigned wanted)
{
    static const struct cfs_diagnose_evidence nothing;
    operation->probes = calloc(1, sizeof(*operation->probes));
    if (!operation->probes) {
        cfs_operation_finish(operation, cfs_diagnose(question, &nothing));
        return;
    }
    operation->probes->question = *question;
    operation->probes->question.same_parent = in_one_folder(operation);
    for (size_t i = 0; i < CFS_PROBES; i++) {
        if (wanted & kinds[i].kind)
            (void)send_probe(operation, kinds[i].kind);
    }
    if (operation->probes->waiting == 0)
        conclude(operation);
}

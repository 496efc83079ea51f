/* From a status code and some evidence to the errno of a local file system (see the header).
 *
 * A rule per line: the operations and the status it is about, a condition, the errno. The first rule whose condition
 * holds decides, so their order is that of the checks in Linux (fs/namei.c): for a creation EEXIST comes before EROFS,
 * for a removal after it. Without a rule: sftp/status.h. */
#include "remote/diagnose.h"
#include "base/cleanup.h"
#include "remote/remote.h"
#include "sftp/protocol.h"
#include "sftp/status.h"
#include <errno.h>
#include <sys/stat.h>

typedef struct cfs_diagnose_question question_t;
typedef struct cfs_diagnose_evidence evidence_t;

/* --- conditions --- */

static bool always(const question_t *question, const evidence_t *evidence)
{
    return true;
}

static bool target_exists(const question_t *question, const evidence_t *evidence)
{
    return evidence->target.exists;
}

static bool target_is_folder(const question_t *question, const evidence_t *evidence)
{
    return evidence->target.exists && S_ISDIR(evidence->target.mode);
}

static bool target_is_no_folder(const question_t *question, const evidence_t *evidence)
{
    return evidence->target.exists && !S_ISDIR(evidence->target.mode) && !S_ISLNK(evidence->target.mode);
}

/* rmdir does not follow a link, opening a listing does. */
static bool target_is_link(const question_t *question, const evidence_t *evidence)
{
    return evidence->target.exists && S_ISLNK(evidence->target.mode);
}

static bool target_is_socket(const question_t *question, const evidence_t *evidence)
{
    return evidence->target.exists && (S_ISSOCK(evidence->target.mode) || S_ISFIFO(evidence->target.mode));
}

static bool target_is_executable(const question_t *question, const evidence_t *evidence)
{
    return evidence->target.exists && S_ISREG(evidence->target.mode) && (evidence->target.mode & 0111);
}

static bool truncates_folder(const question_t *question, const evidence_t *evidence)
{
    return (question->setting & CFS_REMOTE_SIZE) && target_is_folder(question, evidence);
}

static bool sets_only_size(const question_t *question, const evidence_t *evidence)
{
    return question->setting == CFS_REMOTE_SIZE;
}

static bool parent_is_no_folder(const question_t *question, const evidence_t *evidence)
{
    return evidence->parent.exists && !S_ISDIR(evidence->parent.mode);
}

static bool a_parent_is_no_folder(const question_t *question, const evidence_t *evidence)
{
    return parent_is_no_folder(question, evidence) ||
           (evidence->other_parent.exists && !S_ISDIR(evidence->other_parent.mode));
}

static bool parent_is_sticky(const question_t *question, const evidence_t *evidence)
{
    return (evidence->parent.exists && (evidence->parent.mode & S_ISVTX)) ||
           (evidence->other_parent.exists && (evidence->other_parent.mode & S_ISVTX));
}

static bool other_exists(const question_t *question, const evidence_t *evidence)
{
    return evidence->other.exists;
}

static bool file_over_folder(const question_t *question, const evidence_t *evidence)
{
    return evidence->other.exists && S_ISDIR(evidence->other.mode) && !target_is_folder(question, evidence);
}

static bool folder_over_folder(const question_t *question, const evidence_t *evidence)
{
    return evidence->other.exists && S_ISDIR(evidence->other.mode) && target_is_folder(question, evidence);
}

static bool folder_over_file(const question_t *question, const evidence_t *evidence)
{
    return evidence->other.exists && !S_ISDIR(evidence->other.mode) && target_is_folder(question, evidence);
}

static bool on_two_file_systems(const question_t *question, const evidence_t *evidence)
{
    return (evidence->answered & CFS_PROBE_SPACE) && (evidence->answered & CFS_PROBE_OTHER_SPACE) &&
           evidence->space.file_system != evidence->other_space.file_system;
}

static bool in_two_folders(const question_t *question, const evidence_t *evidence)
{
    return !question->same_parent && (!(evidence->answered & CFS_PROBE_TARGET) || evidence->target.exists);
}

static bool is_read_only(const question_t *question, const evidence_t *evidence)
{
    return ((evidence->answered & CFS_PROBE_SPACE) && evidence->space.read_only) ||
           ((evidence->answered & CFS_PROBE_OTHER_SPACE) && evidence->other_space.read_only);
}

static bool is_full(const question_t *question, const evidence_t *evidence)
{
    return ((evidence->answered & CFS_PROBE_SPACE) && evidence->space.full) ||
           ((evidence->answered & CFS_PROBE_OTHER_SPACE) && evidence->other_space.full);
}

/* Space is left, and yet it failed. */
static bool has_space(const question_t *question, const evidence_t *evidence)
{
    return (evidence->answered & CFS_PROBE_SPACE) && !evidence->space.full;
}

static bool refuses_change(const question_t *question, const evidence_t *evidence)
{
    return (evidence->answered & CFS_PROBE_CHANGE) && evidence->refuses_change;
}

/* --- rules --- */

#define ON(operation) (1u << CFS_DIAGNOSE_##operation)
#define NEW_NAMES     (ON(MKDIR) | ON(SYMLINK) | ON(CREATE_EXCLUSIVE))
#define OPENS         (ON(OPEN) | ON(OPEN_WRITE) | ON(CREATE) | ON(CREATE_EXCLUSIVE))
#define RENAMES       (ON(RENAME) | ON(RENAME_NOREPLACE))
#define REMOVALS      (ON(RMDIR) | ON(UNLINK))
#define BY_HANDLE     (ON(READ) | ON(WRITE) | ON(HANDLE) | ON(CLOSE) | ON(SETATTR_HANDLE))
#define CHANGES                                                                                                        \
    (NEW_NAMES | RENAMES | REMOVALS | ON(LINK) | ON(SETATTR) | ON(CREATE) | ON(OPEN_WRITE) | ON(WRITE) | ON(CLOSE))
#define TAKES_SPACE (NEW_NAMES | ON(CREATE) | ON(WRITE) | ON(CLOSE))

static const struct rule {
    unsigned operations;
    uint32_t status;
    bool (*holds)(const question_t *question, const evidence_t *evidence);
    unsigned probes; /* what `holds` looks at */
    int error;
} rules[] = {
    {NEW_NAMES, SSH_FX_FAILURE, target_exists, CFS_PROBE_TARGET, -EEXIST},
    {ON(LINK) | ON(RENAME_NOREPLACE), SSH_FX_FAILURE, other_exists, CFS_PROBE_OTHER, -EEXIST},
    {CHANGES, SSH_FX_FAILURE, is_read_only, CFS_PROBE_SPACE, -EROFS},
    {ON(UNLINK) | ON(OPEN_WRITE) | ON(CREATE) | ON(OPEN), SSH_FX_FAILURE, target_is_folder, CFS_PROBE_TARGET, -EISDIR},
    {ON(SETATTR), SSH_FX_FAILURE, truncates_folder, CFS_PROBE_TARGET, -EISDIR},
    {ON(SETATTR), SSH_FX_FAILURE, target_is_link, CFS_PROBE_TARGET, -EOPNOTSUPP},
    {OPENS, SSH_FX_FAILURE, target_is_socket, CFS_PROBE_TARGET, -ENXIO},
    {ON(RMDIR), SSH_FX_FAILURE, refuses_change, CFS_PROBE_CHANGE, -EROFS},
    {ON(RMDIR), SSH_FX_FAILURE, target_is_folder, CFS_PROBE_TARGET, -ENOTEMPTY},
    {ON(RENAME), SSH_FX_FAILURE, file_over_folder, CFS_PROBE_TARGET | CFS_PROBE_OTHER, -EISDIR},
    {ON(RENAME), SSH_FX_FAILURE, folder_over_file, CFS_PROBE_TARGET | CFS_PROBE_OTHER, -ENOTDIR},
    {ON(LINK), SSH_FX_FAILURE, target_is_folder, CFS_PROBE_TARGET, -EPERM},
    {RENAMES | ON(LINK), SSH_FX_FAILURE, on_two_file_systems, CFS_PROBE_SPACE | CFS_PROBE_OTHER_SPACE, -EXDEV},
    {ON(RENAME), SSH_FX_FAILURE, folder_over_folder, CFS_PROBE_TARGET | CFS_PROBE_OTHER, -ENOTEMPTY},
    {TAKES_SPACE | RENAMES | ON(LINK), SSH_FX_FAILURE, is_full, CFS_PROBE_SPACE, -ENOSPC},
    {CHANGES | ON(SETATTR_HANDLE), SSH_FX_FAILURE, refuses_change, 0, -EROFS},
    {RENAMES | ON(LINK), SSH_FX_FAILURE, in_two_folders, 0, -EXDEV},
    {ON(OPEN_WRITE) | ON(CREATE), SSH_FX_FAILURE, target_is_executable, CFS_PROBE_TARGET, -ETXTBSY},
    {TAKES_SPACE, SSH_FX_FAILURE, has_space, CFS_PROBE_SPACE, -EDQUOT},

    {BY_HANDLE, SSH_FX_NO_SUCH_FILE, always, 0, -ESTALE},
    {ON(RMDIR), SSH_FX_NO_SUCH_FILE, target_is_no_folder, CFS_PROBE_TARGET, -ENOTDIR},
    {ON(RMDIR), SSH_FX_NO_SUCH_FILE, target_is_link, CFS_PROBE_TARGET, -ENOTDIR},
    {ON(OPEN_LISTING), SSH_FX_NO_SUCH_FILE, target_is_no_folder, CFS_PROBE_TARGET, -ENOTDIR},
    {ON(RENAME), SSH_FX_NO_SUCH_FILE, folder_over_file, CFS_PROBE_TARGET | CFS_PROBE_OTHER, -ENOTDIR},
    {RENAMES | ON(LINK), SSH_FX_NO_SUCH_FILE, a_parent_is_no_folder, CFS_PROBE_PARENT | CFS_PROBE_OTHER_PARENT,
     -ENOTDIR},
    {NEW_NAMES | OPENS | REMOVALS | ON(SETATTR) | ON(READLINK) | ON(OPEN_LISTING), SSH_FX_NO_SUCH_FILE,
     parent_is_no_folder, CFS_PROBE_PARENT, -ENOTDIR},

    {ON(SETATTR) | ON(SETATTR_HANDLE), SSH_FX_PERMISSION_DENIED, sets_only_size, 0, -EACCES},
    {ON(SETATTR) | ON(SETATTR_HANDLE), SSH_FX_PERMISSION_DENIED, always, 0, -EPERM},
    {ON(LINK), SSH_FX_PERMISSION_DENIED, target_is_folder, CFS_PROBE_TARGET, -EPERM},
    {REMOVALS | RENAMES, SSH_FX_PERMISSION_DENIED, parent_is_sticky, CFS_PROBE_PARENT | CFS_PROBE_OTHER_PARENT, -EPERM},

    {~0u, SSH_FX_BAD_MESSAGE, always, 0, -EINVAL},
    {ON(READLINK), SSH_FX_FAILURE, always, 0, -EINVAL},
};

static bool concerns(const struct rule *rule, const question_t *question)
{
    return (rule->operations & (1u << question->operation)) && rule->status == question->status;
}

static bool has_two_paths(enum cfs_diagnose_operation operation)
{
    return (1u << operation) & (RENAMES | ON(LINK));
}

unsigned cfs_diagnose_probes(const struct cfs_diagnose_question *question)
{
    unsigned probes = 0;
    for (size_t i = 0; i < CFS_COUNT(rules); i++) {
        if (concerns(&rules[i], question))
            probes |= rules[i].probes;
    }
    if (!has_two_paths(question->operation))
        probes &= ~(unsigned)(CFS_PROBE_OTHER | CFS_PROBE_OTHER_PARENT | CFS_PROBE_OTHER_SPACE);
    return probes;
}

/* NULL: none holds. */
static const struct rule *find_rule(const question_t *question, const evidence_t *evidence)
{
    for (size_t i = 0; i < CFS_COUNT(rules); i++) {
        if (concerns(&rules[i], question) && rules[i].holds(question, evidence))
            return &rules[i];
    }
    return NULL;
}

int cfs_diagnose(const struct cfs_diagnose_question *question, const struct cfs_diagnose_evidence *evidence)
{
    const struct rule *rule = find_rule(question, evidence);
    return rule ? rule->error : cfs_sftp_status_to_errno(question->status);
}

bool cfs_diagnose_is_guess(const struct cfs_diagnose_question *question, const struct cfs_diagnose_evidence *evidence)
{
    const struct rule *rule = find_rule(question, evidence);
    if (rule)
        return rule->holds == in_two_folders || rule->holds == has_space;
    return question->status == SSH_FX_FAILURE && ((1u << question->operation) & (CHANGES | ON(SETATTR_HANDLE)));
}

/* The errno that a local file system would have given, where SFTP v3 has only a handful of status codes. Pure.
 *
 * OpenSSH's sftp-server (errno_to_portable) sends NO_SUCH_FILE for ENOENT, ENOTDIR, EBADF and ELOOP; PERMISSION_DENIED
 * for EPERM, EACCES and EFAULT; BAD_MESSAGE for EINVAL and ENAMETOOLONG; FAILURE for all the rest. What it was is found
 * out afterwards: cfs_diagnose_probes says what to look at (all of it in one round trip, and only after a failure),
 * cfs_diagnose concludes. Another program may have changed things in between: then the answer is merely plausible, as
 * it would have been a moment earlier or later.
 *
 * Guesses, where nothing on the wire could prove them:
 * - EDQUOT: a write or a creation failed although there is space and the disk takes changes: quotas are by far the
 * commonest reason.
 * - EXDEV: a rename or link between two folders failed without any other reason. Beyond different file systems that is
 * what project quotas (XFS, Lustre) answer inside one, and mv(1) then copies.
 * - ETXTBSY: an existing executable could not be opened for writing.
 * - ENOTEMPTY rather than EBUSY for a folder that cannot be removed.
 * ELOOP cannot be told from ENOENT: a link that leads nowhere answers the same. */
#ifndef CFS_REMOTE_DIAGNOSE_H
#define CFS_REMOTE_DIAGNOSE_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

enum cfs_diagnose_operation {
    CFS_DIAGNOSE_LSTAT, /* never probed: ENOENT is its everyday answer */
    CFS_DIAGNOSE_SETATTR,
    CFS_DIAGNOSE_READLINK,
    CFS_DIAGNOSE_MKDIR,
    CFS_DIAGNOSE_RMDIR,
    CFS_DIAGNOSE_UNLINK,
    CFS_DIAGNOSE_SYMLINK,
    CFS_DIAGNOSE_LINK,
    CFS_DIAGNOSE_RENAME,
    CFS_DIAGNOSE_RENAME_NOREPLACE,
    CFS_DIAGNOSE_STATFS,
    CFS_DIAGNOSE_OPEN, /* for reading, without O_CREAT */
    CFS_DIAGNOSE_OPEN_WRITE,
    CFS_DIAGNOSE_CREATE,           /* O_CREAT */
    CFS_DIAGNOSE_CREATE_EXCLUSIVE, /* O_CREAT | O_EXCL */
    CFS_DIAGNOSE_OPEN_LISTING,
    CFS_DIAGNOSE_READ,           /* from here on: by handle */
    CFS_DIAGNOSE_WRITE,          /* fsync too */
    CFS_DIAGNOSE_HANDLE,         /* fstat, read_listing */
    CFS_DIAGNOSE_SETATTR_HANDLE, /* fsetattr */
    CFS_DIAGNOSE_CLOSE,
    CFS_DIAGNOSE_ID_NAMES,
    CFS_DIAGNOSE_OPERATIONS,
};

enum cfs_probe {
    CFS_PROBE_TARGET = 1 << 0,       /* lstat of the path (of the first one, where there are two) */
    CFS_PROBE_OTHER = 1 << 1,        /* lstat of the second path */
    CFS_PROBE_PARENT = 1 << 2,       /* stat of the folder that holds the path */
    CFS_PROBE_OTHER_PARENT = 1 << 3, /* and of the second one's */
    CFS_PROBE_SPACE = 1 << 4,        /* statvfs of the folder that holds the path */
    CFS_PROBE_OTHER_SPACE = 1 << 5,
    /* A SETSTAT that sets nothing, of the folder that is to be removed, or else of the one that holds the path: a disk
     * that went read-only by an error refuses it, where statvfs does not tell (ext4 since Linux 6.15). */
    CFS_PROBE_CHANGE = 1 << 6,
};
enum { CFS_PROBES = 7 };

/* What is asked: an operation and how it ended. */
struct cfs_diagnose_question {
    enum cfs_diagnose_operation operation;
    uint32_t status;  /* SSH_FX_* */
    unsigned setting; /* SETATTR, SETATTR_HANDLE: enum cfs_remote_attribute */
    bool same_parent; /* RENAME, LINK: both paths lie in one folder */
};

/* What the probes found. */
struct cfs_diagnose_evidence {
    unsigned answered; /* enum cfs_probe: which of the fields below say something */
    struct cfs_diagnose_node {
        bool exists;
        mode_t mode;
    } target, other, parent, other_parent;
    struct cfs_diagnose_space {
        uint64_t file_system;
        bool read_only, full;
    } space, other_space;
    bool refuses_change;
};

/* What to look at before cfs_diagnose; 0 if nothing would help. */
unsigned cfs_diagnose_probes(const struct cfs_diagnose_question *question);
/* Negative; 0 for SSH_FX_OK. */
int cfs_diagnose(const struct cfs_diagnose_question *question, const struct cfs_diagnose_evidence *evidence);
/* That is no more than the likeliest reason: CFS_PROBE_CHANGE, if it was not asked for, may tell of another. */
bool cfs_diagnose_is_guess(const struct cfs_diagnose_question *question, const struct cfs_diagnose_evidence *evidence);

#endif

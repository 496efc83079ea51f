/* The doctor (`clusterfs check`): goes the way that a mount goes, step by step, and finds what is in its way.
 *
 * The sentences are the mount's own: a step calls what a mount calls, and keeps what that says. check.c is the order of
 * the steps, check_*.c find, check_report.c keeps what was found and prints it. One thread. */
#ifndef CFS_CLI_CHECK_H
#define CFS_CLI_CHECK_H

#include "base/error.h"
#include "conf/profile.h"
#include "remote/remote.h"
#include "ssh/session.h"
#include <stdbool.h>
#include <stdint.h>

/* In the order in which they are told, which is a mount's. */
enum cfs_check_step {
    CFS_CHECK_CONFIGURATION,
    CFS_CHECK_MOUNT_POINT,
    CFS_CHECK_NAME,
    CFS_CHECK_CONNECTION,
    CFS_CHECK_SERVER,
    CFS_CHECK_ALGORITHMS,
    CFS_CHECK_HOST_KEY,
    CFS_CHECK_KEY_FILES,
    CFS_CHECK_AGENT,
    CFS_CHECK_LOGIN,
    CFS_CHECK_SFTP,
    CFS_CHECK_EXTENSIONS,
    CFS_CHECK_FOLDER,
    CFS_CHECK_READING,
    CFS_CHECK_SPACE,
    CFS_CHECK_WRITING,
    CFS_CHECK_CLOCK,
    CFS_CHECK_SPEED,
    CFS_CHECK_FUSE,
    CFS_CHECK_STEPS,
};

enum cfs_check_mark { CFS_CHECK_NOT_REACHED, CFS_CHECK_OK, CFS_CHECK_WARNING, CFS_CHECK_FAILED };

struct cfs_check_finding {
    enum cfs_check_mark mark;
    enum cfs_failure failure; /* of one that failed */
    char *text, *hint;        /* NULL: none */
};

/* What was measured; -1: was not. */
struct cfs_check_measures {
    int64_t round_trip_us;
    int64_t written_per_s, read_per_s; /* bytes */
    int64_t free_bytes;
    int64_t clock_ahead_s; /* of ours */
    bool clock_is_known;
};

struct cfs_check {
    const char *source;
    const char *mountpoint;            /* as given; NULL: none */
    struct cfs_profile *profile;       /* NULL: cannot be read */
    char *prepared;                    /* the mount point, if it can be used */
    char *public_lines;                /* of the keys in the identity files, as for authorized_keys; NULL: none */
    struct cfs_profile one_connection; /* the profile with a single connection; borrows all of it */
    struct cfs_check_finding findings[CFS_CHECK_STEPS];
    struct cfs_check_measures measures;
    bool json;
    enum cfs_check_step told; /* all before it have been printed */
};

/* --- check_report.c --- */

/* What was found of a step; a second word of it replaces the first. */
void cfs_check_say(struct cfs_check *check, enum cfs_check_step step, enum cfs_check_mark mark, const char *format, ...)
    CFS_PRINTF(4, 5);
void cfs_check_fail(struct cfs_check *check, enum cfs_check_step step, const struct cfs_error *error);
/* A line more: what to do about it. A second one is added to the first. */
void cfs_check_hint(struct cfs_check *check, enum cfs_check_step step, const char *format, ...) CFS_PRINTF(3, 4);

/* All steps up to STEP have been gone: prints those that were not yet, unless JSON is wanted. */
void cfs_check_tell(struct cfs_check *check, enum cfs_check_step step);
/* What comes at the end. Returns the exit code: that of the first failure, which is what a mount would meet. */
int cfs_check_conclude(struct cfs_check *check);
void cfs_check_fini(struct cfs_check *check);

/* --- the finding --- */

/* check_keys.c: identity files and the agent; needs no connection. */
void cfs_check_keys(struct cfs_check *check);

/* check_connection.c: from the name to the work folder. NULL if it was not reached; else the caller frees it
 * (cfs_pool_free). */
struct cfs_remote *cfs_check_connection(struct cfs_check *check);

/* check_folder.c: all that is asked of the work folder. */
void cfs_check_folder(struct cfs_check *check, struct cfs_remote *remote);
/* check_speed.c: how long the server takes to answer. 0 or -errno. */
CFS_CHECKED int cfs_check_round_trip(struct cfs_check *check, struct cfs_remote *remote);
/* check_speed.c: bytes to and from FILE, which is open for both, and may hold ROOM bytes; a second or so each way. 0 or
 * -errno of what failed; what is read back is not what was written: -EBADMSG. */
CFS_CHECKED int cfs_check_throughput(struct cfs_check *check, struct cfs_remote *remote, struct cfs_remote_file *file,
                                     uint64_t room);

/* check_fuse.c: the mount point before the connection is made, FUSE after it, as a mount does. */
void cfs_check_mount_point(struct cfs_check *check);
void cfs_check_fuse(struct cfs_check *check);

#endif

/* A failure that a person must read: what failed, where, and what to do, in one or more sentences, with the
 * kind that decides the exit code. Operations on files never use this: they return negative errno. */
#ifndef CFS_BASE_ERROR_H
#define CFS_BASE_ERROR_H

#include "base/cleanup.h"

/* The kinds of failure; clusterfs(1) lists them with their exit codes (cfs_failure_exit_code). */
enum cfs_failure {
    CFS_FAILURE_NONE,
    CFS_FAILURE_USAGE,       /* the command line */
    CFS_FAILURE_SYSTEM,      /* this machine: memory, descriptors, FUSE, a mount point */
    CFS_FAILURE_CONFIG,      /* the profile or an option */
    CFS_FAILURE_NAME,        /* the host's name cannot be looked up */
    CFS_FAILURE_CONNECT,     /* refused, unreachable */
    CFS_FAILURE_TIMEOUT,     /* no answer in time */
    CFS_FAILURE_PROTOCOL,    /* the other end does not speak SSH or SFTP as it should; no common algorithm */
    CFS_FAILURE_HOST_KEY,    /* unknown, changed or revoked host key */
    CFS_FAILURE_KEY_FILE,    /* the identity file: missing, unreadable, unsafe mode, wrong passphrase, unknown format */
    CFS_FAILURE_LOGIN,       /* the server refused the login */
    CFS_FAILURE_NO_SFTP,     /* logged in, but no SFTP subsystem */
    CFS_FAILURE_REMOTE_PATH, /* the work folder is missing or is no folder */
    CFS_FAILURE_MOUNT,       /* FUSE or the mount point */
    CFS_FAILURE_BUSY,        /* the mount point, or the port, is in use */
    CFS_FAILURE_LOST,        /* the connection was lost */
    CFS_FAILURE_CANCELLED,   /* the user gave up at a prompt, or a signal */
    CFS_FAILURE_DATA,        /* data could not be written to the server */
};

enum { CFS_ERROR_TEXT = 2048 };

/* Initialise with {0}. */
struct cfs_error {
    enum cfs_failure failure;
    char text[CFS_ERROR_TEXT];
};

/* Sets kind and text (cut at the buffer's end; control characters other than newline become '?', so that what a
 * server sent cannot drive a terminal). ERROR may be NULL. Returns -errno_value, so that a caller can say
 * `return cfs_error_set(error, ENOENT, CFS_FAILURE_CONFIG, "...")`. */
int cfs_error_set(struct cfs_error *error, int errno_value, enum cfs_failure failure, const char *format, ...)
    CFS_PRINTF(4, 5);

/* Appends to the text (a hint, the cause) under the same rules. The text of ERROR itself may be among the arguments,
 * here and above. */
void cfs_error_append(struct cfs_error *error, const char *format, ...) CFS_PRINTF(2, 3);

/* The exit code of clusterfs for a kind of failure, 0 for none. Documented in clusterfs(1). */
int cfs_failure_exit_code(enum cfs_failure failure);

/* A short word for a kind ("host-key", "login", ...), for logs and JSON. */
const char *cfs_failure_name(enum cfs_failure failure);

#endif

/* Going into the background: the parent waits until the child says that the mount is usable, or why it is not. */
#ifndef CFS_CLI_DAEMON_H
#define CFS_CLI_DAEMON_H

#include "base/error.h"

/* Forks before any thread exists. In the child 0 is returned, and it goes on with the terminal still there, for
 * prompts, but with no other descriptor than 0 to 2; until it is ready it gets SIGTERM when the parent is killed. In
 * the parent: waits for the child's word; returns 1, with *RET_EXIT_CODE to leave with (0: usable; else the sentence
 * has been written to stderr). */
CFS_CHECKED int cfs_daemon_fork(int *ret_exit_code, struct cfs_error *error);

/* In the child: lets the parent leave with 0, and cuts the ties to the terminal: own session, folder /, standard
 * descriptors at /dev/null. Does nothing after a start in the foreground (no fork). */
void cfs_daemon_ready(void);
/* In the child: tells the parent to leave with CODE; the sentence must be on stderr already. Does nothing without a
 * fork. */
void cfs_daemon_failed(int code);

#endif

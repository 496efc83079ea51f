/* A program that carries the bytes: proxy_command. */
#ifndef CFS_SSH_COMMAND_H
#define CFS_SSH_COMMAND_H

#include "base/error.h"
#include "conf/profile.h"
#include "ssh/line.h"

/* Starts PROFILE's proxy_command (conf/command.h), without a shell, with a socketpair as its stdin and stdout; the
 * other end is RET_FD, non-blocking and close-on-exec. What it says on stderr is kept for RET_LINE's `explain`. The
 * line's end ends it with SIGTERM, an abort with SIGKILL. -errno, and ERROR (CFS_FAILURE_CONFIG, _SYSTEM). */
CFS_CHECKED int cfs_ssh_command_start(const struct cfs_profile *profile, int *ret_fd, struct cfs_ssh_line **ret_line,
                                      struct cfs_error *error);

#endif

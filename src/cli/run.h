/* Running another program to its end. */
#ifndef CFS_CLI_RUN_H
#define CFS_CLI_RUN_H

#include "base/cleanup.h"
#include <stddef.h>
#include <sys/types.h>

/* Runs ARGV (found in PATH, no shell); the first line that it writes to stderr goes to MESSAGE, printable. Returns its
 * exit code (128 + signal when one ended it) or -errno when it could not be started. */
CFS_CHECKED int cfs_run(const char *const argv[], char *message, size_t size);

/* Starts ARGV (found in PATH, no shell) with our FD as its descriptor AS (0 to 2), and SETTING ("NAME=VALUE"; NULL:
 * none) in front of our environment. The caller waits for *RET_CHILD. 0 or -errno. */
CFS_CHECKED int cfs_run_start(const char *const argv[], const char *setting, int fd, int as, pid_t *ret_child);

#endif

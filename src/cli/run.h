/* Running another program to its end. */
#ifndef CFS_CLI_RUN_H
#define CFS_CLI_RUN_H

#include <stddef.h>

/* Runs ARGV (found in PATH, no shell); the first line that it writes to stderr goes to MESSAGE, printable. Returns its
 * exit code (128 + signal when one ended it) or -errno when it could not be started. */
int cfs_run(const char *const argv[], char *message, size_t size);

#endif

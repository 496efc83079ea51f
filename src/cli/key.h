/* What the subcommands of `clusterfs key` share. */
#ifndef CFS_CLI_KEY_H
#define CFS_CLI_KEY_H

#include "base/error.h"
#include "cli/cli.h"
#include <stdbool.h>
#include <stddef.h>

/* `clusterfs key VERB`: ARGV[0] is the verb. */
extern const struct cfs_command cfs_key_convert;

/* Writes a whole file of its own, with mode MODE, in one step: there is the old one, or none, or all of it. Without
 * REPLACE one that is there stays as it is: -EEXIST, with a sentence. */
CFS_CHECKED int cfs_key_output_write(const char *path, const void *bytes, size_t length, unsigned mode, bool replace,
                                     struct cfs_error *error);
/* -EEXIST with that sentence, before there is anything to be written. */
CFS_CHECKED int cfs_key_output_check(const char *path, struct cfs_error *error);

#endif

/* What the commands that change configuration files share. */
#ifndef CFS_CLI_EDITING_H
#define CFS_CLI_EDITING_H

#include "base/error.h"
#include "conf/config_edit.h"
#include <stdbool.h>

/* The path of the file that is changed: CONFIG_FILE (of -c), or if it is NULL the user's own. -errno with a sentence.
 * The caller frees. */
CFS_CHECKED int cfs_editing_find(const char *config_file, char **ret_path, struct cfs_error *error);

/* Opens it; CREATE makes one if there is none. -errno with a sentence. The caller calls cfs_config_edit_fini. */
CFS_CHECKED int cfs_editing_open(const char *config_file, bool create, struct cfs_config_edit *ret_edit,
                                 struct cfs_error *error);

/* Whether there is a profile NAME, in any of the files that a mount would read: 1, 0, or -errno with a sentence. */
CFS_CHECKED int cfs_editing_has_profile(const char *config_file, const char *name, struct cfs_error *error);

/* PATH as the value of a key that holds a local file: relative ones are made absolute. On failure -errno with a
 * sentence. The caller frees. */
CFS_CHECKED int cfs_editing_write_path(const char *path, char **ret_value, struct cfs_error *error);

/* Reads PATH whole, "-" is stdin: at most LIMIT bytes, of a regular file or a pipe. -errno with a sentence. The caller
 * calls cfs_buffer_fini. */
CFS_CHECKED int cfs_editing_read(const char *path, size_t limit, struct cfs_buffer *ret_bytes, struct cfs_error *error);

#endif

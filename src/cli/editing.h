/* What the commands that change configuration files share. */
#ifndef CFS_CLI_EDITING_H
#define CFS_CLI_EDITING_H

#include "base/error.h"
#include "conf/config_edit.h"
#include "conf/login_text.h"
#include <stdbool.h>

/* The path of the file that is changed: CONFIG_FILE (of -c), or if it is NULL the user's own. -errno with a sentence.
 * The caller frees. */
CFS_CHECKED int cfs_editing_find(const char *config_file, char **ret_path, struct cfs_error *error);

/* Opens it; CREATE makes one if there is none. -errno with a sentence. The caller calls cfs_config_edit_fini. */
CFS_CHECKED int cfs_editing_open(const char *config_file, bool create, struct cfs_config_edit *ret_edit,
                                 struct cfs_error *error);

/* Whether there is a profile NAME, in any of the files that a mount would read: 1, 0, or -errno with a sentence. */
CFS_CHECKED int cfs_editing_has_profile(const char *config_file, const char *name, struct cfs_error *error);

/* Whether there is a profile NAME in the file for all users, beside the user's own: what is not in the latter holds
 * from there. False with a CONFIG_FILE, which is read alone, and if that file cannot be read. */
bool cfs_editing_has_profile_for_all(const char *config_file, const char *name);

/* PATH as the value of KEY, which holds local files: relative ones are made absolute. On failure -errno with a
 * sentence. The caller frees. */
CFS_CHECKED int cfs_editing_write_path(const char *key, const char *path, char **ret_value, struct cfs_error *error);

/* Whether PATH, which may begin with ~/, names a file that is there. */
bool cfs_editing_is_file(const char *path);

/* What was said for KEY on a command line, as its value in a file: checked, and where it is the name of a file that is
 * there, written as a path; else as it stands. On failure -errno with a sentence. The caller frees. */
CFS_CHECKED int cfs_editing_write_value(const char *key, const char *said, char **ret_value, struct cfs_error *error);

/* Reads PATH whole, "-" is stdin: at most LIMIT bytes, of a regular file or a pipe. -errno with a sentence. The caller
 * calls cfs_buffer_fini. */
CFS_CHECKED int cfs_editing_read(const char *path, size_t limit, struct cfs_buffer *ret_bytes, struct cfs_error *error);

/* Finds where to log in out of the message in the file PATH, "-" is stdin, and tells it on stdout. On failure -errno
 * with a sentence. */
CFS_CHECKED int cfs_editing_find_login(const char *path, struct cfs_login *ret_login, struct cfs_error *error);

#endif

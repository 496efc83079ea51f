/* Paths on the server. All are bytes; a relative one is as remote.h has it: no leading '/', "" is the root of the
 * mount. */
#ifndef CFS_REMOTE_PATHS_H
#define CFS_REMOTE_PATHS_H

#include "base/cleanup.h"
#include <stdbool.h>

/* ROOT (absolute) and RELATIVE as one path; the caller frees. -ENAMETOOLONG: the whole does not fit PATH_MAX, or a
 * component has more than NAME_MAX bytes (the server would say only BAD_MESSAGE). -EINVAL: not a path as remote.h has
 * it. -ENOMEM. */
CFS_CHECKED int cfs_path_join(const char *root, const char *relative, char **ret_path);

/* The folder that holds PATH (absolute): "/a/b" -> "/a", "/a" -> "/", "/" -> "/". The caller frees; NULL if memory is
 * short. */
char *cfs_path_parent(const char *path);

/* What PATH is called once FROM was renamed to TO: PATH itself or below it; the caller frees. NULL (and *RET_CONCERNED
 * true) if memory is short; NULL and false if PATH is neither FROM nor below it. */
char *cfs_path_renamed(const char *path, const char *from, const char *to, bool *ret_concerned);

#endif

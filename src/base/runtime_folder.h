/* Folders for the sockets of this user's processes: private to him, gone with the session or the machine. */
#ifndef CFS_BASE_RUNTIME_FOLDER_H
#define CFS_BASE_RUNTIME_FOLDER_H

#include "base/cleanup.h"
#include <stdbool.h>
#include <sys/types.h>

/* The folders in which a socket of UID may lie, best first: INDEX from 0 on. 1 and the name (the caller frees), 0 when
 * this one is not there on this machine, -ENOENT after the last. */
CFS_CHECKED int cfs_runtime_folder(unsigned index, uid_t uid, char **ret_folder);
/* Whether FOLDER is UID's and nobody else's; CREATE: makes it if it is missing. -EPERM: others have prepared it, or
 * have access to it. -errno. */
CFS_CHECKED int cfs_runtime_folder_check(const char *folder, uid_t uid, bool create);

#endif

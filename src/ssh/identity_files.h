/* Which identity files a login looks at. */
#ifndef CFS_SSH_IDENTITY_FILES_H
#define CFS_SSH_IDENTITY_FILES_H

#include "conf/profile.h"
#include <stdbool.h>

/* Their absolute paths, NULL-terminated: those that the profile names; or, where it names none (RET_USUAL), the usual
 * ones in ~/.ssh, whether they exist or not. Free with cfs_words_free. -ENOMEM. */
CFS_CHECKED int cfs_ssh_identity_files(const struct cfs_profile *profile, cfs_words *ret_files, bool *ret_usual);

#endif

/* What may be written into a profile by a program: the same rules as for what is read, and a few more. */
#ifndef CFS_CONF_PROFILE_EDIT_H
#define CFS_CONF_PROFILE_EDIT_H

#include "base/error.h"

/* Whether VALUE may stand after KEY in a configuration file. PLACE is where it was given ("command line"), for the
 * sentence. Secrets are refused: what is on a command line can be seen by others, and what another program had stored
 * is not ours to copy. -EINVAL with a sentence, -EPERM for a secret, -ENOMEM. */
CFS_CHECKED int cfs_profile_check_setting(const char *key, const char *value, const char *place,
                                          struct cfs_error *error);

/* Whether NAME may be a profile's: what a section may be called, but for [defaults]. -EINVAL with a sentence. Pure. */
CFS_CHECKED int cfs_profile_check_name(const char *name, struct cfs_error *error);

/* The value of KEY, which is for a path or for several, that stands for this one: % is doubled, blanks are quoted where
 * several can stand. -EINVAL if the notation cannot hold the path (a quote together with blanks, control characters),
 * -ENOMEM. The caller frees. Pure. */
CFS_CHECKED int cfs_profile_write_path(const char *key, const char *path, char **ret_value);

#endif

/* What a profile needs to know of the process: who the user is, and where the files are. */
#ifndef CFS_CONF_ENVIRONMENT_H
#define CFS_CONF_ENVIRONMENT_H

#include "base/cleanup.h"

struct cfs_environment {
    char *user;      /* the local user's name; NULL if it is not known */
    char *home;      /* absolute; NULL if it is not known */
    char *user_file; /* $XDG_CONFIG_HOME/clusterfs/clusterfs.conf; NULL without a home */
    char *folder;    /* the current one; NULL if it is not known */
};

/* HOME (may be NULL) overrides the environment and the password database. -ENOMEM. */
CFS_CHECKED int cfs_environment_init(struct cfs_environment *environment, const char *home);
void cfs_environment_fini(struct cfs_environment *environment);
#define CFS_AUTO_ENVIRONMENT __attribute__((cleanup(cfs_environment_fini)))

#endif

/* From ssh_config(5) to the options of a profile. */
#ifndef CFS_CONF_SSH_CONFIG_PROFILE_H
#define CFS_CONF_SSH_CONFIG_PROFILE_H

#include "base/error.h"
#include "conf/settings.h"

/* All borrowed; NULL: not known. */
struct cfs_ssh_config_surroundings {
    const char *local_user, *home;
    const char *folder;      /* the current one */
    const char *system_file; /* usually /etc/ssh/ssh_config */
};

/* Reads the ssh_config files (the option ssh_config says which) for the host that SETTINGS name, and sets what they say
 * where SETTINGS have the built-in default; `host` becomes the HostName. What is passed over and should be known is
 * told in the log. What cannot be done without (a proxy, ...) is refused. -errno with a sentence. */
CFS_CHECKED int cfs_ssh_config_apply(const struct cfs_ssh_config_surroundings *surroundings,
                                     struct cfs_settings *settings, struct cfs_error *error);

#endif

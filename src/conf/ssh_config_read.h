/* The ssh_config(5) files of a user and of the system, read for one host. */
#ifndef CFS_CONF_SSH_CONFIG_READ_H
#define CFS_CONF_SSH_CONFIG_READ_H

#include "conf/ssh_config.h"

/* All borrowed. */
struct cfs_ssh_config_request {
    const char *host;        /* as the user gave it */
    const char *user;        /* decided already; NULL */
    const char *local_user;  /* NULL: not known */
    const char *home;        /* NULL: not known */
    const char *only_file;   /* this one and no other, and it must exist; NULL: ~/.ssh/config, then the system's */
    const char *system_file; /* usually /etc/ssh/ssh_config */
};

/* Reads the files, and again if `Match final` asks for it. As with ssh, ~/.ssh/config and what is included must belong
 * to the user or to root and be writable by their owner only; a usual file need not exist. Includes go 16 deep; each
 * file is at most 1 MiB, all readings together at most 512 files. -errno with a sentence. The caller calls
 * cfs_ssh_config_fini. */
CFS_CHECKED int cfs_ssh_config_read(const struct cfs_ssh_config_request *request, struct cfs_ssh_config *ret_config,
                                    struct cfs_error *error);

#endif

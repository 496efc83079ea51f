/* The configuration files, read and checked for what can be checked without knowing the profile: notation, known keys,
 * and that no one else can have written the file or can read its secrets. Values are kept as texts. */
#ifndef CFS_CONF_CONFIG_H
#define CFS_CONF_CONFIG_H

#include "base/error.h"
#include "conf/option.h"
#include "conf/profile.h"
#include <stdbool.h>

/* The section whose values hold for all profiles. */
#define CFS_CONFIG_DEFAULTS "defaults"

struct cfs_config_value {
    char *section;
    const struct cfs_option *option;
    char *text;
    char *place; /* "FILE:LINE" */
};

struct cfs_config {
    cfs_words files;                 /* that were read, later ones override */
    cfs_words profiles;              /* the names of all sections but [defaults], each once */
    struct cfs_config_value *values; /* in the order of the files */
    size_t count, capacity;
};

/* Where the files are. All borrowed. */
struct cfs_config_choice {
    const char *only_file;   /* this one and no other, and it must exist; NULL: the two below, where they exist */
    const char *system_file; /* usually /etc/clusterfs.conf */
    const char *user_file;   /* usually ~/.config/clusterfs/clusterfs.conf; NULL: none */
};

/* Reads the files. A key given twice in one section of a file, and a section that appears twice in a file, are warned
 * of in the log; the later value holds. On failure -errno with a sentence. The caller calls cfs_config_fini, which
 * wipes secrets. */
CFS_CHECKED int cfs_config_read(const struct cfs_config_choice *choice, struct cfs_config *ret_config,
                                struct cfs_error *error);
void cfs_config_fini(struct cfs_config *config);
#define CFS_AUTO_CONFIG __attribute__((cleanup(cfs_config_fini)))

bool cfs_config_has_profile(const struct cfs_config *config, const char *name);

#endif

/* The text of each option while a profile is put together, and where it came from: later sets override earlier ones.
 * The texts are dropped once the profile has been filled; the places stay with it. */
#ifndef CFS_CONF_SETTINGS_H
#define CFS_CONF_SETTINGS_H

#include "conf/option.h"
#include <stdbool.h>

struct cfs_setting {
    char *text;
    char *place;            /* NULL: the built-in default */
    bool from_command_line; /* relative paths are meant from the current folder */
};

/* One setting for each option of the table, in its order, all with their defaults; NULL if memory is short. */
struct cfs_settings *cfs_settings_new(void);
void cfs_settings_free(struct cfs_settings *settings);
CFS_DEFINE_CLEANUP(struct cfs_settings, cfs_settings_free)

const struct cfs_setting *cfs_settings_get(const struct cfs_settings *settings, const struct cfs_option *option);
/* The strings are copied. -ENOMEM. */
CFS_CHECKED int cfs_settings_set(struct cfs_settings *settings, const struct cfs_option *option, const char *text,
                                 const char *place, bool from_command_line);
/* Wipes all texts. */
void cfs_settings_drop_texts(struct cfs_settings *settings);

#endif

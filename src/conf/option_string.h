/* The string that -o takes, as mount(8) hands it over: `key=value,word,...`. As in libfuse, a backslash takes the next
 * character literally (`\,` is a comma in a value), and `\ooo` is the byte with that octal number.
 *
 * The words that mount(8) itself defines are split off: those that libfuse and fusermount3 pass on to the kernel are
 * collected, those that our own options stand for (ro, rw, suid, ...) are turned into them, the rest concern mount(8)
 * only and are dropped. Anything else must be an option of the table. */
#ifndef CFS_CONF_OPTION_STRING_H
#define CFS_CONF_OPTION_STRING_H

#include "base/error.h"
#include "conf/option.h"

struct cfs_option_string_events {
    /* An option of the table with its text (a bool without a value has "yes"); borrowed during the call. */
    int (*value)(void *context, const struct cfs_option *option, const char *text, struct cfs_error *error);
    /* A flag for the kernel, such as "noatime": static. */
    int (*kernel_flag)(void *context, const char *flag, struct cfs_error *error);
};

/* OPTIONS may be NULL. -EINVAL with a sentence, -ENOMEM, or what an event returned. */
CFS_CHECKED int cfs_option_string_parse(const char *options, const struct cfs_option_string_events *events,
                                        void *context, struct cfs_error *error);

#endif

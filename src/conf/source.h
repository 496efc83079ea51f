/* SOURCE, the first argument of mount: `PROFILE[:PATH]` or `[USER@]HOST:[PATH]`; an IPv6 address is in brackets.
 * HOST may be a shortcut of ssh_config(5): that is looked up by who puts the profile together. */
#ifndef CFS_CONF_SOURCE_H
#define CFS_CONF_SOURCE_H

#include "base/error.h"
#include <stdbool.h>

struct cfs_source {
    char *prefix; /* all before the colon that ends the host: what may name a profile */
    char *user;   /* NULL: not given */
    char *host;   /* without brackets */
    char *path;   /* NULL: not given, or empty */
    bool colon;   /* without one, SOURCE can only name a profile */
};

/* Splits TEXT; whether there is such a profile is for the caller to see. Without a colon, user and host are what they
 * would be with one, and not checked. -EINVAL with a sentence, -ENOMEM. The caller calls cfs_source_fini. */
CFS_CHECKED int cfs_source_parse(const char *text, struct cfs_source *ret_source, struct cfs_error *error);
/* Checks user and host, for a source that names no profile. -EINVAL with a sentence. */
CFS_CHECKED int cfs_source_check(const struct cfs_source *source, const char *text, struct cfs_error *error);
void cfs_source_fini(struct cfs_source *source);
#define CFS_AUTO_SOURCE __attribute__((cleanup(cfs_source_fini)))

#endif

/* Paths on this side, as users write them: `~`, and %u %h %r %p %%. */
#ifndef CFS_CONF_EXPAND_H
#define CFS_CONF_EXPAND_H

#include "base/cleanup.h"

/* All borrowed. NULL where it is not known: using it is then an error. */
struct cfs_expansion {
    const char *home;        /* ~ */
    const char *local_user;  /* %u */
    const char *host;        /* %h */
    const char *remote_user; /* %r */
    unsigned port;           /* %p */
    const char *folder;      /* what a relative path is below */
};

/* The absolute path that TEXT means; the caller frees. On failure -EINVAL and *RET_REASON is how it must be ("must
 * ...", static), or -ENOMEM. Pure. */
CFS_CHECKED int cfs_expand_path(const char *text, const struct cfs_expansion *expansion, char **ret_path,
                                const char **ret_reason);

#endif

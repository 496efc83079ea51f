/* proxy_jump: [USER@]HOST[:PORT],... - the hosts to go through, the nearest first; each may be a profile. */
#ifndef CFS_CONF_HOPS_H
#define CFS_CONF_HOPS_H

#include "base/error.h"
#include "conf/profile.h"
#include "conf/settings.h"
#include <stdbool.h>
#include <stdint.h>

enum { CFS_HOPS_MOST = 8 };

/* One of them, as a source (conf/source.h) that names a profile or a host. */
struct cfs_hop {
    char source[560];
    uint16_t port; /* 0: not given */
};

/* Splits TEXT. The number of hops (1 to CFS_HOPS_MOST, the nearest first); -EINVAL, and *RET_REASON is how it must be
 * ("must ...", static). Pure. */
CFS_CHECKED int cfs_hops_parse(const char *text, struct cfs_hop ret_hops[CFS_HOPS_MOST], const char **ret_reason);
/* The rule of the option: NULL, or how it must be. "none" is fine. */
const char *cfs_hops_check(const char *text);

/* How the profile of a hop is loaded: as any other, but that nothing of -o holds for it, nor proxy_jump of [defaults].
 * DEPTH hops are nested already; IS_FIRST: its own proxy_jump holds. */
struct cfs_hop_loading {
    const struct cfs_profile_request *request;
    unsigned depth;
    bool is_first;
    const struct cfs_setting *ssh_config; /* of who names the hop: holds where the hop has none of its own */
};
/* Loads the profiles of all hops in PROFILE's proxy_jump into its `hop`, if there are any. -errno with a sentence. */
CFS_CHECKED int cfs_hops_load(const struct cfs_profile_request *request, unsigned depth, struct cfs_profile *profile,
                              struct cfs_error *error);
/* profile.c: one of them. */
CFS_CHECKED int cfs_hop_load(const struct cfs_hop_loading *loading, struct cfs_profile **ret_profile,
                             struct cfs_error *error);

#endif

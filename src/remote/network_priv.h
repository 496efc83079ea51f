/* Changes of this machine's network: see network.c. All of it is the loop's thread's. */
#ifndef CFS_REMOTE_NETWORK_PRIV_H
#define CFS_REMOTE_NETWORK_PRIV_H

#include "base/loop.h"

struct cfs_pool;

struct cfs_network {
    struct cfs_watch watch; /* of a netlink socket */
    struct cfs_timer gather;
};

/* Begins to listen; where the system does not let us, nothing is noticed. */
void cfs_network_begin(struct cfs_pool *pool);
/* Also if it has not begun. */
void cfs_network_end(struct cfs_pool *pool);

#endif

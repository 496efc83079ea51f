/* Claims: a path must not change while the server is looking at it.
 *
 * A path operation claims what it names: the folders on its path are shared with other operations, and the child that
 * an unlink, a rmdir or a rename takes away is claimed exclusively, with everything below it. So no path that is on its
 * way to the server can be overtaken by a rename in this mount and reach another file, or none. Who cannot have its
 * claim waits in order of arrival. Reads and writes go by handle and claim nothing.
 *
 * A claim is all or nothing and a request has one at most, so that no two can wait for each other. */
#ifndef CFS_FS_CLAIM_H
#define CFS_FS_CLAIM_H

#include "fs/node.h"

struct cfs_claim {
    /* Set by the operation. */
    struct cfs_node *node[2]; /* the second may be NULL */
    const char *name[2];      /* a name in `node`; NULL: the node itself. Valid until the claim is dropped */
    bool exclusive;           /* takes the children called `name` away */

    /* Found when the claim is granted; referenced while it is held: NULL where the name has no node. */
    struct cfs_node *child[2];
    bool held;
};

struct cfs_fs;
struct cfs_step;

/* References the nodes; call THEN with 0 when the claim is held, at once or later; with -EINTR if the request was
 * interrupted before. */
void cfs_claim_take(struct cfs_step *step, void (*then)(struct cfs_step *step, int error));
/* Gives the claim and its references back, also one that was never granted. Any number of times. */
void cfs_claim_drop(struct cfs_step *step);
/* Under the lock: looks which of those that wait can have theirs now, and marks them as ready. */
void cfs_claim_scan(struct cfs_fs *fs);

#endif

/* Looks in flight: one call below for all who ask the same at the same time.
 *
 * A look is a call of the cache's own; those who asked wait in it, each may be cancelled, the look goes on. Those for
 * whom something old will do, where something is known, wait in one that ends when there is no connection, and are told
 * that. One joins a look only if what it will bring is as good as what a look of its own would: no own change since it
 * was handed down, and not longer ago than what was learned might be told. */
#ifndef CFS_CACHE_LOOKS_H
#define CFS_CACHE_LOOKS_H

#include "cache/cache_priv.h"
#include "cache/call.h"

enum cfs_look_kind { CFS_LOOK_ATTRIBUTES, CFS_LOOK_TARGET };

/* Who waits for a look: begins the struct of an upper call. */
struct cfs_look_waiter {
    struct cfs_cache_call call;
    struct cfs_list link; /* in its look's queue; the names_lock's */
    char *target;         /* readlink from memory */
};

/* Joins or begins a look at PATH. The call is locked and the names are, and both are unlocked when it returns. */
void cfs_look_begin(struct cfs_look_waiter *waiter, const char *path, enum cfs_look_kind kind);

#endif

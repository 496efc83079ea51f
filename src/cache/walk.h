/* Walk-ahead: when a program lists folder after folder of a tree (find, ls -R, cp -r, rsync), the listings it will want
 * next are fetched before it asks.
 *
 * A walk is seen when a folder is listed soon after its parent was. From then on the folders that follow it in the
 * tree, in depth-first order as far as names are known, are fetched: a few at a time at first, twice as many each time
 * that one of them was wanted. It stops when 64 listings were fetched that nobody wanted, or when nothing was listed
 * for two seconds. A folder counts as listed, too, when a few names in it were looked at of which nothing was known. */
#ifndef CFS_CACHE_WALK_H
#define CFS_CACHE_WALK_H

#include "cache/names.h"
#include <stdbool.h>

struct cfs_cache;
struct cfs_fetch;

struct cfs_walk {
    struct cfs_name *at; /* the folder that was listed last: referenced; NULL: no walk */
    int64_t at_ms;
    unsigned window, in_flight, unused;
};

/* A program lists FOLDER. Under names_lock. */
void cfs_walk_opened(struct cfs_cache *cache, struct cfs_name *folder);
/* A program looks at NAME, which is known: true if that is from a listing that was fetched ahead, which was of use
 * then. Under names_lock. */
CFS_CHECKED bool cfs_walk_looked(struct cfs_cache *cache, const struct cfs_name *name);
/* A program looked at PATH, of which nothing was known, and the remote has been asked. When it does so with a few names
 * of one folder (git status, a compiler that searches its paths), the folder is as good as listed, and its listing is
 * fetched. Without locks. */
void cfs_walk_missed(struct cfs_cache *cache, const char *path);
/* A program reads on in what it has listed. Under names_lock. */
void cfs_walk_goes_on(struct cfs_cache *cache);
/* A listing of FOLDER that was fetched ahead has ended. Under names_lock. */
void cfs_walk_ended(struct cfs_cache *cache, struct cfs_name *folder, int error);
/* Whether a walk is going on. Under names_lock. */
bool cfs_walk_is_on(const struct cfs_cache *cache);
/* Whether a program has listed FOLDER lately. Under names_lock. */
bool cfs_walk_was_listed(const struct cfs_cache *cache, const struct cfs_name *folder);
/* A fetch of FOLDER on account of the walk, to be begun at *RET_PATH, which the caller frees. NULL: too many were for
 * nothing, or without memory. Under names_lock. */
CFS_CHECKED struct cfs_fetch *cfs_walk_fetch(struct cfs_cache *cache, struct cfs_name *folder, char **ret_path);
/* Fetches what is to be fetched now. Without locks. */
void cfs_walk_on(struct cfs_cache *cache);
/* Under names_lock. */
void cfs_walk_stop(struct cfs_cache *cache);

#endif

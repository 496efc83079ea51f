/* The orders in which programs go through the files of a folder, and which one it is.
 *
 * As the folder was listed (find, grep -r, tar), by name (git, rsync, what a shell expands), or by the number that the
 * file system gives (cp -r: on a disk that is where the inodes lie).
 *
 * Under names_lock. */
#ifndef CFS_CACHE_ORDER_H
#define CFS_CACHE_ORDER_H

#include "cache/names.h"

enum cfs_order { CFS_ORDER_LISTED, CFS_ORDER_BY_NAME, CFS_ORDER_BY_NUMBER, CFS_ORDERS };

/* How well the files that were opened fit each order. */
struct cfs_order_evidence {
    unsigned pairs;
    unsigned cost[CFS_ORDERS]; /* 0: each file was the one behind the one before */
};

/* The number that programs see of the file at PATH; NULL: not known. */
typedef uint64_t (*cfs_order_number)(const char *path);

/* FILE was opened after BEFORE; both are in one folder. */
void cfs_order_note(struct cfs_order_evidence *evidence, const struct cfs_name *before, const struct cfs_name *file,
                    cfs_order_number number);
/* True if one order fits, at least so many pairs. */
bool cfs_order_find(const struct cfs_order_evidence *evidence, unsigned pairs, enum cfs_order *ret_order);

/* The files and folders of FOLDER that come behind AFTER (NULL: all), in this order; the caller frees the array and has
 * no references. NULL without memory, or if there are none or far too many. */
struct cfs_name **cfs_order_entries(const struct cfs_name *folder, const struct cfs_name *after, enum cfs_order order,
                                    cfs_order_number number, size_t *ret_count);

#endif

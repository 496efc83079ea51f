/* Neighbours: a program that opens the files of a folder one after another (cp -r, grep -r, rsync, tar, a thumbnailer)
 * finds the next ones open already, with their contents on the way or here (ahead.h).
 *
 * A course is one such program. It is believed in when three files of one folder were opened in one of the orders in
 * which programs go (order.h). From then on the files that follow are opened ahead: a few at first, twice as many
 * each time that one comes into use almost before it is here, fewer when they lie unused for too long. The files to
 * come stand in a queue, folders among them: where a program walks a tree (walk.h), a folder's files take its place in
 * the queue, its listing being fetched if need be; at the end of a folder the queue goes on behind it, in its parent.
 *
 * It stops when nothing of it was used any more, and is believed in less easily the next time. All files opened ahead
 * stay within a number and a budget of bytes that is a share of the cache and of what the link carries. */
#ifndef CFS_CACHE_NEIGHBOURS_H
#define CFS_CACHE_NEIGHBOURS_H

#include "cache/names.h"
#include "cache/order.h"
#include <stdbool.h>

struct cfs_cache;
struct cfs_ahead_waiter;

enum { CFS_COURSES = 4 };

struct cfs_course {
    struct cfs_name *at; /* the file that was opened last: referenced; NULL: free */
    int64_t at_ms;
    struct cfs_order_evidence evidence;
    enum cfs_order order;
    unsigned window;      /* files to be open ahead; 0: it is not believed in */
    unsigned outstanding; /* files that are */
    unsigned wasted;      /* that nobody wanted, in a row */
    unsigned used;        /* that somebody took, since the time when some were last not wanted: */
    int64_t slowed_ms;
    unsigned caution;   /* how many pairs in order it takes to be believed in */
    uint64_t number;    /* of the last file that left the queue, */
    uint64_t at_number; /* and of `at` */
    struct cfs_list queue;
    size_t queued;
    struct cfs_name *base; /* the folder whose entries the queue ends with: referenced */
    uint64_t id;           /* cfs_name.expanded_by */
};

/* Embedded in the cache. */
struct cfs_neighbours {
    bool enabled; /* constant */
    struct cfs_course course[CFS_COURSES];
    uint64_t last_id;
};

void cfs_neighbours_init(struct cfs_cache *cache);
/* Under names_lock. */
void cfs_neighbours_stop(struct cfs_cache *cache);

/* A program opens NAME for reading. As cfs_ahead_claim: true if it is, or will be, answered by a file that was opened
 * ahead: *RET_WAITS. Under names_lock. */
CFS_CHECKED bool cfs_neighbours_open(struct cfs_cache *cache, struct cfs_name *name, struct cfs_ahead_waiter *waiter,
                                     bool *ret_waits);
/* A program lists FOLDER. Under names_lock. */
void cfs_neighbours_listed(struct cfs_cache *cache, struct cfs_name *folder);
/* Opens what is to be opened now. Without locks. */
void cfs_neighbours_on(struct cfs_cache *cache);

/* For ahead.c, under names_lock: a file of this course is no more to be claimed; it is about to be closed, since nobody
 * has wanted it for too long. */
void cfs_neighbours_settled(struct cfs_cache *cache, unsigned course);
void cfs_neighbours_expired(struct cfs_cache *cache, unsigned course, struct cfs_name *name);

#endif

/* Files that are opened before a program asks: the mechanism; neighbours.h decides which.
 *
 * A file opened ahead is opened below for reading, and the beginning of its contents is fetched. A program's open for
 * reading takes it over, and costs no round trip then; while it is still being opened, the program's open waits for it.
 * What nobody takes is closed after CFS_AHEAD_MS.
 *
 * Close-to-open bends by that much, no more: what another machine closed less than CFS_AHEAD_MS (or attr_ttl, if that
 * is shorter) before our program's open may not be seen by it. And not for what is just being worked on: a file whose
 * mtime is less than CFS_AHEAD_SETTLED_S old, or that was seen to change within that time, is never answered for. Own
 * changes of the name, begun or ended since, close it: they are always seen. What fails is not told to anybody: the
 * program's own open then asks, and gets the true error.
 *
 * All under names_lock, if nothing else is said. */
#ifndef CFS_CACHE_AHEAD_H
#define CFS_CACHE_AHEAD_H

#include "base/loop.h"
#include "cache/names.h"
#include "remote/remote.h"

struct cfs_cache;
struct cfs_ahead;

enum {
    CFS_AHEAD_MS = 1000,
    CFS_AHEAD_SETTLED_S = 10,
    CFS_AHEAD_FILES = 64,            /* open at once: servers allow few handles (sftp-server: a hundred or more) */
    CFS_AHEAD_WHOLE = 1 << 20,       /* a file up to this size is fetched whole, */
    CFS_AHEAD_BEGINNING = 256 << 10, /* of a larger one so much */
};

/* Embedded in the cache. */
struct cfs_aheads {
    struct cfs_list files; /* oldest first */
    unsigned count;
    uint64_t bytes; /* that are fetched of them */
    bool stopped;
    uint64_t opened, used, wasted; /* files */
    /* The cache's thread's: closes the old ones. */
    struct cfs_task tend;
    struct cfs_timer timer;
    bool tending; /* the task or the timer is on */
};

/* A program's open that would take a file over. */
struct cfs_ahead_waiter {
    struct cfs_list link;
    /* It need wait no longer. Under the lock: may post. TAKEN: what follows is set. */
    void (*ready)(struct cfs_ahead_waiter *waiter, bool taken);
    struct cfs_remote_file *file; /* the waiter's now */
    struct cfs_remote_attributes attributes;
    uint64_t stamp; /* when they were asked for */
    int64_t asked_ms;
};

enum cfs_ahead_answer {
    CFS_AHEAD_NONE,
    CFS_AHEAD_LATE,  /* it was opened ahead too long ago: none */
    CFS_AHEAD_WAITS, /* `ready` will be called, unless the waiter is taken out of its list */
    CFS_AHEAD_TAKEN, /* ready has not been called, and the waiter's fields are set */
};

void cfs_aheads_init(struct cfs_cache *cache);
/* Closes all; no others come. Takes the lock. */
void cfs_aheads_stop(struct cfs_cache *cache);
/* When nothing uses the loop any more. */
void cfs_aheads_fini(struct cfs_cache *cache);

/* To be handed down by cfs_ahead_begin. COURSE and NUMBER are the caller's, for cfs_ahead_claim. NULL without memory.
 */
CFS_CHECKED struct cfs_ahead *cfs_ahead_new(struct cfs_cache *cache, struct cfs_name *name, unsigned course,
                                            uint64_t number);
/* Without the lock. */
void cfs_ahead_begin(struct cfs_ahead *ahead, const char *path);

/* A program opens NAME for reading. Unless NONE: the course and number that it was opened with, and how long ago. */
enum cfs_ahead_answer cfs_ahead_claim(struct cfs_cache *cache, struct cfs_name *name, struct cfs_ahead_waiter *waiter,
                                      unsigned *ret_course, uint64_t *ret_number, int64_t *ret_age_ms);
/* An own change of NAME begins, or its file is not wanted: closes it. NULL is fine. */
void cfs_ahead_drop(struct cfs_ahead *ahead);

#endif

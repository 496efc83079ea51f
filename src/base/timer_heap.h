/* The timers of a loop, by the time at which they expire, those of one time in the order in which they were started.
 * A pairing heap (Fredman, Sedgewick, Sleator, Tarjan, 1986) whose nodes are the timers: it needs no memory, so that
 * starting a timer cannot fail; a start costs O(1), a stop O(log n) on average. No locking. */
#ifndef CFS_BASE_TIMER_HEAP_H
#define CFS_BASE_TIMER_HEAP_H

#include "base/loop.h"

struct cfs_timer_heap {
    struct cfs_timer *first; /* the one that expires next; NULL if there is none */
    uint64_t next_sequence;  /* what the timer that is inserted next gets */
};

/* Inserts a timer, which must not be in any heap, by its `at_ms`. */
void cfs_timer_heap_insert(struct cfs_timer_heap *heap, struct cfs_timer *timer);
/* Removes a timer, which must be in this heap. */
void cfs_timer_heap_remove(struct cfs_timer_heap *heap, struct cfs_timer *timer);

#endif

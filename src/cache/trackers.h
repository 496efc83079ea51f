/* Who reads on: finds sequential streams among the reads of one open file, two at a time (a program that compares, or
 * the index and the data of one file), and says what to fetch ahead of them.
 *
 * A stream begins at offset 0 or with a second read that goes on where an earlier one ended. Some slack to both
 * sides allows for skips, and for the kernel's requests overtaking each other. Its window begins with 256 KiB, or more
 * where that has been found to be little, and is four times of what the program has read of the stream by now, up to a
 * limit that the link sets. All else is random access, for which nothing is fetched ahead.
 *
 * Pure, no locking. */
#ifndef CFS_CACHE_TRACKERS_H
#define CFS_CACHE_TRACKERS_H

#include <stdbool.h>
#include <stdint.h>

enum { CFS_TRACKERS = 2, CFS_WINDOW_FIRST = 256 << 10, CFS_TRACKER_SLACK = 256 << 10 };

struct cfs_tracker {
    uint64_t begin;  /* where the stream began */
    uint64_t next;   /* where it will go on */
    uint64_t ahead;  /* fetched, or asked for, up to here */
    uint64_t window; /* 0: not yet a stream */
    uint64_t used;   /* stamp; 0: free */
};

struct cfs_trackers {
    struct cfs_tracker of[CFS_TRACKERS];
    uint64_t stamp;
};

/* [OFFSET, OFFSET + LENGTH) is read; a window is FIRST bytes at first, LIMIT at most. The stream that it belongs to, or
 * NULL: random. */
struct cfs_tracker *cfs_trackers_read(struct cfs_trackers *trackers, uint64_t offset, uint64_t length, uint64_t first,
                                      uint64_t limit);
/* Up to where should be fetched ahead of the stream: at least `ahead`. */
uint64_t cfs_tracker_goal(const struct cfs_tracker *tracker, uint64_t size);

#endif

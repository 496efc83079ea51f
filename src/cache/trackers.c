/* Sequential streams among the reads of an open file. */
#include "cache/trackers.h"
#include <stddef.h>

enum { GROWTH = 4 };

static bool goes_on(const struct cfs_tracker *tracker, uint64_t offset)
{
    uint64_t slack = tracker->window ? CFS_TRACKER_SLACK : 0;
    return tracker->used && offset <= tracker->next + slack && offset + slack >= tracker->next;
}

static struct cfs_tracker *find(struct cfs_trackers *trackers, uint64_t offset)
{
    struct cfs_tracker *found = NULL;
    for (int i = 0; i < CFS_TRACKERS; i++) {
        struct cfs_tracker *tracker = &trackers->of[i];
        if (goes_on(tracker, offset) && (!found || tracker->next == offset))
            found = tracker;
    }
    return found;
}

static struct cfs_tracker *least_used(struct cfs_trackers *trackers)
{
    struct cfs_tracker *least = &trackers->of[0];
    for (int i = 1; i < CFS_TRACKERS; i++) {
        if (trackers->of[i].used < least->used)
            least = &trackers->of[i];
    }
    return least;
}

static uint64_t smaller(uint64_t a, uint64_t b)
{
    return a < b ? a : b;
}

static void grow(struct cfs_tracker *tracker, uint64_t first, uint64_t limit)
{
    uint64_t wanted = GROWTH * (tracker->next - tracker->begin);
    if (wanted < first)
        wanted = first;
    if (wanted > tracker->window)
        tracker->window = smaller(wanted, limit);
}

struct cfs_tracker *cfs_trackers_read(struct cfs_trackers *trackers, uint64_t offset, uint64_t length, uint64_t first,
                                      uint64_t limit)
{
    uint64_t end = offset + length;
    struct cfs_tracker *tracker = find(trackers, offset);
    bool is_stream = tracker || offset == 0;
    if (!tracker) {
        tracker = least_used(trackers);
        *tracker = (struct cfs_tracker){.begin = offset, .next = end, .ahead = end};
    }
    tracker->used = ++trackers->stamp;
    if (end > tracker->next)
        tracker->next = end;
    if (tracker->ahead < tracker->next)
        tracker->ahead = tracker->next;
    if (!is_stream)
        return NULL;
    grow(tracker, first, limit);
    return tracker;
}

uint64_t cfs_tracker_goal(const struct cfs_tracker *tracker, uint64_t size)
{
    uint64_t goal = smaller(tracker->next + tracker->window, size);
    return goal > tracker->ahead ? goal : tracker->ahead;
}

/* A clock that a test turns by hand. Not for several threads at once. */
#ifndef CFS_TESTS_LIB_FAKE_CLOCK_H
#define CFS_TESTS_LIB_FAKE_CLOCK_H

#include "base/clock.h"

/* The time of day at monotonic 0: 2023-11-14 22:13:20 UTC. */
enum { FAKE_CLOCK_EPOCH = 1700000000 };

struct fake_clock {
    struct cfs_clock clock; /* hand out &clock */
    int64_t ms;             /* monotonic; the time of day follows it */
};

void fake_clock_init(struct fake_clock *fake);

#endif

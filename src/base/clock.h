/* Time, injectable: what waits or expires asks a clock, so that tests turn it by hand. */
#ifndef CFS_BASE_CLOCK_H
#define CFS_BASE_CLOCK_H

#include <stdint.h>
#include <time.h>

struct cfs_clock {
    /* Monotonic, in milliseconds; counts the time that the machine sleeps (CLOCK_BOOTTIME). Any thread. */
    int64_t (*monotonic_ms)(const struct cfs_clock *clock);
    /* The time of day. Any thread. */
    struct timespec (*wall)(const struct cfs_clock *clock);
};

/* The machine's clock. */
extern const struct cfs_clock cfs_system_clock;

static inline int64_t cfs_clock_ms(const struct cfs_clock *clock)
{
    return clock->monotonic_ms(clock);
}

#endif

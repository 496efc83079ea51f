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
    /* Monotonic, in milliseconds, and stands still while the machine sleeps (CLOCK_MONOTONIC): for what is waited for.
     * Any thread. NULL: this clock's machine never sleeps. */
    int64_t (*awake_ms)(const struct cfs_clock *clock);
};

/* The machine's clock. */
extern const struct cfs_clock cfs_system_clock;

static inline int64_t cfs_clock_ms(const struct cfs_clock *clock)
{
    return clock->monotonic_ms(clock);
}

static inline int64_t cfs_clock_awake_ms(const struct cfs_clock *clock)
{
    return clock->awake_ms ? clock->awake_ms(clock) : clock->monotonic_ms(clock);
}

/* For how long the machine has slept, in all. */
static inline int64_t cfs_clock_slept_ms(const struct cfs_clock *clock)
{
    int64_t awake_ms = cfs_clock_awake_ms(clock); /* first: a sleep between the two must not be missed */
    return cfs_clock_ms(clock) - awake_ms;
}

#endif

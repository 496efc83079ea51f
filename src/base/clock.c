/* The machine's clock. */
#include "base/clock.h"

static int64_t to_ms(const struct timespec *time)
{
    return (int64_t)time->tv_sec * 1000 + time->tv_nsec / 1000000;
}

static int64_t system_awake_ms(const struct cfs_clock *clock)
{
    struct timespec now = {0};
    clock_gettime(CLOCK_MONOTONIC, &now);
    return to_ms(&now);
}

static int64_t system_monotonic_ms(const struct cfs_clock *clock)
{
    struct timespec now = {0};
    /* BOOTTIME and not MONOTONIC: a deadline that passed while the laptop slept has passed. */
    if (clock_gettime(CLOCK_BOOTTIME, &now) != 0)
        clock_gettime(CLOCK_MONOTONIC, &now);
    return to_ms(&now);
}

static struct timespec system_wall(const struct cfs_clock *clock)
{
    struct timespec now = {0};
    clock_gettime(CLOCK_REALTIME, &now);
    return now;
}

const struct cfs_clock cfs_system_clock = {
    .monotonic_ms = system_monotonic_ms, .wall = system_wall, .awake_ms = system_awake_ms};

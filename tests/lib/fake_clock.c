/* A clock that a test turns by hand. */
#include "lib/fake_clock.h"

static int64_t monotonic_ms(const struct cfs_clock *clock)
{
    return ((const struct fake_clock *)(const void *)clock)->ms;
}

static struct timespec wall(const struct cfs_clock *clock)
{
    int64_t ms = monotonic_ms(clock);
    return (struct timespec){.tv_sec = FAKE_CLOCK_EPOCH + ms / 1000, .tv_nsec = ms % 1000 * 1000000};
}

void fake_clock_init(struct fake_clock *fake)
{
    *fake = (struct fake_clock){.clock = {.monotonic_ms = monotonic_ms, .wall = wall}};
}

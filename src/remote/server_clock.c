/* The two clocks differ by something between two bounds, which each thing that we make there can narrow. When they
 * contradict each other somebody has set the server's clock: then the last one alone holds. */
#include "remote/server_clock.h"

enum {
    SECOND_MS = 1000,
    SLACK_MS = 2000, /* clocks drift; file systems take the time of the last tick, and some that of another machine */
};

void cfs_server_clock_learn(struct cfs_server_clock *clock, int64_t mtime, int64_t asked_ms, int64_t answered_ms)
{
    int64_t least = mtime * SECOND_MS - answered_ms, most = (mtime + 1) * SECOND_MS - asked_ms;
    if (!clock->is_known || least > clock->most_ahead_ms || most < clock->least_ahead_ms) {
        *clock = (struct cfs_server_clock){.is_known = true, .least_ahead_ms = least, .most_ahead_ms = most};
        return;
    }
    if (least > clock->least_ahead_ms)
        clock->least_ahead_ms = least;
    if (most < clock->most_ahead_ms)
        clock->most_ahead_ms = most;
}

bool cfs_server_clock_may_be_before(const struct cfs_server_clock *clock, int64_t mtime, int64_t now_ms)
{
    return !clock->is_known || mtime * SECOND_MS <= now_ms + clock->most_ahead_ms + SLACK_MS;
}

bool cfs_server_clock_may_be_after(const struct cfs_server_clock *clock, int64_t mtime, int64_t now_ms)
{
    return !clock->is_known || (mtime + 1) * SECOND_MS >= now_ms + clock->least_ahead_ms - SLACK_MS;
}

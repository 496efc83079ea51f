/* Reads that wait for stripes.
 *
 * When a large file begins to be read, its stripes (stripes.c) are two round trips away. What is asked for meanwhile by
 * the file's own handle all comes by one connection, and while that is new it is slow (TCP's slow start begins with ten
 * packets a round trip): so the other connections, just as new, would stand idle for many round trips, until the first
 * one has worked off what it was given. Therefore only a little is asked for by the own handle at first, as much as it
 * can bring until then, and the other reads wait, to be spread over all lanes.
 *
 * What the own handle is asked for to compare it with the stripes goes in front of all data, or it would wait
 * behind them.
 *
 * It lasts until all the stripes are there or have failed, but no longer than a few round trips. So it does where the
 * lane of a further session is just starting, as in the first moment after the mount. */
#include "remote/pool_priv.h"

enum { OWN_SHARE = 128 * 1024, ROUND_TRIPS = 4, LEAST_MS = 500, LANE_ROUND_TRIPS = 3 };

static void on_too_long(struct cfs_timer *timer)
{
    cfs_hold_end(cfs_container_of(timer, struct cfs_remote_file, hold.timer));
}

static void begin(struct cfs_remote_file *file, unsigned unasked, int64_t limit_ms)
{
    if (!file->hold.is_on)
        file->hold.left = OWN_SHARE;
    file->hold.is_on = true;
    file->hold.unasked = unasked;
    file->hold.timer.expired = on_too_long;
    cfs_loop_start_timer(file->pool->loop, &file->hold.timer, limit_ms);
}

void cfs_hold_begin(struct cfs_remote_file *file, unsigned stripes)
{
    if (stripes > 0)
        begin(file, stripes, ROUND_TRIPS * cfs_pool_round_trip_ms(file->pool) + LEAST_MS);
}

void cfs_hold_begin_for_lane(struct cfs_remote_file *file)
{
    begin(file, !file->own_asked, LANE_ROUND_TRIPS * cfs_pool_round_trip_ms(file->pool) + 1);
}

void cfs_hold_asked(struct cfs_remote_file *file)
{
    if (file->hold.unasked > 0 && --file->hold.unasked == 0)
        cfs_operations_try(&file->gate);
}

void cfs_hold_end(struct cfs_remote_file *file)
{
    if (!file->hold.is_on)
        return;
    file->hold.is_on = false;
    cfs_loop_stop_timer(file->pool->loop, &file->hold.timer);
    cfs_operations_try(&file->gate);
}

bool cfs_hold_keeps(struct cfs_remote_file *file, size_t length)
{
    struct cfs_hold *hold = &file->hold;
    if (!hold->is_on || length < file->pool->bulk_piece)
        return false;
    if (hold->unasked > 0 || hold->left == 0)
        return true;
    hold->left -= length < hold->left ? length : hold->left;
    return false;
}

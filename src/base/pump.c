/* One way between two streams: a read, then as many writes as it takes. */
#include "base/pump.h"
#include <errno.h>

static int fill(struct cfs_pump *pump)
{
    ssize_t count = pump->ended ? -EAGAIN : cfs_stream_read(pump->from, pump->bytes, pump->capacity);
    if (count == -EAGAIN)
        return 0;
    pump->ended = count <= 0;
    pump->failure = count < 0 ? (int)count : 0;
    pump->start = 0;
    pump->length = count > 0 ? (size_t)count : 0;
    return pump->ended ? 0 : 1;
}

int cfs_pump_move(struct cfs_pump *pump)
{
    if (pump->length == 0)
        return fill(pump);
    struct iovec piece = {.iov_base = pump->bytes + pump->start, .iov_len = pump->length};
    ssize_t taken = cfs_stream_write(pump->to, &piece, 1);
    if (taken == -EAGAIN)
        return 0;
    if (taken < 0)
        return -1;
    pump->start += (size_t)taken;
    pump->length -= (size_t)taken;
    return 1;
}

bool cfs_pump_is_through(const struct cfs_pump *pump)
{
    return pump->ended && pump->length == 0;
}

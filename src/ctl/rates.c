/* A ring of samples. */
#include "ctl/rates.h"
#include "base/cleanup.h"
#include <string.h>

void cfs_rates_add(struct cfs_rates *rates, int64_t at_ms, const uint64_t counters[CFS_RATE_COUNT])
{
    size_t slot = rates->count++ % CFS_COUNT(rates->samples);
    rates->samples[slot].at_ms = at_ms;
    memcpy(rates->samples[slot].counters, counters, sizeof(rates->samples[slot].counters));
}

uint64_t cfs_rates_tell(const struct cfs_rates *rates, enum cfs_rate which)
{
    size_t size = CFS_COUNT(rates->samples);
    if (rates->count < 2)
        return 0;
    size_t last = (rates->count - 1) % size, first = rates->count > size ? rates->count % size : 0;
    int64_t took_ms = rates->samples[last].at_ms - rates->samples[first].at_ms;
    uint64_t before = rates->samples[first].counters[which], after = rates->samples[last].counters[which];
    return took_ms > 0 && after > before ? (after - before) * 1000 / (uint64_t)took_ms : 0;
}

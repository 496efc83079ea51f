/* Bytes a second over the last seconds, from counters that only grow. */
#ifndef CFS_CTL_RATES_H
#define CFS_CTL_RATES_H

#include <stddef.h>
#include <stdint.h>

enum { CFS_RATES_OVER = 5 }; /* samples, one a second */

enum cfs_rate { CFS_RATE_READ, CFS_RATE_WRITTEN, CFS_RATE_RECEIVED, CFS_RATE_SENT, CFS_RATE_COUNT };

struct cfs_rates {
    struct {
        int64_t at_ms;
        uint64_t counters[CFS_RATE_COUNT];
    } samples[CFS_RATES_OVER + 1]; /* a ring; {0} at first */
    size_t count;                  /* ever taken */
};

/* The counters as they are at AT_MS. */
void cfs_rates_add(struct cfs_rates *rates, int64_t at_ms, const uint64_t counters[CFS_RATE_COUNT]);
/* From the oldest sample to the last; 0 where there are no two. */
uint64_t cfs_rates_tell(const struct cfs_rates *rates, enum cfs_rate which);

#endif

/* One way between two streams: what comes from the one goes to the other, through a buffer. It reads only when all that
 * it had was taken, so that a reader who is slow slows the writer down. The loop's thread of both streams. */
#ifndef CFS_BASE_PUMP_H
#define CFS_BASE_PUMP_H

#include "base/cleanup.h"
#include "base/stream.h"
#include <stdbool.h>
#include <stdint.h>

/* Both streams and BYTES are the owner's. Initialise with {0} and these four. */
struct cfs_pump {
    struct cfs_stream *from, *to;
    uint8_t *bytes;
    size_t capacity;
    size_t start, length; /* of what was read and not taken */
    bool ended;           /* FROM has ended, or failed */
    int failure;          /* -errno of FROM; 0: it has ended as it should, or goes on */
};

/* 1: something moved, 0: nothing to do now, -1: TO takes no more. */
CFS_CHECKED int cfs_pump_move(struct cfs_pump *pump);
/* FROM has ended, and all that came from it was taken. */
bool cfs_pump_is_through(const struct cfs_pump *pump);

#endif

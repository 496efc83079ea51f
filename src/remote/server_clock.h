/* What the server's clock shows, as far as it can be known: from the times of what we have made there, which are whole
 * seconds, and of which we know only that they lie between the request and its answer. Times of ours are those of
 * cfs_clock_ms (setting our clock changes nothing). Pure; the loop's thread. */
#ifndef CFS_REMOTE_SERVER_CLOCK_H
#define CFS_REMOTE_SERVER_CLOCK_H

#include <stdbool.h>
#include <stdint.h>

struct cfs_server_clock {
    bool is_known;
    int64_t least_ahead_ms, most_ahead_ms; /* of ours */
};

/* Something was made there, at MTIME (seconds, by that clock), between two moments here. */
void cfs_server_clock_learn(struct cfs_server_clock *clock, int64_t mtime, int64_t asked_ms, int64_t answered_ms);
/* Whether something of MTIME may have been changed there at or before NOW_MS; at or after. True if nothing is known. */
bool cfs_server_clock_may_be_before(const struct cfs_server_clock *clock, int64_t mtime, int64_t now_ms);
bool cfs_server_clock_may_be_after(const struct cfs_server_clock *clock, int64_t mtime, int64_t now_ms);

#endif

/* Which callers shall be let go: a pure look at their signals. */
#ifndef CFS_FUSE_SIGNALS_H
#define CFS_FUSE_SIGNALS_H

#include <stdbool.h>

/* True if a thread has a signal pending, and not blocked, by which a person or the system ends a program. STATUS is the
 * text of its /proc/TID/status (proc(5)). */
bool cfs_fuse_wants_to_end(const char *status);

#endif

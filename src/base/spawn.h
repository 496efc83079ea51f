/* Starting another program, for all that start one. It gets its own stdin, stdout and stderr, and none of what this
 * process has made of its signals: threads of ours block some, and we ignore SIGPIPE. */
#ifndef CFS_BASE_SPAWN_H
#define CFS_BASE_SPAWN_H

#include "base/cleanup.h"
#include <stdbool.h>
#include <sys/types.h>

enum { CFS_SPAWN_INHERIT = -1, CFS_SPAWN_NULL = -2 };

struct cfs_spawn {
    char *const *argv;        /* the first is found in PATH; no shell */
    int streams[3];           /* what its descriptors 0 to 2 are: one of ours, or of the two above */
    char *const *environment; /* NULL: ours */
    bool is_apart;            /* in a session of its own (setsid(2)): no signal of a terminal reaches it */
};

/* 0 or -errno, as posix_spawn(3) says: what is only found out in the child may be its exit status 127. The caller keeps
 * its descriptors, whatever their numbers, which should be close-on-exec; and waits for *RET_PID. Any thread. */
CFS_CHECKED int cfs_spawn(const struct cfs_spawn *spawn, pid_t *ret_pid);

#endif

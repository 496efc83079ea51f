/* Waiting for the end of a mount whose data is on its way to the server, and telling the person how it goes. */
#ifndef CFS_CLI_DRAIN_H
#define CFS_CLI_DRAIN_H

#include "base/cleanup.h"
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum cfs_drain_show {
    CFS_DRAIN_SILENT,
    CFS_DRAIN_REDRAW, /* one line of a terminal, again and again */
    CFS_DRAIN_LINES,  /* a line a second */
};

struct cfs_drain_left {
    uint64_t bytes, changes;
    bool is_ending; /* the mount is gone; false also if its process is of another version */
};
/* What the mount at the other end of ASK_FD has left to be written. -errno: nobody is there who answers. */
CFS_CHECKED int cfs_drain_ask(int ask_fd, struct cfs_drain_left *ret_left);

/* END_FD and ASK_FD (-1: none) are connections to the control socket of the mount. Returns 0 when the process has
 * something to say or has ended, -ETIMEDOUT after TIMEOUT_MS (-1: never), or -errno. What is shown goes to stderr. */
CFS_CHECKED int cfs_drain_wait(int end_fd, int ask_fd, int timeout_ms, enum cfs_drain_show show);

/* "3.0 MiB and 12 changes to be written, 1.0 MiB/s, 3 s to go". RATE in bytes a second, 0: unknown. */
void cfs_drain_describe(uint64_t bytes, uint64_t changes, uint64_t rate, char *text, size_t size);

#endif

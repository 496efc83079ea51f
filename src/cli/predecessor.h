/* The last mount on a mount point: it is not mounted any more, but its process may still write what is left. A new
 * mount would not see that, and what it writes itself could be overwritten by it. */
#ifndef CFS_CLI_PREDECESSOR_H
#define CFS_CLI_PREDECESSOR_H

#include "base/error.h"
#include <stdint.h>

/* Waits until the process behind the last mount on MOUNTPOINT (absolute, canonical, nothing is mounted there), if there
 * is one, has ended, and tells on stderr that it waits, and what has been lost. One that is detached with open files
 * (umount --lazy), and has nothing to write, is not waited for. -ETIMEDOUT, with a sentence: what is left has not
 * become less for TIMEOUT_MS (0: waits without end). */
CFS_CHECKED int cfs_predecessor_wait(const char *mountpoint, uint32_t timeout_ms, struct cfs_error *error);

#endif

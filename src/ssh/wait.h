/* Waiting on descriptors while connecting: with a deadline and a descriptor that cancels. */
#ifndef CFS_SSH_WAIT_H
#define CFS_SSH_WAIT_H

#include "base/cleanup.h"
#include <poll.h>
#include <stdint.h>

/* Polls COUNT descriptors of POLLS, with one more place at POLLS[COUNT], which this function uses for CANCEL_FD (-1:
 * none). The number of descriptors that are ready (> 0), -ETIMEDOUT at DEADLINE_MS (cfs_system_clock, monotonic),
 * -ECANCELED, or -errno of poll(2). Signals do not end the wait. Any thread. */
CFS_CHECKED int cfs_ssh_wait_polls(struct pollfd *polls, unsigned count, int cancel_fd, int64_t deadline_ms);

/* Waits until FD is readable: 0, or as above. */
CFS_CHECKED int cfs_ssh_wait_readable(int fd, int cancel_fd, int64_t deadline_ms);

#endif

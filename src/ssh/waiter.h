/* How the connecting thread waits for the server: the waiter of ssh/auth.h over a transport, with a deadline that
 * stands still while a person is waited for. */
#ifndef CFS_SSH_WAITER_H
#define CFS_SSH_WAITER_H

#include "ssh/auth.h"
#include "ssh/transport.h"
#include <stdint.h>

struct cfs_ssh_connect_waiter {
    struct cfs_ssh_waiter waiter; /* first */
    struct cfs_ssh_transport *transport;
    int cancel_fd;
    int64_t deadline_ms; /* cfs_system_clock, monotonic */
    int64_t paused_ms;   /* since when */
    unsigned pauses;     /* nested; the deadline holds when there is none */
    int error;           /* errno of the socket when `wait` gave -ECONNRESET; 0 when the server closed the connection */
};

/* TRANSPORT must outlive the waiter. */
void cfs_ssh_waiter_init(struct cfs_ssh_connect_waiter *waiter, struct cfs_ssh_transport *transport, int cancel_fd,
                         int64_t deadline_ms);

#endif

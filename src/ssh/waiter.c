/* Sends what libssh2 has produced, waits for more, and fills the input ring. Called only after libssh2 has said EAGAIN,
 * so whatever came before has been consumed, and an end of the connection is an end. */
#include "ssh/waiter.h"
#include "base/clock.h"
#include "base/list.h"
#include "ssh/wait.h"
#include <errno.h>

static int lost(struct cfs_ssh_connect_waiter *waiter, ssize_t rc)
{
    waiter->error = rc < 0 ? (int)-rc : 0;
    return -ECONNRESET;
}

static int64_t deadline_of(const struct cfs_ssh_connect_waiter *waiter)
{
    return waiter->pauses > 0 ? INT64_MAX : waiter->deadline_ms;
}

static int wait_for(struct cfs_ssh_waiter *base, struct pollfd *polls, unsigned count)
{
    struct cfs_ssh_connect_waiter *waiter = cfs_container_of(base, struct cfs_ssh_connect_waiter, waiter);
    int ready = cfs_ssh_wait_polls(polls, count, waiter->cancel_fd, deadline_of(waiter));
    return ready < 0 ? ready : 0;
}

static int wait_for_server(struct cfs_ssh_waiter *base)
{
    struct cfs_ssh_connect_waiter *waiter = cfs_container_of(base, struct cfs_ssh_connect_waiter, waiter);
    struct cfs_ssh_transport *transport = waiter->transport;
    for (;;) {
        int rc = cfs_ssh_transport_flush(transport);
        if (rc < 0 && rc != -EAGAIN) /* what it had said before it went tells more than our failure to answer */
            return cfs_ssh_transport_receive(transport) > 0 ? 0 : lost(waiter, rc);
        struct pollfd polls[2] = {{.fd = transport->fd, .events = POLLIN}};
        if (rc == -EAGAIN)
            polls[0].events |= POLLOUT;
        int ready = cfs_ssh_wait_polls(polls, 1, waiter->cancel_fd, deadline_of(waiter));
        if (ready < 0)
            return ready;
        if (!(polls[0].revents & ~POLLOUT))
            continue;
        ssize_t received = cfs_ssh_transport_receive(transport);
        if (received > 0)
            return 0;
        if (received != -EAGAIN)
            return lost(waiter, received);
    }
}

static void pause_deadline(struct cfs_ssh_waiter *base)
{
    struct cfs_ssh_connect_waiter *waiter = cfs_container_of(base, struct cfs_ssh_connect_waiter, waiter);
    if (waiter->pauses++ == 0)
        waiter->paused_ms = cfs_clock_ms(&cfs_system_clock);
}

static void resume_deadline(struct cfs_ssh_waiter *base)
{
    struct cfs_ssh_connect_waiter *waiter = cfs_container_of(base, struct cfs_ssh_connect_waiter, waiter);
    if (--waiter->pauses == 0)
        waiter->deadline_ms += cfs_clock_ms(&cfs_system_clock) - waiter->paused_ms;
}

void cfs_ssh_waiter_init(struct cfs_ssh_connect_waiter *waiter, struct cfs_ssh_transport *transport, int cancel_fd,
                         int64_t deadline_ms)
{
    *waiter = (struct cfs_ssh_connect_waiter){
        .waiter = {.wait = wait_for_server, .wait_for = wait_for, .pause = pause_deadline, .resume = resume_deadline},
        .transport = transport,
        .cancel_fd = cancel_fd,
        .deadline_ms = deadline_ms,
    };
}

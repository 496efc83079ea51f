/* poll(2) with a deadline on our clock and a descriptor that cancels. */
#include "ssh/wait.h"
#include "base/clock.h"
#include <errno.h>
#include <limits.h>

int cfs_ssh_wait_polls(struct pollfd *polls, unsigned count, int cancel_fd, int64_t deadline_ms)
{
    polls[count] = (struct pollfd){.fd = cancel_fd, .events = POLLIN};
    for (;;) {
        int64_t left = deadline_ms - cfs_clock_ms(&cfs_system_clock);
        if (left < 0)
            left = 0;
        int ready = poll(polls, count + 1, left > INT_MAX ? INT_MAX : (int)left);
        if (ready < 0 && errno != EINTR)
            return -errno;
        if (ready > 0 && polls[count].revents != 0)
            return -ECANCELED;
        if (ready > 0)
            return ready;
        if (ready == 0 && left == 0)
            return -ETIMEDOUT;
    }
}

int cfs_ssh_wait_readable(int fd, int cancel_fd, int64_t deadline_ms)
{
    struct pollfd polls[2] = {{.fd = fd, .events = POLLIN}};
    int ready = cfs_ssh_wait_polls(polls, 1, cancel_fd, deadline_ms);
    return ready < 0 ? ready : 0;
}

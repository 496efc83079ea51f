/* The client's side of the control socket, with a limit to each wait: a mount may be ill. */
#include "base/clock.h"
#include "base/text.h"
#include "ctl/control.h"
#include <errno.h>
#include <poll.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <sys/un.h>

enum { ANSWER_LIMIT = 1 << 20, ANSWER_LIMIT_MS = 30 * 1000 };

int cfs_control_connect(const char *path, int timeout_ms)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    if (strlen(path) >= sizeof(address.sun_path))
        return -ENAMETOOLONG;
    strcpy(address.sun_path, path);
    int fd CFS_AUTO_CLOSE = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (fd < 0)
        return -errno;
    struct timeval limit = {.tv_sec = timeout_ms / 1000, .tv_usec = timeout_ms % 1000 * 1000};
    if (setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof(limit)) ||
        setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &limit, sizeof(limit)) ||
        connect(fd, (struct sockaddr *)&address, sizeof(address)))
        return errno == EAGAIN ? -ETIMEDOUT : -errno;
    return CFS_TAKE_FD(fd);
}

pid_t cfs_control_peer(int fd)
{
    struct ucred peer;
    socklen_t size = sizeof(peer);
    return getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &peer, &size) == 0 ? peer.pid : 0;
}

void cfs_control_remove_stale(const char *path)
{
    int fd = cfs_control_connect(path, 1000);
    if (fd >= 0)
        close(fd);
    else if (fd == -ECONNREFUSED)
        unlink(path);
}

/* True when the buffer ends with an empty line: the answer is whole. */
static bool is_whole(const struct cfs_buffer *out, size_t start)
{
    return out->length >= start + 2 && memcmp(out->bytes + out->length - 2, "\n\n", 2) == 0;
}

/* A control character has no place in an answer but for newlines. */
static int make_printable(struct cfs_buffer *out, size_t start)
{
    cfs_buffer_add_u8(out, '\0');
    if (out->failed)
        return -ENOMEM;
    out->length--;
    for (size_t i = start; i < out->length; i++) {
        if (out->bytes[i] == '\0')
            out->bytes[i] = '?';
    }
    cfs_text_make_printable((char *)out->bytes + start, true);
    return 0;
}

int cfs_control_ask(int fd, const char *request, struct cfs_buffer *out)
{
    struct iovec parts[] = {{(void *)(uintptr_t)request, strlen(request)}, {(void *)(uintptr_t) "\n", 1}};
    struct msghdr message = {.msg_iov = parts, .msg_iovlen = CFS_COUNT(parts)};
    size_t start = out->length;
    int64_t until = cfs_clock_ms(&cfs_system_clock) + ANSWER_LIMIT_MS;
    if (sendmsg(fd, &message, MSG_NOSIGNAL) < 0)
        return errno == EAGAIN ? -ETIMEDOUT : -errno;
    while (!is_whole(out, start)) {
        uint8_t *room = cfs_buffer_reserve(out, 4096);
        if (!room)
            return -ENOMEM;
        ssize_t length = recv(fd, room, 4096, 0);
        if (length < 0 && errno == EINTR)
            continue;
        if (length < 0)
            return errno == EAGAIN ? -ETIMEDOUT : -errno;
        if (length == 0)
            return -ECONNRESET;
        out->length += (size_t)length;
        if (out->length - start > ANSWER_LIMIT)
            return -EMSGSIZE;
        if (cfs_clock_ms(&cfs_system_clock) > until) /* a peer that feeds us byte by byte */
            return -ETIMEDOUT;
    }
    out->length--; /* the empty line */
    return make_printable(out, start);
}

int cfs_control_read_end(int fd, struct cfs_buffer *out)
{
    size_t start = out->length;
    int64_t until = cfs_clock_ms(&cfs_system_clock) + ANSWER_LIMIT_MS;
    for (;;) {
        uint8_t *room = cfs_buffer_reserve(out, 4096);
        if (!room)
            return -ENOMEM;
        ssize_t length = recv(fd, room, 4096, 0);
        /* Between its last words and its end a mount logs out. */
        bool waits = length < 0 && errno == EAGAIN && cfs_clock_ms(&cfs_system_clock) < until;
        if ((length < 0 && errno == EINTR) || waits)
            continue;
        if (length < 0 && errno != ECONNRESET && errno != EAGAIN)
            return -errno;
        if (length <= 0)
            return make_printable(out, start);
        out->length += (size_t)length;
        if (out->length - start > ANSWER_LIMIT)
            return -EMSGSIZE;
    }
}

int cfs_control_wait_end(int fd, int timeout_ms)
{
    struct pollfd polled = {.fd = fd, .events = POLLIN | POLLRDHUP};
    int64_t until = timeout_ms < 0 ? INT64_MAX : cfs_clock_ms(&cfs_system_clock) + timeout_ms;
    for (;;) {
        int64_t left = timeout_ms < 0 ? -1 : until - cfs_clock_ms(&cfs_system_clock);
        int ready = poll(&polled, 1, timeout_ms < 0 ? -1 : left > 0 ? (int)left : 0);
        if (ready > 0)
            return 0;
        if (ready == 0)
            return -ETIMEDOUT;
        if (errno != EINTR)
            return -errno;
    }
}

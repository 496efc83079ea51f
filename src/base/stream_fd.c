/* A stream over a socket. The descriptor is watched edge-triggered: an owner who does not read for a while (it has its
 * reasons) costs no turns of the loop. Room to write is watched only after a write that found none; asking for it again
 * (EPOLL_CTL_MOD) reports room that came meanwhile, so that no edge is lost.
 *
 * What must always hold: after a failed read, every read gives the same failure, and so with writes; but a failed write
 * leaves to be read what the other end sent before it went. */
#include "base/stream.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>

enum { READ_EVENTS = EPOLLIN | EPOLLRDHUP };
#define EDGE_TRIGGERED (1U << 31) /* EPOLLET, whose sign bit does not fit an enum */

struct fd_stream {
    struct cfs_stream stream;
    struct cfs_watch watch;
    int read_failure, write_failure; /* -errno; 0 if none */
    bool blocked;                    /* a write waits for room */
};

static struct fd_stream *of(struct cfs_stream *stream)
{
    return cfs_container_of(stream, struct fd_stream, stream);
}

/* Keeps the first failure, unless it is only that one must wait. */
static int fail(int *failure, int error)
{
    if (error != -EAGAIN && *failure == 0)
        *failure = error;
    return error;
}

static void fd_ready(struct cfs_watch *watch, uint32_t events)
{
    struct fd_stream *self = cfs_container_of(watch, struct fd_stream, watch);
    if (self->blocked && events & (EPOLLOUT | EPOLLERR | EPOLLHUP)) {
        self->blocked = false;
        int rc = cfs_loop_watch(self->stream.loop, watch, READ_EVENTS | EDGE_TRIGGERED);
        if (rc < 0)
            fail(&self->write_failure, rc);
    }
    if (self->stream.ready)
        self->stream.ready(&self->stream, self->stream.context); /* which may close the stream */
}

static ssize_t fd_read(struct cfs_stream *stream, void *buffer, size_t length)
{
    struct fd_stream *self = of(stream);
    if (self->read_failure)
        return self->read_failure;
    if (length == 0) /* its answer would look like the end */
        return -EINVAL;
    ssize_t count;
    do {
        count = recv(self->watch.fd, buffer, length, 0);
    } while (count < 0 && errno == EINTR);
    return count >= 0 ? count : fail(&self->read_failure, -errno);
}

static ssize_t fd_write(struct cfs_stream *stream, const struct iovec *vector, int count)
{
    struct fd_stream *self = of(stream);
    if (self->write_failure)
        return self->write_failure;
    struct msghdr message = {
        .msg_iov = (struct iovec *)(uintptr_t)vector, /* sendmsg(2) only reads it */
        .msg_iovlen = (size_t)(count < IOV_MAX ? count : IOV_MAX),
    };
    ssize_t sent;
    do {
        sent = sendmsg(self->watch.fd, &message, MSG_NOSIGNAL);
    } while (sent < 0 && errno == EINTR);
    if (sent > 0)
        return sent;
    if (sent == 0)
        return -EINVAL;
    if (errno != EAGAIN)
        return fail(&self->write_failure, -errno);
    int rc = cfs_loop_watch(stream->loop, &self->watch, READ_EVENTS | EPOLLOUT | EDGE_TRIGGERED);
    if (rc < 0)
        return fail(&self->write_failure, rc);
    self->blocked = true;
    return -EAGAIN;
}

static const char *fd_reason(const struct cfs_stream *stream)
{
    const struct fd_stream *self = cfs_container_of(stream, const struct fd_stream, stream);
    int failure = self->read_failure ? self->read_failure : self->write_failure;
    return failure ? strerror(-failure) : NULL;
}

static void fd_close(struct cfs_stream *stream)
{
    struct fd_stream *self = of(stream);
    cfs_loop_unwatch(stream->loop, &self->watch);
    close(self->watch.fd);
    free(self);
}

static const struct cfs_stream_operations fd_operations = {
    .read = fd_read,
    .write = fd_write,
    .reason = fd_reason,
    .close = fd_close,
};

struct cfs_stream *cfs_stream_new_fd(struct cfs_loop *loop, int fd)
{
    int flags = fcntl(fd, F_GETFL);
    if (flags < 0 || fcntl(fd, F_SETFL, flags | O_NONBLOCK) < 0)
        return NULL;
    struct fd_stream *self = calloc(1, sizeof(*self));
    if (!self)
        return NULL;
    self->stream = (struct cfs_stream){.operations = &fd_operations, .loop = loop};
    self->watch = (struct cfs_watch){.fd = fd, .ready = fd_ready};
    if (cfs_loop_watch(loop, &self->watch, READ_EVENTS | EDGE_TRIGGERED) < 0) {
        free(self);
        return NULL;
    }
    return &self->stream;
}

/* A ring of bytes, contiguous but for one wrap, so that a socket is always served by one recvmsg or sendmsg of at most
 * two pieces. Growing copies the bytes to the start of a new block of twice the size. */
#include "ssh/ring.h"
#include <errno.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/uio.h>

enum { KEEP = 256 * 1024 }; /* an empty ring holds on to no more than this */

int cfs_ssh_ring_init(struct cfs_ssh_ring *ring, size_t capacity)
{
    uint8_t *bytes = malloc(capacity);
    if (!bytes)
        return -ENOMEM;
    *ring = (struct cfs_ssh_ring){.bytes = bytes, .capacity = capacity};
    return 0;
}

void cfs_ssh_ring_fini(struct cfs_ssh_ring *ring)
{
    free(ring->bytes);
    *ring = (struct cfs_ssh_ring){0};
}

/* The pieces of LENGTH bytes that begin at OFFSET of the block. */
static int pieces_of(const struct cfs_ssh_ring *ring, size_t offset, size_t length, struct iovec pieces[2])
{
    size_t first = ring->capacity - offset;
    if (first > length)
        first = length;
    pieces[0] = (struct iovec){.iov_base = ring->bytes + offset, .iov_len = first};
    pieces[1] = (struct iovec){.iov_base = ring->bytes, .iov_len = length - first};
    return length > first ? 2 : 1;
}

static size_t end_of(const struct cfs_ssh_ring *ring)
{
    size_t end = ring->start + ring->length;
    return end >= ring->capacity ? end - ring->capacity : end;
}

static int grow(struct cfs_ssh_ring *ring, size_t needed)
{
    size_t capacity = ring->capacity ? ring->capacity : 4096;
    while (capacity < needed) {
        if (capacity > SIZE_MAX / 2)
            return -ENOMEM;
        capacity *= 2;
    }
    uint8_t *bytes = malloc(capacity);
    if (!bytes)
        return -ENOMEM;
    size_t length = ring->length;
    cfs_ssh_ring_take(ring, bytes, length);
    free(ring->bytes);
    *ring = (struct cfs_ssh_ring){.bytes = bytes, .capacity = capacity, .length = length};
    return 0;
}

int cfs_ssh_ring_put(struct cfs_ssh_ring *ring, const void *bytes, size_t length)
{
    if (length == 0)
        return 0;
    if (length > SIZE_MAX - ring->length)
        return -ENOMEM;
    if (ring->length + length > ring->capacity) {
        int rc = grow(ring, ring->length + length);
        if (rc < 0)
            return rc;
    }
    struct iovec pieces[2];
    pieces_of(ring, end_of(ring), length, pieces);
    memcpy(pieces[0].iov_base, bytes, pieces[0].iov_len);
    memcpy(pieces[1].iov_base, (const uint8_t *)bytes + pieces[0].iov_len, pieces[1].iov_len);
    ring->length += length;
    return 0;
}

static void drop(struct cfs_ssh_ring *ring, size_t length)
{
    ring->length -= length;
    ring->start += length;
    if (ring->start >= ring->capacity)
        ring->start -= ring->capacity;
    if (ring->length == 0)
        ring->start = 0;
}

size_t cfs_ssh_ring_take(struct cfs_ssh_ring *ring, void *buffer, size_t length)
{
    if (length > ring->length)
        length = ring->length;
    if (length == 0)
        return 0;
    struct iovec pieces[2];
    pieces_of(ring, ring->start, length, pieces);
    memcpy(buffer, pieces[0].iov_base, pieces[0].iov_len);
    memcpy((uint8_t *)buffer + pieces[0].iov_len, pieces[1].iov_base, pieces[1].iov_len);
    drop(ring, length);
    return length;
}

ssize_t cfs_ssh_ring_receive(struct cfs_ssh_ring *ring, int fd)
{
    size_t room = ring->capacity - ring->length;
    if (room == 0)
        return -ENOBUFS;
    struct iovec pieces[2];
    struct msghdr message = {.msg_iov = pieces};
    message.msg_iovlen = (size_t)pieces_of(ring, end_of(ring), room, pieces);
    ssize_t received;
    do
        received = recvmsg(fd, &message, MSG_DONTWAIT);
    while (received < 0 && errno == EINTR);
    if (received < 0)
        return errno == EWOULDBLOCK ? -EAGAIN : -errno;
    ring->length += (size_t)received;
    return received;
}

/* A burst may have grown the ring; nobody needs that much between bursts. */
static void shrink(struct cfs_ssh_ring *ring)
{
    if (ring->capacity <= KEEP)
        return;
    uint8_t *bytes = malloc(KEEP);
    if (!bytes)
        return;
    free(ring->bytes);
    *ring = (struct cfs_ssh_ring){.bytes = bytes, .capacity = KEEP};
}

int cfs_ssh_ring_send(struct cfs_ssh_ring *ring, int fd)
{
    while (ring->length > 0) {
        struct iovec pieces[2];
        struct msghdr message = {.msg_iov = pieces};
        message.msg_iovlen = (size_t)pieces_of(ring, ring->start, ring->length, pieces);
        ssize_t sent = sendmsg(fd, &message, MSG_DONTWAIT | MSG_NOSIGNAL);
        if (sent < 0 && errno == EINTR)
            continue;
        if (sent < 0)
            return errno == EWOULDBLOCK ? -EAGAIN : -errno;
        drop(ring, (size_t)sent);
    }
    shrink(ring);
    return 0;
}

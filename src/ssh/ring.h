/* A ring of bytes between libssh2's callbacks and a socket. Not thread-safe; a ring belongs to its transport. */
#ifndef CFS_SSH_RING_H
#define CFS_SSH_RING_H

#include "base/cleanup.h"
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

/* The bytes lie from `start` on, wrapping at `capacity`. Fields are the ring's; others may read `length`. */
struct cfs_ssh_ring {
    uint8_t *bytes;
    size_t capacity, start, length;
};

/* -ENOMEM. */
CFS_CHECKED int cfs_ssh_ring_init(struct cfs_ssh_ring *ring, size_t capacity);
/* A ring of zeros is fine too; leaves an empty ring. */
void cfs_ssh_ring_fini(struct cfs_ssh_ring *ring);

/* Appends all of BYTES; grows where needed. -ENOMEM: nothing was appended. */
CFS_CHECKED int cfs_ssh_ring_put(struct cfs_ssh_ring *ring, const void *bytes, size_t length);
/* Takes up to LENGTH bytes out: how many. */
size_t cfs_ssh_ring_take(struct cfs_ssh_ring *ring, void *buffer, size_t length);

/* Reads once from the socket FD into what is free; never grows. Bytes read (> 0), 0 when the other end has finished,
 * -ENOBUFS when the ring is full, -EAGAIN, or -errno of recvmsg(2). */
CFS_CHECKED ssize_t cfs_ssh_ring_receive(struct cfs_ssh_ring *ring, int fd);
/* Sends until the ring is empty (0), or -EAGAIN, or -errno of sendmsg(2). Gives memory back that a burst had needed. */
CFS_CHECKED int cfs_ssh_ring_send(struct cfs_ssh_ring *ring, int fd);

#endif

/* A connection that is forwarded: a channel to another host (cfs_ssh_open_direct) on the one side, a socket of this
 * machine on the other. Each way ends for itself: an end that has said all may go on listening, and who reads slowly
 * slows down who writes. All is on the session's thread. */
#ifndef CFS_SSH_TUNNEL_H
#define CFS_SSH_TUNNEL_H

#include "base/stream.h"

struct cfs_ssh_tunnel;

/* It is over, both sides are closed, and the tunnel is gone when this returns. REASON: a sentence, gone likewise, if
 * the SSH connection was lost: the socket's other end then sees a reset, not an end; NULL: one of the two hosts has
 * ended it. */
typedef void cfs_ssh_tunnel_ended(void *context, const char *reason);

/* Takes CHANNEL, which is running, and FD, a connected stream socket. ENDED is called after cfs_ssh_tunnel_begin; not
 * for what cfs_ssh_tunnel_abort ends. NULL when memory is short: both are still the caller's. */
struct cfs_ssh_tunnel *cfs_ssh_tunnel_new(struct cfs_stream *channel, int fd, cfs_ssh_tunnel_ended *ended,
                                          void *context);
/* Begins. ENDED may be called within. */
void cfs_ssh_tunnel_begin(struct cfs_ssh_tunnel *tunnel);
/* Ends it at once: a reset on the socket. */
void cfs_ssh_tunnel_abort(struct cfs_ssh_tunnel *tunnel);

/* FD is closed so that its other end, a TCP peer, cannot take that for the end of the data. */
void cfs_ssh_reset_socket(int fd);

#endif

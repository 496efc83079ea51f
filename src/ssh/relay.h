/* A relay between a channel of a hop's session and one end of a socketpair, on the hop's loop; the other end is the
 * socket of a session within.
 *
 * It has two owners: the hop's thread, until the channel is closed, and who has the other end of the socketpair (the
 * dialling thread first, then the transport of the session within). */
#ifndef CFS_SSH_RELAY_H
#define CFS_SSH_RELAY_H

#include "base/error.h"
#include "ssh/line.h"
#include "ssh/session.h"

/* Opens a channel from HOP's host to HOST and PORT, and waits for it until DEADLINE_MS (cfs_system_clock) or CANCEL_FD.
 * The loop of HOP must go on until RET_LINE was freed. Not on that thread.
 *
 * -errno, with a sentence. CFS_FAILURE_LOST: it is HOP that is lost, or was found to be of no use on this occasion, and
 * the channel was not refused. */
CFS_CHECKED int cfs_ssh_relay_open(struct cfs_ssh_session *hop, const char *hop_name, const char *host, uint16_t port,
                                   int cancel_fd, int64_t deadline_ms, int *ret_fd, struct cfs_ssh_line **ret_line,
                                   struct cfs_error *error);

#endif

/* Where a pool gets its streams from: an SSH session (transport_ssh.c), or a child process a stream (`sftp-server`
 * itself, for tests without any SSH; `ssh -s HOST sftp` later). A transport owns the thread that runs the loop of its
 * streams. */
#ifndef CFS_REMOTE_TRANSPORT_H
#define CFS_REMOTE_TRANSPORT_H

#include "base/error.h"
#include "base/stream.h"
#include "conf/profile.h"
#include "ssh/session.h"

struct cfs_transport;

struct cfs_transport_operations {
    struct cfs_loop *(*loop)(struct cfs_transport *transport);
    /* A new stream to an SFTP server; on the loop's thread; NULL when memory is short or the transport has ended.
     * Refusals show later, as the stream's error: see cfs_transport_stream_error. */
    struct cfs_stream *(*open_stream)(struct cfs_transport *transport);
    /* Why a stream failed, as a sentence with its kind. Fills ERROR; never fails. */
    void (*stream_error)(struct cfs_transport *transport, const struct cfs_stream *stream, struct cfs_error *error);
    /* Facts for status; zeroed where there is no SSH. */
    void (*facts)(struct cfs_transport *transport, struct cfs_ssh_facts *ret_facts);
    /* Ends it: streams must be closed (or be closed by tasks already posted). Joins the thread. */
    void (*free)(struct cfs_transport *transport);
};

struct cfs_transport {
    const struct cfs_transport_operations *operations;
};

/* Connects and logs in (blocking; see cfs_ssh_connect). */
CFS_CHECKED int cfs_transport_ssh_open(const struct cfs_profile *profile, struct cfs_prompter *prompter, int cancel_fd,
                                       struct cfs_transport **ret_transport, struct cfs_error *error);
/* Each stream is a child process: ARGV (NULL-terminated, copied) with SFTP on its stdin and stdout. */
CFS_CHECKED int cfs_transport_command_open(char *const argv[], struct cfs_transport **ret_transport);

#endif

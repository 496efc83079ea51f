/* Where a pool gets its streams from: SSH sessions of libssh2 (transport_ssh.c) or of ssh(1) (transport_openssh.c), or
 * a child process a stream (transport_command.c: `sftp-server` itself, for tests without any SSH). A transport owns the
 * thread that runs the loop of its streams, of all of its sessions.
 *
 * Session 0 is there from the beginning; more may be added, for bulk data: over distance one TCP connection is held to
 * what its ends buffer. When session 0 is lost it can be made again: its streams belong to the new one then. */
#ifndef CFS_REMOTE_TRANSPORT_H
#define CFS_REMOTE_TRANSPORT_H

#include "base/error.h"
#include "base/stream.h"
#include "conf/profile.h"
#include "ssh/session.h"

struct cfs_transport;

enum { CFS_SESSIONS_MAX = 8 };
/* From this round trip on a login takes too long to wait until data moves. */
enum { CFS_TRANSPORT_FAR_MS = 10 };

/* NUMBER: of the new session; or -errno, and why in a sentence, gone when it returns. */
typedef void cfs_transport_added(void *context, int number, const char *reason);

/* RESULT: 0, or -errno with the kind of failure and the sentence in ERROR. */
typedef void cfs_transport_reconnected(void *context, int result, const struct cfs_error *error);

struct cfs_transport_operations {
    struct cfs_loop *(*loop)(struct cfs_transport *transport);
    /* Begins to add a session; on the loop's thread; several may be under way. `added` is called later, on that thread,
     * unless the transport is freed before. -EPERM: a login needs somebody who answers, and nobody is asked again.
     * -errno: `added` will not be called. */
    int (*add_session)(struct cfs_transport *transport, cfs_transport_added *added, void *context);
    /* Begins to make session 0 again, which was lost and whose streams were closed: the name is looked up again, the
     * host key is checked as at first, and no new one accepted. PROMPTER, which may be NULL, is asked what is needed,
     * on another thread, and must live until `reconnected`. On the loop's thread, one at a time. `reconnected` is
     * called later, on that thread, unless the transport is freed before. -errno: it will not be. */
    int (*reconnect)(struct cfs_transport *transport, struct cfs_prompter *prompter,
                     cfs_transport_reconnected *reconnected, void *context);
    /* The attempt under way is to end soon: it fails with CFS_FAILURE_CANCELLED, if it can still fail. On the loop's
     * thread. NULL: it does so soon anyway. */
    void (*interrupt)(struct cfs_transport *transport);
    /* The session is lost, or of no use: what it has sent and has not arrived does not arrive any more. Its streams
     * fail soon, if they have not. On the loop's thread. NULL: nothing can be on its way. */
    void (*abort_session)(struct cfs_transport *transport, unsigned session);
    /* Ends one that was added; its streams must have been closed. On the loop's thread. The number may come again. */
    void (*drop_session)(struct cfs_transport *transport, unsigned session);
    /* A new stream to an SFTP server, in a session; on the loop's thread; NULL when memory is short or the transport
     * has ended. Refusals show later, as the stream's error: see cfs_transport_stream_error. */
    struct cfs_stream *(*open_stream)(struct cfs_transport *transport, unsigned session);
    /* A new stream to HOST and PORT as seen from the server, in session 0, as cfs_ssh_open_direct; NULL also when the
     * session was lost. On the loop's thread. NULL: not this transport's matter. */
    struct cfs_stream *(*open_direct)(struct cfs_transport *transport, const char *host, uint16_t port);
    /* Without a stream, session 0 answers what the server asks, from now on. On the loop's thread. NULL: it does. */
    void (*keep_awake)(struct cfs_transport *transport);
    /* Session 0 was lost; its streams have failed. On the loop's thread. NULL: shows in the streams alone. */
    bool (*is_lost)(struct cfs_transport *transport);
    /* Why a stream failed, as a sentence with its kind. Fills ERROR; never fails. */
    void (*stream_error)(struct cfs_transport *transport, const struct cfs_stream *stream, struct cfs_error *error);
    /* For at least MS nothing that session 0 has sent was acknowledged by the machine at the other end: the network is
     * gone, or that machine. On the loop's thread. NULL: cannot be told. */
    bool (*is_cut)(struct cfs_transport *transport, int64_t ms);
    /* Facts of session 0, for status; zeroed where there is no SSH. */
    void (*facts)(struct cfs_transport *transport, struct cfs_ssh_facts *ret_facts);
    /* Ends it: streams must be closed (or be closed by tasks already posted). Joins the thread. */
    void (*free)(struct cfs_transport *transport);
};

struct cfs_transport {
    const struct cfs_transport_operations *operations;
    /* What is known from the beginning: */
    bool is_eager;         /* streams lead to servers that work off what stands behind INIT (sftp/client.h) */
    int64_t round_trip_ms; /* of session 0, as TCP has measured it; -1: unknown */
    bool has_early;        /* a second session has begun by itself: the first add_session will get that */
};

/* Connects and logs in (blocking; see cfs_ssh_connect). The profile must outlive the transport, which logs in again for
 * more sessions; the prompter only the call. */
CFS_CHECKED int cfs_transport_ssh_open(const struct cfs_profile *profile, struct cfs_prompter *prompter, int cancel_fd,
                                       struct cfs_transport **ret_transport, struct cfs_error *error);
/* The same, and WATCHER is told of each stage. */
CFS_CHECKED int cfs_transport_ssh_open_watched(const struct cfs_profile *profile, struct cfs_prompter *prompter,
                                               int cancel_fd, const struct cfs_ssh_watcher *watcher,
                                               struct cfs_transport **ret_transport, struct cfs_error *error);
/* The same by the user's ssh program, which asks by ASKPASS_PROGRAM (cli/askpass.h; NULL: nobody is asked). */
CFS_CHECKED int cfs_transport_openssh_open(const struct cfs_profile *profile, struct cfs_prompter *prompter,
                                           const char *askpass_program, int cancel_fd,
                                           struct cfs_transport **ret_transport, struct cfs_error *error);
/* Each stream is a child process: ARGV (NULL-terminated, copied) with SFTP on its stdin and stdout. */
CFS_CHECKED int cfs_transport_command_open(char *const argv[], struct cfs_transport **ret_transport);

#endif

/* A logged-in SSH session and its thread.
 *
 * cfs_ssh_connect dials, exchanges keys, checks the host key and logs in, on the calling thread, and then hands the
 * session to a thread of its own, which alone touches libssh2 from then on (libssh2 allows one thread a session). That
 * thread runs the session's loop; channels appear as streams on it (base/stream.h).
 *
 * A session ends once: when the connection is lost, the server disconnects, or cfs_ssh_session_free. All its
 * streams fail then, with the reason, before `lost` is called. Nothing here reconnects by itself: that is the
 * pool's work. */
#ifndef CFS_SSH_SESSION_H
#define CFS_SSH_SESSION_H

#include "base/bytes.h"
#include "base/error.h"
#include "base/stream.h"
#include "conf/profile.h"
#include "ssh/prompter.h"
#include <stdbool.h>
#include <stdint.h>

struct cfs_ssh_session;
struct cfs_ssh_facts;

/* How far a connection has come: what came before has been done. */
enum cfs_ssh_stage {
    CFS_SSH_CONNECTED,      /* by TCP: facts: address */
    CFS_SSH_GREETED,        /* it is an SSH server: server_banner */
    CFS_SSH_KEYS_EXCHANGED, /* cipher, mac, kex, host_key_type */
    CFS_SSH_HOST_KEY_TRUSTED,
    CFS_SSH_LOGGED_IN, /* all of them */
};

/* For who wants to know where a connection fails. FACTS: of the stages so far; gone when it returns. On the connecting
 * thread. */
struct cfs_ssh_watcher {
    void (*reached)(enum cfs_ssh_stage stage, const struct cfs_ssh_facts *facts, void *context);
    void *context;
};

struct cfs_ssh_callbacks {
    /* The session has ended (not called after cfs_ssh_session_free was called); on its thread; once. REASON is a
     * sentence. */
    void (*lost)(struct cfs_ssh_session *session, const char *reason, void *context);
    /* TCP is connected, to the numeric ADDRESS, ROUND_TRIP_MS away (-1: unknown); the login begins. On the connecting
     * thread. Either may be NULL. */
    void (*dialed)(const char *address, int64_t round_trip_ms, void *context);
    void *context;
    const struct cfs_ssh_watcher *watcher; /* must outlive the call; NULL: nobody watches */
};

/* Once per process, before threads are started (libssh2_init, OpenSSL). -errno. */
CFS_CHECKED int cfs_ssh_library_init(void);
void cfs_ssh_library_fini(void);

/* Blocks until logged in, or until CANCEL_FD (an eventfd or pipe; -1 for none) becomes readable. The profile and the
 * prompter must outlive the call only. CALLBACKS are copied; NULL for none. On failure -errno with the sentence and
 * kind in ERROR, nothing left behind. Within connect_timeout for dialling and key exchange, login_timeout for the rest.
 */
CFS_CHECKED int cfs_ssh_connect(const struct cfs_profile *profile, struct cfs_prompter *prompter, int cancel_fd,
                                const struct cfs_ssh_callbacks *callbacks, struct cfs_ssh_session **ret_session,
                                struct cfs_error *error);

/* The key that the server proves to hold, in the form of RFC 4253 section 6.6, appended to RET_BLOB: nothing is checked
 * against anything, and nobody is logged in, but at hosts on the way (for which PROMPTER, which may be NULL). Of the
 * keys of several types that it may have, one that is known. Blocks, as above, within connect_timeout. */
CFS_CHECKED int cfs_ssh_fetch_host_key(const struct cfs_profile *profile, struct cfs_prompter *prompter, int cancel_fd,
                                       struct cfs_buffer *ret_blob, struct cfs_error *error);

/* One more session with the server that HOST is connected to (its address, its host key), on HOST's loop and thread:
 * several TCP connections carry more than one over distance. Nobody is asked anything: what the profile, its files and
 * the agent cannot answer fails. Blocks as above, on any thread but HOST's. Must be freed before HOST. */
CFS_CHECKED int cfs_ssh_connect_beside(struct cfs_ssh_session *host, const struct cfs_profile *profile, int cancel_fd,
                                       struct cfs_ssh_session **ret_session, struct cfs_error *error);

/* The same in two steps. The first needs no host, only its ADDRESS (none was told where there is a hop): it can be
 * taken while the host's login is under way (its callback `dialed`). Keys are exchanged then, but nothing of the server
 * is checked, and nobody is logged in. The second takes DIALED, also when it fails. Both block, as above. */
struct cfs_ssh_dialed;
CFS_CHECKED int cfs_ssh_dial_beside(const char *address, const struct cfs_profile *profile, int cancel_fd,
                                    struct cfs_ssh_dialed **ret_dialed, struct cfs_error *error);
CFS_CHECKED int cfs_ssh_log_in_beside(struct cfs_ssh_session *host, const struct cfs_profile *profile,
                                      struct cfs_ssh_dialed *dialed, int cancel_fd,
                                      struct cfs_ssh_session **ret_session, struct cfs_error *error);
void cfs_ssh_dialed_free(struct cfs_ssh_dialed *dialed);
CFS_DEFINE_CLEANUP(struct cfs_ssh_dialed, cfs_ssh_dialed_free)

/* HOST was lost: logs in to the profile's host again, whose name is looked up anew, on HOST's loop and thread.
 * PROMPTER, which may be NULL, is asked what the login needs; no new host key is accepted: the one that HOST had, or a
 * known one. Blocks as above, on any thread but HOST's. Must be freed before HOST. */
CFS_CHECKED int cfs_ssh_connect_again(struct cfs_ssh_session *host, const struct cfs_profile *profile,
                                      struct cfs_prompter *prompter, int cancel_fd,
                                      struct cfs_ssh_session **ret_session, struct cfs_error *error);

/* Disconnects, stops and joins the thread (or, of one beside another, waits until its work there has ended); streams
 * that are still open fail first with -ESHUTDOWN (their owners must have closed them, or close them in tasks that are
 * already posted to the loop). Not on the session's own thread. NULL is fine. */
void cfs_ssh_session_free(struct cfs_ssh_session *session);
CFS_DEFINE_CLEANUP(struct cfs_ssh_session, cfs_ssh_session_free)
/* The connection is of no use: streams fail with -ECONNRESET, soon. What was sent and has not arrived at the server's
 * machine will not arrive: it cannot come after what is sent instead, by another connection. On the session's thread.
 */
void cfs_ssh_session_abort(struct cfs_ssh_session *session);
/* Bytes of it are on their way to the server's machine, or wait for that; through a hop: to the first hop. On the
 * session's thread. */
bool cfs_ssh_session_holds_bytes(const struct cfs_ssh_session *session);
/* Aborts it on its own thread, soon, if none of its channels carries anything (a channel whose opening the server does
 * not answer holds up all others). Any thread; a task of its own: one at a time. */
void cfs_ssh_session_forsake(struct cfs_ssh_session *session);
/* As cfs_ssh_session_free, for one beside another, on that thread, without waiting. NULL is fine. */
void cfs_ssh_session_drop(struct cfs_ssh_session *session);

/* The session's loop, for posting work to its thread. Lives as long as the session. */
struct cfs_loop *cfs_ssh_session_loop(struct cfs_ssh_session *session);
/* It was lost, and its streams have failed. On the session's thread. */
bool cfs_ssh_session_has_ended(const struct cfs_ssh_session *session);

/* What arrives is worked off only while the session has a channel, or had one: from now on it is, also if nobody opens
 * a stream. On the session's thread. Nothing comes of it where the server allows no sessions at all (MaxSessions 0). */
void cfs_ssh_session_keep_awake(struct cfs_ssh_session *session);

/* Opens a channel with a subsystem ("sftp"); on the session's thread. Returns the stream at once: channel open and
 * subsystem request go on behind it, a stream is written to when `ready` has said so, and when the server refuses,
 * reads give the -errno and cfs_ssh_stream_error the sentence. A server that opens its window with the channel gets the
 * first bytes together with the subsystem's request; OpenSSH's opens it with the subsystem, a round trip later (libssh2
 * cannot send sooner, and opens one channel at a time). WINDOW is the receive window in bytes (0: default, 2 MiB). A
 * channel that does not run within op_timeout fails with -ETIMEDOUT. NULL only when memory is short or the session has
 * ended. */
struct cfs_stream *cfs_ssh_open_subsystem(struct cfs_ssh_session *session, const char *name, uint32_t window);

/* Opens a channel to HOST and PORT as seen from the server (RFC 4254, 7.2); likewise, but for the time limit: that is
 * the caller's. A refusal is CFS_FAILURE_CONNECT. */
struct cfs_stream *cfs_ssh_open_direct(struct cfs_ssh_session *session, const char *host, uint16_t port,
                                       uint32_t window);
/* The server has granted it, and the stream carries bytes; or did. */
bool cfs_ssh_stream_is_running(const struct cfs_stream *stream);
/* Another one of the session is being opened, and the server has not been asked for this one yet. */
bool cfs_ssh_stream_is_queued(const struct cfs_stream *stream);
/* Each way of such a stream to another host ends for itself. Ours: the other end is told so, behind what was taken, and
 * nothing more is taken. Once, while it is running. */
void cfs_ssh_stream_finish(struct cfs_stream *stream);
/* The server has closed it altogether: writes fail, and what can still be read is all. `ready` tells. */
bool cfs_ssh_stream_is_closed(const struct cfs_stream *stream);

/* Why a stream of a session failed, with its kind (CFS_FAILURE_NO_SFTP, CFS_FAILURE_LOST, ...); NULL while it has not.
 * The stream's. -EMFILE is the errno of a channel that the server refused to open (MaxSessions): a learned cap, not an
 * error. */
const struct cfs_error *cfs_ssh_stream_error(const struct cfs_stream *stream);

/* Facts for status and check. The strings are the session's. Any thread. */
struct cfs_ssh_facts {
    char address[64];        /* numeric address and port that we are connected to */
    char server_banner[128]; /* "OpenSSH_9.2p1 Debian-2" */
    char cipher[64], mac[64], kex[64], host_key_type[64];
    char host_key_fingerprint[64]; /* "SHA256:..." */
    char login_method[160];        /* "publickey /home/a/.ssh/id_ed25519" */
    char login_key[64];            /* the fingerprint of the key that was accepted; "": none was */
    int64_t connected_ms;          /* how long dialling and login took */
    int64_t round_trip_ms;         /* the shortest of TCP's by then; -1: unknown */
    bool is_openssh;               /* the server says that it is OpenSSH's */
    bool by_person;                /* somebody had to answer or touch something for it, and would have to again */
    bool by_person_on_way;         /* likewise for the login at a hop, which sessions share */
};
/* Bytes are sent, and for at least MS the other end's kernel has acknowledged nothing. (A server that stands still,
 * below a kernel that does not, is not cut off.) Through a hop: of the hop's connection; or for a minute nothing has
 * come, since nobody tells how things are behind the hop. On the session's thread. False, too, where the system cannot
 * tell. */
bool cfs_ssh_session_is_cut(const struct cfs_ssh_session *session, int64_t ms);
void cfs_ssh_session_facts(const struct cfs_ssh_session *session, struct cfs_ssh_facts *ret_facts);

#endif

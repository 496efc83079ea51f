/* What session.c, session_thread.c, channel.c and channel_io.c share: the session and its channels.
 *
 * Everything below is the session thread's alone once that thread runs, but for `loop` and `facts`, which never change.
 *
 * The thread works in turns (cfs_ssh_session_turn): fill the input ring from the socket, let libssh2 parse all of it,
 * move each channel's phase on, tell the streams' users, send. Between turns the input ring is empty, so that no
 * libssh2 call from a user's read or write can find something new: what arrives is always told by the next turn. */
#ifndef CFS_SSH_SESSION_PRIV_H
#define CFS_SSH_SESSION_PRIV_H

#include "base/list.h"
#include "base/loop.h"
#include "ssh/jump.h"
#include "ssh/kept_keys.h"
#include "ssh/session.h"
#include "ssh/transport.h"
#include <pthread.h>
#include <semaphore.h>

enum {
    CFS_SSH_READ_SIZE = 256 * 1024, /* of every libssh2 read: the length must not change while a read is unfinished */
    CFS_SSH_WRITE_SIZE = 32700,     /* the most that libssh2 takes into one packet */
    CFS_SSH_DEFAULT_WINDOW = 2 * 1024 * 1024,
    CFS_SSH_STDERR_KEPT = 512,
    CFS_SSH_LONGEST_HOST = 255,
};

/* A channel's life:
 *
 *   QUEUED -> OPENING -> STARTING -> RUNNING -> (the user closes) -> CLOSING -> CLOSED -> freed
 *      \________\____________\___________\_-> FAILED -> (the user closes) -> CLOSING or freed
 *
 * Opening is one at a time in a session (libssh2's state for it is the session's). A user may close at any time: a
 * channel that is OPENING then stays, without a user, until the server's answer, and is closed after it. FAILED keeps
 * the libssh2 channel, if there is one, until the user has closed. CLOSED keeps it as long as it is the session's last:
 * libssh2 parses what arrives only in calls that are given a channel. */
enum cfs_ssh_phase {
    CFS_SSH_QUEUED,
    CFS_SSH_OPENING,
    CFS_SSH_STARTING,
    CFS_SSH_RUNNING,
    CFS_SSH_FAILED,
    CFS_SSH_CLOSING,
    CFS_SSH_CLOSED,
};

struct cfs_ssh_channel {
    struct cfs_stream stream; /* first */
    struct cfs_list link;     /* in session->channels */
    struct cfs_ssh_session *session;
    LIBSSH2_CHANNEL *channel; /* NULL before it is open, and after it was freed */
    enum cfs_ssh_phase phase;
    char name[CFS_SSH_LONGEST_HOST + 16]; /* of the subsystem; of the target, "HOST port N" */
    uint32_t window;

    bool is_direct;                            /* leads to another host: there is no subsystem */
    uint8_t target[CFS_SSH_LONGEST_HOST + 64]; /* of such a one, as in the request */
    size_t target_length;

    bool has_user;                /* the stream was not closed */
    bool ended;                   /* the server has sent EOF or closed; data may be left */
    bool closed;                  /* of a direct one that has ended: it takes nothing any more, either */
    bool told_end;                /* `ready` was called for the end or the failure */
    bool told_closed;             /* likewise */
    bool wants_finish, finished;  /* our EOF is to be sent behind what was taken; was sent */
    bool wants_read, wants_write; /* -EAGAIN was returned */
    bool pending;                 /* to be told in this turn */
    uint64_t told_at;             /* the session's count when `ready` was last called */
    uint64_t bytes_read;

    uint8_t *staging; /* CFS_SSH_READ_SIZE, for users who read less; allocated when needed */
    size_t staged_from, staged_length;
    uint8_t *held; /* a packet that libssh2 has begun and could not finish (a key exchange is going on) */
    size_t held_from, held_length;

    struct cfs_timer start_timer; /* until it runs: another channel's opening may be what it waits for */
    int error_number;             /* errno of a failed stream; 0 */
    struct cfs_error error;
    char stderr_text[CFS_SSH_STDERR_KEPT];
    size_t stderr_length;
    char reason[CFS_SSH_STDERR_KEPT + 512];
};

struct cfs_ssh_session {
    struct cfs_loop *loop;
    pthread_t thread;
    bool is_guest;                       /* loop and thread are another session's */
    bool dropped;                        /* a guest that frees itself */
    sem_t left;                          /* a guest's: nothing of it is on the loop any more */
    struct cfs_ssh_transport *transport; /* NULL once the session has ended */
    struct cfs_ssh_callbacks callbacks;
    struct cfs_ssh_facts facts;
    struct cfs_kept_keys *kept; /* NULL: none are; its own, but for a guest */
    struct cfs_ssh_jump *jump;  /* NULL: there is no hop; likewise */
    char *host;
    uint32_t start_timeout_ms;

    struct cfs_watch watch;
    struct cfs_task turn_task, stop_task, forsake_task;
    bool turn_posted; /* turn_task is in the queue: the socket may be served before it, in a turn of its own */
    bool in_turn;
    struct cfs_list channels;
    struct cfs_ssh_channel *opening; /* the one whose libssh2_channel_open is under way */

    uint64_t tellings; /* calls of `ready`, in all */

    bool stopping;      /* cfs_ssh_session_free was called */
    bool ended;         /* streams have failed; the transport is gone */
    int failure_number; /* why it will end at the end of this turn; 0 */
    char failure[512];  /* a sentence */
    uint8_t *scratch;   /* CFS_SSH_READ_SIZE */
    uint8_t gather[CFS_SSH_WRITE_SIZE];
};

/* session.c: nothing of it is on the loop any more. */
void cfs_ssh_session_left(struct cfs_ssh_session *session);

/* session_thread.c */

/* Starts the thread; a guest begins on its host's. The session is complete but for it. -errno. */
CFS_CHECKED int cfs_ssh_session_start(struct cfs_ssh_session *session);
/* Asks for a turn after the tasks that are queued now. */
void cfs_ssh_session_schedule(struct cfs_ssh_session *session);
/* The connection is of no more use: the turn that follows ends the session. The first reason stays. */
void cfs_ssh_session_fail(struct cfs_ssh_session *session, int errno_value, const char *format, ...) CFS_PRINTF(3, 4);
/* As above, with the reason of libssh2's last error RC. */
void cfs_ssh_session_fail_libssh2(struct cfs_ssh_session *session, int rc);
/* Sends now when much has gathered, instead of at the end of the turn. */
void cfs_ssh_session_flush_early(struct cfs_ssh_session *session);

/* channel.c */

/* Lets libssh2 parse what is in the input ring, and collects what the channels say on stderr. */
void cfs_ssh_channels_parse(struct cfs_ssh_session *session);
/* Moves each channel on as far as it goes. True when something was done, so that there may be more to do. */
bool cfs_ssh_channels_advance(struct cfs_ssh_session *session);
/* Calls `ready` where there is something to tell. */
void cfs_ssh_channels_tell(struct cfs_ssh_session *session);
/* True when somebody waits to write and could. */
bool cfs_ssh_channels_want_write(struct cfs_ssh_session *session);
/* Fails every stream: the session has ended. libssh2's channels go with its session. */
void cfs_ssh_channels_fail(struct cfs_ssh_session *session, int errno_value, enum cfs_failure failure,
                           const char *reason);
/* Frees all channels, also those whose streams were not closed. The transport is gone. */
void cfs_ssh_channels_free(struct cfs_ssh_session *session);
void cfs_ssh_channel_fail(struct cfs_ssh_channel *channel, int errno_value, enum cfs_failure failure,
                          const char *format, ...) CFS_PRINTF(4, 5);

/* A channel in the phase QUEUED; NULL when memory is short or the session has ended. It is opened after
 * cfs_ssh_channel_begin, which comes in the same turn. */
struct cfs_ssh_channel *cfs_ssh_channel_new(struct cfs_ssh_session *session, uint32_t window);
void cfs_ssh_channel_begin(struct cfs_ssh_channel *channel);

/* channel_direct.c: the server has refused to open it. */
void cfs_ssh_channel_direct_refused(struct cfs_ssh_channel *channel);
/* Sends our EOF, if it is wanted; true when nothing is left of that. */
bool cfs_ssh_channel_send_finish(struct cfs_ssh_channel *channel);
/* Notes whether the server has closed one that has ended. */
void cfs_ssh_channel_note_closed(struct cfs_ssh_channel *channel);

/* channel_io.c: reading and writing, on behalf of the stream's user */

ssize_t cfs_ssh_channel_read(struct cfs_ssh_channel *channel, void *buffer, size_t length);
ssize_t cfs_ssh_channel_write(struct cfs_ssh_channel *channel, const struct iovec *vector, int count);
/* True when a read (write) would now give (take) something. */
bool cfs_ssh_channel_readable(struct cfs_ssh_channel *channel);
bool cfs_ssh_channel_writable(struct cfs_ssh_channel *channel);
/* Goes on with a packet that is held; true when it is gone. */
bool cfs_ssh_channel_finish_held(struct cfs_ssh_channel *channel);

#endif

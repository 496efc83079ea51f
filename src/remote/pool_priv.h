/* What the files of the pool share.
 *
 * Threads. Everything of an operation, a lane, a file and a listing happens on the loop's thread, except: submitting
 * (any thread: makes the operation and posts it), cancelling (any thread: posts), status (any thread). What those touch
 * is under pool->lock, and named so below. No callback runs and nothing is submitted to a client with the lock held. */
#ifndef CFS_REMOTE_POOL_PRIV_H
#define CFS_REMOTE_POOL_PRIV_H

#include "base/list.h"
#include "base/loop.h"
#include "remote/heartbeat_priv.h"
#include "remote/link.h"
#include "remote/login_priv.h"
#include "remote/network_priv.h"
#include "remote/operation_priv.h"
#include "remote/pool.h"
#include "remote/remote.h"
#include "remote/server_clock.h"
#include "sftp/client.h"
#include <pthread.h>

enum { CFS_LANES_MAX = 32, CFS_PUT_LANE = CFS_LANES_MAX, CFS_LANES_ALL, CFS_STRIPES_MAX = 4 };

enum cfs_direction { CFS_DOWN, CFS_UP, CFS_DIRECTIONS };

/* One SFTP channel.
 *   CLOSED -> STARTING -> READY -> CLOSED      (READY -> CLOSED is the loss of the connection)
 *                      -> REFUSED              (the server has no more channels for us: a learned cap) */
enum cfs_lane_state { CFS_LANE_CLOSED, CFS_LANE_STARTING, CFS_LANE_READY, CFS_LANE_REFUSED };

struct cfs_lane {
    struct cfs_pool *pool;
    unsigned number;
    unsigned session;    /* of the transport's; all but the lanes of session 0 carry nothing but stripes */
    unsigned generation; /* counts starts */
    int64_t moved_ms;    /* when it moved bulk data last, or became ready */
    struct cfs_link link[CFS_DIRECTIONS]; /* what it carries: spread.c */
    struct cfs_stream *stream;            /* the client's; to ask the transport why it failed */
    struct cfs_sftp_client *client;       /* NULL: closed */
    int64_t last_reply_ms;
    bool doomed; /* its client is lost and waits to be freed */
    /* pool->lock */
    enum cfs_lane_state state;
    struct cfs_sftp_client *counted; /* the client, while its counters may be read */
    size_t bytes_in_flight;
    size_t open_files;
};

/* What is known of the handles on the lane for files that are put: see ops_put.c. */
struct cfs_put_learned {
    struct cfs_sftp_handle handle; /* that the last one had */
    unsigned times;                /* how often in a row */
    bool learning;                 /* one is on its way whose handle was not foreseen */
    bool given_up;
};

/* The state of the connection, and what makes it again: reconnect.c. */
struct cfs_reconnector {
    bool is_wanted;         /* const: a lost connection is made again */
    uint32_t limit_ms;      /* const: for so long calls wait; 0: without end */
    const char *login_hint; /* const: a sentence, or NULL */
    /* the loop's thread */
    struct cfs_timer retry, limit;
    struct cfs_timer starting; /* the lanes of the new connection */
    int64_t limit_slept_ms;    /* cfs_clock_slept_ms when that was started */
    uint32_t delay_ms;         /* until the next attempt */
    bool is_underway;          /* the transport connects */
    bool is_hurried;           /* that was told to end, for another attempt */
    int64_t begun_ms;          /* when that was begun */
    enum cfs_pool_state
        stopped;   /* no attempts were made in that state, but for the one that somebody wanted; CONNECTED: none */
    bool has_root; /* the work folder was found again */
    bool limit_has_passed; /* calls do not wait */
    /* pool->lock */
    enum cfs_pool_state state;
    int64_t since_ms;  /* cfs_system_clock: in this state */
    unsigned attempts; /* since the connection was lost */
    unsigned times;    /* that it was made again */
    char why[1024];    /* that the last attempt failed, or the connection was lost; a sentence */
};

struct cfs_pool {
    struct cfs_remote remote;
    struct cfs_transport *transport;
    struct cfs_loop *loop;
    uint32_t op_timeout_ms;
    size_t bulk_piece;
    void (*lost_callback)(const char *reason, void *context);
    void *context;
    struct cfs_remote_facts facts; /* final once cfs_pool_open has returned */
    uint32_t extensions;           /* of lane 0; final as well */
    struct cfs_sftp_limits limits; /* likewise */
    char *root;
    struct cfs_root_search *search; /* for it: root.c */

    /* the loop's thread */
    unsigned lanes_wanted;
    unsigned next_lane; /* of session 0, to be started */
    unsigned sessions_wanted;
    bool sessions_far_only; /* more than one only where the round trip is long */
    unsigned sessions_coming;
    bool sessions_proven; /* the server has let one more in */
    bool sessions_capped;
    uint64_t moved; /* bytes of large reads and writes, since */
    int64_t moved_since_ms;
    uint64_t moved_rate; /* and, before that, bytes a second */
    uint32_t idle_ms;
    struct cfs_timer idle_timer; /* while there are further sessions */
    int64_t session_lost_ms;     /* when one was lost; 0: none was */
    struct cfs_task start_task, reap_task, close_task, give_up_task;
    bool reap_posted, started_once, closing;
    bool umask_known;
    struct cfs_put_learned put;
    bool put_lane_asked;    /* for, by this connection */
    struct cfs_list parked; /* operations that wait for the connection, in their order */
    struct cfs_server_clock server_clock;
    int64_t lost_ms; /* when the connection was lost, by cfs_clock_ms */
    struct cfs_remote_statfs last_statfs;
    bool statfs_known;

    pthread_mutex_t lock;
    pthread_cond_t changed; /* settled, closed */
    /* lock */
    /* [0, lanes_wanted): session 0's; behind them one for each further session; the last: CFS_PUT_LANE, session 0's. */
    struct cfs_lane lanes[CFS_LANES_ALL];
    unsigned sessions;          /* with a lane that is ready */
    struct cfs_list operations; /* in flight, in the order of submission */
    struct cfs_list files;
    size_t in_flight;
    uint64_t open_files;
    struct cfs_remote_file *last_reader; /* the file opened last for reading, while it is open */
    struct cfs_remote_call *starved;     /* calls that found no memory, linked by `implementation` */
    struct cfs_task starved_task;
    bool starved_posted;
    bool statfs_asked; /* by the pool itself */
    bool settled;      /* usable, or failed: see `error` */
    bool closed;
    const char *given_up; /* why; NULL: it was not */
    bool lost;            /* session 0 has ended, and there is no other */
    struct cfs_reconnector again;
    struct cfs_heartbeat heartbeat;
    struct cfs_network network;
    struct cfs_pool_login *login_wanted; /* by whom, until he was told; NULL: by nobody */
    struct cfs_pool_login *login;        /* the same, for the loop's thread, without the lock */
    struct cfs_task login_task, login_cancel_task;
    struct cfs_error error; /* why it could not be opened */
    char last_error[1024];
    int64_t round_trip_ms;                            /* smoothed; -1 unknown */
    uint64_t past_requests, past_sent, past_received; /* of clients that are gone */
};

/* A further handle of a file, on a lane of another session. It counts while its lane is ready and of that generation.
 */
struct cfs_stripe {
    struct cfs_lane *lane;
    unsigned generation;
    struct cfs_sftp_handle handle;
};

/* Reads of a file that wait for its first stripes: see hold.c. */
struct cfs_hold {
    bool is_on;
    bool for_lane;    /* it was, for a lane that was starting: once */
    unsigned unasked; /* stripes that were not asked for yet */
    size_t left;      /* bytes that need not wait */
    struct cfs_timer timer;
};

/* By which a file that is written is known again: see mark.c. */
enum cfs_mark_state {
    CFS_MARK_NONE,
    CFS_MARK_WANTED, /* to be set with the next write by the own handle */
    CFS_MARK_SENT,
    CFS_MARK_SET,
    CFS_MARK_OVER, /* to be taken back with the next such write */
};
struct cfs_mark {
    enum cfs_mark_state state;
    uint32_t atime;
};

/* What is known of a file, to tell whether what is opened by its path is the same: reopen.c. */
struct cfs_file_known {
    struct cfs_remote_attributes attributes; /* as told last by its handle, or when it was opened */
    uint64_t written, asked;                 /* since then: where acknowledged writes end, and where any do */
};

/* An open file. The handle is good while the lane is of that generation; later the file is opened again by PATH and
 * FLAGS, and compared: reopen.c. */
struct cfs_remote_file {
    struct cfs_pool *pool;
    struct cfs_lane *_Atomic lane; /* may be another one when what was submitted for it is begun: operation.c */
    unsigned generation;
    struct cfs_sftp_handle handle;
    struct cfs_reopening *reopening; /* under way; NULL */
    struct cfs_loan *loan;           /* of its mode, that is not given back yet; NULL */
    int stale;                       /* 0; or -errno: it could not be opened again, or is another file */
    struct cfs_file_known known;
    bool is_written;
    int flags;
    struct cfs_gate gate;
    bool size_known;
    uint64_t size; /* as told last: to judge whether a short read is the end */
    struct cfs_stripe stripes[CFS_STRIPES_MAX];
    unsigned stripe_count;
    unsigned stripes_coming;
    uint64_t moved;     /* bytes of large reads and writes */
    uint64_t stripe_at; /* how many of them make it worth to look for stripes */
    bool has_begun;     /* to be written, in large pieces */
    bool not_to_stripe; /* what its path leads to may be another file */
    struct cfs_hold hold;
    struct cfs_mark mark;
    bool own_asked;            /* for this: */
    struct cfs_own_look *own;  /* stripes.c; NULL: was not asked for */
    struct cfs_list undecided; /* openings of stripes that wait for it, or for the mark */
    /* pool->lock */
    struct cfs_list link;
    char *path;     /* absolute; follows renames */
    bool is_gone;   /* we have removed or replaced it under that name */
    bool is_unsure; /* we have changed it by its name, too: nothing is known of its size and time */
};

extern const struct cfs_remote_operations cfs_pool_operations;

static inline struct cfs_pool *cfs_pool_of(struct cfs_remote *remote)
{
    return cfs_container_of(remote, struct cfs_pool, remote);
}

/* Requests may be sent on it. */
static inline bool cfs_lane_is_up(const struct cfs_lane *lane)
{
    return lane->client && !lane->doomed && lane->state == CFS_LANE_READY;
}

/* Smoothed; 0: not known. */
static inline int64_t cfs_pool_round_trip_ms(struct cfs_pool *pool)
{
    pthread_mutex_lock(&pool->lock);
    int64_t round_trip = pool->round_trip_ms;
    pthread_mutex_unlock(&pool->lock);
    return round_trip > 0 ? round_trip : 0;
}

static inline bool cfs_pool_can(const struct cfs_pool *pool, enum cfs_sftp_extension extension)
{
    return pool->extensions & extension;
}

/* --- sessions.c: on the loop's thread --- */

/* Bulk data is moving: begins to open more sessions, where that makes sense. */
void cfs_sessions_want(struct cfs_pool *pool);
/* Whether there are further sessions, or may come. */
bool cfs_sessions_may_be_more(struct cfs_pool *pool);
/* Where the round trip is long, a login cannot wait until data moves: begins it, when session 0 is logged in, and once
 * the pool is usable and its round trip was measured. */
void cfs_sessions_prepare(struct cfs_pool *pool);
/* LENGTH bytes of bulk data were moved. */
void cfs_sessions_moved(struct cfs_pool *pool, size_t length);
/* So many make sense over that round trip (0 or more), where SESSIONS carry RATE bytes a second. Pure. */
unsigned cfs_sessions_enough(int64_t round_trip_ms, uint64_t rate, unsigned sessions);
/* The lane of a further session is ready, or was lost (its client waits to be freed). */
void cfs_session_ready(struct cfs_lane *lane);
void cfs_session_lost(struct cfs_lane *lane, const char *reason);
/* It does not answer any more. */
void cfs_session_stalled(struct cfs_lane *lane);
/* The pool is being closed. */
void cfs_sessions_end(struct cfs_pool *pool);
/* After its client was freed. */
void cfs_session_reaped(struct cfs_lane *lane);

/* --- stripes.c: on the loop's thread --- */

/* LENGTH bytes of bulk data more are to be moved: opens stripes, and more sessions, where that is worth while. */
void cfs_stripes_consider(struct cfs_remote_file *file, size_t length);
bool cfs_stripe_is_up(const struct cfs_stripe *stripe);
/* The lane of a further session is ready: files that are held for it go on. */
void cfs_stripes_lane_ready(struct cfs_pool *pool);
/* The lanes that may carry stripes of FILE: the further sessions', then others of session 0. NULL behind the last. */
struct cfs_lane *cfs_stripes_lane(const struct cfs_remote_file *file, unsigned number);
/* HANDLE leads to the same file: the file's from now on. False: there are enough. */
CFS_CHECKED bool cfs_stripe_adopt(struct cfs_remote_file *file, struct cfs_lane *lane, unsigned generation,
                                  const struct cfs_sftp_handle *handle);
/* Takes a stripe that is up away from FILE, to be closed. False: that one is not. */
CFS_CHECKED bool cfs_stripe_close(struct cfs_remote_file *file, unsigned number, struct cfs_lane **ret_lane,
                                  struct cfs_sftp_handle *ret_handle);
/* The file has its mark now, or does not get it. */
void cfs_stripes_marked(struct cfs_remote_file *file);
/* Closes all, without waiting for it. */
void cfs_stripes_discard(struct cfs_remote_file *file);

/* --- mark.c: on the loop's thread --- */

/* Part of a write: the setting of a mark that goes in front of it. */
struct cfs_marking {
    struct cfs_step step;
    struct cfs_remote_file *file; /* NULL: no answer is waited for */
};

/* FILE is to have a mark: the answer to that is cfs_stripes_marked, unless it has it still. */
void cfs_mark_want(struct cfs_remote_file *file);
/* Nobody looks for it any more. */
void cfs_mark_end(struct cfs_remote_file *file);
/* A write by the own handle is needed to go on. */
bool cfs_mark_needs_write(const struct cfs_remote_file *file);
/* WRITE is going to be sent by the own handle, on whose lane it is; MARKING is part of it. False: WRITE has ended. */
CFS_CHECKED bool cfs_marking_send(struct cfs_marking *marking, struct cfs_operation *write,
                                  struct cfs_remote_file *file);
/* WRITE ends. */
void cfs_marking_end(struct cfs_marking *marking);
bool cfs_mark_is_seen(const struct cfs_remote_file *file, const struct cfs_remote_attributes *attributes);

/* --- beginning.c: on the loop's thread --- */

/* Whether WRITE, of LENGTH bytes, which was about to start, must wait for the file's first stripes: then it will start
 * again. */
CFS_CHECKED bool cfs_beginning_keeps(struct cfs_remote_file *file, struct cfs_operation *write, size_t length);

/* --- spread.c: on the loop's thread --- */

/* Bytes of a read or write under way on a lane. */
struct cfs_part {
    struct cfs_link *link; /* NULL: none are */
    struct cfs_link_transfer transfer;
};

/* Nothing is known of the lane. */
void cfs_spread_init(struct cfs_lane *lane);
/* The lane and the handle for LENGTH bytes of FILE, which are to be moved now, by the lane MUST_TAKE or (NULL) by any.
 * The handle is the file's, good for this turn of the loop. NULL: the file's own lane is lost. */
const struct cfs_sftp_handle *cfs_spread_choose(struct cfs_remote_file *file, enum cfs_direction direction,
                                                size_t length, const struct cfs_lane *must_take,
                                                struct cfs_lane **ret_lane);
void cfs_spread_sent(struct cfs_part *part, struct cfs_lane *lane, enum cfs_direction direction, size_t length);
/* LENGTH bytes were moved, or (not WELL) perhaps none. Nothing happens if none are under way. */
void cfs_spread_done(struct cfs_part *part, struct cfs_lane *lane, size_t length, bool well);

/* --- hold.c: on the loop's thread --- */

/* STRIPES of FILE, of which it has none yet, are going to be asked for. */
void cfs_hold_begin(struct cfs_remote_file *file, unsigned stripes);
/* The lane for the first of them is starting. */
void cfs_hold_begin_for_lane(struct cfs_remote_file *file);
/* One of them was asked for. */
void cfs_hold_asked(struct cfs_remote_file *file);
/* They are there, or will not come; also before FILE is freed. */
void cfs_hold_end(struct cfs_remote_file *file);
/* Whether the read of LENGTH bytes must wait; if not, they are counted. */
CFS_CHECKED bool cfs_hold_keeps(struct cfs_remote_file *file, size_t length);

/* --- lane.c: on the loop's thread, but for choose --- */

/* Opens the channel; what comes of it: cfs_pool_lane_settled or cfs_pool_lane_lost. */
void cfs_lane_start(struct cfs_lane *lane);
/* Frees the client: what is in flight on it ends with -ENOTCONN. */
void cfs_lane_close(struct cfs_lane *lane, enum cfs_lane_state state);
/* Closes a handle that nobody waits for. */
void cfs_lane_discard(struct cfs_lane *lane, const struct cfs_sftp_handle *handle);

/* What a lane is chosen for. */
enum cfs_lane_use { CFS_LANE_FOR_PATHS, CFS_LANE_FOR_READING, CFS_LANE_FOR_WRITING };
/* THE place where lanes are chosen. Any thread; pool->lock is held. Never NULL. */
struct cfs_lane *cfs_pool_choose_lane(struct cfs_pool *pool, enum cfs_lane_use use);

/* --- pool.c: called by lanes, on the loop's thread --- */
void cfs_pool_lane_settled(struct cfs_lane *lane);
/* The lanes but lane 0 that are starting are not waited for any more: as if the server had refused them. */
void cfs_pool_refuse_starting(struct cfs_pool *pool);
/* ERROR is -EPROTO when the server did not keep to the protocol; REASON says how. */
void cfs_pool_lane_lost(struct cfs_lane *lane, int error, const char *reason);

/* pool.c: starts the lanes of session 0, which is new. */
void cfs_pool_start_lanes(struct cfs_pool *pool);
/* The connection is of no use. */
void cfs_pool_drop_connection(struct cfs_pool *pool, const char *reason);

/* --- reconnect.c: on the loop's thread --- */

/* The pool is open. */
void cfs_reconnect_ready(struct cfs_pool *pool);
/* Session 0 is lost, and all lanes are closed. */
void cfs_reconnect_begin(struct cfs_pool *pool);
/* A lane of session 0 was settled, or refused. */
void cfs_reconnect_settled(struct cfs_pool *pool);
/* REASON: what was tried has failed. */
void cfs_reconnect_note(struct cfs_pool *pool, const char *reason);
/* The next attempt is to be at once: the one under way ends, if it is older than a moment. */
void cfs_reconnect_hurry(struct cfs_pool *pool);
/* Somebody wants an attempt now, in whatever state, and may be asked for what it needs (pool->login). */
void cfs_reconnect_log_in(struct cfs_pool *pool);
/* Ends the attempt under way, soon. */
void cfs_reconnect_interrupt(struct cfs_pool *pool);
/* Whether calls wait for the connection (or it is there). */
bool cfs_reconnect_is_awaited(const struct cfs_pool *pool);
/* As the contract says. */
bool cfs_reconnect_is_lost(struct cfs_remote *remote);
bool cfs_reconnect_is_connected(const struct cfs_pool *pool);
/* The pool is being closed. */
void cfs_reconnect_end(struct cfs_pool *pool);

/* --- reopen.c: on the loop's thread --- */

/* FILE's handle may be used. */
bool cfs_file_is_current(const struct cfs_remote_file *file);
/* Opens it again; whoever waits at its gate tries again then. */
void cfs_file_reopen(struct cfs_remote_file *file);
/* Before FILE is freed. */
void cfs_file_forget_reopening(struct cfs_remote_file *file);
/* What was told of it by its handle (or when it was opened). */
void cfs_file_learn(struct cfs_remote_file *file, const struct cfs_remote_attributes *attributes);
/* Bytes up to END are going to be written; were acknowledged; its size is going to be set. */
void cfs_file_writes(struct cfs_remote_file *file, uint64_t end);
void cfs_file_wrote(struct cfs_remote_file *file, uint64_t end);
void cfs_file_truncates(struct cfs_remote_file *file);

/* --- root.c: finds the work folder --- */

/* Prepares pool->search, which is the pool's; before anything has started. -ENOMEM. */
CFS_CHECKED int cfs_root_new(struct cfs_pool *pool, const char *remote_dir);
void cfs_root_free(struct cfs_root_search *search); /* NULL is fine */
/* Whether lane 0 must be ready before it begins, even if its client is eager. */
bool cfs_root_needs_version(const struct cfs_pool *pool);
/* Asks, on lane 0, once; on the loop's thread. */
void cfs_root_begin(struct cfs_pool *pool);
/* The connection was made again: looks whether the work folder is where it was; then cfs_root_found_again. */
void cfs_root_look_again(struct cfs_pool *pool);
/* reconnect.c. REASON: NULL, or why it cannot be used, in a sentence. */
void cfs_root_found_again(struct cfs_pool *pool, const char *reason);
/* Waits for the answer, and fills pool->root and pool->facts: blocking; the pool is settled. */
CFS_CHECKED int cfs_root_wait(struct cfs_pool *pool, struct cfs_error *error);

/* --- the operations, as in remote.h --- */
void cfs_pool_lstat(struct cfs_remote *remote, struct cfs_remote_call *call, const char *path);
void cfs_pool_setattr(struct cfs_remote *remote, struct cfs_remote_call *call, const char *path, mode_t expected_type,
                      const struct cfs_remote_attributes *attributes);
void cfs_pool_readlink(struct cfs_remote *remote, struct cfs_remote_call *call, const char *path);
void cfs_pool_mkdir(struct cfs_remote *remote, struct cfs_remote_call *call, const char *path, mode_t mode);
void cfs_pool_rmdir(struct cfs_remote *remote, struct cfs_remote_call *call, const char *path);
void cfs_pool_unlink(struct cfs_remote *remote, struct cfs_remote_call *call, const char *path);
void cfs_pool_symlink(struct cfs_remote *remote, struct cfs_remote_call *call, const char *target, const char *path);
void cfs_pool_link(struct cfs_remote *remote, struct cfs_remote_call *call, const char *from, const char *to);
void cfs_pool_rename(struct cfs_remote *remote, struct cfs_remote_call *call, const char *from, const char *to,
                     enum cfs_remote_rename how);
void cfs_pool_set_and_rename(struct cfs_remote *remote, struct cfs_remote_call *call, const char *from, const char *to,
                             const struct cfs_remote_attributes *attributes);
void cfs_pool_statfs(struct cfs_remote *remote, struct cfs_remote_call *call);
void cfs_pool_open_file(struct cfs_remote *remote, struct cfs_remote_call *call, const char *path, int flags,
                        mode_t mode);
void cfs_pool_open_known(struct cfs_remote *remote, struct cfs_remote_call *call, const char *path,
                         const struct cfs_remote_attributes *attributes);
void cfs_pool_read(struct cfs_remote *remote, struct cfs_remote_call *call, struct cfs_remote_file *file,
                   uint64_t offset, size_t length, void *destination);
void cfs_pool_write(struct cfs_remote *remote, struct cfs_remote_call *call, struct cfs_remote_file *file,
                    uint64_t offset, size_t length, const void *data);
void cfs_pool_fstat(struct cfs_remote *remote, struct cfs_remote_call *call, struct cfs_remote_file *file);
void cfs_pool_fsetattr(struct cfs_remote *remote, struct cfs_remote_call *call, struct cfs_remote_file *file,
                       const struct cfs_remote_attributes *attributes);
void cfs_pool_flush(struct cfs_remote *remote, struct cfs_remote_call *call, struct cfs_remote_file *file);
void cfs_pool_fsync(struct cfs_remote *remote, struct cfs_remote_call *call, struct cfs_remote_file *file);
void cfs_pool_copy(struct cfs_remote *remote, struct cfs_remote_call *call, struct cfs_remote_file *from,
                   uint64_t from_offset, struct cfs_remote_file *to, uint64_t to_offset, size_t length);
void cfs_pool_close_file(struct cfs_remote *remote, struct cfs_remote_call *call, struct cfs_remote_file *file);
void cfs_pool_open_listing(struct cfs_remote *remote, struct cfs_remote_call *call, const char *path);
void cfs_pool_read_listing(struct cfs_remote *remote, struct cfs_remote_call *call, struct cfs_remote_listing *listing);
void cfs_pool_close_listing(struct cfs_remote *remote, struct cfs_remote_call *call,
                            struct cfs_remote_listing *listing);
void cfs_pool_id_names(struct cfs_remote *remote, struct cfs_remote_call *call, const uint32_t *uids, size_t uid_count,
                       const uint32_t *gids, size_t gid_count);

void cfs_pool_put(struct cfs_remote *remote, struct cfs_remote_call *call, const char *path, int flags, mode_t mode,
                  size_t length, const void *data, const struct cfs_remote_attributes *attributes);

/* ops_file.c: an open with FLAGS, on the wire and to the diagnosis */
uint32_t cfs_open_wire_flags(int flags);
enum cfs_diagnose_operation cfs_open_kind(int flags);

/* attributes of the wire and of the contract (convert.c) */
void cfs_attributes_from_wire(const struct cfs_sftp_attributes *wire, struct cfs_remote_attributes *ret_attributes);
void cfs_attributes_to_wire(const struct cfs_remote_attributes *attributes, struct cfs_sftp_attributes *ret_wire);

/* --- loan.c: on the loop's thread --- */

/* The permissions that FILE, which is as NOW, lacks to be opened again with its flags, and that its mode may get for a
 * moment, since it is our login's. 0: none. */
mode_t cfs_loan_needed(const struct cfs_remote_file *file, const struct cfs_remote_attributes *now);
/* Sends the change of the mode, by lsetstat if BY_LINK, on the lane of BORROWER, which has the path of FILE. What
 * BORROWER sends in this turn stands behind it, and behind that the mode becomes again what it was, even if the
 * connection is lost in between. False: nothing was sent. */
CFS_CHECKED bool cfs_loan_take(struct cfs_remote_file *file, struct cfs_operation *borrower,
                               const struct cfs_remote_attributes *now, mode_t needed, bool by_link);
/* FILE is about to be freed. */
void cfs_loan_forget_file(struct cfs_remote_file *file);

/* file.c: open files of the pool. pool->lock is taken inside. */
struct cfs_remote_file *cfs_file_new(struct cfs_lane *lane, const struct cfs_sftp_handle *handle, const char *path,
                                     int flags);
void cfs_file_free(struct cfs_remote_file *file);
/* A copy of where the file is by now; the caller frees; NULL if memory is short. */
char *cfs_file_path(struct cfs_remote_file *file);
/* Open files at or below FROM are at TO now; what was there is gone. */
void cfs_files_renamed(struct cfs_pool *pool, const char *from, const char *to);
/* What is open under PATH has no name any more. */
void cfs_files_removed(struct cfs_pool *pool, const char *path);
/* What is open under PATH was changed by its name. */
void cfs_files_changed(struct cfs_pool *pool, const char *path);

#endif

/* One call of the contract on its way: an operation on one lane.
 *
 *   QUEUED -> WAITING -> RUNNING -> FINISHED      (WAITING for its turn on a file, or for the connection)
 *                ^----------'                     (the connection was lost)
 *
 * Submitting makes an operation and posts it to the loop. There it passes the gates of the files it uses, then `start`
 * runs. From then on it is driven by steps: requests to the server, each with the function that goes on when the answer
 * has come. cfs_operation_finish ends it, from whatever state, exactly once: it gives up the steps still in flight,
 * opens the gates, and calls the caller's `done`. Who may call it: the last step, the deadline, a cancel (a task on the
 * loop), a lost lane.
 *
 * Memory: referenced by its life, by its posted task and by a posted cancel; freed with the last. After
 * cfs_operation_finish (or anything that may call it: see below) a function returns without touching the operation.
 *
 * A lost connection (park.c): what has sent requests and has no answers goes back to WAITING, its `reset` makes it as
 * before `start`, and it starts again when the pool is connected and the handle of its file is there again. Whether it
 * may, and how, its `replay` says.
 *
 * The deadline: op_timeout without any answer on the lane; answers to others count, since a server works in order, and
 * a slow link that delivers is not a dead one. But never longer than CFS_DEADLINES op_timeouts for one step's wait. */
#ifndef CFS_REMOTE_OPERATION_PRIV_H
#define CFS_REMOTE_OPERATION_PRIV_H

#include "base/list.h"
#include "base/loop.h"
#include "remote/diagnose.h"
#include "remote/remote.h"
#include "sftp/client.h"

enum { CFS_STEPS = 5, CFS_DEADLINES = 20 };

struct cfs_pool;
struct cfs_lane;
struct cfs_operation;

/* A request of an operation. `then` is called only with what the server answered (an error too); when the lane is lost
 * the operation ends without it. */
typedef void cfs_step_function(struct cfs_operation *operation, const struct cfs_sftp_reply *reply);
/* Where one function serves many steps. */
struct cfs_step;
typedef void cfs_part_function(struct cfs_operation *operation, struct cfs_step *step,
                               const struct cfs_sftp_reply *reply);
struct cfs_step {
    struct cfs_sftp_request request;
    struct cfs_operation *operation;
    cfs_step_function *then;
    cfs_part_function *then_part; /* instead of `then` */
    struct cfs_lane *lane;        /* that it was sent on */
    struct cfs_list link;         /* operation->steps while in flight */
};

/* The order of calls on a file: see gate.c. The loop's thread. */
enum cfs_ticket_kind {
    CFS_TICKET_READ,      /* of a range; also what depends on all that was written: fstat, flush, fsync */
    CFS_TICKET_WRITE,     /* of a range; also what changes the whole file: fsetattr */
    CFS_TICKET_ASIDE,     /* needs the file to stay open, nothing else */
    CFS_TICKET_EXCLUSIVE, /* passes alone */
};
struct cfs_gate {
    struct cfs_list tickets; /* in the order of arrival: those that have passed and those that wait */
    unsigned exclusive;      /* how many of them are */
    bool striped;            /* there are handles on several lanes */
};
struct cfs_ticket {
    struct cfs_list link;
    struct cfs_gate *gate; /* NULL: not in use */
    struct cfs_operation *operation;
    enum cfs_ticket_kind kind;
    uint64_t offset, end;             /* the range */
    const struct cfs_lane *home;      /* the only lane that it goes by, the file's own; NULL: any */
    const struct cfs_lane *lane;      /* that it has passed to; NULL: it waits */
    const struct cfs_lane *must_take; /* of a ticket that may pass: the only lane that keeps the order; NULL: any */
};

enum cfs_operation_state {
    CFS_OPERATION_QUEUED,
    CFS_OPERATION_WAITING,
    CFS_OPERATION_RUNNING,
    CFS_OPERATION_FINISHED,
};

/* What happens to an operation that was under way when the connection was lost. Either way it is sent again from its
 * beginning. */
enum cfs_replay {
    CFS_REPLAY_NEVER,     /* it ends with -ENOTCONN: the pool's own, of no use later */
    CFS_REPLAY_FREELY,    /* twice is as good as once */
    CFS_REPLAY_LOOKED_UP, /* if it fails then, the server is asked whether it had been done before: replay.c */
};

struct cfs_operation {
    struct cfs_pool *pool;
    struct cfs_lane *lane;
    struct cfs_remote_call *call;
    void (*start)(struct cfs_operation *operation);
    void (*dispose)(struct cfs_operation *operation); /* frees what it owns besides what is here; may be NULL */
    void (*ending)(struct cfs_operation *operation);  /* just before `done`, however it ended; may be NULL */
    enum cfs_diagnose_operation kind;
    char *path, *other; /* absolute, or NULL */
    struct cfs_remote_result result;
    struct cfs_ticket tickets[2];
    struct cfs_step step[CFS_STEPS];
    struct cfs_probes *probes; /* after a failure: probe.c */
    unsigned setting;          /* enum cfs_remote_attribute: for the diagnosis */
    bool uncancellable;
    bool sends_nothing; /* it needs no connection */
    /* The lane was lost with requests of it under way, and they may be sent again, on another: does so, or ends it.
     * NULL: it ends with -ENOTCONN. */
    void (*reroute)(struct cfs_operation *operation);
    /* A lost connection. `reset` makes what is its own as before `start` (NULL: nothing is to be done). LOOKED_UP:
     * `was_done` goes on from where the request was done, with what was found there in result.attributes (NULL: ends
     * it); `is_ours` says whether what was found is what it would have made (NULL: by owner and time). */
    enum cfs_replay replay;
    void (*reset)(struct cfs_operation *operation);
    void (*was_done)(struct cfs_operation *operation);
    bool (*is_ours)(const struct cfs_operation *operation, const struct cfs_remote_attributes *found);
    const char *target;           /* symlink: its own */
    bool follows_lanes;           /* goes by whichever data lane there is when it is started again */
    bool repeated;                /* requests of it may have been sent by a connection that was lost */
    bool tried_again;             /* it has failed, and nothing explained that */
    unsigned times_lost;          /* how often they were */
    int64_t first_ms;             /* when it was started first, by cfs_clock_ms */
    struct cfs_replay_look *look; /* replay.c */
    /* operation.c's own */
    enum cfs_operation_state state;
    struct cfs_list steps;  /* in flight */
    struct cfs_list parked; /* pool->parked, while it waits for the connection */
    struct cfs_task task, cancel_task;
    struct cfs_timer deadline;
    int64_t submitted_ms, waiting_since_ms;
    size_t bytes; /* counted in the lane's bytes_in_flight */
    int early_error;
    /* pool->lock */
    struct cfs_list link; /* pool->operations */
    unsigned references;
    bool cancel_posted;
};

/* --- submitting: any thread --- */

/* SIZE bytes (at least sizeof(struct cfs_operation), which comes first in them), zeroed. NULL if memory is short: then
 * the call has been taken care of (it will complete with -ENOMEM). */
void *cfs_operation_new(struct cfs_pool *pool, struct cfs_remote_call *call, size_t size,
                        enum cfs_diagnose_operation kind, void (*start)(struct cfs_operation *operation));
/* Sets the absolute path (the second one) from a relative one. An error is kept: the operation will end with it. */
void cfs_operation_set_path(struct cfs_operation *operation, const char *relative);
void cfs_operation_set_other(struct cfs_operation *operation, const char *relative);
/* An error found while submitting: the operation will end with it, without starting. */
void cfs_operation_set_error(struct cfs_operation *operation, int error);
/* The file it uses (twice for copy), all of it, by the file's own lane. */
void cfs_operation_use_file(struct cfs_operation *operation, struct cfs_remote_file *file, enum cfs_ticket_kind kind);
/* [OFFSET, OFFSET + LENGTH) of it, to be read or written. */
void cfs_operation_use_range(struct cfs_operation *operation, struct cfs_remote_file *file, enum cfs_ticket_kind kind,
                             uint64_t offset, uint64_t length);
/* To LANE, as BYTES in flight. The operation is the loop's from now on. */
void cfs_operation_submit(struct cfs_operation *operation, struct cfs_lane *lane, size_t bytes);
/* The same on the metadata lane. */
void cfs_operation_submit_path(struct cfs_operation *operation);
void cfs_operation_cancel(struct cfs_remote *remote, struct cfs_remote_call *call);
/* An operation of the pool's own takes its place at the gates now, on the loop's thread, before it is submitted: the
 * caller's close of the file may have been posted already, and must not pass it. */
void cfs_operation_enter(struct cfs_operation *operation);
/* The same, in front of TICKET, which waits at the same gate. */
void cfs_operation_enter_before(struct cfs_operation *operation, struct cfs_ticket *ticket);

/* --- running: the loop's thread --- */

struct cfs_sftp_client *cfs_operation_client(const struct cfs_operation *operation);
/* Prepares a step for a request. */
struct cfs_sftp_request *cfs_step_arm(struct cfs_step *step, struct cfs_operation *operation, cfs_step_function *then);
struct cfs_sftp_request *cfs_step_arm_part(struct cfs_step *step, struct cfs_operation *operation,
                                           cfs_part_function *then);
/* The next step goes by another lane than the operation's. */
struct cfs_sftp_request *cfs_step_arm_on(struct cfs_step *step, struct cfs_operation *operation, struct cfs_lane *lane,
                                         cfs_part_function *then);
/* What is sent from now on goes by LANE. */
void cfs_operation_take_lane(struct cfs_operation *operation, struct cfs_lane *lane);
/* A request on lane 0 was answered at once, as it seems: TOOK is a round trip. */
void cfs_pool_measured(struct cfs_pool *pool, int64_t took_ms);
/* What came of sending: true when it is in flight. False: the operation has been finished with the error. */
CFS_CHECKED bool cfs_step_sent(struct cfs_step *step, int error);
/* Waits for no step any more: their answers are dropped. */
void cfs_operation_give_up_steps(struct cfs_operation *operation);
/* Restarts the deadline: an operation of many round trips calls it for each. */
void cfs_operation_made_progress(struct cfs_operation *operation);
/* It has sent nothing yet, and waits at its gate again; `start` will run when cfs_operations_try lets it. */
void cfs_operation_wait(struct cfs_operation *operation);
/* Whoever waits at GATE tries again. */
void cfs_operations_try(struct cfs_gate *gate);
/* It tries, if it waits. */
void cfs_operation_try(struct cfs_operation *operation);
/* Its requests are lost with their connection: it waits for another one, or ends with -ENOTCONN. */
void cfs_operation_lost(struct cfs_operation *operation);

/* Ends it. ERROR 0 hands operation->result over. */
void cfs_operation_finish(struct cfs_operation *operation, int error);
/* Ends it with what the reply says: success, or the errno that the diagnosis finds (perhaps after probes). */
void cfs_operation_finish_reply(struct cfs_operation *operation, const struct cfs_sftp_reply *reply);
/* As the latter, for an error whose status is known. */
void cfs_operation_diagnose(struct cfs_operation *operation, uint32_t status);

/* gate.c */
void cfs_gate_init(struct cfs_gate *gate);
void cfs_gate_enter(struct cfs_ticket *ticket);
/* Also finds the lane that it must take. */
bool cfs_gate_may_pass(struct cfs_ticket *ticket);
/* Takes the ticket back; calls PASSED for each ticket whose turn may have come. */
void cfs_gate_leave(struct cfs_ticket *ticket, void (*passed)(struct cfs_operation *operation));

/* --- park.c --- */

/* Whether OPERATION, whose turn has come, must wait for the connection or for the handle of a file: it will be tried
 * again then. */
CFS_CHECKED bool cfs_park_keeps(struct cfs_operation *operation);
/* It waits for the connection. False: it is not to be waited for. */
CFS_CHECKED bool cfs_park(struct cfs_operation *operation);
/* What waits for the connection tries again; what may not wait any more ends. */
void cfs_park_release(struct cfs_pool *pool);

/* replay.c: OPERATION was sent again and has failed with STATUS. True: it is looked whether it had been done before,
 * and it goes on from there; or ends by cfs_operation_diagnose. */
CFS_CHECKED bool cfs_replay_looks(struct cfs_operation *operation, uint32_t status);
/* Something was made for it on the server, at MTIME by the clock there. */
void cfs_operation_learn_clock(struct cfs_operation *operation, int64_t mtime);
/* FOUND is our login's, and was made or changed in the seconds in which OPERATION's request may have been worked off.
 */
bool cfs_replay_is_of_that_time(const struct cfs_operation *operation, const struct cfs_remote_attributes *found);

/* It has failed, and what explains that was not found: what was in the way, a full disk, may have gone before we
 * looked. Whether it has been started once more. */
CFS_CHECKED bool cfs_operation_tries_again(struct cfs_operation *operation);

/* ops_statfs.c. The loop's thread. True: OPERATION is a statfs, and has been finished with what the server told last. */
CFS_CHECKED bool cfs_statfs_ends_from_memory(struct cfs_operation *operation);

/* probe.c: answers `operation` with a diagnosed error after looking. */
void cfs_probe_start(struct cfs_operation *operation, const struct cfs_diagnose_question *question, unsigned probes);

#endif

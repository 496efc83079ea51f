/* A request at work. An operation is a struct that begins with a `struct cfs_step`, and a handful of
 * functions: each does a piece, hands one call to the remote (or waits for a turn, a claim, names of ids) and names
 * the function that goes on. A step is one program's; its functions never run at the same time, but on any thread:
 * that of the caller, of the remote, of another step that made way, or the file system's own.
 *
 * Life: cfs_step_new; then any number of cfs_step_call, cfs_claim_take, cfs_turn_take, each the last thing a
 * function does; then cfs_step_reply, exactly once, which frees the step.
 *
 * Interrupts: cancel the call in flight, or end the waiting, with -EINTR. A step that has done what cannot be undone
 * shields itself first. */
#ifndef CFS_FS_STEP_H
#define CFS_FS_STEP_H

#include "fs/claim.h"
#include "fs/fs.h"
#include "fs/node.h"
#include <pthread.h>

typedef void cfs_step_function(struct cfs_step *step, int error);

struct cfs_step {
    struct cfs_fs *fs;
    struct cfs_request *request;
    void (*release)(struct cfs_step *step); /* gives back what the operation holds; before the reply; may be NULL */
    struct cfs_remote_call call;
    enum cfs_remote_when_lost when_lost; /* of its calls */
    struct cfs_claim claim;
    cfs_step_function *then;
    struct cfs_asking *asking;     /* attributes.c */
    struct cfs_identity *identity; /* identity.c */

    bool in_flight, shielded; /* under the request's stripe */
    bool interrupted;         /* under the stripe and the file system's lock */

    struct cfs_list waiting; /* the file system's lock: in a queue, among those ready, or with the worker */
    bool waits;              /* in a queue: may be taken out */
    int outcome;             /* when ready: what `then` is told */
};

/* SIZE bytes of zeros that begin with a step. Without memory the request is answered with -ENOMEM: NULL. */
CFS_CHECKED void *cfs_step_new(struct cfs_fs *fs, struct cfs_request *request, size_t size,
                               void (*release)(struct cfs_step *step));
/* What its calls tell is shown to a program: with offline = read, what was known last will do without a connection. */
void cfs_step_may_be_old(struct cfs_step *step);
/* Answers; the step is gone, and the file system may be. Not under any lock. */
void cfs_step_reply(struct cfs_step *step, int error);
/* For what is answered without a step. */
void cfs_request_reply(struct cfs_fs *fs, struct cfs_request *request, int error);

/* Interrupts no longer reach the step; those that came before no longer count. */
void cfs_step_shield(struct cfs_step *step);
/* They do again. */
void cfs_step_unshield(struct cfs_step *step);

/* Hands a call to the remote: cfs_step_call(step, then, lstat, path). THEN runs when it is done, with its error; at
 * once with -EINTR if the request was interrupted before. */
#define cfs_step_call(step, then, operation, ...)                                                                      \
    do {                                                                                                               \
        struct cfs_remote *cfs_remote = (step)->fs->remote;                                                            \
        struct cfs_remote_call *cfs_call = &(step)->call;                                                              \
        pthread_mutex_t *cfs_stripe = cfs_step_begin_call((step), (then));                                             \
        if (cfs_stripe) {                                                                                              \
            cfs_remote->operations->operation(cfs_remote, cfs_call, ##__VA_ARGS__);                                    \
            pthread_mutex_unlock(cfs_stripe);                                                                          \
        }                                                                                                              \
    } while (0)
pthread_mutex_t *cfs_step_begin_call(struct cfs_step *step, cfs_step_function *then);

/* Takes a turn; THEN is told 0, or -EINTR and it has none. */
void cfs_turn_take(struct cfs_step *step, struct cfs_turn *turn, cfs_step_function *then);
void cfs_turn_give(struct cfs_fs *fs, struct cfs_turn *turn);

/* --- for claim.c and others that make steps wait; under the lock --- */

/* Puts the step at the end of QUEUE; false if it was interrupted. */
CFS_CHECKED bool cfs_step_wait(struct cfs_step *step, struct cfs_list *queue, cfs_step_function *then);
/* Takes it out of its queue: `then` will be told 0. */
void cfs_step_ready(struct cfs_step *step);

/* Lets the lock go and runs those that are ready, unless another thread is at it. */
void cfs_step_unlock_and_run(struct cfs_fs *fs);

/* --- without the lock --- */

/* Goes on with THEN on the file system's own thread, which may wait for local things (the user database). */
void cfs_step_run_on_worker(struct cfs_step *step, cfs_step_function *then);

/* The file system's own thread. */
CFS_CHECKED int cfs_worker_start(struct cfs_fs *fs);
void cfs_worker_stop(struct cfs_fs *fs);

#endif

/* A call on its way through the cache. Each call of the file system's (the upper call) gets a struct that begins with a
 * `struct cfs_cache_call`; calls of the cache's own (a listing fetched ahead, a block, a write-back) have one without
 * an upper call.
 *
 * Life: cfs_cache_call_new; then any number of cfs_cache_call_submit (each continues in its `finished`),
 * cfs_cache_call_post and cfs_cache_call_park, each the last thing a function does with the call; then
 * cfs_cache_call_finish or cfs_cache_call_finish_later, exactly once, which ends its life. A call's functions never run
 * at the same time, but on any thread.
 *
 * Locks: each upper call has a stripe, a mutex that stands between its completion and its cancellation. The functions
 * below take it, but for cfs_cache_call_finish_later and cfs_cache_call_post: no others may be called under a lock of
 * the cache's rooms (names, blocks, ...), nor two stripes be held. Order: stripe, then a room's lock, then the loop's;
 * stripe, then the locks of the remote below. */
#ifndef CFS_CACHE_CALL_H
#define CFS_CACHE_CALL_H

#include "base/loop.h"
#include "remote/remote.h"
#include <pthread.h>

struct cfs_cache;

struct cfs_cache_call {
    struct cfs_cache *cache;
    struct cfs_remote_call *upper; /* whom to answer; NULL: the cache's own call */
    struct cfs_remote_call lower;  /* handed to the remote below; its outcome in `finished`. As patient as `upper` */

    /* Under the call's lock (its stripe). */
    bool cancelled;
    void (*cancel_wait)(struct cfs_cache_call *call);

    /* call.c's own */
    void (*finished)(struct cfs_cache_call *call);
    void (*release)(struct cfs_cache_call *call);
    struct cfs_task task;
    int error;
    bool allocated;
    bool in_lower; /* under the stripe */
    pthread_mutex_t *stripe;
};

/* SIZE bytes of zeros that begin with a call, in answer to UPPER (NULL: the cache's own). RELEASE (may be NULL) gives
 * back what the struct holds, when the upper call's `done` has returned. NULL without memory: UPPER will be told
 * -ENOMEM, and the caller has no more to do with it. */
CFS_CHECKED void *cfs_cache_call_new(struct cfs_cache *cache, struct cfs_remote_call *upper, size_t size,
                                     void (*release)(struct cfs_cache_call *call));

/* The same for a call that is part of something else, and cannot fail: RELEASE frees what it is part of. */
void cfs_cache_call_init(struct cfs_cache_call *call, struct cfs_cache *cache, struct cfs_remote_call *upper,
                         void (*release)(struct cfs_cache_call *call));

/* Hands a call to the remote below: cfs_cache_call_submit(call, then, lstat, path). THEN runs on a thread of the
 * remote's when it is done; `call->lower` has the outcome. A call that was cancelled is cancelled below as soon as it
 * was handed down. */
#define cfs_cache_call_submit(call, then, operation, ...)                                                              \
    cfs_cache_call_submit_to(call, (call)->cache->lower, then, operation, ##__VA_ARGS__)
/* The same by another face of it. */
#define cfs_cache_call_submit_to(call, face, then, operation, ...)                                                     \
    do {                                                                                                               \
        struct cfs_cache_call *cfs_call = (call);                                                                      \
        struct cfs_remote *cfs_lower = (face);                                                                         \
        cfs_cache_call_begin(cfs_call, (then));                                                                        \
        pthread_mutex_t *cfs_stripe = cfs_call->stripe;                                                                \
        cfs_lower->operations->operation(cfs_lower, &cfs_call->lower, ##__VA_ARGS__);                                  \
        cfs_cache_call_handed_down(cfs_call);                                                                          \
        pthread_mutex_unlock(cfs_stripe);                                                                              \
    } while (0)
void cfs_cache_call_begin(struct cfs_cache_call *call, void (*finished)(struct cfs_cache_call *call));
void cfs_cache_call_handed_down(struct cfs_cache_call *call);

/* Goes on with THEN on the cache's thread. */
void cfs_cache_call_post(struct cfs_cache_call *call, void (*then)(struct cfs_cache_call *call));

/* The upper call completes, now, on this thread, with what stands in `call->upper->result`; the call is gone. Not while
 * the upper call is being submitted: there, use the next one. No lock may be held. */
void cfs_cache_call_finish(struct cfs_cache_call *call, int error);
/* The same when the submitting call has returned: on this thread if it does such things (base/later.h), else on the
 * cache's. For answers from memory. */
void cfs_cache_call_finish_later(struct cfs_cache_call *call, int error);
/* As the remote below answered: copies the whole result. A `finished` for calls that are merely passed on. */
void cfs_cache_call_pass(struct cfs_cache_call *call);
/* Defines pass_NAME, a function that passes an operation on; in a file that has cache_priv.h. */
#define CFS_CACHE_PASS(name, parameters, ...)                                                                          \
    static void pass_##name parameters                                                                                 \
    {                                                                                                                  \
        struct cfs_cache_call *call = cfs_cache_call_new(cfs_cache_of(remote), upper, sizeof(*call), NULL);            \
        if (call)                                                                                                      \
            cfs_cache_call_submit(call, cfs_cache_call_pass, name, ##__VA_ARGS__);                                     \
    }

/* Waiting in a queue of a room's: lock the call, then the room; if `call->cancelled`, end it with -EINTR; else queue it
 * and set `call->cancel_wait`; unlock both. Whoever takes it out of the queue (under the room's lock alone) goes on
 * with it. CANCEL_WAIT is called under the call's lock, perhaps after that: it takes the room's lock, and only if the
 * call is still in the queue takes it out and ends it, with cfs_cache_call_finish_later. */
void cfs_cache_call_lock(struct cfs_cache_call *call);
void cfs_cache_call_unlock(struct cfs_cache_call *call);

/* The part of a cache that this file works on: for a `struct cfs_cache` of zeros with `lower` and `loop`. */
void cfs_cache_calls_init(struct cfs_cache *cache);
/* Waits until no call lives. */
void cfs_cache_calls_wait(struct cfs_cache *cache);
void cfs_cache_calls_fini(struct cfs_cache *cache);

/* cfs_remote_operations.cancel */
void cfs_cache_cancel(struct cfs_remote *remote, struct cfs_remote_call *upper);

#endif

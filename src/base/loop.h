/* An event loop: descriptors (epoll), timers, and tasks posted from other threads. One thread runs a loop;
 * everything but cfs_loop_post, cfs_loop_stop and cfs_loop_is_own_thread is called on that thread (or before it
 * starts).
 *
 * A task that was posted is always run exactly once, as long as the loop is run until it stops: cfs_loop_run drains the
 * queue a last time before it returns, with what those tasks post, and cfs_loop_post after that fails. A loop that has
 * stopped is not run again. */
#ifndef CFS_BASE_LOOP_H
#define CFS_BASE_LOOP_H

#include "base/cleanup.h"
#include "base/clock.h"
#include "base/list.h"
#include <stdbool.h>
#include <stdint.h>

struct cfs_loop;

/* NULL if the machine has no descriptors or memory left. */
struct cfs_loop *cfs_loop_new(void);
/* The same with timers by another clock, for tests: CLOCK must outlive the loop. Such a loop does not wait for its
 * timers, it looks at them in each turn: whoever turns the clock calls cfs_loop_run_once or cfs_loop_wake. */
struct cfs_loop *cfs_loop_new_with_clock(const struct cfs_clock *clock);
/* The loop must not be running; watches and timers left in it are dropped, tasks still queued are run. NULL is fine. */
void cfs_loop_free(struct cfs_loop *loop);
CFS_DEFINE_CLEANUP(struct cfs_loop, cfs_loop_free)

/* Runs until cfs_loop_stop. */
void cfs_loop_run(struct cfs_loop *loop);
/* Runs what is ready and returns; waits up to WAIT_MS (0 not at all, -1 without end). For tests and for connect. */
void cfs_loop_run_once(struct cfs_loop *loop, int wait_ms);
/* Any thread, a signal handler not. */
void cfs_loop_stop(struct cfs_loop *loop);
/* True on the thread that runs (or ran last) the loop; false everywhere before it was first run. Any thread. */
bool cfs_loop_is_own_thread(const struct cfs_loop *loop);

/* A task: embedded in what it works on. Initialise with {0} and `run`. Reusable (and may be freed) once it has started to
 * run; posting one that is queued changes nothing: it runs once. */
struct cfs_task {
    void (*run)(struct cfs_task *task);
    struct cfs_list link;
};
/* Queues TASK; any thread. Tasks run in the order in which they were posted. -ESHUTDOWN when the loop has stopped: then
 * the task is not queued. */
CFS_CHECKED int cfs_loop_post(struct cfs_loop *loop, struct cfs_task *task);
/* A wake-up for pollers outside: makes the loop turn once. Any thread. */
void cfs_loop_wake(struct cfs_loop *loop);

/* A descriptor under watch. Initialise with {0}; the descriptor stays the owner's. */
struct cfs_watch {
    int fd;
    uint32_t events; /* EPOLLIN, EPOLLOUT; level-triggered */
    void (*ready)(struct cfs_watch *watch, uint32_t events);
    bool active;
};
/* Starts watching, or changes the events. -errno of epoll_ctl(2). */
CFS_CHECKED int cfs_loop_watch(struct cfs_loop *loop, struct cfs_watch *watch, uint32_t events);
/* Does nothing if it is not active. `ready` is not called afterwards, not even for events that have already been
 * collected in this turn. Call it before closing the descriptor. */
void cfs_loop_unwatch(struct cfs_loop *loop, struct cfs_watch *watch);

/* A timer, one shot. Initialise with {0}. */
struct cfs_timer {
    void (*expired)(struct cfs_timer *timer);
    int64_t at_ms;
    bool active;
    /* the loop's own (timer_heap.h) */
    uint64_t sequence;
    struct cfs_timer *child, *next, *previous;
};
/* (Re)starts the timer; it expires once, DELAY_MS from now (the time that the machine sleeps counts). Timers of one
 * millisecond expire in the order in which they were started. Stop a timer before its memory goes. */
void cfs_loop_start_timer(struct cfs_loop *loop, struct cfs_timer *timer, int64_t delay_ms);
void cfs_loop_stop_timer(struct cfs_loop *loop, struct cfs_timer *timer);

/* Milliseconds, monotonic: the time at which this turn of the loop began. */
int64_t cfs_loop_now_ms(const struct cfs_loop *loop);

#endif

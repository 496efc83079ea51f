/* The event loop. A turn collects what is ready (epoll), calls the watches, runs tasks, in a few rounds of those that
 * were queued when the round began, and expires timers: an answer that has arrived is thus seen before its deadline is.
 *
 * Other threads reach the loop through the queue, under `lock`, and an eventfd; it is written once until the loop has
 * seen it, and with the lock held, so that a loop is not freed between the post and the write. It is never read: each
 * write is an edge (EPOLLET), and the counter holds more of them than there will be. Time limits are kept by
 * a timerfd and not by the timeout of epoll_wait(2), which stands still while the machine sleeps. It is armed for the
 * earliest timer and left alone while that one is only stopped or put off: a turn for nothing is cheaper than a
 * system call for each request.
 *
 * What must always hold: whatever a callback does (unwatching or freeing watches and timers that are due, starting new
 * ones, posting), nothing is called afterwards that it took away. */
#include "base/loop.h"
#include "base/doing.h"

#include "base/timer_heap.h"
#include <errno.h>
#include <pthread.h>
#include <stdatomic.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/timerfd.h>

enum {
    EVENTS_A_TURN = 64,
    /* A task's work is often to post the next one: so many of them are done before the loop looks at its descriptors.
     */
    ROUNDS_A_TURN = 4,
};

/* What one epoll_wait collected. Turns may nest (cfs_loop_run_once within a callback). */
struct turn {
    struct epoll_event events[EVENTS_A_TURN];
    int count;
    struct turn *outer;
};

struct cfs_loop {
    int epoll_fd, wake_fd, timer_fd;
    const struct cfs_clock *clock;
    atomic_uint_fast64_t owner; /* the thread that runs or ran the loop, see own_number; written under `lock` */
    atomic_bool stopping;

    /* the loop's thread */
    int64_t now_ms;
    struct cfs_timer_heap timers;
    int64_t armed_ms; /* the timerfd's time; INT64_MAX if it is not armed */
    struct turn *turn;

    pthread_mutex_t lock;
    struct cfs_list queue; /* lock */
    size_t queued;         /* lock; the queue's length */
    bool woken;            /* lock; the eventfd has been written, and the loop has not yet seen it */
    bool closed;           /* lock; no more tasks */
};

/* A number of the calling thread, never 0 and never used again: a pthread_t may be. */
static uint64_t own_number(void)
{
    static atomic_uint_fast64_t last;
    static _Thread_local uint64_t number;
    if (number == 0)
        number = atomic_fetch_add(&last, 1) + 1;
    return number;
}

/* --- making and freeing --- */

static int add_own_descriptor(struct cfs_loop *loop, int *fd, uint32_t events)
{
    struct epoll_event event = {.events = events, .data.ptr = fd};
    return *fd < 0 ? -1 : epoll_ctl(loop->epoll_fd, EPOLL_CTL_ADD, *fd, &event);
}

static void close_descriptors(const struct cfs_loop *loop)
{
    const int fds[] = {loop->epoll_fd, loop->wake_fd, loop->timer_fd};
    for (size_t i = 0; i < CFS_COUNT(fds); i++) {
        if (fds[i] >= 0)
            close(fds[i]);
    }
}

struct cfs_loop *cfs_loop_new(void)
{
    return cfs_loop_new_with_clock(&cfs_system_clock);
}

struct cfs_loop *cfs_loop_new_with_clock(const struct cfs_clock *clock)
{
    struct cfs_loop *loop = calloc(1, sizeof(*loop));
    if (!loop)
        return NULL;
    loop->clock = clock;
    loop->armed_ms = INT64_MAX;
    loop->now_ms = cfs_clock_ms(clock);
    cfs_list_init(&loop->queue);
    loop->epoll_fd = epoll_create1(EPOLL_CLOEXEC);
    loop->wake_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    loop->timer_fd = timerfd_create(CLOCK_BOOTTIME, TFD_CLOEXEC | TFD_NONBLOCK);
    if (loop->epoll_fd < 0 || add_own_descriptor(loop, &loop->wake_fd, EPOLLIN | EPOLLET) < 0 ||
        add_own_descriptor(loop, &loop->timer_fd, EPOLLIN) < 0 || pthread_mutex_init(&loop->lock, NULL) != 0) {
        close_descriptors(loop);
        free(loop);
        return NULL;
    }
    return loop;
}

/* --- tasks and the other threads --- */

static void wake_locked(struct cfs_loop *loop)
{
    if (loop->woken)
        return;
    loop->woken = true;
    uint64_t one = 1;
    ssize_t written = write(loop->wake_fd, &one, sizeof(one)); /* cannot fail: see above */
    (void)written;
}

static void see_wake(struct cfs_loop *loop)
{
    pthread_mutex_lock(&loop->lock);
    loop->woken = false;
    pthread_mutex_unlock(&loop->lock);
}

int cfs_loop_post(struct cfs_loop *loop, struct cfs_task *task)
{
    int rc = 0;
    pthread_mutex_lock(&loop->lock);
    bool is_queued = task->link.next && task->link.next != &task->link;
    if (loop->closed) {
        rc = -ESHUTDOWN;
    } else if (!is_queued) {
        cfs_list_push_back(&loop->queue, &task->link);
        loop->queued++;
        /* The loop's own thread looks at the queue before it waits. */
        if (!cfs_loop_is_own_thread(loop))
            wake_locked(loop);
    }
    pthread_mutex_unlock(&loop->lock);
    return rc;
}

void cfs_loop_wake(struct cfs_loop *loop)
{
    pthread_mutex_lock(&loop->lock);
    wake_locked(loop);
    pthread_mutex_unlock(&loop->lock);
}

void cfs_loop_stop(struct cfs_loop *loop)
{
    pthread_mutex_lock(&loop->lock);
    atomic_store(&loop->stopping, true);
    wake_locked(loop);
    pthread_mutex_unlock(&loop->lock);
}

bool cfs_loop_is_own_thread(const struct cfs_loop *loop)
{
    return atomic_load(&loop->owner) == own_number();
}

/* Takes the first task out of the queue; NULL if there is none. */
static struct cfs_task *take_task_locked(struct cfs_loop *loop)
{
    struct cfs_list *link = cfs_list_pop_front(&loop->queue);
    if (!link)
        return NULL;
    loop->queued--;
    return cfs_container_of(link, struct cfs_task, link);
}

/* One at a time, and no more than there are now. */
static void run_round_locked(struct cfs_loop *loop)
{
    for (size_t left = loop->queued; left > 0; left--) {
        struct cfs_task *task = take_task_locked(loop);
        if (!task)
            return;
        pthread_mutex_unlock(&loop->lock);
        task->run(task);
        pthread_mutex_lock(&loop->lock);
    }
}

/* A task that posts itself does not keep the loop from its descriptors. */
static void run_tasks(struct cfs_loop *loop)
{
    pthread_mutex_lock(&loop->lock);
    for (int round = 0; round < ROUNDS_A_TURN && loop->queued > 0; round++)
        run_round_locked(loop);
    pthread_mutex_unlock(&loop->lock);
}

/* Runs tasks until there are none, those too that are posted meanwhile; from then on, no more are taken. */
static void drain_tasks(struct cfs_loop *loop)
{
    struct cfs_task *task;
    pthread_mutex_lock(&loop->lock);
    while ((task = take_task_locked(loop))) {
        pthread_mutex_unlock(&loop->lock);
        task->run(task);
        pthread_mutex_lock(&loop->lock);
    }
    loop->closed = true;
    pthread_mutex_unlock(&loop->lock);
}

/* --- watches --- */

int cfs_loop_watch(struct cfs_loop *loop, struct cfs_watch *watch, uint32_t events)
{
    struct epoll_event event = {.events = events, .data.ptr = watch};
    if (epoll_ctl(loop->epoll_fd, watch->active ? EPOLL_CTL_MOD : EPOLL_CTL_ADD, watch->fd, &event) < 0)
        return -errno;
    watch->events = events;
    watch->active = true;
    return 0;
}

void cfs_loop_unwatch(struct cfs_loop *loop, struct cfs_watch *watch)
{
    if (!watch->active)
        return;
    epoll_ctl(loop->epoll_fd, EPOLL_CTL_DEL, watch->fd, NULL);
    watch->active = false;
    for (struct turn *turn = loop->turn; turn; turn = turn->outer) {
        for (int i = 0; i < turn->count; i++) {
            if (turn->events[i].data.ptr == watch)
                turn->events[i].data.ptr = NULL;
        }
    }
}

/* --- timers --- */

static void arm(struct cfs_loop *loop)
{
    const struct cfs_timer *first = loop->timers.first;
    if (!first || first->at_ms >= loop->armed_ms || loop->clock != &cfs_system_clock)
        return;
    struct itimerspec at = {.it_value = {first->at_ms / 1000, first->at_ms % 1000 * 1000000}};
    if (first->at_ms <= 0)
        at.it_value = (struct timespec){0, 1}; /* zero would disarm */
    if (timerfd_settime(loop->timer_fd, TFD_TIMER_ABSTIME, &at, NULL) == 0)
        loop->armed_ms = first->at_ms;
}

static void see_timer(struct cfs_loop *loop)
{
    uint64_t count;
    if (read(loop->timer_fd, &count, sizeof(count)) > 0)
        loop->armed_ms = INT64_MAX;
}

void cfs_loop_start_timer(struct cfs_loop *loop, struct cfs_timer *timer, int64_t delay_ms)
{
    cfs_loop_stop_timer(loop, timer);
    /* From now on, not from the turn's beginning: a callback before may have taken long. */
    int64_t now_ms = cfs_clock_ms(loop->clock);
    if (delay_ms < 0)
        delay_ms = 0;
    timer->at_ms = delay_ms > INT64_MAX - 1 - now_ms ? INT64_MAX - 1 : now_ms + delay_ms;
    timer->active = true;
    cfs_timer_heap_insert(&loop->timers, timer);
}

void cfs_loop_stop_timer(struct cfs_loop *loop, struct cfs_timer *timer)
{
    if (!timer->active)
        return;
    timer->active = false;
    cfs_timer_heap_remove(&loop->timers, timer);
}

/* Those that are due now; one that is started meanwhile waits for the next turn, even without a delay. */
static void expire_timers(struct cfs_loop *loop)
{
    uint64_t limit = loop->timers.next_sequence;
    for (struct cfs_timer *timer; (timer = loop->timers.first);) {
        if (timer->at_ms > loop->now_ms || timer->sequence >= limit)
            return;
        cfs_loop_stop_timer(loop, timer);
        timer->expired(timer);
    }
}

int64_t cfs_loop_now_ms(const struct cfs_loop *loop)
{
    return loop->now_ms;
}

/* --- turns --- */

/* Makes the calling thread the loop's; tells if tasks are waiting. */
static bool begin_turn(struct cfs_loop *loop)
{
    pthread_mutex_lock(&loop->lock);
    atomic_store(&loop->owner, own_number());
    bool tasks = loop->queued > 0;
    pthread_mutex_unlock(&loop->lock);
    return tasks;
}

static void dispatch(struct cfs_loop *loop, struct turn *turn)
{
    for (int i = 0; i < turn->count; i++) {
        void *what = turn->events[i].data.ptr;
        if (what == &loop->wake_fd) {
            see_wake(loop);
        } else if (what == &loop->timer_fd) {
            see_timer(loop);
        } else if (what) {
            struct cfs_watch *watch = what;
            watch->ready(watch, turn->events[i].events);
        }
    }
}

void cfs_loop_run_once(struct cfs_loop *loop, int wait_ms)
{
    struct turn turn = {.outer = loop->turn};
    if (begin_turn(loop))
        wait_ms = 0;
    arm(loop);
    cfs_doing(NULL);
    int count = epoll_wait(loop->epoll_fd, turn.events, EVENTS_A_TURN, wait_ms);
    turn.count = count > 0 ? count : 0;
    loop->turn = &turn;
    loop->now_ms = cfs_clock_ms(loop->clock);
    cfs_doing("events");
    dispatch(loop, &turn);
    loop->turn = turn.outer;
    cfs_doing("tasks");
    run_tasks(loop);
    cfs_doing("timers");
    expire_timers(loop);
}

void cfs_loop_run(struct cfs_loop *loop)
{
    begin_turn(loop);
    while (!atomic_load(&loop->stopping))
        cfs_loop_run_once(loop, -1);
    drain_tasks(loop);
}

void cfs_loop_free(struct cfs_loop *loop)
{
    if (!loop)
        return;
    drain_tasks(loop);
    pthread_mutex_destroy(&loop->lock);
    close_descriptors(loop);
    free(loop);
}

/* The locks of a step. A request's stripe (one of a few mutexes, by its address) is held while a call is handed to the
 * remote, so that a cancel never meets a call that is half handed over or already over. Order: a stripe, then the file
 * system's lock, or the remote's locks. No lock is held while a step's function or a reply runs. */
#include "fs/step.h"

#include "base/doing.h"
#include "base/thread.h"
#include "fs/fs_priv.h"
#include <errno.h>
#include <stdlib.h>

static pthread_mutex_t *stripe_of(struct cfs_fs *fs, const struct cfs_request *request)
{
    return &fs->stripes[((uintptr_t)request >> 6) % CFS_STRIPES];
}

static void count_request(struct cfs_fs *fs)
{
    atomic_fetch_add(&fs->counts.requests, 1);
    atomic_fetch_add(&fs->counts.requests_in_flight, 1);
}

/* Everything that touches the file system comes before the reply: it may be the last. */
static void count_reply(struct cfs_fs *fs, int error)
{
    if (error)
        atomic_fetch_add(&fs->counts.errors, 1);
    atomic_fetch_sub(&fs->counts.requests_in_flight, 1);
}

void cfs_request_reply(struct cfs_fs *fs, struct cfs_request *request, int error)
{
    count_request(fs);
    count_reply(fs, error);
    request->steps = NULL;
    request->error = error;
    request->reply(request);
}

void *cfs_step_new(struct cfs_fs *fs, struct cfs_request *request, size_t size, void (*release)(struct cfs_step *step))
{
    struct cfs_step *step = calloc(1, size);
    if (!step) {
        cfs_request_reply(fs, request, -ENOMEM);
        return NULL;
    }
    count_request(fs);
    step->fs = fs;
    step->request = request;
    step->release = release;
    cfs_list_init(&step->waiting);
    pthread_mutex_t *stripe = stripe_of(fs, request);
    pthread_mutex_lock(stripe);
    request->steps = step;
    pthread_mutex_unlock(stripe);
    return step;
}

void cfs_step_may_be_old(struct cfs_step *step)
{
    if (step->fs->profile->offline == CFS_OFFLINE_READ)
        step->when_lost = CFS_REMOTE_TELL_OLD;
}

void cfs_step_reply(struct cfs_step *step, int error)
{
    struct cfs_fs *fs = step->fs;
    struct cfs_request *request = step->request;
    if (step->release)
        step->release(step);
    cfs_claim_drop(step);
    pthread_mutex_t *stripe = stripe_of(fs, request);
    pthread_mutex_lock(stripe);
    request->steps = NULL;
    pthread_mutex_unlock(stripe);
    count_reply(fs, error);
    request->error = error;
    request->reply(request);
    free(step);
}

static void set_shield(struct cfs_step *step, bool shielded)
{
    pthread_mutex_t *stripe = stripe_of(step->fs, step->request);
    pthread_mutex_lock(stripe);
    step->shielded = shielded;
    pthread_mutex_unlock(stripe);
}

void cfs_step_shield(struct cfs_step *step)
{
    set_shield(step, true);
}

void cfs_step_unshield(struct cfs_step *step)
{
    set_shield(step, false);
}

/* --- calls --- */

static void call_done(struct cfs_remote_call *call)
{
    struct cfs_step *step = cfs_container_of(call, struct cfs_step, call);
    pthread_mutex_t *stripe = stripe_of(step->fs, step->request);
    pthread_mutex_lock(stripe);
    step->in_flight = false;
    pthread_mutex_unlock(stripe);
    step->then(step, call->error);
}

pthread_mutex_t *cfs_step_begin_call(struct cfs_step *step, cfs_step_function *then)
{
    pthread_mutex_t *stripe = stripe_of(step->fs, step->request);
    pthread_mutex_lock(stripe);
    if (step->interrupted && !step->shielded) {
        pthread_mutex_unlock(stripe);
        then(step, -EINTR);
        return NULL;
    }
    step->call = (struct cfs_remote_call){.done = call_done, .when_lost = step->when_lost};
    step->then = then;
    step->in_flight = true;
    return stripe;
}

/* --- waiting --- */

bool cfs_step_wait(struct cfs_step *step, struct cfs_list *queue, cfs_step_function *then)
{
    if (step->interrupted && !step->shielded)
        return false;
    step->then = then;
    step->waits = true;
    cfs_list_push_back(queue, &step->waiting);
    return true;
}

void cfs_step_ready(struct cfs_step *step)
{
    cfs_list_remove(&step->waiting);
    step->waits = false;
    step->outcome = 0;
    cfs_list_push_back(&step->fs->ready, &step->waiting);
}

/* A loop and not a recursion: those that are ready may end at once and make others ready. The last reply may come from
 * here: cfs_fs_free waits for the end of the loop. */
void cfs_step_unlock_and_run(struct cfs_fs *fs)
{
    if (!fs->running_ready && !cfs_list_empty(&fs->ready)) {
        fs->running_ready = true;
        struct cfs_list *link;
        while ((link = cfs_list_pop_front(&fs->ready))) {
            struct cfs_step *step = cfs_container_of(link, struct cfs_step, waiting);
            pthread_mutex_unlock(&fs->lock);
            step->then(step, step->outcome);
            pthread_mutex_lock(&fs->lock);
        }
        fs->running_ready = false;
        pthread_cond_broadcast(&fs->idle);
    }
    pthread_mutex_unlock(&fs->lock);
}

void cfs_turn_take(struct cfs_step *step, struct cfs_turn *turn, cfs_step_function *then)
{
    struct cfs_fs *fs = step->fs;
    int error = 0;
    pthread_mutex_lock(&fs->lock);
    bool waits = turn->taken && cfs_step_wait(step, &turn->waiting, then);
    if (!waits && turn->taken)
        error = -EINTR;
    turn->taken = true;
    pthread_mutex_unlock(&fs->lock);
    if (!waits)
        then(step, error);
}

void cfs_turn_give(struct cfs_fs *fs, struct cfs_turn *turn)
{
    pthread_mutex_lock(&fs->lock);
    if (cfs_list_empty(&turn->waiting))
        turn->taken = false;
    else
        cfs_step_ready(cfs_list_first(&turn->waiting, struct cfs_step, waiting));
    cfs_step_unlock_and_run(fs);
}

/* --- interrupts --- */

static void give_to_worker(struct cfs_step *step, int outcome)
{
    step->outcome = outcome;
    cfs_list_push_back(&step->fs->worker.queue, &step->waiting);
    pthread_cond_signal(&step->fs->worker.changed);
}

void cfs_fs_interrupt(struct cfs_fs *fs, struct cfs_request *request)
{
    pthread_mutex_t *stripe = stripe_of(fs, request);
    pthread_mutex_lock(stripe);
    struct cfs_step *step = request->steps;
    if (step && !step->shielded) {
        pthread_mutex_lock(&fs->lock);
        step->interrupted = true;
        if (step->waits) {
            cfs_list_remove(&step->waiting);
            step->waits = false;
            give_to_worker(step, -EINTR);
        }
        pthread_mutex_unlock(&fs->lock);
        if (step->in_flight)
            fs->remote->operations->cancel(fs->remote, &step->call);
    }
    pthread_mutex_unlock(stripe);
}

/* --- the worker --- */

void cfs_step_run_on_worker(struct cfs_step *step, cfs_step_function *then)
{
    pthread_mutex_lock(&step->fs->lock);
    step->then = then;
    give_to_worker(step, 0);
    pthread_mutex_unlock(&step->fs->lock);
}

static void *work(void *context)
{
    struct cfs_fs *fs = context;
    cfs_doing_begin("fs worker", true); /* a directory of users may be slow: that is no reason to end a mount */
    pthread_mutex_lock(&fs->lock);
    for (;;) {
        struct cfs_list *link = cfs_list_pop_front(&fs->worker.queue);
        if (link) {
            struct cfs_step *step = cfs_container_of(link, struct cfs_step, waiting);
            pthread_mutex_unlock(&fs->lock);
            cfs_doing("names of users");
            step->then(step, step->outcome);
            cfs_doing(NULL);
            pthread_mutex_lock(&fs->lock);
        } else if (fs->worker.leaves) {
            break;
        } else {
            pthread_cond_wait(&fs->worker.changed, &fs->lock);
        }
    }
    pthread_mutex_unlock(&fs->lock);
    cfs_doing_end();
    return NULL;
}

int cfs_worker_start(struct cfs_fs *fs)
{
    return cfs_thread_start(work, fs, &fs->worker.thread);
}

void cfs_worker_stop(struct cfs_fs *fs)
{
    pthread_mutex_lock(&fs->lock);
    fs->worker.leaves = true;
    pthread_cond_signal(&fs->worker.changed);
    pthread_mutex_unlock(&fs->lock);
    pthread_join(fs->worker.thread, NULL);
}

/* The ends of what is done with an open file: flush, fsync, close. */
#include "cache/behind_file_priv.h"
#include <errno.h>
#include <fcntl.h>

/* Of a larger file, not all may have been sent when it is flushed. */
enum { MOST_LOOKED_AT = 1 << 20 };

/* --- flush, fsync --- */

static int take_error(struct cfs_behind_file *file)
{
    int error = file->error;
    if (file->ready)
        file->error = 0;
    return error;
}

static void run_flush(struct cfs_job *job)
{
    if (job->file->ready)
        cfs_job_hand_down(job, flush, job->file->lower);
    else
        cfs_job_end(job, job->file->error);
}

static void settle_flush(struct cfs_job *job, int error)
{
    if (error == 0)
        return;
    if (job->file->ready)
        job->file->error = error;
    if (job->behind->closes_at_once)
        cfs_failure_note(job->behind, job->path, "what was written could not be put on the server", error);
    if (job->path)
        cfs_behind_tell(job->behind, job->path, false);
}

const struct cfs_job_actions cfs_flush_actions = {.run = run_flush, .settle = settle_flush};

static void told(struct cfs_cache_call *base)
{
    struct cfs_behind_file *file = cfs_on_file_of(base)->file;
    pthread_mutex_lock(&file->behind->lock);
    int error = take_error(file);
    pthread_mutex_unlock(&file->behind->lock);
    cfs_cache_call_finish(base, base->lower.error ? base->lower.error : error);
}

/* The time that the file has got by what was written. The handle is asked behind the writes, so this costs no round
 * trip; the programs that write files look at them, or set their times, right after close. If they do so while it is
 * asked, the answer may be from before. */
static void looked_after_flush(struct cfs_cache_call *base)
{
    struct cfs_on_file *call = cfs_on_file_of(base);
    struct cfs_behind_file *file = call->file;
    struct cfs_behind *behind = file->behind;
    const struct cfs_remote_attributes *attributes = &base->lower.result.attributes;
    pthread_mutex_lock(&behind->lock);
    if (base->lower.error == 0 && file->own && file->own->made && file->own->changes == call->changes &&
        !file->written && attributes->size == file->own->attributes.size)
        cfs_own_looked(&behind->own, file->own, attributes);
    cfs_behind_file_put(file);
    pthread_mutex_unlock(&behind->lock);
    cfs_cache_call_finish(base, 0);
}

/* It uses the file from now on: the caller's use may end while the flush is submitted. NULL: it would tell nothing. */
static struct cfs_on_file *new_look(struct cfs_behind_file *file)
{
    struct cfs_on_file *look = NULL;
    pthread_mutex_lock(&file->behind->lock);
    if (file->own && file->own->pending == 0)
        look = cfs_on_file_new_own(file, NULL, NULL);
    if (look) {
        look->changes = file->own->changes;
        file->uses++;
    }
    pthread_mutex_unlock(&file->behind->lock);
    return look;
}

static void go_flush(struct cfs_on_file *call)
{
    struct cfs_behind_file *file = call->file;
    bool looks = call->looks;
    struct cfs_on_file *look = looks ? new_look(file) : NULL;
    cfs_cache_call_submit(&call->call, told, flush, file->lower);
    if (look)
        cfs_cache_call_submit(&look->call, looked_after_flush, fstat, file->lower);
}

static enum cfs_job_answer how_to_flush(struct cfs_job *job)
{
    struct cfs_behind_file *file = job->file;
    job->answer = take_error(file);
    bool is_safe = cfs_behind_is_logged(job->behind) || job->answer < 0;
    if (!file->written)
        return is_safe ? CFS_JOB_DONE : CFS_JOB_WAITS;
    file->written = false;
    if (file->own)
        cfs_job_own(job, file->own);
    return is_safe ? CFS_JOB_EARLY : CFS_JOB_WAITS;
}

void cfs_behind_flush(struct cfs_remote *remote, struct cfs_remote_call *upper, struct cfs_remote_file *file)
{
    struct cfs_behind *behind = cfs_behind_of(remote);
    struct cfs_behind_file *open = cfs_behind_file_of(file);
    if (behind->closes_at_once) {
        struct cfs_job *job = cfs_behind_file_job(open, upper, CFS_JOB_FLUSH);
        if (job)
            cfs_job_enter(job, how_to_flush);
        return;
    }
    struct cfs_on_file *call = cfs_on_file_new(open, upper, go_flush);
    if (!call)
        return;
    pthread_mutex_lock(&behind->lock);
    bool is_lazy = open->lazy;
    call->flushes = true;
    call->looks = open->written && open->own && open->own->made && open->own->attributes.size <= MOST_LOOKED_AT;
    open->written = false;
    pthread_mutex_unlock(&behind->lock);
    if (is_lazy) /* there is nothing that the server does not have */
        cfs_cache_call_finish_later(&call->call, 0);
    else
        cfs_on_file_enter(call);
}

static void run_fsync(struct cfs_job *job)
{
    int error = take_error(job->file);
    if (error < 0 || !job->file->ready)
        cfs_job_end(job, error);
    else
        cfs_job_hand_down(job, fsync, job->file->lower);
}

static bool was_synced(struct cfs_job *job)
{
    if (job->call.error < 0 && job->path)
        cfs_failure_forget(job->behind, job->path); /* it is told now */
    return false;
}

const struct cfs_job_actions cfs_fsync_actions = {.run = run_fsync, .ended = was_synced};

void cfs_behind_fsync(struct cfs_remote *remote, struct cfs_remote_call *upper, struct cfs_remote_file *file)
{
    struct cfs_behind *behind = cfs_behind_of(remote);
    pthread_mutex_lock(&behind->lock);
    cfs_behind_file_open_late(cfs_behind_file_of(file));
    pthread_mutex_unlock(&behind->lock);
    struct cfs_job *job = cfs_behind_file_job(cfs_behind_file_of(file), upper, CFS_JOB_FSYNC);
    if (job)
        cfs_job_enter(job, NULL);
}

/* --- close: when what is on its way for the file has ended --- */

/* The last caller may be on its way out still when the close that it was told to go on to has ended. */
static void free_unless_called(struct cfs_behind_file *file)
{
    if (file->parts == 0 && file->callers == 0)
        cfs_behind_file_free(file);
}

static void release_closed(struct cfs_behind_file *file)
{
    struct cfs_behind *behind = file->behind;
    pthread_mutex_lock(&behind->lock);
    file->parts--;
    free_unless_called(file);
    pthread_mutex_unlock(&behind->lock);
}

static void release_close(struct cfs_cache_call *base)
{
    release_closed(cfs_container_of(base, struct cfs_behind_file, close));
}

static void release_answer(struct cfs_cache_call *base)
{
    release_closed(cfs_container_of(base, struct cfs_behind_file, answer));
}

static void closed(struct cfs_cache_call *base)
{
    struct cfs_behind_file *file = cfs_container_of(base, struct cfs_behind_file, close);
    struct cfs_behind *behind = file->behind;
    int error = base->lower.error;
    pthread_mutex_lock(&behind->lock);
    bool may_be_written = (file->flags & O_ACCMODE) != O_RDONLY;
    if (error < 0 && behind->closes_at_once && may_be_written)
        cfs_failure_note(behind, file->path, "what was written could not be put on the server", error);
    if (error == 0)
        error = file->error;
    pthread_mutex_unlock(&behind->lock);
    cfs_cache_call_finish(base, error);
}

static void close_below(struct cfs_cache_call *base)
{
    struct cfs_behind_file *file = cfs_container_of(base, struct cfs_behind_file, close);
    if (file->lower)
        cfs_cache_call_submit(base, closed, close, file->lower);
    else
        cfs_cache_call_finish(base, file->error);
}

static void close_unless_used(struct cfs_behind_file *file)
{
    if (!file->closing || file->uses > 0)
        return;
    file->closing = file->lazy = false;
    cfs_cache_call_post(&file->close, close_below);
}

/* The close is told to be done when the calls before it have completed. */
static void answer_unless_called(struct cfs_behind_file *file)
{
    if (!file->answering || file->callers > 0)
        return;
    file->answering = false;
    cfs_cache_call_finish_later(&file->answer, take_error(file));
}

void cfs_behind_file_called(struct cfs_behind_file *file)
{
    struct cfs_behind *behind = file->behind;
    pthread_mutex_lock(&behind->lock);
    file->callers--;
    answer_unless_called(file);
    free_unless_called(file);
    pthread_mutex_unlock(&behind->lock);
}

void cfs_behind_file_put(struct cfs_behind_file *file)
{
    file->uses--;
    close_unless_used(file);
}

/* What was written and not flushed: names that come later must wait for it. */
static void flush_closing(struct cfs_behind_file *file)
{
    struct cfs_job *flush = cfs_job_new(file->behind, NULL, CFS_JOB_FLUSH, file->path, NULL);
    if (!flush)
        return; /* the close does it */
    flush->file = file;
    file->written = false;
    if (file->own)
        cfs_job_own(flush, file->own);
    cfs_job_enter_locked(flush);
}

void cfs_behind_close(struct cfs_remote *remote, struct cfs_remote_call *upper, struct cfs_remote_file *remote_file)
{
    struct cfs_behind *behind = cfs_behind_of(remote);
    struct cfs_behind_file *file = cfs_behind_file_of(remote_file);
    bool at_once = behind->closes_at_once;
    pthread_mutex_lock(&behind->lock);
    if (file->own)
        file->own->writers -= (file->flags & O_ACCMODE) != O_RDONLY;
    file->parts += at_once;
    cfs_cache_call_init(&file->close, &behind->core, at_once ? NULL : upper, release_close);
    if (at_once) {
        cfs_cache_call_init(&file->answer, &behind->core, upper, release_answer);
        file->answering = true;
        if (file->written)
            flush_closing(file);
        answer_unless_called(file);
    }
    file->closing = true;
    if (!at_once && cfs_open_is_held(file->making))
        cfs_open_put(file->making);
    close_unless_used(file);
    pthread_mutex_unlock(&behind->lock);
}

/* The order of what is on its way. Jobs stand in a list in the order of their arrival; each counts those before it that
 * it must wait for, and starts when the last of them has ended. Which those are follows from the paths alone, as they
 * were when the job came, and from the open file: so it can be asked again when one ends.
 *
 * Changes of attributes that were told early are plugged: they wait for others to join them, until a job comes that
 * waits for them, or about a round trip has passed; a little longer while the file is being written, which will change
 * its times again. To open the file for reading they are no matter: what the open tells of it is foreseen. */
#include "cache/behind_priv.h"
#include <errno.h>
#include <fcntl.h>
#include <string.h>

enum { MOST_JOBS = 512, PLUG_MS = 10, MOST_PLUG_MS = 100, LONGEST_PLUG_MS = 1000, HOLD_MS = 50 };

static bool is_same_text(const char *a, const char *b)
{
    return a && b && strcmp(a, b) == 0;
}

static bool is_at_or_below(const char *path, const char *top)
{
    return path && top && cfs_path_is_at_or_below(path, top);
}

/* --- who waits for whom --- */

static bool only_looks(const struct cfs_job *job)
{
    return job->kind >= CFS_JOB_LSTAT;
}

static bool opens_to_read(const struct cfs_job *job)
{
    return job->kind == CFS_JOB_OPEN && (job->flags & (O_ACCMODE | O_CREAT | O_TRUNC)) == O_RDONLY;
}

/* Neither matters to the other. */
static bool are_unrelated(const struct cfs_job *a, const struct cfs_job *b)
{
    return opens_to_read(a) && b->kind == CFS_JOB_SETATTR && b->early && is_same_text(a->path, b->path) &&
           a->file != b->file;
}

static bool paths_meet(const struct cfs_job *earlier, const char *path, bool and_below)
{
    const char *const its[] = {earlier->path, earlier->other};
    for (size_t i = 0; i < CFS_COUNT(its); i++) {
        if (is_at_or_below(path, its[i]) || (and_below && is_at_or_below(its[i], path)))
            return true;
    }
    return false;
}

/* Names come or go. */
static bool changes_folders(const struct cfs_job *job)
{
    return job->kind < CFS_JOB_SETATTR && (job->kind != CFS_JOB_OPEN || job->flags & O_CREAT);
}

static bool is_in_folder(const char *path, const char *folder)
{
    size_t length = folder ? strlen(folder) : 0;
    if (!path || !*path || !folder || !cfs_path_is_at_or_below(path, folder) || path[length] == '\0')
        return false;
    return !strchr(path + length + (length > 0), '/');
}

/* The folder at PATH will have other times when JOB is done. */
static bool changes_folder(const struct cfs_job *job, const char *path)
{
    return changes_folders(job) && (is_in_folder(job->path, path) || is_in_folder(job->other, path));
}

static bool must_wait(const struct cfs_job *job, const struct cfs_job *earlier)
{
    bool sees_below = job->kind != CFS_JOB_LSTAT && job->kind != CFS_JOB_READLINK;
    if (only_looks(earlier) || are_unrelated(job, earlier) || are_unrelated(earlier, job))
        return false;
    if (job->kind == CFS_JOB_LSTAT && changes_folder(earlier, job->path))
        return true;
    return job->kind == CFS_JOB_SYNC || (job->file && job->file == earlier->file) ||
           paths_meet(earlier, job->path, sees_below) || paths_meet(earlier, job->other, sees_below);
}

bool cfs_jobs_concern(const struct cfs_behind *behind, const char *path, bool and_below)
{
    struct cfs_list *link;
    cfs_list_each (link, &behind->jobs) {
        const struct cfs_job *job = cfs_container_of(link, const struct cfs_job, link);
        if (!only_looks(job) && (paths_meet(job, path, and_below) || changes_folder(job, path)))
            return true;
    }
    return false;
}

bool cfs_job_is_alone(const struct cfs_job *job)
{
    const struct cfs_list *link;
    cfs_list_each (link, &job->behind->jobs) {
        const struct cfs_job *other = cfs_container_of(link, const struct cfs_job, link);
        if (other != job && !only_looks(other))
            return false;
    }
    return true;
}

struct cfs_job *cfs_jobs_to_join(const struct cfs_behind *behind, const struct cfs_job *job, const struct cfs_own *own)
{
    struct cfs_job *found = NULL;
    struct cfs_list *link;
    cfs_list_each (link, &behind->jobs) {
        struct cfs_job *earlier = cfs_container_of(link, struct cfs_job, link);
        if (earlier->kind == CFS_JOB_SETATTR && !earlier->started && earlier->own && earlier->own == own)
            found = earlier;
        else if (found && must_wait(job, earlier))
            found = NULL;
    }
    return found;
}

/* FAILED was not done: is JOB, which waits for it, in vain? What was not yet promised finds out by itself, but a file
 * that is not what it should be must not take another's place. */
static bool is_in_vain(const struct cfs_job *job, const struct cfs_job *failed)
{
    bool makes = job->kind == CFS_JOB_OPEN || job->kind == CFS_JOB_MKDIR || job->kind == CFS_JOB_SYMLINK;
    if (!job->early && job->kind != CFS_JOB_RENAME)
        return false;
    if (!failed->early && failed->kind != CFS_JOB_FLUSH) /* nobody was promised anything: it may be another program's */
        return false;
    switch (failed->kind) {
    case CFS_JOB_OPEN:
    case CFS_JOB_MKDIR:
        if (failed->is_late)
            return false;
        if (job->file && job->file == failed->file)
            return true;
        return is_at_or_below(job->path, failed->path) && !(makes && is_same_text(job->path, failed->path));
    case CFS_JOB_RENAME:
        return is_at_or_below(job->path, failed->other) && !(makes && is_same_text(job->path, failed->other));
    case CFS_JOB_FLUSH:
        return !makes && (is_same_text(job->path, failed->path) || (job->file && job->file == failed->file));
    default:
        return false;
    }
}

/* --- life --- */

void cfs_job_free(struct cfs_job *job)
{
    struct cfs_behind *behind = job->behind;
    free(job->path);
    free(job->other);
    free(job->target);
    free(job->data);
    free(job);
    cfs_cache_release(&behind->core);
}

static void release_waiting(struct cfs_cache_call *call)
{
    struct cfs_behind_file *file = cfs_container_of(call, struct cfs_waiting, call)->file;
    if (file)
        cfs_behind_file_called(file);
}

struct cfs_job *cfs_job_new(struct cfs_behind *behind, struct cfs_remote_call *upper, enum cfs_job_kind kind,
                            const char *path, const char *other)
{
    struct cfs_job *job = calloc(1, sizeof(*job));
    struct cfs_waiting *waiting = NULL;
    if (upper) {
        waiting = cfs_cache_call_new(&behind->core, upper, sizeof(*waiting), release_waiting);
        if (!waiting) {
            free(job);
            return NULL;
        }
    }
    bool has_all = job && (!path || (job->path = strdup(path))) && (!other || (job->other = strdup(other)));
    if (!has_all) {
        if (job)
            free(job->path);
        free(job);
        if (waiting)
            cfs_cache_call_finish_later(&waiting->call, -ENOMEM);
        return NULL;
    }
    cfs_cache_hold(&behind->core);
    job->behind = behind;
    job->kind = kind;
    job->waiting = waiting;
    cfs_list_init(&job->link);
    cfs_list_init(&job->ready_link);
    return job;
}

void cfs_job_own(struct cfs_job *job, struct cfs_own *own)
{
    if (job->own)
        return;
    job->own = own;
    cfs_own_pin(own);
    own->pending++;
}

static void begin_filling(struct cfs_job *job)
{
    const char *const paths[] = {job->path, job->other};
    struct cfs_own_table *table = &job->behind->own;
    for (size_t i = 0; i < CFS_COUNT(paths); i++) {
        struct cfs_own *folder = paths[i] && changes_folders(job) ? cfs_own_entry_of_folder(table, paths[i]) : NULL;
        if (!folder)
            continue;
        job->folders[i] = folder;
        folder->filling++;
        cfs_own_pin(folder);
        cfs_own_filled(table, folder);
    }
}

static void end_filling(struct cfs_job *job, int error)
{
    for (size_t i = 0; i < CFS_COUNT(job->folders); i++) {
        if (!job->folders[i])
            continue;
        job->folders[i]->filling--;
        if (error < 0)
            job->folders[i]->known_until_ms = 0; /* the time that was foreseen has not come */
        else if (job->folders[i]->path)
            cfs_own_filled(&job->behind->own, job->folders[i]);
        cfs_own_unpin(&job->behind->own, CFS_TAKE(job->folders[i]));
    }
}

/* --- starting and ending --- */

static void make_ready(struct cfs_job *job)
{
    if (job->waits_for == 0 && !job->plugged)
        cfs_list_push_back(&job->behind->ready, &job->ready_link);
}

void cfs_job_unplug(struct cfs_job *job)
{
    job->plugged = false;
    make_ready(job);
}

void cfs_jobs_start(struct cfs_behind *behind)
{
    struct cfs_list *link;
    if (behind->starting)
        return;
    behind->starting = true;
    while ((link = cfs_list_pop_front(&behind->ready))) {
        struct cfs_job *job = cfs_container_of(link, struct cfs_job, ready_link);
        job->started = true;
        job->started_ms = cfs_clock_ms(behind->core.clock);
        if (job->failed)
            cfs_job_end(job, job->failed);
        else
            cfs_job_actions_of(job->kind)->run(job);
    }
    behind->starting = false;
}

/* Those that waited for JOB. */
static void let_go_on(struct cfs_job *job, int error)
{
    struct cfs_behind *behind = job->behind;
    struct cfs_list *link;
    for (link = job->link.next; link != &behind->jobs; link = link->next) {
        struct cfs_job *later = cfs_container_of(link, struct cfs_job, link);
        if (!must_wait(later, job))
            continue;
        if (error < 0 && !later->failed && is_in_vain(later, job))
            later->failed = error;
        later->waits_for--;
        make_ready(later);
    }
}

/* Ends all but the call of who waits for it, which is given back. */
static struct cfs_waiting *end(struct cfs_job *job, int error)
{
    struct cfs_behind *behind = job->behind;
    const struct cfs_job_actions *actions = cfs_job_actions_of(job->kind);
    struct cfs_waiting *waiting = CFS_TAKE(job->waiting);
    if (waiting)
        waiting->job = NULL;
    if (job->own)
        job->own->pending--;
    cfs_behind_log_end(job, error);
    if (actions->settle)
        actions->settle(job, error);
    let_go_on(job, error);
    cfs_list_remove(&job->link);
    cfs_list_remove(&job->ready_link);
    behind->job_count--;
    cfs_own_unpin(&behind->own, job->own);
    end_filling(job, error);
    if (job->file)
        cfs_behind_file_put(job->file);
    cfs_job_free(job);
    return waiting;
}

void cfs_job_end(struct cfs_job *job, int error)
{
    struct cfs_behind *behind = job->behind;
    struct cfs_waiting *waiting = end(job, error);
    if (waiting)
        cfs_cache_call_finish_later(&waiting->call, error);
    cfs_jobs_start(behind);
}

void cfs_job_done(struct cfs_remote_call *call)
{
    struct cfs_job *job = cfs_container_of(call, struct cfs_job, call);
    struct cfs_behind *behind = job->behind;
    struct cfs_cache *core = &behind->core;
    bool (*ended)(struct cfs_job *) = cfs_job_actions_of(job->kind)->ended;
    struct cfs_waiting *waiting = NULL;
    cfs_cache_hold(core);
    pthread_mutex_lock(&behind->lock);
    if (job->kind == CFS_JOB_OPEN)
        behind->round_trip_ms = cfs_clock_ms(behind->core.clock) - job->started_ms;
    bool goes_on = ended && ended(job);
    int error = 0;
    if (!goes_on) {
        struct cfs_remote_result result = call->result;
        error = call->error;
        waiting = end(job, error);
        if (waiting)
            waiting->call.upper->result = result;
    }
    cfs_jobs_start(behind);
    pthread_mutex_unlock(&behind->lock);
    if (waiting)
        cfs_cache_call_finish(&waiting->call, error);
    cfs_cache_release(core);
}

void cfs_job_takes_patience(struct cfs_job *job)
{
    const struct cfs_remote_call *upper = job->waiting ? job->waiting->call.upper : NULL;
    job->call.when_lost = upper ? upper->when_lost : CFS_REMOTE_WAIT;
    job->call.known = upper ? upper->known : NULL;
}

/* --- the plug --- */

/* A program that waits for the server between two changes of a file - rsync opens it - comes back within a round trip.
 */
static int64_t plug_ms(const struct cfs_behind *behind)
{
    int64_t ms = behind->round_trip_ms + behind->round_trip_ms / 2;
    return ms < PLUG_MS ? PLUG_MS : ms > MOST_PLUG_MS ? MOST_PLUG_MS : ms;
}

static bool may_stay_plugged(const struct cfs_job *job)
{
    int64_t now = cfs_clock_ms(job->behind->core.clock);
    if (cfs_open_is_held(job))
        return now - job->plugged_ms < HOLD_MS;
    if (now - job->plugged_ms >= LONGEST_PLUG_MS)
        return false;
    return now - job->joined_ms < plug_ms(job->behind) || (job->own && job->own->writers > 0);
}

/* True if some remain. */
static bool unplug(struct cfs_behind *behind, bool all)
{
    struct cfs_list *link;
    bool remain = false, was_starting = behind->starting;
    behind->starting = true; /* none starts, and perhaps ends, before all have been seen */
    cfs_list_each (link, &behind->jobs) {
        struct cfs_job *job = cfs_container_of(link, struct cfs_job, link);
        if (!job->plugged)
            continue;
        if (!all && may_stay_plugged(job))
            remain = true;
        else if (cfs_open_is_held(job))
            cfs_open_let_go(job);
        else
            cfs_job_unplug(job);
    }
    behind->starting = was_starting;
    cfs_jobs_start(behind);
    return remain;
}

void cfs_jobs_unplug(struct cfs_behind *behind)
{
    (void)unplug(behind, true);
}

void cfs_jobs_unplug_late(struct cfs_behind *behind)
{
    if (!unplug(behind, false))
        return;
    behind->plugged = true;
    cfs_loop_start_timer(behind->core.loop, &behind->plug, PLUG_MS);
}

static void start_timer(struct cfs_cache_call *call)
{
    struct cfs_behind *behind = cfs_behind_of_core(call->cache);
    pthread_mutex_lock(&behind->lock);
    int64_t delay_ms = plug_ms(behind);
    pthread_mutex_unlock(&behind->lock);
    cfs_loop_start_timer(behind->core.loop, &behind->plug, delay_ms);
    cfs_cache_call_finish(call, 0);
}

/* False: nothing would end the plug. */
static bool arm(struct cfs_behind *behind)
{
    struct cfs_cache_call *call;
    if (behind->plugged)
        return true;
    call = cfs_cache_call_new(&behind->core, NULL, sizeof(*call), NULL);
    if (!call)
        return false;
    behind->plugged = true;
    cfs_cache_call_post(call, start_timer);
    return true;
}

/* --- entering --- */

/* Open files that have no handle need one before what has their name goes, or is changed by way of another. */
static void open_lazy_ones(const struct cfs_job *job)
{
    bool changes = (job->kind == CFS_JOB_OPEN && !opens_to_read(job) && !job->is_late) ||
                   (job->kind == CFS_JOB_SETATTR && job->path && cfs_set_needs_handles(&job->attributes));
    if (job->kind == CFS_JOB_UNLINK || changes)
        cfs_behind_files_open_late(job->behind, job->path);
    else if (job->kind == CFS_JOB_RENAME && !job->early) /* else it has been done */
        cfs_behind_files_open_late(job->behind, job->other);
}

/* It waits for files that are held. */
static void let_go(const struct cfs_job *job)
{
    struct cfs_behind *behind = job->behind;
    struct cfs_list *link;
    bool again = true;
    while (again) {
        again = false;
        cfs_list_each (link, &behind->jobs) {
            struct cfs_job *earlier = cfs_container_of(link, struct cfs_job, link);
            again = cfs_open_is_held(earlier) && must_wait(job, earlier);
            if (!again)
                continue;
            cfs_open_let_go(earlier);
            break;
        }
    }
}

void cfs_job_enter_locked(struct cfs_job *job)
{
    struct cfs_behind *behind = job->behind;
    struct cfs_list *link;
    cfs_behind_log(job);
    open_lazy_ones(job);
    let_go(job);
    cfs_list_each (link, &behind->jobs) {
        struct cfs_job *earlier = cfs_container_of(link, struct cfs_job, link);
        if (!must_wait(job, earlier))
            continue;
        job->waits_for++;
        if (earlier->plugged)
            cfs_job_unplug(earlier);
    }
    bool changes = !job->early && job->path && !only_looks(job) && job->kind != CFS_JOB_FSYNC;
    struct cfs_own *changed = changes ? cfs_own_find(&behind->own, job->path) : NULL;
    if (changed)
        changed->known_until_ms = 0;
    const struct cfs_own *set = job->kind == CFS_JOB_SETATTR && !job->early ? cfs_set_own(job) : NULL;
    job->own_changes = set ? set->changes : 0;
    begin_filling(job);
    behind->jobs_begun++;
    cfs_list_push_back(&behind->jobs, &job->link);
    behind->job_count++;
    if (job->file)
        job->file->uses++;
    job->plugged = job->plugged && arm(behind);
    job->plugged_ms = job->joined_ms = cfs_clock_ms(behind->core.clock);
    make_ready(job);
    cfs_jobs_start(behind);
}

/* Who waits for a flush is let go. What was written is to be on the server all the same, and names that came later wait
 * for it: it goes on as one that was told early. */
static void go_on_alone(struct cfs_job *job)
{
    struct cfs_waiting *waiting = CFS_TAKE(job->waiting);
    waiting->job = NULL;
    job->early = true;
    cfs_cache_call_finish_later(&waiting->call, -EINTR);
}

/* Who waits is cancelled: what was not handed down yet is not done. */
static void withdraw(const struct cfs_waiting *waiting)
{
    struct cfs_job *job = waiting->job;
    if (job && job->kind == CFS_JOB_FLUSH)
        go_on_alone(job);
    else if (job && job->started)
        job->behind->core.lower->operations->cancel(job->behind->core.lower, &job->call);
    else if (job)
        cfs_job_end(job, -EINTR);
}

static void cancel_wait(struct cfs_cache_call *call)
{
    struct cfs_behind *behind = cfs_behind_of_core(call->cache);
    pthread_mutex_lock(&behind->lock);
    withdraw(cfs_container_of(call, struct cfs_waiting, call));
    pthread_mutex_unlock(&behind->lock);
}

void cfs_job_enter_waiting(struct cfs_job *job, struct cfs_waiting *waiting)
{
    job->waiting = waiting;
    waiting->job = job;
    waiting->call.cancel_wait = cancel_wait;
    cfs_job_enter_locked(job);
    if (waiting->call.cancelled)
        withdraw(waiting);
}

/* Its call is answered now, but for that of a flush: who is told that all is well waits for the journal. True: it has
 * to. */
static bool answer_early(struct cfs_job *job, enum cfs_job_answer answer)
{
    struct cfs_waiting *waiting = CFS_TAKE(job->waiting);
    bool logs = job->kind == CFS_JOB_FLUSH && job->behind->journal;
    waiting->answer = job->answer;
    job->early = true;
    if (answer == CFS_JOB_EARLY)
        cfs_behind_log(job);
    if (logs && job->unlogged) { /* it did not fit */
        job->early = false;
        cfs_job_enter_waiting(job, waiting);
        return false;
    }
    if (logs)
        waiting->file->uses++;
    else
        cfs_cache_call_finish_later(&waiting->call, waiting->answer);
    if (answer == CFS_JOB_EARLY)
        cfs_job_enter_locked(job);
    else
        cfs_job_free(job);
    return logs;
}

void cfs_job_enter(struct cfs_job *job, enum cfs_job_answer (*how)(struct cfs_job *job))
{
    struct cfs_behind *behind = job->behind;
    struct cfs_waiting *waiting = job->waiting;
    enum cfs_job_answer answer = CFS_JOB_WAITS;
    bool waits_for_log = false;
    cfs_cache_call_lock(&waiting->call);
    pthread_mutex_lock(&behind->lock);
    if (how && behind->job_count < MOST_JOBS)
        answer = how(job);
    if (answer == CFS_JOB_WAITS)
        cfs_job_enter_waiting(job, waiting);
    else
        waits_for_log = answer_early(job, answer);
    pthread_mutex_unlock(&behind->lock);
    cfs_cache_call_unlock(&waiting->call);
    if (waits_for_log)
        cfs_behind_wait_for_log(waiting, waiting->answer);
}

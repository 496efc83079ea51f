/* Operations on names, and what is known of what they made. */
#include "cache/behind_priv.h"
#include <errno.h>
#include <string.h>
#include <sys/stat.h>

static const unsigned ALL = CFS_REMOTE_SIZE | CFS_REMOTE_OWNER | CFS_REMOTE_MODE | CFS_REMOTE_TIMES;

/* --- mkdir --- */

static void run_mkdir(struct cfs_job *job)
{
    cfs_job_hand_down(job, mkdir, job->path, job->mode);
}

static void enter_folder(struct cfs_job *job, const struct cfs_remote_attributes *made)
{
    struct cfs_own_table *table = &job->behind->own;
    cfs_own_forget(table, job->path);
    struct cfs_own *own = (made->valid & ALL) == ALL ? cfs_own_enter(table, job->path) : NULL;
    if (!own)
        return;
    own->made = own->makes = true;
    own->made_ms = cfs_clock_ms(table->clock);
    cfs_own_looked(table, own, made);
    own->uid = made->uid;
    own->gid = made->gid;
    if (job->early)
        cfs_job_own(job, own);
}

static void settle_mkdir(struct cfs_job *job, int error)
{
    struct cfs_behind *behind = job->behind;
    const struct cfs_remote_attributes *made = &job->call.result.attributes;
    if (error == 0) {
        cfs_own_saw_made(&behind->own, job->path, made);
        if (!job->early)
            enter_folder(job, made);
        else if (job->own && cfs_own_learn(job->own, made) && job->own->path)
            cfs_behind_tell(behind, job->own->path, false);
    } else if (job->early) {
        cfs_own_forget(&behind->own, job->path);
        cfs_failure_note(behind, job->path, "the folder could not be made", error);
        cfs_behind_tell(behind, job->path, true);
    }
}

static enum cfs_job_answer how_to_mkdir(struct cfs_job *job)
{
    struct cfs_behind *behind = job->behind;
    const struct cfs_own *folder = cfs_own_folder_of(&behind->own, job->path);
    if (!behind->closes_at_once || !job->vouched || !folder)
        return CFS_JOB_WAITS;
    struct cfs_remote_attributes foreseen;
    cfs_own_foresee(&behind->own, folder, S_IFDIR | job->mode, &foreseen);
    job->early = true;
    enter_folder(job, &foreseen);
    job->early = job->own != NULL;
    if (!job->own)
        return CFS_JOB_WAITS;
    job->waiting->call.upper->result.attributes = foreseen;
    return CFS_JOB_EARLY;
}

const struct cfs_job_actions cfs_mkdir_actions = {.run = run_mkdir, .settle = settle_mkdir};

static void submit_mkdir(struct cfs_behind *behind, struct cfs_remote_call *upper, const char *path, mode_t mode,
                         bool vouched)
{
    struct cfs_job *job = cfs_job_new(behind, upper, CFS_JOB_MKDIR, path, NULL);
    if (!job)
        return;
    job->mode = mode;
    job->vouched = vouched;
    cfs_job_enter(job, how_to_mkdir);
}

void cfs_behind_mkdir(struct cfs_remote *remote, struct cfs_remote_call *upper, const char *path, mode_t mode)
{
    submit_mkdir(cfs_behind_of(remote), upper, path, mode, false);
}

void cfs_behind_mkdir_vouched(struct cfs_remote *remote, struct cfs_remote_call *upper, const char *path, mode_t mode)
{
    submit_mkdir(cfs_behind_of(cfs_behind_main(remote)), upper, path, mode, true);
}

/* --- symlink, link, unlink, rmdir: they wait for the server --- */

static void run_symlink(struct cfs_job *job)
{
    cfs_job_hand_down(job, symlink, job->target, job->path);
}

static void settle_symlink(struct cfs_job *job, int error)
{
    cfs_own_forget(&job->behind->own, job->path);
    if (error == 0)
        cfs_own_saw_made(&job->behind->own, job->path, &job->call.result.attributes);
}

const struct cfs_job_actions cfs_symlink_actions = {.run = run_symlink, .settle = settle_symlink};

void cfs_behind_symlink(struct cfs_remote *remote, struct cfs_remote_call *upper, const char *target, const char *path)
{
    struct cfs_job *job = cfs_job_new(cfs_behind_of(remote), upper, CFS_JOB_SYMLINK, path, NULL);
    if (!job)
        return;
    job->target = strdup(target);
    if (job->target) {
        cfs_job_enter(job, NULL);
    } else {
        cfs_cache_call_finish_later(&CFS_TAKE(job->waiting)->call, -ENOMEM);
        cfs_job_free(job);
    }
}

static void run_link(struct cfs_job *job)
{
    cfs_job_hand_down(job, link, job->path, job->other);
}

/* Changes of one name then show under the other, too. */
static void settle_link(struct cfs_job *job, int error)
{
    (void)error;
    cfs_own_forget(&job->behind->own, job->path);
    cfs_own_forget(&job->behind->own, job->other);
}

const struct cfs_job_actions cfs_link_actions = {.run = run_link, .settle = settle_link};

void cfs_behind_link(struct cfs_remote *remote, struct cfs_remote_call *upper, const char *from, const char *to)
{
    struct cfs_job *job = cfs_job_new(cfs_behind_of(remote), upper, CFS_JOB_LINK, from, to);
    if (job)
        cfs_job_enter(job, NULL);
}

static void note_alone(struct cfs_job *job)
{
    job->begun_alone = cfs_job_is_alone(job) ? job->behind->jobs_begun : 0;
}

static void run_unlink(struct cfs_job *job)
{
    note_alone(job);
    cfs_job_hand_down(job, unlink, job->path);
}

static void run_rmdir(struct cfs_job *job)
{
    note_alone(job);
    cfs_job_hand_down(job, rmdir, job->path);
}

/* What its look says of the folder is true only if nothing else, that has been told to be done, was on its way. */
static bool was_removed(struct cfs_job *job)
{
    if (job->begun_alone != job->behind->jobs_begun)
        job->call.result.folder.valid = 0;
    return false;
}

static void settle_removed(struct cfs_job *job, int error)
{
    struct cfs_behind *behind = job->behind;
    bool may_be_gone = error == 0 || error == -ENOENT || (job->started && cfs_remote_outcome_is_unknown(error));
    if (!may_be_gone)
        return;
    cfs_own_forget(&behind->own, job->path);
    cfs_failure_forget(behind, job->path);
    cfs_behind_files_renamed(behind, job->path, NULL);
}

const struct cfs_job_actions cfs_unlink_actions = {.run = run_unlink, .ended = was_removed, .settle = settle_removed};
const struct cfs_job_actions cfs_rmdir_actions = {.run = run_rmdir, .ended = was_removed, .settle = settle_removed};

void cfs_behind_unlink(struct cfs_remote *remote, struct cfs_remote_call *upper, const char *path)
{
    struct cfs_job *job = cfs_job_new(cfs_behind_of(remote), upper, CFS_JOB_UNLINK, path, NULL);
    if (job)
        cfs_job_enter(job, NULL);
}

void cfs_behind_rmdir(struct cfs_remote *remote, struct cfs_remote_call *upper, const char *path)
{
    struct cfs_job *job = cfs_job_new(cfs_behind_of(remote), upper, CFS_JOB_RMDIR, path, NULL);
    if (job)
        cfs_job_enter(job, NULL);
}

/* --- rename --- */

/* What is still to be set goes with the rename: a program that writes a file, sets its mode and times and puts it in
 * its place (rsync) waits once for both. */
static void take_what_is_to_be_set(struct cfs_job *job, struct cfs_own *own)
{
    struct cfs_behind *behind = job->behind;
    struct cfs_remote *lower = behind->core.lower;
    if (!own || !own->made || !S_ISREG(own->attributes.mode) || job->how != CFS_REMOTE_RENAME_REPLACE ||
        !lower->operations->set_and_rename ||
        !(lower->operations->facts(lower)->capabilities & CFS_REMOTE_CAN_SET_AND_RENAME))
        return;
    struct cfs_job *set = cfs_jobs_to_join(behind, job, own);
    if (!set || !set->early || !set->path || strcmp(set->path, job->path) != 0 || (set->file && set->file->ready))
        return;
    job->attributes = set->attributes;
    cfs_job_own(job, own);
    cfs_behind_log_set(job, &job->attributes);
    cfs_job_end(set, 0);
}

/* It was not done, and what it had taken is to be set all the same. */
static void set_nevertheless(struct cfs_job *job)
{
    struct cfs_job *set = cfs_job_new(job->behind, NULL, CFS_JOB_SETATTR, job->path, NULL);
    if (!set)
        return;
    set->early = true;
    set->mode = S_IFREG;
    set->attributes = job->attributes;
    if (job->own)
        cfs_job_own(set, job->own);
    cfs_job_enter_locked(set);
}

static void settle_what_was_set(struct cfs_job *job, int error)
{
    struct cfs_behind *behind = job->behind;
    int set_error = job->call.result.set_error;
    if (error < 0 && !job->started && !job->early)
        set_nevertheless(job);
    if (error < 0 || set_error == 0)
        return;
    cfs_failure_note(behind, job->other, "mode or times could not be set", set_error);
    cfs_behind_tell(behind, job->other, false);
    if (job->own && job->own->path)
        cfs_own_forget(&behind->own, job->own->path);
}

static void run_rename(struct cfs_job *job)
{
    if (job->attributes.valid)
        cfs_job_hand_down(job, set_and_rename, job->path, job->other, &job->attributes);
    else
        cfs_job_hand_down(job, rename, job->path, job->other, job->how);
}

/* Jobs that came after the rename, by the old name: it had not been renamed yet. */
static void redirect(const struct cfs_job *job)
{
    struct cfs_list *link;
    for (link = job->link.next; link != &job->behind->jobs; link = link->next) {
        struct cfs_job *later = cfs_container_of(link, struct cfs_job, link);
        if (!later->is_late || later->target || !cfs_path_is_at_or_below(later->path, job->path))
            continue;
        if (asprintf(&later->target, "%s%s", job->other, later->path + strlen(job->path)) < 0)
            later->target = NULL;
    }
}

static void moved(struct cfs_job *job)
{
    struct cfs_behind *behind = job->behind;
    if (strcmp(job->path, job->other) == 0)
        return;
    cfs_behind_files_open_late(behind, job->other);
    cfs_own_move(&behind->own, job->path, job->other);
    cfs_behind_files_renamed(behind, job->path, job->other);
}

static void settle_rename(struct cfs_job *job, int error)
{
    struct cfs_behind *behind = job->behind;
    if (error == 0 && !job->early) {
        moved(job);
        redirect(job);
    } else if (error < 0 && job->early) {
        cfs_own_forget(&behind->own, job->path);
        cfs_own_forget(&behind->own, job->other);
        cfs_failure_note(behind, job->other, "the renamed file could not take its place", error);
        cfs_behind_tell(behind, job->path, true);
        cfs_behind_tell(behind, job->other, true);
    } else if (cfs_remote_outcome_is_unknown(error)) {
        cfs_own_forget(&behind->own, job->path);
        cfs_own_forget(&behind->own, job->other);
    }
    if (job->attributes.valid)
        settle_what_was_set(job, error);
}

const struct cfs_job_actions cfs_rename_actions = {.run = run_rename, .settle = settle_rename};

static enum cfs_job_answer how_to_rename(struct cfs_job *job)
{
    struct cfs_behind *behind = job->behind;
    struct cfs_own *own = cfs_own_find(&behind->own, job->path);
    bool promises = behind->closes_at_once && job->vouched && own && own->made && S_ISREG(own->attributes.mode) &&
                    cfs_own_folder_of(&behind->own, job->path) && cfs_own_folder_of(&behind->own, job->other);
    job->answer = cfs_failure_tell(behind, job->path);
    if (job->answer < 0)
        return CFS_JOB_DONE;
    take_what_is_to_be_set(job, own);
    if (!promises)
        return CFS_JOB_WAITS;
    cfs_job_own(job, own);
    job->known = own->attributes;
    const struct cfs_own *replaced = cfs_own_find(&behind->own, job->other);
    if (replaced && replaced->made && !replaced->is_guessed && replaced->pending == 0)
        job->known_other = replaced->attributes;
    moved(job);
    return own->path ? CFS_JOB_EARLY : CFS_JOB_WAITS;
}

static void submit_rename(struct cfs_behind *behind, struct cfs_remote_call *upper, const char *from, const char *to,
                          enum cfs_remote_rename how, bool vouched)
{
    struct cfs_job *job = cfs_job_new(behind, upper, CFS_JOB_RENAME, from, to);
    if (!job)
        return;
    job->how = how;
    job->vouched = vouched;
    cfs_job_enter(job, how_to_rename);
}

void cfs_behind_rename(struct cfs_remote *remote, struct cfs_remote_call *upper, const char *from, const char *to,
                       enum cfs_remote_rename how)
{
    submit_rename(cfs_behind_of(remote), upper, from, to, how, false);
}

void cfs_behind_rename_vouched(struct cfs_remote *remote, struct cfs_remote_call *upper, const char *from,
                               const char *to, enum cfs_remote_rename how)
{
    submit_rename(cfs_behind_of(cfs_behind_main(remote)), upper, from, to, how, true);
}

/* --- setattr, by path or by file --- */

static void run_setattr(struct cfs_job *job)
{
    if (job->file && job->file->ready)
        cfs_job_hand_down(job, fsetattr, job->file->lower, &job->attributes);
    else if (job->path)
        cfs_job_hand_down(job, setattr, job->path, job->mode, &job->attributes);
    else
        cfs_job_end(job, job->file && job->file->error ? job->file->error : -ESTALE);
}

struct cfs_own *cfs_set_own(const struct cfs_job *job)
{
    return job->file ? job->file->own : cfs_own_find(&job->behind->own, job->path);
}

/* It has waited for the server. What else was foreseen meanwhile (a write) may have come before it or after it. */
static void settle_waiting(struct cfs_job *job, int error)
{
    struct cfs_behind *behind = job->behind;
    struct cfs_own *own = cfs_set_own(job);
    if (!own)
        return;
    bool is_certain = error < 0 ? !cfs_remote_outcome_is_unknown(error) : own->changes == job->own_changes;
    if (!is_certain && own->path)
        cfs_own_forget(&behind->own, own->path);
    else if (is_certain && error == 0)
        cfs_own_set(&behind->own, own, &job->attributes);
}

static void settle_setattr(struct cfs_job *job, int error)
{
    struct cfs_behind *behind = job->behind;
    if (job->attributes.valid & CFS_REMOTE_SIZE && error == 0)
        cfs_behind_log_truncated(behind, job->path, job->attributes.size);
    if (!job->early) {
        settle_waiting(job, error);
    } else if (error < 0) {
        const char *path = job->own && job->own->path ? job->own->path : job->path;
        if (job->file)
            job->file->error = error;
        cfs_failure_note(behind, path, "mode or times could not be set", error);
        if (path)
            cfs_behind_tell(behind, path, false);
        if (job->own && job->own->path)
            cfs_own_forget(&behind->own, job->own->path);
    }
}

const struct cfs_job_actions cfs_setattr_actions = {.run = run_setattr, .settle = settle_setattr};

bool cfs_behind_flush_first(struct cfs_behind_file *file)
{
    if (!file || !file->written)
        return true;
    struct cfs_job *flush = cfs_job_new(file->behind, NULL, CFS_JOB_FLUSH, file->path, NULL);
    if (!flush)
        return false;
    flush->file = file;
    file->written = false;
    cfs_job_enter_locked(flush);
    return true;
}

bool cfs_set_needs_handles(const struct cfs_remote_attributes *set)
{
    static const mode_t needed = S_IRUSR | S_IWUSR;
    return set->valid & CFS_REMOTE_SIZE || (set->valid & CFS_REMOTE_MODE && (set->mode & needed) != needed);
}

static void join(struct cfs_job *waiting, const struct cfs_remote_attributes *set)
{
    waiting->attributes.valid |= set->valid;
    if (set->valid & CFS_REMOTE_MODE)
        waiting->attributes.mode = set->mode;
    if (set->valid & CFS_REMOTE_TIMES) {
        waiting->attributes.atime = set->atime;
        waiting->attributes.mtime = set->mtime;
    }
}

enum cfs_job_answer cfs_setattr_how(struct cfs_job *job)
{
    struct cfs_behind *behind = job->behind;
    struct cfs_own *own = cfs_set_own(job);
    job->answer = job->path ? cfs_failure_tell(behind, job->path) : 0;
    if (job->answer < 0)
        return CFS_JOB_DONE;
    if (!own || !cfs_own_may_set(own, &job->attributes))
        return CFS_JOB_WAITS;
    if (job->path && cfs_set_needs_handles(&job->attributes))
        cfs_behind_files_open_late(behind, job->path);
    struct cfs_job *held = cfs_open_held_of(behind, own);
    if (!held && !cfs_behind_flush_first(job->file))
        return CFS_JOB_WAITS;
    job->attributes.valid &= ~(unsigned)CFS_REMOTE_OWNER; /* it has it */
    cfs_own_set(&behind->own, own, &job->attributes);
    job->waiting->call.upper->result.attributes = own->attributes;
    if (held) {
        join(held, &job->attributes);
        return CFS_JOB_DONE;
    }
    if (job->attributes.valid == 0)
        return CFS_JOB_DONE;
    cfs_job_own(job, own);
    struct cfs_job *waiting = cfs_jobs_to_join(behind, job, job->own);
    if (!waiting) {
        job->plugged = true;
        return CFS_JOB_EARLY;
    }
    join(waiting, &job->attributes);
    cfs_behind_log_set(waiting, &job->attributes);
    waiting->joined_ms = cfs_clock_ms(behind->core.clock);
    own->pending--;
    cfs_own_unpin(&behind->own, CFS_TAKE(job->own));
    return CFS_JOB_DONE;
}

void cfs_behind_setattr(struct cfs_remote *remote, struct cfs_remote_call *upper, const char *path,
                        mode_t expected_type, const struct cfs_remote_attributes *attributes)
{
    struct cfs_job *job = cfs_job_new(cfs_behind_of(remote), upper, CFS_JOB_SETATTR, path, NULL);
    if (!job)
        return;
    job->mode = expected_type;
    job->attributes = *attributes;
    cfs_job_enter(job, cfs_setattr_how);
}

/* --- looking: lstat, readlink, listings --- */

static void run_lstat(struct cfs_job *job)
{
    cfs_job_hand_down(job, lstat, job->path);
}

static void run_readlink(struct cfs_job *job)
{
    cfs_job_hand_down(job, readlink, job->path);
}

static void run_list(struct cfs_job *job)
{
    cfs_job_hand_down(job, open_listing, job->path);
}

const struct cfs_job_actions cfs_lstat_actions = {.run = run_lstat};
const struct cfs_job_actions cfs_readlink_actions = {.run = run_readlink};
const struct cfs_job_actions cfs_list_actions = {.run = run_list};

/* Whether a look at PATH goes straight down. If not, it waits for what is on its way; *RET_KNOWN (may be NULL) may
 * answer it: valid is not 0 then. */
static bool is_free(struct cfs_behind *behind, const char *path, bool and_below,
                    struct cfs_remote_attributes *ret_known)
{
    pthread_mutex_lock(&behind->lock);
    const struct cfs_own *own = ret_known ? cfs_own_find(&behind->own, path) : NULL;
    bool foreseen = own && cfs_own_is_known(&behind->own, own);
    if (foreseen)
        cfs_own_tell(&behind->own, own, ret_known);
    bool free = !foreseen && !cfs_jobs_concern(behind, path, and_below);
    pthread_mutex_unlock(&behind->lock);
    return free;
}

/* What a look says of a folder that is being filled saves the next ones. Not of a file that may be written to: what is
 * sent after the look gives it another time. */
struct looking {
    struct cfs_cache_call call;
    uint64_t began; /* jobs that had ended */
    char path[];    /* NUL-terminated */
};

static void looked(struct cfs_cache_call *call)
{
    const struct looking *looking = cfs_container_of(call, const struct looking, call);
    struct cfs_behind *behind = cfs_behind_of_core(call->cache);
    pthread_mutex_lock(&behind->lock);
    struct cfs_own *own = call->lower.error == 0 ? cfs_own_find(&behind->own, looking->path) : NULL;
    if (own && own->writers == 0 && looking->began == behind->jobs_begun)
        cfs_own_looked(&behind->own, own, &call->lower.result.attributes);
    pthread_mutex_unlock(&behind->lock);
    cfs_cache_call_pass(call);
}

static void look(struct cfs_behind *behind, struct cfs_remote_call *upper, const char *path)
{
    size_t size = strlen(path) + 1;
    struct looking *looking = cfs_cache_call_new(&behind->core, upper, sizeof(*looking) + size, NULL);
    if (!looking)
        return;
    memcpy(looking->path, path, size);
    pthread_mutex_lock(&behind->lock);
    looking->began = behind->jobs_begun;
    pthread_mutex_unlock(&behind->lock);
    cfs_cache_call_submit(&looking->call, looked, lstat, path);
}

static void wait_to_look(struct cfs_behind *behind, struct cfs_remote_call *upper, enum cfs_job_kind kind,
                         const char *path)
{
    if (upper->when_lost == CFS_REMOTE_FAIL && cfs_behind_is_lost(behind)) {
        /* What it waits for waits itself. */
        struct cfs_cache_call *call = cfs_cache_call_new(&behind->core, upper, sizeof(*call), NULL);
        if (call)
            cfs_cache_call_finish_later(call, -ENOTCONN);
        return;
    }
    struct cfs_job *job = cfs_job_new(behind, upper, kind, path, NULL);
    if (job)
        cfs_job_enter(job, NULL);
}

void cfs_behind_lstat(struct cfs_remote *remote, struct cfs_remote_call *upper, const char *path)
{
    struct cfs_behind *behind = cfs_behind_of(remote);
    struct cfs_remote_attributes known = {.valid = 0};
    bool free = is_free(behind, path, false, &known);
    if (!free && !known.valid) {
        wait_to_look(behind, upper, CFS_JOB_LSTAT, path);
        return;
    }
    if (free) {
        look(behind, upper, path);
        return;
    }
    struct cfs_cache_call *call = cfs_cache_call_new(&behind->core, upper, sizeof(*call), NULL);
    if (!call)
        return;
    upper->result.attributes = known;
    cfs_cache_call_finish_later(call, 0);
}

void cfs_behind_readlink(struct cfs_remote *remote, struct cfs_remote_call *upper, const char *path)
{
    struct cfs_behind *behind = cfs_behind_of(remote);
    if (!is_free(behind, path, false, NULL)) {
        wait_to_look(behind, upper, CFS_JOB_READLINK, path);
        return;
    }
    struct cfs_cache_call *call = cfs_cache_call_new(&behind->core, upper, sizeof(*call), NULL);
    if (call)
        cfs_cache_call_submit(call, cfs_cache_call_pass, readlink, path);
}

void cfs_behind_open_listing(struct cfs_remote *remote, struct cfs_remote_call *upper, const char *path)
{
    struct cfs_behind *behind = cfs_behind_of(remote);
    if (!is_free(behind, path, true, NULL)) {
        wait_to_look(behind, upper, CFS_JOB_LIST, path);
        return;
    }
    struct cfs_cache_call *call = cfs_cache_call_new(&behind->core, upper, sizeof(*call), NULL);
    if (call)
        cfs_cache_call_submit(call, cfs_cache_call_pass, open_listing, path);
}

/* --- sync --- */

static void run_sync(struct cfs_job *job)
{
    struct cfs_behind *behind = job->behind;
    bool is_news = behind->failed.count > behind->failures_synced;
    behind->failures_synced = behind->failed.count;
    cfs_job_end(job, is_news ? behind->last_error : 0);
}

const struct cfs_job_actions cfs_sync_actions = {.run = run_sync};

void cfs_behind_sync(struct cfs_remote *remote, struct cfs_remote_call *upper)
{
    struct cfs_job *job = cfs_job_new(cfs_behind_of(remote), upper, CFS_JOB_SYNC, NULL, NULL);
    if (job)
        cfs_job_enter(job, NULL);
}

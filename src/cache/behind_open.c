/* Opening files, and making them: at once where it is certain, late where it may not be needed at all. */
#include "base/log.h"
#include "cache/behind_file_priv.h"
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>

static const unsigned ALL = CFS_REMOTE_SIZE | CFS_REMOTE_OWNER | CFS_REMOTE_MODE | CFS_REMOTE_TIMES;

/* --- life --- */

static struct cfs_behind_file *new_file(struct cfs_behind *behind, const char *path, int flags)
{
    struct cfs_behind_file *file = calloc(1, sizeof(*file));
    if (!file || !(file->path = strdup(path))) {
        free(file);
        return NULL;
    }
    file->behind = behind;
    file->flags = flags;
    file->parts = 1;
    cfs_list_init(&file->link);
    cfs_list_init(&file->deferred);
    return file;
}

void cfs_behind_file_free(struct cfs_behind_file *file)
{
    cfs_list_remove(&file->link);
    cfs_behind_log_closed(file);
    cfs_own_unpin(&file->behind->own, file->own);
    free(file->path);
    free(file);
}

static void own_file(struct cfs_behind_file *file, struct cfs_own *own)
{
    file->own = own;
    own->writers += (file->flags & O_ACCMODE) != O_RDONLY;
    cfs_own_pin(own);
}

/* --- files that are opened late --- */

static void give_up(struct cfs_behind_file *file, int error);

/* NULL: no memory, or its name is gone. */
static struct cfs_job *new_late_open(struct cfs_behind_file *file)
{
    struct cfs_job *job = file->path ? cfs_job_new(file->behind, NULL, CFS_JOB_OPEN, file->path, NULL) : NULL;
    if (!job)
        return NULL;
    job->early = job->is_late = true;
    job->flags = file->flags & ~(O_CREAT | O_EXCL | O_TRUNC);
    job->file = file;
    return job;
}

void cfs_behind_file_open_late(struct cfs_behind_file *file)
{
    if (!file->lazy)
        return;
    file->lazy = false;
    file->being_made = true;
    struct cfs_job *job = new_late_open(file);
    if (!job) {
        give_up(file, file->path ? -ENOMEM : -ESTALE);
        return;
    }
    if (file->own)
        file->set_mtime = file->own->attributes.mtime; /* what is written now will change that */
    cfs_job_enter_locked(job);
}

/* It will be lazy when it has been put, and then it is too late. */
static void open_behind_put(struct cfs_behind_file *file)
{
    bool is_put = file->making && file->making->puts && !file->opens_late && !file->closing;
    struct cfs_job *job = is_put ? new_late_open(file) : NULL;
    if (!job)
        return;
    file->opens_late = true;
    cfs_job_enter_locked(job);
}

void cfs_behind_files_open_late(struct cfs_behind *behind, const char *path)
{
    struct cfs_list *link;
    cfs_list_each (link, &behind->files) {
        struct cfs_behind_file *file = cfs_container_of(link, struct cfs_behind_file, link);
        if (!file->path || strcmp(file->path, path) != 0)
            continue;
        cfs_behind_file_open_late(file);
        open_behind_put(file);
    }
}

/* --- open --- */

static void run_open(struct cfs_job *job)
{
    if (job->puts) {
        cfs_open_run_put(job);
        return;
    }
    if (job->is_late && job->file->ready) { /* it was opened instead of being put */
        cfs_job_end(job, 0);
        return;
    }
    bool alone = job->vouched && !job->tried;
    const char *path = job->target ? job->target : job->path;
    cfs_job_hand_down(job, open, path, alone ? job->flags | O_EXCL : job->flags, job->mode);
}

/* It was to be made, and is there: what the program's own flags say of that. */
static bool must_try_again(struct cfs_job *job)
{
    if (job->call.error != -EEXIST || !job->vouched || job->tried || job->flags & O_EXCL)
        return false;
    job->tried = true;
    if (job->puts)
        cfs_open_no_put(job);
    if (job->early)
        cfs_log_warning("cache", "%s: it was made on the server meanwhile; it is opened as it is", job->path);
    run_open(job);
    return true;
}

static void learn_of_made(struct cfs_job *job, const struct cfs_remote_attributes *made)
{
    struct cfs_behind *behind = job->behind;
    struct cfs_own *own = job->own;
    cfs_own_saw_made(&behind->own, job->path, made);
    if (made->valid & CFS_REMOTE_TIMES)
        cfs_own_saw_time(&behind->own, made->mtime);
    if (own) {
        if (cfs_own_learn(own, made) && own->path)
            cfs_behind_tell(behind, own->path, false);
        return;
    }
    cfs_own_forget(&behind->own, job->path);
    own = (made->valid & ALL) == ALL && S_ISREG(made->mode) ? cfs_own_enter(&behind->own, job->path) : NULL;
    if (!own)
        return;
    own->made = true;
    cfs_own_looked(&behind->own, own, made);
    own_file(job->file, own);
}

/* It is not what was foreseen. */
static void opened_anothers(struct cfs_job *job)
{
    struct cfs_behind *behind = job->behind;
    cfs_behind_tell(behind, job->own->path, false);
    cfs_own_forget(&behind->own, job->own->path);
}

/* Mode and times that are on their way were told to be set. */
static void show_foreseen(struct cfs_job *job)
{
    struct cfs_remote_attributes *told = &job->call.result.attributes;
    const struct cfs_own *own = cfs_own_find(&job->behind->own, job->path);
    if (!own || !own->made || own->pending == 0 || !told->valid)
        return;
    told->mode = own->attributes.mode;
    told->atime = own->attributes.atime;
    told->mtime = own->attributes.mtime;
}

/* Another file has its name by now. */
static void close_stale(struct cfs_job *job)
{
    job->is_stale = true;
    cfs_job_hand_down(job, close, job->call.result.file);
}

static bool was_opened(struct cfs_job *job)
{
    struct cfs_behind *behind = job->behind;
    struct cfs_behind_file *file = job->file;
    if (must_try_again(job))
        return true;
    if (job->is_stale)
        job->call.error = -ESTALE;
    if (job->call.error < 0)
        return false;
    if (job->puts) {
        struct cfs_remote_attributes made = job->call.result.attributes;
        made.valid &= ~(job->attributes.valid & CFS_REMOTE_TIMES); /* the server's clock did not make these */
        learn_of_made(job, &made);
        return false;
    }
    if (job->is_late && !cfs_open_is_as_put(job)) {
        close_stale(job);
        return true;
    }
    bool made = (job->flags & (O_CREAT | O_EXCL)) == (O_CREAT | O_EXCL) || (job->vouched && !job->tried);
    if (!job->is_late) {
        file->is_new = made || job->flags & O_TRUNC;
        file->base = job->call.result.attributes;
    }
    file->lower = job->call.result.file;
    job->call.result.file = (struct cfs_remote_file *)(void *)file;
    if (job->is_late)
        ; /* nothing new */
    else if (made)
        learn_of_made(job, &job->call.result.attributes);
    else if (job->own && job->own->path)
        opened_anothers(job);
    else if (job->flags & O_TRUNC || (job->flags & O_ACCMODE) != O_RDONLY)
        cfs_own_forget(&behind->own, job->path); /* what is known of it is not certain any more */
    else
        show_foreseen(job);
    if (!job->early) {
        cfs_list_push_back(&behind->files, &file->link);
        file->ready = true;
        return false;
    }
    cfs_cache_call_init(&file->drain, &behind->core, NULL, NULL);
    cfs_cache_call_post(&file->drain, cfs_behind_file_drain);
    return true;
}

/* An open file that could not be made: all that is done with it fails as that did. */
static void give_up(struct cfs_behind_file *file, int error)
{
    struct cfs_list *link;
    file->being_made = false;
    file->error = error;
    while ((link = cfs_list_pop_front(&file->deferred))) {
        struct cfs_on_file *call = cfs_container_of(link, struct cfs_on_file, link);
        file->uses -= !call->call.upper; /* the job is another use */
        cfs_cache_call_finish_later(&call->call, error);
    }
}

/* Nobody will be told by flush or close. */
static bool is_unheard(const struct cfs_behind_file *file)
{
    const struct cfs_list *link;
    cfs_list_each (link, &file->deferred) {
        if (cfs_container_of(link, const struct cfs_on_file, link)->call.upper)
            return false;
    }
    return file->closing;
}

static void settle_open(struct cfs_job *job, int error)
{
    struct cfs_behind *behind = job->behind;
    if (job->file && job->file->making == job)
        job->file->making = NULL;
    if (error == 0 && job->puts)
        cfs_open_settle_put(job);
    if (error == 0)
        return;
    if (!job->early) {
        struct cfs_behind_file *file = CFS_TAKE(job->file);
        cfs_behind_file_free(file);
        return;
    }
    if (job->is_late) {
        give_up(job->file, error == -ENOENT ? -ESTALE : error);
        return;
    }
    const char *path = job->own && job->own->path ? job->own->path : job->path;
    if (behind->closes_at_once || is_unheard(job->file))
        cfs_failure_note(behind, path, "the file could not be made", error);
    cfs_behind_tell(behind, path, true);
    if (strcmp(path, job->path) != 0)
        cfs_behind_tell(behind, job->path, true);
    give_up(job->file, error);
    if (job->own && job->own->path)
        cfs_own_forget(&behind->own, job->own->path);
}

const struct cfs_job_actions cfs_open_actions = {.run = run_open, .ended = was_opened, .settle = settle_open};

/* rsync opens what it has written to set its mode and times. What is on its way cannot have been changed by others: so
 * nothing is missed that an open must see. */
static bool may_be_lazy(struct cfs_job *job)
{
    struct cfs_behind *behind = job->behind;
    struct cfs_behind_file *file = job->file;
    bool only_reads = (job->flags & (O_ACCMODE | O_CREAT | O_TRUNC)) == O_RDONLY;
    struct cfs_own *own = only_reads ? cfs_own_find(&behind->own, job->path) : NULL;
    if (!own || !own->made || own->pending == 0 || !S_ISREG(own->attributes.mode) ||
        !(own->attributes.mode & S_IRUSR) || !cfs_own_is_known(&behind->own, own))
        return false;
    own_file(file, own);
    file->lazy = true;
    cfs_list_push_back(&behind->files, &file->link);
    job->waiting->call.upper->result.attributes = own->attributes;
    job->waiting->call.upper->result.file = (struct cfs_remote_file *)(void *)CFS_TAKE(job->file);
    return true;
}

static enum cfs_job_answer how_to_open(struct cfs_job *job)
{
    struct cfs_behind *behind = job->behind;
    if (job->flags & (O_TRUNC | O_EXCL))
        cfs_failure_forget(behind, job->path);
    else if (!job->vouched)
        job->answer = cfs_failure_tell(behind, job->path);
    if (job->answer < 0) {
        cfs_behind_file_free(CFS_TAKE(job->file));
        return CFS_JOB_DONE;
    }
    if (may_be_lazy(job))
        return CFS_JOB_DONE;
    const struct cfs_own *folder = cfs_own_folder_of(&behind->own, job->path);
    if (!job->vouched || !(job->flags & O_CREAT) || !folder)
        return CFS_JOB_WAITS;
    bool is_held = !behind->closes_at_once;
    if (is_held && !cfs_open_may_be_held(job, folder))
        return CFS_JOB_WAITS;
    struct cfs_remote_attributes foreseen;
    cfs_own_foresee(&behind->own, folder, S_IFREG | job->mode, &foreseen);
    cfs_own_forget(&behind->own, job->path);
    struct cfs_own *own = cfs_own_enter(&behind->own, job->path);
    if (!own)
        return CFS_JOB_WAITS;
    own->made = true;
    own->attributes = foreseen;
    cfs_job_own(job, own);
    own_file(job->file, own);
    job->file->being_made = job->file->is_new = true;
    job->file->making = job;
    job->plugged = is_held;
    cfs_list_push_back(&behind->files, &job->file->link);
    job->waiting->call.upper->result.attributes = foreseen;
    job->waiting->call.upper->result.file = (struct cfs_remote_file *)(void *)job->file;
    return CFS_JOB_EARLY;
}

static void submit_open(struct cfs_behind *behind, struct cfs_remote_call *upper, const char *path, int flags,
                        mode_t mode, bool vouched)
{
    struct cfs_job *job = cfs_job_new(behind, upper, CFS_JOB_OPEN, path, NULL);
    if (!job)
        return;
    job->flags = flags;
    job->mode = mode;
    job->vouched = vouched;
    job->file = new_file(behind, path, flags);
    if (job->file) {
        cfs_job_enter(job, how_to_open);
    } else {
        cfs_cache_call_finish_later(&CFS_TAKE(job->waiting)->call, -ENOMEM);
        cfs_job_free(job);
    }
}

void cfs_behind_open(struct cfs_remote *remote, struct cfs_remote_call *upper, const char *path, int flags, mode_t mode)
{
    submit_open(cfs_behind_of(remote), upper, path, flags, mode, false);
}

void cfs_behind_open_vouched(struct cfs_remote *remote, struct cfs_remote_call *upper, const char *path, int flags,
                             mode_t mode)
{
    submit_open(cfs_behind_of(cfs_behind_main(remote)), upper, path, flags, mode, true);
}

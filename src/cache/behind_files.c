/* Open files. One that is being made has no handle yet: what is to be done with it is deferred, in order (drain), and
 * what is written to it completes at once. */
#include "base/log.h"
#include "cache/behind_priv.h"
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>

static const unsigned ALL = CFS_REMOTE_SIZE | CFS_REMOTE_OWNER | CFS_REMOTE_MODE | CFS_REMOTE_TIMES;

/* Of a larger file, not all may have been sent when it is flushed. */
enum { LEAST_WAITING_BYTES = 1 << 20, SHARE_OF_DIRTY = 4, MOST_LOOKED_AT = 1 << 20 };

/* A call on a file, perhaps deferred; or, without an upper call, a write that has been told to be done. */
struct on_file {
    struct cfs_cache_call call;
    struct cfs_list link; /* deferred */
    struct cfs_behind_file *file;
    struct cfs_behind_file *other;    /* copy: the target; or NULL */
    void (*go)(struct on_file *call); /* hands it down; without the lock */
    uint64_t offset;
    size_t length;
    void *destination;
    const void *data;
    void *copy; /* of the data */
    bool looks; /* flush: and asks what came of it */
};

static struct on_file *on_file_of(struct cfs_cache_call *call)
{
    return cfs_container_of(call, struct on_file, call);
}

/* --- names of open files --- */

void cfs_behind_files_renamed(struct cfs_behind *behind, const char *from, const char *to)
{
    struct cfs_list *link;
    cfs_list_each (link, &behind->files) {
        struct cfs_behind_file *file = cfs_container_of(link, struct cfs_behind_file, link);
        char *path = NULL;
        if (!file->path)
            continue;
        if (cfs_path_is_at_or_below(file->path, from)) {
            if (to && asprintf(&path, "%s%s", to, file->path + strlen(from)) < 0)
                path = NULL;
        } else if (!to || !cfs_path_is_at_or_below(file->path, to)) {
            continue;
        }
        free(file->path);
        file->path = path;
    }
}

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
    cfs_list_init(&file->link);
    cfs_list_init(&file->deferred);
    return file;
}

static void free_file(struct cfs_behind_file *file)
{
    cfs_list_remove(&file->link);
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

struct cfs_remote_file *cfs_behind_below(struct cfs_remote_file *file)
{
    const struct cfs_behind_file *open = cfs_behind_file_of(file);
    pthread_mutex_lock(&open->behind->lock);
    struct cfs_remote_file *lower = open->ready ? open->lower : NULL;
    pthread_mutex_unlock(&open->behind->lock);
    return lower;
}

/* --- files that are opened late --- */

static void give_up(struct cfs_behind_file *file, int error);

static void open_late(struct cfs_behind_file *file)
{
    struct cfs_behind *behind = file->behind;
    if (!file->lazy)
        return;
    file->lazy = false;
    file->being_made = true;
    struct cfs_job *job = file->path ? cfs_job_new(behind, NULL, CFS_JOB_OPEN, file->path, NULL) : NULL;
    if (!job) {
        give_up(file, file->path ? -ENOMEM : -ESTALE);
        return;
    }
    job->early = job->is_late = true;
    job->flags = file->flags;
    job->file = file;
    cfs_job_enter_locked(job);
}

void cfs_behind_files_open_late(struct cfs_behind *behind, const char *path)
{
    struct cfs_list *link;
    cfs_list_each (link, &behind->files) {
        struct cfs_behind_file *file = cfs_container_of(link, struct cfs_behind_file, link);
        if (file->lazy && file->path && strcmp(file->path, path) == 0)
            open_late(file);
    }
}

/* --- deferring --- */

static void release_on_file(struct cfs_cache_call *base)
{
    struct on_file *call = on_file_of(base);
    struct cfs_behind *behind = cfs_behind_of_core(base->cache);
    if (base->upper) {
        cfs_behind_file_called(call->file);
        if (call->other)
            cfs_behind_file_called(call->other);
    } else if (call->copy) {
        pthread_mutex_lock(&behind->lock);
        behind->waiting_bytes -= call->length;
        pthread_mutex_unlock(&behind->lock);
    }
    free(call->copy);
}

static void leave(struct cfs_cache_call *base)
{
    struct on_file *call = on_file_of(base);
    struct cfs_behind *behind = cfs_behind_of_core(base->cache);
    pthread_mutex_lock(&behind->lock);
    bool waits = !cfs_list_empty(&call->link);
    cfs_list_remove(&call->link);
    pthread_mutex_unlock(&behind->lock);
    if (waits)
        cfs_cache_call_finish_later(base, -EINTR);
}

/* With or without the lock. */
static struct on_file *new_own_on_file(struct cfs_behind_file *file, struct cfs_remote_call *upper,
                                       void (*go)(struct on_file *call))
{
    struct on_file *call = cfs_cache_call_new(&file->behind->core, upper, sizeof(*call), release_on_file);
    if (!call)
        return NULL;
    cfs_list_init(&call->link);
    call->file = file;
    call->go = go;
    return call;
}

/* NULL: answered. Without the lock. */
static struct on_file *new_on_file(struct cfs_behind_file *file, struct cfs_remote_call *upper,
                                   void (*go)(struct on_file *call))
{
    struct on_file *call = new_own_on_file(file, upper, go);
    if (!call)
        return NULL;
    pthread_mutex_lock(&file->behind->lock);
    file->callers++;
    pthread_mutex_unlock(&file->behind->lock);
    return call;
}

/* Under the call's lock and ours. True: it was deferred, or answered. */
static bool defer(struct on_file *call)
{
    struct cfs_behind_file *file = call->file;
    open_late(file);
    if (file->ready)
        return false;
    if (!file->being_made) {
        cfs_cache_call_finish_later(&call->call, file->error);
    } else if (call->call.cancelled) {
        cfs_cache_call_finish_later(&call->call, -EINTR);
    } else {
        call->call.cancel_wait = leave;
        cfs_list_push_back(&file->deferred, &call->link);
    }
    return true;
}

static void enter(struct on_file *call)
{
    struct cfs_behind *behind = call->file->behind;
    cfs_cache_call_lock(&call->call);
    pthread_mutex_lock(&behind->lock);
    bool deferred = defer(call);
    pthread_mutex_unlock(&behind->lock);
    cfs_cache_call_unlock(&call->call);
    if (!deferred)
        call->go(call);
}

/* On the loop: what was deferred goes down in the order in which it came; then the file is as any other. */
static void drain(struct cfs_cache_call *base)
{
    struct cfs_behind_file *file = cfs_container_of(base, struct cfs_behind_file, drain);
    struct cfs_behind *behind = file->behind;
    struct cfs_list *link;
    pthread_mutex_lock(&behind->lock);
    while ((link = cfs_list_pop_front(&file->deferred))) {
        struct on_file *call = cfs_container_of(link, struct on_file, link);
        pthread_mutex_unlock(&behind->lock);
        call->go(call);
        pthread_mutex_lock(&behind->lock);
    }
    file->being_made = false;
    file->ready = true;
    struct cfs_job *job = cfs_list_first(&behind->jobs, struct cfs_job, link);
    while (job->file != file || job->kind != CFS_JOB_OPEN)
        job = cfs_container_of(job->link.next, struct cfs_job, link);
    cfs_job_end(job, 0);
    pthread_mutex_unlock(&behind->lock);
    cfs_cache_call_finish(base, 0);
}

/* --- open --- */

static void run_open(struct cfs_job *job)
{
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

static bool was_opened(struct cfs_job *job)
{
    struct cfs_behind *behind = job->behind;
    struct cfs_behind_file *file = job->file;
    if (must_try_again(job))
        return true;
    if (job->call.error < 0)
        return false;
    bool made = (job->flags & (O_CREAT | O_EXCL)) == (O_CREAT | O_EXCL) || (job->vouched && !job->tried);
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
    cfs_cache_call_post(&file->drain, drain);
    return true;
}

/* An open file that could not be made: all that is done with it fails as that did. */
static void give_up(struct cfs_behind_file *file, int error)
{
    struct cfs_list *link;
    file->being_made = false;
    file->error = error;
    while ((link = cfs_list_pop_front(&file->deferred))) {
        struct on_file *call = cfs_container_of(link, struct on_file, link);
        file->uses -= !call->call.upper; /* the job is another use */
        cfs_cache_call_finish_later(&call->call, error);
    }
}

static void settle_open(struct cfs_job *job, int error)
{
    struct cfs_behind *behind = job->behind;
    if (error == 0)
        return;
    if (!job->early) {
        struct cfs_behind_file *file = CFS_TAKE(job->file);
        free_file(file);
        return;
    }
    if (job->is_late) {
        give_up(job->file, error == -ENOENT ? -ESTALE : error);
        return;
    }
    const char *path = job->own && job->own->path ? job->own->path : job->path;
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
        free_file(CFS_TAKE(job->file));
        return CFS_JOB_DONE;
    }
    if (may_be_lazy(job))
        return CFS_JOB_DONE;
    const struct cfs_own *folder = cfs_own_folder_of(&behind->own, job->path);
    if (!behind->closes_at_once || !job->vouched || !(job->flags & O_CREAT) || !folder)
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
    job->file->being_made = true;
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

/* --- reading and writing --- */

static void go_read(struct on_file *call)
{
    cfs_cache_call_submit(&call->call, cfs_cache_call_pass, read, call->file->lower, call->offset, call->length,
                          call->destination);
}

void cfs_behind_read(struct cfs_remote *remote, struct cfs_remote_call *upper, struct cfs_remote_file *file,
                     uint64_t offset, size_t length, void *destination)
{
    (void)remote;
    struct on_file *call = new_on_file(cfs_behind_file_of(file), upper, go_read);
    if (!call)
        return;
    call->offset = offset;
    call->length = length;
    call->destination = destination;
    enter(call);
}

/* The outcome of a write that was told to be done. */
static void written_behind(struct cfs_cache_call *base)
{
    struct on_file *call = on_file_of(base);
    struct cfs_behind_file *file = call->file;
    struct cfs_behind *behind = file->behind;
    int error = base->lower.error;
    pthread_mutex_lock(&behind->lock);
    if (error < 0) {
        file->error = error;
        cfs_failure_note(behind, file->path, "what was written could not be put on the server", error);
    }
    cfs_behind_file_put(file);
    pthread_mutex_unlock(&behind->lock);
    cfs_cache_call_finish(base, 0);
}

static void go_write(struct on_file *call)
{
    cfs_cache_call_submit(&call->call, call->call.upper ? cfs_cache_call_pass : written_behind, write,
                          call->file->lower, call->offset, call->length, call->data);
}

static bool has_room(const struct cfs_behind *behind, size_t length)
{
    uint64_t limit = behind->core.options.dirty_limit / SHARE_OF_DIRTY;
    return behind->waiting_bytes + length <= (limit > LEAST_WAITING_BYTES ? limit : LEAST_WAITING_BYTES);
}

/* A write to a file that is being made. Under the locks. */
static void defer_write(struct on_file *call)
{
    struct cfs_behind_file *file = call->file;
    struct on_file *behind = has_room(file->behind, call->length) ? new_own_on_file(file, NULL, go_write) : NULL;
    void *copy = malloc(call->length);
    if (!copy) {
        if (behind)
            cfs_cache_call_finish_later(&behind->call, 0);
        cfs_cache_call_finish_later(&call->call, -ENOMEM);
        return;
    }
    memcpy(copy, call->data, call->length);
    struct on_file *keeper = behind ? behind : call;
    keeper->copy = copy;
    keeper->data = copy;
    if (!behind) {
        (void)defer(call);
        return;
    }
    behind->offset = call->offset;
    behind->length = call->length;
    file->behind->waiting_bytes += call->length;
    file->uses++;
    cfs_list_push_back(&file->deferred, &behind->link);
    cfs_cache_call_finish_later(&call->call, 0);
}

void cfs_behind_write(struct cfs_remote *remote, struct cfs_remote_call *upper, struct cfs_remote_file *file,
                      uint64_t offset, size_t length, const void *data)
{
    (void)remote;
    struct cfs_behind_file *open = cfs_behind_file_of(file);
    struct cfs_behind *behind = open->behind;
    struct on_file *call = new_on_file(open, upper, go_write);
    if (!call)
        return;
    call->offset = offset;
    call->length = length;
    call->data = data;
    bool sane = (open->flags & O_ACCMODE) != O_RDONLY && offset <= INT64_MAX && length <= INT64_MAX - offset;
    cfs_cache_call_lock(&call->call);
    pthread_mutex_lock(&behind->lock);
    bool goes_down = open->ready;
    bool only_reads = (open->flags & O_ACCMODE) == O_RDONLY;
    if (sane && length > 0) {
        open->written = true;
        if (open->own)
            cfs_own_written(&behind->own, open->own, offset + length); /* until it has been looked at */
    }
    if (!goes_down && open->being_made && sane && length > 0 && !call->call.cancelled)
        defer_write(call);
    else if (!goes_down)
        cfs_cache_call_finish_later(&call->call, only_reads             ? -EBADF
                                                 : !open->being_made    ? open->error
                                                 : call->call.cancelled ? -EINTR
                                                 : sane                 ? 0
                                                                        : -EFBIG);
    pthread_mutex_unlock(&behind->lock);
    cfs_cache_call_unlock(&call->call);
    if (goes_down)
        go_write(call);
}

void cfs_behind_copy(struct cfs_remote *remote, struct cfs_remote_call *upper, struct cfs_remote_file *from,
                     uint64_t from_offset, struct cfs_remote_file *to, uint64_t to_offset, size_t length)
{
    struct cfs_behind *behind = cfs_behind_of(remote);
    struct cfs_behind_file *source = cfs_behind_file_of(from), *target = cfs_behind_file_of(to);
    struct on_file *call = new_on_file(source, upper, NULL);
    if (!call)
        return;
    call->other = target;
    pthread_mutex_lock(&behind->lock);
    open_late(source);
    bool ready = source->ready && target->ready;
    target->callers++;
    target->written = true;
    if (target->own && target->own->path) /* how long it becomes is not known */
        cfs_own_forget(&behind->own, target->own->path);
    pthread_mutex_unlock(&behind->lock);
    if (ready)
        cfs_cache_call_submit(&call->call, cfs_cache_call_pass, copy, source->lower, from_offset, target->lower,
                              to_offset, length);
    else
        cfs_cache_call_finish_later(&call->call, -EOPNOTSUPP); /* not on the server yet */
}

/* --- attributes --- */

static void go_fstat(struct on_file *call)
{
    cfs_cache_call_submit(&call->call, cfs_cache_call_pass, fstat, call->file->lower);
}

void cfs_behind_fstat(struct cfs_remote *remote, struct cfs_remote_call *upper, struct cfs_remote_file *file)
{
    (void)remote;
    struct cfs_behind_file *open = cfs_behind_file_of(file);
    struct cfs_behind *behind = open->behind;
    struct on_file *call = new_on_file(open, upper, go_fstat);
    if (!call)
        return;
    pthread_mutex_lock(&behind->lock);
    const struct cfs_own *own = open->own;
    bool known = own && own->made && (own->pending > 0 || (open->lazy && cfs_own_is_known(&behind->own, own)));
    if (known)
        upper->result.attributes = own->attributes;
    pthread_mutex_unlock(&behind->lock);
    if (known)
        cfs_cache_call_finish_later(&call->call, 0);
    else
        enter(call);
}

static void go_find_end(struct on_file *call)
{
    struct cfs_remote *lower = call->file->behind->core.lower;
    if (lower->operations->find_end)
        cfs_cache_call_submit(&call->call, cfs_cache_call_pass, find_end, call->file->lower);
    else
        go_fstat(call);
}

void cfs_behind_find_end(struct cfs_remote *remote, struct cfs_remote_call *upper, struct cfs_remote_file *file)
{
    (void)remote;
    struct cfs_behind_file *open = cfs_behind_file_of(file);
    struct cfs_behind *behind = open->behind;
    struct on_file *call = new_on_file(open, upper, go_find_end);
    if (!call)
        return;
    pthread_mutex_lock(&behind->lock);
    bool known = open->being_made && open->own && open->own->made;
    if (known)
        upper->result.attributes =
            (struct cfs_remote_attributes){.valid = CFS_REMOTE_SIZE, .size = open->own->attributes.size};
    pthread_mutex_unlock(&behind->lock);
    if (known)
        cfs_cache_call_finish_later(&call->call, 0);
    else
        enter(call);
}

/* A job on FILE, by the name that it has now. NULL: answered. */
static struct cfs_job *new_job(struct cfs_behind_file *file, struct cfs_remote_call *upper, enum cfs_job_kind kind)
{
    struct cfs_behind *behind = file->behind;
    pthread_mutex_lock(&behind->lock);
    struct cfs_job *job = cfs_job_new(behind, upper, kind, file->path, NULL);
    if (job) {
        job->file = job->waiting->file = file;
        file->callers++;
    }
    pthread_mutex_unlock(&behind->lock);
    return job;
}

void cfs_behind_fsetattr(struct cfs_remote *remote, struct cfs_remote_call *upper, struct cfs_remote_file *file,
                         const struct cfs_remote_attributes *attributes)
{
    (void)remote;
    struct cfs_job *job = new_job(cfs_behind_file_of(file), upper, CFS_JOB_SETATTR);
    if (!job)
        return;
    job->attributes = *attributes;
    cfs_job_enter(job, cfs_setattr_how);
}

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
    struct cfs_behind_file *file = on_file_of(base)->file;
    pthread_mutex_lock(&file->behind->lock);
    int error = take_error(file);
    pthread_mutex_unlock(&file->behind->lock);
    cfs_cache_call_finish(base, base->lower.error ? base->lower.error : error);
}

/* The time that the file has got by what was written. The handle is asked behind the writes, so this costs no round
 * trip; the programs that write files look at them, or set their times, right after close. */
static void looked_after_flush(struct cfs_cache_call *base)
{
    struct on_file *call = on_file_of(base);
    struct cfs_behind_file *file = call->file;
    struct cfs_behind *behind = file->behind;
    const struct cfs_remote_attributes *attributes = &base->lower.result.attributes;
    pthread_mutex_lock(&behind->lock);
    if (base->lower.error == 0 && file->own && file->own->made && !file->written &&
        attributes->size == file->own->attributes.size)
        cfs_own_looked(&behind->own, file->own, attributes);
    cfs_behind_file_put(file);
    pthread_mutex_unlock(&behind->lock);
    cfs_cache_call_finish(base, 0);
}

/* It uses the file from now on: the caller's use may end while the flush is submitted. */
static struct on_file *new_look(struct cfs_behind_file *file)
{
    struct on_file *look = new_own_on_file(file, NULL, NULL);
    if (!look)
        return NULL;
    pthread_mutex_lock(&file->behind->lock);
    file->uses++;
    pthread_mutex_unlock(&file->behind->lock);
    return look;
}

static void go_flush(struct on_file *call)
{
    struct cfs_behind_file *file = call->file;
    bool looks = call->looks;
    struct on_file *look = looks ? new_look(file) : NULL;
    cfs_cache_call_submit(&call->call, told, flush, file->lower);
    if (look)
        cfs_cache_call_submit(&look->call, looked_after_flush, fstat, file->lower);
}

static enum cfs_job_answer how_to_flush(struct cfs_job *job)
{
    struct cfs_behind_file *file = job->file;
    job->answer = take_error(file);
    if (!file->written)
        return CFS_JOB_DONE;
    file->written = false;
    if (file->own)
        cfs_job_own(job, file->own);
    return CFS_JOB_EARLY;
}

void cfs_behind_flush(struct cfs_remote *remote, struct cfs_remote_call *upper, struct cfs_remote_file *file)
{
    struct cfs_behind *behind = cfs_behind_of(remote);
    struct cfs_behind_file *open = cfs_behind_file_of(file);
    if (behind->closes_at_once) {
        struct cfs_job *job = new_job(open, upper, CFS_JOB_FLUSH);
        if (job)
            cfs_job_enter(job, how_to_flush);
        return;
    }
    struct on_file *call = new_on_file(open, upper, go_flush);
    if (!call)
        return;
    pthread_mutex_lock(&behind->lock);
    call->looks = open->written && open->own && open->own->made && open->own->attributes.size <= MOST_LOOKED_AT;
    open->written = false;
    pthread_mutex_unlock(&behind->lock);
    enter(call);
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
    open_late(cfs_behind_file_of(file));
    pthread_mutex_unlock(&behind->lock);
    struct cfs_job *job = new_job(cfs_behind_file_of(file), upper, CFS_JOB_FSYNC);
    if (job)
        cfs_job_enter(job, NULL);
}

/* --- close: when what is on its way for the file has ended --- */

static void release_closed(struct cfs_behind_file *file)
{
    struct cfs_behind *behind = file->behind;
    pthread_mutex_lock(&behind->lock);
    if (--file->parts == 0)
        free_file(file);
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
    if (error < 0 && behind->closes_at_once)
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
    file->parts = at_once ? 2 : 1;
    cfs_cache_call_init(&file->close, &behind->core, at_once ? NULL : upper, release_close);
    if (at_once) {
        cfs_cache_call_init(&file->answer, &behind->core, upper, release_answer);
        file->answering = true;
        if (file->written)
            flush_closing(file);
        answer_unless_called(file);
    }
    file->closing = true;
    close_unless_used(file);
    pthread_mutex_unlock(&behind->lock);
}

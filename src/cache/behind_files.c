/* Calls on open files. One that is being made has no handle yet: what is to be done with it is deferred, in order
 * (cfs_behind_file_drain), and what is written to it completes at once. */
#include "cache/behind_file_priv.h"
#include <errno.h>
#include <fcntl.h>
#include <string.h>

enum { LEAST_WAITING_BYTES = 1 << 20, SHARE_OF_DIRTY = 4 };

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

struct cfs_remote_file *cfs_behind_below(struct cfs_remote_file *file)
{
    const struct cfs_behind_file *open = cfs_behind_file_of(file);
    pthread_mutex_lock(&open->behind->lock);
    struct cfs_remote_file *lower = open->ready ? open->lower : NULL;
    pthread_mutex_unlock(&open->behind->lock);
    return lower;
}

/* --- deferring --- */

static void release_on_file(struct cfs_cache_call *base)
{
    struct cfs_on_file *call = cfs_on_file_of(base);
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
    struct cfs_on_file *call = cfs_on_file_of(base);
    struct cfs_behind *behind = cfs_behind_of_core(base->cache);
    pthread_mutex_lock(&behind->lock);
    bool waits = !cfs_list_empty(&call->link);
    cfs_list_remove(&call->link);
    pthread_mutex_unlock(&behind->lock);
    if (waits)
        cfs_cache_call_finish_later(base, -EINTR);
}

/* With or without the lock. */
struct cfs_on_file *cfs_on_file_new_own(struct cfs_behind_file *file, struct cfs_remote_call *upper,
                                        void (*go)(struct cfs_on_file *call))
{
    struct cfs_on_file *call = cfs_cache_call_new(&file->behind->core, upper, sizeof(*call), release_on_file);
    if (!call)
        return NULL;
    cfs_list_init(&call->link);
    call->file = file;
    call->go = go;
    return call;
}

/* NULL: answered. Without the lock. */
struct cfs_on_file *cfs_on_file_new(struct cfs_behind_file *file, struct cfs_remote_call *upper,
                                    void (*go)(struct cfs_on_file *call))
{
    struct cfs_on_file *call = cfs_on_file_new_own(file, upper, go);
    if (!call)
        return NULL;
    pthread_mutex_lock(&file->behind->lock);
    file->callers++;
    pthread_mutex_unlock(&file->behind->lock);
    return call;
}

/* Until FILE has its handle. Under the call's lock and ours. True: it was deferred, or answered. */
static bool defer_on(struct cfs_on_file *call, struct cfs_behind_file *file)
{
    cfs_behind_file_open_late(file);
    if (cfs_open_is_held(file->making) && call->flushes)
        cfs_open_put(file->making);
    else if (cfs_open_is_held(file->making))
        cfs_open_let_go(file->making);
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

static bool defer(struct cfs_on_file *call)
{
    return defer_on(call, call->file);
}

static void enter_on(struct cfs_on_file *call, struct cfs_behind_file *file)
{
    struct cfs_behind *behind = file->behind;
    cfs_cache_call_lock(&call->call);
    pthread_mutex_lock(&behind->lock);
    bool deferred = defer_on(call, file);
    pthread_mutex_unlock(&behind->lock);
    cfs_cache_call_unlock(&call->call);
    if (!deferred)
        call->go(call);
}

void cfs_on_file_enter(struct cfs_on_file *call)
{
    enter_on(call, call->file);
}

/* On the loop: what was deferred goes down in the order in which it came; then the file is as any other. */
void cfs_behind_file_drain(struct cfs_cache_call *base)
{
    struct cfs_behind_file *file = cfs_container_of(base, struct cfs_behind_file, drain);
    struct cfs_behind *behind = file->behind;
    struct cfs_list *link;
    pthread_mutex_lock(&behind->lock);
    while ((link = cfs_list_pop_front(&file->deferred))) {
        struct cfs_on_file *call = cfs_container_of(link, struct cfs_on_file, link);
        file->going += !call->call.upper;
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

/* --- reading and writing --- */

static void go_read(struct cfs_on_file *call)
{
    cfs_cache_call_submit(&call->call, cfs_cache_call_pass, read, call->file->lower, call->offset, call->length,
                          call->destination);
}

void cfs_behind_read(struct cfs_remote *remote, struct cfs_remote_call *upper, struct cfs_remote_file *file,
                     uint64_t offset, size_t length, void *destination)
{
    (void)remote;
    struct cfs_on_file *call = cfs_on_file_new(cfs_behind_file_of(file), upper, go_read);
    if (!call)
        return;
    call->offset = offset;
    call->length = length;
    call->destination = destination;
    cfs_on_file_enter(call);
}

/* The outcome of a write that was told to be done. */
static void written_behind(struct cfs_cache_call *base)
{
    struct cfs_on_file *call = cfs_on_file_of(base);
    struct cfs_behind_file *file = call->file;
    struct cfs_behind *behind = file->behind;
    int error = base->lower.error;
    pthread_mutex_lock(&behind->lock);
    file->going--;
    if (error < 0) {
        file->error = error;
        if (behind->closes_at_once) /* else flush tells it */
            cfs_failure_note(behind, file->path, "what was written could not be put on the server", error);
    }
    cfs_behind_file_put(file);
    pthread_mutex_unlock(&behind->lock);
    cfs_cache_call_finish(base, 0);
}

/* A flush may have come while it was on its way down, and have known nothing of these bytes. */
static void written(struct cfs_cache_call *base)
{
    struct cfs_behind_file *file = cfs_on_file_of(base)->file;
    pthread_mutex_lock(&file->behind->lock);
    if (base->lower.error == 0)
        file->written = file->log_lacks = true;
    pthread_mutex_unlock(&file->behind->lock);
    cfs_cache_call_pass(base);
}

static void go_write(struct cfs_on_file *call)
{
    cfs_cache_call_submit(&call->call, call->call.upper ? written : written_behind, write, call->file->lower,
                          call->offset, call->length, call->data);
}

static bool has_room(const struct cfs_behind *behind, size_t length)
{
    uint64_t limit = behind->core.options.dirty_limit / SHARE_OF_DIRTY;
    return behind->waiting_bytes + length <= (limit > LEAST_WAITING_BYTES ? limit : LEAST_WAITING_BYTES);
}

/* A write to a file that is being made. Under the locks. */
static void defer_write(struct cfs_on_file *call)
{
    struct cfs_behind_file *file = call->file;
    struct cfs_on_file *behind =
        has_room(file->behind, call->length) ? cfs_on_file_new_own(file, NULL, go_write) : NULL;
    void *copy = malloc(call->length);
    if (!copy) {
        if (behind)
            cfs_cache_call_finish_later(&behind->call, 0);
        cfs_cache_call_finish_later(&call->call, -ENOMEM);
        return;
    }
    memcpy(copy, call->data, call->length);
    struct cfs_on_file *keeper = behind ? behind : call;
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
    if (cfs_open_is_held(file->making))
        cfs_open_held_written(file->making, behind->offset + behind->length);
}

void cfs_behind_write(struct cfs_remote *remote, struct cfs_remote_call *upper, struct cfs_remote_file *file,
                      uint64_t offset, size_t length, const void *data)
{
    (void)remote;
    struct cfs_behind_file *open = cfs_behind_file_of(file);
    struct cfs_behind *behind = open->behind;
    struct cfs_on_file *call = cfs_on_file_new(open, upper, go_write);
    if (!call)
        return;
    call->offset = offset;
    call->length = length;
    call->data = data;
    bool sane = (open->flags & O_ACCMODE) != O_RDONLY && offset <= INT64_MAX && length <= INT64_MAX - offset;
    cfs_cache_call_lock(&call->call);
    pthread_mutex_lock(&behind->lock);
    bool only_reads = (open->flags & O_ACCMODE) == O_RDONLY;
    if (!only_reads)
        cfs_behind_file_open_late(open);
    bool goes_down = open->ready;
    if (sane && length > 0) {
        bool was_there = !open->is_new && (!(open->base.valid & CFS_REMOTE_SIZE) || offset < open->base.size);
        open->rewrites |= was_there || offset < open->wrote_to;
        open->wrote_to = offset + length > open->wrote_to ? offset + length : open->wrote_to;
        open->written = open->log_lacks = true;
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

static void go_copy(struct cfs_on_file *call)
{
    cfs_cache_call_submit(&call->call, cfs_cache_call_pass, copy, call->file->lower, call->offset, call->other->lower,
                          call->other_offset, call->length);
}

/* The source has its handle. */
static void go_to_target(struct cfs_on_file *call)
{
    call->go = go_copy;
    enter_on(call, call->other);
}

void cfs_behind_copy(struct cfs_remote *remote, struct cfs_remote_call *upper, struct cfs_remote_file *from,
                     uint64_t from_offset, struct cfs_remote_file *to, uint64_t to_offset, size_t length)
{
    struct cfs_behind *behind = cfs_behind_of(remote);
    struct cfs_behind_file *source = cfs_behind_file_of(from), *target = cfs_behind_file_of(to);
    struct cfs_on_file *call = cfs_on_file_new(source, upper, go_to_target);
    if (!call)
        return;
    call->other = target;
    call->offset = from_offset;
    call->other_offset = to_offset;
    call->length = length;
    pthread_mutex_lock(&behind->lock);
    cfs_behind_file_open_late(source);
    bool waits = behind->closes_at_once && !(source->ready && target->ready);
    target->callers++;
    target->written = true;
    if (target->own && target->own->path) /* how long it becomes is not known */
        cfs_own_forget(&behind->own, target->own->path);
    pthread_mutex_unlock(&behind->lock);
    if (waits)
        cfs_cache_call_finish_later(&call->call, -EOPNOTSUPP); /* not on the server yet: the bytes are here */
    else
        cfs_on_file_enter(call);
}

/* --- attributes --- */

static void go_fstat(struct cfs_on_file *call)
{
    cfs_cache_call_submit(&call->call, cfs_cache_call_pass, fstat, call->file->lower);
}

void cfs_behind_fstat(struct cfs_remote *remote, struct cfs_remote_call *upper, struct cfs_remote_file *file)
{
    (void)remote;
    struct cfs_behind_file *open = cfs_behind_file_of(file);
    struct cfs_behind *behind = open->behind;
    struct cfs_on_file *call = cfs_on_file_new(open, upper, go_fstat);
    if (!call)
        return;
    pthread_mutex_lock(&behind->lock);
    const struct cfs_own *own = open->own;
    bool known = own && own->made && (own->pending > 0 || (open->lazy && cfs_own_is_known(&behind->own, own)));
    if (known)
        cfs_own_tell(&behind->own, own, &upper->result.attributes);
    pthread_mutex_unlock(&behind->lock);
    if (known)
        cfs_cache_call_finish_later(&call->call, 0);
    else
        cfs_on_file_enter(call);
}

static void go_find_end(struct cfs_on_file *call)
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
    struct cfs_on_file *call = cfs_on_file_new(open, upper, go_find_end);
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
        cfs_on_file_enter(call);
}

/* A job on FILE, by the name that it has now. NULL: answered. */
struct cfs_job *cfs_behind_file_job(struct cfs_behind_file *file, struct cfs_remote_call *upper, enum cfs_job_kind kind)
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
    struct cfs_job *job = cfs_behind_file_job(cfs_behind_file_of(file), upper, CFS_JOB_SETATTR);
    if (!job)
        return;
    job->attributes = *attributes;
    cfs_job_enter(job, cfs_setattr_how);
}

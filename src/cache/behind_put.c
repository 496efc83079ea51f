/* New files that are small go to the server complete (`put` of the remote below), where durability = close: a program
 * waits once, when it closes them.
 *
 * A file that is certain to be made is told to be open, and its OPEN is held: the job is plugged. What is written
 * collects (behind_files.c), modes and times that are set join the job. Flush and close put all of it. Anything else
 * that needs the file on the server - a job that waits for it, a read, more bytes than are worth it - lets go of it, as
 * does time: then it is opened as others are.
 *
 * A file that was put has no handle: it is lazy. Who goes on with it has it opened, and it must still look as we left
 * it: what was meant for it is never written into another file. (Who makes it read-only, closes one descriptor and
 * writes by another one gets EACCES.)
 *
 * What may be refused waits for the server: in a folder that we have not made, some minutes ago at most, O_EXCL may be
 * somebody's lock, which several machines want at once. */
#include "base/log.h"
#include "cache/behind_file_priv.h"
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>

enum { MOST_PUT = 256 * 1024, NEW_MS = 10 * 60 * 1000 };

bool cfs_open_may_be_held(const struct cfs_job *job, const struct cfs_own *folder)
{
    struct cfs_remote *lower = job->behind->core.lower;
    bool can = lower->operations->put && lower->operations->facts(lower)->capabilities & CFS_REMOTE_CAN_PUT &&
               job->behind->core.options.dirty_limit > 0;
    int access = job->flags & O_ACCMODE;
    /* It must be possible to open it again. */
    mode_t needed = access == O_RDWR ? S_IRUSR | S_IWUSR : S_IWUSR;
    if (!can || access == O_RDONLY || (job->mode & needed) != needed)
        return false;
    bool is_new = folder->made && cfs_clock_ms(job->behind->core.clock) - folder->made_ms < NEW_MS;
    return is_new || !(job->flags & O_EXCL);
}

bool cfs_open_is_held(const struct cfs_job *job)
{
    return job && job->kind == CFS_JOB_OPEN && job->plugged;
}

struct cfs_job *cfs_open_held_of(const struct cfs_behind *behind, const struct cfs_own *own)
{
    struct cfs_list *link;
    cfs_list_each (link, &behind->jobs) {
        struct cfs_job *job = cfs_container_of(link, struct cfs_job, link);
        if (job->own == own && cfs_open_is_held(job))
            return job;
    }
    return NULL;
}

/* What joined the open is a change of its own then. */
static void set_afterwards(struct cfs_job *job)
{
    struct cfs_behind *behind = job->behind;
    struct cfs_behind_file *file = job->file;
    struct cfs_remote_attributes attributes = job->attributes;
    job->attributes.valid = 0;
    if (attributes.valid == 0)
        return;
    struct cfs_job *set =
        cfs_behind_flush_first(file) ? cfs_job_new(behind, NULL, CFS_JOB_SETATTR, file->path, NULL) : NULL;
    if (!set) {
        cfs_failure_note(behind, file->path, "mode or times could not be set", -ENOMEM);
        return;
    }
    set->file = file;
    set->early = true;
    set->attributes = attributes;
    if (job->own)
        cfs_job_own(set, job->own);
    cfs_job_enter_locked(set);
}

void cfs_open_let_go(struct cfs_job *job)
{
    cfs_job_unplug(job);
    set_afterwards(job);
    cfs_jobs_start(job->behind);
}

/* All that was written, from its begin without gaps. False: it goes another way. */
static bool gather(struct cfs_job *job)
{
    struct cfs_behind_file *file = job->file;
    struct cfs_list *link;
    uint64_t end = 0;
    size_t count = 0;
    cfs_list_each (link, &file->deferred) {
        const struct cfs_on_file *call = cfs_container_of(link, const struct cfs_on_file, link);
        if (call->call.upper || call->offset != end)
            return false;
        end += call->length;
        count++;
    }
    uint8_t *data = end <= MOST_PUT ? malloc(end > 0 ? end : 1) : NULL;
    if (!data)
        return false;
    cfs_list_each (link, &file->deferred) {
        const struct cfs_on_file *call = cfs_container_of(link, const struct cfs_on_file, link);
        memcpy(data + call->offset, call->data, call->length);
    }
    job->data = data;
    job->length = end;
    job->writes = count;
    return true;
}

void cfs_open_put(struct cfs_job *job)
{
    if (!gather(job)) {
        cfs_open_let_go(job);
        return;
    }
    job->puts = true;
    job->file->written = false;
    cfs_job_unplug(job);
    cfs_jobs_start(job->behind);
}

void cfs_open_held_written(struct cfs_job *job, uint64_t end)
{
    job->attributes.valid &= ~(unsigned)CFS_REMOTE_TIMES; /* set before: now it has others */
    if (end > MOST_PUT)
        cfs_open_let_go(job);
}

void cfs_open_run_put(struct cfs_job *job)
{
    cfs_job_hand_down(job, put, job->path, job->flags | O_EXCL, job->mode, job->length, job->data, &job->attributes);
}

void cfs_open_no_put(struct cfs_job *job)
{
    job->puts = false;
    job->file->written = true;
    set_afterwards(job);
}

/* What is put is not deferred any more. */
static void drop_writes(struct cfs_job *job)
{
    struct cfs_behind_file *file = job->file;
    for (; job->writes > 0; job->writes--) {
        struct cfs_on_file *call = cfs_container_of(cfs_list_pop_front(&file->deferred), struct cfs_on_file, link);
        file->uses--; /* the job is another use */
        cfs_cache_call_finish_later(&call->call, 0);
    }
}

void cfs_open_settle_put(struct cfs_job *job)
{
    struct cfs_behind *behind = job->behind;
    struct cfs_behind_file *file = job->file;
    struct cfs_on_file *call;
    if (file->own && file->own->made && file->own->attributes.size == job->length)
        cfs_own_looked(&behind->own, file->own, &job->call.result.attributes);
    drop_writes(job);
    file->being_made = file->opens_late;
    file->lazy = !file->opens_late;
    file->was_put = true;
    if (file->opens_late && file->own)
        file->set_mtime = file->own->attributes.mtime;
    file->put_as = job->call.result.attributes;
    file->put_as.valid |= CFS_REMOTE_SIZE;
    file->put_as.size = job->length;
    while ((call = cfs_list_first(&file->deferred, struct cfs_on_file, link)) && call->flushes) {
        cfs_list_remove(&call->link);
        cfs_cache_call_finish_later(&call->call, 0);
    }
    if (call)
        cfs_behind_file_open_late(file);
}

/* The mtime may have been changed by us since, by name or by handle. Other changes of ours do not come before it is
 * opened (cfs_job_enter_locked). */
bool cfs_open_is_as_put(const struct cfs_job *job)
{
    const struct cfs_behind_file *file = job->file;
    const struct cfs_remote_attributes *is = &job->call.result.attributes;
    unsigned both = is->valid & file->put_as.valid;
    if (!file->was_put)
        return true;
    if (both & CFS_REMOTE_SIZE && is->size != file->put_as.size)
        return false;
    return !(both & CFS_REMOTE_TIMES) || is->mtime == file->put_as.mtime || (file->own && is->mtime == file->set_mtime);
}

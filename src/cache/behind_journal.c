/* What stands in the journal (journal.h) of what is on its way. Each job that a program was told to be done has its
 * record there, in the order in which they came, and is marked as done when the server has acknowledged it; the bytes
 * that were written come with the flush: those that the server has not acknowledged by then, from the files that are
 * being made, and from the dirty extents of the contents. So what a large file has brought to the server already is not
 * written to the local disk, too.
 *
 * What must always hold: when a flush is told to be done, all that it depends on is in the journal, on the disk, or on
 * the server. What could not be put there (no room, a failing disk) is counted until it has ended (`unlogged`);
 * meanwhile a flush waits for the server, which does all before it first.
 *
 * What fails because the server cannot be reached stays in the journal, for the next mount; unless its name is used for
 * something else before. */
#include "base/log.h"
#include "cache/behind_file_priv.h"
#include "cache/contents.h"
#include <errno.h>
#include <fcntl.h>
#include <string.h>

/* --- the bytes of a flush --- */

struct logging {
    struct cfs_behind *behind;
    uint64_t number;
    uint64_t size; /* what it takes there, at most */
    uint64_t end, arrived;
    bool adds; /* not only counts */
    uint32_t added;
    bool failed;
};

static void log_bytes(void *context, uint64_t offset, size_t length, const uint8_t *data)
{
    struct logging *logging = context;
    if (offset + length > logging->end)
        logging->end = offset + length;
    for (size_t at = 0; at < length; at += CFS_JOURNAL_MOST_DATA) {
        size_t left = length - at;
        struct cfs_journal_record record = {.type = CFS_JOURNAL_DATA,
                                            .number = logging->number,
                                            .offset = offset + at,
                                            .length = left < CFS_JOURNAL_MOST_DATA ? left : CFS_JOURNAL_MOST_DATA,
                                            .data = data + at};
        if (!logging->adds)
            logging->size += cfs_journal_size_of(&record);
        else if (!logging->failed && cfs_journal_add(logging->behind->journal, &record))
            logging->added++;
        else
            logging->failed = true;
    }
}

/* All that was written to FILE and is not known to be on the server, the older first. */
static void visit_bytes(const struct cfs_behind_file *file, struct logging *logging)
{
    const struct cfs_list *link;
    if (file->lower)
        logging->arrived = cfs_contents_visit_dirty(file->behind->core.lower, file->lower, log_bytes, logging);
    cfs_list_each (link, &file->deferred) {
        const struct cfs_on_file *call = cfs_container_of(link, const struct cfs_on_file, link);
        if (!call->call.upper && call->copy)
            log_bytes(logging, call->offset, call->length, call->data);
    }
}

/* As the change NUMBER. */
static bool log_file(struct cfs_behind_file *file, uint64_t number)
{
    struct cfs_behind *behind = file->behind;
    struct logging logging = {.behind = behind, .number = number};
    struct cfs_journal_record record = {.type = CFS_JOURNAL_FLUSH, .number = number, .path = file->path};
    if (file->going > 0) /* some of it is neither here nor there */
        return false;
    visit_bytes(file, &logging);
    if (!cfs_journal_has_room(behind->journal, logging.size + cfs_journal_size_of(&record)))
        return false;
    logging.adds = true;
    visit_bytes(file, &logging); /* fewer may be left by now */
    record.count = logging.added;
    record.arrived = logging.arrived;
    record.is_new = file->is_new;
    record.rewrites = file->rewrites;
    record.known = file->base;
    record.end = logging.end > file->wrote_to ? logging.end : file->wrote_to;
    if (file->own && file->own->made && file->own->attributes.size > record.end)
        record.end = file->own->attributes.size;
    record.mode = (file->own ? file->own->attributes.mode : file->base.mode) & 0777;
    record.server_time = cfs_own_server_time(&behind->own);
    if (!logging.failed && cfs_journal_add(behind->journal, &record)) {
        file->log_lacks = false;
        return true;
    }
    if (logging.added > 0 && number != file->logged_as)
        cfs_journal_done(behind->journal, number);
    return false;
}

static bool log_flush(struct cfs_job *job)
{
    struct cfs_behind_file *file = job->file;
    uint64_t before = file->logged_as, number = before > 0 ? before : cfs_journal_number(job->behind->journal);
    bool logged = (before > 0 && !file->log_lacks) || log_file(file, number);
    if (logged || before > 0)
        job->number = number;
    file->logged_as = 0;
    return logged;
}

/* Times are set behind what was written before. False: that could not be added. */
static bool log_written(const struct cfs_job *set)
{
    struct cfs_list *link;
    cfs_list_each (link, &set->behind->files) {
        struct cfs_behind_file *file = cfs_container_of(link, struct cfs_behind_file, link);
        if (!file->written || !file->log_lacks || !file->path || strcmp(file->path, set->path) != 0)
            continue;
        uint64_t number = file->logged_as > 0 ? file->logged_as : cfs_journal_number(set->behind->journal);
        if (!log_file(file, number))
            return false;
        file->logged_as = number;
    }
    return true;
}

/* --- the others --- */

static void fill(const struct cfs_job *job, struct cfs_journal_record *record)
{
    const struct cfs_own *own = job->own;
    switch (job->kind) {
    case CFS_JOB_OPEN:
        record->type = CFS_JOURNAL_MAKE;
        break;
    case CFS_JOB_MKDIR:
        record->type = CFS_JOURNAL_FOLDER;
        break;
    case CFS_JOB_RENAME:
        record->type = CFS_JOURNAL_RENAME;
        record->other = job->other;
        record->known = job->known;
        record->known_other = job->known_other;
        break;
    default:
        record->type = CFS_JOURNAL_SET;
        record->known = own ? own->attributes : record->known;
        break;
    }
    record->path = job->path;
    record->mode = job->mode & 07777;
    record->set = job->attributes;
    record->server_time = cfs_own_server_time(&job->behind->own);
}

static bool log_change(struct cfs_job *job)
{
    struct cfs_journal *journal = job->behind->journal;
    struct cfs_journal_record record = {.type = CFS_JOURNAL_SET};
    if (job->kind == CFS_JOB_SETATTR && !log_written(job))
        return false;
    fill(job, &record);
    record.number = job->number > 0 ? job->number : cfs_journal_number(journal);
    if (!cfs_journal_add(journal, &record))
        return false;
    job->number = record.number;
    return true;
}

static bool belongs_there(const struct cfs_job *job)
{
    switch (job->kind) {
    case CFS_JOB_OPEN:
        return job->early && !job->is_late;
    case CFS_JOB_FLUSH:
        return job->file->path != NULL;
    case CFS_JOB_MKDIR:
    case CFS_JOB_RENAME:
        return job->early;
    case CFS_JOB_SETATTR:
        return job->early && job->path;
    default:
        return false;
    }
}

/* Who waits for a flush is not told that it is done before it is. */
static bool is_logged(struct cfs_job *job)
{
    if (!job->behind->journal || job->waiting)
        return false;
    return job->kind == CFS_JOB_FLUSH ? log_flush(job) : log_change(job);
}

/* What was logged for this flush before is done when it is, however it comes about. */
static void take_logged(struct cfs_job *job)
{
    if (job->kind != CFS_JOB_FLUSH || job->number > 0 || (!job->waiting && job->file->path))
        return;
    job->number = job->file->logged_as;
    job->file->logged_as = 0;
}

void cfs_behind_log(struct cfs_job *job)
{
    struct cfs_behind *behind = job->behind;
    take_logged(job);
    if (!(behind->journal || behind->misses_journal) || job->log_tried || !belongs_there(job))
        return;
    job->log_tried = true;
    if (is_logged(job) || job->unlogged)
        return;
    job->unlogged = true;
    behind->unlogged++;
}

void cfs_behind_log_set(struct cfs_job *job, const struct cfs_remote_attributes *set)
{
    struct cfs_behind *behind = job->behind;
    struct cfs_journal *journal = behind->journal;
    if (!journal || job->unlogged || !job->path)
        return;
    if (!log_written(job)) {
        job->unlogged = true;
        behind->unlogged++;
        return;
    }
    struct cfs_journal_record record = {.type = CFS_JOURNAL_SET, .path = job->path, .set = *set};
    record.known = job->own ? job->own->attributes : record.known;
    record.number = job->number > 0 ? job->number : cfs_journal_number(journal);
    if (cfs_journal_add(journal, &record)) {
        job->number = record.number;
        return;
    }
    job->unlogged = true;
    behind->unlogged++;
}

bool cfs_behind_is_logged(const struct cfs_behind *behind)
{
    if (behind->misses_journal)
        return false;
    return !behind->journal || (behind->unlogged == 0 && cfs_journal_has_room(behind->journal, 0));
}

void cfs_behind_log_truncated(struct cfs_behind *behind, const char *path, uint64_t size)
{
    struct cfs_list *link;
    cfs_list_each (link, &behind->files) {
        struct cfs_behind_file *file = cfs_container_of(link, struct cfs_behind_file, link);
        if (!path || !file->path || strcmp(file->path, path) != 0)
            continue;
        file->base.size = size;
        file->base.valid &= ~(unsigned)CFS_REMOTE_TIMES;
        file->wrote_to = file->wrote_to < size ? file->wrote_to : size;
    }
}

void cfs_behind_log_closed(struct cfs_behind_file *file)
{
    if (file->logged_as > 0)
        cfs_journal_done(file->behind->journal, file->logged_as);
}

/* --- ending --- */

struct kept {
    struct cfs_list link;
    uint64_t number;
    char path[]; /* NUL-terminated */
};

/* False: no memory. */
static bool keep(struct cfs_behind *behind, const char *path, uint64_t number)
{
    size_t size = strlen(path) + 1;
    struct kept *kept = malloc(sizeof(*kept) + size);
    if (!kept)
        return false;
    kept->number = number;
    memcpy(kept->path, path, size);
    cfs_list_push_back(&behind->kept, &kept->link);
    cfs_log_warning("journal", "%s: the journal keeps what could not be done; the next mount tries again", path);
    return true;
}

void cfs_behind_log_end(struct cfs_job *job, int error)
{
    struct cfs_behind *behind = job->behind;
    behind->unlogged -= job->unlogged;
    if (job->number == 0)
        return;
    const char *path = job->file && job->file->path ? job->file->path : job->other ? job->other : job->path;
    if (!cfs_remote_outcome_is_unknown(error) || !path || !keep(behind, path, job->number))
        cfs_journal_done(behind->journal, job->number);
}

void cfs_behind_log_forget(struct cfs_behind *behind, const char *path)
{
    struct cfs_list *link, *following;
    cfs_list_each_safe (link, following, &behind->kept) {
        struct kept *kept = cfs_container_of(link, struct kept, link);
        if (strcmp(kept->path, path) != 0)
            continue;
        cfs_journal_done(behind->journal, kept->number);
        cfs_list_remove(link);
        free(kept);
    }
}

void cfs_behind_log_fini(struct cfs_behind *behind)
{
    struct cfs_list *link;
    while ((link = cfs_list_pop_front(&behind->kept)))
        free(cfs_container_of(link, struct kept, link));
}

/* --- waiting for the disk --- */

/* Then the server has to do. */
static void wait_for_server(struct cfs_waiting *waiting)
{
    struct cfs_behind_file *file = waiting->file;
    struct cfs_behind *behind = file->behind;
    cfs_cache_call_lock(&waiting->call);
    pthread_mutex_lock(&behind->lock);
    struct cfs_job *flush = cfs_job_new(behind, NULL, CFS_JOB_FLUSH, file->path, NULL);
    if (flush) {
        flush->file = file;
        cfs_job_enter_waiting(flush, waiting);
    } else {
        cfs_cache_call_finish_later(&waiting->call, -ENOMEM);
    }
    pthread_mutex_unlock(&behind->lock);
    cfs_cache_call_unlock(&waiting->call);
}

static void was_logged(struct cfs_journal_waiter *waiter, int error)
{
    struct cfs_waiting *waiting = cfs_container_of(waiter, struct cfs_waiting, journal);
    struct cfs_behind_file *file = waiting->file;
    struct cfs_behind *behind = file->behind;
    bool is_safe = error == 0 || waiting->answer < 0;
    cfs_cache_hold(&behind->core);
    if (!is_safe)
        wait_for_server(waiting);
    pthread_mutex_lock(&behind->lock);
    cfs_behind_file_put(file);
    pthread_mutex_unlock(&behind->lock);
    if (is_safe)
        cfs_cache_call_finish_later(&waiting->call, waiting->answer);
    cfs_cache_release(&behind->core);
}

void cfs_behind_wait_for_log(struct cfs_waiting *waiting, int answer)
{
    struct cfs_behind *behind = waiting->file->behind;
    waiting->answer = answer;
    waiting->journal.done = was_logged;
    cfs_journal_wait(behind->journal, &waiting->journal);
}

/* The file of a journal: records are collected in memory, and one thread writes them, in their order, and brings them
 * to the disk when somebody waits for that, or a second after they were written. What comes meanwhile goes together
 * with the next ones: so a program that waits pays for one fdatasync(2) at most, and many programs for one together.
 *
 * Counting: `added` records since the journal began; of these `written` ones are in the file, and `synced` ones on the
 * disk. In the file they are counted from the last time that it was cut (`cut_at`). It is cut only when nothing is
 * outstanding and all is written. */
#include "cache/journal.h"
#include "base/clock.h"
#include "base/doing.h"
#include "base/fd.h"
#include "base/log.h"
#include "base/thread.h"
#include <errno.h>
#include <pthread.h>
#include <string.h>
#include <sys/random.h>

/* After a second all is on the disk, so that a machine that loses its power does not do again what was done before. */
enum { LAZY_SYNC_MS = 1000 };

struct cfs_journal {
    int fd;
    char *path;
    uint64_t limit, key;
    bool threaded;
    pthread_t thread;

    pthread_mutex_t lock; /* all below; nothing else is locked under it */
    pthread_cond_t changed;
    struct cfs_buffer pending; /* added, not written */
    uint64_t size;             /* of the file, with what is being written */
    uint64_t added, written, synced, cut_at;
    uint64_t marked;          /* as many were added when it was last said that all was on the disk */
    uint64_t numbers, newest; /* given out; the highest of which records were added */
    uint64_t outstanding;
    struct cfs_list waiters;
    int error; /* of the disk: nothing is added any more */
    bool ends;
    uint64_t syncs;
};

/* --- the disk, without the lock --- */

/* --- working off, under the lock, which is let go of around the disk --- */

static void fail(struct cfs_journal *journal, int error)
{
    if (journal->error == 0)
        cfs_log_error("journal", "%s: %s; from now on close waits for the server", journal->path, strerror(-error));
    journal->error = error;
}

static void write_pending(struct cfs_journal *journal)
{
    struct cfs_buffer bytes = journal->pending;
    uint64_t place = journal->size - bytes.length, upto = journal->added;
    cfs_buffer_init(&journal->pending);
    pthread_mutex_unlock(&journal->lock);
    cfs_doing("write");
    int error = cfs_fd_write_all_at(journal->fd, bytes.bytes, bytes.length, place);
    pthread_mutex_lock(&journal->lock);
    if (error < 0)
        fail(journal, error);
    else
        journal->written = upto;
    if (journal->pending.length == 0 && journal->pending.capacity == 0 && bytes.capacity <= CFS_JOURNAL_MOST_DATA) {
        journal->pending = bytes; /* its memory is of use again */
        cfs_buffer_clear(&journal->pending);
    } else {
        cfs_buffer_fini(&bytes);
    }
}

static void sync_written(struct cfs_journal *journal)
{
    uint64_t upto = journal->written;
    pthread_mutex_unlock(&journal->lock);
    cfs_doing("sync");
    int error = fdatasync(journal->fd) < 0 ? -errno : 0;
    pthread_mutex_lock(&journal->lock);
    journal->syncs++;
    if (error < 0)
        fail(journal, error);
    else
        journal->synced = upto;
}

static bool add(struct cfs_journal *journal, const struct cfs_journal_record *record);

/* So that damage is not taken for what a crash has torn. It need not be on the disk at once. */
static void mark_synced(struct cfs_journal *journal)
{
    const struct cfs_journal_record record = {.type = CFS_JOURNAL_SYNCED};
    if (add(journal, &record))
        journal->marked = journal->added;
}

/* All that was promised is done. */
static void cut(struct cfs_journal *journal)
{
    if (ftruncate(journal->fd, CFS_JOURNAL_HEAD) < 0) {
        fail(journal, -errno);
        return;
    }
    journal->size = CFS_JOURNAL_HEAD;
    journal->cut_at = journal->synced = journal->written;
}

static bool may_cut(const struct cfs_journal *journal)
{
    return journal->error == 0 && journal->outstanding == 0 && journal->pending.length == 0 &&
           journal->size > CFS_JOURNAL_HEAD && cfs_list_empty(&journal->waiters);
}

static void tell_waiters(struct cfs_journal *journal)
{
    struct cfs_list told;
    struct cfs_list *link, *following;
    int error = journal->error;
    cfs_list_init(&told);
    cfs_list_each_safe (link, following, &journal->waiters) {
        struct cfs_journal_waiter *waiter = cfs_container_of(link, struct cfs_journal_waiter, link);
        if (error == 0 && waiter->waits_for > journal->synced)
            continue;
        cfs_list_remove(link);
        cfs_list_push_back(&told, link);
    }
    pthread_mutex_unlock(&journal->lock);
    while ((link = cfs_list_pop_front(&told))) {
        struct cfs_journal_waiter *waiter = cfs_container_of(link, struct cfs_journal_waiter, link);
        waiter->done(waiter, error);
    }
    pthread_mutex_lock(&journal->lock);
}

/* One round. True if it did something. */
static bool work(struct cfs_journal *journal)
{
    bool did = false;
    if (journal->error == 0 && journal->pending.length > 0) {
        write_pending(journal);
        did = true;
    }
    if (journal->error == 0 && !cfs_list_empty(&journal->waiters) && journal->synced < journal->written) {
        sync_written(journal);
        did = true;
        if (journal->synced == journal->added && journal->marked < journal->added)
            mark_synced(journal);
    }
    if (!cfs_list_empty(&journal->waiters)) {
        tell_waiters(journal);
        did = true;
    }
    if (may_cut(journal)) {
        cut(journal);
        did = true;
    }
    return did;
}

/* --- the thread --- */

/* False: a second has passed. */
static bool wait_for_work(struct cfs_journal *journal)
{
    struct timespec limit;
    cfs_doing(NULL);
    if (journal->error < 0 || journal->synced == journal->written) {
        pthread_cond_wait(&journal->changed, &journal->lock);
        return true;
    }
    clock_gettime(CLOCK_MONOTONIC, &limit);
    limit.tv_sec += LAZY_SYNC_MS / 1000;
    return pthread_cond_timedwait(&journal->changed, &journal->lock, &limit) != ETIMEDOUT;
}

static void *run(void *context)
{
    struct cfs_journal *journal = context;
    cfs_doing_begin("journal", true); /* disks may be slow */
    pthread_mutex_lock(&journal->lock);
    for (;;) {
        if (work(journal))
            continue;
        if (journal->ends)
            break;
        if (!wait_for_work(journal) && journal->error == 0 && journal->synced < journal->written)
            sync_written(journal);
    }
    pthread_mutex_unlock(&journal->lock);
    cfs_doing_end();
    return NULL;
}

/* --- adding --- */

static bool has_room(const struct cfs_journal *journal, uint64_t size)
{
    return journal->error == 0 && !journal->ends && size <= journal->limit && journal->size <= journal->limit - size;
}

bool cfs_journal_has_room(struct cfs_journal *journal, uint64_t size)
{
    pthread_mutex_lock(&journal->lock);
    bool room = has_room(journal, size);
    pthread_mutex_unlock(&journal->lock);
    return room;
}

uint64_t cfs_journal_number(struct cfs_journal *journal)
{
    pthread_mutex_lock(&journal->lock);
    uint64_t number = ++journal->numbers;
    pthread_mutex_unlock(&journal->lock);
    return number;
}

static bool add(struct cfs_journal *journal, const struct cfs_journal_record *record)
{
    struct cfs_buffer *pending = &journal->pending;
    size_t before = pending->length;
    uint64_t synced = journal->synced > journal->cut_at ? journal->synced - journal->cut_at : 0;
    cfs_journal_write_record(pending, record, journal->key, journal->added + 1 - journal->cut_at, synced);
    if (pending->failed) {
        pending->failed = false;
        pending->length = before;
        return false;
    }
    journal->size += pending->length - before;
    journal->added++;
    pthread_cond_signal(&journal->changed);
    return true;
}

bool cfs_journal_add(struct cfs_journal *journal, const struct cfs_journal_record *record)
{
    pthread_mutex_lock(&journal->lock);
    bool added = has_room(journal, cfs_journal_size_of(record)) && add(journal, record);
    if (added && record->number > journal->newest) {
        journal->newest = record->number;
        journal->outstanding++;
    }
    pthread_mutex_unlock(&journal->lock);
    return added;
}

void cfs_journal_done(struct cfs_journal *journal, uint64_t number)
{
    struct cfs_journal_record record = {.type = CFS_JOURNAL_DONE, .number = number};
    pthread_mutex_lock(&journal->lock);
    journal->outstanding--;
    /* That it is done may be told beyond the limit; if it cannot be told, it is done once more, after a comparison. */
    if (journal->error == 0)
        (void)add(journal, &record);
    pthread_mutex_unlock(&journal->lock);
}

void cfs_journal_wait(struct cfs_journal *journal, struct cfs_journal_waiter *waiter)
{
    pthread_mutex_lock(&journal->lock);
    waiter->waits_for = journal->added;
    cfs_list_push_back(&journal->waiters, &waiter->link);
    if (journal->threaded)
        pthread_cond_signal(&journal->changed);
    else
        while (work(journal))
            ;
    pthread_mutex_unlock(&journal->lock);
}

void cfs_journal_status(struct cfs_journal *journal, struct cfs_journal_status *ret_status)
{
    pthread_mutex_lock(&journal->lock);
    *ret_status = (struct cfs_journal_status){.outstanding = journal->outstanding,
                                              .bytes = journal->size,
                                              .syncs = journal->syncs,
                                              .has_failed = journal->error < 0};
    pthread_mutex_unlock(&journal->lock);
}

/* --- life --- */

static void free_journal(struct cfs_journal *journal)
{
    cfs_buffer_fini(&journal->pending);
    pthread_cond_destroy(&journal->changed);
    pthread_mutex_destroy(&journal->lock);
    close(journal->fd);
    free(journal->path);
    free(journal);
}

static int write_head(struct cfs_journal *journal, const char *identity)
{
    uint8_t head[CFS_JOURNAL_HEAD];
    if (strlen(identity) > CFS_JOURNAL_MOST_IDENTITY)
        return -ENAMETOOLONG;
    if (getrandom(&journal->key, sizeof(journal->key), 0) != (ssize_t)sizeof(journal->key))
        return -EIO;
    cfs_journal_write_head(identity, journal->key, head);
    int error = cfs_fd_write_all_at(journal->fd, head, sizeof(head), 0);
    if (error == 0 && fsync(journal->fd) < 0)
        error = -errno;
    journal->size = sizeof(head);
    return error;
}

int cfs_journal_new(int fd, const char *path, const char *identity, uint64_t limit, bool threaded,
                    struct cfs_journal **ret_journal)
{
    struct cfs_journal *journal = calloc(1, sizeof(*journal));
    char *copy = strdup(path);
    if (!journal || !copy) {
        free(journal);
        free(copy);
        close(fd);
        return -ENOMEM;
    }
    pthread_condattr_t monotonic;
    pthread_condattr_init(&monotonic);
    pthread_condattr_setclock(&monotonic, CLOCK_MONOTONIC);
    pthread_cond_init(&journal->changed, &monotonic);
    pthread_condattr_destroy(&monotonic);
    pthread_mutex_init(&journal->lock, NULL);
    cfs_list_init(&journal->waiters);
    journal->fd = fd;
    journal->path = copy;
    journal->limit = limit;
    journal->threaded = threaded;
    int error = write_head(journal, identity);
    if (error == 0 && threaded)
        error = cfs_thread_start(run, journal, &journal->thread);
    if (error < 0) {
        (void)unlink(path);
        free_journal(journal);
        return error;
    }
    *ret_journal = journal;
    return 0;
}

void cfs_journal_free(struct cfs_journal *journal)
{
    if (!journal)
        return;
    pthread_mutex_lock(&journal->lock);
    journal->ends = true;
    pthread_cond_signal(&journal->changed);
    if (!journal->threaded)
        while (work(journal))
            ;
    pthread_mutex_unlock(&journal->lock);
    if (journal->threaded)
        pthread_join(journal->thread, NULL);
    if (journal->outstanding == 0)
        (void)unlink(journal->path);
    else
        (void)fdatasync(journal->fd);
    free_journal(journal);
}

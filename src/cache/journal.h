/* The journal of a mount with durability = fsync: what programs were told to be done and the server has not
 * acknowledged, in a file on the local disk, so that the next mount can do it if this process or this machine does not
 * live to (journal_replay.h).
 *
 * A change has a number. Its records (journal_record.h) are added in the order in which changes were promised; when the
 * server has acknowledged it, it is done. Whoever has told a program that something is safe waits for what was added so
 * far to be on the disk first: many wait for one fdatasync(2). When nothing is outstanding the file is cut to its head;
 * when the journal ends so, it is removed.
 *
 * It is bounded: what does not fit is not added, and then the caller has to wait for the server instead. So it is when
 * the disk fails: from then on nothing is added any more.
 *
 * The file is locked (flock(2)) as long as its mount lives. */
#ifndef CFS_CACHE_JOURNAL_H
#define CFS_CACHE_JOURNAL_H

#include "base/list.h"
#include "cache/journal_record.h"

struct cfs_journal;

/* Who waits; embedded. */
struct cfs_journal_waiter {
    /* All that was added before is on the disk: 0; or the disk has failed: -errno. On the journal's thread, without
     * locks of its own; or, without a thread, inside cfs_journal_wait. */
    void (*done)(struct cfs_journal_waiter *waiter, int error);
    struct cfs_list link;
    uint64_t waits_for;
};

/* FD, open for reading and writing, empty, locked, at PATH (copied): the journal's from now on, also on failure.
 * IDENTITY says whose it is. It grows to LIMIT bytes at most. THREADED: a thread of its own writes; if not, whoever
 * waits does (for tests). -ENOMEM, -errno of the disk. */
CFS_CHECKED int cfs_journal_new(int fd, const char *path, const char *identity, uint64_t limit, bool threaded,
                                struct cfs_journal **ret_journal);
/* Nobody waits any more. What was added is written. The file goes if nothing is outstanding. NULL is fine. */
void cfs_journal_free(struct cfs_journal *journal);

/* All below: any thread; none waits for the disk, but cfs_journal_wait without a thread. */

/* Whether SIZE bytes can be added now (cfs_journal_size_of). False: no room, or the disk has failed. */
bool cfs_journal_has_room(struct cfs_journal *journal, uint64_t size);
/* A number for a change; from 1. */
uint64_t cfs_journal_number(struct cfs_journal *journal);
/* False: no room, no memory, or the disk has failed; then it is as if it had not been called. The first record of a
 * number makes it outstanding. */
CFS_CHECKED bool cfs_journal_add(struct cfs_journal *journal, const struct cfs_journal_record *record);
/* The change NUMBER, of which records were added, needs the journal no more. */
void cfs_journal_done(struct cfs_journal *journal, uint64_t number);
/* WAITER is told when what was added so far is on the disk. */
void cfs_journal_wait(struct cfs_journal *journal, struct cfs_journal_waiter *waiter);

struct cfs_journal_status {
    uint64_t outstanding; /* changes */
    uint64_t bytes;       /* of the file */
    uint64_t syncs;
    bool has_failed; /* the disk: nothing is added any more */
};
void cfs_journal_status(struct cfs_journal *journal, struct cfs_journal_status *ret_status);

#endif

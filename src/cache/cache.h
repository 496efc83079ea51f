/* The cache: a cfs_remote in front of a cfs_remote. It answers from memory what it may, asks the one below for the
 * rest, and keeps the whole contract of remote/remote.h, so that the file system above does not know whether it is
 * there, and the same conformance and model tests run over both.
 *
 * What it keeps: one tree of names with attributes, absence, link targets and complete listings (names.h); blocks of
 * file contents in one budget (blocks.h), with trackers that read ahead (reader.h); dirty ranges that are written
 * behind (writer.h). */
#ifndef CFS_CACHE_CACHE_H
#define CFS_CACHE_CACHE_H

#include "base/clock.h"
#include "base/loop.h"
#include "remote/remote.h"
#include <stdbool.h>
#include <stdint.h>

enum cfs_durability {
    CFS_DURABILITY_CLOSE, /* flush, fsync and close return when the server has acknowledged every byte */
    CFS_DURABILITY_FSYNC, /* only fsync does; close returns at once and the rest is finished behind it */
};

struct cfs_journal;

struct cfs_cache_options {
    const struct cfs_clock *clock;
    int32_t attr_ttl_ms; /* -1: auto, from 1 s for what changed just now to 60 s for what is old; 0: nothing is kept */
    size_t entries;      /* names kept, at most; 0: default */
    /* Bytes of clean blocks, and bytes that were written and not acknowledged. Both 0: nothing is kept of contents.
     * Only dirty_limit 0: a write completes when it is on the server. */
    uint64_t cache_size, dirty_limit;
    enum cfs_durability durability;
    bool copies_conflicts; /* what was written to a file that has changed on the server is saved beside it */
    /* With durability = fsync: where what close has acknowledged is kept until the server has it (journal.h). The
     * caller's, who frees it after the cache. NULL: nowhere. */
    struct cfs_journal *journal;
    bool misses_journal; /* there should be one, and there is none: close waits for the server */
    bool prefetch;       /* contents ahead of who reads in order, files and listings ahead of who walks a tree */
    /* The number that programs are told of the file at PATH (st_ino), by which some sort; NULL: not known. Pure, any
     * thread. */
    uint64_t (*number)(const char *path);
    /* Told when the remote's side of an open file was found changed (poll.h), or what was promised of a name did not
     * come true (behind.h); IS_ANOTHER: something else has the name now, or nothing. Called on a thread of the cache's
     * or of the remote's, without locks; must not block and may submit calls. PATH is relative to the root. NULL: open
     * files are looked at only when somebody asks. */
    void (*changed)(void *context, const char *path, bool is_another);
    /* Told of each file and folder of which something was told to be done that could not be: WHAT and ERROR (-errno)
     * say why; with copies_conflicts, of each copy: WHAT tells of what, and how much of it. Any thread; under a lock of
     * the cache's: it must not block, nor call. NULL: only the log is. */
    void (*failed)(void *context, const char *path, const char *what, int error);
    void *context;
    /* Where answers from memory are given; the caller's, who runs it until the cache is freed (for tests that turn it
     * by hand: cfs_cache_free then needs all calls to have completed). NULL: a thread of the cache's own. */
    struct cfs_loop *loop;
};

/* LOWER stays the caller's and must outlive the cache. -ENOMEM. */
CFS_CHECKED int cfs_cache_new(struct cfs_remote *lower, const struct cfs_cache_options *options,
                              struct cfs_remote **ret_cache);
/* What was told to be done and could not be: how many files and folders, and a sentence on the first. */
struct cfs_cache_failures {
    uint64_t count;
    char first[512];
};
/* Files and listings must have been closed, and no call may be submitted any more but cfs_cache_free. Waits until all
 * that was told to be done is done or has failed (bounded by the deadlines of the remote below). Not on a thread of the
 * remote's or the cache's. */
void cfs_cache_finish(struct cfs_remote *cache, struct cfs_cache_failures *ret_failures);
/* Files and listings must have been closed. Waits until what was written behind is on the server or has failed (bounded
 * by the deadlines of the remote below). Not on a thread of the remote's. NULL is fine. */
void cfs_cache_free(struct cfs_remote *cache);

/* Counts for status and tests. Any thread. */
struct cfs_cache_status {
    uint64_t names, name_hits, name_misses;
    uint64_t clean_bytes;
    uint64_t dirty_bytes, changes; /* that the server does not have: bytes; files and folders to be made, set, moved */
    uint64_t read_hits, read_misses; /* bytes */
    uint64_t prefetched_bytes, prefetch_wasted_bytes;
    /* Files opened ahead of programs (neighbours.h); which took some, and for nothing. */
    uint64_t prefetched_files, prefetch_used_files, prefetch_wasted_files;
    uint64_t calls; /* handed to the remote below */
    /* With durability = fsync: the journal, or that none can be kept and close waits for the server instead. */
    bool has_journal, misses_journal;
    uint64_t journal_changes, journal_bytes; /* that the server does not have; of the file */
};
void cfs_cache_status(struct cfs_remote *cache, struct cfs_cache_status *ret_status);

#endif

/* Contents of files: a cfs_remote in front of a cfs_remote that keeps what was read (blocks.h), reads ahead
 * (trackers.h), and writes behind (extents.h). cfs_cache_new puts the names (names.h) in front of it; it knows nothing
 * of them, keeps the whole contract by itself, and is tested by itself.
 *
 * What it promises beyond the contract. Close-to-open: what is kept of a file is used after an open only if size and
 * mtime are what they were, and could not have stayed the same over a change (one second of grain); a file that was
 * changed behind our back is noticed at open at the latest (the names in front may answer a program's open with one of
 * ours that is up to a second old: ahead.h). A file that has only become longer keeps what is kept of it
 * after a spot check, which can miss a change in place that came with the growth; so does what we wrote ourselves,
 * where a check can miss what somebody else changed in place within the same second (content_check.c). A write
 * completes when it was copied; fsync, flush and close complete when the server has acknowledged every byte, with the
 * first error that occurred since the file was told one. Reads see what was written. Attributes of a file with such
 * bytes tell the size that it will have.
 *
 * Without a connection, who is content with what is old (CFS_REMOTE_TELL_OLD) opens for reading what is kept of a file,
 * and reads what is kept (content_old.c). */
#ifndef CFS_CACHE_CONTENTS_H
#define CFS_CACHE_CONTENTS_H

#include "base/loop.h"
#include "cache/cache.h"

/* Of OPTIONS it uses clock, cache_size, dirty_limit (0: writes complete when they are on the server) and prefetch.
 * LOWER and LOOP stay the caller's; answers from memory are given on LOOP, which must run until cfs_contents_free.
 * -ENOMEM. */
CFS_CHECKED int cfs_contents_new(struct cfs_remote *lower, const struct cfs_cache_options *options,
                                 struct cfs_loop *loop, struct cfs_remote **ret_contents);
/* Waits until all calls have ended. Not on the loop's thread. NULL is fine. */
void cfs_contents_wait(struct cfs_remote *contents);
/* The same; files and listings must have been closed. */
void cfs_contents_free(struct cfs_remote *contents);

/* FILE, of the contents, was opened ahead of a program: the first LENGTH bytes are fetched as the link has room. No
 * other call on it may be in flight. Any thread. */
void cfs_contents_fetch_ahead(struct cfs_remote *contents, struct cfs_remote_file *file, uint64_t length);
/* How many bytes of such files should be on their way or unused at most: a share of the cache and of what the link
 * carries. Any thread. */
uint64_t cfs_contents_ahead_budget(struct cfs_remote *contents);

/* Tells APPEARED of each file that the contents have made (copies_conflicts), on a thread of the remote's, without
 * locks. Before the first call. */
void cfs_contents_tell(struct cfs_remote *contents, void (*appeared)(void *context, const char *path), void *context);

/* ATTRIBUTES of PATH are old (CFS_REMOTE_TELL_OLD): what was written here shows in them. Any thread. */
void cfs_contents_correct_old(struct cfs_remote *contents, const char *path, struct cfs_remote_attributes *attributes);
/* Calls VISIT for all bytes that were written to FILE, of the contents, by whichever handle, and that the server has
 * not acknowledged; where they overlap, the newer ones later. Under a lock of the contents: VISIT calls nothing of
 * theirs. Returns the size that the server's file has at least. Any thread. */
uint64_t cfs_contents_visit_dirty(struct cfs_remote *contents, struct cfs_remote_file *file,
                                  void (*visit)(void *context, uint64_t offset, size_t length, const uint8_t *data),
                                  void *context);

/* Fills what it knows: clean and dirty bytes, hits and misses, prefetches; adds to `calls`. Any thread. */
void cfs_contents_status(struct cfs_remote *contents, struct cfs_cache_status *status);

#endif

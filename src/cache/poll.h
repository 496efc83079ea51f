/* Revalidation of open files: while programs use them, the server is asked for their attributes as often as these may
 * be told, all that are due in one batch, so that the kernel learns of a growing log without being asked. */
#ifndef CFS_CACHE_POLL_H
#define CFS_CACHE_POLL_H

#include "cache/cached_file.h"

/* All below: under names_lock, if nothing else is said. */

/* FILE, which has a name, is open. Does nothing if nobody wants to be told. */
void cfs_poll_opened(struct cfs_cached_file *file);
/* It is about to be closed. True: it is being asked about, and will be closed (cfs_cached_file_close_now) when that has
 * ended. */
CFS_CHECKED bool cfs_poll_closing(struct cfs_cached_file *file);
/* A program has read or looked at FILE. Any thread, no lock. */
void cfs_poll_used(struct cfs_cached_file *file);
/* The cache's life. Without the lock; stop on the loop's thread, or when it has ended. */
void cfs_poll_init(struct cfs_cache *cache);
void cfs_poll_stop(struct cfs_cache *cache);

#endif

/* An open file as the file system above sees it: what the cache knows of it, and the file of the remote below. To the
 * file system it is a `struct cfs_remote_file`. */
#ifndef CFS_CACHE_CACHED_FILE_H
#define CFS_CACHE_CACHED_FILE_H

#include "cache/cache_priv.h"
#include "cache/call.h"

struct cfs_cached_file {
    struct cfs_cache *cache;
    struct cfs_remote_file *lower;
    int flags;                   /* as opened */
    struct cfs_cache_call close; /* so that it cannot fail */
};

static inline struct cfs_cached_file *cfs_cached_file_of(struct cfs_remote_file *file)
{
    return (struct cfs_cached_file *)(void *)file;
}

static inline struct cfs_remote_file *cfs_cached_file_as_remote(struct cfs_cached_file *file)
{
    return (struct cfs_remote_file *)(void *)file;
}

#endif

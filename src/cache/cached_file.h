/* An open file as the file system above sees it: what the cache knows of it, and the file of the remote below. To the
 * file system it is a `struct cfs_remote_file`. */
#ifndef CFS_CACHE_CACHED_FILE_H
#define CFS_CACHE_CACHED_FILE_H

#include "cache/cache_priv.h"
#include "cache/call.h"
#include "cache/change.h"

struct cfs_cached_file {
    struct cfs_cache *cache;
    struct cfs_remote_file *lower;
    int flags; /* as opened */
    /* The name under which it was opened: referenced, NULL if names are not kept. It follows renames; it stands for
     * this file as long as its incarnation is the same. */
    struct cfs_name *name;
    uint64_t incarnation;
    /* Which name it has is not known (it may have been renamed before it was opened, or its drift is not the name's any
     * more): it has none that can be told, and when it is changed, any file may have been. */
    bool adrift;
    uint64_t drift;
    /* What is known of the file itself: the remote may give its name to another one, so this is not the name's. Under
     * names_lock. */
    struct cfs_remote_attributes seen; /* the last ones */
    struct cfs_freshness freshness;
    uint64_t learned_at;         /* stamp */
    atomic_bool written;         /* since the last flush: the server's attributes will change when it has the bytes */
    struct cfs_cache_call close; /* so that it cannot fail */
    struct cfs_change closing;
    /* poll.c */
    struct cfs_list of_poll;
    atomic_int_least64_t used_ms; /* by a program */
    int64_t polled_ms;
    bool polling, close_waits;
};

static inline struct cfs_cached_file *cfs_cached_file_of(struct cfs_remote_file *file)
{
    return (struct cfs_cached_file *)(void *)file;
}

static inline struct cfs_remote_file *cfs_cached_file_as_remote(struct cfs_cached_file *file)
{
    return (struct cfs_remote_file *)(void *)file;
}

/* What an own change of the file does to what is known of its name: begin before it is handed down, end when it has
 * completed. CHANGE is zeros before, and after the end. Take names_lock. */
void cfs_cached_file_change_begin(struct cfs_cached_file *file, struct cfs_change *change);
/* SET: the attributes that were set, NULL: others, unknown ones. */
void cfs_cached_file_change_end(struct cfs_cached_file *file, struct cfs_change *change, int error,
                                const struct cfs_remote_attributes *set);
/* What the remote said of the file itself; its name is current. Under names_lock. */
void cfs_cached_file_learn(struct cfs_cached_file *file, const struct cfs_remote_attributes *attributes, uint64_t stamp,
                           int64_t asked_ms);
/* A close that has waited goes on. No lock. */
void cfs_cached_file_close_now(struct cfs_cached_file *file);
/* The name, if it still stands for the file; NULL if not. Under names_lock. */
struct cfs_name *cfs_cached_file_name(const struct cfs_cached_file *file);

#endif

/* What the rooms of the cache share. */
#ifndef CFS_CACHE_CACHE_PRIV_H
#define CFS_CACHE_CACHE_PRIV_H

#include "base/list.h"
#include "base/loop.h"
#include "cache/ahead.h"
#include "cache/cache.h"
#include "cache/names.h"
#include "cache/neighbours.h"
#include "cache/walk.h"
#include <pthread.h>
#include <stdatomic.h>

enum { CFS_CACHE_STRIPES = 32 };

struct cfs_cache_call;
/* poll.c */
struct cfs_poll {
    struct cfs_list files;  /* open ones: cfs_cached_file.of_poll */
    struct cfs_timer timer; /* the loop's thread */
    struct cfs_task begin;
    bool runs; /* the timer is set, or will be */
};

struct cfs_cache {
    struct cfs_remote remote;
    struct cfs_remote *lower;         /* what the names are in front of: the contents, or the remote below */
    struct cfs_remote *contents;      /* NULL: nothing is kept of contents, and writes go through */
    struct cfs_remote *behind;        /* in front of the contents (behind.h); NULL: nothing is finished behind */
    struct cfs_cache_options options; /* defaults filled in */
    const struct cfs_clock *clock;

    /* The cache's thread. */
    struct cfs_loop *loop;
    bool own_loop;
    pthread_t thread;

    /* call.c: calls that live, those for which there was no memory. */
    pthread_mutex_t stripes[CFS_CACHE_STRIPES];
    pthread_mutex_t calls_lock;
    pthread_cond_t calls_idle;
    size_t calls;
    struct cfs_remote_call *refused;
    struct cfs_task refuse;
    atomic_uint_fast64_t calls_below;

    /* What is known of names. */
    bool keeps_names;           /* attr_ttl is not 0 */
    pthread_mutex_t names_lock; /* all below */
    struct cfs_names names;
    struct cfs_hash looks;   /* looks.c */
    struct cfs_list fetches; /* fetch.c: of folders that are being listed */
    struct cfs_walk walk;
    struct cfs_aheads aheads;         /* ahead.c */
    struct cfs_neighbours neighbours; /* neighbours.c */
    struct cfs_poll poll;
    uint64_t name_hits, name_misses;
};

/* Milliseconds left, as a result says it. */
static inline uint32_t cfs_cache_keep(uint32_t left_ms)
{
    return left_ms > 0 ? left_ms : CFS_REMOTE_KEEP_NOT;
}

/* What was told by the remote below is not just a guess (behind.h). */
static inline bool cfs_cache_may_keep(const struct cfs_remote_attributes *attributes)
{
    return attributes->keep_ms != CFS_REMOTE_KEEP_NOT;
}

static inline struct cfs_cache *cfs_cache_of(struct cfs_remote *remote)
{
    return cfs_container_of(remote, struct cfs_cache, remote);
}

/* The remote below, by its face for what is vouched for (behind.h). */
struct cfs_remote *cfs_cache_below(const struct cfs_cache_call *call, bool vouched);

/* FILE, of the remote below, as the contents know it; NULL if they do not yet. */
struct cfs_remote_file *cfs_cache_file_below(const struct cfs_cache *cache, struct cfs_remote_file *file);

/* call.c. The cache is not freed while it is held: each call holds it; so does who goes on after a call of his may have
 * ended. */
void cfs_cache_hold(struct cfs_cache *cache);
void cfs_cache_release(struct cfs_cache *cache);
/* The task `refuse`. */
void cfs_cache_refuse(struct cfs_task *task);

/* The operations, by room; cache.c has the table. */

/* attributes.c */
void cfs_cache_lstat(struct cfs_remote *remote, struct cfs_remote_call *call, const char *path);
void cfs_cache_setattr(struct cfs_remote *remote, struct cfs_remote_call *call, const char *path, mode_t expected_type,
                       const struct cfs_remote_attributes *attributes);
void cfs_cache_readlink(struct cfs_remote *remote, struct cfs_remote_call *call, const char *path);

/* changes.c */
void cfs_cache_mkdir(struct cfs_remote *remote, struct cfs_remote_call *call, const char *path, mode_t mode);
void cfs_cache_rmdir(struct cfs_remote *remote, struct cfs_remote_call *call, const char *path);
void cfs_cache_unlink(struct cfs_remote *remote, struct cfs_remote_call *call, const char *path);
void cfs_cache_symlink(struct cfs_remote *remote, struct cfs_remote_call *call, const char *target, const char *path);
void cfs_cache_link(struct cfs_remote *remote, struct cfs_remote_call *call, const char *from, const char *to);
void cfs_cache_rename(struct cfs_remote *remote, struct cfs_remote_call *call, const char *from, const char *to,
                      enum cfs_remote_rename how);

/* files.c */
void cfs_cache_open(struct cfs_remote *remote, struct cfs_remote_call *call, const char *path, int flags, mode_t mode);
void cfs_cache_read(struct cfs_remote *remote, struct cfs_remote_call *call, struct cfs_remote_file *file,
                    uint64_t offset, size_t length, void *destination);
void cfs_cache_write(struct cfs_remote *remote, struct cfs_remote_call *call, struct cfs_remote_file *file,
                     uint64_t offset, size_t length, const void *data);
void cfs_cache_fstat(struct cfs_remote *remote, struct cfs_remote_call *call, struct cfs_remote_file *file);
void cfs_cache_find_end(struct cfs_remote *remote, struct cfs_remote_call *call, struct cfs_remote_file *file);
void cfs_cache_fsetattr(struct cfs_remote *remote, struct cfs_remote_call *call, struct cfs_remote_file *file,
                        const struct cfs_remote_attributes *attributes);
void cfs_cache_flush(struct cfs_remote *remote, struct cfs_remote_call *call, struct cfs_remote_file *file);
void cfs_cache_fsync(struct cfs_remote *remote, struct cfs_remote_call *call, struct cfs_remote_file *file);
void cfs_cache_copy(struct cfs_remote *remote, struct cfs_remote_call *call, struct cfs_remote_file *from,
                    uint64_t from_offset, struct cfs_remote_file *to, uint64_t to_offset, size_t length);
void cfs_cache_close(struct cfs_remote *remote, struct cfs_remote_call *call, struct cfs_remote_file *file);

/* listings.c */
void cfs_cache_open_listing(struct cfs_remote *remote, struct cfs_remote_call *call, const char *path);
void cfs_cache_read_listing(struct cfs_remote *remote, struct cfs_remote_call *call,
                            struct cfs_remote_listing *listing);
void cfs_cache_close_listing(struct cfs_remote *remote, struct cfs_remote_call *call,
                             struct cfs_remote_listing *listing);

#endif

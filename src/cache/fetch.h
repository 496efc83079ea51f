/* A folder being listed, for all who list it at the same time, and for the names that are kept.
 *
 * A fetch opens a listing of the remote below, reads it to its end, as far ahead of its readers as its budget allows,
 * and closes it: all as one call of the cache's own. Each reader has a position of its own. What was read stays until
 * all readers are gone, or until there is so much that it goes when all readers have passed it. A listing from memory
 * is a fetch that has ended before it began. So does one end that has found no connection, if its readers are content
 * with what was known last (OLD).
 *
 * States: opening -> reading <-> paused -> ended. All under names_lock; the functions that say so let it go. */
#ifndef CFS_CACHE_FETCH_H
#define CFS_CACHE_FETCH_H

#include "cache/cache_priv.h"
#include "cache/call.h"

enum cfs_fetch_state { CFS_FETCH_OPENING, CFS_FETCH_READING, CFS_FETCH_PAUSED, CFS_FETCH_ENDED };

struct cfs_fetch {
    struct cfs_cache_call call; /* the cache's own: the listing below */
    struct cfs_cache *cache;
    struct cfs_list link;    /* in cache->fetches until it has ended */
    struct cfs_name *folder; /* referenced */
    enum cfs_fetch_state state;
    int error;                          /* when ended */
    struct cfs_remote_listing *listing; /* below */
    uint64_t stamp;
    int64_t begun_ms, asked_ms; /* asked_ms: of the batch in flight */
    bool learns;                /* all that was read so far has been entered into the names */
    bool ahead;                 /* of the walk: goes on without readers, but not without a connection */
    struct cfs_list batches;
    uint64_t first, count; /* entries that are here: from `first` to before `count` */
    struct cfs_list readers;
    unsigned references; /* the readers, and the call until it has finished */
};

/* A listing, as the file system sees it; to it a `struct cfs_remote_listing`. */
struct cfs_reader {
    struct cfs_fetch *fetch;
    struct cfs_list link;
    uint64_t position;
    struct cfs_reader_call *waiting; /* in flight, for more */
    struct cfs_cache_call close;
};

/* open_listing and read_listing. */
struct cfs_reader_call {
    struct cfs_cache_call call;
    struct cfs_reader *reader;
    bool opens;
    int error;            /* once answered */
    struct cfs_list link; /* among those answered */
    struct cfs_remote_entry *entries;
    char *names;
};

/* The fetch of FOLDER that one who lists it now may join; NULL if none. */
struct cfs_fetch *cfs_fetch_find(struct cfs_cache *cache, const struct cfs_name *folder);
/* A listing from memory, with a reference; NULL if too little is known, or without memory. */
CFS_CHECKED struct cfs_fetch *cfs_fetch_from_memory(struct cfs_cache *cache, struct cfs_name *folder);
/* A new one, to be begun. NULL without memory. */
CFS_CHECKED struct cfs_fetch *cfs_fetch_new(struct cfs_cache *cache, struct cfs_name *folder, bool ahead, bool old);
/* Hands it down. Without the lock. */
void cfs_fetch_begin(struct cfs_fetch *fetch, const char *path);
void cfs_fetch_put(struct cfs_fetch *fetch);

/* Answers CALL if that can be done: then its upper call's result, and `error`, are set. */
CFS_CHECKED bool cfs_fetch_answer(struct cfs_fetch *fetch, struct cfs_reader_call *call);
/* A reader came, went, or went on: true if the fetch must go on now, by cfs_fetch_go_on without the lock. */
CFS_CHECKED bool cfs_fetch_wants_more(struct cfs_fetch *fetch);
void cfs_fetch_go_on(struct cfs_fetch *fetch);

#endif

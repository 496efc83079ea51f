/* Listings as the file system sees them: readers of fetches. */
#include "cache/cache_priv.h"
#include "cache/call.h"
#include "cache/fetch.h"
#include "cache/walk.h"
#include <errno.h>
#include <stdlib.h>

static struct cfs_reader *reader_of(struct cfs_remote_listing *listing)
{
    return (struct cfs_reader *)(void *)listing;
}

static struct cfs_reader_call *call_of(struct cfs_cache_call *call)
{
    return cfs_container_of(call, struct cfs_reader_call, call);
}

/* Takes the reader away from its fetch and frees it. */
static void free_reader(struct cfs_cache *cache, struct cfs_reader *reader)
{
    struct cfs_fetch *fetch = reader->fetch;
    bool goes_on = false;
    pthread_mutex_lock(&cache->names_lock);
    if (fetch) {
        cfs_list_remove(&reader->link);
        goes_on = cfs_fetch_wants_more(fetch); /* to its end, if that was the last reader */
        if (!goes_on)
            cfs_fetch_put(fetch);
    }
    pthread_mutex_unlock(&cache->names_lock);
    if (goes_on) {
        cfs_fetch_go_on(fetch);
        pthread_mutex_lock(&cache->names_lock);
        cfs_fetch_put(fetch);
        pthread_mutex_unlock(&cache->names_lock);
    }
    free(reader);
}

static void release_call(struct cfs_cache_call *call)
{
    struct cfs_reader_call *reading = call_of(call);
    if (reading->opens && reading->reader && reading->error < 0)
        free_reader(call->cache, reading->reader);
    free(reading->entries);
    free(reading->names);
}

/* One who waits is cancelled; the fetch goes on. */
static void leave(struct cfs_cache_call *call)
{
    struct cfs_reader_call *reading = call_of(call);
    struct cfs_cache *cache = call->cache;
    pthread_mutex_lock(&cache->names_lock);
    bool waits = reading->reader->waiting == reading;
    if (waits) {
        reading->reader->waiting = NULL;
        reading->error = -EINTR;
    }
    pthread_mutex_unlock(&cache->names_lock);
    if (waits)
        cfs_cache_call_finish_later(call, -EINTR);
}

/* Answers, or waits; unlocks names and call. The call may be gone afterwards. */
static void answer_or_wait(struct cfs_reader_call *reading)
{
    struct cfs_cache *cache = reading->call.cache;
    bool answered = cfs_fetch_answer(reading->reader->fetch, reading);
    if (!answered) {
        reading->reader->waiting = reading;
        reading->call.cancel_wait = leave;
    }
    pthread_mutex_unlock(&cache->names_lock);
    cfs_cache_call_unlock(&reading->call);
    if (answered)
        cfs_cache_call_finish_later(&reading->call, reading->error);
}

/* --- open --- */

/* The fetch that READER is to read from; OLD: what is known will do for him. *ret_is_new: it must be begun. NULL
 * without memory. */
static struct cfs_fetch *fetch_for(struct cfs_cache *cache, struct cfs_name *folder, bool old, bool *ret_is_new)
{
    *ret_is_new = false;
    struct cfs_fetch *fetch = cfs_fetch_from_memory(cache, folder);
    cache->name_hits += fetch != NULL;
    if (fetch)
        return fetch; /* its reference is the reader's */
    fetch = cfs_fetch_find(cache, folder);
    if (!fetch) {
        cache->name_misses++;
        fetch = cfs_fetch_new(cache, folder, false, old);
        *ret_is_new = fetch != NULL;
    }
    if (fetch)
        fetch->references++;
    return fetch;
}

static int set_up_reader(struct cfs_reader *reader, struct cfs_cache *cache, const char *path, bool old,
                         bool *ret_is_new)
{
    struct cfs_name *folder = cfs_names_enter(&cache->names, path);
    if (!folder)
        return -ENOMEM;
    cfs_walk_opened(cache, folder);
    cfs_neighbours_listed(cache, folder);
    reader->fetch = fetch_for(cache, folder, old, ret_is_new);
    cfs_name_put(&cache->names, folder);
    if (!reader->fetch)
        return -ENOMEM;
    cfs_list_push_back(&reader->fetch->readers, &reader->link);
    return 0;
}

void cfs_cache_open_listing(struct cfs_remote *remote, struct cfs_remote_call *upper, const char *path)
{
    struct cfs_cache *cache = cfs_cache_of(remote);
    struct cfs_reader_call *opening = cfs_cache_call_new(cache, upper, sizeof(*opening), release_call);
    if (!opening)
        return;
    if (!cache->keeps_names) {
        cfs_cache_call_submit(&opening->call, cfs_cache_call_pass, open_listing, path);
        return;
    }
    struct cfs_reader *reader = calloc(1, sizeof(*reader));
    if (!reader) {
        cfs_cache_call_finish_later(&opening->call, -ENOMEM);
        return;
    }
    cfs_list_init(&reader->link);
    opening->opens = true;
    opening->reader = reader;
    bool is_new = false;
    cfs_cache_call_lock(&opening->call);
    pthread_mutex_lock(&cache->names_lock);
    opening->error = set_up_reader(reader, cache, path, upper->when_lost == CFS_REMOTE_TELL_OLD, &is_new);
    if (opening->error < 0) {
        pthread_mutex_unlock(&cache->names_lock);
        cfs_cache_call_unlock(&opening->call);
        cfs_cache_call_finish_later(&opening->call, -ENOMEM);
        return;
    }
    struct cfs_fetch *fetch = reader->fetch;
    cfs_cache_hold(cache);
    answer_or_wait(opening);
    if (is_new)
        cfs_fetch_begin(fetch, path); /* has its own reference until it has ended */
    cfs_walk_on(cache);
    cfs_neighbours_on(cache);
    cfs_cache_release(cache);
}

/* --- read, close --- */

void cfs_cache_read_listing(struct cfs_remote *remote, struct cfs_remote_call *upper,
                            struct cfs_remote_listing *listing)
{
    struct cfs_cache *cache = cfs_cache_of(remote);
    struct cfs_reader_call *reading = cfs_cache_call_new(cache, upper, sizeof(*reading), release_call);
    if (!reading)
        return;
    if (!cache->keeps_names) {
        cfs_cache_call_submit(&reading->call, cfs_cache_call_pass, read_listing, listing);
        return;
    }
    reading->reader = reader_of(listing);
    struct cfs_fetch *fetch = reading->reader->fetch;
    cfs_cache_call_lock(&reading->call);
    pthread_mutex_lock(&cache->names_lock);
    fetch->references++;
    cfs_cache_hold(cache);
    answer_or_wait(reading);
    pthread_mutex_lock(&cache->names_lock);
    bool goes_on = cfs_fetch_wants_more(fetch);
    pthread_mutex_unlock(&cache->names_lock);
    if (goes_on)
        cfs_fetch_go_on(fetch);
    pthread_mutex_lock(&cache->names_lock);
    cfs_fetch_put(fetch);
    pthread_mutex_unlock(&cache->names_lock);
    cfs_cache_release(cache);
}

static void release_closed(struct cfs_cache_call *call)
{
    free_reader(call->cache, cfs_container_of(call, struct cfs_reader, close));
}

void cfs_cache_close_listing(struct cfs_remote *remote, struct cfs_remote_call *upper,
                             struct cfs_remote_listing *listing)
{
    struct cfs_cache *cache = cfs_cache_of(remote);
    if (!cache->keeps_names) {
        struct cfs_cache_call *call = cfs_cache_call_new(cache, upper, sizeof(*call), NULL);
        if (call)
            cfs_cache_call_submit(call, cfs_cache_call_pass, close_listing, listing);
        return;
    }
    struct cfs_reader *reader = reader_of(listing);
    cfs_cache_call_init(&reader->close, cache, upper, release_closed);
    cfs_cache_call_finish_later(&reader->close, 0);
}

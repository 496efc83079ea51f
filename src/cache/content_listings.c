/* Listings: the sizes of files that are being written are corrected. */
#include "cache/contents_priv.h"
#include <errno.h>
#include <string.h>

struct listing {
    struct cfs_remote_listing *lower;
    char *path;
    uint64_t started; /* stamp from before it was opened: batches are fetched ahead, so any may be as old as that */
};

struct listing_call {
    struct cfs_cache_call call;
    struct listing *listing;
    struct cfs_remote_entry *entries;
};

static struct listing_call *listing_call_of(struct cfs_cache_call *call)
{
    return cfs_container_of(call, struct listing_call, call);
}

static void free_listing(struct listing *listing)
{
    if (listing)
        free(listing->path);
    free(listing);
}

static struct listing *listing_of(struct cfs_remote_listing *listing)
{
    return (struct listing *)(void *)listing;
}

/* --- opening and closing --- */

static void release_with_listing(struct cfs_cache_call *call)
{
    free_listing(listing_call_of(call)->listing);
}

static void opened(struct cfs_cache_call *call)
{
    struct listing_call *opening = listing_call_of(call);
    if (call->lower.error == 0) {
        opening->listing->lower = call->lower.result.listing;
        call->upper->result.listing = (struct cfs_remote_listing *)(void *)CFS_TAKE(opening->listing);
    }
    cfs_cache_call_finish(call, call->lower.error);
}

void cfs_contents_open_listing(struct cfs_remote *remote, struct cfs_remote_call *upper, const char *path)
{
    struct cfs_contents *contents = cfs_contents_of(remote);
    struct listing_call *opening = cfs_cache_call_new(&contents->core, upper, sizeof(*opening), release_with_listing);
    if (!opening)
        return;
    opening->listing = calloc(1, sizeof(*opening->listing));
    if (opening->listing) {
        opening->listing->path = strdup(path);
        pthread_mutex_lock(&contents->lock);
        opening->listing->started = contents->stamp;
        pthread_mutex_unlock(&contents->lock);
    }
    if (!opening->listing || !opening->listing->path)
        cfs_cache_call_finish_later(&opening->call, -ENOMEM);
    else
        cfs_cache_call_submit(&opening->call, opened, open_listing, path);
}

void cfs_contents_close_listing(struct cfs_remote *remote, struct cfs_remote_call *upper,
                                struct cfs_remote_listing *listing)
{
    struct listing_call *closing =
        cfs_cache_call_new(&cfs_contents_of(remote)->core, upper, sizeof(*closing), release_with_listing);
    if (!closing)
        return;
    closing->listing = listing_of(listing);
    cfs_cache_call_submit(&closing->call, cfs_cache_call_pass, close_listing, closing->listing->lower);
}

/* --- reading --- */

static void release_entries(struct cfs_cache_call *call)
{
    free(listing_call_of(call)->entries);
}

static void correct(struct cfs_contents *contents, const struct listing_call *reading, struct cfs_remote_entry *entry)
{
    char *path CFS_AUTO_FREE = NULL;
    const char *folder = reading->listing->path;
    if (asprintf(&path, "%s%s%s", folder, *folder ? "/" : "", entry->name) < 0) {
        path = NULL;
        return;
    }
    struct cfs_content *content = cfs_content_find(contents, path);
    if (content)
        cfs_content_correct(content, &entry->attributes, reading->listing->started, false);
}

static void entries_read(struct cfs_cache_call *call)
{
    struct listing_call *reading = listing_call_of(call);
    struct cfs_contents *contents = cfs_contents_of_call(call);
    struct cfs_remote_result *result = &call->lower.result;
    int error = call->lower.error;
    pthread_mutex_lock(&contents->lock);
    if (error == 0 && result->count > 0 && (contents->dirty_bytes > 0 || contents->stamp > reading->listing->started)) {
        reading->entries = calloc(result->count, sizeof(*reading->entries));
        for (size_t i = 0; reading->entries && i < result->count; i++) {
            reading->entries[i] = result->entries[i];
            correct(contents, reading, &reading->entries[i]);
        }
        if (reading->entries)
            result->entries = reading->entries;
    }
    pthread_mutex_unlock(&contents->lock);
    cfs_cache_call_pass(call);
}

void cfs_contents_read_listing(struct cfs_remote *remote, struct cfs_remote_call *upper,
                               struct cfs_remote_listing *listing)
{
    struct listing_call *reading =
        cfs_cache_call_new(&cfs_contents_of(remote)->core, upper, sizeof(*reading), release_entries);
    if (!reading)
        return;
    reading->listing = listing_of(listing);
    cfs_cache_call_submit(&reading->call, entries_read, read_listing, reading->listing->lower);
}

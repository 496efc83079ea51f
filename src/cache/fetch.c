/* Fetches: the listing below, read ahead of the readers. What was read lies in batches, copied. */
#include "cache/fetch.h"
#include "cache/walk.h"
#include <errno.h>
#include <stdlib.h>
#include <string.h>

enum {
    AHEAD_LIMIT = 10000,  /* entries that no reader has seen */
    KEEP_LIMIT = 10000,   /* entries kept for readers that come later */
    MEMORY_LIMIT = 20000, /* a larger folder is not listed from memory */
    STALE_LIMIT = 3,      /* of a listing from memory: each may cost a look, a listing costs three round trips */
    SHARE_OF_NAMES = 4,   /* a folder with more than a quarter of all names must not drive out the others */
};

struct batch {
    struct cfs_list link;
    uint64_t first;
    size_t count;
    int64_t asked_ms;
    struct cfs_remote_entry entries[]; /* then the names */
};

/* --- batches --- */

static size_t names_length(const struct cfs_remote_entry *entries, size_t count)
{
    size_t length = 0;
    for (size_t i = 0; i < count; i++)
        length += entries[i].name_length + 1;
    return length;
}

static void copy_entries(struct cfs_remote_entry *to, char *names, const struct cfs_remote_entry *from, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        to[i] = from[i];
        to[i].name = names;
        memcpy(names, from[i].name, from[i].name_length);
        names[from[i].name_length] = '\0';
        names += from[i].name_length + 1;
    }
}

static int add_batch(struct cfs_fetch *fetch, const struct cfs_remote_entry *entries, size_t count)
{
    struct batch *batch = malloc(sizeof(*batch) + count * sizeof(*entries) + names_length(entries, count));
    if (!batch)
        return -ENOMEM;
    *batch = (struct batch){.first = fetch->count, .count = count, .asked_ms = fetch->asked_ms};
    copy_entries(batch->entries, (char *)(batch->entries + count), entries, count);
    cfs_list_push_back(&fetch->batches, &batch->link);
    fetch->count += count;
    return 0;
}

static void drop_batches(struct cfs_fetch *fetch, uint64_t before)
{
    struct batch *batch;
    while ((batch = cfs_list_first(&fetch->batches, struct batch, link)) && batch->first + batch->count <= before) {
        cfs_list_remove(&batch->link);
        fetch->first = batch->first + batch->count;
        free(batch);
    }
}

static struct batch *batch_with(struct cfs_fetch *fetch, uint64_t number)
{
    struct cfs_list *link;
    for (link = fetch->batches.prev; link != &fetch->batches; link = link->prev) {
        struct batch *batch = cfs_container_of(link, struct batch, link);
        if (batch->first <= number)
            return number < batch->first + batch->count ? batch : NULL;
    }
    return NULL;
}

/* --- life --- */

struct cfs_fetch *cfs_fetch_find(struct cfs_cache *cache, const struct cfs_name *folder)
{
    struct cfs_list *link;
    int64_t now = cfs_clock_ms(cache->clock);
    cfs_list_each (link, &cache->fetches) {
        struct cfs_fetch *fetch = cfs_container_of(link, struct cfs_fetch, link);
        if (fetch->folder == folder && fetch->first == 0 && cfs_name_is_current(&cache->names, folder, fetch->stamp) &&
            now - fetch->begun_ms < cfs_name_listing_ttl_ms(&cache->names, folder))
            return fetch;
    }
    return NULL;
}

static struct cfs_fetch *new_fetch(struct cfs_cache *cache, struct cfs_name *folder)
{
    struct cfs_fetch *fetch = calloc(1, sizeof(*fetch));
    if (!fetch)
        return NULL;
    fetch->cache = cache;
    fetch->folder = folder;
    cfs_name_get(&cache->names, folder);
    fetch->stamp = cfs_names_stamp(&cache->names);
    fetch->begun_ms = fetch->asked_ms = cfs_clock_ms(cache->clock);
    fetch->references = 1;
    cfs_list_init(&fetch->link);
    cfs_list_init(&fetch->batches);
    cfs_list_init(&fetch->readers);
    return fetch;
}

void cfs_fetch_put(struct cfs_fetch *fetch)
{
    if (!fetch || --fetch->references > 0)
        return;
    drop_batches(fetch, UINT64_MAX);
    cfs_name_put(&fetch->cache->names, fetch->folder);
    free(fetch);
}

static void release_call(struct cfs_cache_call *call)
{
    struct cfs_cache *cache = call->cache;
    pthread_mutex_lock(&cache->names_lock);
    cfs_fetch_put(cfs_container_of(call, struct cfs_fetch, call));
    pthread_mutex_unlock(&cache->names_lock);
}

struct cfs_fetch *cfs_fetch_new(struct cfs_cache *cache, struct cfs_name *folder, bool ahead, bool old)
{
    struct cfs_fetch *fetch = new_fetch(cache, folder);
    if (!fetch)
        return NULL;
    cfs_cache_call_init(&fetch->call, cache, NULL, release_call);
    fetch->learns = true;
    fetch->ahead = ahead;
    fetch->call.lower.when_lost = old ? CFS_REMOTE_FAIL : CFS_REMOTE_WAIT;
    cfs_list_push_back(&cache->fetches, &fetch->link);
    return fetch;
}

/* --- from memory --- */

/* An entry as it is known. False: too little is known of it. */
static bool describe(const struct cfs_names *names, const struct cfs_name *name, struct cfs_remote_entry *ret_entry,
                     unsigned *stale)
{
    if (name->moving > 0 || !(name->attributes.valid & CFS_REMOTE_MODE))
        return false;
    *stale += cfs_name_keep_ms(names, name) == 0;
    *ret_entry = (struct cfs_remote_entry){
        .name = name->text, .name_length = strlen(name->text), .attributes = name->attributes};
    return *stale <= STALE_LIMIT;
}

/* As it was known last. */
static bool describe_old(const struct cfs_name *name, struct cfs_remote_entry *ret_entry)
{
    *ret_entry = (struct cfs_remote_entry){
        .name = name->text, .name_length = strlen(name->text), .attributes = name->attributes};
    return name->presence == CFS_NAME_PRESENT;
}

/* The entries; the caller frees. OLD: as they were known last, if they all were. NULL: no. */
static struct cfs_remote_entry *describe_all(const struct cfs_names *names, struct cfs_name *folder, bool old,
                                             size_t *ret_count)
{
    const struct cfs_list *link;
    size_t count = 0, filled = 0;
    unsigned stale = 0;
    cfs_list_each (link, &folder->children)
        count++;
    struct cfs_remote_entry *entries = old || count <= MEMORY_LIMIT ? calloc(count + 1, sizeof(*entries)) : NULL;
    if (!entries)
        return NULL;
    cfs_list_each (link, &folder->children) {
        const struct cfs_name *name = cfs_container_of(link, const struct cfs_name, sibling);
        bool is_absent = name->presence != CFS_NAME_PRESENT && name->changing == 0;
        if (old)
            filled += describe_old(name, &entries[filled]);
        if (old)
            continue;
        if (is_absent)
            continue;
        if (!describe(names, name, &entries[filled++], &stale)) {
            free(entries);
            return NULL;
        }
    }
    *ret_count = filled;
    return entries;
}

static int add_all(struct cfs_fetch *fetch, const struct cfs_remote_entry *entries, size_t count)
{
    int error = 0;
    for (size_t next = 0, part; error == 0 && next < count; next += part) {
        part = count - next < 100 ? count - next : 100;
        error = add_batch(fetch, entries + next, part);
    }
    return error;
}

struct cfs_fetch *cfs_fetch_from_memory(struct cfs_cache *cache, struct cfs_name *folder)
{
    size_t count;
    if (!cfs_name_is_listed(&cache->names, folder))
        return NULL;
    struct cfs_remote_entry *entries CFS_AUTO_FREE = describe_all(&cache->names, folder, false, &count);
    struct cfs_fetch *fetch = entries ? new_fetch(cache, folder) : NULL;
    if (!fetch)
        return NULL;
    fetch->state = CFS_FETCH_ENDED;
    if (add_all(fetch, entries, count) < 0) {
        cfs_fetch_put(fetch);
        return NULL;
    }
    return fetch;
}

/* There is no connection: what was known last. False: too little. */
static bool fill_with_old(struct cfs_fetch *fetch)
{
    size_t count;
    if (!cfs_name_was_listed(fetch->folder))
        return false;
    struct cfs_remote_entry *entries CFS_AUTO_FREE = describe_all(&fetch->cache->names, fetch->folder, true, &count);
    fetch->learns = false;
    return entries && add_all(fetch, entries, count) == 0;
}

/* --- answering --- */

/* An entry in the light of what is known by now. False: it is gone. */
static bool adjust(const struct cfs_fetch *fetch, int64_t asked_ms, struct cfs_remote_entry *entry)
{
    struct cfs_names *names = &fetch->cache->names;
    struct cfs_name *name = cfs_name_child(names, fetch->folder, entry->name, entry->name_length);
    uint32_t keep_ms = name && name->presence == CFS_NAME_PRESENT ? cfs_name_keep_ms(names, name) : 0;
    bool is_overtaken = name ? name->changing > 0 || name->changed_at > fetch->stamp : false;
    if (is_overtaken && name->presence == CFS_NAME_ABSENT)
        return false;
    if (keep_ms > 0 && name->attributes.valid)
        entry->attributes = name->attributes;
    else if (!name && cfs_name_is_current(names, NULL, fetch->stamp))
        keep_ms = cfs_names_left_ms(
            names, &(struct cfs_freshness){asked_ms, cfs_name_ttl_ms(names, NULL, &entry->attributes)});
    entry->attributes.keep_ms = cfs_cache_keep(keep_ms);
    return true;
}

/* The rest of the batch in which the reader is: a copy, since the batch may go. */
static int hand_out(struct cfs_fetch *fetch, struct cfs_reader_call *call)
{
    struct cfs_reader *reader = call->reader;
    struct cfs_remote_result *result = &call->call.upper->result;
    const struct batch *batch = batch_with(fetch, reader->position);
    const struct cfs_remote_entry *from = batch->entries + (reader->position - batch->first);
    size_t count = (size_t)(batch->first + batch->count - reader->position), kept = 0;
    free(CFS_TAKE(call->entries)); /* of a batch of which nothing was left */
    free(CFS_TAKE(call->names));
    call->entries = calloc(count, sizeof(*call->entries));
    call->names = malloc(names_length(from, count));
    if (!call->entries || !call->names)
        return -ENOMEM;
    copy_entries(call->entries, call->names, from, count);
    for (size_t i = 0; i < count; i++) {
        if (adjust(fetch, batch->asked_ms, &call->entries[i]))
            call->entries[kept++] = call->entries[i];
    }
    reader->position += count;
    result->entries = call->entries;
    result->count = kept;
    return 0;
}

bool cfs_fetch_answer(struct cfs_fetch *fetch, struct cfs_reader_call *call)
{
    struct cfs_remote_result *result = &call->call.upper->result;
    if (call->opens) {
        if (fetch->state == CFS_FETCH_OPENING)
            return false;
        call->error = fetch->listing || fetch->error == 0 ? 0 : fetch->error;
        if (call->error == 0)
            result->listing = (struct cfs_remote_listing *)(void *)call->reader;
        return true;
    }
    call->error = 0;
    while (call->error == 0 && result->count == 0 && call->reader->position < fetch->count)
        call->error = hand_out(fetch, call);
    if (call->error == 0 && result->count == 0) {
        if (fetch->state != CFS_FETCH_ENDED)
            return false;
        call->error = fetch->error;
    }
    return true;
}

/* Those who wait and can be answered now, into READY. */
static void answer_all(struct cfs_fetch *fetch, struct cfs_list *ready)
{
    struct cfs_list *link;
    cfs_list_each (link, &fetch->readers) {
        struct cfs_reader *reader = cfs_container_of(link, struct cfs_reader, link);
        if (reader->waiting && cfs_fetch_answer(fetch, reader->waiting))
            cfs_list_push_back(ready, &CFS_TAKE(reader->waiting)->link);
    }
}

/* Without the lock. */
static void finish_all(struct cfs_list *ready)
{
    struct cfs_list *link;
    while ((link = cfs_list_pop_front(ready))) {
        struct cfs_reader_call *call = cfs_container_of(link, struct cfs_reader_call, link);
        cfs_cache_call_finish(&call->call, call->error);
    }
}

/* --- the listing below --- */

static uint64_t furthest(const struct cfs_fetch *fetch, uint64_t *ret_last)
{
    uint64_t furthest = 0, last = fetch->count;
    const struct cfs_list *link;
    cfs_list_each (link, &fetch->readers) {
        const struct cfs_reader *reader = cfs_container_of(link, const struct cfs_reader, link);
        furthest = reader->position > furthest ? reader->position : furthest;
        last = reader->position < last ? reader->position : last;
    }
    *ret_last = last;
    return furthest;
}

static void trim(struct cfs_fetch *fetch)
{
    uint64_t last;
    furthest(fetch, &last);
    if (fetch->count > KEEP_LIMIT)
        drop_batches(fetch, last);
}

static bool is_wanted(const struct cfs_fetch *fetch)
{
    return !cfs_list_empty(&fetch->readers) || (fetch->ahead && fetch->count < AHEAD_LIMIT);
}

bool cfs_fetch_wants_more(struct cfs_fetch *fetch)
{
    uint64_t last;
    if (fetch->state != CFS_FETCH_PAUSED)
        return false;
    if (is_wanted(fetch) && fetch->count - furthest(fetch, &last) >= AHEAD_LIMIT)
        return false;
    fetch->state = CFS_FETCH_READING;
    return true;
}

static void end(struct cfs_fetch *fetch, int error)
{
    fetch->state = CFS_FETCH_ENDED;
    fetch->error = error;
    cfs_list_remove(&fetch->link);
    if (fetch->ahead)
        cfs_walk_ended(fetch->cache, fetch->folder, error);
}

static void batch_read(struct cfs_cache_call *call);

static void closed(struct cfs_cache_call *call)
{
    cfs_cache_call_finish(call, 0);
}

/* On with the call, as the state says; lets the lock go, answers those who can be answered. */
static void proceed_and_unlock(struct cfs_fetch *fetch)
{
    struct cfs_cache *cache = fetch->cache;
    struct cfs_list ready;
    cfs_list_init(&ready);
    answer_all(fetch, &ready);
    trim(fetch);
    uint64_t last;
    if (fetch->state == CFS_FETCH_READING && !is_wanted(fetch))
        end(fetch, 0);
    else if (fetch->state == CFS_FETCH_READING && fetch->count - furthest(fetch, &last) >= AHEAD_LIMIT)
        fetch->state = CFS_FETCH_PAUSED;
    enum cfs_fetch_state state = fetch->state;
    struct cfs_remote_listing *listing = fetch->listing;
    fetch->asked_ms = cfs_clock_ms(cache->clock);
    fetch->references++;
    fetch->call.lower.when_lost = CFS_REMOTE_WAIT; /* what was begun is not told from memory */
    cfs_cache_hold(cache);
    pthread_mutex_unlock(&cache->names_lock);
    finish_all(&ready);
    if (state == CFS_FETCH_READING)
        cfs_cache_call_submit(&fetch->call, batch_read, read_listing, listing);
    else if (state == CFS_FETCH_ENDED && listing)
        cfs_cache_call_submit(&fetch->call, closed, close_listing, listing);
    else if (state == CFS_FETCH_ENDED)
        cfs_cache_call_finish(&fetch->call, 0);
    pthread_mutex_lock(&cache->names_lock);
    cfs_fetch_put(fetch);
    pthread_mutex_unlock(&cache->names_lock);
    cfs_cache_release(cache);
}

static void learn(struct cfs_fetch *fetch, const struct cfs_remote_entry *entries, size_t count)
{
    struct cfs_names *names = &fetch->cache->names;
    if (fetch->count > names->limit / SHARE_OF_NAMES)
        fetch->learns = false;
    for (size_t i = 0; i < count && fetch->learns; i++)
        fetch->learns = cfs_name_learn_listed(names, fetch->folder, &entries[i], fetch->stamp, fetch->asked_ms);
}

static void batch_read(struct cfs_cache_call *call)
{
    struct cfs_fetch *fetch = cfs_container_of(call, struct cfs_fetch, call);
    struct cfs_cache *cache = call->cache;
    const struct cfs_remote_result *result = &call->lower.result;
    pthread_mutex_lock(&cache->names_lock);
    int error = call->lower.error;
    if (error == 0 && result->count > 0)
        error = add_batch(fetch, result->entries, result->count);
    if (error == 0)
        learn(fetch, result->entries, result->count);
    if (error < 0 || result->count == 0)
        end(fetch, error);
    bool ended = fetch->state == CFS_FETCH_ENDED;
    if (ended && error == 0 && fetch->learns)
        (void)cfs_name_learn_complete(&cache->names, fetch->folder, fetch->stamp, fetch->begun_ms);
    cfs_cache_hold(cache);
    proceed_and_unlock(fetch);
    if (ended) {
        cfs_walk_on(cache);
        cfs_neighbours_on(cache);
    }
    cfs_cache_release(cache);
}

static void opened(struct cfs_cache_call *call);

/* Somebody reads it, who waits for the connection then. Lets the lock go. False: he cannot, and it is still held. */
static bool wait_and_unlock(struct cfs_fetch *fetch)
{
    struct cfs_cache *cache = fetch->cache;
    char *path CFS_AUTO_FREE = cfs_list_empty(&fetch->readers) ? NULL : cfs_name_path(fetch->folder);
    if (!path)
        return false;
    fetch->call.lower.when_lost = CFS_REMOTE_WAIT;
    fetch->stamp = cfs_names_stamp(&cache->names);
    fetch->begun_ms = fetch->asked_ms = cfs_clock_ms(cache->clock);
    pthread_mutex_unlock(&cache->names_lock);
    cfs_cache_call_submit(&fetch->call, opened, open_listing, path);
    return true;
}

static void opened(struct cfs_cache_call *call)
{
    struct cfs_fetch *fetch = cfs_container_of(call, struct cfs_fetch, call);
    struct cfs_cache *cache = call->cache;
    pthread_mutex_lock(&cache->names_lock);
    if (call->lower.error == -ENOTCONN && call->lower.when_lost == CFS_REMOTE_FAIL) {
        if (fill_with_old(fetch))
            call->lower.error = 0;
        else if (wait_and_unlock(fetch))
            return;
        end(fetch, call->lower.error);
        proceed_and_unlock(fetch);
        return;
    }
    fetch->listing = call->lower.error == 0 ? call->lower.result.listing : NULL;
    if (call->lower.error < 0)
        end(fetch, call->lower.error);
    else
        fetch->state = CFS_FETCH_READING;
    proceed_and_unlock(fetch);
}

void cfs_fetch_begin(struct cfs_fetch *fetch, const char *path)
{
    cfs_cache_call_submit(&fetch->call, opened, open_listing, path);
}

void cfs_fetch_go_on(struct cfs_fetch *fetch)
{
    pthread_mutex_lock(&fetch->cache->names_lock);
    proceed_and_unlock(fetch);
}

/* One timer on the cache's loop. When it expires, one LSTAT is sent for each name under which a file is open and due:
 * at the end of the time to live of its attributes if it was read or looked at in the last minute, else each minute.
 * Never more than one for a name is on its way.
 *
 * An answer that is what was known makes that fresh again. Another one may be of another file that has the name now:
 * the handle is asked, too. If that tells the same, the file has changed; if not, it has been replaced: it goes on by
 * its handle, is not asked about any more, and the kernel is told that the name stands for something else. The answers
 * pass through the contents on their way, which drop what is no longer right before anybody is told.
 *
 * Not asked about: what we are changing ourselves, and files without a name (the kernel is told to keep nothing of
 * those). Where attributes are not kept (attr_ttl = 0) there is no name, and so nothing is asked. */
#include "cache/poll.h"
#include <errno.h>
#include <stdlib.h>

enum { SOONEST_MS = 50, SHORTEST_MS = 1000, USED_MS = 60000, IDLE_MS = 60000 };

struct poll {
    struct cfs_cache_call call;
    struct cfs_cached_file *file; /* is not closed meanwhile */
    struct cfs_list link;
    char *path;
    uint64_t stamp;
    int64_t asked_ms;
    struct cfs_remote_attributes named;
    bool was_known; /* what was known when this was sent has not been overtaken by a change of our own */
};

static struct poll *poll_of(struct cfs_cache_call *call)
{
    return cfs_container_of(call, struct poll, call);
}

static bool can_be_compared(const struct cfs_remote_attributes *attributes)
{
    unsigned needed = CFS_REMOTE_SIZE | CFS_REMOTE_TIMES;
    return (attributes->valid & needed) == needed;
}

static bool look_alike(const struct cfs_remote_attributes *a, const struct cfs_remote_attributes *b)
{
    return can_be_compared(a) && can_be_compared(b) && a->size == b->size && a->mtime == b->mtime;
}

/* --- what came of it --- */

static void free_poll(struct cfs_cache_call *call)
{
    free(poll_of(call)->path);
}

/* TELLS: whom it may concern. */
static void finish(struct poll *poll, bool tells, bool is_another)
{
    struct cfs_cached_file *file = poll->file;
    struct cfs_cache *cache = file->cache;
    if (tells)
        cache->options.changed(cache->options.context, poll->path, is_another);
    pthread_mutex_lock(&cache->names_lock);
    file->name->polled = file->polling = false;
    bool closes = file->close_waits;
    pthread_mutex_unlock(&cache->names_lock);
    if (closes)
        cfs_cached_file_close_now(file);
    cfs_cache_call_finish(&poll->call, 0);
}

/* All that are open under the name are as ATTRIBUTES say. */
static void learn(struct poll *poll, const struct cfs_remote_attributes *attributes)
{
    struct cfs_cache *cache = poll->file->cache;
    struct cfs_list *link;
    cfs_list_each (link, &cache->poll.files) {
        struct cfs_cached_file *file = cfs_container_of(link, struct cfs_cached_file, of_poll);
        if (file->name == poll->file->name && file->incarnation == poll->file->incarnation)
            cfs_cached_file_learn(file, attributes, poll->stamp, poll->asked_ms);
    }
    cfs_cached_file_learn(poll->file, attributes, poll->stamp, poll->asked_ms);
}

/* Under the lock: the name, if what was asked for is still true of it; NULL. */
static struct cfs_name *current_name(const struct poll *poll)
{
    struct cfs_cached_file *file = poll->file;
    struct cfs_name *name = cfs_cached_file_name(file);
    return name && cfs_name_is_current(&file->cache->names, name, poll->stamp) ? name : NULL;
}

static void handle_seen(struct cfs_cache_call *call)
{
    struct poll *poll = poll_of(call);
    struct cfs_cached_file *file = poll->file;
    struct cfs_cache *cache = file->cache;
    const struct cfs_remote_attributes *held = &call->lower.result.attributes;
    bool is_another = false, tells = false;
    pthread_mutex_lock(&cache->names_lock);
    struct cfs_name *name = call->lower.error == 0 && can_be_compared(held) ? current_name(poll) : NULL;
    if (name) {
        /* Asked for later, it may have grown further. */
        is_another = held->size < poll->named.size || held->mtime < poll->named.mtime;
        tells = poll->was_known && (is_another || !look_alike(held, &file->seen));
        (void)cfs_name_learn(&cache->names, name, &poll->named, poll->stamp, poll->asked_ms);
        if (is_another)
            cfs_list_remove(&file->of_poll);
        else
            learn(poll, held);
    }
    pthread_mutex_unlock(&cache->names_lock);
    finish(poll, tells, is_another);
}

static void name_seen(struct cfs_cache_call *call)
{
    struct poll *poll = poll_of(call);
    struct cfs_cached_file *file = poll->file;
    struct cfs_cache *cache = file->cache;
    int error = call->lower.error;
    bool is_gone = false, asks_handle = false;
    pthread_mutex_lock(&cache->names_lock);
    struct cfs_name *name = current_name(poll);
    poll->named = call->lower.result.attributes;
    if (error == 0 && !cfs_cache_may_keep(&poll->named))
        name = NULL;
    if (name && error == -ENOENT) {
        is_gone = cfs_name_learn_absence(&cache->names, name, poll->stamp, poll->asked_ms);
    } else if (name && error == 0 && poll->was_known && look_alike(&poll->named, &file->seen)) {
        (void)cfs_name_learn(&cache->names, name, &poll->named, poll->stamp, poll->asked_ms);
        learn(poll, &poll->named);
    } else if (name && error == 0) {
        asks_handle = can_be_compared(&poll->named);
    }
    pthread_mutex_unlock(&cache->names_lock);
    if (asks_handle)
        cfs_cache_call_submit(call, handle_seen, fstat, file->lower);
    else
        finish(poll, is_gone && poll->was_known, true);
}

/* --- who is asked about --- */

static struct poll *new_poll(struct cfs_cached_file *file, struct cfs_name *name, int64_t now)
{
    struct cfs_cache *cache = file->cache;
    char *path = cfs_name_path(name);
    struct poll *poll = path ? cfs_cache_call_new(cache, NULL, sizeof(*poll), free_poll) : NULL;
    file->polled_ms = now;
    if (!poll) {
        free(path);
        return NULL;
    }
    poll->file = file;
    poll->path = path;
    poll->was_known = cfs_name_is_current(&cache->names, name, file->learned_at);
    poll->stamp = cfs_names_stamp(&cache->names);
    poll->asked_ms = now;
    poll->call.lower.when_lost = CFS_REMOTE_FAIL;
    name->polled = file->polling = true;
    return poll;
}

static int64_t due_ms(const struct cfs_cached_file *file, int64_t now)
{
    uint32_t ttl_ms = file->freshness.ttl_ms > SHORTEST_MS ? file->freshness.ttl_ms : SHORTEST_MS;
    bool is_used = now - atomic_load_explicit(&file->used_ms, memory_order_relaxed) < USED_MS;
    int64_t since_ms = file->freshness.learned_ms > file->polled_ms ? file->freshness.learned_ms : file->polled_ms;
    return since_ms + (is_used ? ttl_ms : IDLE_MS);
}

/* Those that are due go into DUE; when the next one will be: -1: never. */
static int64_t collect(struct cfs_cache *cache, struct cfs_list *due, int64_t now)
{
    int64_t next_ms = -1;
    struct cfs_list *link;
    cfs_list_each (link, &cache->poll.files) {
        struct cfs_cached_file *file = cfs_container_of(link, struct cfs_cached_file, of_poll);
        struct cfs_name *name = cfs_cached_file_name(file);
        int64_t at_ms = due_ms(file, now);
        if (at_ms <= now) {
            bool may_ask = name && !name->polled && !name->changing && !atomic_load(&file->written);
            struct poll *poll = may_ask ? new_poll(file, name, now) : NULL;
            if (poll)
                cfs_list_push_back(due, &poll->link);
            at_ms = now + SHORTEST_MS;
        }
        if (next_ms < 0 || at_ms < next_ms)
            next_ms = at_ms;
    }
    return next_ms;
}

static void look_around(struct cfs_cache *cache)
{
    struct cfs_list due, *link;
    int64_t now = cfs_clock_ms(cache->clock);
    cfs_list_init(&due);
    pthread_mutex_lock(&cache->names_lock);
    int64_t next_ms = collect(cache, &due, now);
    cache->poll.runs = next_ms >= 0;
    pthread_mutex_unlock(&cache->names_lock);
    if (next_ms >= 0)
        cfs_loop_start_timer(cache->loop, &cache->poll.timer, next_ms - now > SOONEST_MS ? next_ms - now : SOONEST_MS);
    while ((link = cfs_list_pop_front(&due))) {
        struct poll *poll = cfs_container_of(link, struct poll, link);
        cfs_cache_call_submit(&poll->call, name_seen, lstat, poll->path);
    }
}

static void expired(struct cfs_timer *timer)
{
    look_around(cfs_container_of(timer, struct cfs_cache, poll.timer));
}

static void begin(struct cfs_task *task)
{
    struct cfs_cache *cache = cfs_container_of(task, struct cfs_cache, poll.begin);
    look_around(cache);
    cfs_cache_release(cache);
}

/* --- open files --- */

void cfs_poll_opened(struct cfs_cached_file *file)
{
    struct cfs_cache *cache = file->cache;
    struct cfs_poll *poll = &cache->poll;
    if (!cache->options.changed)
        return;
    cfs_poll_used(file);
    cfs_list_push_back(&poll->files, &file->of_poll);
    if (poll->runs)
        return;
    poll->runs = true;
    cfs_cache_hold(cache);
    if (cfs_loop_post(cache->loop, &poll->begin) < 0)
        cfs_cache_release(cache);
}

bool cfs_poll_closing(struct cfs_cached_file *file)
{
    cfs_list_remove(&file->of_poll);
    file->close_waits = file->polling;
    return file->polling;
}

void cfs_poll_used(struct cfs_cached_file *file)
{
    atomic_store_explicit(&file->used_ms, cfs_clock_ms(file->cache->clock), memory_order_relaxed);
}

void cfs_poll_init(struct cfs_cache *cache)
{
    cfs_list_init(&cache->poll.files);
    cache->poll.timer = (struct cfs_timer){.expired = expired};
    cache->poll.begin = (struct cfs_task){.run = begin};
}

void cfs_poll_stop(struct cfs_cache *cache)
{
    if (cache->loop)
        cfs_loop_stop_timer(cache->loop, &cache->poll.timer);
}

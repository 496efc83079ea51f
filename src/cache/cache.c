/* The cache: its life, and its table of operations.
 *
 * Rooms: call.c is the life of a call; names*.c is what is known of names, attributes.c answers lstat and readlink from
 * it, looks.c asks, changes.c sees what this mount changes, listings.c lists by way of fetch.c, walk.c fetches ahead,
 * files.c is for open files, poll.c asks about them while programs use them.
 *
 * Threads. The cache has one thread, a loop, on which answers from memory are given: `done` must not run inside the
 * submitting call. Answers of the remote below go on on the remote's own thread. Nothing here blocks but
 * cfs_cache_free.
 *
 * Locks, in this order: a stripe (call.h), a room's lock, the loop's. No lock is held while `done` runs. The remote
 * below is called under a stripe at most. */
#include "cache/cache.h"
#include "base/doing.h"
#include "cache/behind.h"
#include "cache/cache_priv.h"
#include "cache/call.h"
#include "cache/contents.h"
#include "cache/poll.h"
#include <errno.h>
#include <signal.h>
#include <stdlib.h>

/* About 350 bytes each. */
enum { DEFAULT_ENTRIES = 200000 };

static const struct cfs_remote_facts *facts(struct cfs_remote *remote)
{
    struct cfs_remote *lower = cfs_cache_of(remote)->lower;
    return lower->operations->facts(lower);
}

static void submit_statfs(struct cfs_remote *remote, struct cfs_remote_call *upper)
{
    struct cfs_cache_call *call = cfs_cache_call_new(cfs_cache_of(remote), upper, sizeof(*call), NULL);
    if (call)
        cfs_cache_call_submit(call, cfs_cache_call_pass, statfs);
}

static void id_names(struct cfs_remote *remote, struct cfs_remote_call *upper, const uint32_t *uids, size_t uid_count,
                     const uint32_t *gids, size_t gid_count)
{
    struct cfs_cache_call *call = cfs_cache_call_new(cfs_cache_of(remote), upper, sizeof(*call), NULL);
    if (call)
        cfs_cache_call_submit(call, cfs_cache_call_pass, id_names, uids, uid_count, gids, gid_count);
}

static void submit_sync(struct cfs_remote *remote, struct cfs_remote_call *upper)
{
    struct cfs_cache *cache = cfs_cache_of(remote);
    struct cfs_cache_call *call = cfs_cache_call_new(cache, upper, sizeof(*call), NULL);
    if (!call)
        return;
    if (cache->lower->operations->sync)
        cfs_cache_call_submit(call, cfs_cache_call_pass, sync);
    else
        cfs_cache_call_finish_later(call, 0);
}

static const struct cfs_remote_operations operations = {
    .facts = facts,
    .cancel = cfs_cache_cancel,
    .lstat = cfs_cache_lstat,
    .setattr = cfs_cache_setattr,
    .readlink = cfs_cache_readlink,
    .mkdir = cfs_cache_mkdir,
    .rmdir = cfs_cache_rmdir,
    .unlink = cfs_cache_unlink,
    .symlink = cfs_cache_symlink,
    .link = cfs_cache_link,
    .rename = cfs_cache_rename,
    .statfs = submit_statfs,
    .open = cfs_cache_open,
    .read = cfs_cache_read,
    .write = cfs_cache_write,
    .fstat = cfs_cache_fstat,
    .find_end = cfs_cache_find_end,
    .fsetattr = cfs_cache_fsetattr,
    .flush = cfs_cache_flush,
    .fsync = cfs_cache_fsync,
    .copy = cfs_cache_copy,
    .close = cfs_cache_close,
    .open_listing = cfs_cache_open_listing,
    .read_listing = cfs_cache_read_listing,
    .close_listing = cfs_cache_close_listing,
    .id_names = id_names,
    .sync = submit_sync,
};

struct cfs_remote *cfs_cache_below(const struct cfs_cache_call *call, bool vouched)
{
    const struct cfs_cache *cache = call->cache;
    return vouched && cache->behind ? cfs_behind_vouched(cache->behind) : cache->lower;
}

struct cfs_remote_file *cfs_cache_file_below(const struct cfs_cache *cache, struct cfs_remote_file *file)
{
    return cache->behind ? cfs_behind_below(file) : file;
}

/* --- life --- */

static void *run(void *context)
{
    struct cfs_cache *cache = context;
    cfs_doing_begin("cache", false);
    cfs_loop_run(cache->loop);
    cfs_doing_end();
    return NULL;
}

static int start_thread(struct cfs_cache *cache)
{
    sigset_t all, before;
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &before); /* signals are for the threads that know what to do with them */
    int error = pthread_create(&cache->thread, NULL, run, cache);
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    return -error;
}

/* The first thing that any program makes the kernel ask for. */
static void learn_root(struct cfs_cache *cache)
{
    const struct cfs_remote_facts *known = facts(&cache->remote);
    if (known->root_attributes.valid)
        (void)cfs_name_learn(&cache->names, cache->names.root, &known->root_attributes, cfs_names_stamp(&cache->names),
                             known->root_asked_ms);
}

static int init_names(struct cfs_cache *cache)
{
    const struct cfs_cache_options *options = &cache->options;
    if (options->attr_ttl_ms == 0)
        return 0;
    int error = cfs_hash_init(&cache->looks);
    if (error < 0)
        return error;
    size_t limit = options->entries ? options->entries : DEFAULT_ENTRIES;
    error = cfs_names_init(&cache->names, cache->clock, options->attr_ttl_ms < 0 ? -1 : options->attr_ttl_ms, limit);
    if (error < 0) {
        cfs_hash_fini(&cache->looks);
        return error;
    }
    cache->keeps_names = true;
    learn_root(cache);
    return 0;
}

/* A file that the contents have made beside another one. */
static void appeared(void *context, const char *path)
{
    struct cfs_cache *cache = context;
    if (!cache->keeps_names)
        return;
    pthread_mutex_lock(&cache->names_lock);
    struct cfs_name *name = cfs_names_enter(&cache->names, path);
    if (name) {
        cfs_name_exists(&cache->names, name);
        cfs_name_put(&cache->names, name);
    }
    pthread_mutex_unlock(&cache->names_lock);
}

static int init_contents(struct cfs_cache *cache)
{
    const struct cfs_cache_options *options = &cache->options;
    if (options->cache_size == 0 && options->dirty_limit == 0)
        return 0;
    int error = cfs_contents_new(cache->lower, options, cache->loop, &cache->contents);
    if (error < 0)
        return error;
    cfs_contents_tell(cache->contents, appeared, cache);
    cache->lower = cache->contents;
    return error;
}

/* What is at PATH is not what was told. */
static void doubt(void *context, const char *path, bool failed)
{
    struct cfs_cache *cache = context;
    if (cache->keeps_names) {
        pthread_mutex_lock(&cache->names_lock);
        struct cfs_name *name = cfs_names_enter(&cache->names, path);
        if (name && failed) {
            cfs_name_cast_adrift(name); /* what was open may have another name */
            cfs_name_doubt(&cache->names, name);
        } else if (name)
            cfs_name_touched(&cache->names, name);
        cfs_name_put(&cache->names, name);
        pthread_mutex_unlock(&cache->names_lock);
    }
    if (cache->options.changed)
        cache->options.changed(cache->options.context, path, failed);
}

static int init_behind(struct cfs_cache *cache)
{
    const struct cfs_cache_options *options = &cache->options;
    if (!cache->contents || options->dirty_limit == 0)
        return 0;
    int error = cfs_behind_new(cache->contents, options, cache->loop, doubt, cache, &cache->behind);
    if (error == 0)
        cache->lower = cache->behind;
    return error;
}

static void free_cache(struct cfs_cache *cache)
{
    cfs_behind_free(cache->behind);
    cfs_contents_free(cache->contents);
    if (cache->keeps_names) {
        cfs_walk_stop(cache);
        cfs_neighbours_stop(cache);
        cfs_names_fini(&cache->names);
        cfs_hash_fini(&cache->looks);
    }
    pthread_mutex_destroy(&cache->names_lock);
    if (cache->loop)
        cfs_aheads_fini(cache);
    if (cache->own_loop)
        cfs_loop_free(cache->loop);
    cfs_cache_calls_fini(cache);
    free(cache);
}

int cfs_cache_new(struct cfs_remote *lower, const struct cfs_cache_options *options, struct cfs_remote **ret_cache)
{
    struct cfs_cache *cache = calloc(1, sizeof(*cache));
    if (!cache)
        return -ENOMEM;
    cache->remote.operations = &operations;
    cache->lower = lower;
    cache->options = *options;
    cache->clock = options->clock ? options->clock : &cfs_system_clock;
    cfs_list_init(&cache->fetches);
    cfs_aheads_init(cache);
    cfs_poll_init(cache);
    cfs_cache_calls_init(cache);
    pthread_mutex_init(&cache->names_lock, NULL);
    cache->own_loop = !options->loop;
    cache->loop = options->loop ? options->loop : cfs_loop_new();
    int error = cache->loop ? init_names(cache) : -ENOMEM;
    if (error == 0)
        error = init_contents(cache);
    cfs_neighbours_init(cache);
    if (error == 0)
        error = init_behind(cache);
    if (error == 0 && cache->own_loop)
        error = start_thread(cache);
    if (error < 0) {
        free_cache(cache);
        return error;
    }
    *ret_cache = &cache->remote;
    return 0;
}

void cfs_cache_finish(struct cfs_remote *remote, struct cfs_cache_failures *ret_failures)
{
    struct cfs_cache *cache = cfs_cache_of(remote);
    *ret_failures = (struct cfs_cache_failures){.count = 0};
    cfs_aheads_stop(cache);
    cfs_cache_calls_wait(cache);
    if (cache->behind)
        cfs_behind_finish(cache->behind, ret_failures);
    cfs_contents_wait(cache->contents); /* copies */
}

void cfs_cache_free(struct cfs_remote *remote)
{
    if (!remote)
        return;
    struct cfs_cache *cache = cfs_cache_of(remote);
    struct cfs_cache_failures failures;
    cfs_cache_finish(remote, &failures);
    cfs_contents_wait(cache->contents);
    if (cache->own_loop) {
        cfs_loop_stop(cache->loop);
        pthread_join(cache->thread, NULL);
    }
    cfs_poll_stop(cache);
    free_cache(cache);
}

void cfs_cache_status(struct cfs_remote *remote, struct cfs_cache_status *ret_status)
{
    struct cfs_cache *cache = cfs_cache_of(remote);
    *ret_status = (struct cfs_cache_status){.calls = 0};
    if (cache->contents)
        cfs_contents_status(cache->contents, ret_status);
    else
        ret_status->calls = atomic_load(&cache->calls_below);
    if (cache->behind)
        cfs_behind_status(cache->behind, ret_status);
    pthread_mutex_lock(&cache->names_lock);
    if (cache->keeps_names)
        ret_status->names = cfs_names_count(&cache->names);
    ret_status->name_hits = cache->name_hits;
    ret_status->name_misses = cache->name_misses;
    ret_status->prefetched_files = cache->aheads.opened;
    ret_status->prefetch_used_files = cache->aheads.used;
    ret_status->prefetch_wasted_files = cache->aheads.wasted;
    pthread_mutex_unlock(&cache->names_lock);
}

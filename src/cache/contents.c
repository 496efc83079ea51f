/* The contents as a remote: life, table of operations, and what is merely passed on. */
#include "cache/contents_priv.h"
#include <errno.h>

static const struct cfs_remote_facts *facts(struct cfs_remote *remote)
{
    struct cfs_remote *lower = cfs_cache_of(remote)->lower;
    return lower->operations->facts(lower);
}

static bool is_lost(struct cfs_remote *remote)
{
    return cfs_contents_is_lost(cfs_contents_of(remote));
}

CFS_CACHE_PASS(readlink, (struct cfs_remote * remote, struct cfs_remote_call *upper, const char *path), path)
CFS_CACHE_PASS(mkdir, (struct cfs_remote * remote, struct cfs_remote_call *upper, const char *path, mode_t mode), path,
               mode)
CFS_CACHE_PASS(rmdir, (struct cfs_remote * remote, struct cfs_remote_call *upper, const char *path), path)
CFS_CACHE_PASS(symlink,
               (struct cfs_remote * remote, struct cfs_remote_call *upper, const char *target, const char *path),
               target, path)
CFS_CACHE_PASS(link, (struct cfs_remote * remote, struct cfs_remote_call *upper, const char *from, const char *to),
               from, to)
CFS_CACHE_PASS(statfs, (struct cfs_remote * remote, struct cfs_remote_call *upper))
CFS_CACHE_PASS(id_names,
               (struct cfs_remote * remote, struct cfs_remote_call *upper, const uint32_t *uids, size_t uid_count,
                const uint32_t *gids, size_t gid_count),
               uids, uid_count, gids, gid_count)

static const struct cfs_remote_operations operations = {
    .facts = facts,
    .is_lost = is_lost,
    .cancel = cfs_cache_cancel,
    .lstat = cfs_contents_lstat,
    .setattr = cfs_contents_setattr,
    .readlink = pass_readlink,
    .mkdir = pass_mkdir,
    .rmdir = pass_rmdir,
    .unlink = cfs_contents_unlink,
    .symlink = pass_symlink,
    .link = pass_link,
    .rename = cfs_contents_rename,
    .set_and_rename = cfs_contents_set_and_rename,
    .statfs = pass_statfs,
    .open = cfs_contents_open,
    .read = cfs_contents_read,
    .write = cfs_contents_write,
    .fstat = cfs_contents_fstat,
    .find_end = cfs_contents_find_end,
    .fsetattr = cfs_contents_fsetattr,
    .flush = cfs_contents_flush,
    .fsync = cfs_contents_fsync,
    .copy = cfs_contents_copy,
    .close = cfs_contents_close,
    .put = cfs_contents_put,
    .open_listing = cfs_contents_open_listing,
    .read_listing = cfs_contents_read_listing,
    .close_listing = cfs_contents_close_listing,
    .id_names = pass_id_names,
};

static void free_contents(struct cfs_contents *contents)
{
    struct cfs_list *link, *next;
    cfs_list_each_safe (link, next, &contents->all)
        cfs_content_detach(cfs_container_of(link, struct cfs_content, of_all));
    cfs_blocks_fini(&contents->blocks);
    cfs_hash_fini(&contents->by_path);
    cfs_cache_calls_fini(&contents->core);
    pthread_mutex_destroy(&contents->lock);
    free(contents);
}

int cfs_contents_new(struct cfs_remote *lower, const struct cfs_cache_options *options, struct cfs_loop *loop,
                     struct cfs_remote **ret_contents)
{
    struct cfs_contents *contents = calloc(1, sizeof(*contents));
    if (!contents)
        return -ENOMEM;
    contents->core = (struct cfs_cache){.remote = {.operations = &operations},
                                        .lower = lower,
                                        .options = *options,
                                        .clock = options->clock ? options->clock : &cfs_system_clock,
                                        .loop = loop};
    cfs_list_init(&contents->all);
    cfs_list_init(&contents->hungry);
    cfs_list_init(&contents->dirty);
    cfs_list_init(&contents->starving);
    contents->write_size = lower->operations->facts(lower)->write_size;
    if (contents->write_size > CFS_PAGE_SIZE) /* so that what is kept of what is written are whole pages */
        contents->write_size -= contents->write_size % CFS_PAGE_SIZE;
    contents->looks_ahead = options->prefetch && options->cache_size >= UINT64_C(4) * CFS_WINDOW_FIRST;
    pthread_mutex_init(&contents->lock, NULL);
    cfs_cache_calls_init(&contents->core);
    int error = cfs_hash_init(&contents->by_path);
    if (error == 0)
        error = cfs_blocks_init(&contents->blocks, options->cache_size);
    if (error < 0) {
        free_contents(contents);
        return error;
    }
    *ret_contents = &contents->core.remote;
    return 0;
}

void cfs_contents_tell(struct cfs_remote *remote, void (*appeared)(void *context, const char *path), void *context)
{
    struct cfs_contents *contents = cfs_contents_of(remote);
    contents->appeared = appeared;
    contents->appeared_context = context;
}

void cfs_contents_wait(struct cfs_remote *remote)
{
    if (remote)
        cfs_cache_calls_wait(&cfs_contents_of(remote)->core);
}

void cfs_contents_free(struct cfs_remote *remote)
{
    if (!remote)
        return;
    cfs_contents_wait(remote);
    free_contents(cfs_contents_of(remote));
}

void cfs_contents_status(struct cfs_remote *remote, struct cfs_cache_status *status)
{
    struct cfs_contents *contents = cfs_contents_of(remote);
    pthread_mutex_lock(&contents->lock);
    status->clean_bytes = contents->blocks.bytes;
    status->dirty_bytes = contents->dirty_bytes + contents->copying_bytes;
    status->read_hits = contents->read_hits;
    status->read_misses = contents->read_misses;
    status->prefetched_bytes = contents->prefetched;
    status->prefetch_wasted_bytes = contents->blocks.wasted;
    status->calls += atomic_load(&contents->core.calls_below);
    pthread_mutex_unlock(&contents->lock);
}

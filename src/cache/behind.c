/* Finishing behind, as a remote: its life, the table of its operations, and what is merely passed on. */
#include "cache/behind_priv.h"
#include <errno.h>
#include <string.h>

static const struct cfs_remote_facts *facts(struct cfs_remote *remote)
{
    struct cfs_remote *lower = cfs_behind_of(remote)->core.lower;
    return lower->operations->facts(lower);
}

bool cfs_behind_is_lost(const struct cfs_behind *behind)
{
    struct cfs_remote *lower = behind->core.lower;
    return lower->operations->is_lost && lower->operations->is_lost(lower);
}

static bool is_lost(struct cfs_remote *remote)
{
    return cfs_behind_is_lost(cfs_behind_of(remote));
}

CFS_CACHE_PASS(statfs, (struct cfs_remote * remote, struct cfs_remote_call *upper))
CFS_CACHE_PASS(id_names,
               (struct cfs_remote * remote, struct cfs_remote_call *upper, const uint32_t *uids, size_t uid_count,
                const uint32_t *gids, size_t gid_count),
               uids, uid_count, gids, gid_count)
CFS_CACHE_PASS(read_listing,
               (struct cfs_remote * remote, struct cfs_remote_call *upper, struct cfs_remote_listing *listing), listing)
CFS_CACHE_PASS(close_listing,
               (struct cfs_remote * remote, struct cfs_remote_call *upper, struct cfs_remote_listing *listing), listing)

static const struct cfs_remote_operations operations = {
    .facts = facts,
    .is_lost = is_lost,
    .cancel = cfs_cache_cancel,
    .lstat = cfs_behind_lstat,
    .setattr = cfs_behind_setattr,
    .readlink = cfs_behind_readlink,
    .mkdir = cfs_behind_mkdir,
    .rmdir = cfs_behind_rmdir,
    .unlink = cfs_behind_unlink,
    .symlink = cfs_behind_symlink,
    .link = cfs_behind_link,
    .rename = cfs_behind_rename,
    .statfs = pass_statfs,
    .open = cfs_behind_open,
    .read = cfs_behind_read,
    .write = cfs_behind_write,
    .fstat = cfs_behind_fstat,
    .find_end = cfs_behind_find_end,
    .fsetattr = cfs_behind_fsetattr,
    .flush = cfs_behind_flush,
    .fsync = cfs_behind_fsync,
    .copy = cfs_behind_copy,
    .close = cfs_behind_close,
    .open_listing = cfs_behind_open_listing,
    .read_listing = pass_read_listing,
    .close_listing = pass_close_listing,
    .id_names = pass_id_names,
    .sync = cfs_behind_sync,
};

static const struct cfs_remote_operations vouched_operations = {
    .open = cfs_behind_open_vouched,
    .mkdir = cfs_behind_mkdir_vouched,
    .rename = cfs_behind_rename_vouched,
};

const struct cfs_job_actions *cfs_job_actions_of(enum cfs_job_kind kind)
{
    static const struct cfs_job_actions *const all[] = {
        [CFS_JOB_OPEN] = &cfs_open_actions,       [CFS_JOB_MKDIR] = &cfs_mkdir_actions,
        [CFS_JOB_SYMLINK] = &cfs_symlink_actions, [CFS_JOB_LINK] = &cfs_link_actions,
        [CFS_JOB_UNLINK] = &cfs_unlink_actions,   [CFS_JOB_RMDIR] = &cfs_rmdir_actions,
        [CFS_JOB_RENAME] = &cfs_rename_actions,   [CFS_JOB_SETATTR] = &cfs_setattr_actions,
        [CFS_JOB_FLUSH] = &cfs_flush_actions,     [CFS_JOB_FSYNC] = &cfs_fsync_actions,
        [CFS_JOB_LSTAT] = &cfs_lstat_actions,     [CFS_JOB_READLINK] = &cfs_readlink_actions,
        [CFS_JOB_LIST] = &cfs_list_actions,       [CFS_JOB_SYNC] = &cfs_sync_actions,
    };
    return all[kind];
}

struct cfs_remote *cfs_behind_vouched(struct cfs_remote *remote)
{
    return &cfs_behind_of(remote)->vouched;
}

/* --- telling --- */

struct telling {
    struct cfs_cache_call call;
    bool failed;
    char path[]; /* NUL-terminated */
};

static void tell(struct cfs_cache_call *call)
{
    const struct telling *telling = cfs_container_of(call, const struct telling, call);
    struct cfs_behind *behind = cfs_behind_of_core(call->cache);
    behind->told(behind->context, telling->path, telling->failed);
    cfs_cache_call_finish(call, 0);
}

void cfs_behind_tell(struct cfs_behind *behind, const char *path, bool failed)
{
    size_t size = strlen(path) + 1;
    struct telling *telling =
        behind->told ? cfs_cache_call_new(&behind->core, NULL, sizeof(*telling) + size, NULL) : NULL;
    if (!telling)
        return; /* what was told stays for its time to live */
    telling->failed = failed;
    memcpy(telling->path, path, size);
    cfs_cache_call_post(&telling->call, tell);
}

/* --- life --- */

static void plug_is_over(struct cfs_timer *timer)
{
    struct cfs_behind *behind = cfs_container_of(timer, struct cfs_behind, plug);
    pthread_mutex_lock(&behind->lock);
    behind->plugged = false;
    cfs_jobs_unplug_late(behind);
    pthread_mutex_unlock(&behind->lock);
}

int cfs_behind_new(struct cfs_remote *lower, const struct cfs_cache_options *options, struct cfs_loop *loop,
                   void (*told)(void *context, const char *path, bool failed), void *context,
                   struct cfs_remote **ret_behind)
{
    struct cfs_behind *behind = calloc(1, sizeof(*behind));
    if (!behind)
        return -ENOMEM;
    behind->core = (struct cfs_cache){.remote = {.operations = &operations},
                                      .lower = lower,
                                      .options = *options,
                                      .clock = options->clock ? options->clock : &cfs_system_clock,
                                      .loop = loop};
    if (cfs_own_init(&behind->own, behind->core.clock, options->attr_ttl_ms) < 0) {
        free(behind);
        return -ENOMEM;
    }
    behind->vouched.operations = &vouched_operations;
    behind->told = told;
    behind->context = context;
    behind->closes_at_once = options->durability == CFS_DURABILITY_FSYNC;
    behind->journal = behind->closes_at_once ? options->journal : NULL;
    behind->misses_journal = behind->closes_at_once && options->misses_journal;
    behind->own.fills_behind = behind->closes_at_once;
    behind->plug.expired = plug_is_over;
    cfs_list_init(&behind->jobs);
    cfs_list_init(&behind->ready);
    cfs_list_init(&behind->files);
    cfs_list_init(&behind->failures);
    cfs_list_init(&behind->kept);
    pthread_mutex_init(&behind->lock, NULL);
    cfs_cache_calls_init(&behind->core);
    *ret_behind = &behind->core.remote;
    return 0;
}

void cfs_behind_finish(struct cfs_remote *remote, struct cfs_cache_failures *ret_failures)
{
    struct cfs_behind *behind = cfs_behind_of(remote);
    pthread_mutex_lock(&behind->lock);
    cfs_jobs_unplug(behind);
    pthread_mutex_unlock(&behind->lock);
    cfs_cache_calls_wait(&behind->core);
    pthread_mutex_lock(&behind->lock);
    *ret_failures = behind->failed;
    pthread_mutex_unlock(&behind->lock);
}

void cfs_behind_status(struct cfs_remote *remote, struct cfs_cache_status *status)
{
    struct cfs_behind *behind = cfs_behind_of(remote);
    pthread_mutex_lock(&behind->lock);
    status->dirty_bytes += behind->waiting_bytes;
    status->changes += behind->job_count;
    pthread_mutex_unlock(&behind->lock);
    struct cfs_journal_status journal = {.outstanding = 0};
    if (behind->journal)
        cfs_journal_status(behind->journal, &journal);
    status->has_journal = behind->journal && !journal.has_failed;
    status->misses_journal = behind->misses_journal || journal.has_failed;
    status->journal_changes = journal.outstanding;
    status->journal_bytes = journal.bytes;
}

void cfs_behind_free(struct cfs_remote *remote)
{
    if (!remote)
        return;
    struct cfs_behind *behind = cfs_behind_of(remote);
    cfs_loop_stop_timer(behind->core.loop, &behind->plug);
    cfs_failures_fini(behind);
    cfs_behind_log_fini(behind);
    cfs_own_fini(&behind->own);
    cfs_cache_calls_fini(&behind->core);
    pthread_mutex_destroy(&behind->lock);
    free(behind);
}

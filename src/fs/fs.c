/* The file system as a whole: its beginning, its end, its counts. */
#include "fs/fs.h"

#include "fs/fs_priv.h"
#include <errno.h>
#include <stdlib.h>
#include <string.h>

static void init_locks(struct cfs_fs *fs)
{
    pthread_mutex_init(&fs->lock, NULL);
    pthread_cond_init(&fs->idle, NULL);
    pthread_cond_init(&fs->worker.changed, NULL);
    for (size_t i = 0; i < CFS_STRIPES; i++)
        pthread_mutex_init(&fs->stripes[i], NULL);
    cfs_list_init(&fs->worker.queue);
    cfs_list_init(&fs->claims);
    cfs_list_init(&fs->ready);
    cfs_list_init(&fs->files);
    cfs_list_init(&fs->folders);
}

static void free_parts(struct cfs_fs *fs)
{
    cfs_tree_fini(&fs->tree);
    cfs_owners_free(fs->owners);
    pthread_mutex_destroy(&fs->lock);
    pthread_cond_destroy(&fs->idle);
    pthread_cond_destroy(&fs->worker.changed);
    for (size_t i = 0; i < CFS_STRIPES; i++)
        pthread_mutex_destroy(&fs->stripes[i]);
    free(fs);
}

int cfs_fs_new(struct cfs_remote *remote, const struct cfs_fs_options *options, struct cfs_fs **ret_fs)
{
    struct cfs_fs *fs = calloc(1, sizeof(*fs));
    if (!fs)
        return -ENOMEM;
    fs->remote = remote;
    fs->facts = remote->operations->facts(remote);
    fs->profile = options->profile;
    fs->clock = options->clock;
    fs->notifier = options->notifier;
    fs->lost = options->lost;
    fs->context = options->context;
    init_locks(fs);
    int result = cfs_tree_init(&fs->tree);
    if (result == 0)
        result = cfs_owners_new(fs->profile, fs->facts, &fs->owners);
    if (result == 0)
        result = cfs_worker_start(fs);
    if (result < 0) {
        free_parts(fs);
        return result;
    }
    *ret_fs = fs;
    return 0;
}

static struct cfs_open_file *file_left_over(struct cfs_fs *fs)
{
    pthread_mutex_lock(&fs->lock);
    struct cfs_open_file *file = cfs_list_first(&fs->files, struct cfs_open_file, of_fs);
    if (file) {
        cfs_list_remove(&file->of_fs);
        cfs_list_remove(&file->of_node);
        fs->open_files--;
    }
    pthread_mutex_unlock(&fs->lock);
    return file;
}

void cfs_fs_free(struct cfs_fs *fs)
{
    if (!fs)
        return;
    struct cfs_open_file *file;
    while ((file = file_left_over(fs)))
        cfs_file_end(file);
    struct cfs_open_folder *folder;
    while ((folder = cfs_folder_left_over(fs)))
        cfs_folder_discard(folder);
    pthread_mutex_lock(&fs->lock);
    while (fs->closing > 0 || fs->running_ready)
        pthread_cond_wait(&fs->idle, &fs->lock);
    pthread_mutex_unlock(&fs->lock);
    cfs_worker_stop(fs);
    free_parts(fs);
}

void cfs_fs_status(struct cfs_fs *fs, struct cfs_fs_status *ret_status)
{
    struct cfs_fs_status status = {
        .requests = atomic_load(&fs->counts.requests),
        .requests_in_flight = atomic_load(&fs->counts.requests_in_flight),
        .errors = atomic_load(&fs->counts.errors),
        .bytes_read = atomic_load(&fs->counts.bytes_read),
        .bytes_written = atomic_load(&fs->counts.bytes_written),
    };
    pthread_mutex_lock(&fs->lock);
    status.nodes = fs->tree.by_id.count;
    status.open_files = fs->open_files;
    pthread_mutex_unlock(&fs->lock);
    *ret_status = status;
}

char *cfs_fs_path(struct cfs_fs *fs, uint64_t id)
{
    char *path = NULL;
    pthread_mutex_lock(&fs->lock);
    const struct cfs_node *node = cfs_tree_find(&fs->tree, id);
    int error = node ? cfs_node_path(node, NULL, &path) : -ENOENT;
    pthread_mutex_unlock(&fs->lock);
    return error ? NULL : path;
}

void cfs_fs_forget(struct cfs_fs *fs, uint64_t id, uint64_t count)
{
    pthread_mutex_lock(&fs->lock);
    struct cfs_node *node = cfs_tree_find(&fs->tree, id);
    if (node)
        cfs_node_forget(&fs->tree, node, count);
    pthread_mutex_unlock(&fs->lock);
}

struct cfs_node *cfs_fs_node(struct cfs_fs *fs, uint64_t id)
{
    pthread_mutex_lock(&fs->lock);
    struct cfs_node *node = cfs_tree_find(&fs->tree, id);
    if (node)
        cfs_node_get(node);
    pthread_mutex_unlock(&fs->lock);
    return node;
}

void cfs_fs_put_node(struct cfs_fs *fs, struct cfs_node *node)
{
    pthread_mutex_lock(&fs->lock);
    cfs_node_put(&fs->tree, node);
    pthread_mutex_unlock(&fs->lock);
}

int cfs_check_name(const char *name)
{
    size_t length = strlen(name);
    if (length > CFS_NAME_LIMIT)
        return -ENAMETOOLONG;
    if (length == 0 || strchr(name, '/') || strcmp(name, ".") == 0 || strcmp(name, "..") == 0)
        return -EINVAL;
    return 0;
}

int cfs_step_path(struct cfs_step *step, int index, char **ret_path)
{
    pthread_mutex_lock(&step->fs->lock);
    int result = cfs_node_path(step->claim.node[index], step->claim.name[index], ret_path);
    pthread_mutex_unlock(&step->fs->lock);
    return result;
}

/* Open files of the pool: where they are. */
#include "remote/paths.h"
#include "remote/pool_priv.h"
#include <fcntl.h>
#include <string.h>

struct cfs_remote_file *cfs_file_new(struct cfs_lane *lane, const struct cfs_sftp_handle *handle, const char *path,
                                     int flags)
{
    struct cfs_pool *pool = lane->pool;
    struct cfs_remote_file *file = calloc(1, sizeof(*file));
    char *copy = strdup(path);
    if (!file || !copy) {
        free(file);
        free(copy);
        return NULL;
    }
    file->pool = pool;
    file->lane = lane;
    file->generation = lane->generation;
    file->handle = *handle;
    file->flags = flags;
    file->path = copy;
    cfs_gate_init(&file->gate);
    cfs_list_init(&file->undecided);
    pthread_mutex_lock(&pool->lock);
    cfs_list_push_back(&pool->files, &file->link);
    pool->open_files++;
    lane->open_files++;
    if ((flags & O_ACCMODE) != O_WRONLY)
        pool->last_reader = file;
    pthread_mutex_unlock(&pool->lock);
    return file;
}

char *cfs_file_path(struct cfs_remote_file *file)
{
    pthread_mutex_lock(&file->pool->lock);
    char *path = strdup(file->path);
    pthread_mutex_unlock(&file->pool->lock);
    return path;
}

static void mark(struct cfs_pool *pool, const char *path, bool is_gone)
{
    struct cfs_list *link;
    pthread_mutex_lock(&pool->lock);
    cfs_list_each (link, &pool->files) {
        struct cfs_remote_file *file = cfs_container_of(link, struct cfs_remote_file, link);
        if (strcmp(file->path, path) != 0)
            continue;
        file->is_unsure = true;
        file->is_gone |= is_gone;
    }
    pthread_mutex_unlock(&pool->lock);
}

void cfs_files_removed(struct cfs_pool *pool, const char *path)
{
    mark(pool, path, true);
}

void cfs_files_changed(struct cfs_pool *pool, const char *path)
{
    mark(pool, path, false);
}

void cfs_file_free(struct cfs_remote_file *file)
{
    struct cfs_pool *pool = file->pool;
    if (file->is_written && !file->is_gone)
        cfs_files_changed(pool, file->path); /* other handles of it do not know of that */
    cfs_file_forget_reopening(file);
    cfs_loan_forget_file(file);
    cfs_stripes_discard(file);
    cfs_hold_end(file);
    pthread_mutex_lock(&pool->lock);
    cfs_list_remove(&file->link);
    pool->open_files--;
    file->lane->open_files--;
    if (pool->last_reader == file)
        pool->last_reader = NULL;
    pthread_mutex_unlock(&pool->lock);
    free(file->path);
    free(file);
}

void cfs_files_renamed(struct cfs_pool *pool, const char *from, const char *to)
{
    struct cfs_list *link;
    if (strcmp(from, to) != 0)
        cfs_files_removed(pool, to);
    pthread_mutex_lock(&pool->lock);
    cfs_list_each (link, &pool->files) {
        struct cfs_remote_file *file = cfs_container_of(link, struct cfs_remote_file, link);
        bool concerned;
        if (file->is_gone)
            continue;
        char *path = cfs_path_renamed(file->path, from, to, &concerned);
        /* Without memory the old path stays: a reopen will find no file there, or another, and say ESTALE. */
        if (!path)
            continue;
        free(file->path);
        file->path = path;
    }
    pthread_mutex_unlock(&pool->lock);
}

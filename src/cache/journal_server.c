/* Calls that are waited for. */
#include "cache/journal_server.h"
#include "base/list.h"
#include <pthread.h>

struct waited {
    struct cfs_remote_call call;
    pthread_mutex_t lock;
    pthread_cond_t changed;
    bool is_done; /* the lock's */
};

static void done(struct cfs_remote_call *call)
{
    struct waited *waited = cfs_container_of(call, struct waited, call);
    pthread_mutex_lock(&waited->lock);
    waited->is_done = true;
    pthread_cond_signal(&waited->changed);
    pthread_mutex_unlock(&waited->lock);
}

static void begin(struct waited *waited)
{
    *waited = (struct waited){.call.done = done};
    pthread_mutex_init(&waited->lock, NULL);
    pthread_cond_init(&waited->changed, NULL);
}

static int wait_for(struct cfs_journal_server *server, struct waited *waited)
{
    pthread_mutex_lock(&waited->lock);
    while (!waited->is_done) {
        if (!server->turn) {
            pthread_cond_wait(&waited->changed, &waited->lock);
            continue;
        }
        pthread_mutex_unlock(&waited->lock);
        (void)server->turn(server->context);
        pthread_mutex_lock(&waited->lock);
    }
    pthread_mutex_unlock(&waited->lock);
    pthread_cond_destroy(&waited->changed);
    pthread_mutex_destroy(&waited->lock);
    return waited->call.error;
}

#define run(server, waited, operation, ...)                                                                            \
    ({                                                                                                                 \
        begin(waited);                                                                                                 \
        (server)->remote->operations->operation((server)->remote, &(waited)->call, __VA_ARGS__);                       \
        wait_for(server, waited);                                                                                      \
    })

int cfs_server_lstat(struct cfs_journal_server *server, const char *path, struct cfs_remote_attributes *ret_attributes)
{
    struct waited waited;
    int error = run(server, &waited, lstat, path);
    if (error == 0)
        *ret_attributes = waited.call.result.attributes;
    return error;
}

int cfs_server_mkdir(struct cfs_journal_server *server, const char *path, mode_t mode)
{
    struct waited waited;
    return run(server, &waited, mkdir, path, mode);
}

int cfs_server_rename(struct cfs_journal_server *server, const char *from, const char *to, enum cfs_remote_rename how)
{
    struct waited waited;
    return run(server, &waited, rename, from, to, how);
}

int cfs_server_setattr(struct cfs_journal_server *server, const char *path, mode_t type,
                       const struct cfs_remote_attributes *set)
{
    struct waited waited;
    return run(server, &waited, setattr, path, type, set);
}

int cfs_server_open(struct cfs_journal_server *server, const char *path, int flags, mode_t mode,
                    struct cfs_remote_file **ret_file)
{
    struct waited waited;
    int error = run(server, &waited, open, path, flags, mode);
    if (error == 0)
        *ret_file = waited.call.result.file;
    return error;
}

int cfs_server_read(struct cfs_journal_server *server, struct cfs_remote_file *file, uint64_t offset, size_t length,
                    void *destination, size_t *ret_length)
{
    struct waited waited;
    int error = run(server, &waited, read, file, offset, length, destination);
    if (error == 0)
        *ret_length = waited.call.result.length;
    return error;
}

int cfs_server_write(struct cfs_journal_server *server, struct cfs_remote_file *file, uint64_t offset, size_t length,
                     const void *data)
{
    struct waited waited;
    return run(server, &waited, write, file, offset, length, data);
}

int cfs_server_close(struct cfs_journal_server *server, struct cfs_remote_file *file)
{
    struct waited waited;
    return run(server, &waited, close, file);
}

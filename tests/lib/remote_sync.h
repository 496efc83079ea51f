/* The remote's operations made synchronous, for tests: each submits, waits and returns the call's error (0 or -errno).
 * A call that completes twice, or inside the submitting call, fails the test. */
#ifndef CFS_TESTS_LIB_REMOTE_SYNC_H
#define CFS_TESTS_LIB_REMOTE_SYNC_H

#include "remote/remote.h"
#include <pthread.h>

/* A remote, and what makes it go. */
struct remote_driver {
    struct cfs_remote *remote;
    bool (*turn)(void *context); /* false: nothing is left to do. NULL: the remote has threads */
    void *context;
};

/* A call to wait for; on the stack. */
struct sync_call {
    struct cfs_remote_call call;
    pthread_mutex_t lock;
    pthread_cond_t changed;
    unsigned completions;
    /* What must be copied before `done` returns. */
    char target[4097];
    struct sync_entry {
        char name[256];
        struct cfs_remote_attributes attributes;
    } * entries;
    struct sync_id {
        uint32_t id;
        bool is_group;
        char name[256];
    } ids[8];
};

void sync_init(struct sync_call *sync);
void sync_fini(struct sync_call *sync);
/* Around the submitting call: sync_begin(&s); remote->operations->lstat(remote, &s.call, ...); sync_submitted(&s); */
void sync_begin(struct sync_call *sync);
void sync_submitted(struct sync_call *sync);
/* Waits (60 s at most) and returns the call's error. */
int sync_wait(struct remote_driver *driver, struct sync_call *sync);
bool sync_is_done(struct sync_call *sync);

int sync_lstat(struct remote_driver *driver, const char *path, struct cfs_remote_attributes *ret_attributes);
int sync_setattr(struct remote_driver *driver, const char *path, mode_t type,
                 const struct cfs_remote_attributes *attributes);
int sync_readlink(struct remote_driver *driver, const char *path, char *ret_target, size_t size);
int sync_mkdir(struct remote_driver *driver, const char *path, mode_t mode);
int sync_rmdir(struct remote_driver *driver, const char *path);
int sync_unlink(struct remote_driver *driver, const char *path);
int sync_symlink(struct remote_driver *driver, const char *target, const char *path);
int sync_link(struct remote_driver *driver, const char *from, const char *to);
int sync_rename(struct remote_driver *driver, const char *from, const char *to, enum cfs_remote_rename how);
int sync_set_and_rename(struct remote_driver *driver, const char *from, const char *to,
                        const struct cfs_remote_attributes *attributes, int *ret_set_error);
int sync_statfs(struct remote_driver *driver, struct cfs_remote_statfs *ret_statfs);
int sync_open(struct remote_driver *driver, const char *path, int flags, mode_t mode,
              struct cfs_remote_file **ret_file);
/* Bytes read, or -errno. */
ssize_t sync_read(struct remote_driver *driver, struct cfs_remote_file *file, uint64_t offset, void *buffer,
                  size_t length);
int sync_write(struct remote_driver *driver, struct cfs_remote_file *file, uint64_t offset, const void *data,
               size_t length);
int sync_fstat(struct remote_driver *driver, struct cfs_remote_file *file,
               struct cfs_remote_attributes *ret_attributes);
int sync_fsetattr(struct remote_driver *driver, struct cfs_remote_file *file,
                  const struct cfs_remote_attributes *attributes);
int sync_flush(struct remote_driver *driver, struct cfs_remote_file *file);
int sync_fsync(struct remote_driver *driver, struct cfs_remote_file *file);
/* Bytes copied, or -errno. */
ssize_t sync_copy(struct remote_driver *driver, struct cfs_remote_file *from, uint64_t from_offset,
                  struct cfs_remote_file *to, uint64_t to_offset, size_t length);
int sync_close(struct remote_driver *driver, struct cfs_remote_file *file);
int sync_put(struct remote_driver *driver, const char *path, int flags, mode_t mode, const void *data, size_t length,
             const struct cfs_remote_attributes *attributes, struct cfs_remote_attributes *ret_attributes);
int sync_open_listing(struct remote_driver *driver, const char *path, struct cfs_remote_listing **ret_listing);
/* Entries in the batch (0: the end), or -errno; *RET_ENTRIES is to be freed. */
ssize_t sync_read_listing(struct remote_driver *driver, struct cfs_remote_listing *listing,
                          struct sync_entry **ret_entries);
int sync_close_listing(struct remote_driver *driver, struct cfs_remote_listing *listing);

#endif

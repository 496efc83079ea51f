/* A remote, one call after the other: for who brings a journal to the server (journal_replay.c), before anybody else
 * uses it. */
#ifndef CFS_CACHE_JOURNAL_SERVER_H
#define CFS_CACHE_JOURNAL_SERVER_H

#include "remote/remote.h"

struct cfs_journal_server {
    struct cfs_remote *remote;
    /* Makes the remote go until a call has completed; NULL: it has threads that do. False: nothing is left to do. */
    bool (*turn)(void *context);
    void *context;
};

/* Each: 0 or -errno, as the remote says it. Not on a thread of the remote's. */
CFS_CHECKED int cfs_server_lstat(struct cfs_journal_server *server, const char *path,
                                 struct cfs_remote_attributes *ret_attributes);
CFS_CHECKED int cfs_server_mkdir(struct cfs_journal_server *server, const char *path, mode_t mode);
CFS_CHECKED int cfs_server_rename(struct cfs_journal_server *server, const char *from, const char *to,
                                  enum cfs_remote_rename how);
CFS_CHECKED int cfs_server_setattr(struct cfs_journal_server *server, const char *path, mode_t type,
                                   const struct cfs_remote_attributes *set);
CFS_CHECKED int cfs_server_open(struct cfs_journal_server *server, const char *path, int flags, mode_t mode,
                                struct cfs_remote_file **ret_file);
CFS_CHECKED int cfs_server_read(struct cfs_journal_server *server, struct cfs_remote_file *file, uint64_t offset,
                                size_t length, void *destination, size_t *ret_length);
CFS_CHECKED int cfs_server_write(struct cfs_journal_server *server, struct cfs_remote_file *file, uint64_t offset,
                                 size_t length, const void *data);
CFS_CHECKED int cfs_server_close(struct cfs_journal_server *server, struct cfs_remote_file *file);

#endif

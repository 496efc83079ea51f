/* What the rooms of src/fuse share. */
#ifndef CFS_FUSE_SESSION_PRIV_H
#define CFS_FUSE_SESSION_PRIV_H

#include "base/list.h"
#include "fuse/session.h"
#include <fuse_lowlevel.h>
#include <pthread.h>
#include <stdatomic.h>

struct cfs_fuse_notices;

struct cfs_fuse_session {
    const struct cfs_profile *profile;
    struct cfs_fs *fs;
    struct fuse_session *fuse;
    bool mounted;
    int stop_fd;          /* an eventfd: readable when the workers shall leave; also ends the watcher of interrupts */
    atomic_bool stopping; /* requests are refused */
    _Atomic uint64_t init_unique; /* connection.c: the INIT request whose reply is to be completed; 0: none */

    pthread_mutex_t
        calls_lock; /* protects the rest; taken after nothing, and nothing is taken under it but by cfs_fs_interrupt */
    pthread_cond_t calls_changed; /* for the watcher of interrupts */
    pthread_cond_t calls_gone;    /* for the end: a condition of its own, or each reply would wake the watcher */
    struct cfs_list calls;        /* struct cfs_fuse_call, oldest first */
    size_t call_count;
    bool interrupts_pending; /* a call was marked as interrupted since the watcher last looked */
    bool watcher_leaves;
    pthread_t watcher;
    bool watcher_runs;

    struct cfs_fuse_notices *notices;
};

/* operations.c: the table for libfuse; userdata is the session. */
extern const struct fuse_lowlevel_ops cfs_fuse_operations;

/* connection.c */
void cfs_fuse_connection_init(struct cfs_fuse_session *session, struct fuse_conn_info *connection);
CFS_CHECKED int cfs_fuse_connection_hook(struct cfs_fuse_session *session);

/* loop.c: runs the worker threads until the mount is gone or stop_fd is readable. */
CFS_CHECKED int cfs_fuse_loop_run(struct cfs_fuse_session *session);

#endif

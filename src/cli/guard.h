/* What the watchdog does for a mount: it tells the log what every thread does and which requests wait, takes the mount
 * away when nothing goes on, and ends the process when even that does not help. */
#ifndef CFS_CLI_GUARD_H
#define CFS_CLI_GUARD_H

#include "base/watchdog.h"
#include "fs/fs.h"
#include "fuse/session.h"
#include <pthread.h>

struct cfs_guard {
    struct cfs_watchdog *watchdog; /* NULL: none */
    const char *mountpoint;
    uint32_t timeout_ms;
    pthread_mutex_t telling; /* held while session and fs are asked; taken before the other */
    pthread_mutex_t lock;    /* protects session and fs; held for moments */
    struct cfs_fuse_session *session;
    struct cfs_fs *fs;
};

/* TIMEOUT_MS 0: nobody watches. All stay the caller's; SESSION and FS until cfs_guard_leave, the others until
 * cfs_guard_stop. A mount without a watchdog works: what fails is logged. */
void cfs_guard_start(struct cfs_guard *guard, uint32_t timeout_ms, const char *mountpoint,
                     struct cfs_fuse_session *session, struct cfs_fs *fs);
/* The session and the fs are about to go: they are asked no more. The process is still watched. Also if it was never
 * started, and then the guard is {0}. */
void cfs_guard_leave(struct cfs_guard *guard);
void cfs_guard_stop(struct cfs_guard *guard);

#endif

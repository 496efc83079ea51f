/* A FUSE mount: the kernel's requests in, replies out, and nothing else. Handlers submit to the file system and return;
 * replies are sent from whatever thread the answer arrives on.
 *
 * Life: new → (fs is made, with the notifier) → mount → run → free. */
#ifndef CFS_FUSE_SESSION_H
#define CFS_FUSE_SESSION_H

#include "base/error.h"
#include "conf/profile.h"
#include "fs/fs.h"

struct cfs_fuse_session;

/* The profile must outlive the session. NULL if memory is short. */
struct cfs_fuse_session *cfs_fuse_session_new(const struct cfs_profile *profile);

/* What to give to cfs_fs_new, so that the file system can tell the kernel what changed. Valid as long as the session;
 * before mount and after the end of run it does nothing. Any thread; never blocks for long: it queues. */
struct cfs_fs_notifier cfs_fuse_session_notifier(struct cfs_fuse_session *session);

/* Mounts FS on MOUNTPOINT (absolute). From then on programs may wait for us: run must follow. -errno and a sentence on
 * failure. The fs stays the caller's and must outlive the session. */
CFS_CHECKED int cfs_fuse_session_mount(struct cfs_fuse_session *session, struct cfs_fs *fs, const char *mountpoint,
                                       struct cfs_error *error);

/* Serves until the mount is gone (unmounted from outside) or cfs_fuse_session_stop was called. 0 or -errno. */
CFS_CHECKED int cfs_fuse_session_run(struct cfs_fuse_session *session);

/* Lets run return; the mount stays until free. Any thread, also a signal handler. */
void cfs_fuse_session_stop(struct cfs_fuse_session *session);

/* Cuts the connection to the kernel: whoever waits gets an error at once, and so does all that comes; run returns. Any
 * thread; waits for nothing. */
void cfs_fuse_session_abort(struct cfs_fuse_session *session);

/* Requests that wait for their answer: how many, and the age of the oldest in milliseconds. Any thread. */
size_t cfs_fuse_session_waiting(struct cfs_fuse_session *session, int64_t *ret_oldest_ms);

/* A request that waits for its answer. */
struct cfs_fuse_waiting {
    const char *operation; /* static */
    uint64_t node;         /* of the fs: what it is about, or the folder of the name; 0: none */
    int64_t age_ms;
};
/* The oldest of them, oldest first: fills up to ROOM, returns how many. Any thread. */
size_t cfs_fuse_session_oldest(struct cfs_fuse_session *session, struct cfs_fuse_waiting *waiting, size_t room);

/* Answers the requests still in flight with -EINTR, waits for their end (bounded by the deadline of a request),
 * unmounts if that has not happened (lazily: open files keep what is left), frees. NULL is fine. */
void cfs_fuse_session_free(struct cfs_fuse_session *session);
CFS_DEFINE_CLEANUP(struct cfs_fuse_session, cfs_fuse_session_free)

#endif

/* Notices to the kernel: what the file system found out to be no longer right. They must not be sent from inside a
 * request (the kernel may hold locks of that very inode), and sending may wait: so they are queued and sent by a thread
 * of their own. */
#ifndef CFS_FUSE_NOTICES_H
#define CFS_FUSE_NOTICES_H

#include "fuse/session_priv.h"

/* An empty queue; what is told before the start is dropped. NULL if memory is short. */
struct cfs_fuse_notices *cfs_fuse_notices_new(void);
void cfs_fuse_notices_free(struct cfs_fuse_notices *notices);

/* FUSE must be mounted; -errno. */
CFS_CHECKED int cfs_fuse_notices_start(struct cfs_fuse_session *session);
/* Drops what is queued. False while a notice is still being sent: call again then. It may wait for a request in flight,
 * even for one that has not been read from the device yet. */
CFS_CHECKED bool cfs_fuse_notices_stop(struct cfs_fuse_session *session);

void cfs_fuse_notices_node_changed(void *session, uint64_t node, int64_t offset, int64_t length);
void cfs_fuse_notices_entry_changed(void *session, uint64_t parent, const char *name);

#endif

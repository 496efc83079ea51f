/* What a mount can tell of itself, as text for people and as JSON for programs. */
#ifndef CFS_CTL_STATUS_H
#define CFS_CTL_STATUS_H

#include "base/bytes.h"
#include "cache/cache.h"
#include "conf/profile.h"
#include "fs/fs.h"
#include "remote/pool.h"

/* Where the facts come from; all of it must live as long as the control server. */
struct cfs_ctl_source {
    const struct cfs_profile *profile;
    const char *mountpoint;
    struct cfs_remote *remote; /* a pool */
    struct cfs_remote *cache;  /* NULL: none */
    struct cfs_fs *fs;         /* NULL: the mount is gone, and what is left is being written */
    /* Requests of the kernel that wait, and the age of the oldest in milliseconds (src/fuse stands above us). */
    size_t (*waiting)(void *context, int64_t *ret_oldest_ms);
    /* The mount is to end now, without waiting for the server. Must not block. NULL: cannot be asked for. */
    void (*give_up)(void *context);
    void *context;
    int64_t since_ms; /* monotonic: when the mount was ready */
};

/* Both append to OUT; a newline ends each. */
void cfs_ctl_status_text(const struct cfs_ctl_source *source, struct cfs_buffer *out);
void cfs_ctl_status_json(const struct cfs_ctl_source *source, struct cfs_buffer *out);

/* What is left to be written, for `clusterfs umount`: "left BYTES CHANGES" and a newline. */
void cfs_ctl_progress(const struct cfs_ctl_source *source, struct cfs_buffer *out);

#endif

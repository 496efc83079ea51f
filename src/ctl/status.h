/* What a mount can tell of itself, as text for people and as JSON for programs. */
#ifndef CFS_CTL_STATUS_H
#define CFS_CTL_STATUS_H

#include "base/bytes.h"
#include "cache/cache.h"
#include "conf/profile.h"
#include "ctl/rates.h"
#include "fs/fs.h"
#include "remote/pool.h"

/* A request of the kernel that waits for its answer. */
struct cfs_ctl_request {
    const char *operation; /* static */
    uint64_t node;         /* of src/fs; 0: none */
    int64_t age_ms;
};

enum { CFS_CTL_REQUESTS = 20 };

/* Where the facts come from; all of it must live as long as the control server. */
struct cfs_ctl_source {
    const struct cfs_profile *profile;
    const char *mountpoint;
    struct cfs_remote *remote; /* a pool */
    struct cfs_remote *cache;  /* NULL: none */
    struct cfs_fs *fs;         /* NULL: the mount is gone, and what is left is being written */
    /* Requests of the kernel that wait, and the age of the oldest in milliseconds (src/fuse stands above us). */
    size_t (*waiting)(void *context, int64_t *ret_oldest_ms);
    /* The oldest of them, oldest first: fills up to ROOM, returns how many. */
    size_t (*oldest)(void *context, struct cfs_ctl_request *requests, size_t room);
    const struct cfs_rates *rates; /* NULL: not measured */
    /* The mount is to end now, without waiting for the server. Must not block. NULL: cannot be asked for. */
    void (*give_up)(void *context);
    /* Somebody, of the mount's own user or root, wants to log in, by the connection FD, which is taken (dialog.h). Must
     * not block. NULL: cannot be done. */
    void (*login)(void *context, int fd, bool can_ask);
    void *context;
    int64_t since_ms; /* monotonic: when the mount was ready */
};

/* Both append to OUT; a newline ends each. */
void cfs_ctl_status_text(const struct cfs_ctl_source *source, struct cfs_buffer *out);
/* The same in one line: what changes. */
void cfs_ctl_status_line(const struct cfs_ctl_source *source, struct cfs_buffer *out);
void cfs_ctl_status_json(const struct cfs_ctl_source *source, struct cfs_buffer *out);

/* Takes a sample of what goes into the rates. */
void cfs_ctl_measure(const struct cfs_ctl_source *source, struct cfs_rates *rates);
/* What is left to be written, for `clusterfs umount`: "left BYTES CHANGES serving", or "ending" when programs use the
 * mount no more, and a newline. */
void cfs_ctl_progress(const struct cfs_ctl_source *source, struct cfs_buffer *out);

#endif

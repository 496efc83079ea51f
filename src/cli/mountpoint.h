/* Mount points: what may be one, and which of them are ours. */
#ifndef CFS_CLI_MOUNTPOINT_H
#define CFS_CLI_MOUNTPOINT_H

#include "base/error.h"
#include <stdbool.h>
#include <sys/types.h>

/* A line of /proc/self/mountinfo (proc(5)) whose type is fuse.clusterfs. */
struct cfs_mounted {
    char *mountpoint;
    char *source;
    uid_t uid; /* who mounted it (user_id=) */
};

struct cfs_mounted_list {
    struct cfs_mounted *mounts;
    size_t count;
};

/* Reads FILE, or /proc/self/mountinfo when it is NULL. -errno. */
CFS_CHECKED int cfs_mounted_read(const char *file, struct cfs_mounted_list *ret_list);
void cfs_mounted_free(struct cfs_mounted_list *list);
/* The topmost of our mounts on exactly this path; NULL if there is none. */
const struct cfs_mounted *cfs_mounted_find(const struct cfs_mounted_list *list, const char *mountpoint);

/* Checks that PATH can be mounted on: a folder, that we may use, on which no clusterfs is mounted. One that a killed
 * clusterfs left behind (its connection is gone) is unmounted first. *RET_PATH is absolute and canonical; the caller
 * frees. */
CFS_CHECKED int cfs_mountpoint_prepare(const char *path, char **ret_path, struct cfs_error *error);

/* PATH made absolute and canonical without touching what is mounted there (which may hang or be dead): its parent is
 * resolved, the last component is kept. The caller frees; NULL if memory is short or the parent does not exist. */
char *cfs_mountpoint_resolve(const char *path);

/* True when the process behind the mount of UID has gone: its control socket refuses, and the mount answers ENOTCONN.
 */
bool cfs_mountpoint_is_dead(const char *mountpoint, uid_t uid);
/* Detaches a dead mount, and removes its control socket. As cfs_mountpoint_unmount. */
CFS_CHECKED int cfs_mountpoint_remove_dead(const char *mountpoint, uid_t uid, struct cfs_error *error);

/* Unmounts by umount2(2) or, without the right to, by fusermount3. LAZY detaches at once, even when busy. 0, or -errno
 * with a sentence (CFS_FAILURE_BUSY when files are open). */
CFS_CHECKED int cfs_mountpoint_unmount(const char *mountpoint, bool lazy, struct cfs_error *error);

#endif

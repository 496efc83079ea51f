/* Preparing and leaving a mount point. Nothing here may touch what is mounted before it is known to be alive: a dead
 * mount answers ENOTCONN, and a hanging one not at all. */
#include "cli/mountpoint.h"
#include "base/text.h"
#include "cli/run.h"
#include "ctl/control.h"
#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/vfs.h>

enum { ASK_LIMIT_MS = 2000 };

char *cfs_mountpoint_resolve(const char *path)
{
    char *copy CFS_AUTO_FREE = strdup(path);
    if (!copy)
        return NULL;
    size_t length = strlen(copy);
    while (length > 1 && copy[length - 1] == '/')
        copy[--length] = '\0';
    char *slash = strrchr(copy, '/');
    const char *name = slash ? slash + 1 : copy;
    if (strcmp(name, ".") == 0 || strcmp(name, "..") == 0 || name[0] == '\0')
        return realpath(copy, NULL);
    /* A link as the last component is followed, as mount(8) does; a mount point is none. */
    char target[PATH_MAX];
    if (readlink(copy, target, sizeof(target)) > 0)
        return realpath(copy, NULL);
    char *parent CFS_AUTO_FREE = NULL;
    if (!slash)
        parent = realpath(".", NULL);
    else if (slash == copy)
        parent = strdup("/");
    else {
        *slash = '\0';
        parent = realpath(copy, NULL);
    }
    if (!parent)
        return NULL;
    return cfs_text_format("%s/%s", strcmp(parent, "/") == 0 ? "" : parent, name);
}

/* True when the process behind one of our mounts has gone: its control socket refuses, and the mount answers ENOTCONN.
 */
bool cfs_mountpoint_is_dead(const char *mountpoint, uid_t uid)
{
    char *path CFS_AUTO_FREE = NULL;
    struct statfs status;
    int fd = cfs_control_path(mountpoint, uid, false, &path);
    if (fd == 0)
        fd = cfs_control_connect(path, ASK_LIMIT_MS);
    if (fd >= 0) {
        close(fd);
        return false;
    }
    if (fd == -ETIMEDOUT || fd == -EAGAIN)
        return false;
    /* Nobody serves there: only now is the mount itself asked, for what the kernel never answers from memory. */
    return statfs(mountpoint, &status) != 0 && errno == ENOTCONN;
}

int cfs_mountpoint_remove_dead(const char *mountpoint, uid_t uid, struct cfs_error *error)
{
    char *path CFS_AUTO_FREE = NULL;
    int result = cfs_mountpoint_unmount(mountpoint, true, error);
    if (result == 0 && cfs_control_path(mountpoint, uid, false, &path) == 0)
        cfs_control_remove_stale(path);
    return result;
}

/* 1: one dead mount was removed, another may lie below; 0: there is none. */
static int take_over_once(const char *mountpoint, struct cfs_error *error)
{
    struct cfs_mounted_list list;
    int result = cfs_mounted_read(NULL, &list);
    if (result)
        return cfs_error_set(error, -result, CFS_FAILURE_SYSTEM, "Cannot read /proc/self/mountinfo: %s.",
                             strerror(-result));
    const struct cfs_mounted *mounted = cfs_mounted_find(&list, mountpoint);
    if (mounted && !cfs_mountpoint_is_dead(mountpoint, mounted->uid))
        result = cfs_error_set(error, EBUSY, CFS_FAILURE_BUSY,
                               "%s is already mounted on %s.\n`clusterfs umount %s` unmounts it.", mounted->source,
                               mountpoint, mountpoint);
    else if (mounted)
        result = cfs_mountpoint_remove_dead(mountpoint, mounted->uid, error);
    result = result == 0 && mounted ? 1 : result;
    cfs_mounted_free(&list);
    return result;
}

static int take_over(const char *mountpoint, struct cfs_error *error)
{
    int result;
    do {
        result = take_over_once(mountpoint, error);
    } while (result > 0);
    return result;
}

int cfs_mountpoint_prepare(const char *path, char **ret_path, struct cfs_error *error)
{
    struct stat status;
    char *resolved CFS_AUTO_FREE = cfs_mountpoint_resolve(path);
    if (!resolved)
        return cfs_error_set(error, errno, CFS_FAILURE_MOUNT, "The mount point %s does not exist: %s.", path,
                             strerror(errno));
    int result = take_over(resolved, error);
    if (result)
        return result;
    if (stat(resolved, &status)) {
        int number = errno;
        cfs_error_set(error, number, CFS_FAILURE_MOUNT, "The mount point %s cannot be used: %s.", resolved,
                      strerror(number));
        if (number == ENOENT)
            cfs_error_append(error, "\nMake it with `mkdir -p %s`.", resolved);
        return -number;
    }
    if (!S_ISDIR(status.st_mode))
        return cfs_error_set(error, ENOTDIR, CFS_FAILURE_MOUNT, "The mount point %s is not a folder.", resolved);
    if (geteuid() != 0 && access(resolved, W_OK))
        return cfs_error_set(error, EACCES, CFS_FAILURE_MOUNT,
                             "You may not mount on %s: only root may mount on a folder that he cannot write to.",
                             resolved);
    *ret_path = CFS_TAKE(resolved);
    return 0;
}

static int unmount_by_helper(const char *mountpoint, bool lazy, struct cfs_error *error)
{
    char message[512];
    const char *const plain[] = {"fusermount3", "-u", "--", mountpoint, NULL};
    const char *const detach[] = {"fusermount3", "-u", "-z", "--", mountpoint, NULL};
    int status = cfs_run(lazy ? detach : plain, message, sizeof(message));
    if (status == 0)
        return 0;
    if (status < 0)
        return cfs_error_set(error, -status, CFS_FAILURE_SYSTEM, "Cannot run fusermount3: %s.", strerror(-status));
    bool busy = strstr(message, "busy") != NULL;
    return cfs_error_set(error, busy ? EBUSY : EPERM, busy ? CFS_FAILURE_BUSY : CFS_FAILURE_MOUNT,
                         "Cannot unmount %s: %s.", mountpoint, message[0] ? message : "fusermount3 failed");
}

int cfs_mountpoint_unmount(const char *mountpoint, bool lazy, struct cfs_error *error)
{
    if (umount2(mountpoint, UMOUNT_NOFOLLOW | (lazy ? MNT_DETACH : 0)) == 0)
        return 0;
    if (errno == EPERM)
        return unmount_by_helper(mountpoint, lazy, error);
    if (errno == EBUSY)
        return cfs_error_set(error, EBUSY, CFS_FAILURE_BUSY, "Cannot unmount %s: it is in use.", mountpoint);
    return cfs_error_set(error, errno, CFS_FAILURE_MOUNT, "Cannot unmount %s: %s.", mountpoint, strerror(errno));
}

/* Where the control socket of a mount is: found from the mount point alone, so that `status` and `umount` need no
 * registry. The two need not have the same environment (a mount from fstab, a shell after su): a client looks in every
 * folder in which the server may have put it. */
#include "base/runtime_folder.h"
#include "base/text.h"
#include "ctl/control.h"
#include <errno.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

/* FNV-1a: names the socket, nothing more; whoever could forge a collision is the user himself. */
static uint64_t name_of(const char *mountpoint)
{
    uint64_t hash = UINT64_C(0xcbf29ce484222325);
    for (; *mountpoint; mountpoint++)
        hash = (hash ^ (unsigned char)*mountpoint) * UINT64_C(0x100000001b3);
    return hash;
}

static int path_in(const char *folder, const char *mountpoint, char **ret_path)
{
    char *path = cfs_text_format("%s/%016llx.sock", folder, (unsigned long long)name_of(mountpoint));
    if (!path)
        return -ENOMEM;
    if (strlen(path) >= sizeof(((struct sockaddr_un *)NULL)->sun_path)) {
        free(path);
        return -ENAMETOOLONG;
    }
    *ret_path = path;
    return 0;
}

/* The path in FOLDER, if it can be used: to make a socket there, or because there is one. */
static int try_folder(const char *folder, const char *mountpoint, uid_t uid, bool create, char **ret_path)
{
    char *path CFS_AUTO_FREE = NULL;
    struct stat status;
    int error = cfs_runtime_folder_check(folder, uid, create);
    if (!error)
        error = path_in(folder, mountpoint, &path);
    if (!error && create && access(folder, W_OK | X_OK))
        error = -errno;
    if (!error && !create && lstat(path, &status))
        error = -errno;
    if (!error)
        *ret_path = CFS_TAKE(path);
    return error;
}

int cfs_control_path(const char *mountpoint, uid_t uid, bool create, char **ret_path)
{
    int result = -ENOENT;
    for (unsigned i = 0;; i++) {
        char *folder CFS_AUTO_FREE = NULL;
        int is_there = cfs_runtime_folder(i, uid, &folder);
        if (is_there < 0)
            return is_there == -ENOENT ? result : is_there;
        if (is_there == 0)
            continue;
        int error = try_folder(folder, mountpoint, uid, create, ret_path);
        /* A folder that others have prepared, or have access to, is no reason to look for another: it is to be told. */
        if (error == 0 || error == -EPERM)
            return error;
        if (result == -ENOENT)
            result = error;
    }
}

/* Where the control socket of a mount is: found from the mount point alone, so that `status` and `umount` need no
 * registry. */
#include "base/text.h"
#include "ctl/control.h"
#include <errno.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/un.h>

/* FNV-1a: names the socket, nothing more; whoever could forge a collision is the user himself. */
static uint64_t name_of(const char *mountpoint)
{
    uint64_t hash = UINT64_C(0xcbf29ce484222325);
    for (; *mountpoint; mountpoint++)
        hash = (hash ^ (unsigned char)*mountpoint) * UINT64_C(0x100000001b3);
    return hash;
}

static bool is_folder(const char *path)
{
    struct stat status;
    return stat(path, &status) == 0 && S_ISDIR(status.st_mode);
}

static char *folder_of(uid_t uid)
{
    const char *runtime = getenv("XDG_RUNTIME_DIR");
    if (runtime && runtime[0] == '/' && uid == getuid() && is_folder(runtime))
        return cfs_text_format("%s/clusterfs", runtime);
    char *user CFS_AUTO_FREE = cfs_text_format("/run/user/%lu", (unsigned long)uid);
    if (user && is_folder(user))
        return cfs_text_format("%s/clusterfs", user);
    if (uid == 0)
        return strdup("/run/clusterfs");
    return cfs_text_format("/tmp/clusterfs-%lu", (unsigned long)uid);
}

static int check_folder(const char *folder, uid_t uid, bool create)
{
    struct stat status;
    if (create && mkdir(folder, 0700) && errno != EEXIST)
        return -errno;
    if (lstat(folder, &status))
        return -errno;
    bool is_ours = S_ISDIR(status.st_mode) && status.st_uid == uid && (status.st_mode & 077) == 0;
    return is_ours ? 0 : -EPERM;
}

int cfs_control_path(const char *mountpoint, uid_t uid, bool create, char **ret_path)
{
    char *folder CFS_AUTO_FREE = folder_of(uid);
    if (!folder)
        return -ENOMEM;
    int error = check_folder(folder, uid, create);
    if (error)
        return error;
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

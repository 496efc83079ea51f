/* Where sockets lie: in the user's runtime folder where there is one, else in a folder of his in /run or /tmp. */
#include "base/runtime_folder.h"

#include "base/text.h"
#include <errno.h>
#include <string.h>
#include <sys/stat.h>

static bool is_folder(const char *path)
{
    struct stat status;
    return stat(path, &status) == 0 && S_ISDIR(status.st_mode);
}

int cfs_runtime_folder(unsigned index, uid_t uid, char **ret_folder)
{
    const char *runtime = getenv("XDG_RUNTIME_DIR");
    char *user CFS_AUTO_FREE = cfs_text_format("/run/user/%lu", (unsigned long)uid);
    const char *parent = NULL;
    char *folder = NULL;
    if (!user)
        return -ENOMEM;
    if (index == 0)
        parent = runtime && runtime[0] == '/' && uid == getuid() ? runtime : NULL;
    else if (index == 1)
        parent = user;
    else if (index == 2)
        folder = uid == 0 ? strdup("/run/clusterfs") : cfs_text_format("/tmp/clusterfs-%lu", (unsigned long)uid);
    else
        return -ENOENT;
    if (index < 2 && (!parent || !is_folder(parent)))
        return 0;
    if (index < 2)
        folder = cfs_text_format("%s/clusterfs", parent);
    if (!folder)
        return -ENOMEM;
    *ret_folder = folder;
    return 1;
}

int cfs_runtime_folder_check(const char *folder, uid_t uid, bool create)
{
    struct stat status;
    if (create && mkdir(folder, 0700) && errno != EEXIST)
        return -errno;
    if (lstat(folder, &status))
        return -errno;
    bool is_ours = S_ISDIR(status.st_mode) && status.st_uid == uid && (status.st_mode & 077) == 0;
    return is_ours ? 0 : -EPERM;
}

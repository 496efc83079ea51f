/* The extensions' names, for people. */
#include "remote/pool.h"
#include "sftp/client.h"

const char *cfs_pool_extension_name(uint32_t bit)
{
    static const struct {
        uint32_t bit;
        const char *name;
    } extensions[] = {
        {CFS_SFTP_POSIX_RENAME, "posix-rename@openssh.com"},
        {CFS_SFTP_STATVFS, "statvfs@openssh.com"},
        {CFS_SFTP_FSTATVFS, "fstatvfs@openssh.com"},
        {CFS_SFTP_HARDLINK, "hardlink@openssh.com"},
        {CFS_SFTP_FSYNC, "fsync@openssh.com"},
        {CFS_SFTP_LSETSTAT, "lsetstat@openssh.com"},
        {CFS_SFTP_LIMITS, "limits@openssh.com"},
        {CFS_SFTP_EXPAND_PATH, "expand-path@openssh.com"},
        {CFS_SFTP_COPY_DATA, "copy-data"},
        {CFS_SFTP_HOME_DIRECTORY, "home-directory"},
        {CFS_SFTP_USERS_GROUPS_BY_ID, "users-groups-by-id@openssh.com"},
    };
    for (size_t i = 0; i < CFS_COUNT(extensions); i++) {
        if (extensions[i].bit == bit)
            return extensions[i].name;
    }
    return NULL;
}

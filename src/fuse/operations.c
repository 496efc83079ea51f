/* The table of handlers. What is not in it, libfuse answers with ENOSYS, and the kernel then does by itself: locks
 * (flock and fcntl hold among the programs of this machine), access(2) and extended attributes (not supported). */
#include "fuse/operations.h"

static void init(void *session, struct fuse_conn_info *connection)
{
    cfs_fuse_connection_init(session, connection);
}

const struct fuse_lowlevel_ops cfs_fuse_operations = {
    .init = init,
    .lookup = cfs_fuse_lookup,
    .forget = cfs_fuse_forget,
    .forget_multi = cfs_fuse_forget_multi,
    .getattr = cfs_fuse_getattr,
    .setattr = cfs_fuse_setattr,
    .readlink = cfs_fuse_readlink,
    .mknod = cfs_fuse_mknod,
    .mkdir = cfs_fuse_mkdir,
    .unlink = cfs_fuse_unlink,
    .rmdir = cfs_fuse_rmdir,
    .symlink = cfs_fuse_symlink,
    .rename = cfs_fuse_rename,
    .link = cfs_fuse_link,
    .open = cfs_fuse_open,
    .create = cfs_fuse_create,
    .read = cfs_fuse_read,
    .write = cfs_fuse_write,
    .flush = cfs_fuse_flush,
    .fsync = cfs_fuse_fsync,
    .release = cfs_fuse_release,
    .fallocate = cfs_fuse_fallocate,
    .lseek = cfs_fuse_lseek,
    .copy_file_range = cfs_fuse_copy_file_range,
    .opendir = cfs_fuse_opendir,
    .readdir = cfs_fuse_readdir,
    .readdirplus = cfs_fuse_readdirplus,
    .releasedir = cfs_fuse_releasedir,
    .fsyncdir = cfs_fuse_fsyncdir,
    .statfs = cfs_fuse_statfs,
};

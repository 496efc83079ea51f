/* The handlers of libfuse's low-level operations, by theme; operations.c puts them into the table. Each translates
 * arguments, submits to the file system and returns. */
#ifndef CFS_FUSE_OPERATIONS_H
#define CFS_FUSE_OPERATIONS_H

#include "fuse/call.h"

/* The file system of a request's session. */
static inline struct cfs_fs *cfs_fuse_fs(fuse_req_t request)
{
    return ((struct cfs_fuse_session *)fuse_req_userdata(request))->fs;
}

/* operations_names.c: names and attributes */
void cfs_fuse_lookup(fuse_req_t request, fuse_ino_t parent, const char *name);
void cfs_fuse_forget(fuse_req_t request, fuse_ino_t node, uint64_t count);
void cfs_fuse_forget_multi(fuse_req_t request, size_t count, struct fuse_forget_data *forgets);
void cfs_fuse_getattr(fuse_req_t request, fuse_ino_t node, struct fuse_file_info *info);
void cfs_fuse_setattr(fuse_req_t request, fuse_ino_t node, struct stat *attributes, int set,
                      struct fuse_file_info *info);
void cfs_fuse_readlink(fuse_req_t request, fuse_ino_t node);
void cfs_fuse_mknod(fuse_req_t request, fuse_ino_t parent, const char *name, mode_t mode, dev_t device);
void cfs_fuse_mkdir(fuse_req_t request, fuse_ino_t parent, const char *name, mode_t mode);
void cfs_fuse_unlink(fuse_req_t request, fuse_ino_t parent, const char *name);
void cfs_fuse_rmdir(fuse_req_t request, fuse_ino_t parent, const char *name);
void cfs_fuse_symlink(fuse_req_t request, const char *target, fuse_ino_t parent, const char *name);
void cfs_fuse_rename(fuse_req_t request, fuse_ino_t parent, const char *name, fuse_ino_t new_parent,
                     const char *new_name, unsigned flags);
void cfs_fuse_link(fuse_req_t request, fuse_ino_t node, fuse_ino_t new_parent, const char *new_name);

/* operations_files.c */
void cfs_fuse_open(fuse_req_t request, fuse_ino_t node, struct fuse_file_info *info);
void cfs_fuse_create(fuse_req_t request, fuse_ino_t parent, const char *name, mode_t mode, struct fuse_file_info *info);
void cfs_fuse_read(fuse_req_t request, fuse_ino_t node, size_t size, off_t offset, struct fuse_file_info *info);
void cfs_fuse_write(fuse_req_t request, fuse_ino_t node, const char *data, size_t size, off_t offset,
                    struct fuse_file_info *info);
void cfs_fuse_flush(fuse_req_t request, fuse_ino_t node, struct fuse_file_info *info);
void cfs_fuse_fsync(fuse_req_t request, fuse_ino_t node, int data_only, struct fuse_file_info *info);
void cfs_fuse_release(fuse_req_t request, fuse_ino_t node, struct fuse_file_info *info);
void cfs_fuse_fallocate(fuse_req_t request, fuse_ino_t node, int mode, off_t offset, off_t length,
                        struct fuse_file_info *info);
void cfs_fuse_lseek(fuse_req_t request, fuse_ino_t node, off_t offset, int whence, struct fuse_file_info *info);
void cfs_fuse_copy_file_range(fuse_req_t request, fuse_ino_t from, off_t from_offset, struct fuse_file_info *from_info,
                              fuse_ino_t to, off_t to_offset, struct fuse_file_info *to_info, size_t length, int flags);

/* operations_folders.c: folders and the file system as a whole */
void cfs_fuse_opendir(fuse_req_t request, fuse_ino_t node, struct fuse_file_info *info);
void cfs_fuse_readdir(fuse_req_t request, fuse_ino_t node, size_t size, off_t offset, struct fuse_file_info *info);
void cfs_fuse_readdirplus(fuse_req_t request, fuse_ino_t node, size_t size, off_t offset, struct fuse_file_info *info);
void cfs_fuse_releasedir(fuse_req_t request, fuse_ino_t node, struct fuse_file_info *info);
void cfs_fuse_fsyncdir(fuse_req_t request, fuse_ino_t node, int data_only, struct fuse_file_info *info);
void cfs_fuse_statfs(fuse_req_t request, fuse_ino_t node);

#endif

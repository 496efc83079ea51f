/* Handlers for names and attributes. */
#include "fuse/operations.h"

static struct cfs_open_file *file_of(const struct fuse_file_info *info)
{
    return info ? (struct cfs_open_file *)(uintptr_t)info->fh : NULL;
}

void cfs_fuse_lookup(fuse_req_t request, fuse_ino_t parent, const char *name)
{
    struct cfs_fuse_call *call = cfs_fuse_call_new(request, "lookup", parent, 0, cfs_fuse_answer_entry);
    if (call)
        cfs_fs_lookup(call->session->fs, &call->request, parent, name);
}

void cfs_fuse_forget(fuse_req_t request, fuse_ino_t node, uint64_t count)
{
    cfs_fs_forget(cfs_fuse_fs(request), node, count);
    fuse_reply_none(request);
}

void cfs_fuse_forget_multi(fuse_req_t request, size_t count, struct fuse_forget_data *forgets)
{
    for (size_t i = 0; i < count; i++)
        cfs_fs_forget(cfs_fuse_fs(request), forgets[i].ino, forgets[i].nlookup);
    fuse_reply_none(request);
}

void cfs_fuse_getattr(fuse_req_t request, fuse_ino_t node, struct fuse_file_info *info)
{
    struct cfs_fuse_call *call = cfs_fuse_call_new(request, "getattr", node, 0, cfs_fuse_answer_attributes);
    if (call)
        cfs_fs_getattr(call->session->fs, &call->request, node, file_of(info));
}

void cfs_fuse_setattr(fuse_req_t request, fuse_ino_t node, struct stat *attributes, int set,
                      struct fuse_file_info *info)
{
    static const struct {
        int theirs;
        unsigned ours;
    } flags[] = {
        {FUSE_SET_ATTR_MODE, CFS_SET_MODE},
        {FUSE_SET_ATTR_UID, CFS_SET_UID},
        {FUSE_SET_ATTR_GID, CFS_SET_GID},
        {FUSE_SET_ATTR_SIZE, CFS_SET_SIZE},
        {FUSE_SET_ATTR_ATIME, CFS_SET_ATIME},
        {FUSE_SET_ATTR_MTIME, CFS_SET_MTIME},
        {FUSE_SET_ATTR_ATIME_NOW, CFS_SET_ATIME_NOW},
        {FUSE_SET_ATTR_MTIME_NOW, CFS_SET_MTIME_NOW},
    };
    unsigned wanted = 0;
    for (size_t i = 0; i < CFS_COUNT(flags); i++) {
        if (set & flags[i].theirs)
            wanted |= flags[i].ours;
    }
    struct cfs_fuse_call *call = cfs_fuse_call_new(request, "setattr", node, 0, cfs_fuse_answer_attributes);
    if (call)
        cfs_fs_setattr(call->session->fs, &call->request, node, file_of(info), attributes, wanted);
}

static void answer_target(struct cfs_fuse_call *call)
{
    fuse_reply_readlink(call->fuse_request, call->request.result.target);
}

void cfs_fuse_readlink(fuse_req_t request, fuse_ino_t node)
{
    struct cfs_fuse_call *call = cfs_fuse_call_new(request, "readlink", node, 0, answer_target);
    if (call)
        cfs_fs_readlink(call->session->fs, &call->request, node);
}

void cfs_fuse_mknod(fuse_req_t request, fuse_ino_t parent, const char *name, mode_t mode, dev_t device)
{
    struct cfs_fuse_call *call = cfs_fuse_call_new(request, "mknod", parent, 0, cfs_fuse_answer_entry);
    if (call)
        cfs_fs_mknod(call->session->fs, &call->request, parent, name, mode, device);
}

void cfs_fuse_mkdir(fuse_req_t request, fuse_ino_t parent, const char *name, mode_t mode)
{
    struct cfs_fuse_call *call = cfs_fuse_call_new(request, "mkdir", parent, 0, cfs_fuse_answer_entry);
    if (call)
        cfs_fs_mkdir(call->session->fs, &call->request, parent, name, mode);
}

void cfs_fuse_unlink(fuse_req_t request, fuse_ino_t parent, const char *name)
{
    struct cfs_fuse_call *call = cfs_fuse_call_new(request, "unlink", parent, 0, cfs_fuse_answer_nothing);
    if (call)
        cfs_fs_unlink(call->session->fs, &call->request, parent, name);
}

void cfs_fuse_rmdir(fuse_req_t request, fuse_ino_t parent, const char *name)
{
    struct cfs_fuse_call *call = cfs_fuse_call_new(request, "rmdir", parent, 0, cfs_fuse_answer_nothing);
    if (call)
        cfs_fs_rmdir(call->session->fs, &call->request, parent, name);
}

void cfs_fuse_symlink(fuse_req_t request, const char *target, fuse_ino_t parent, const char *name)
{
    struct cfs_fuse_call *call = cfs_fuse_call_new(request, "symlink", parent, 0, cfs_fuse_answer_entry);
    if (call)
        cfs_fs_symlink(call->session->fs, &call->request, target, parent, name);
}

void cfs_fuse_rename(fuse_req_t request, fuse_ino_t parent, const char *name, fuse_ino_t new_parent,
                     const char *new_name, unsigned flags)
{
    struct cfs_fuse_call *call = cfs_fuse_call_new(request, "rename", parent, 0, cfs_fuse_answer_nothing);
    if (call)
        cfs_fs_rename(call->session->fs, &call->request, parent, name, new_parent, new_name, flags);
}

void cfs_fuse_link(fuse_req_t request, fuse_ino_t node, fuse_ino_t new_parent, const char *new_name)
{
    struct cfs_fuse_call *call = cfs_fuse_call_new(request, "link", node, 0, cfs_fuse_answer_entry);
    if (call)
        cfs_fs_link(call->session->fs, &call->request, node, new_parent, new_name);
}

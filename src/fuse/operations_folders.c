/* Handlers for open folders, and for the file system as a whole. An open folder travels in fuse_file_info.fh. */
#include "fuse/operations.h"
#include <errno.h>

static struct cfs_open_folder *folder_of(const struct fuse_file_info *info)
{
    return (struct cfs_open_folder *)(uintptr_t)info->fh;
}

static void answer_opendir(struct cfs_fuse_call *call)
{
    struct cfs_open_folder *folder = call->request.result.folder;
    call->file_info.fh = (uintptr_t)folder;
    if (fuse_reply_open(call->fuse_request, &call->file_info) != -ENOENT)
        return;
    /* The kernel did not take the reply (the caller was killed): it will not release the folder either. */
    struct cfs_request *abandoned = cfs_fuse_abandoned_new(call);
    if (abandoned) /* else it is closed with the mount */
        cfs_fs_release_folder(call->session->fs, abandoned, folder);
}

void cfs_fuse_opendir(fuse_req_t request, fuse_ino_t node, struct fuse_file_info *info)
{
    struct cfs_fuse_call *call = cfs_fuse_call_new(request, "opendir", node, 0, answer_opendir);
    if (!call)
        return;
    call->file_info = *info;
    cfs_fs_open_folder(call->session->fs, &call->request, node);
}

static bool add_entry(struct cfs_request *request, const char *name, const struct cfs_entry *entry, uint64_t next)
{
    struct cfs_fuse_call *call = cfs_fuse_call_of(request);
    char *room = call->buffer + call->used;
    size_t left = call->size - call->used;
    size_t needed;
    if (call->plus) {
        struct fuse_entry_param parameters = cfs_fuse_entry(entry);
        needed = fuse_add_direntry_plus(call->fuse_request, room, left, name, &parameters, (off_t)next);
    } else {
        needed = fuse_add_direntry(call->fuse_request, room, left, name, &entry->attributes, (off_t)next);
    }
    if (needed > left)
        return false;
    call->used += needed;
    return true;
}

static void answer_readdir(struct cfs_fuse_call *call)
{
    fuse_reply_buf(call->fuse_request, call->buffer, call->used);
}

static void read_folder(fuse_req_t request, fuse_ino_t node, size_t size, off_t offset, struct fuse_file_info *info,
                        bool plus)
{
    struct cfs_fuse_call *call =
        cfs_fuse_call_new(request, plus ? "readdirplus" : "readdir", node, size, answer_readdir);
    if (!call)
        return;
    call->plus = plus;
    cfs_fs_read_folder(call->session->fs, &call->request, folder_of(info), (uint64_t)offset, plus, add_entry);
}

void cfs_fuse_readdir(fuse_req_t request, fuse_ino_t node, size_t size, off_t offset, struct fuse_file_info *info)
{
    read_folder(request, node, size, offset, info, false);
}

void cfs_fuse_readdirplus(fuse_req_t request, fuse_ino_t node, size_t size, off_t offset, struct fuse_file_info *info)
{
    read_folder(request, node, size, offset, info, true);
}

void cfs_fuse_releasedir(fuse_req_t request, fuse_ino_t node, struct fuse_file_info *info)
{
    struct cfs_fuse_call *call = cfs_fuse_call_new(request, "releasedir", node, 0, cfs_fuse_answer_nothing);
    if (call)
        cfs_fs_release_folder(call->session->fs, &call->request, folder_of(info));
}

void cfs_fuse_fsyncdir(fuse_req_t request, fuse_ino_t node, int data_only, struct fuse_file_info *info)
{
    (void)data_only;
    struct cfs_fuse_call *call = cfs_fuse_call_new(request, "fsyncdir", node, 0, cfs_fuse_answer_nothing);
    if (call)
        cfs_fs_fsync_folder(call->session->fs, &call->request, folder_of(info));
}

static void answer_statfs(struct cfs_fuse_call *call)
{
    fuse_reply_statfs(call->fuse_request, &call->request.result.statvfs);
}

void cfs_fuse_statfs(fuse_req_t request, fuse_ino_t node)
{
    struct cfs_fuse_call *call = cfs_fuse_call_new(request, "statfs", node, 0, answer_statfs);
    if (call)
        cfs_fs_statfs(call->session->fs, &call->request);
}

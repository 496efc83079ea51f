/* Handlers for open files. An open file travels in fuse_file_info.fh. */
#include "fuse/operations.h"
#include <errno.h>
#include <string.h>

static struct cfs_open_file *file_of(const struct fuse_file_info *info)
{
    return (struct cfs_open_file *)(uintptr_t)info->fh;
}

/* The kernel did not take the reply to an open (its caller was killed): it will not release the file either. */
static void release_unseen(struct cfs_fuse_call *call, struct cfs_open_file *file)
{
    struct cfs_request *abandoned = cfs_fuse_abandoned_new(call);
    if (abandoned) /* else the file is closed with the mount */
        cfs_fs_release(call->session->fs, abandoned, file);
}

static void answer_open(struct cfs_fuse_call *call)
{
    struct cfs_open_file *file = call->request.result.file;
    call->file_info.fh = (uintptr_t)file;
    call->file_info.keep_cache = call->request.result.keep_cache;
    /* The program will look at the size as soon as it has its descriptor. Offset -1 drops attributes only: that takes
     * no lock of the inode's pages, for which alone a notice must not be sent while its inode's request waits. */
    if (call->request.result.attributes_changed)
        fuse_lowlevel_notify_inval_inode(call->session->fuse, call->node, -1, 0);
    if (fuse_reply_open(call->fuse_request, &call->file_info) == -ENOENT)
        release_unseen(call, file);
}

void cfs_fuse_open(fuse_req_t request, fuse_ino_t node, struct fuse_file_info *info)
{
    struct cfs_fuse_call *call = cfs_fuse_call_new(request, "open", node, 0, answer_open);
    if (!call)
        return;
    call->file_info = *info;
    cfs_fs_open(call->session->fs, &call->request, node, info->flags);
}

static void answer_create(struct cfs_fuse_call *call)
{
    struct cfs_open_file *file = call->request.result.file;
    struct fuse_entry_param entry = cfs_fuse_entry(&call->request.result.entry);
    call->file_info.fh = (uintptr_t)file;
    if (fuse_reply_create(call->fuse_request, &entry, &call->file_info) == -ENOENT) {
        release_unseen(call, file);
        cfs_fs_forget(call->session->fs, entry.ino, 1);
    }
}

void cfs_fuse_create(fuse_req_t request, fuse_ino_t parent, const char *name, mode_t mode, struct fuse_file_info *info)
{
    struct cfs_fuse_call *call = cfs_fuse_call_new(request, "create", parent, 0, answer_create);
    if (!call)
        return;
    call->file_info = *info;
    cfs_fs_create(call->session->fs, &call->request, parent, name, mode, info->flags);
}

void cfs_fuse_read(fuse_req_t request, fuse_ino_t node, size_t size, off_t offset, struct fuse_file_info *info)
{
    struct cfs_fuse_call *call = cfs_fuse_call_new(request, "read", node, size ? size : 1, cfs_fuse_answer_buffer);
    if (call)
        cfs_fs_read(call->session->fs, &call->request, file_of(info), (uint64_t)offset, size, call->buffer);
}

void cfs_fuse_write(fuse_req_t request, fuse_ino_t node, const char *data, size_t size, off_t offset,
                    struct fuse_file_info *info)
{
    struct cfs_fuse_call *call = cfs_fuse_call_new(request, "write", node, size ? size : 1, cfs_fuse_answer_length);
    if (!call)
        return;
    /* libfuse's buffer is used again as soon as this returns. */
    memcpy(call->buffer, data, size);
    cfs_fs_write(call->session->fs, &call->request, file_of(info), (uint64_t)offset, size, call->buffer);
}

void cfs_fuse_flush(fuse_req_t request, fuse_ino_t node, struct fuse_file_info *info)
{
    struct cfs_fuse_call *call = cfs_fuse_call_new(request, "flush", node, 0, cfs_fuse_answer_nothing);
    if (call)
        cfs_fs_flush(call->session->fs, &call->request, file_of(info));
}

void cfs_fuse_fsync(fuse_req_t request, fuse_ino_t node, int data_only, struct fuse_file_info *info)
{
    struct cfs_fuse_call *call = cfs_fuse_call_new(request, "fsync", node, 0, cfs_fuse_answer_nothing);
    if (call)
        cfs_fs_fsync(call->session->fs, &call->request, file_of(info), data_only != 0);
}

void cfs_fuse_release(fuse_req_t request, fuse_ino_t node, struct fuse_file_info *info)
{
    struct cfs_fuse_call *call = cfs_fuse_call_new(request, "release", node, 0, cfs_fuse_answer_nothing);
    if (call)
        cfs_fs_release(call->session->fs, &call->request, file_of(info));
}

void cfs_fuse_fallocate(fuse_req_t request, fuse_ino_t node, int mode, off_t offset, off_t length,
                        struct fuse_file_info *info)
{
    struct cfs_fuse_call *call = cfs_fuse_call_new(request, "fallocate", node, 0, cfs_fuse_answer_nothing);
    if (call)
        cfs_fs_fallocate(call->session->fs, &call->request, file_of(info), mode, (uint64_t)offset, (uint64_t)length);
}

static void answer_offset(struct cfs_fuse_call *call)
{
    fuse_reply_lseek(call->fuse_request, (off_t)call->request.result.offset);
}

void cfs_fuse_lseek(fuse_req_t request, fuse_ino_t node, off_t offset, int whence, struct fuse_file_info *info)
{
    struct cfs_fuse_call *call = cfs_fuse_call_new(request, "lseek", node, 0, answer_offset);
    if (call)
        cfs_fs_lseek(call->session->fs, &call->request, file_of(info), (uint64_t)offset, whence);
}

void cfs_fuse_copy_file_range(fuse_req_t request, fuse_ino_t from, off_t from_offset, struct fuse_file_info *from_info,
                              fuse_ino_t to, off_t to_offset, struct fuse_file_info *to_info, size_t length, int flags)
{
    (void)to;
    (void)flags;
    struct cfs_fuse_call *call = cfs_fuse_call_new(request, "copy_file_range", from, 0, cfs_fuse_answer_length);
    if (call)
        cfs_fs_copy_range(call->session->fs, &call->request, file_of(from_info), (uint64_t)from_offset,
                          file_of(to_info), (uint64_t)to_offset, length);
}

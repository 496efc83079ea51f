/* Operations that change names. */
#include "cache/cache_priv.h"
#include "cache/call.h"

void cfs_cache_mkdir(struct cfs_remote *remote, struct cfs_remote_call *upper, const char *path, mode_t mode)
{
    struct cfs_cache_call *call = cfs_cache_call_new(cfs_cache_of(remote), upper, sizeof(*call), NULL);
    if (call)
        cfs_cache_call_submit(call, cfs_cache_call_pass, mkdir, path, mode);
}

void cfs_cache_rmdir(struct cfs_remote *remote, struct cfs_remote_call *upper, const char *path)
{
    struct cfs_cache_call *call = cfs_cache_call_new(cfs_cache_of(remote), upper, sizeof(*call), NULL);
    if (call)
        cfs_cache_call_submit(call, cfs_cache_call_pass, rmdir, path);
}

void cfs_cache_unlink(struct cfs_remote *remote, struct cfs_remote_call *upper, const char *path)
{
    struct cfs_cache_call *call = cfs_cache_call_new(cfs_cache_of(remote), upper, sizeof(*call), NULL);
    if (call)
        cfs_cache_call_submit(call, cfs_cache_call_pass, unlink, path);
}

void cfs_cache_symlink(struct cfs_remote *remote, struct cfs_remote_call *upper, const char *target, const char *path)
{
    struct cfs_cache_call *call = cfs_cache_call_new(cfs_cache_of(remote), upper, sizeof(*call), NULL);
    if (call)
        cfs_cache_call_submit(call, cfs_cache_call_pass, symlink, target, path);
}

void cfs_cache_link(struct cfs_remote *remote, struct cfs_remote_call *upper, const char *from, const char *to)
{
    struct cfs_cache_call *call = cfs_cache_call_new(cfs_cache_of(remote), upper, sizeof(*call), NULL);
    if (call)
        cfs_cache_call_submit(call, cfs_cache_call_pass, link, from, to);
}

void cfs_cache_rename(struct cfs_remote *remote, struct cfs_remote_call *upper, const char *from, const char *to,
                      enum cfs_remote_rename how)
{
    struct cfs_cache_call *call = cfs_cache_call_new(cfs_cache_of(remote), upper, sizeof(*call), NULL);
    if (call)
        cfs_cache_call_submit(call, cfs_cache_call_pass, rename, from, to, how);
}

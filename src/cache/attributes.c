/* Attributes and link targets by path. */
#include "cache/cache_priv.h"
#include "cache/call.h"

void cfs_cache_lstat(struct cfs_remote *remote, struct cfs_remote_call *upper, const char *path)
{
    struct cfs_cache_call *call = cfs_cache_call_new(cfs_cache_of(remote), upper, sizeof(*call), NULL);
    if (call)
        cfs_cache_call_submit(call, cfs_cache_call_pass, lstat, path);
}

void cfs_cache_setattr(struct cfs_remote *remote, struct cfs_remote_call *upper, const char *path, mode_t expected_type,
                       const struct cfs_remote_attributes *attributes)
{
    struct cfs_cache_call *call = cfs_cache_call_new(cfs_cache_of(remote), upper, sizeof(*call), NULL);
    if (call)
        cfs_cache_call_submit(call, cfs_cache_call_pass, setattr, path, expected_type, attributes);
}

void cfs_cache_readlink(struct cfs_remote *remote, struct cfs_remote_call *upper, const char *path)
{
    struct cfs_cache_call *call = cfs_cache_call_new(cfs_cache_of(remote), upper, sizeof(*call), NULL);
    if (call)
        cfs_cache_call_submit(call, cfs_cache_call_pass, readlink, path);
}

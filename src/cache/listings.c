/* Listings of folders. */
#include "cache/cache_priv.h"
#include "cache/call.h"

void cfs_cache_open_listing(struct cfs_remote *remote, struct cfs_remote_call *upper, const char *path)
{
    struct cfs_cache_call *call = cfs_cache_call_new(cfs_cache_of(remote), upper, sizeof(*call), NULL);
    if (call)
        cfs_cache_call_submit(call, cfs_cache_call_pass, open_listing, path);
}

void cfs_cache_read_listing(struct cfs_remote *remote, struct cfs_remote_call *upper,
                            struct cfs_remote_listing *listing)
{
    struct cfs_cache_call *call = cfs_cache_call_new(cfs_cache_of(remote), upper, sizeof(*call), NULL);
    if (call)
        cfs_cache_call_submit(call, cfs_cache_call_pass, read_listing, listing);
}

void cfs_cache_close_listing(struct cfs_remote *remote, struct cfs_remote_call *upper,
                             struct cfs_remote_listing *listing)
{
    struct cfs_cache_call *call = cfs_cache_call_new(cfs_cache_of(remote), upper, sizeof(*call), NULL);
    if (call)
        cfs_cache_call_submit(call, cfs_cache_call_pass, close_listing, listing);
}

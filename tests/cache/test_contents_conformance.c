/* The contract of remote/remote.h, kept by the contents in front of the memory remote: by way of memory, with next to
 * no memory, and writing through. */
#include "lib/test.h"

#include "lib/contents_fixture.h"
#include "lib/remote_conformance.h"

static struct cfs_cache_options options;
static struct memory_remote_options memory;

static int setup(void **state)
{
    struct contents_fixture *fixture = malloc(sizeof(*fixture));
    assert_non_null(fixture);
    contents_fixture_init(fixture, &memory, &options);
    *state = fixture;
    return 0;
}

static int teardown(void **state)
{
    contents_fixture_fini(*state);
    free(*state);
    return 0;
}

int main(void)
{
    int failed = 0;
    options = (struct cfs_cache_options){.cache_size = 64 << 20, .dirty_limit = 64 << 20, .prefetch = true};
    memory = (struct memory_remote_options){.seed = 1, .latency_ms = 40, .jitter_ms = 10};
    failed += remote_conformance("contents", setup, teardown);
    options = (struct cfs_cache_options){.cache_size = 0, .dirty_limit = 1000, .prefetch = false};
    memory = (struct memory_remote_options){.seed = 2};
    failed += remote_conformance("contents with next to no memory", setup, teardown);
    options = (struct cfs_cache_options){.cache_size = 1 << 20, .dirty_limit = 0, .prefetch = true};
    memory = (struct memory_remote_options){
        .seed = 3, .no_capabilities = CFS_REMOTE_CAN_COPY | CFS_REMOTE_CAN_LINK | CFS_REMOTE_CAN_LSETSTAT};
    failed += remote_conformance("contents, writing through", setup, teardown);
    return failed;
}

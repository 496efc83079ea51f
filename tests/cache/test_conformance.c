/* The cache keeps the contract of a remote: over the remote in memory, in various orders of completion, and over a pool
 * of real sftp-servers, where all threads run. */
#include "lib/test.h"

#include "lib/cache_fixture.h"
#include "lib/find_sftp_server.h"
#include "lib/remote_conformance.h"
#include "lib/remote_sync.h"
#include "lib/scratch.h"
#include "remote/pool.h"
#include <stdlib.h>

static int32_t attr_ttl_ms;

/* --- in memory --- */

struct in_memory {
    struct remote_driver driver; /* first: it is what *state points at */
    struct cache_fixture fixture;
    unsigned idle; /* turns in which the remote had nothing to do: the cache may have had */
};

static struct memory_remote_options options;
static uint64_t content_size; /* of blocks, and of dirty bytes */
static enum cfs_durability durability;

static bool turn(void *context)
{
    struct in_memory *memory = context;
    cache_turn(&memory->fixture);
    memory->idle = memory_remote_step(memory->fixture.memory) ? 0 : memory->idle + 1;
    cache_turn(&memory->fixture);
    return memory->idle < 1000;
}

static int setup_in_memory(void **state)
{
    struct in_memory *memory = calloc(1, sizeof(*memory));
    assert_non_null(memory);
    cache_fixture_init(&memory->fixture, &options);
    memory->fixture.options.attr_ttl_ms = attr_ttl_ms;
    memory->fixture.options.cache_size = memory->fixture.options.dirty_limit = content_size;
    memory->fixture.options.durability = durability;
    memory->fixture.options.prefetch = true;
    cache_fixture_start(&memory->fixture);
    memory->driver = (struct remote_driver){.remote = memory->fixture.cache, .turn = turn, .context = memory};
    *state = &memory->driver;
    return 0;
}

static int teardown_in_memory(void **state)
{
    struct in_memory *memory = *state;
    cache_fixture_fini(&memory->fixture);
    free(memory);
    return 0;
}

/* --- over a pool --- */

struct over_pool {
    struct remote_driver driver; /* first */
    struct cfs_remote *pool;
    char *folder;
};

static int setup_over_pool(void **state)
{
    struct cfs_transport *transport;
    struct cfs_error error = {0};
    struct over_pool *over = calloc(1, sizeof(*over));
    assert_non_null(over);
    over->folder = scratch_make();
    struct cfs_pool_options pool = {.lanes = 3, .op_timeout_ms = TEST_LIMIT_MS, .remote_dir = over->folder};
    char *server[] = {strdup(find_sftp_server()), NULL};
    assert_int_equal(cfs_transport_command_open(server, &transport), 0);
    free(server[0]);
    assert_int_equal(cfs_pool_open(transport, &pool, &over->pool, &error), 0);
    struct cfs_cache_options cache = {.attr_ttl_ms = attr_ttl_ms,
                                      .cache_size = content_size,
                                      .dirty_limit = content_size,
                                      .durability = durability,
                                      .prefetch = true};
    assert_int_equal(cfs_cache_new(over->pool, &cache, &over->driver.remote), 0);
    *state = &over->driver;
    return 0;
}

static int teardown_over_pool(void **state)
{
    struct over_pool *over = *state;
    cfs_cache_free(over->driver.remote);
    cfs_pool_free(over->pool);
    scratch_remove(over->folder);
    free(over);
    return 0;
}

int main(void)
{
    static const int32_t ttls_ms[] = {-1, 60000, 0};
    int failures = 0;
    for (size_t i = 0; i < 3 * CFS_COUNT(ttls_ms); i++) {
        attr_ttl_ms = ttls_ms[i / 3];
        content_size = i % 3 ? 4 << 20 : 0;
        durability = i % 3 == 2 ? CFS_DURABILITY_FSYNC : CFS_DURABILITY_CLOSE;
        for (uint64_t seed = 0; seed < 4; seed++) {
            options = (struct memory_remote_options){
                .seed = seed, .latency_ms = seed % 2 ? 0 : 40, .jitter_ms = 10 * (uint32_t)(seed / 2)};
            failures += remote_conformance("cached, in memory", setup_in_memory, teardown_in_memory);
        }
        options = (struct memory_remote_options){.seed = 5, .no_capabilities = ~0u};
        failures += remote_conformance("cached, in memory, a poor server", setup_in_memory, teardown_in_memory);
        if (find_sftp_server())
            failures += remote_conformance("cached, over sftp-server", setup_over_pool, teardown_over_pool);
    }
    return failures;
}

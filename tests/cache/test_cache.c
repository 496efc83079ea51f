/* The cache as a remote: every operation reaches the remote below and comes back, calls can be cancelled, and the
 * cache's own thread ends. */
#include "lib/test.h"

#include "lib/cache_fixture.h"
#include <fcntl.h>

static void test_every_operation_reaches_the_remote_below_and_comes_back(void **state)
{
    struct cache_fixture f, *fixture = &f;
    cache_fixture_init(fixture, NULL);
    cache_fixture_start(fixture);
    struct cfs_remote_file *file;
    char buffer[64];
    assert_int_equal(cache_mkdir(fixture, "folder"), 0);
    assert_int_equal(cache_create(fixture, "folder/file", "hello"), 0);
    assert_int_equal(cache_symlink(fixture, "file", "folder/link"), 0);
    assert_int_equal(cache_readlink(fixture, "folder/link", buffer, sizeof(buffer)), 0);
    assert_string_equal(buffer, "file");
    assert_int_equal(cache_link(fixture, "folder/file", "folder/other"), 0);
    assert_int_equal(cache_rename(fixture, "folder/other", "third", CFS_REMOTE_RENAME_REPLACE), 0);
    assert_int_equal(cache_open(fixture, "third", O_RDONLY, &file), 0);
    assert_int_equal(cache_read(fixture, file, 0, sizeof(buffer), buffer), 5);
    assert_memory_equal(buffer, "hello", 5);
    assert_int_equal(cache_close(fixture, file), 0);
    int error;
    char *names = cache_list(fixture, "folder", &error);
    assert_int_equal(error, 0);
    assert_string_equal(names, "file link ");
    free(names);
    assert_int_equal(cache_rmdir(fixture, "folder"), -ENOTEMPTY);
    assert_int_equal(cache_unlink(fixture, "third"), 0);
    assert_int_equal(cache_lstat(fixture, "third", NULL), -ENOENT);
    cache_fixture_fini(fixture);
}

static void test_a_cancelled_call_ends_with_eintr(void **state)
{
    struct cache_fixture f, *fixture = &f;
    cache_fixture_init(fixture, NULL);
    cache_fixture_start(fixture);
    struct cache_call call;
    cache_call_init(&call);
    memory_remote_hold(fixture->memory, MEMORY_STATFS);
    fixture->operations->statfs(fixture->cache, &call.call);
    assert_int_equal(call.completed, 0);
    fixture->operations->cancel(fixture->cache, &call.call);
    memory_remote_release(fixture->memory, MEMORY_STATFS);
    assert_int_equal(cache_wait(fixture, &call), -EINTR);
    cache_call_fini(&call);
    cache_fixture_fini(fixture);
}

static void test_the_caches_own_thread_ends_with_it(void **state)
{
    struct memory_remote *memory = memory_remote_new(NULL);
    struct cfs_cache_options options = {.clock = memory_remote_clock(memory), .attr_ttl_ms = -1};
    struct cfs_remote *cache;
    assert_int_equal(cfs_cache_new(memory_remote_as_remote(memory), &options, &cache), 0);
    assert_string_equal(cache->operations->facts(cache)->root, MEMORY_ROOT);
    cfs_cache_free(cache);
    memory_remote_free(memory);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_every_operation_reaches_the_remote_below_and_comes_back),
        cmocka_unit_test(test_a_cancelled_call_ends_with_eintr),
        cmocka_unit_test(test_the_caches_own_thread_ends_with_it),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

/* Revalidation of open files: how often they are asked about, who is told, and what readers see then. */
#include "lib/test.h"

#include "lib/cache_fixture.h"
#include <fcntl.h>
#include <stdlib.h>

enum { OLD = 1000000000 };

struct poll_fixture {
    struct cache_fixture cache;
    unsigned told, told_of_another;
    char path[64];
};

static void changed(void *context, const char *path, bool is_another)
{
    struct poll_fixture *fixture = context;
    fixture->told++;
    fixture->told_of_another += is_another;
    assert_true(strlen(path) < sizeof(fixture->path));
    strcpy(fixture->path, path);
}

static int setup(void **state)
{
    static struct poll_fixture fixture;
    static const struct memory_remote_options options = {.latency_ms = 40};
    memset(&fixture, 0, sizeof(fixture));
    cache_fixture_init(&fixture.cache, &options);
    fixture.cache.options.changed = changed;
    fixture.cache.options.context = &fixture;
    fixture.cache.options.cache_size = fixture.cache.options.dirty_limit = 4 << 20;
    memory_remote_poke_mkdir(fixture.cache.memory, "folder");
    memory_remote_poke_file(fixture.cache.memory, "folder/log", "one\n", 4);
    *state = &fixture;
    return 0;
}

static int teardown(void **state)
{
    cache_fixture_fini(&((struct poll_fixture *)*state)->cache);
    return 0;
}

static struct cfs_remote_file *open_file(struct poll_fixture *fixture, const char *path, int flags)
{
    struct cfs_remote_file *file = NULL;
    assert_int_equal(cache_open(&fixture->cache, path, flags, &file), 0);
    return file;
}

/* Lets MS go by; the number of calls that the remote got. */
static uint64_t pass(struct poll_fixture *fixture, int64_t ms)
{
    cache_cost(&fixture->cache);
    for (int64_t i = 0; i < ms; i += 20) {
        cache_turn(&fixture->cache);
        memory_remote_advance(fixture->cache.memory, 20);
    }
    cache_turn(&fixture->cache);
    return cache_cost(&fixture->cache);
}

static void expect_text(struct poll_fixture *fixture, struct cfs_remote_file *file, const char *text)
{
    char buffer[256];
    ssize_t length = cache_read(&fixture->cache, file, 0, sizeof(buffer), buffer);
    assert_int_equal(length, strlen(text));
    assert_memory_equal(buffer, text, strlen(text));
}

static void test_a_growing_log_is_told_of_within_its_time_to_live(void **state)
{
    struct poll_fixture *fixture = *state;
    struct cfs_remote_attributes attributes;
    cache_fixture_start(&fixture->cache);
    struct cfs_remote_file *file = open_file(fixture, "folder/log", O_RDONLY);
    expect_text(fixture, file, "one\n");
    for (unsigned i = 1; i <= 5; i++) {
        memory_remote_poke_append(fixture->cache.memory, "folder/log", "more\n", 5);
        pass(fixture, 1200);
        assert_int_equal(fixture->told, i);
        assert_string_equal(fixture->path, "folder/log");
        cache_cost(&fixture->cache);
        assert_int_equal(cache_lstat(&fixture->cache, "folder/log", &attributes), 0);
        assert_int_equal(attributes.size, 4 + 5 * i);
        assert_int_equal(cache_cost(&fixture->cache), 0);
    }
    assert_int_equal(fixture->told_of_another, 0);
    expect_text(fixture, file, "one\nmore\nmore\nmore\nmore\nmore\n");
    assert_int_equal(cache_close(&fixture->cache, file), 0);
}

static void test_an_old_file_is_asked_about_once_in_its_time_to_live_and_nobody_is_told(void **state)
{
    struct poll_fixture *fixture = *state;
    memory_remote_poke_mtime(fixture->cache.memory, "folder/log", OLD);
    cache_fixture_start(&fixture->cache);
    struct cfs_remote_file *file = open_file(fixture, "folder/log", O_RDONLY);
    struct cfs_remote_file *again = open_file(fixture, "folder/log", O_RDONLY);
    assert_int_equal(pass(fixture, 59000), 0);
    assert_int_equal(pass(fixture, 3000), 1);
    assert_int_equal(fixture->told, 0);
    assert_int_equal(cache_close(&fixture->cache, file), 0);
    assert_int_equal(cache_close(&fixture->cache, again), 0);
    assert_int_equal(pass(fixture, 120000), 0);
}

static void test_a_file_that_nobody_reads_is_asked_about_once_a_minute(void **state)
{
    struct poll_fixture *fixture = *state;
    fixture->cache.options.attr_ttl_ms = 2000;
    cache_fixture_start(&fixture->cache);
    struct cfs_remote_file *file = open_file(fixture, "folder/log", O_RDONLY);
    assert_in_range(pass(fixture, 60000), 20, 31);
    assert_in_range(pass(fixture, 120000), 1, 3);
    expect_text(fixture, file, "one\n");
    assert_in_range(pass(fixture, 60000), 20, 31);
    assert_int_equal(cache_close(&fixture->cache, file), 0);
}

static void test_without_times_to_live_nothing_is_asked(void **state)
{
    struct poll_fixture *fixture = *state;
    fixture->cache.options.attr_ttl_ms = 0;
    cache_fixture_start(&fixture->cache);
    struct cfs_remote_file *file = open_file(fixture, "folder/log", O_RDONLY);
    assert_int_equal(pass(fixture, 120000), 0);
    assert_int_equal(cache_close(&fixture->cache, file), 0);
}

static void test_a_replaced_file_is_told_of_as_another_one_and_goes_on(void **state)
{
    struct poll_fixture *fixture = *state;
    cache_fixture_start(&fixture->cache);
    struct cfs_remote_file *file = open_file(fixture, "folder/log", O_RDONLY);
    memory_remote_poke_rename(fixture->cache.memory, "folder/log", "folder/log.1");
    memory_remote_advance(fixture->cache.memory, 1000);
    memory_remote_poke_file(fixture->cache.memory, "folder/log", "the next one\n", 13);
    pass(fixture, 5000);
    assert_int_equal(fixture->told, 1);
    assert_int_equal(fixture->told_of_another, 1);
    expect_text(fixture, file, "one\n");
    struct cfs_remote_file *next = open_file(fixture, "folder/log", O_RDONLY);
    expect_text(fixture, next, "the next one\n");
    expect_text(fixture, file, "one\n");
    assert_int_equal(cache_close(&fixture->cache, file), 0);
    assert_int_equal(cache_close(&fixture->cache, next), 0);
}

static void test_a_name_that_is_gone_is_told_of_once(void **state)
{
    struct poll_fixture *fixture = *state;
    cache_fixture_start(&fixture->cache);
    struct cfs_remote_file *file = open_file(fixture, "folder/log", O_RDONLY);
    memory_remote_poke_remove(fixture->cache.memory, "folder/log");
    pass(fixture, 5000);
    assert_int_equal(fixture->told, 1);
    assert_int_equal(fixture->told_of_another, 1);
    expect_text(fixture, file, "one\n");
    assert_int_equal(cache_close(&fixture->cache, file), 0);
}

static void test_what_was_cut_or_changed_in_place_is_read_anew(void **state)
{
    struct poll_fixture *fixture = *state;
    cache_fixture_start(&fixture->cache);
    struct cfs_remote_file *file = open_file(fixture, "folder/log", O_RDONLY);
    expect_text(fixture, file, "one\n");
    memory_remote_advance(fixture->cache.memory, 1000);
    memory_remote_poke_write(fixture->cache.memory, "folder/log", 0, "two", 3);
    pass(fixture, 2000);
    assert_int_equal(fixture->told, 1);
    expect_text(fixture, file, "two\n");
    memory_remote_poke_truncate(fixture->cache.memory, "folder/log", 2);
    pass(fixture, 2000);
    assert_int_equal(fixture->told, 2);
    expect_text(fixture, file, "tw");
    assert_int_equal(cache_close(&fixture->cache, file), 0);
}

static void test_our_own_changes_are_not_told_of(void **state)
{
    struct poll_fixture *fixture = *state;
    cache_fixture_start(&fixture->cache);
    struct cfs_remote_file *reader = open_file(fixture, "folder/log", O_RDONLY);
    struct cfs_remote_file *writer = open_file(fixture, "folder/log", O_WRONLY);
    for (int i = 0; i < 5; i++) {
        assert_int_equal(cache_write(&fixture->cache, writer, 4 + (uint64_t)i, 1, "x"), 0);
        assert_int_equal(cache_flush(&fixture->cache, writer), 0);
        pass(fixture, 3000);
    }
    assert_int_equal(fixture->told, 0);
    assert_int_equal(cache_close(&fixture->cache, reader), 0);
    assert_int_equal(cache_close(&fixture->cache, writer), 0);
}

static void test_a_close_waits_until_the_answer_about_the_file_is_there(void **state)
{
    struct poll_fixture *fixture = *state;
    cache_fixture_start(&fixture->cache);
    struct cfs_remote_file *file = open_file(fixture, "folder/log", O_RDONLY);
    struct cache_call closing;
    memory_remote_poke_append(fixture->cache.memory, "folder/log", "x", 1);
    memory_remote_hold(fixture->cache.memory, MEMORY_LSTAT);
    pass(fixture, 1500);
    cache_call_init(&closing);
    fixture->cache.operations->close(fixture->cache.cache, &closing.call, file);
    pass(fixture, 500);
    assert_int_equal(closing.completed, 0);
    memory_remote_release(fixture->cache.memory, MEMORY_LSTAT);
    assert_int_equal(cache_wait(&fixture->cache, &closing), 0);
    assert_int_equal(fixture->told, 1);
    cache_call_fini(&closing);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_a_growing_log_is_told_of_within_its_time_to_live, setup, teardown),
        cmocka_unit_test_setup_teardown(test_an_old_file_is_asked_about_once_in_its_time_to_live_and_nobody_is_told,
                                        setup, teardown),
        cmocka_unit_test_setup_teardown(test_a_file_that_nobody_reads_is_asked_about_once_a_minute, setup, teardown),
        cmocka_unit_test_setup_teardown(test_without_times_to_live_nothing_is_asked, setup, teardown),
        cmocka_unit_test_setup_teardown(test_a_replaced_file_is_told_of_as_another_one_and_goes_on, setup, teardown),
        cmocka_unit_test_setup_teardown(test_a_name_that_is_gone_is_told_of_once, setup, teardown),
        cmocka_unit_test_setup_teardown(test_what_was_cut_or_changed_in_place_is_read_anew, setup, teardown),
        cmocka_unit_test_setup_teardown(test_our_own_changes_are_not_told_of, setup, teardown),
        cmocka_unit_test_setup_teardown(test_a_close_waits_until_the_answer_about_the_file_is_there, setup, teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

/* Equal requests in flight become one call below; each of them completes, or is cancelled, by itself. */
#include "lib/test.h"

#include "lib/cache_fixture.h"
#include <fcntl.h>

enum { ASKERS = 5 };

struct asked {
    struct cache_fixture fixture;
    struct cache_call calls[ASKERS];
};

static void start(struct asked *asked)
{
    cache_fixture_init(&asked->fixture, NULL);
    memory_remote_poke_file(asked->fixture.memory, "file", "content", 7);
    memory_remote_poke_symlink(asked->fixture.memory, "file", "link");
    cache_fixture_start(&asked->fixture);
}

static void lstat_all(struct asked *asked, const char *path)
{
    for (size_t i = 0; i < ASKERS; i++) {
        cache_call_init(&asked->calls[i]);
        asked->fixture.operations->lstat(asked->fixture.cache, &asked->calls[i].call, path);
    }
}

static void end(struct asked *asked)
{
    for (size_t i = 0; i < ASKERS; i++)
        cache_call_fini(&asked->calls[i]);
    cache_fixture_fini(&asked->fixture);
}

static void test_equal_looks_are_one_call_below(void **state)
{
    struct asked asked;
    start(&asked);
    lstat_all(&asked, "file");
    for (size_t i = 0; i < ASKERS; i++) {
        assert_int_equal(cache_wait(&asked.fixture, &asked.calls[i]), 0);
        assert_int_equal(asked.calls[i].call.result.attributes.size, 7);
    }
    assert_int_equal(cache_cost(&asked.fixture), 1);
    end(&asked);
}

static void test_an_error_reaches_all_who_asked(void **state)
{
    struct asked asked;
    start(&asked);
    memory_remote_fail(asked.fixture.memory, MEMORY_LSTAT, 1, -EACCES);
    lstat_all(&asked, "file");
    for (size_t i = 0; i < ASKERS; i++)
        assert_int_equal(cache_wait(&asked.fixture, &asked.calls[i]), -EACCES);
    assert_int_equal(cache_lstat(&asked.fixture, "file", NULL), 0);
    end(&asked);
}

static void test_a_cancelled_look_does_not_cancel_the_others(void **state)
{
    struct asked asked;
    start(&asked);
    lstat_all(&asked, "file");
    asked.fixture.operations->cancel(asked.fixture.cache, &asked.calls[0].call);
    asked.fixture.operations->cancel(asked.fixture.cache, &asked.calls[3].call);
    assert_int_equal(asked.calls[0].completed, 0);
    for (size_t i = 0; i < ASKERS; i++)
        assert_int_equal(cache_wait(&asked.fixture, &asked.calls[i]), i == 0 || i == 3 ? -EINTR : 0);
    assert_int_equal(cache_cost(&asked.fixture), 1);
    end(&asked);
}

static void test_all_may_be_cancelled(void **state)
{
    struct asked asked;
    start(&asked);
    memory_remote_hold(asked.fixture.memory, MEMORY_LSTAT);
    lstat_all(&asked, "file");
    for (size_t i = 0; i < ASKERS; i++)
        asked.fixture.operations->cancel(asked.fixture.cache, &asked.calls[i].call);
    for (size_t i = 0; i < ASKERS; i++)
        assert_int_equal(cache_wait(&asked.fixture, &asked.calls[i]), -EINTR);
    memory_remote_release(asked.fixture.memory, MEMORY_LSTAT);
    end(&asked);
}

static void test_targets_are_joined_too(void **state)
{
    struct asked asked;
    start(&asked);
    for (size_t i = 0; i < ASKERS; i++) {
        cache_call_init(&asked.calls[i]);
        asked.fixture.operations->readlink(asked.fixture.cache, &asked.calls[i].call, "link");
    }
    for (size_t i = 0; i < ASKERS; i++) {
        assert_int_equal(cache_wait(&asked.fixture, &asked.calls[i]), 0);
        assert_string_equal(asked.calls[i].target, "file");
    }
    assert_int_equal(cache_cost(&asked.fixture), 1);
    end(&asked);
}

static void test_who_asks_after_an_own_change_does_not_join_a_look_from_before(void **state)
{
    struct asked asked;
    start(&asked);
    struct cfs_remote_file *file;
    assert_int_equal(cache_open(&asked.fixture, "file", O_RDWR, &file), 0);
    assert_int_equal(cache_write(&asked.fixture, file, 7, 1, "!"), 0);
    memory_remote_hold(asked.fixture.memory, MEMORY_LSTAT);
    lstat_all(&asked, "file");
    assert_int_equal(cache_write(&asked.fixture, file, 8, 1, "!"), 0);
    memory_remote_release(asked.fixture.memory, MEMORY_LSTAT);
    cache_cost(&asked.fixture);
    struct cfs_remote_attributes attributes;
    assert_int_equal(cache_lstat(&asked.fixture, "file", &attributes), 0);
    assert_int_equal(attributes.size, 9);
    assert_int_equal(cache_cost(&asked.fixture), 1);
    for (size_t i = 0; i < ASKERS; i++)
        assert_int_equal(cache_wait(&asked.fixture, &asked.calls[i]), 0);
    assert_int_equal(cache_close(&asked.fixture, file), 0);
    end(&asked);
}

static void test_a_look_that_hangs_is_not_joined_for_ever(void **state)
{
    struct asked asked;
    start(&asked);
    memory_remote_hold(asked.fixture.memory, MEMORY_LSTAT);
    lstat_all(&asked, "file");
    memory_remote_advance(asked.fixture.memory, 1000);
    cache_cost(&asked.fixture);
    struct cache_call call;
    cache_call_init(&call);
    asked.fixture.operations->lstat(asked.fixture.cache, &call.call, "file");
    assert_int_equal(cache_cost(&asked.fixture), 1);
    memory_remote_release(asked.fixture.memory, MEMORY_LSTAT);
    assert_int_equal(cache_wait(&asked.fixture, &call), 0);
    for (size_t i = 0; i < ASKERS; i++)
        assert_int_equal(cache_wait(&asked.fixture, &asked.calls[i]), 0);
    end(&asked);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_equal_looks_are_one_call_below),
        cmocka_unit_test(test_an_error_reaches_all_who_asked),
        cmocka_unit_test(test_a_cancelled_look_does_not_cancel_the_others),
        cmocka_unit_test(test_all_may_be_cancelled),
        cmocka_unit_test(test_targets_are_joined_too),
        cmocka_unit_test(test_who_asks_after_an_own_change_does_not_join_a_look_from_before),
        cmocka_unit_test(test_a_look_that_hangs_is_not_joined_for_ever),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

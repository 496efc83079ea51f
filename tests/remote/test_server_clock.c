/* What can be known of another machine's clock: our clock shows milliseconds, that one seconds and something else. */
#include "lib/test.h"

#include "remote/server_clock.h"

enum { AHEAD_S = 1000 };

/* What a file has that is made there at NOW_MS. */
static int64_t mtime_at(int64_t now_ms)
{
    return now_ms / 1000 + AHEAD_S;
}

static void nothing_is_known_at_first(void **state)
{
    const struct cfs_server_clock clock = {0};
    assert_true(cfs_server_clock_may_be_before(&clock, 1 << 30, 0));
    assert_true(cfs_server_clock_may_be_after(&clock, 0, 1 << 30));
}

/* An answer that took long makes little known, never something wrong: whenever in between it was made. */
static void slow_answers_mislead_nobody(void **state)
{
    for (int64_t made_ms = 50000; made_ms <= 60000; made_ms += 100) {
        struct cfs_server_clock clock = {0};
        cfs_server_clock_learn(&clock, mtime_at(made_ms), 50000, 60000);
        for (int64_t now_ms = 55000; now_ms < 57000; now_ms += 50) {
            assert_true(cfs_server_clock_may_be_before(&clock, mtime_at(now_ms), now_ms));
            assert_true(cfs_server_clock_may_be_after(&clock, mtime_at(now_ms), now_ms));
        }
    }
}

static void what_is_known_gets_better(void **state)
{
    struct cfs_server_clock clock = {0};
    cfs_server_clock_learn(&clock, mtime_at(58000), 50000, 60000);
    assert_true(cfs_server_clock_may_be_before(&clock, mtime_at(79000), 70000));
    cfs_server_clock_learn(&clock, mtime_at(65010), 65000, 65020);
    cfs_server_clock_learn(&clock, mtime_at(68500), 60000, 70000);
    assert_false(cfs_server_clock_may_be_before(&clock, mtime_at(79000), 70000));
    assert_false(cfs_server_clock_may_be_before(&clock, mtime_at(74000), 70000));
    assert_true(cfs_server_clock_may_be_before(&clock, mtime_at(70000), 70000));
    assert_false(cfs_server_clock_may_be_after(&clock, mtime_at(66000), 70000));
    assert_true(cfs_server_clock_may_be_after(&clock, mtime_at(70000), 70000));
}

/* Somebody sets the server's clock, forward or back. */
static void a_clock_that_was_set_is_learned_anew(void **state)
{
    for (int64_t by_s = -7200; by_s <= 7200; by_s += 14400) {
        struct cfs_server_clock clock = {0};
        cfs_server_clock_learn(&clock, mtime_at(1000), 990, 1010);
        cfs_server_clock_learn(&clock, mtime_at(50000) + by_s, 49990, 50010);
        assert_true(cfs_server_clock_may_be_before(&clock, mtime_at(60000) + by_s, 60000));
        assert_true(cfs_server_clock_may_be_after(&clock, mtime_at(60000) + by_s, 60000));
        assert_false(cfs_server_clock_may_be_before(&clock, mtime_at(65000) + by_s, 60000));
        assert_false(cfs_server_clock_may_be_after(&clock, mtime_at(55000) + by_s, 60000));
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(nothing_is_known_at_first),
        cmocka_unit_test(slow_answers_mislead_nobody),
        cmocka_unit_test(what_is_known_gets_better),
        cmocka_unit_test(a_clock_that_was_set_is_learned_anew),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

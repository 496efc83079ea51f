/* The measure of a link, by itself. */
#include "lib/test.h"

#include "remote/link.h"

enum { K = 1024, M = 1024 * 1024 };

/* A link that carries RATE bytes a millisecond with a delay of ROUND_TRIP, kept full for a while. */
static uint64_t limit_after(uint64_t rate, int64_t round_trip, int64_t duration)
{
    enum { PIECE = 128 * 1024, PIECES = 1024 };
    static struct cfs_link_transfer transfers[PIECES];
    struct cfs_link link = {.in_flight = 0};
    static int64_t arrives[PIECES];
    size_t first = 0, next = 0;
    int64_t free_at_us = 0;
    for (int64_t now = 0; now < duration; now++) {
        for (; first != next && arrives[first % PIECES] <= now; first++)
            cfs_link_done(&link, &transfers[first % PIECES], PIECE, true, now);
        while (link.in_flight + PIECE <= cfs_link_limit(&link)) {
            cfs_link_sent(&link, &transfers[next % PIECES], PIECE, now);
            int64_t from = free_at_us > now * 1000 ? free_at_us : now * 1000;
            free_at_us = from + (int64_t)(PIECE * UINT64_C(1000) / rate);
            arrives[next++ % PIECES] = free_at_us / 1000 + round_trip;
        }
    }
    return cfs_link_limit(&link);
}

static void test_the_limit_settles_at_about_twice_bandwidth_times_delay(void **state)
{
    uint64_t product = UINT64_C(125000) * 40; /* 1 Gbit/s, 40 ms */
    uint64_t limit = limit_after(125000, 40, 1000);
    assert_in_range(limit, product * 3 / 2, product * 3);
    assert_in_range(limit_after(125000, 40, 30000), product * 3 / 2, product * 3);
    assert_int_equal(limit_after(12500, 10, 1000), CFS_LINK_MINIMUM);
    assert_int_equal(limit_after(100000000, 40, 3000), CFS_LINK_MAXIMUM);
}

static void test_the_limit_follows_a_link_that_became_slow_and_ignores_failures(void **state)
{
    struct cfs_link link = {.filled = true};
    struct cfs_link_transfer transfer;
    int64_t now = 0;
    for (; now < 2000; now += 50) {
        cfs_link_sent(&link, &transfer, 10 * M, now);
        cfs_link_done(&link, &transfer, 10 * M, true, now + 50);
    }
    assert_in_range(cfs_link_limit(&link), 19 * M, 21 * M);
    for (; now < 6000; now += 50) {
        cfs_link_sent(&link, &transfer, 1 * M, now);
        cfs_link_done(&link, &transfer, 1 * M, true, now + 50);
        cfs_link_sent(&link, &transfer, 60 * M, now);
        cfs_link_done(&link, &transfer, 60 * M, false, now + 1);
    }
    assert_in_range(cfs_link_limit(&link), 1 * M, 3 * M);
    assert_int_equal(link.in_flight, 0);
}

static void test_while_it_grows_the_limit_is_three_times_and_flat_round_trips_end_that(void **state)
{
    enum { ROUND_TRIP = 50 };
    struct cfs_link link = {.least = 256 * K};
    struct cfs_link_transfer transfers[2];
    assert_int_equal(cfs_link_limit(&link), 256 * K);
    int64_t now = 0;
    for (uint64_t size = 256 * K; size <= 16 * M; size *= 2, now += ROUND_TRIP) {
        cfs_link_sent(&link, &transfers[0], size, now);
        cfs_link_done(&link, &transfers[0], size, true, now + ROUND_TRIP);
        assert_in_range(cfs_link_limit(&link), 3 * size - size / 8, 3 * size);
        assert_false(link.filled);
    }
    /* The same again and again, of a program that asks for little: no sign that the link is full. */
    for (int i = 0; i < 10; i++, now += ROUND_TRIP) {
        cfs_link_sent(&link, &transfers[0], 16 * M, now);
        cfs_link_done(&link, &transfers[0], 16 * M, true, now + ROUND_TRIP);
    }
    assert_false(link.filled);
    /* The same, with as much in flight as was allowed. */
    for (int i = 0; i < 10; i++, now += ROUND_TRIP) {
        cfs_link_sent(&link, &transfers[0], 48 * M, now);
        cfs_link_sent(&link, &transfers[1], 16 * M, now);
        cfs_link_done(&link, &transfers[1], 16 * M, true, now + ROUND_TRIP);
        cfs_link_done(&link, &transfers[0], 48 * M, false, now + ROUND_TRIP);
    }
    assert_true(link.filled);
    assert_in_range(cfs_link_limit(&link), 31 * M, 32 * M);
}

/* As over a new connection: the first answers take several round trips, and few bytes a second seem to come. */
static void test_while_it_grows_the_limit_does_not_fall(void **state)
{
    struct cfs_link link = {.least = 256 * K};
    struct cfs_link_transfer transfer;
    cfs_link_sent(&link, &transfer, 1 * M, 0);
    cfs_link_done(&link, &transfer, 1 * M, true, 200);
    assert_in_range(cfs_link_limit(&link), 3 * M - M / 8, 3 * M);
    cfs_link_sent(&link, &transfer, 256 * K, 200);
    cfs_link_done(&link, &transfer, 256 * K, true, 240);
    assert_in_range(cfs_link_limit(&link), 3 * M - M / 8, 3 * M);
    link.filled = true;
    assert_in_range(cfs_link_limit(&link), 256 * K, M);
}

static void test_what_is_fetched_beyond_a_small_read_costs_little_of_the_round_trip(void **state)
{
    static const uint64_t bytes_a_ms = 12500; /* 100 Mbit/s */
    for (int64_t ms = 4; ms <= 100; ms++) {
        struct cfs_link link = {.round_trip_ms = ms};
        assert_in_range(cfs_link_little(&link), 4 * K, (uint64_t)ms * bytes_a_ms / 10);
    }
    assert_int_equal(cfs_link_little(&(struct cfs_link){.round_trip_ms = 0}), 4 * K);
    assert_int_equal(cfs_link_little(&(struct cfs_link){.round_trip_ms = 40}), 8 * K);
    assert_int_equal(cfs_link_little(&(struct cfs_link){.round_trip_ms = INT32_MAX}), 8 * K);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_the_limit_settles_at_about_twice_bandwidth_times_delay),
        cmocka_unit_test(test_the_limit_follows_a_link_that_became_slow_and_ignores_failures),
        cmocka_unit_test(test_while_it_grows_the_limit_is_three_times_and_flat_round_trips_end_that),
        cmocka_unit_test(test_while_it_grows_the_limit_does_not_fall),
        cmocka_unit_test(test_what_is_fetched_beyond_a_small_read_costs_little_of_the_round_trip),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

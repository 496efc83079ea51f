/* Sequential streams, and the measure of a link, by themselves. */
#include "lib/test.h"

#include "cache/link.h"
#include "cache/trackers.h"

enum { K = 1024, M = 1024 * 1024 };

static void test_a_read_from_the_beginning_starts_a_stream_whose_window_doubles(void **state)
{
    struct cfs_trackers trackers = {.stamp = 0};
    uint64_t windows[8], offset = 0;
    int count = 0;
    while (offset < 16 * M) {
        struct cfs_tracker *tracker = cfs_trackers_read(&trackers, offset, 128 * K, 2 * M);
        assert_non_null(tracker);
        if (count == 0 || windows[count - 1] != tracker->window)
            windows[count++] = tracker->window;
        offset += 128 * K;
        assert_int_equal(tracker->next, offset);
    }
    assert_int_equal(count, 4);
    assert_int_equal(windows[0], 256 * K);
    assert_int_equal(windows[1], 512 * K);
    assert_int_equal(windows[2], 1 * M);
    assert_int_equal(windows[3], 2 * M);
}

static void test_random_reads_are_no_stream(void **state)
{
    struct cfs_trackers trackers = {.stamp = 0};
    uint64_t offset = 5 * M;
    for (int i = 0; i < 100; i++) {
        offset = (offset * 7 + 3 * M) % (1000 * M) + 4 * K;
        assert_null(cfs_trackers_read(&trackers, offset, 4 * K, M));
    }
}

static void test_a_second_read_in_a_row_starts_a_stream_in_the_middle(void **state)
{
    struct cfs_trackers trackers = {.stamp = 0};
    assert_null(cfs_trackers_read(&trackers, 7 * M, 64 * K, M));
    struct cfs_tracker *tracker = cfs_trackers_read(&trackers, 7 * M + 64 * K, 64 * K, M);
    assert_non_null(tracker);
    assert_int_equal(cfs_tracker_goal(tracker, 100 * M), 7 * M + 128 * K + 256 * K);
    assert_int_equal(cfs_tracker_goal(tracker, 7 * M + 130 * K), 7 * M + 130 * K);
}

static void test_two_streams_and_slack(void **state)
{
    struct cfs_trackers trackers = {.stamp = 0};
    struct cfs_tracker *first = cfs_trackers_read(&trackers, 0, 128 * K, M);
    cfs_trackers_read(&trackers, 50 * M, 128 * K, M);
    struct cfs_tracker *second = cfs_trackers_read(&trackers, 50 * M + 128 * K, 128 * K, M);
    assert_ptr_not_equal(first, second);
    for (uint64_t i = 1; i < 20; i++) {
        assert_ptr_equal(cfs_trackers_read(&trackers, i * 128 * K, 128 * K, M), first);
        /* Two requests that have overtaken each other, and a skip. */
        assert_ptr_equal(cfs_trackers_read(&trackers, 50 * M + (2 * i + 1) * 128 * K, 64 * K, M), second);
        assert_ptr_equal(cfs_trackers_read(&trackers, 50 * M + 2 * i * 128 * K, 128 * K, M), second);
    }
}

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
    struct cfs_link link = {.in_flight = 0};
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

static void test_what_is_fetched_beyond_a_small_read_costs_little_of_the_round_trip(void **state)
{
    static const uint64_t bytes_a_ms = 12500; /* 100 Mbit/s */
    for (int64_t ms = 4; ms <= 100; ms++) {
        struct cfs_link link = {.round_trip_ms = ms};
        assert_in_range(cfs_link_little(&link), 4 * K, (uint64_t)ms * bytes_a_ms / 10);
    }
    assert_int_equal(cfs_link_little(&(struct cfs_link){.round_trip_ms = 0}), 4 * K);
    assert_int_equal(cfs_link_little(&(struct cfs_link){.round_trip_ms = 40}), 32 * K);
    assert_int_equal(cfs_link_little(&(struct cfs_link){.round_trip_ms = INT32_MAX}), 32 * K);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_a_read_from_the_beginning_starts_a_stream_whose_window_doubles),
        cmocka_unit_test(test_random_reads_are_no_stream),
        cmocka_unit_test(test_a_second_read_in_a_row_starts_a_stream_in_the_middle),
        cmocka_unit_test(test_two_streams_and_slack),
        cmocka_unit_test(test_the_limit_settles_at_about_twice_bandwidth_times_delay),
        cmocka_unit_test(test_the_limit_follows_a_link_that_became_slow_and_ignores_failures),
        cmocka_unit_test(test_what_is_fetched_beyond_a_small_read_costs_little_of_the_round_trip),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

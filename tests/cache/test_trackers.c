/* Sequential streams, by themselves. */
#include "lib/test.h"

#include "cache/trackers.h"

enum { K = 1024, M = 1024 * 1024, FIRST = 256 * K };

static void test_a_read_from_the_beginning_starts_a_stream_whose_window_grows_as_it_is_read(void **state)
{
    struct cfs_trackers trackers = {.stamp = 0};
    uint64_t windows[8], offset = 0;
    int count = 0;
    while (offset < 16 * M) {
        struct cfs_tracker *tracker = cfs_trackers_read(&trackers, offset, 128 * K, FIRST, 2 * M);
        assert_non_null(tracker);
        if (count == 0 || windows[count - 1] != tracker->window)
            windows[count++] = tracker->window;
        offset += 128 * K;
        assert_int_equal(tracker->next, offset);
    }
    assert_int_equal(windows[0], 4 * 128 * K);
    for (int i = 1; i < count; i++)
        assert_in_range(windows[i], windows[i - 1], 2 * windows[i - 1]);
    assert_int_equal(windows[count - 1], 2 * M);
    trackers = (struct cfs_trackers){.stamp = 0};
    assert_int_equal(cfs_trackers_read(&trackers, 0, 4 * K, FIRST, 2 * M)->window, FIRST);
    assert_int_equal(cfs_trackers_read(&trackers, 4 * K, 4 * K, FIRST, 2 * M)->window, FIRST);
}

static void test_random_reads_are_no_stream(void **state)
{
    struct cfs_trackers trackers = {.stamp = 0};
    uint64_t offset = 5 * M;
    for (int i = 0; i < 100; i++) {
        offset = (offset * 7 + 3 * M) % (1000 * M) + 4 * K;
        assert_null(cfs_trackers_read(&trackers, offset, 4 * K, FIRST, M));
    }
}

static void test_a_second_read_in_a_row_starts_a_stream_in_the_middle(void **state)
{
    struct cfs_trackers trackers = {.stamp = 0};
    assert_null(cfs_trackers_read(&trackers, 7 * M, 64 * K, FIRST, M));
    struct cfs_tracker *tracker = cfs_trackers_read(&trackers, 7 * M + 64 * K, 64 * K, FIRST, M);
    assert_non_null(tracker);
    assert_int_equal(cfs_tracker_goal(tracker, 100 * M), 7 * M + 128 * K + 4 * 128 * K);
    assert_int_equal(cfs_tracker_goal(tracker, 7 * M + 130 * K), 7 * M + 130 * K);
}

static void test_two_streams_and_slack(void **state)
{
    struct cfs_trackers trackers = {.stamp = 0};
    struct cfs_tracker *first = cfs_trackers_read(&trackers, 0, 128 * K, FIRST, M);
    cfs_trackers_read(&trackers, 50 * M, 128 * K, FIRST, M);
    struct cfs_tracker *second = cfs_trackers_read(&trackers, 50 * M + 128 * K, 128 * K, FIRST, M);
    assert_ptr_not_equal(first, second);
    for (uint64_t i = 1; i < 20; i++) {
        assert_ptr_equal(cfs_trackers_read(&trackers, i * 128 * K, 128 * K, FIRST, M), first);
        /* Two requests that have overtaken each other, and a skip. */
        assert_ptr_equal(cfs_trackers_read(&trackers, 50 * M + (2 * i + 1) * 128 * K, 64 * K, FIRST, M), second);
        assert_ptr_equal(cfs_trackers_read(&trackers, 50 * M + 2 * i * 128 * K, 128 * K, FIRST, M), second);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_a_read_from_the_beginning_starts_a_stream_whose_window_grows_as_it_is_read),
        cmocka_unit_test(test_random_reads_are_no_stream),
        cmocka_unit_test(test_a_second_read_in_a_row_starts_a_stream_in_the_middle),
        cmocka_unit_test(test_two_streams_and_slack),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

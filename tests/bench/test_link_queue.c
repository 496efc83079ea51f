/* The emulated wire: when packets arrive, by exact time, and which are dropped. */
#include "bench/link_queue.h"
#include "lib/test.h"

enum { MS = 1000000 };

/* 8 Mbit/s: a byte takes a microsecond. */
static const struct link_settings one_byte_a_us = {
    .delay_ns = 10 * MS, .rate = 8000000, .loss = 0, .queue_length = 5000};

static struct link_queue *new_queue(const struct link_settings *settings)
{
    struct link_queue *queue = link_queue_new(1);
    assert_non_null(queue);
    link_queue_configure(queue, settings);
    return queue;
}

static bool put(struct link_queue *queue, int64_t now_ns, char name, uint64_t wire_bytes)
{
    return link_queue_put(queue, now_ns, &name, 1, wire_bytes);
}

static void expect_packet(struct link_queue *queue, int64_t due_ns, char name)
{
    assert_int_equal(link_queue_next(queue), due_ns);
    assert_null(link_queue_take(queue, due_ns - 1));
    struct link_packet *packet = link_queue_take(queue, due_ns);
    assert_non_null(packet);
    assert_int_equal(packet->length, 1);
    assert_int_equal(packet->bytes[0], name);
    free(packet);
}

static void packets_take_their_time_on_the_wire_and_then_the_delay(void **state)
{
    struct link_queue *queue = new_queue(&one_byte_a_us);
    assert_true(put(queue, 0, 'a', 1000));
    assert_true(put(queue, 0, 'b', 1000));      /* waits for a */
    assert_true(put(queue, 50 * MS, 'c', 500)); /* the wire has been free for long */
    expect_packet(queue, 11 * MS, 'a');
    expect_packet(queue, 12 * MS, 'b');
    expect_packet(queue, 50 * MS + MS / 2 + 10 * MS, 'c');
    assert_int_equal(link_queue_next(queue), INT64_MAX);
    assert_int_equal(link_queue_counters(queue)->packets, 3);
    assert_int_equal(link_queue_counters(queue)->bytes, 2500);
    link_queue_free(queue);
}

static void without_a_rate_there_is_only_the_delay(void **state)
{
    struct link_settings settings = {.delay_ns = 3 * MS, .queue_length = 1};
    struct link_queue *queue = new_queue(&settings);
    assert_true(put(queue, 7, 'a', 100000));
    assert_true(put(queue, 8, 'b', 100000));
    expect_packet(queue, 3 * MS + 7, 'a');
    expect_packet(queue, 3 * MS + 8, 'b');
    link_queue_free(queue);
}

static void a_full_queue_drops_what_comes_last(void **state)
{
    struct link_queue *queue = new_queue(&one_byte_a_us);
    for (int i = 0; i < 5; i++)
        assert_true(put(queue, 0, 'a', 1000));
    assert_false(put(queue, 0, 'b', 1000));
    assert_true(put(queue, 1 * MS, 'c', 1000)); /* one has left */
    assert_false(put(queue, 1 * MS, 'd', 1000));
    assert_int_equal(link_queue_counters(queue)->overflowed, 2);
    assert_int_equal(link_queue_counters(queue)->most_queued, 5000);
    link_queue_free(queue);
}

static void a_packet_longer_than_the_queue_passes_an_idle_wire(void **state)
{
    struct link_queue *queue = new_queue(&one_byte_a_us);
    assert_true(put(queue, 0, 'a', 60000));
    assert_false(put(queue, 0, 'b', 1));
    expect_packet(queue, 70 * MS, 'a');
    link_queue_free(queue);
}

static void packets_stay_in_order_when_the_delay_shrinks(void **state)
{
    struct link_settings settings = one_byte_a_us;
    struct link_queue *queue = new_queue(&settings);
    assert_true(put(queue, 0, 'a', 1000));
    settings.delay_ns = 0;
    link_queue_configure(queue, &settings);
    assert_true(put(queue, 0, 'b', 1000));
    expect_packet(queue, 11 * MS, 'a');
    expect_packet(queue, 11 * MS, 'b');
    assert_true(put(queue, 20 * MS, 'c', 1000));
    expect_packet(queue, 21 * MS, 'c');
    link_queue_free(queue);
}

static void a_cut_drops_what_is_under_way_and_what_comes(void **state)
{
    struct link_queue *queue = new_queue(&one_byte_a_us);
    assert_true(put(queue, 0, 'a', 1000));
    link_queue_cut(queue, true);
    assert_int_equal(link_queue_next(queue), INT64_MAX);
    assert_false(put(queue, 1, 'b', 1000));
    link_queue_cut(queue, false);
    assert_true(put(queue, 2 * MS, 'c', 1000));
    expect_packet(queue, 13 * MS, 'c'); /* has not waited for a */
    assert_int_equal(link_queue_counters(queue)->lost, 2);
    link_queue_free(queue);
}

static void losses_are_as_many_as_asked_for_and_the_same_for_a_seed(void **state)
{
    struct link_settings settings = {.loss = 0.1, .queue_length = UINT64_MAX};
    struct link_queue *first = new_queue(&settings), *second = new_queue(&settings);
    int passed = 0;
    for (int i = 0; i < 10000; i++) {
        bool passes = put(first, i, 'a', 1);
        assert_int_equal(passes, put(second, i, 'a', 1));
        passed += passes;
    }
    assert_in_range(passed, 8850, 9150);
    link_queue_free(first);
    link_queue_free(second);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(packets_take_their_time_on_the_wire_and_then_the_delay),
        cmocka_unit_test(without_a_rate_there_is_only_the_delay),
        cmocka_unit_test(a_full_queue_drops_what_comes_last),
        cmocka_unit_test(a_packet_longer_than_the_queue_passes_an_idle_wire),
        cmocka_unit_test(packets_stay_in_order_when_the_delay_shrinks),
        cmocka_unit_test(a_cut_drops_what_is_under_way_and_what_comes),
        cmocka_unit_test(losses_are_as_many_as_asked_for_and_the_same_for_a_seed),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

/* A loop's timers: by a clock that the test turns, and against a plain list of what ought to expire. */
#include "lib/fake_clock.h"
#include "lib/test.h"

#include "base/timer_heap.h"

enum { COUNT = 300, STEPS = 20000 };

struct noting_timer {
    struct cfs_timer timer;
    struct cfs_loop *loop;
    char name;
    int64_t restart_ms;        /* >= 0: starts again from its own callback */
    struct noting_timer *stop; /* stopped from the callback */
};

static char noted[64];

static void note(struct cfs_timer *timer)
{
    struct noting_timer *self = cfs_container_of(timer, struct noting_timer, timer);
    size_t length = strlen(noted);
    assert_true(length + 1 < sizeof(noted));
    noted[length] = self->name;
    noted[length + 1] = '\0';
    assert_false(timer->active);
    if (self->restart_ms >= 0)
        cfs_loop_start_timer(self->loop, timer, self->restart_ms);
    if (self->stop)
        cfs_loop_stop_timer(self->loop, &self->stop->timer);
}

struct fixture {
    struct fake_clock clock;
    struct cfs_loop *loop;
    struct noting_timer timers[4]; /* a, b, c, d */
};

static int set_up(void **state)
{
    static struct fixture fixture;
    fake_clock_init(&fixture.clock);
    fixture.clock.ms = 1000;
    fixture.loop = cfs_loop_new_with_clock(&fixture.clock.clock);
    for (size_t i = 0; i < CFS_COUNT(fixture.timers); i++) {
        fixture.timers[i] = (struct noting_timer){
            .timer.expired = note, .loop = fixture.loop, .name = (char)('a' + i), .restart_ms = -1};
    }
    noted[0] = '\0';
    *state = &fixture;
    return fixture.loop ? 0 : -1;
}

static int tear_down(void **state)
{
    struct fixture *fixture = *state;
    cfs_loop_free(fixture->loop);
    return 0;
}

static void start(struct fixture *fixture, int index, int64_t delay_ms)
{
    cfs_loop_start_timer(fixture->loop, &fixture->timers[index].timer, delay_ms);
}

/* Turns the clock and the loop; what has expired since the last time. */
static const char *advance(struct fixture *fixture, int64_t ms)
{
    noted[0] = '\0';
    fixture->clock.ms += ms;
    cfs_loop_run_once(fixture->loop, 0);
    assert_int_equal(cfs_loop_now_ms(fixture->loop), fixture->clock.ms);
    return noted;
}

static void timers_expire_once_in_the_order_of_their_time(void **state)
{
    struct fixture *fixture = *state;
    start(fixture, 0, 30);
    start(fixture, 1, 10);
    start(fixture, 2, 20);
    start(fixture, 3, 10);
    assert_string_equal(advance(fixture, 9), "");
    assert_string_equal(advance(fixture, 1), "bd"); /* equal times: as they were started */
    assert_string_equal(advance(fixture, 100), "ca");
    assert_string_equal(advance(fixture, 100), "");
}

static void a_timer_can_be_put_off_and_stopped(void **state)
{
    struct fixture *fixture = *state;
    start(fixture, 0, 10);
    start(fixture, 1, 20);
    start(fixture, 2, 30);
    start(fixture, 0, 25); /* later than b now */
    cfs_loop_stop_timer(fixture->loop, &fixture->timers[2].timer);
    cfs_loop_stop_timer(fixture->loop, &fixture->timers[2].timer);
    cfs_loop_stop_timer(fixture->loop, &fixture->timers[3].timer); /* never started */
    assert_string_equal(advance(fixture, 15), "");
    assert_string_equal(advance(fixture, 100), "ba");
}

static void a_timer_may_stop_another_that_is_due(void **state)
{
    struct fixture *fixture = *state;
    for (int i = 0; i < 4; i++)
        start(fixture, i, 10);
    fixture->timers[0].stop = &fixture->timers[2];
    assert_string_equal(advance(fixture, 10), "abd");
}

static void a_timer_that_starts_itself_waits_for_the_next_turn(void **state)
{
    struct fixture *fixture = *state;
    fixture->timers[0].restart_ms = 0;
    start(fixture, 0, 5);
    start(fixture, 1, 5);
    assert_string_equal(advance(fixture, 5), "ab");
    assert_string_equal(advance(fixture, 0), "a");
    assert_string_equal(advance(fixture, 1), "a");
}

static void absurd_delays_neither_overflow_nor_hang(void **state)
{
    struct fixture *fixture = *state;
    start(fixture, 0, INT64_MAX);
    start(fixture, 1, INT64_MIN);
    start(fixture, 2, 0);
    assert_string_equal(advance(fixture, 0), "bc");
    assert_string_equal(advance(fixture, 1000000000), "");
    assert_true(fixture->timers[0].timer.active);
}

/* --- the heap against a plain list --- */

static uint64_t random_state = 42;

static uint64_t next_random(void)
{
    random_state ^= random_state << 13;
    random_state ^= random_state >> 7;
    random_state ^= random_state << 17;
    return random_state;
}

static const struct cfs_timer *earliest(const struct cfs_timer *timers)
{
    const struct cfs_timer *first = NULL;
    for (size_t i = 0; i < COUNT; i++) {
        const struct cfs_timer *timer = &timers[i];
        if (timer->active && (!first || timer->at_ms < first->at_ms ||
                              (timer->at_ms == first->at_ms && timer->sequence < first->sequence)))
            first = timer;
    }
    return first;
}

static void the_heap_agrees_with_a_plain_list(void **state)
{
    static struct cfs_timer timers[COUNT];
    struct cfs_timer_heap heap = {0};
    for (int step = 0; step < STEPS; step++) {
        struct cfs_timer *timer = &timers[next_random() % COUNT];
        if (next_random() % 4 == 0 && heap.first)
            timer = heap.first;
        if (timer->active) {
            cfs_timer_heap_remove(&heap, timer);
        } else {
            timer->at_ms = (int64_t)(next_random() % 50);
            cfs_timer_heap_insert(&heap, timer);
        }
        timer->active = !timer->active;
        if (step % 10 == 0)
            assert_ptr_equal(heap.first, earliest(timers));
    }
    while (heap.first) {
        assert_ptr_equal(heap.first, earliest(timers));
        heap.first->active = false;
        cfs_timer_heap_remove(&heap, heap.first);
    }
    assert_null(earliest(timers));
}

/* --- the machine's clock --- */

struct stopping_timer {
    struct cfs_timer timer;
    struct cfs_loop *loop;
    int left;
};

static void stop_at_last(struct cfs_timer *timer)
{
    struct stopping_timer *self = cfs_container_of(timer, struct stopping_timer, timer);
    if (--self->left == 0)
        cfs_loop_stop(self->loop);
    else
        cfs_loop_start_timer(self->loop, timer, 3);
}

static void a_running_loop_waits_for_its_timers(void **state)
{
    struct cfs_loop *loop CFS_CLEANUP(cfs_loop_free) = cfs_loop_new();
    struct stopping_timer late = {.timer.expired = stop_at_last, .loop = loop, .left = 1}, soon = late;
    int64_t start_ms = cfs_clock_ms(&cfs_system_clock);
    soon.left = 5;
    cfs_loop_start_timer(loop, &late.timer, 3600 * 1000);
    cfs_loop_run_once(loop, 0); /* which arms the timerfd for it */
    cfs_loop_start_timer(loop, &soon.timer, 20);
    cfs_loop_run(loop);
    assert_int_equal(soon.left, 0);
    assert_true(cfs_clock_ms(&cfs_system_clock) - start_ms >= 20 + 4 * 3);
    cfs_loop_stop_timer(loop, &late.timer);
}

static void a_timer_that_was_stopped_wakes_at_most_once_for_nothing(void **state)
{
    struct cfs_loop *loop CFS_CLEANUP(cfs_loop_free) = cfs_loop_new();
    struct stopping_timer early = {.timer.expired = stop_at_last, .loop = loop, .left = 1}, late = early;
    cfs_loop_start_timer(loop, &early.timer, 1);
    cfs_loop_run_once(loop, 0); /* arms the timerfd for it */
    if (early.left == 0)
        return; /* the machine was too busy: it has expired, rightly */
    cfs_loop_stop_timer(loop, &early.timer);
    cfs_loop_start_timer(loop, &late.timer, 30);
    cfs_loop_run(loop);
    assert_int_equal(early.left, 1);
    assert_int_equal(late.left, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(timers_expire_once_in_the_order_of_their_time, set_up, tear_down),
        cmocka_unit_test_setup_teardown(a_timer_can_be_put_off_and_stopped, set_up, tear_down),
        cmocka_unit_test_setup_teardown(a_timer_may_stop_another_that_is_due, set_up, tear_down),
        cmocka_unit_test_setup_teardown(a_timer_that_starts_itself_waits_for_the_next_turn, set_up, tear_down),
        cmocka_unit_test_setup_teardown(absurd_delays_neither_overflow_nor_hang, set_up, tear_down),
        cmocka_unit_test(the_heap_agrees_with_a_plain_list),
        cmocka_unit_test(a_running_loop_waits_for_its_timers),
        cmocka_unit_test(a_timer_that_was_stopped_wakes_at_most_once_for_nothing),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

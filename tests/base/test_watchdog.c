/* A thread that does not go on is told, and given up in the end; one that waits for work, or may take its time, is not.
 */
#include "base/clock.h"
#include "base/doing.h"
#include "base/thread.h"
#include "base/watchdog.h"
#include "lib/test.h"
#include <errno.h>
#include <stdatomic.h>
#include <string.h>

enum { TIMEOUT_MS = 200 };

struct fixture {
    struct cfs_watchdog *watchdog;
    atomic_uint news[3], given_up, ended;
    const char *_Atomic thread, *_Atomic what;
};

static void tell(void *context, enum cfs_watchdog_news news, const char *thread, const char *what)
{
    struct fixture *fixture = context;
    atomic_store(&fixture->thread, thread);
    atomic_store(&fixture->what, what);
    atomic_fetch_add(&fixture->news[news], 1);
}

static void give_up(void *context)
{
    atomic_fetch_add(&((struct fixture *)context)->given_up, 1);
}

static void end(void *context)
{
    atomic_fetch_add(&((struct fixture *)context)->ended, 1);
}

static void start(struct fixture *fixture)
{
    struct cfs_watchdog_options options = {
        .timeout_ms = TIMEOUT_MS, .tell = tell, .give_up = give_up, .end = end, .context = fixture};
    memset(fixture, 0, sizeof(*fixture));
    assert_int_equal(cfs_watchdog_start(&options, &fixture->watchdog), 0);
}

/* A thread that does what it is told to. */
struct worker {
    pthread_t thread;
    const char *name;
    bool may_wait;
    const char *_Atomic order; /* "stand", "turn", "rest", "leave" */
    atomic_bool obeyed;
};

static void *work(void *context)
{
    struct worker *worker = context;
    const char *doing = "";
    cfs_doing_begin(worker->name, worker->may_wait);
    for (;;) {
        const char *order = atomic_load(&worker->order);
        if (strcmp(order, "leave") == 0)
            break;
        if (strcmp(order, "turn") == 0 || order != doing)
            cfs_doing(strcmp(order, "rest") == 0 ? NULL : order);
        doing = order;
        atomic_store(&worker->obeyed, true);
        usleep(1000);
    }
    cfs_doing_end();
    return NULL;
}

static void tell_to(struct worker *worker, const char *order)
{
    atomic_store(&worker->obeyed, false);
    atomic_store(&worker->order, order);
    while (!atomic_load(&worker->obeyed))
        usleep(1000);
}

static void hire(struct worker *worker, const char *name, bool may_wait, const char *order)
{
    worker->name = name;
    worker->may_wait = may_wait;
    atomic_store(&worker->order, order);
    atomic_store(&worker->obeyed, false);
    assert_int_equal(cfs_thread_start(work, worker, &worker->thread), 0);
    tell_to(worker, order);
}

static void dismiss(struct worker *worker)
{
    atomic_store(&worker->order, "leave");
    pthread_join(worker->thread, NULL);
}

static void wait_for(atomic_uint *count)
{
    for (int64_t until = cfs_clock_ms(&cfs_system_clock) + TEST_LIMIT_MS; atomic_load(count) == 0;) {
        assert_true(cfs_clock_ms(&cfs_system_clock) < until);
        usleep(1000);
    }
}

static void a_thread_that_stands_is_told_given_up_and_ended(void **state)
{
    (void)state;
    struct fixture fixture;
    struct worker idle, standing;
    start(&fixture);
    hire(&idle, "idle", false, "rest");
    hire(&standing, "session", false, "stand");
    wait_for(&fixture.news[CFS_WATCHDOG_STALLED]);
    assert_string_equal(atomic_load(&fixture.thread), "session");
    assert_string_equal(atomic_load(&fixture.what), "stand");
    wait_for(&fixture.given_up);
    wait_for(&fixture.ended);
    dismiss(&standing);
    dismiss(&idle);
    cfs_watchdog_stop(fixture.watchdog);
    assert_int_equal(atomic_load(&fixture.news[CFS_WATCHDOG_STALLED]), 1);
    assert_int_equal(atomic_load(&fixture.news[CFS_WATCHDOG_GIVEN_UP]), 1);
    assert_int_equal(atomic_load(&fixture.given_up), 1);
    assert_int_equal(atomic_load(&fixture.ended), 1);
}

static void a_thread_that_goes_on_is_let_go_on(void **state)
{
    (void)state;
    struct fixture fixture;
    struct worker worker, mate;
    start(&fixture);
    /* The mate goes on all the while: what the two do is not given up, however late we come. */
    hire(&mate, "worker", false, "turn");
    hire(&worker, "worker", false, "stand");
    wait_for(&fixture.news[CFS_WATCHDOG_STALLED]);
    tell_to(&worker, "turn");
    wait_for(&fixture.news[CFS_WATCHDOG_GOES_ON]);
    dismiss(&worker);
    dismiss(&mate);
    cfs_watchdog_stop(fixture.watchdog);
    assert_int_equal(atomic_load(&fixture.given_up), 0);
}

static void who_waits_or_may_take_its_time_is_left_alone(void **state)
{
    (void)state;
    struct fixture fixture;
    struct worker resting, patient, standing;
    start(&fixture);
    hire(&resting, "loop", false, "rest");
    hire(&patient, "notices", true, "stand");
    hire(&standing, "session", false, "stand"); /* shows that time has passed */
    wait_for(&fixture.news[CFS_WATCHDOG_STALLED]);
    assert_string_equal(atomic_load(&fixture.thread), "session");
    wait_for(&fixture.given_up);
    dismiss(&standing);
    dismiss(&patient);
    dismiss(&resting);
    cfs_watchdog_stop(fixture.watchdog);
}

static void slots_are_given_back(void **state)
{
    (void)state;
    struct cfs_doing_now list[CFS_DOING_MOST];
    struct worker worker;
    for (int i = 0; i < 2 * CFS_DOING_MOST; i++) {
        hire(&worker, "worker", false, "rest");
        assert_int_equal(cfs_doing_list(list), 1);
        dismiss(&worker);
    }
    assert_int_equal(cfs_doing_list(list), 0);
    cfs_doing("nothing"); /* without a slot */
    cfs_doing_end();
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_thread_that_stands_is_told_given_up_and_ended),
        cmocka_unit_test(a_thread_that_goes_on_is_let_go_on),
        cmocka_unit_test(who_waits_or_may_take_its_time_is_left_alone),
        cmocka_unit_test(slots_are_given_back),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

/* A connection that is dead is noticed without a call that waits for it, one whose server stands still is not dropped,
 * and nobody has waited while the machine slept. The machine's sleep is made up: see clock_gettime below. What the
 * kernel knows of acknowledgements is told by the test. */
#include "lib/find_sftp_server.h"
#include "lib/pool_fixture.h"
#include "lib/scratch.h"
#include "lib/test.h"
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/syscall.h>
#include <sys/timerfd.h>
#include <unistd.h>

static atomic_int_fast64_t slept_s;

/* What all of the test's program calls: CLOCK_BOOTTIME runs on in a sleep, the others do not. */
int clock_gettime(clockid_t clock, struct timespec *ret_time)
{
    int result = (int)syscall(SYS_clock_gettime, clock, ret_time);
    if (result == 0 && clock == CLOCK_BOOTTIME)
        ret_time->tv_sec += atomic_load(&slept_s);
    return result;
}

/* What the loops' timers are set to; the lock's. A timer whose time has come in a sleep expires at its end. */
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static struct itimerspec timers[256];

static int set_real_timer(int fd, int flags, struct itimerspec at, struct itimerspec *ret_before)
{
    if (flags & TFD_TIMER_ABSTIME) {
        int64_t seconds = at.it_value.tv_sec - atomic_load(&slept_s);
        at.it_value = seconds > 0 ? (struct timespec){seconds, at.it_value.tv_nsec} : (struct timespec){0, 1};
    }
    return (int)syscall(SYS_timerfd_settime, fd, flags, &at, ret_before);
}

int timerfd_settime(int fd, int flags, const struct itimerspec *at, struct itimerspec *ret_before)
{
    assert_true(fd < (int)CFS_COUNT(timers));
    pthread_mutex_lock(&lock);
    timers[fd] = *at;
    int result = set_real_timer(fd, flags, *at, ret_before);
    pthread_mutex_unlock(&lock);
    return result;
}

static void sleep_an_hour(void)
{
    pthread_mutex_lock(&lock);
    atomic_fetch_add(&slept_s, 3600);
    for (int fd = 0; fd < (int)CFS_COUNT(timers); fd++) {
        if (timers[fd].it_value.tv_sec > 0) /* one that is closed by now is no timer, or set as it was */
            (void)set_real_timer(fd, TFD_TIMER_ABSTIME, timers[fd], NULL);
    }
    pthread_mutex_unlock(&lock);
}

static atomic_bool cut_off;
static atomic_uint judged;

static bool is_cut(struct cfs_transport *transport, int64_t ms)
{
    assert_true(transport && ms > 0);
    atomic_fetch_add(&judged, 1);
    return atomic_load(&cut_off);
}

static void open_pool(struct pool_fixture *fixture, uint32_t heartbeat_ms)
{
    static struct cfs_transport_operations operations;
    struct cfs_transport *transport = pool_fixture_transport(fixture, "");
    const struct cfs_pool_options options = {
        .lanes = 2, .sessions = 1, .op_timeout_ms = TEST_LIMIT_MS, .reconnects = true, .heartbeat_ms = heartbeat_ms};
    operations = *transport->operations;
    operations.is_cut = is_cut;
    transport->operations = &operations;
    atomic_store(&cut_off, false);
    atomic_store(&judged, 0);
    assert_int_equal(pool_fixture_open(fixture, transport, options), 0);
    test_wait_until(pool_fixture_status(fixture).lanes == 2);
}

static void signal_servers(struct pool_fixture *fixture, int number)
{
    pid_t pids[POOL_FIXTURE_SERVERS];
    size_t count = pool_fixture_servers(fixture, pids);
    for (size_t i = 0; i < count; i++) {
        if (pool_fixture_is_below_us(pids[i]))
            assert_int_equal(kill(pids[i], number), 0);
    }
}

static void a_silent_connection_is_asked(void **state)
{
    struct pool_fixture *fixture = *state;
    open_pool(fixture, 20);
    uint64_t requests = pool_fixture_status(fixture).requests;
    test_wait_until(pool_fixture_status(fixture).heartbeats >= 3);
    test_wait_until(pool_fixture_status(fixture).requests == requests);
    assert_int_equal(pool_fixture_status(fixture).reconnects, 0);
    assert_int_equal(sync_lstat(&fixture->driver, "", NULL), 0);
}

static void it_is_not_asked_where_nobody_wants_that(void **state)
{
    struct pool_fixture *fixture = *state;
    open_pool(fixture, 0);
    assert_int_equal(sync_lstat(&fixture->driver, "", NULL), 0);
    assert_int_equal(pool_fixture_status(fixture).heartbeats, 0);
}

static void a_dead_connection_is_made_again(void **state)
{
    struct pool_fixture *fixture = *state;
    open_pool(fixture, 20);
    signal_servers(fixture, SIGSTOP);
    atomic_store(&cut_off, true);
    test_wait_until(pool_fixture_status(fixture).reconnects >= 1);
    atomic_store(&cut_off, false);
    assert_int_equal(sync_lstat(&fixture->driver, "", NULL), 0);
    assert_non_null(strstr(pool_fixture_status(fixture).last_error, "does not carry"));
}

static void a_server_that_stands_still_is_waited_for(void **state)
{
    struct pool_fixture *fixture = *state;
    open_pool(fixture, 20);
    signal_servers(fixture, SIGSTOP);
    test_wait_until(atomic_load(&judged) >= 1);
    assert_true(pool_fixture_status(fixture).connected);
    signal_servers(fixture, SIGCONT);
    assert_int_equal(sync_lstat(&fixture->driver, "", NULL), 0);
    assert_int_equal(pool_fixture_status(fixture).reconnects, 0);
    uint64_t before = pool_fixture_status(fixture).heartbeats;
    test_wait_until(pool_fixture_status(fixture).heartbeats > before);
}

static void submit_lstat(struct pool_fixture *fixture, struct sync_call *call)
{
    struct cfs_remote *remote = fixture->driver.remote;
    sync_init(call);
    sync_begin(call);
    remote->operations->lstat(remote, &call->call, "");
    sync_submitted(call);
}

/* op_timeout is a minute: an hour has passed, but none of it was waited. */
static void a_sleep_is_no_waiting(void **state)
{
    struct pool_fixture *fixture = *state;
    struct sync_call call;
    open_pool(fixture, 1000);
    signal_servers(fixture, SIGSTOP);
    submit_lstat(fixture, &call);
    test_wait_until(pool_fixture_status(fixture).in_flight == 1);
    sleep_an_hour();
    test_wait_until(atomic_load(&judged) >= 1);
    assert_false(sync_is_done(&call));
    signal_servers(fixture, SIGCONT);
    assert_int_equal(sync_wait(&fixture->driver, &call), 0);
    assert_int_equal(pool_fixture_status(fixture).reconnects, 0);
    sync_fini(&call);
}

/* The next question would come in half an hour. */
static void after_a_sleep_a_dead_connection_is_made_again(void **state)
{
    struct pool_fixture *fixture = *state;
    open_pool(fixture, 1800 * 1000);
    signal_servers(fixture, SIGSTOP);
    atomic_store(&cut_off, true);
    sleep_an_hour();
    test_wait_until(pool_fixture_status(fixture).reconnects >= 1);
    atomic_store(&cut_off, false);
    assert_int_equal(sync_lstat(&fixture->driver, "", NULL), 0);
}

#define CHECK(function) cmocka_unit_test_setup_teardown(function, pool_fixture_make, pool_fixture_remove)

int main(void)
{
    const struct CMUnitTest tests[] = {
        CHECK(a_silent_connection_is_asked),    CHECK(it_is_not_asked_where_nobody_wants_that),
        CHECK(a_dead_connection_is_made_again), CHECK(a_server_that_stands_still_is_waited_for),
        CHECK(a_sleep_is_no_waiting),           CHECK(after_a_sleep_a_dead_connection_is_made_again),
    };
    if (!find_sftp_server()) {
        printf("skipped: there is no sftp-server here\n");
        return 77;
    }
    cmocka_set_test_filter(getenv("CLUSTERFS_TEST_FILTER"));
    return cmocka_run_group_tests(tests, NULL, NULL);
}

/* How long the connecting thread waits for the server: until the deadline, which stands still while a person is waited
 * for. What ends a wait without a limit here is the descriptor that cancels, a timer. */
#include "lib/test.h"

#include "base/clock.h"
#include "ssh/waiter.h"
#include <errno.h>
#include <sys/socket.h>
#include <sys/timerfd.h>

static struct cfs_ssh_transport *transport;
static struct cfs_ssh_connect_waiter waiter;
static int server, cancel;

static int set_up(void **state)
{
    int pair[2];
    assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, pair), 0);
    server = pair[1];
    assert_int_equal(cfs_ssh_transport_open(pair[0], NULL, &transport), 0);
    cancel = timerfd_create(CLOCK_MONOTONIC, TFD_CLOEXEC);
    assert_true(cancel >= 0);
    cfs_ssh_waiter_init(&waiter, transport, cancel, cfs_clock_ms(&cfs_system_clock));
    return 0;
}

static void cancel_soon(void)
{
    struct itimerspec soon = {.it_value = {.tv_nsec = 100 * 1000 * 1000}};
    assert_int_equal(timerfd_settime(cancel, 0, &soon, NULL), 0);
}

static int tear_down(void **state)
{
    cfs_ssh_transport_close(transport);
    close(server);
    close(cancel);
    return 0;
}

static void test_the_deadline_ends_a_wait(void **state)
{
    assert_int_equal(waiter.waiter.wait(&waiter.waiter), -ETIMEDOUT);
}

static void test_a_person_is_waited_for_without_a_deadline(void **state)
{
    waiter.waiter.pause(&waiter.waiter);
    cancel_soon();
    assert_int_equal(waiter.waiter.wait(&waiter.waiter), -ECANCELED);
}

static void test_pauses_may_be_nested(void **state)
{
    waiter.waiter.pause(&waiter.waiter);
    waiter.waiter.pause(&waiter.waiter);
    waiter.waiter.resume(&waiter.waiter);
    cancel_soon();
    assert_int_equal(waiter.waiter.wait(&waiter.waiter), -ECANCELED);
}

static void test_a_pause_moves_the_deadline(void **state)
{
    int64_t before_ms = waiter.deadline_ms;
    waiter.waiter.pause(&waiter.waiter);
    cancel_soon();
    assert_int_equal(waiter.waiter.wait(&waiter.waiter), -ECANCELED);
    waiter.waiter.resume(&waiter.waiter);
    assert_true(waiter.deadline_ms >= before_ms + 90);
}

static void test_what_arrives_ends_a_wait(void **state)
{
    waiter.waiter.pause(&waiter.waiter);
    assert_int_equal(write(server, "SSH", 3), 3);
    assert_int_equal(waiter.waiter.wait(&waiter.waiter), 0);
}

#define TEST(function) cmocka_unit_test_setup_teardown(function, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(test_the_deadline_ends_a_wait), TEST(test_a_person_is_waited_for_without_a_deadline),
        TEST(test_pauses_may_be_nested),     TEST(test_a_pause_moves_the_deadline),
        TEST(test_what_arrives_ends_a_wait),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

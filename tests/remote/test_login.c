/* Somebody logs in for a pool that has lost its connection: he is asked, is told what came of it, and nothing is tried
 * without him that was refused before. What an attempt comes to is the test's choice. */
#include "lib/fake_prompter.h"
#include "lib/find_sftp_server.h"
#include "lib/pool_fixture.h"
#include "lib/test.h"
#include "remote/pool_priv.h"
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>

/* What becomes of the next attempts. */
enum outcome { SUCCEEDS, IS_REFUSED, FAILS, HANGS };

static _Atomic(enum outcome) outcome;
static atomic_uint attempts;
static struct cfs_prompter *_Atomic asked; /* by the last attempt */

/* The attempt under way; the loop's thread. */
static struct cfs_task task;
static cfs_transport_reconnected *reconnected;
static void *reconnected_context;
static enum cfs_failure failure;
static bool hangs;

static int (*really_reconnect)(struct cfs_transport *transport, struct cfs_prompter *prompter,
                               cfs_transport_reconnected *reconnected, void *context);

static void tell(struct cfs_task *done)
{
    struct cfs_error error = {0};
    assert_non_null(done);
    int result = cfs_error_set(&error, EACCES, failure, "It is the test's wish.");
    reconnected(reconnected_context, result, &error);
}

static void end_attempt(struct cfs_transport *transport, enum cfs_failure with)
{
    failure = with;
    task.run = tell;
    assert_int_equal(cfs_loop_post(transport->operations->loop(transport), &task), 0);
}

/* --- streams --- */

/* The loop's thread. */
static unsigned streams; /* that are open */
static struct cfs_stream *(*really_open)(struct cfs_transport *transport, unsigned session);
static void (*really_close)(struct cfs_stream *stream);

static struct pool_fixture *_Atomic losing; /* its connection is lost again while the next stream is opened */
static atomic_bool is_losing;               /* as soon as somebody logs in */
static atomic_uint left_open;               /* streams, when an attempt was begun */

static void close_stream(struct cfs_stream *stream)
{
    streams--;
    really_close(stream);
}

static void lose_while_somebody_comes(struct pool_fixture *fixture);

static struct cfs_stream *open_stream(struct cfs_transport *transport, unsigned session)
{
    static struct cfs_stream_operations operations;
    struct pool_fixture *fixture = atomic_exchange(&losing, NULL);
    if (fixture)
        lose_while_somebody_comes(fixture);
    struct cfs_stream *stream = really_open(transport, session);
    if (!stream)
        return NULL;
    operations = *stream->operations;
    really_close = operations.close;
    operations.close = close_stream;
    stream->operations = &operations;
    streams++;
    return stream;
}

static int reconnect(struct cfs_transport *transport, struct cfs_prompter *prompter, cfs_transport_reconnected *told,
                     void *context)
{
    enum outcome now = atomic_load(&outcome);
    atomic_fetch_add(&left_open, streams);
    atomic_store(&asked, prompter);
    reconnected = told;
    reconnected_context = context;
    atomic_fetch_add(&attempts, 1);
    if (now == SUCCEEDS)
        return really_reconnect(transport, prompter, told, context);
    hangs = now == HANGS;
    if (!hangs)
        end_attempt(transport, now == IS_REFUSED ? CFS_FAILURE_LOGIN : CFS_FAILURE_CONNECT);
    return 0;
}

static void interrupt(struct cfs_transport *transport)
{
    if (hangs)
        end_attempt(transport, CFS_FAILURE_CANCELLED);
    hangs = false;
}

static void kill_servers(struct pool_fixture *fixture)
{
    pid_t pids[POOL_FIXTURE_SERVERS];
    size_t count = pool_fixture_servers(fixture, pids);
    for (size_t i = 0; i < count; i++) {
        if (pool_fixture_is_below_us(pids[i]))
            kill(pids[i], SIGKILL);
    }
}

/* A pool that has lost its connection, and to whose attempts to make it again THAT happens. */
static void lose(struct pool_fixture *fixture, enum outcome that)
{
    static struct cfs_transport_operations operations;
    struct cfs_transport *transport = pool_fixture_transport(fixture, "");
    const struct cfs_pool_options options = {
        .lanes = 2, .sessions = 1, .op_timeout_ms = TEST_LIMIT_MS, .reconnects = true};
    operations = *transport->operations;
    really_reconnect = operations.reconnect;
    operations.reconnect = reconnect;
    operations.interrupt = interrupt;
    really_open = operations.open_stream;
    operations.open_stream = open_stream;
    streams = 0;
    atomic_store(&left_open, 0);
    transport->operations = &operations;
    atomic_store(&outcome, that);
    atomic_store(&attempts, 0);
    assert_int_equal(pool_fixture_open(fixture, transport, options), 0);
    test_wait_until(pool_fixture_status(fixture).lanes == 2);
    kill_servers(fixture);
    test_wait_until(atomic_load(&attempts) > 0);
    if (that == IS_REFUSED)
        test_wait_until(pool_fixture_status(fixture).state == CFS_POOL_NEEDS_LOGIN);
}

static int log_in(struct pool_fixture *fixture, struct cfs_prompter *prompter)
{
    struct cfs_error error = {0};
    int result = cfs_pool_login(fixture->driver.remote, prompter, &error);
    assert_true(result == 0 || error.text[0] != '\0');
    return result;
}

static void who_logs_in_is_asked(void **state)
{
    struct pool_fixture *fixture = *state;
    struct fake_prompter fake;
    fake_prompter_init(&fake);
    lose(fixture, IS_REFUSED);
    assert_null(atomic_load(&asked));
    atomic_store(&outcome, SUCCEEDS);
    assert_int_equal(log_in(fixture, &fake.prompter), 0);
    assert_ptr_equal(atomic_load(&asked), &fake.prompter);
    assert_int_equal(sync_lstat(&fixture->driver, "", NULL), 0);
    assert_int_equal(log_in(fixture, NULL), 0); /* nothing is lost */
    assert_int_equal(atomic_load(&attempts), 2);
}

static void what_was_refused_is_not_tried_without_him(void **state)
{
    struct pool_fixture *fixture = *state;
    lose(fixture, IS_REFUSED);
    assert_int_equal(log_in(fixture, NULL), -EACCES);
    assert_int_equal(pool_fixture_status(fixture).state, CFS_POOL_NEEDS_LOGIN);
    atomic_store(&outcome, FAILS);
    assert_int_equal(log_in(fixture, NULL), -EACCES);
    assert_int_equal(pool_fixture_status(fixture).state, CFS_POOL_NEEDS_LOGIN);
    assert_int_equal(atomic_load(&attempts), 3);
}

struct other_thread {
    pthread_t thread;
    struct pool_fixture *fixture;
    struct fake_prompter fake;
    int result;
    atomic_bool has_ended;
};

static void *log_in_there(void *context)
{
    struct other_thread *other = context;
    other->result = cfs_pool_login(other->fixture->driver.remote, &other->fake.prompter, NULL);
    atomic_store(&other->has_ended, true);
    return NULL;
}

static void begin_there(struct other_thread *other, struct pool_fixture *fixture)
{
    *other = (struct other_thread){.fixture = fixture};
    fake_prompter_init(&other->fake);
    assert_int_equal(pthread_create(&other->thread, NULL, log_in_there, other), 0);
    test_wait_until(atomic_load(&asked) == &other->fake.prompter);
}

static int end_there(struct other_thread *other)
{
    assert_int_equal(pthread_join(other->thread, NULL), 0);
    return other->result;
}

/* The attempt under way, of which nobody can be asked, would never end. */
static void it_does_not_wait_for_another_attempt(void **state)
{
    struct pool_fixture *fixture = *state;
    struct other_thread other;
    lose(fixture, HANGS);
    begin_there(&other, fixture);
    assert_int_equal(atomic_load(&attempts), 2);
    assert_int_equal(log_in(fixture, NULL), -EBUSY);
    atomic_store(&outcome, SUCCEEDS);
    cfs_pool_login_cancel(fixture->driver.remote);
    assert_int_equal(end_there(&other), -EACCES);
    test_wait_until(pool_fixture_status(fixture).connected); /* by itself: nothing was refused */
}

/* As the end of a mount does, which does not know how far he is. */
static void it_may_be_given_up_again_and_again(void **state)
{
    struct pool_fixture *fixture = *state;
    struct other_thread other;
    lose(fixture, HANGS);
    begin_there(&other, fixture);
    while (!atomic_load(&other.has_ended))
        cfs_pool_login_cancel(fixture->driver.remote);
    assert_int_equal(end_there(&other), -EACCES);
}

static void it_ends_with_the_mount(void **state)
{
    struct pool_fixture *fixture = *state;
    struct other_thread other;
    lose(fixture, HANGS);
    begin_there(&other, fixture);
    cfs_pool_give_up(fixture->driver.remote, "the test says so");
    assert_int_equal(end_there(&other), -ENOTCONN);
    assert_int_equal(log_in(fixture, NULL), -ENOTCONN);
}

/* He is there when the connection, which was there again, is lost once more: what is left of it goes first. */
static void lose_while_somebody_comes(struct pool_fixture *fixture)
{
    struct cfs_pool *pool = cfs_pool_of(fixture->driver.remote);
    bool has_come = false;
    atomic_store(&is_losing, true);
    while (!has_come) {
        sched_yield();
        pthread_mutex_lock(&pool->lock);
        has_come = pool->login_wanted;
        pthread_mutex_unlock(&pool->lock);
    }
    cfs_pool_drop_connection(pool, "the test says so");
}

static void what_is_lost_once_more_goes_before_he_is_asked(void **state)
{
    struct pool_fixture *fixture = *state;
    struct fake_prompter fake;
    fake_prompter_init(&fake);
    lose(fixture, FAILS);
    atomic_store(&losing, fixture);
    atomic_store(&outcome, SUCCEEDS);
    test_wait_until(atomic_load(&is_losing));
    assert_int_equal(log_in(fixture, &fake.prompter), 0);
    assert_int_equal(sync_lstat(&fixture->driver, "", NULL), 0);
    assert_int_equal(atomic_load(&left_open), 0);
}

#define CHECK(function) cmocka_unit_test_setup_teardown(function, pool_fixture_make, pool_fixture_remove)

int main(void)
{
    const struct CMUnitTest tests[] = {
        CHECK(who_logs_in_is_asked),
        CHECK(what_was_refused_is_not_tried_without_him),
        CHECK(it_does_not_wait_for_another_attempt),
        CHECK(it_may_be_given_up_again_and_again),
        CHECK(it_ends_with_the_mount),
        CHECK(what_is_lost_once_more_goes_before_he_is_asked),
    };
    if (!find_sftp_server()) {
        printf("skipped: there is no sftp-server here\n");
        return 77;
    }
    cmocka_set_test_filter(getenv("CLUSTERFS_TEST_FILTER"));
    return cmocka_run_group_tests(tests, NULL, NULL);
}

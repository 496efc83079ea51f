/* Which sessions come by themselves: over distance one more than the mount's own, as soon as that is logged in; no
 * other before bulk data moves, and none at all nearby. */
#include "lib/find_sftp_server.h"
#include "lib/pool_fixture.h"
#include "lib/scratch.h"
#include "lib/test.h"
#include "remote/pool_priv.h"
#include "remote/transport.h"
#include <fcntl.h>
#include <stdio.h>

enum { NEAR_MS = 1, FAR_MS = 40, VERY_FAR_MS = 100000 };

/* With one lane, and as many sessions as make sense. The command's servers are OpenSSH's. */
static void open_pool(struct pool_fixture *fixture, const char *before, int64_t round_trip_ms)
{
    const struct cfs_pool_options options = {.lanes = 1, .op_timeout_ms = TEST_LIMIT_MS};
    struct cfs_transport *transport = pool_fixture_transport(fixture, before);
    transport->round_trip_ms = round_trip_ms;
    transport->is_eager = true;
    assert_int_equal(pool_fixture_open(fixture, transport, options), 0);
}

static size_t servers_of(struct pool_fixture *fixture)
{
    pid_t pids[POOL_FIXTURE_SERVERS];
    return pool_fixture_servers(fixture, pids);
}

/* Whatever has been posted to the loop has run. */
static void settle(struct pool_fixture *fixture)
{
    for (int i = 0; i < 3; i++)
        assert_int_equal(sync_lstat(&fixture->driver, "", NULL), 0);
}

static void over_distance_a_second_session_needs_no_data(void **state)
{
    struct pool_fixture *fixture = *state;
    open_pool(fixture, "", FAR_MS);
    test_wait_until(pool_fixture_status(fixture).sessions == 2);
    settle(fixture);
    assert_int_equal(pool_fixture_status(fixture).sessions, 2);
    assert_int_equal(servers_of(fixture), 2);
}

static void it_does_not_wait_for_the_first_ones_answers(void **state)
{
    struct pool_fixture *fixture = *state;
    /* The first server starts when there is a second one. */
    open_pool(fixture,
              "mkdir \"$1/first\" 2>/dev/null && while ! [ -e \"$1/second\" ]; do sleep 0.01; done; : >\"$1/second\"",
              FAR_MS);
    test_wait_until(pool_fixture_status(fixture).sessions == 2);
}

static void nearby_one_session_is_enough(void **state)
{
    struct pool_fixture *fixture = *state;
    open_pool(fixture, "", NEAR_MS);
    settle(fixture);
    assert_int_equal(pool_fixture_status(fixture).sessions, 1);
    assert_int_equal(servers_of(fixture), 1);
}

static void write_large_file(struct pool_fixture *fixture)
{
    enum { PIECE = 128 * 1024, PIECES = 64 };
    static uint8_t bytes[PIECE];
    struct cfs_remote_file *file = pool_fixture_file(fixture, "f", O_RDWR | O_CREAT);
    for (uint64_t i = 0; i < PIECES; i++)
        assert_int_equal(sync_write(&fixture->driver, file, i * PIECE, bytes, PIECE), 0);
    assert_int_equal(sync_close(&fixture->driver, file), 0);
    settle(fixture);
}

static void a_large_file_brings_the_others_where_two_are_too_few(void **state)
{
    struct pool_fixture *fixture = *state;
    open_pool(fixture, "", VERY_FAR_MS);
    test_wait_until(pool_fixture_status(fixture).sessions == 2);
    write_large_file(fixture);
    test_wait_until(pool_fixture_status(fixture).sessions == 4);
    assert_int_equal(servers_of(fixture), 4);
}

static void a_large_file_brings_no_more_than_are_of_use(void **state)
{
    struct pool_fixture *fixture = *state;
    open_pool(fixture, "", FAR_MS);
    test_wait_until(pool_fixture_status(fixture).sessions == 2);
    write_large_file(fixture);
    assert_int_equal(pool_fixture_status(fixture).sessions, 2);
    assert_int_equal(servers_of(fixture), 2);
}

static void so_many_sessions_are_enough(void **state)
{
    const uint64_t gigabit = 118000000, more = 140000000;
    assert_int_equal(cfs_sessions_enough(0, 0, 1), 2);
    assert_int_equal(cfs_sessions_enough(50, gigabit, 2), 2);
    assert_int_equal(cfs_sessions_enough(60, gigabit, 2), 3);
    assert_int_equal(cfs_sessions_enough(100, gigabit, 3), 4);
    assert_int_equal(cfs_sessions_enough(INT32_MAX, 0, 1), CFS_SESSIONS_MAX);
    assert_int_equal(cfs_sessions_enough(10, more, 2), CFS_SESSIONS_MAX);
}

static void a_missing_folder_ends_the_second_one_too(void **state)
{
    struct pool_fixture *fixture = *state;
    struct cfs_error error = {0};
    struct cfs_remote *remote = NULL;
    const struct cfs_pool_options options = {
        .lanes = 1, .op_timeout_ms = TEST_LIMIT_MS, .remote_dir = "/no/such/folder"};
    struct cfs_transport *transport = pool_fixture_transport(fixture, "");
    transport->round_trip_ms = FAR_MS;
    transport->is_eager = true;
    assert_int_equal(cfs_pool_open(transport, &options, &remote, &error), -ENOENT);
    assert_int_equal(error.failure, CFS_FAILURE_REMOTE_PATH);
}

#define CHECK(function) cmocka_unit_test_setup_teardown(function, pool_fixture_make, pool_fixture_remove)

int main(void)
{
    const struct CMUnitTest tests[] = {
        CHECK(over_distance_a_second_session_needs_no_data),
        CHECK(it_does_not_wait_for_the_first_ones_answers),
        CHECK(nearby_one_session_is_enough),
        CHECK(a_large_file_brings_the_others_where_two_are_too_few),
        CHECK(a_large_file_brings_no_more_than_are_of_use),
        cmocka_unit_test(so_many_sessions_are_enough),
        CHECK(a_missing_folder_ends_the_second_one_too),
    };
    if (!find_sftp_server()) {
        printf("skipped: there is no sftp-server here\n");
        return 77;
    }
    return cmocka_run_group_tests(tests, NULL, NULL);
}

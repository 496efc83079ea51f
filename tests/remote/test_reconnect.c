/* A lost connection is a pause: calls wait for the connection that follows, and who does not want to wait need not. The
 * servers are sftp-servers that are killed. (Open files: test_reopen.c; answers that were lost: test_replay.c.) */
#include "lib/find_sftp_server.h"
#include "lib/lost_pool.h"
#include "lib/scratch.h"
#include "lib/test.h"
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

static void ask_impatiently(struct pool_fixture *fixture, struct sync_call *call, const char *path)
{
    struct cfs_remote *remote = fixture->driver.remote;
    sync_init(call);
    call->call.when_lost = CFS_REMOTE_FAIL;
    sync_begin(call);
    remote->operations->lstat(remote, &call->call, path);
    sync_submitted(call);
}

static void who_would_rather_fail_does_not_wait(void **state)
{
    struct pool_fixture *fixture = *state;
    struct sync_call under_way, later, there_again;
    lost_pool_open(fixture, LOST_POOL_THROUGH_CAT, 0);
    struct cfs_remote *remote = fixture->driver.remote;
    pool_fixture_make_file(fixture, "f", "abc");
    assert_false(remote->operations->is_lost(remote));
    assert_true(lost_pool_signal(fixture, "cats", SIGSTOP) == 2);
    ask_impatiently(fixture, &under_way, "f");
    lost_pool_hold(fixture, true);
    lost_pool_kill(fixture);
    assert_int_equal(sync_wait(&fixture->driver, &under_way), -ENOTCONN);
    test_wait_until(remote->operations->is_lost(remote));
    ask_impatiently(fixture, &later, "f");
    assert_int_equal(sync_wait(&fixture->driver, &later), -ENOTCONN);
    lost_pool_mend(fixture);
    assert_false(remote->operations->is_lost(remote));
    ask_impatiently(fixture, &there_again, "f");
    assert_int_equal(sync_wait(&fixture->driver, &there_again), 0);
    sync_fini(&under_way);
    sync_fini(&later);
    sync_fini(&there_again);
}

static struct cfs_remote_file *open_known(struct pool_fixture *fixture, const char *path,
                                          const struct cfs_remote_attributes *attributes)
{
    struct cfs_remote *remote = fixture->driver.remote;
    struct sync_call call;
    sync_init(&call);
    sync_begin(&call);
    remote->operations->open_known(remote, &call.call, path, attributes);
    sync_submitted(&call);
    assert_int_equal(sync_wait(&fixture->driver, &call), 0);
    sync_fini(&call);
    return call.call.result.file;
}

static void a_known_file_is_opened_when_there_is_a_connection(void **state)
{
    struct pool_fixture *fixture = *state;
    struct cfs_remote_attributes same, longer;
    char buffer[16] = "";
    lost_pool_open(fixture, LOST_POOL_HELD, 0);
    pool_fixture_make_file(fixture, "f", "abc");
    assert_int_equal(sync_lstat(&fixture->driver, "f", &same), 0);
    longer = same;
    longer.size++;
    lost_pool_cut(fixture);
    struct cfs_remote_file *known = open_known(fixture, "f", &same), *another = open_known(fixture, "f", &longer);
    struct cfs_remote_file *unused = open_known(fixture, "f", &same);
    assert_int_equal(sync_close(&fixture->driver, unused), 0);
    lost_pool_mend(fixture);
    assert_int_equal(sync_read(&fixture->driver, known, 0, buffer, sizeof(buffer)), 3);
    assert_string_equal(buffer, "abc");
    assert_int_equal(sync_read(&fixture->driver, another, 0, buffer, sizeof(buffer)), -ESTALE);
    assert_int_equal(sync_close(&fixture->driver, known), 0);
    assert_int_equal(sync_close(&fixture->driver, another), 0);
}

/* --- waiting --- */

static void calls_wait_for_the_connection(void **state)
{
    struct pool_fixture *fixture = *state;
    struct sync_call waits, given_up;
    struct cfs_remote_statfs space;
    lost_pool_open(fixture, LOST_POOL_HELD, 0);
    struct cfs_remote *remote = fixture->driver.remote;
    assert_int_equal(sync_statfs(&fixture->driver, &space), 0);
    lost_pool_cut(fixture);
    assert_int_equal(pool_fixture_status(fixture).state, CFS_POOL_RECONNECTING);
    sync_init(&waits);
    sync_begin(&waits);
    remote->operations->lstat(remote, &waits.call, "");
    sync_submitted(&waits);
    sync_init(&given_up);
    sync_begin(&given_up);
    remote->operations->mkdir(remote, &given_up.call, "d", 0755);
    sync_submitted(&given_up);
    remote->operations->cancel(remote, &given_up.call);
    assert_int_equal(sync_wait(&fixture->driver, &given_up), -EINTR);
    assert_int_equal(sync_statfs(&fixture->driver, &space), 0);
    assert_false(sync_is_done(&waits));
    lost_pool_mend(fixture);
    assert_int_equal(sync_wait(&fixture->driver, &waits), 0);
    assert_false(pool_fixture_has(fixture, "d"));
    assert_int_equal(pool_fixture_status(fixture).reconnects, 1);
    sync_fini(&waits);
    sync_fini(&given_up);
}

static void they_do_not_wait_for_ever(void **state)
{
    struct pool_fixture *fixture = *state;
    lost_pool_open(fixture, LOST_POOL_HELD, 200);
    struct cfs_remote_file *file = pool_fixture_file(fixture, "f", O_RDWR | O_CREAT);
    lost_pool_cut(fixture);
    assert_int_equal(sync_lstat(&fixture->driver, "", NULL), -ENOTCONN);
    assert_int_equal(pool_fixture_status(fixture).state, CFS_POOL_OFFLINE);
    assert_int_equal(sync_write(&fixture->driver, file, 0, "abc", 3), -ENOTCONN);
    lost_pool_mend(fixture);
    assert_int_equal(sync_lstat(&fixture->driver, "", NULL), 0);
    assert_int_equal(sync_write(&fixture->driver, file, 0, "def", 3), 0);
    assert_int_equal(sync_close(&fixture->driver, file), 0);
    pool_fixture_check_content(fixture, "f", "def");
}

static void they_can_be_told_not_to_wait(void **state)
{
    struct pool_fixture *fixture = *state;
    struct sync_call call;
    lost_pool_open(fixture, LOST_POOL_HELD, 0);
    struct cfs_remote *remote = fixture->driver.remote;
    lost_pool_cut(fixture);
    sync_init(&call);
    sync_begin(&call);
    remote->operations->lstat(remote, &call.call, "");
    sync_submitted(&call);
    cfs_pool_give_up(remote, "the test says so");
    assert_int_equal(sync_wait(&fixture->driver, &call), -ENOTCONN);
    sync_fini(&call);
}

static void a_pool_that_waits_can_be_freed(void **state)
{
    struct pool_fixture *fixture = *state;
    struct sync_call call;
    lost_pool_open(fixture, LOST_POOL_HELD, 0);
    struct cfs_remote *remote = fixture->driver.remote;
    lost_pool_cut(fixture);
    sync_init(&call);
    sync_begin(&call);
    remote->operations->lstat(remote, &call.call, "");
    sync_submitted(&call);
    cfs_pool_free(remote);
    assert_int_equal(sync_wait(&fixture->driver, &call), -ENOTCONN);
    fixture->driver.remote = NULL;
    sync_fini(&call);
    lost_pool_hold(fixture, false);
}

/* The first three servers that start when the connection is lost say nothing: those of the first attempt, and one of
 * the second. */
static void a_server_that_does_not_answer_is_not_waited_for(void **state)
{
    struct pool_fixture *fixture = *state;
    const struct cfs_pool_options options = {.lanes = 2, .sessions = 1, .op_timeout_ms = 2000, .reconnects = true};
    const char *before = LOST_POOL_HELD "for i in 1 2 3; do mv \"$1/mute$i\" \"$1/was$i\" 2>/dev/null || continue; "
                                        "echo $$ >>\"$1/pids\"; exec sleep 1000; done";
    struct cfs_transport *transport = pool_fixture_transport(fixture, before);
    assert_int_equal(pool_fixture_open(fixture, transport, options), 0);
    test_wait_until(pool_fixture_status(fixture).lanes == 2);
    for (int i = 1; i <= 3; i++) {
        char name[16];
        snprintf(name, sizeof(name), "mute%d", i);
        char *path CFS_AUTO_FREE = scratch_path(fixture->folder, name);
        scratch_write_text(path, "", 0600);
    }
    lost_pool_kill(fixture);
    test_wait_until(pool_fixture_status(fixture).reconnects > 0);
    assert_true(pool_fixture_status(fixture).attempts > 1);
    test_wait_until(sync_lstat(&fixture->driver, "", NULL) == 0);
}

static void another_work_folder_is_not_taken(void **state)
{
    struct pool_fixture *fixture = *state;
    char *elsewhere CFS_AUTO_FREE = scratch_path(fixture->folder, "elsewhere");
    char *aside CFS_AUTO_FREE = scratch_path(fixture->folder, "aside");
    lost_pool_open(fixture, LOST_POOL_HELD, 0);
    lost_pool_cut(fixture);
    assert_int_equal(mkdir(elsewhere, 0700), 0);
    assert_int_equal(rename(fixture->work, aside), 0);
    assert_int_equal(symlink(elsewhere, fixture->work), 0);
    lost_pool_hold(fixture, false);
    test_wait_until(pool_fixture_status(fixture).attempts > 1);
    assert_false(pool_fixture_status(fixture).connected);
    assert_non_null(strstr(pool_fixture_status(fixture).last_error, "another one"));
    assert_int_equal(unlink(fixture->work), 0);
    assert_int_equal(rename(aside, fixture->work), 0);
    assert_int_equal(sync_lstat(&fixture->driver, "", NULL), 0);
}

/* --- listings --- */

static void a_listing_goes_on_where_it_was(void **state)
{
    enum { FILES = 900 };
    struct pool_fixture *fixture = *state;
    struct cfs_remote_listing *listing;
    struct sync_entry *entries;
    char seen[FILES] = {0}, name[32];
    ssize_t count;
    size_t sum = 0;
    lost_pool_open(fixture, LOST_POOL_HELD, 0);
    for (int i = 0; i < FILES; i++) {
        snprintf(name, sizeof(name), "%d", i);
        pool_fixture_make_file(fixture, name, "");
    }
    assert_int_equal(sync_open_listing(&fixture->driver, "", &listing), 0);
    while ((count = sync_read_listing(&fixture->driver, listing, &entries)) > 0) {
        for (ssize_t i = 0; i < count; i++)
            seen[atoi(entries[i].name)]++;
        sum += (size_t)count;
        free(entries);
        if (sum >= FILES / 2)
            continue;
        test_wait_until(pool_fixture_status(fixture).connected); /* there are servers to be killed */
        lost_pool_kill(fixture);
    }
    assert_int_equal(count, 0);
    assert_int_equal(sync_close_listing(&fixture->driver, listing), 0);
    for (int i = 0; i < FILES; i++)
        assert_int_equal(seen[i], 1);
}

#define CHECK(function) cmocka_unit_test_setup_teardown(function, pool_fixture_make, pool_fixture_remove)

int main(void)
{
    const struct CMUnitTest tests[] = {
        CHECK(who_would_rather_fail_does_not_wait),
        CHECK(a_known_file_is_opened_when_there_is_a_connection),
        CHECK(calls_wait_for_the_connection),
        CHECK(they_do_not_wait_for_ever),
        CHECK(they_can_be_told_not_to_wait),
        CHECK(a_pool_that_waits_can_be_freed),
        CHECK(a_server_that_does_not_answer_is_not_waited_for),
        CHECK(another_work_folder_is_not_taken),
        CHECK(a_listing_goes_on_where_it_was),
    };
    if (!find_sftp_server()) {
        printf("skipped: there is no sftp-server here\n");
        return 77;
    }
    cmocka_set_test_filter(getenv("CLUSTERFS_TEST_FILTER"));
    return cmocka_run_group_tests(tests, NULL, NULL);
}

/* What was under way when the connection was lost is done once, also if the server had done it and its answer was lost.
 * The servers are sftp-servers that are killed, with their answers unsent. */
#include "lib/find_sftp_server.h"
#include "lib/lost_pool.h"
#include "lib/scratch.h"
#include "lib/test.h"
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

enum { LOST_CALLS = 7 };

static void submit_changes(struct cfs_remote *remote, struct sync_call calls[LOST_CALLS])
{
    for (int i = 0; i < LOST_CALLS; i++) {
        sync_init(&calls[i]);
        sync_begin(&calls[i]);
    }
    remote->operations->mkdir(remote, &calls[0].call, "made", 0755);
    remote->operations->rmdir(remote, &calls[1].call, "folder");
    remote->operations->unlink(remote, &calls[2].call, "file");
    remote->operations->symlink(remote, &calls[3].call, "target", "symlink");
    remote->operations->link(remote, &calls[4].call, "other", "link");
    remote->operations->rename(remote, &calls[5].call, "from", "to", CFS_REMOTE_RENAME_NOREPLACE);
    remote->operations->open(remote, &calls[6].call, "exclusive", O_RDWR | O_CREAT | O_EXCL, 0644);
    for (int i = 0; i < LOST_CALLS; i++)
        sync_submitted(&calls[i]);
}

static bool are_changes_done(struct pool_fixture *fixture)
{
    return pool_fixture_has(fixture, "made") && !pool_fixture_has(fixture, "folder") &&
           !pool_fixture_has(fixture, "file") && pool_fixture_has(fixture, "symlink") &&
           pool_fixture_has(fixture, "link") && pool_fixture_has(fixture, "exclusive");
}

/* The server has done them; nobody has heard of it. (Of the rename it has heard the looks alone.) */
static void what_was_done_is_done_once(void **state)
{
    struct pool_fixture *fixture = *state;
    struct sync_call calls[LOST_CALLS];
    char *folder CFS_AUTO_FREE = scratch_path(fixture->work, "folder");
    lost_pool_open(fixture, LOST_POOL_THROUGH_CAT, 0);
    assert_int_equal(mkdir(folder, 0700), 0);
    pool_fixture_make_file(fixture, "file", "");
    pool_fixture_make_file(fixture, "other", "abc");
    pool_fixture_make_file(fixture, "from", "def");
    /* Both clocks are known to be the same. */
    assert_int_equal(sync_mkdir(&fixture->driver, "clock", 0755), 0);
    test_wait_until(lost_pool_signal(fixture, "cats", SIGSTOP) == 2);
    submit_changes(fixture->driver.remote, calls);
    test_wait_until(are_changes_done(fixture));
    lost_pool_kill(fixture);
    for (int i = 0; i < LOST_CALLS; i++) {
        assert_int_equal(sync_wait(&fixture->driver, &calls[i]), 0);
        sync_fini(&calls[i]);
    }
    struct cfs_remote_file *file = calls[LOST_CALLS - 1].call.result.file;
    assert_int_equal(sync_write(&fixture->driver, file, 0, "abc", 3), 0);
    assert_int_equal(sync_close(&fixture->driver, file), 0);
    pool_fixture_check_content(fixture, "exclusive", "abc");
    pool_fixture_check_content(fixture, "to", "def");
    assert_false(pool_fixture_has(fixture, "from"));
}

static void a_rename_that_was_done_is_followed(void **state)
{
    struct pool_fixture *fixture = *state;
    struct sync_call call;
    lost_pool_open(fixture, LOST_POOL_THROUGH_CAT, 0);
    struct cfs_remote *remote = fixture->driver.remote;
    struct cfs_remote_file *file = pool_fixture_file(fixture, "from", O_RDWR | O_CREAT);
    test_wait_until(lost_pool_signal(fixture, "cats", SIGSTOP) == 2);
    sync_init(&call);
    sync_begin(&call);
    remote->operations->rename(remote, &call.call, "from", "to", CFS_REMOTE_RENAME_REPLACE);
    sync_submitted(&call);
    test_wait_until(pool_fixture_has(fixture, "to"));
    lost_pool_kill(fixture);
    assert_int_equal(sync_wait(&fixture->driver, &call), 0);
    sync_fini(&call);
    assert_int_equal(sync_write(&fixture->driver, file, 0, "abc", 3), 0);
    assert_int_equal(sync_close(&fixture->driver, file), 0);
    pool_fixture_check_content(fixture, "to", "abc");
}

/* Whoever opens it again finds it under neither name that is certain: the answer to its rename is missing. */
static void a_file_under_an_unanswered_rename_is_found(void **state)
{
    struct pool_fixture *fixture = *state;
    struct sync_call rename_call, write_call;
    lost_pool_open(fixture, LOST_POOL_THROUGH_CAT, 0);
    struct cfs_remote *remote = fixture->driver.remote;
    assert_int_equal(sync_mkdir(&fixture->driver, "folder", 0755), 0);
    struct cfs_remote_file *file = pool_fixture_file(fixture, "folder/file", O_RDWR | O_CREAT);
    test_wait_until(lost_pool_signal(fixture, "cats", SIGSTOP) == 2);
    sync_init(&write_call);
    sync_init(&rename_call);
    sync_begin(&write_call);
    sync_begin(&rename_call);
    remote->operations->write(remote, &write_call.call, file, 0, 3, "abc");
    remote->operations->rename(remote, &rename_call.call, "folder", "other", CFS_REMOTE_RENAME_REPLACE);
    sync_submitted(&write_call);
    sync_submitted(&rename_call);
    test_wait_until(pool_fixture_has(fixture, "other"));
    lost_pool_kill(fixture);
    assert_int_equal(sync_wait(&fixture->driver, &write_call), 0);
    assert_int_equal(sync_wait(&fixture->driver, &rename_call), 0);
    sync_fini(&write_call);
    sync_fini(&rename_call);
    assert_int_equal(sync_close(&fixture->driver, file), 0);
    pool_fixture_check_content(fixture, "other/file", "abc");
}

/* Nobody has heard that they are open; the server's umask is 077. */
static void what_was_made_has_its_mode(void **state)
{
    struct pool_fixture *fixture = *state;
    struct sync_call calls[3];
    char *old CFS_AUTO_FREE = scratch_path(fixture->work, "old");
    char *emptied CFS_AUTO_FREE = scratch_path(fixture->work, "emptied");
    const struct timespec hour_ago[] = {{.tv_sec = time(NULL) - 3600}, {.tv_sec = time(NULL) - 3600}};
    lost_pool_open(fixture, "umask 077; " LOST_POOL_THROUGH_CAT, 0);
    struct cfs_remote *remote = fixture->driver.remote;
    scratch_write_text(old, "", 0600);
    assert_int_equal(utimensat(AT_FDCWD, old, hour_ago, 0), 0);
    scratch_write_text(emptied, "abc", 0600);
    assert_int_equal(sync_mkdir(&fixture->driver, "clock", 0755), 0);
    test_wait_until(lost_pool_signal(fixture, "cats", SIGSTOP) == 2);
    for (int i = 0; i < 3; i++) {
        sync_init(&calls[i]);
        sync_begin(&calls[i]);
    }
    remote->operations->open(remote, &calls[0].call, "old", O_RDWR | O_CREAT, 0664);
    remote->operations->open(remote, &calls[1].call, "emptied", O_RDWR | O_CREAT | O_TRUNC, 0664);
    remote->operations->open(remote, &calls[2].call, "made", O_RDWR | O_CREAT, 0664);
    for (int i = 0; i < 3; i++)
        sync_submitted(&calls[i]);
    test_wait_until(pool_fixture_has(fixture, "made"));
    lost_pool_kill(fixture);
    for (int i = 0; i < 3; i++) {
        assert_int_equal(sync_wait(&fixture->driver, &calls[i]), 0);
        assert_int_equal(sync_close(&fixture->driver, calls[i].call.result.file), 0);
        sync_fini(&calls[i]);
    }
    assert_int_equal(pool_fixture_mode(fixture, "made"), 0664);
    assert_int_equal(pool_fixture_mode(fixture, "old"), 0600);
    assert_int_equal(pool_fixture_mode(fixture, "emptied"), 0600);
}

static void a_failure_of_somebody_elses_doing_is_told(void **state)
{
    struct pool_fixture *fixture = *state;
    struct sync_call calls[2];
    lost_pool_open(fixture, LOST_POOL_HELD, 0);
    struct cfs_remote *remote = fixture->driver.remote;
    lost_pool_cut(fixture);
    for (int i = 0; i < 2; i++) {
        sync_init(&calls[i]);
        sync_begin(&calls[i]);
    }
    remote->operations->open(remote, &calls[0].call, "lock", O_RDWR | O_CREAT | O_EXCL, 0644);
    remote->operations->unlink(remote, &calls[1].call, "absent");
    sync_submitted(&calls[0]);
    sync_submitted(&calls[1]);
    pool_fixture_make_file(fixture, "lock", "");
    lost_pool_mend(fixture);
    assert_int_equal(sync_wait(&fixture->driver, &calls[0]), -EEXIST);
    assert_int_equal(sync_wait(&fixture->driver, &calls[1]), -ENOENT);
    sync_fini(&calls[0]);
    sync_fini(&calls[1]);
}

/* Its folder is away, perhaps for a while. */
static void what_is_away_was_not_removed(void **state)
{
    struct pool_fixture *fixture = *state;
    struct sync_call call;
    char *folder CFS_AUTO_FREE = scratch_path(fixture->work, "folder");
    char *away CFS_AUTO_FREE = scratch_path(fixture->work, "away");
    char *file CFS_AUTO_FREE = scratch_path(folder, "file");
    lost_pool_open(fixture, LOST_POOL_THROUGH_CAT, 0);
    struct cfs_remote *remote = fixture->driver.remote;
    assert_int_equal(mkdir(folder, 0700), 0);
    scratch_write_text(file, "", 0600);
    test_wait_until(lost_pool_signal(fixture, "cats", SIGSTOP) == 2);
    sync_init(&call);
    sync_begin(&call);
    remote->operations->unlink(remote, &call.call, "folder/file");
    sync_submitted(&call);
    test_wait_until(access(file, F_OK) < 0);
    assert_int_equal(rename(folder, away), 0);
    lost_pool_kill(fixture);
    assert_int_equal(sync_wait(&fixture->driver, &call), -ENOENT);
    sync_fini(&call);
}

static void small_files_are_put_once(void **state)
{
    struct pool_fixture *fixture = *state;
    struct sync_call call;
    const struct cfs_remote_attributes set = {.valid = CFS_REMOTE_TIMES, .atime = 1000, .mtime = 1000};
    lost_pool_open(fixture, LOST_POOL_THROUGH_CAT, 0);
    struct cfs_remote *remote = fixture->driver.remote;
    for (int i = 0; i < 4; i++) { /* the handle is foreseen by then */
        char name[16];
        snprintf(name, sizeof(name), "p%d", i);
        assert_int_equal(sync_put(&fixture->driver, name, O_WRONLY | O_CREAT | O_EXCL, 0644, "abc", 3, &set, NULL), 0);
    }
    assert_true(lost_pool_signal(fixture, "cats", SIGSTOP) >= 2);
    sync_init(&call);
    sync_begin(&call);
    remote->operations->put(remote, &call.call, "put", O_WRONLY | O_CREAT | O_EXCL, 0644, 3, "abc", &set);
    sync_submitted(&call);
    test_wait_until(pool_fixture_has(fixture, "put"));
    lost_pool_kill(fixture);
    assert_int_equal(sync_wait(&fixture->driver, &call), 0);
    sync_fini(&call);
    pool_fixture_check_content(fixture, "put", "abc");
    assert_int_equal(sync_put(&fixture->driver, "after", O_WRONLY | O_CREAT | O_EXCL, 0644, "abc", 3, &set, NULL), 0);
}

#define CHECK(function) cmocka_unit_test_setup_teardown(function, pool_fixture_make, pool_fixture_remove)

int main(void)
{
    const struct CMUnitTest tests[] = {
        CHECK(what_was_done_is_done_once),
        CHECK(a_rename_that_was_done_is_followed),
        CHECK(a_file_under_an_unanswered_rename_is_found),
        CHECK(what_was_made_has_its_mode),
        CHECK(a_failure_of_somebody_elses_doing_is_told),
        CHECK(what_is_away_was_not_removed),
        CHECK(small_files_are_put_once),
    };
    if (!find_sftp_server()) {
        printf("skipped: there is no sftp-server here\n");
        return 77;
    }
    cmocka_set_test_filter(getenv("CLUSTERFS_TEST_FILTER"));
    return cmocka_run_group_tests(tests, NULL, NULL);
}

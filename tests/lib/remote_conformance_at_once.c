/* The contract's operations that do at once what others do one after another: put, set_and_rename. */
#include "lib/remote_conformance_priv.h"
#include "lib/test.h"
#include <fcntl.h>
#include <sys/stat.h>

/* --- put --- */

static bool can_put(struct remote_driver *driver)
{
    return driver->remote->operations->put && conform_capabilities(driver) & CFS_REMOTE_CAN_PUT;
}

enum { NEW = O_CREAT | O_EXCL | O_WRONLY };

static void a_put_makes_the_whole_file(void **state)
{
    const struct cfs_remote_attributes set = {.valid = CFS_REMOTE_TIMES, .atime = 1000, .mtime = 2000};
    const struct cfs_remote_attributes mode = {.valid = CFS_REMOTE_MODE, .mode = 0440};
    struct cfs_remote_attributes is = {0};
    char path[16];
    if (!can_put(*state))
        skip();
    for (int i = 0; i < 8; i++) { /* some remotes do it in another way when they have learned how */
        snprintf(path, sizeof(path), "f%d", i);
        OK(sync_put(*state, path, NEW, i % 2 ? 0666 : 0600, path, strlen(path),
                    i < 4   ? &set
                    : i < 6 ? &mode
                            : NULL,
                    &is));
        assert_true(!is.valid || is.size == strlen(path));
        conform_expect_content(*state, path, path, strlen(path));
        assert_int_equal(conform_mode_of(*state, path) & 0777, i == 4 || i == 5 ? 0440 : i % 2 ? 0666 : 0600);
        OK(sync_lstat(*state, path, &is));
        if (i < 4)
            assert_int_equal(is.mtime, 2000);
    }
    OK(sync_put(*state, "empty", NEW, 0644, NULL, 0, NULL, NULL));
    conform_expect_content(*state, "empty", "", 0);
}

static void a_put_tells_why_not(void **state)
{
    struct remote_driver *driver = *state;
    if (!can_put(driver))
        skip();
    conform_make_file(driver, "file", "old", 3);
    OK(sync_mkdir(driver, "folder", 0755));
    for (int i = 0; i < 4; i++) {
        assert_int_equal(sync_put(driver, "file", NEW, 0644, "newer", 5, NULL, NULL), -EEXIST);
        assert_int_equal(sync_put(driver, "missing/file", NEW, 0644, "new", 3, NULL, NULL), -ENOENT);
        assert_int_equal(sync_put(driver, "file/below", NEW, 0644, "new", 3, NULL, NULL), -ENOTDIR);
        assert_int_equal(sync_put(driver, "folder", O_CREAT | O_WRONLY, 0644, "new", 3, NULL, NULL), -EISDIR);
        conform_expect_content(driver, "file", "old", 3);
        OK(sync_put(driver, "other", O_CREAT | O_WRONLY, 0644, "well", 4, NULL, NULL));
        conform_expect_content(driver, "other", "well", 4);
    }
    OK(sync_put(driver, "file", O_CREAT | O_WRONLY, 0644, "n", 1, NULL, NULL));
    conform_expect_content(driver, "file", "nld", 3);
    OK(sync_put(driver, "file", O_CREAT | O_TRUNC | O_WRONLY, 0644, "n", 1, NULL, NULL));
    conform_expect_content(driver, "file", "n", 1);
}

static void large_puts_are_whole(void **state)
{
    enum { LENGTH = MEBIBYTE + 12345 };
    if (!can_put(*state))
        skip();
    uint8_t *bytes CFS_AUTO_FREE = conform_pattern(LENGTH);
    for (int i = 0; i < 4; i++) {
        OK(sync_put(*state, "large", NEW, 0644, bytes, LENGTH, NULL, NULL));
        conform_expect_content(*state, "large", bytes, LENGTH);
        OK(sync_unlink(*state, "large"));
    }
}

/* Among them some that fail: each has what was put into it, and nothing else. */
static void puts_at_once_do_not_mix(void **state)
{
    enum { CALLS = 100 };
    static const struct cfs_remote_attributes none;
    struct remote_driver *driver = *state;
    if (!can_put(driver))
        skip();
    const struct cfs_remote_operations *operations = driver->remote->operations;
    struct sync_call *calls CFS_AUTO_FREE = calloc(CALLS, sizeof(*calls));
    char(*paths)[32] CFS_AUTO_FREE = calloc(CALLS, sizeof(*paths));
    assert_non_null(calls);
    assert_non_null(paths);
    for (int round = 0; round < 3; round++) {
        for (int i = 0; i < CALLS; i++) {
            snprintf(paths[i], sizeof(*paths), "%s%d-%d", i % 5 == 4 ? "no/" : "f", round, i);
            sync_init(&calls[i]);
            sync_begin(&calls[i]);
            operations->put(driver->remote, &calls[i].call, paths[i], NEW, 0644, strlen(paths[i]), paths[i], &none);
            sync_submitted(&calls[i]);
        }
        for (int i = 0; i < CALLS; i++) {
            assert_int_equal(sync_wait(driver, &calls[i]), i % 5 == 4 ? -ENOENT : 0);
            sync_fini(&calls[i]);
            if (i % 5 != 4)
                conform_expect_content(driver, paths[i], paths[i], strlen(paths[i]));
        }
    }
}

static void set_and_rename_does_both(void **state)
{
    struct remote_driver *driver = *state;
    const struct cfs_remote_attributes set = {
        .valid = CFS_REMOTE_TIMES | CFS_REMOTE_MODE, .mode = 0640, .atime = 1000, .mtime = 2000};
    struct cfs_remote_attributes is = {0};
    int set_error = 1;
    if (!driver->remote->operations->set_and_rename || !(conform_capabilities(driver) & CFS_REMOTE_CAN_SET_AND_RENAME))
        skip();
    conform_make_file(driver, "from", "new", 3);
    conform_make_file(driver, "to", "old", 3);
    OK(sync_set_and_rename(driver, "from", "to", &set, &set_error));
    OK(set_error);
    conform_expect_content(driver, "to", "new", 3);
    assert_int_equal(conform_mode_of(driver, "to") & 0777, 0640);
    OK(sync_lstat(driver, "to", &is));
    assert_int_equal(is.mtime, 2000);
    assert_int_equal(sync_lstat(driver, "from", NULL), -ENOENT);
    assert_int_equal(sync_set_and_rename(driver, "from", "to", &set, &set_error), -ENOENT);
    OK(sync_mkdir(driver, "folder", 0755));
    assert_int_equal(sync_set_and_rename(driver, "to", "folder", &set, &set_error), -EISDIR);
    conform_expect_content(driver, "to", "new", 3);
}

#define CHECK(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int conform_at_once(const char *name, int (*setup)(void **state), int (*teardown)(void **state))
{
    const struct CMUnitTest checks[] = {
        CHECK(a_put_makes_the_whole_file), CHECK(a_put_tells_why_not),      CHECK(large_puts_are_whole),
        CHECK(puts_at_once_do_not_mix),    CHECK(set_and_rename_does_both),
    };
    return cmocka_run_group_tests_name(name, checks, NULL, NULL);
}

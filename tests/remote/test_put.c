/* Puts over a pool: by a handle that is foreseen, where the server's handles are like OpenSSH's, and right where they
 * are not, or cease to be. The filter in front of sftp-server: tests/lib/old_sftp_server.c. */
#include "lib/find_sftp_server.h"
#include "lib/pool_fixture.h"
#include "lib/scratch.h"
#include "lib/test.h"
#include <fcntl.h>
#include <stdarg.h>
#include <stdlib.h>
#include <sys/stat.h>

enum { LANES = 3, NEW = O_CREAT | O_EXCL | O_WRONLY };

/* With the filter's options; or none, of the plain server. BEFORE: shell that each server runs first. */
static void open_pool(struct pool_fixture *fixture, const char *before, const char *filter)
{
    const struct cfs_pool_options options = {.lanes = LANES, .sessions = 1, .op_timeout_ms = TEST_LIMIT_MS};
    const char *build = getenv("top_builddir");
    char *script CFS_AUTO_FREE = NULL;
    if (filter)
        assert_true(asprintf(&script, "%s\nset -- \"$1\" '%s/tests/lib/old_sftp_server'\nexec \"$2\" %s", before,
                             build ? build : ".", filter) > 0);
    assert_int_equal(pool_fixture_open(fixture, pool_fixture_transport(fixture, script ? script : before), options), 0);
    test_wait_until(pool_fixture_status(fixture).lanes == LANES);
}

static int put(struct pool_fixture *fixture, const char *path)
{
    return sync_put(&fixture->driver, path, NEW, 0644, path, strlen(path), NULL, NULL);
}

/* As it is on the server. */
static void expect_file(struct pool_fixture *fixture, const char *path, const char *content)
{
    char *there CFS_AUTO_FREE = scratch_path(fixture->work, path);
    char bytes[64];
    FILE *file = fopen(there, "r");
    assert_non_null(file);
    size_t length = fread(bytes, 1, sizeof(bytes) - 1, file);
    fclose(file);
    bytes[length] = '\0';
    assert_string_equal(bytes, content);
}

/* The first one makes the pool want the lane for puts. */
static void put_first(struct pool_fixture *fixture)
{
    assert_int_equal(put(fixture, "first"), 0);
    test_wait_until(pool_fixture_status(fixture).lanes == LANES + 1);
}

static void put_many(struct pool_fixture *fixture, const char *name, int count)
{
    char path[32];
    for (int i = 0; i < count; i++) {
        snprintf(path, sizeof(path), "%s%d", name, i);
        assert_int_equal(put(fixture, path), 0);
        expect_file(fixture, path, path);
    }
}

static void put_at_once(struct pool_fixture *fixture, const char *name)
{
    enum { CALLS = 60 };
    static const struct cfs_remote_attributes none;
    const struct cfs_remote_operations *operations = fixture->driver.remote->operations;
    struct sync_call *calls CFS_AUTO_FREE = calloc(CALLS, sizeof(*calls));
    char paths[CALLS][32];
    assert_non_null(calls);
    for (int i = 0; i < CALLS; i++) {
        snprintf(paths[i], sizeof(paths[i]), "%s-%d", name, i);
        sync_init(&calls[i]);
        sync_begin(&calls[i]);
        operations->put(fixture->driver.remote, &calls[i].call, paths[i], NEW, 0644, strlen(paths[i]), paths[i], &none);
        sync_submitted(&calls[i]);
    }
    for (int i = 0; i < CALLS; i++) {
        assert_int_equal(sync_wait(&fixture->driver, &calls[i]), 0);
        sync_fini(&calls[i]);
        expect_file(fixture, paths[i], paths[i]);
    }
}

/* Would wait for ever if CLOSE waited for the answer to OPEN. */
static void the_third_put_does_not_wait_for_its_open(void **state)
{
    struct pool_fixture *fixture = *state;
    open_pool(fixture, "", "-w 3");
    put_first(fixture);
    put_many(fixture, "f", 10);
    put_at_once(fixture, "together");
}

static void handles_that_never_come_again_are_not_foreseen(void **state)
{
    struct pool_fixture *fixture = *state;
    open_pool(fixture, "", "-h 0");
    put_first(fixture);
    put_many(fixture, "f", 10);
    put_at_once(fixture, "together");
}

static void long_handles_are_not_foreseen(void **state)
{
    struct pool_fixture *fixture = *state;
    open_pool(fixture, "", "-H");
    put_first(fixture);
    put_many(fixture, "f", 10);
    put_at_once(fixture, "together");
}

static void a_handle_that_differs_harms_nobody(void **state)
{
    static const char *const filters[] = {"-h 2", "-h 3", "-h 7", "-h 30"};
    for (size_t i = 0; i < CFS_COUNT(filters); i++) {
        struct pool_fixture *fixture;
        (void)state;
        assert_int_equal(pool_fixture_make((void **)&fixture), 0);
        open_pool(fixture, "", filters[i]);
        put_first(fixture);
        put_many(fixture, "f", 5);
        put_at_once(fixture, "together");
        put_many(fixture, "g", 5);
        assert_true(pool_fixture_status(fixture).connected);
        assert_int_equal(pool_fixture_remove((void **)&fixture), 0);
    }
}

/* Of the third on the lane, one request after another: each put there has five. What is written must be where it
 * belongs, whatever is left open. */
static void a_request_that_fails_is_told_and_harms_no_other(void **state)
{
    enum { BEFORE = 10, REQUESTS = 5 };
    for (int i = 1; i <= REQUESTS; i++) {
        struct pool_fixture *fixture;
        char filter[32];
        (void)state;
        assert_int_equal(pool_fixture_make((void **)&fixture), 0);
        snprintf(filter, sizeof(filter), "-F %d", BEFORE + i);
        open_pool(fixture, "", filter);
        put_first(fixture);
        put_many(fixture, "f", 2);
        int error = put(fixture, "third");
        bool is_vital = i == 1 || i == 2 || i == 5; /* mode and attributes are not */
        assert_true(is_vital ? error < 0 : error == 0);
        if (!is_vital || i == 5)
            expect_file(fixture, "third", "third");
        put_many(fixture, "g",
                 i < REQUESTS ? 4 : 1); /* after a CLOSE that failed: on another lane, where the same fails */
        if (i < REQUESTS)
            put_at_once(fixture, "together");
        if (!is_vital || i == 5)
            expect_file(fixture, "third", "third");
        assert_int_equal(pool_fixture_remove((void **)&fixture), 0);
    }
}

static void without_a_lane_of_their_own_puts_are_as_good(void **state)
{
    struct pool_fixture *fixture = *state;
    open_pool(fixture,
              "mkdir \"$1/1\" 2>/dev/null || mkdir \"$1/2\" 2>/dev/null || mkdir \"$1/3\" 2>/dev/null || exit 1", NULL);
    put_many(fixture, "f", 10);
    put_at_once(fixture, "together");
    assert_int_equal(pool_fixture_status(fixture).lanes, LANES);
    assert_true(pool_fixture_status(fixture).connected);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(the_third_put_does_not_wait_for_its_open, pool_fixture_make,
                                        pool_fixture_remove),
        cmocka_unit_test_setup_teardown(handles_that_never_come_again_are_not_foreseen, pool_fixture_make,
                                        pool_fixture_remove),
        cmocka_unit_test_setup_teardown(long_handles_are_not_foreseen, pool_fixture_make, pool_fixture_remove),
        cmocka_unit_test(a_handle_that_differs_harms_nobody),
        cmocka_unit_test(a_request_that_fails_is_told_and_harms_no_other),
        cmocka_unit_test_setup_teardown(without_a_lane_of_their_own_puts_are_as_good, pool_fixture_make,
                                        pool_fixture_remove),
    };
    if (!find_sftp_server())
        return 77;
    return cmocka_run_group_tests(tests, NULL, NULL);
}

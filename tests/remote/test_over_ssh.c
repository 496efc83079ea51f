/* The pool keeps the contract over SSH, on one session and on several; what the server's MaxSessions refuses is a
 * learned cap; sessions come with bulk data, and go. */
#include "lib/fake_prompter.h"
#include "lib/remote_conformance.h"
#include "lib/remote_sync.h"
#include "lib/scratch.h"
#include "lib/sshd.h"
#include "lib/test.h"
#include "remote/pool.h"
#include "ssh/session.h"
#include <fcntl.h>

struct fixture {
    struct remote_driver driver; /* first: it is what *state points at */
    char *folder;
    struct cfs_profile *profile;
};

static struct test_sshd sshd;
static unsigned lanes, sessions;
static uint32_t idle_ms;
static size_t bulk_piece;

static int open_pool(struct fixture *fixture)
{
    struct cfs_transport *transport;
    struct cfs_error error = {0};
    struct fake_prompter prompter;
    struct cfs_pool_options options = {.lanes = lanes,
                                       .sessions = sessions,
                                       .idle_ms = idle_ms,
                                       .bulk_piece = bulk_piece,
                                       .op_timeout_ms = TEST_LIMIT_MS,
                                       .remote_dir = fixture->folder};
    fake_prompter_init(&prompter);
    int result = cfs_transport_ssh_open(fixture->profile, &prompter.prompter, -1, &transport, &error);
    if (!result)
        result = cfs_pool_open(transport, &options, &fixture->driver.remote, &error);
    if (result)
        print_error("%s\n", error.text);
    return result;
}

static int teardown(void **state)
{
    struct fixture *fixture = *state;
    cfs_pool_free(fixture->driver.remote);
    test_profile_free(fixture->profile);
    scratch_remove(fixture->folder);
    free(fixture);
    return 0;
}

static int setup(void **state)
{
    struct fixture *fixture = calloc(1, sizeof(*fixture));
    assert_non_null(fixture);
    fixture->folder = scratch_make();
    fixture->profile = test_sshd_profile(&sshd);
    *state = fixture;
    if (open_pool(fixture) == 0)
        return 0;
    (void)teardown(state);
    return -1;
}

static unsigned lanes_of(struct remote_driver *driver)
{
    struct cfs_pool_status status;
    cfs_pool_status(driver->remote, &status);
    return status.lanes;
}

static void the_servers_cap_is_learned(void **state)
{
    struct fixture *fixture = *state;
    struct cfs_remote_file *file;
    struct cfs_pool_status status;
    test_wait_until(lanes_of(&fixture->driver) == 2);
    assert_int_equal(sync_open(&fixture->driver, "f", O_WRONLY | O_CREAT, 0644, &file), 0);
    assert_int_equal(sync_write(&fixture->driver, file, 0, "x", 1), 0);
    assert_int_equal(sync_close(&fixture->driver, file), 0);
    cfs_pool_status(fixture->driver.remote, &status);
    assert_true(status.connected);
    assert_int_equal(status.lanes, 2);
    assert_string_not_equal(status.ssh.cipher, "");
}

static void one_channel_is_enough(void **state)
{
    struct fixture *fixture = *state;
    assert_int_equal(lanes_of(&fixture->driver), 1);
    assert_int_equal(sync_mkdir(&fixture->driver, "folder", 0755), 0);
}

static unsigned sessions_of(struct remote_driver *driver)
{
    struct cfs_pool_status status;
    cfs_pool_status(driver->remote, &status);
    return status.sessions;
}

static void sessions_come_with_bulk_data_and_go(void **state)
{
    enum { PIECE = 128 * 1024, PIECES = 64 };
    static uint8_t bytes[PIECE], read_back[PIECE];
    struct fixture *fixture = *state;
    struct cfs_remote_file *file;
    for (int round = 0; round < 2; round++) {
        assert_int_equal(sync_open(&fixture->driver, "f", O_RDWR | O_CREAT, 0644, &file), 0);
        int64_t end = cfs_clock_ms(&cfs_system_clock) + TEST_LIMIT_MS;
        for (uint64_t i = 0; sessions_of(&fixture->driver) < 3 || i < PIECES; i++) {
            memset(bytes, (int)(i % PIECES), PIECE);
            assert_int_equal(sync_write(&fixture->driver, file, i % PIECES * PIECE, bytes, PIECE), 0);
            assert_true(cfs_clock_ms(&cfs_system_clock) < end);
        }
        for (uint64_t i = 0; i < PIECES; i++) {
            memset(bytes, (int)i, PIECE);
            assert_int_equal(sync_read(&fixture->driver, file, i * PIECE, read_back, PIECE), PIECE);
            assert_memory_equal(read_back, bytes, PIECE);
        }
        assert_int_equal(sync_close(&fixture->driver, file), 0);
        test_wait_until(sessions_of(&fixture->driver) == 1);
    }
}

/* What may fail in it is reported as a failed test. */
static const char *configuration;

static void an_sshd_starts(void **state)
{
    test_sshd_start(&sshd, configuration);
}

/* Starts an sshd with EXTRA in its configuration. The number of failures. */
static int start(const char *extra)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(an_sshd_starts)};
    configuration = extra;
    return cmocka_run_group_tests(tests, NULL, NULL);
}

static int run_capped(const char *extra, void (*check)(void **state))
{
    const struct CMUnitTest tests[] = {cmocka_unit_test_setup_teardown(check, setup, teardown)};
    lanes = 6;
    int failures = start(extra);
    if (!failures)
        failures = cmocka_run_group_tests(tests, NULL, NULL);
    test_sshd_stop(&sshd);
    return failures;
}

static int run_conformance(void)
{
    lanes = 3;
    int failures = start("");
    if (!failures)
        failures = remote_conformance("over SSH", setup, teardown);
    test_sshd_stop(&sshd);
    return failures;
}

static int run_sessions(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(sessions_come_with_bulk_data_and_go, setup, teardown)};
    lanes = 2;
    sessions = 3;
    idle_ms = 300;
    int failures = start("");
    if (!failures)
        failures = cmocka_run_group_tests(tests, NULL, NULL);
    idle_ms = 0;
    bulk_piece = 1;
    if (!failures)
        failures = remote_conformance("over several SSH sessions", setup, teardown);
    test_sshd_stop(&sshd);
    return failures;
}

int main(void)
{
    if (!test_sshd_available()) {
        printf("skipped: there is no sshd or ssh-keygen here\n");
        return 77;
    }
    if (cfs_ssh_library_init())
        return 1;
    int failures = run_conformance();
    failures += run_capped("MaxSessions 2\n", the_servers_cap_is_learned);
    failures += run_capped("MaxSessions 1\n", one_channel_is_enough);
    failures += run_sessions();
    cfs_ssh_library_fini();
    return failures;
}

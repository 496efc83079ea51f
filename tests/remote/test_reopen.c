/* Open files outlive the connection: they are opened again by their name, compared, and written and read on. What is
 * another file by then, or has no name any more, is stale. The servers are sftp-servers that are killed. */
#include "base/list.h"
#include "base/loop.h"
#include "lib/find_sftp_server.h"
#include "lib/lost_pool.h"
#include "lib/scratch.h"
#include "lib/test.h"
#include <fcntl.h>
#include <semaphore.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

/* As somebody whom modes concern. */
#define AS_ORDINARY_USER                                                                                               \
    LOST_POOL_HELD "as=; [ $(id -u) != 0 ] || as='setpriv --reuid 65534 --regid 65534 --clear-groups'; cd "            \
                   "\"$1/work\"; "
/* The server ends when it has changed a mode, if there is a file "cut". */
#define CUT_AFTER_MODE                                                                                                 \
    AS_ORDINARY_USER "echo $$ >>\"$1/pids\"; python3 \"$1/filter\" \"$1\" | "                                          \
                     "sh -c 'echo $$ >>\"$0/behind\"; exec $1 \"$2\"' \"$1\" \"$as\" \"$2\"; exit"
static const char filter[] =
    "import os, sys\n"
    "open(sys.argv[1] + '/cats', 'a').write('%d\\n' % os.getpid())\n"
    "while True:\n"
    "    head = sys.stdin.buffer.read(4)\n"
    "    body = sys.stdin.buffer.read(int.from_bytes(head, 'big'))\n"
    "    if not body: break\n"
    "    os.write(1, head + body)\n"
    "    if (body[0] == 9 or b'lsetstat@' in body[:30]) and os.path.exists(sys.argv[1] + '/cut'):\n"
    "        os.unlink(sys.argv[1] + '/cut')\n"
    "        break\n";

static void an_open_file_is_written_and_read_on(void **state)
{
    struct pool_fixture *fixture = *state;
    char buffer[16] = "";
    lost_pool_open(fixture, LOST_POOL_HELD, 0);
    struct cfs_remote_file *file = pool_fixture_file(fixture, "f", O_RDWR | O_CREAT);
    assert_int_equal(sync_write(&fixture->driver, file, 0, "abc", 3), 0);
    lost_pool_kill(fixture);
    assert_int_equal(sync_write(&fixture->driver, file, 3, "def", 3), 0);
    lost_pool_kill(fixture);
    assert_int_equal(sync_read(&fixture->driver, file, 0, buffer, sizeof(buffer)), 6);
    assert_string_equal(buffer, "abcdef");
    assert_int_equal(sync_fsync(&fixture->driver, file), 0);
    assert_int_equal(sync_close(&fixture->driver, file), 0);
    pool_fixture_check_content(fixture, "f", "abcdef");
    assert_int_equal(atomic_load(&fixture->lost), 0);
}

static void an_open_file_is_found_under_its_new_name(void **state)
{
    struct pool_fixture *fixture = *state;
    lost_pool_open(fixture, LOST_POOL_HELD, 0);
    struct cfs_remote_file *file = pool_fixture_file(fixture, "f", O_RDWR | O_CREAT);
    assert_int_equal(sync_write(&fixture->driver, file, 0, "abc", 3), 0);
    assert_int_equal(sync_rename(&fixture->driver, "f", "g", CFS_REMOTE_RENAME_REPLACE), 0);
    lost_pool_kill(fixture);
    assert_int_equal(sync_write(&fixture->driver, file, 3, "def", 3), 0);
    assert_int_equal(sync_close(&fixture->driver, file), 0);
    pool_fixture_check_content(fixture, "g", "abcdef");
}

/* A file with "abc" written to it, which is open, and which becomes CONTENT while there is no connection. */
static struct cfs_remote_file *becomes(struct pool_fixture *fixture, const char *content)
{
    lost_pool_open(fixture, LOST_POOL_HELD, 0);
    struct cfs_remote_file *file = pool_fixture_file(fixture, "f", O_RDWR | O_CREAT);
    assert_int_equal(sync_write(&fixture->driver, file, 0, "abc", 3), 0);
    lost_pool_cut(fixture);
    pool_fixture_make_file(fixture, "f", content);
    lost_pool_mend(fixture);
    return file;
}

static void another_file_in_its_place_is_not_written_to(void **state)
{
    struct pool_fixture *fixture = *state;
    struct cfs_remote_file *file = becomes(fixture, "somebody else's");
    assert_int_equal(sync_write(&fixture->driver, file, 3, "def", 3), -ESTALE);
    assert_int_equal(sync_close(&fixture->driver, file), 0);
    pool_fixture_check_content(fixture, "f", "somebody else's");
}

static void what_was_acknowledged_and_is_gone_is_told(void **state)
{
    struct pool_fixture *fixture = *state;
    struct cfs_remote_file *file = becomes(fixture, "a");
    assert_int_equal(sync_fsync(&fixture->driver, file), -ESTALE);
    assert_int_equal(sync_close(&fixture->driver, file), 0);
}

static void a_file_without_a_name_is_stale(void **state)
{
    struct pool_fixture *fixture = *state;
    lost_pool_open(fixture, LOST_POOL_HELD, 0);
    struct cfs_remote_file *file = pool_fixture_file(fixture, "f", O_RDWR | O_CREAT);
    struct cfs_remote_file *other = pool_fixture_file(fixture, "g", O_RDWR | O_CREAT);
    assert_int_equal(sync_unlink(&fixture->driver, "f"), 0);
    pool_fixture_make_file(fixture, "f", "");
    assert_int_equal(sync_rename(&fixture->driver, "f", "g", CFS_REMOTE_RENAME_REPLACE), 0);
    lost_pool_kill(fixture);
    assert_int_equal(sync_write(&fixture->driver, file, 0, "abc", 3), -ESTALE);
    assert_int_equal(sync_write(&fixture->driver, other, 0, "abc", 3), -ESTALE);
    assert_int_equal(sync_close(&fixture->driver, file), 0);
    assert_int_equal(sync_close(&fixture->driver, other), 0);
    pool_fixture_check_content(fixture, "g", "");
}

static void a_log_that_has_grown_is_read_on(void **state)
{
    struct pool_fixture *fixture = *state;
    char buffer[16] = "";
    lost_pool_open(fixture, LOST_POOL_HELD, 0);
    pool_fixture_make_file(fixture, "log", "abc");
    struct cfs_remote_file *file = pool_fixture_file(fixture, "log", O_RDONLY);
    lost_pool_cut(fixture);
    pool_fixture_make_file(fixture, "log", "abcdef");
    lost_pool_mend(fixture);
    assert_int_equal(sync_read(&fixture->driver, file, 3, buffer, sizeof(buffer)), 3);
    assert_string_equal(buffer, "def");
    assert_int_equal(sync_close(&fixture->driver, file), 0);
}

/* --- modes that forbid to open it again --- */

/* What root serves is served as somebody else, who must reach it. */
static void let_others_in(struct pool_fixture *fixture)
{
    if (system("command -v python3 >/dev/null && command -v setpriv >/dev/null") != 0)
        skip();
    if (geteuid() == 0) {
        assert_int_equal(chmod(fixture->folder, 0711), 0);
        assert_int_equal(chown(fixture->work, 65534, 65534), 0);
    }
}

static struct cfs_remote_file *open_protected(struct pool_fixture *fixture)
{
    struct cfs_remote_file *file = NULL;
    assert_int_equal(sync_open(&fixture->driver, "f", O_WRONLY | O_CREAT | O_EXCL, 0444, &file), 0);
    assert_int_equal(sync_write(&fixture->driver, file, 0, "abc", 3), 0);
    return file;
}

static void a_file_that_its_mode_protects_is_written_on(void **state)
{
    struct pool_fixture *fixture = *state;
    let_others_in(fixture);
    lost_pool_open(fixture, AS_ORDINARY_USER "echo $$ >>\"$1/pids\"; exec $as \"$2\"", 0);
    struct cfs_remote_file *file = open_protected(fixture);
    lost_pool_kill(fixture);
    assert_int_equal(sync_write(&fixture->driver, file, 3, "def", 3), 0);
    assert_int_equal(pool_fixture_mode(fixture, "f"), 0444);
    assert_int_equal(sync_close(&fixture->driver, file), 0);
    pool_fixture_check_content(fixture, "f", "abcdef");
}

static void a_mode_that_was_lent_comes_back(void **state)
{
    struct pool_fixture *fixture = *state;
    char *to_cut CFS_AUTO_FREE = scratch_path(fixture->folder, "cut");
    char *script CFS_AUTO_FREE = scratch_path(fixture->folder, "filter");
    let_others_in(fixture);
    scratch_write_text(script, filter, 0600);
    lost_pool_open(fixture, CUT_AFTER_MODE, 0);
    struct cfs_remote_file *file = open_protected(fixture);
    lost_pool_cut(fixture);
    scratch_write_text(to_cut, "", 0600);
    lost_pool_mend(fixture);
    assert_int_equal(sync_write(&fixture->driver, file, 3, "def", 3), 0);
    assert_int_not_equal(access(to_cut, F_OK), 0);
    test_wait_until(pool_fixture_mode(fixture, "f") == 0444);
    assert_int_equal(sync_close(&fixture->driver, file), 0);
    pool_fixture_check_content(fixture, "f", "abcdef");
}

/* Two writes of the same bytes, and a truncation, wait side by side. */
static void what_overlaps_keeps_its_order(void **state)
{
    struct pool_fixture *fixture = *state;
    struct sync_call calls[3];
    struct cfs_remote *remote = NULL;
    const struct cfs_remote_attributes set = {.valid = CFS_REMOTE_SIZE, .size = 2};
    lost_pool_open(fixture, LOST_POOL_HELD, 0);
    remote = fixture->driver.remote;
    struct cfs_remote_file *file = pool_fixture_file(fixture, "f", O_RDWR | O_CREAT);
    lost_pool_cut(fixture);
    for (int i = 0; i < 3; i++) {
        sync_init(&calls[i]);
        sync_begin(&calls[i]);
    }
    remote->operations->write(remote, &calls[0].call, file, 0, 6, "first.");
    remote->operations->fsetattr(remote, &calls[1].call, file, &set);
    remote->operations->write(remote, &calls[2].call, file, 1, 3, "xyz");
    for (int i = 0; i < 3; i++)
        sync_submitted(&calls[i]);
    lost_pool_mend(fixture);
    for (int i = 0; i < 3; i++) {
        assert_int_equal(sync_wait(&fixture->driver, &calls[i]), 0);
        sync_fini(&calls[i]);
    }
    assert_int_equal(sync_close(&fixture->driver, file), 0);
    pool_fixture_check_content(fixture, "f", "fxyz");
}

/* --- a server that allows fewer channels than before --- */

/* The loop's thread: channels that the server still opens. */
static unsigned channels_left;
static const struct cfs_transport_operations *usual_operations;

static int reconnect_to_one_channel(struct cfs_transport *transport, struct cfs_prompter *prompter,
                                    cfs_transport_reconnected *reconnected, void *context)
{
    channels_left = 1;
    return usual_operations->reconnect(transport, prompter, reconnected, context);
}

static struct cfs_stream *open_one_of_them(struct cfs_transport *transport, unsigned session)
{
    if (channels_left == 0)
        return NULL;
    channels_left--;
    return usual_operations->open_stream(transport, session);
}

/* The loop stands still, for as long as the test wants. */
struct pause {
    struct cfs_task task;
    sem_t has_begun, may_end;
};

static void stand_still(struct cfs_task *task)
{
    struct pause *pause = cfs_container_of(task, struct pause, task);
    sem_post(&pause->has_begun);
    sem_wait(&pause->may_end);
}

/* The first of the calls takes the file to another channel; the others were made when nobody knew of that. */
static void who_comes_together_goes_the_same_way(void **state)
{
    static struct cfs_transport_operations operations;
    struct pool_fixture *fixture = *state;
    struct pause pause = {.task.run = stand_still};
    struct sync_call calls[3];
    char buffer[16] = "";
    const struct cfs_remote_attributes set = {.valid = CFS_REMOTE_SIZE, .size = 2};
    const struct cfs_pool_options options = {
        .lanes = 2, .sessions = 1, .op_timeout_ms = TEST_LIMIT_MS / 3, .reconnects = true};
    struct cfs_transport *transport = pool_fixture_transport(fixture, LOST_POOL_HELD);
    usual_operations = transport->operations;
    operations = *usual_operations;
    operations.reconnect = reconnect_to_one_channel;
    operations.open_stream = open_one_of_them;
    transport->operations = &operations;
    channels_left = 2;
    assert_int_equal(pool_fixture_open(fixture, transport, options), 0);
    test_wait_until(pool_fixture_status(fixture).lanes == 2);
    struct cfs_remote *remote = fixture->driver.remote;
    pool_fixture_make_file(fixture, "f", "abc");
    struct cfs_remote_file *file = pool_fixture_file(fixture, "f", O_RDWR);
    lost_pool_cut(fixture);
    lost_pool_mend(fixture);
    assert_int_equal(pool_fixture_status(fixture).lanes, 1);
    sem_init(&pause.has_begun, 0, 0);
    sem_init(&pause.may_end, 0, 0);
    assert_int_equal(cfs_loop_post(usual_operations->loop(transport), &pause.task), 0);
    sem_wait(&pause.has_begun);
    for (int i = 0; i < 3; i++) {
        sync_init(&calls[i]);
        sync_begin(&calls[i]);
    }
    remote->operations->read(remote, &calls[0].call, file, 0, 3, buffer);
    remote->operations->read(remote, &calls[1].call, file, 1, 2, buffer + 8);
    remote->operations->fsetattr(remote, &calls[2].call, file, &set);
    for (int i = 0; i < 3; i++)
        sync_submitted(&calls[i]);
    sem_post(&pause.may_end);
    for (int i = 0; i < 3; i++) {
        assert_int_equal(sync_wait(&fixture->driver, &calls[i]), 0);
        sync_fini(&calls[i]);
    }
    assert_string_equal(buffer, "abc");
    assert_string_equal(buffer + 8, "bc");
    assert_int_equal(sync_close(&fixture->driver, file), 0);
    pool_fixture_check_content(fixture, "f", "ab");
    sem_destroy(&pause.has_begun);
    sem_destroy(&pause.may_end);
}

#define CHECK(function) cmocka_unit_test_setup_teardown(function, pool_fixture_make, pool_fixture_remove)

int main(void)
{
    const struct CMUnitTest tests[] = {
        CHECK(an_open_file_is_written_and_read_on),
        CHECK(an_open_file_is_found_under_its_new_name),
        CHECK(another_file_in_its_place_is_not_written_to),
        CHECK(what_was_acknowledged_and_is_gone_is_told),
        CHECK(a_file_without_a_name_is_stale),
        CHECK(a_log_that_has_grown_is_read_on),
        CHECK(a_file_that_its_mode_protects_is_written_on),
        CHECK(a_mode_that_was_lent_comes_back),
        CHECK(what_overlaps_keeps_its_order),
        CHECK(who_comes_together_goes_the_same_way),
    };
    if (!find_sftp_server()) {
        printf("skipped: there is no sftp-server here\n");
        return 77;
    }
    cmocka_set_test_filter(getenv("CLUSTERFS_TEST_FILTER"));
    return cmocka_run_group_tests(tests, NULL, NULL);
}

/* A lost connection is a pause: what was under way is done once, by the connection that follows, files stay open, and
 * who does not want to wait need not. The servers are sftp-servers that are killed, some with their answers unsent. */
#include "lib/find_sftp_server.h"
#include "lib/pool_fixture.h"
#include "lib/scratch.h"
#include "lib/test.h"
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

/* As long as there is a file "hold", no server starts. */
#define HELD "while [ -e \"$1/hold\" ]; do sleep 0.01; done; "
/* What the server answers goes through a program that can be stopped. */
#define THROUGH_CAT                                                                                                    \
    HELD "echo $$ >>\"$1/pids\"; sh -c 'echo $$ >>\"$0/behind\"; exec \"$1\"' \"$1\" \"$2\" | "                        \
         "sh -c 'echo $$ >>\"$0/cats\"; exec cat' \"$1\"; exit"

/* As somebody whom modes concern. */
#define AS_ORDINARY_USER                                                                                               \
    HELD "as=; [ $(id -u) != 0 ] || as='setpriv --reuid 65534 --regid 65534 --clear-groups'; cd \"$1/work\"; "
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

static void open_pool(struct pool_fixture *fixture, const char *before, uint32_t timeout_ms)
{
    const struct cfs_pool_options options = {
        .lanes = 2, .op_timeout_ms = TEST_LIMIT_MS, .reconnects = true, .reconnect_timeout_ms = timeout_ms};
    assert_int_equal(pool_fixture_open(fixture, pool_fixture_transport(fixture, before), options), 0);
    test_wait_until(pool_fixture_status(fixture).lanes == 2);
}

static unsigned signal_all(struct pool_fixture *fixture, const char *list, int signal)
{
    char *path CFS_AUTO_FREE = scratch_path(fixture->folder, list);
    FILE *file = fopen(path, "r");
    unsigned count = 0;
    int pid;
    while (file && fscanf(file, "%d", &pid) == 1)
        count += pool_fixture_is_below_us(pid) && kill(pid, signal) == 0;
    if (file)
        fclose(file);
    return count;
}

static void kill_servers(struct pool_fixture *fixture)
{
    (void)signal_all(fixture, "behind", SIGKILL);
    (void)signal_all(fixture, "cats", SIGKILL);
    assert_true(signal_all(fixture, "pids", SIGKILL) > 0);
}

static void hold(struct pool_fixture *fixture, bool on)
{
    char *path CFS_AUTO_FREE = scratch_path(fixture->folder, "hold");
    if (on)
        close(open(path, O_CREAT | O_WRONLY, 0600));
    else
        unlink(path);
}

/* Without a connection, and none to be had. */
static void cut(struct pool_fixture *fixture)
{
    hold(fixture, true);
    kill_servers(fixture);
    test_wait_until(pool_fixture_status(fixture).state != CFS_POOL_CONNECTED);
}

static void mend(struct pool_fixture *fixture)
{
    hold(fixture, false);
    test_wait_until(pool_fixture_status(fixture).connected);
}

static void check_content(struct pool_fixture *fixture, const char *name, const char *expected)
{
    char buffer[256] = "";
    char *path CFS_AUTO_FREE = scratch_path(fixture->work, name);
    FILE *file = fopen(path, "r");
    assert_non_null(file);
    size_t length = fread(buffer, 1, sizeof(buffer) - 1, file);
    fclose(file);
    assert_int_equal(length, strlen(expected));
    assert_string_equal(buffer, expected);
}

static void make_file(struct pool_fixture *fixture, const char *name, const char *content)
{
    char *path CFS_AUTO_FREE = scratch_path(fixture->work, name);
    FILE *file = fopen(path, "w");
    assert_non_null(file);
    assert_true(fputs(content, file) >= 0);
    assert_int_equal(fclose(file), 0);
}

static bool is_there(struct pool_fixture *fixture, const char *name)
{
    struct stat status;
    char *path CFS_AUTO_FREE = scratch_path(fixture->work, name);
    return lstat(path, &status) == 0;
}

/* --- open files --- */

static void an_open_file_is_written_and_read_on(void **state)
{
    struct pool_fixture *fixture = *state;
    char buffer[16] = "";
    open_pool(fixture, HELD, 0);
    struct cfs_remote_file *file = pool_fixture_file(fixture, "f", O_RDWR | O_CREAT);
    assert_int_equal(sync_write(&fixture->driver, file, 0, "abc", 3), 0);
    kill_servers(fixture);
    assert_int_equal(sync_write(&fixture->driver, file, 3, "def", 3), 0);
    kill_servers(fixture);
    assert_int_equal(sync_read(&fixture->driver, file, 0, buffer, sizeof(buffer)), 6);
    assert_string_equal(buffer, "abcdef");
    assert_int_equal(sync_fsync(&fixture->driver, file), 0);
    assert_int_equal(sync_close(&fixture->driver, file), 0);
    check_content(fixture, "f", "abcdef");
    assert_int_equal(atomic_load(&fixture->lost), 0);
}

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
    open_pool(fixture, THROUGH_CAT, 0);
    struct cfs_remote *remote = fixture->driver.remote;
    make_file(fixture, "f", "abc");
    assert_false(remote->operations->is_lost(remote));
    assert_true(signal_all(fixture, "cats", SIGSTOP) == 2);
    ask_impatiently(fixture, &under_way, "f");
    hold(fixture, true);
    kill_servers(fixture);
    assert_int_equal(sync_wait(&fixture->driver, &under_way), -ENOTCONN);
    test_wait_until(remote->operations->is_lost(remote));
    ask_impatiently(fixture, &later, "f");
    assert_int_equal(sync_wait(&fixture->driver, &later), -ENOTCONN);
    mend(fixture);
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
    open_pool(fixture, HELD, 0);
    make_file(fixture, "f", "abc");
    assert_int_equal(sync_lstat(&fixture->driver, "f", &same), 0);
    longer = same;
    longer.size++;
    cut(fixture);
    struct cfs_remote_file *known = open_known(fixture, "f", &same), *another = open_known(fixture, "f", &longer);
    struct cfs_remote_file *unused = open_known(fixture, "f", &same);
    assert_int_equal(sync_close(&fixture->driver, unused), 0);
    mend(fixture);
    assert_int_equal(sync_read(&fixture->driver, known, 0, buffer, sizeof(buffer)), 3);
    assert_string_equal(buffer, "abc");
    assert_int_equal(sync_read(&fixture->driver, another, 0, buffer, sizeof(buffer)), -ESTALE);
    assert_int_equal(sync_close(&fixture->driver, known), 0);
    assert_int_equal(sync_close(&fixture->driver, another), 0);
}

static void an_open_file_is_found_under_its_new_name(void **state)
{
    struct pool_fixture *fixture = *state;
    open_pool(fixture, HELD, 0);
    struct cfs_remote_file *file = pool_fixture_file(fixture, "f", O_RDWR | O_CREAT);
    assert_int_equal(sync_write(&fixture->driver, file, 0, "abc", 3), 0);
    assert_int_equal(sync_rename(&fixture->driver, "f", "g", CFS_REMOTE_RENAME_REPLACE), 0);
    kill_servers(fixture);
    assert_int_equal(sync_write(&fixture->driver, file, 3, "def", 3), 0);
    assert_int_equal(sync_close(&fixture->driver, file), 0);
    check_content(fixture, "g", "abcdef");
}

static void another_file_in_its_place_is_not_written_to(void **state)
{
    struct pool_fixture *fixture = *state;
    open_pool(fixture, HELD, 0);
    struct cfs_remote_file *file = pool_fixture_file(fixture, "f", O_RDWR | O_CREAT);
    assert_int_equal(sync_write(&fixture->driver, file, 0, "abc", 3), 0);
    cut(fixture);
    make_file(fixture, "f", "somebody else's");
    mend(fixture);
    assert_int_equal(sync_write(&fixture->driver, file, 3, "def", 3), -ESTALE);
    assert_int_equal(sync_close(&fixture->driver, file), 0);
    check_content(fixture, "f", "somebody else's");
}

static void what_was_acknowledged_and_is_gone_is_told(void **state)
{
    struct pool_fixture *fixture = *state;
    open_pool(fixture, HELD, 0);
    struct cfs_remote_file *file = pool_fixture_file(fixture, "f", O_RDWR | O_CREAT);
    assert_int_equal(sync_write(&fixture->driver, file, 0, "abc", 3), 0);
    cut(fixture);
    make_file(fixture, "f", "a");
    mend(fixture);
    assert_int_equal(sync_fsync(&fixture->driver, file), -ESTALE);
    assert_int_equal(sync_close(&fixture->driver, file), 0);
}

static void a_file_without_a_name_is_stale(void **state)
{
    struct pool_fixture *fixture = *state;
    open_pool(fixture, HELD, 0);
    struct cfs_remote_file *file = pool_fixture_file(fixture, "f", O_RDWR | O_CREAT);
    struct cfs_remote_file *other = pool_fixture_file(fixture, "g", O_RDWR | O_CREAT);
    assert_int_equal(sync_unlink(&fixture->driver, "f"), 0);
    make_file(fixture, "f", "");
    assert_int_equal(sync_rename(&fixture->driver, "f", "g", CFS_REMOTE_RENAME_REPLACE), 0);
    kill_servers(fixture);
    assert_int_equal(sync_write(&fixture->driver, file, 0, "abc", 3), -ESTALE);
    assert_int_equal(sync_write(&fixture->driver, other, 0, "abc", 3), -ESTALE);
    assert_int_equal(sync_close(&fixture->driver, file), 0);
    assert_int_equal(sync_close(&fixture->driver, other), 0);
    check_content(fixture, "g", "");
}

static void a_log_that_has_grown_is_read_on(void **state)
{
    struct pool_fixture *fixture = *state;
    char buffer[16] = "";
    open_pool(fixture, HELD, 0);
    make_file(fixture, "log", "abc");
    struct cfs_remote_file *file = pool_fixture_file(fixture, "log", O_RDONLY);
    cut(fixture);
    make_file(fixture, "log", "abcdef");
    mend(fixture);
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

static mode_t mode_of(struct pool_fixture *fixture, const char *name)
{
    struct stat status = {0};
    char *path CFS_AUTO_FREE = scratch_path(fixture->work, name);
    assert_int_equal(stat(path, &status), 0);
    return status.st_mode & 07777;
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
    open_pool(fixture, AS_ORDINARY_USER "echo $$ >>\"$1/pids\"; exec $as \"$2\"", 0);
    struct cfs_remote_file *file = open_protected(fixture);
    kill_servers(fixture);
    assert_int_equal(sync_write(&fixture->driver, file, 3, "def", 3), 0);
    assert_int_equal(mode_of(fixture, "f"), 0444);
    assert_int_equal(sync_close(&fixture->driver, file), 0);
    check_content(fixture, "f", "abcdef");
}

static void a_mode_that_was_lent_comes_back(void **state)
{
    struct pool_fixture *fixture = *state;
    char *to_cut CFS_AUTO_FREE = scratch_path(fixture->folder, "cut");
    char *script CFS_AUTO_FREE = scratch_path(fixture->folder, "filter");
    let_others_in(fixture);
    scratch_write_text(script, filter, 0600);
    open_pool(fixture, CUT_AFTER_MODE, 0);
    struct cfs_remote_file *file = open_protected(fixture);
    cut(fixture);
    scratch_write_text(to_cut, "", 0600);
    mend(fixture);
    assert_int_equal(sync_write(&fixture->driver, file, 3, "def", 3), 0);
    assert_int_not_equal(access(to_cut, F_OK), 0);
    test_wait_until(mode_of(fixture, "f") == 0444);
    assert_int_equal(sync_close(&fixture->driver, file), 0);
    check_content(fixture, "f", "abcdef");
}

/* Two writes of the same bytes, and a truncation, wait side by side. */
static void what_overlaps_keeps_its_order(void **state)
{
    struct pool_fixture *fixture = *state;
    struct sync_call calls[3];
    struct cfs_remote *remote = NULL;
    const struct cfs_remote_attributes set = {.valid = CFS_REMOTE_SIZE, .size = 2};
    open_pool(fixture, HELD, 0);
    remote = fixture->driver.remote;
    struct cfs_remote_file *file = pool_fixture_file(fixture, "f", O_RDWR | O_CREAT);
    cut(fixture);
    for (int i = 0; i < 3; i++) {
        sync_init(&calls[i]);
        sync_begin(&calls[i]);
    }
    remote->operations->write(remote, &calls[0].call, file, 0, 6, "first.");
    remote->operations->fsetattr(remote, &calls[1].call, file, &set);
    remote->operations->write(remote, &calls[2].call, file, 1, 3, "xyz");
    for (int i = 0; i < 3; i++)
        sync_submitted(&calls[i]);
    mend(fixture);
    for (int i = 0; i < 3; i++) {
        assert_int_equal(sync_wait(&fixture->driver, &calls[i]), 0);
        sync_fini(&calls[i]);
    }
    assert_int_equal(sync_close(&fixture->driver, file), 0);
    check_content(fixture, "f", "fxyz");
}

/* --- waiting --- */

static void calls_wait_for_the_connection(void **state)
{
    struct pool_fixture *fixture = *state;
    struct sync_call waits, given_up;
    struct cfs_remote_statfs space;
    open_pool(fixture, HELD, 0);
    struct cfs_remote *remote = fixture->driver.remote;
    assert_int_equal(sync_statfs(&fixture->driver, &space), 0);
    cut(fixture);
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
    mend(fixture);
    assert_int_equal(sync_wait(&fixture->driver, &waits), 0);
    assert_false(is_there(fixture, "d"));
    assert_int_equal(pool_fixture_status(fixture).reconnects, 1);
    sync_fini(&waits);
    sync_fini(&given_up);
}

static void they_do_not_wait_for_ever(void **state)
{
    struct pool_fixture *fixture = *state;
    open_pool(fixture, HELD, 200);
    struct cfs_remote_file *file = pool_fixture_file(fixture, "f", O_RDWR | O_CREAT);
    cut(fixture);
    assert_int_equal(sync_lstat(&fixture->driver, "", NULL), -ENOTCONN);
    assert_int_equal(pool_fixture_status(fixture).state, CFS_POOL_OFFLINE);
    assert_int_equal(sync_write(&fixture->driver, file, 0, "abc", 3), -ENOTCONN);
    mend(fixture);
    assert_int_equal(sync_lstat(&fixture->driver, "", NULL), 0);
    assert_int_equal(sync_write(&fixture->driver, file, 0, "def", 3), 0);
    assert_int_equal(sync_close(&fixture->driver, file), 0);
    check_content(fixture, "f", "def");
}

static void they_can_be_told_not_to_wait(void **state)
{
    struct pool_fixture *fixture = *state;
    struct sync_call call;
    open_pool(fixture, HELD, 0);
    struct cfs_remote *remote = fixture->driver.remote;
    cut(fixture);
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
    open_pool(fixture, HELD, 0);
    struct cfs_remote *remote = fixture->driver.remote;
    cut(fixture);
    sync_init(&call);
    sync_begin(&call);
    remote->operations->lstat(remote, &call.call, "");
    sync_submitted(&call);
    cfs_pool_free(remote);
    assert_int_equal(sync_wait(&fixture->driver, &call), -ENOTCONN);
    fixture->driver.remote = NULL;
    sync_fini(&call);
    hold(fixture, false);
}

static void another_work_folder_is_not_taken(void **state)
{
    struct pool_fixture *fixture = *state;
    char *elsewhere CFS_AUTO_FREE = scratch_path(fixture->folder, "elsewhere");
    char *aside CFS_AUTO_FREE = scratch_path(fixture->folder, "aside");
    open_pool(fixture, HELD, 0);
    cut(fixture);
    assert_int_equal(mkdir(elsewhere, 0700), 0);
    assert_int_equal(rename(fixture->work, aside), 0);
    assert_int_equal(symlink(elsewhere, fixture->work), 0);
    hold(fixture, false);
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
    open_pool(fixture, HELD, 0);
    for (int i = 0; i < FILES; i++) {
        snprintf(name, sizeof(name), "%d", i);
        make_file(fixture, name, "");
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
        kill_servers(fixture);
    }
    assert_int_equal(count, 0);
    assert_int_equal(sync_close_listing(&fixture->driver, listing), 0);
    for (int i = 0; i < FILES; i++)
        assert_int_equal(seen[i], 1);
}

/* --- answers that were lost --- */

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
    return is_there(fixture, "made") && !is_there(fixture, "folder") && !is_there(fixture, "file") &&
           is_there(fixture, "symlink") && is_there(fixture, "link") && is_there(fixture, "exclusive");
}

/* The server has done them; nobody has heard of it. (Of the rename it has heard the looks alone.) */
static void what_was_done_is_done_once(void **state)
{
    struct pool_fixture *fixture = *state;
    struct sync_call calls[LOST_CALLS];
    char *folder CFS_AUTO_FREE = scratch_path(fixture->work, "folder");
    open_pool(fixture, THROUGH_CAT, 0);
    assert_int_equal(mkdir(folder, 0700), 0);
    make_file(fixture, "file", "");
    make_file(fixture, "other", "abc");
    make_file(fixture, "from", "def");
    /* Both clocks are known to be the same. */
    assert_int_equal(sync_mkdir(&fixture->driver, "clock", 0755), 0);
    test_wait_until(signal_all(fixture, "cats", SIGSTOP) == 2);
    submit_changes(fixture->driver.remote, calls);
    test_wait_until(are_changes_done(fixture));
    kill_servers(fixture);
    for (int i = 0; i < LOST_CALLS; i++) {
        assert_int_equal(sync_wait(&fixture->driver, &calls[i]), 0);
        sync_fini(&calls[i]);
    }
    struct cfs_remote_file *file = calls[LOST_CALLS - 1].call.result.file;
    assert_int_equal(sync_write(&fixture->driver, file, 0, "abc", 3), 0);
    assert_int_equal(sync_close(&fixture->driver, file), 0);
    check_content(fixture, "exclusive", "abc");
    check_content(fixture, "to", "def");
    assert_false(is_there(fixture, "from"));
}

static void a_rename_that_was_done_is_followed(void **state)
{
    struct pool_fixture *fixture = *state;
    struct sync_call call;
    open_pool(fixture, THROUGH_CAT, 0);
    struct cfs_remote *remote = fixture->driver.remote;
    struct cfs_remote_file *file = pool_fixture_file(fixture, "from", O_RDWR | O_CREAT);
    test_wait_until(signal_all(fixture, "cats", SIGSTOP) == 2);
    sync_init(&call);
    sync_begin(&call);
    remote->operations->rename(remote, &call.call, "from", "to", CFS_REMOTE_RENAME_REPLACE);
    sync_submitted(&call);
    test_wait_until(is_there(fixture, "to"));
    kill_servers(fixture);
    assert_int_equal(sync_wait(&fixture->driver, &call), 0);
    sync_fini(&call);
    assert_int_equal(sync_write(&fixture->driver, file, 0, "abc", 3), 0);
    assert_int_equal(sync_close(&fixture->driver, file), 0);
    check_content(fixture, "to", "abc");
}

/* Nobody has heard that they are open; the server's umask is 077. */
static void what_was_made_has_its_mode(void **state)
{
    struct pool_fixture *fixture = *state;
    struct sync_call calls[3];
    char *old CFS_AUTO_FREE = scratch_path(fixture->work, "old");
    char *emptied CFS_AUTO_FREE = scratch_path(fixture->work, "emptied");
    const struct timespec hour_ago[] = {{.tv_sec = time(NULL) - 3600}, {.tv_sec = time(NULL) - 3600}};
    open_pool(fixture, "umask 077; " THROUGH_CAT, 0);
    struct cfs_remote *remote = fixture->driver.remote;
    scratch_write_text(old, "", 0600);
    assert_int_equal(utimensat(AT_FDCWD, old, hour_ago, 0), 0);
    scratch_write_text(emptied, "abc", 0600);
    assert_int_equal(sync_mkdir(&fixture->driver, "clock", 0755), 0);
    test_wait_until(signal_all(fixture, "cats", SIGSTOP) == 2);
    for (int i = 0; i < 3; i++) {
        sync_init(&calls[i]);
        sync_begin(&calls[i]);
    }
    remote->operations->open(remote, &calls[0].call, "old", O_RDWR | O_CREAT, 0664);
    remote->operations->open(remote, &calls[1].call, "emptied", O_RDWR | O_CREAT | O_TRUNC, 0664);
    remote->operations->open(remote, &calls[2].call, "made", O_RDWR | O_CREAT, 0664);
    for (int i = 0; i < 3; i++)
        sync_submitted(&calls[i]);
    test_wait_until(is_there(fixture, "made"));
    kill_servers(fixture);
    for (int i = 0; i < 3; i++) {
        assert_int_equal(sync_wait(&fixture->driver, &calls[i]), 0);
        assert_int_equal(sync_close(&fixture->driver, calls[i].call.result.file), 0);
        sync_fini(&calls[i]);
    }
    assert_int_equal(mode_of(fixture, "made"), 0664);
    assert_int_equal(mode_of(fixture, "old"), 0600);
    assert_int_equal(mode_of(fixture, "emptied"), 0600);
}

static void a_failure_of_somebody_elses_doing_is_told(void **state)
{
    struct pool_fixture *fixture = *state;
    struct sync_call calls[2];
    open_pool(fixture, HELD, 0);
    struct cfs_remote *remote = fixture->driver.remote;
    cut(fixture);
    for (int i = 0; i < 2; i++) {
        sync_init(&calls[i]);
        sync_begin(&calls[i]);
    }
    remote->operations->open(remote, &calls[0].call, "lock", O_RDWR | O_CREAT | O_EXCL, 0644);
    remote->operations->unlink(remote, &calls[1].call, "absent");
    sync_submitted(&calls[0]);
    sync_submitted(&calls[1]);
    make_file(fixture, "lock", "");
    mend(fixture);
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
    open_pool(fixture, THROUGH_CAT, 0);
    struct cfs_remote *remote = fixture->driver.remote;
    assert_int_equal(mkdir(folder, 0700), 0);
    scratch_write_text(file, "", 0600);
    test_wait_until(signal_all(fixture, "cats", SIGSTOP) == 2);
    sync_init(&call);
    sync_begin(&call);
    remote->operations->unlink(remote, &call.call, "folder/file");
    sync_submitted(&call);
    test_wait_until(access(file, F_OK) < 0);
    assert_int_equal(rename(folder, away), 0);
    kill_servers(fixture);
    assert_int_equal(sync_wait(&fixture->driver, &call), -ENOENT);
    sync_fini(&call);
}

static void small_files_are_put_once(void **state)
{
    struct pool_fixture *fixture = *state;
    struct sync_call call;
    const struct cfs_remote_attributes set = {.valid = CFS_REMOTE_TIMES, .atime = 1000, .mtime = 1000};
    open_pool(fixture, THROUGH_CAT, 0);
    struct cfs_remote *remote = fixture->driver.remote;
    for (int i = 0; i < 4; i++) { /* the handle is foreseen by then */
        char name[16];
        snprintf(name, sizeof(name), "p%d", i);
        assert_int_equal(sync_put(&fixture->driver, name, O_WRONLY | O_CREAT | O_EXCL, 0644, "abc", 3, &set, NULL), 0);
    }
    assert_true(signal_all(fixture, "cats", SIGSTOP) >= 2);
    sync_init(&call);
    sync_begin(&call);
    remote->operations->put(remote, &call.call, "put", O_WRONLY | O_CREAT | O_EXCL, 0644, 3, "abc", &set);
    sync_submitted(&call);
    test_wait_until(is_there(fixture, "put"));
    kill_servers(fixture);
    assert_int_equal(sync_wait(&fixture->driver, &call), 0);
    sync_fini(&call);
    check_content(fixture, "put", "abc");
    assert_int_equal(sync_put(&fixture->driver, "after", O_WRONLY | O_CREAT | O_EXCL, 0644, "abc", 3, &set, NULL), 0);
}

#define CHECK(function) cmocka_unit_test_setup_teardown(function, pool_fixture_make, pool_fixture_remove)

int main(void)
{
    const struct CMUnitTest tests[] = {
        CHECK(an_open_file_is_written_and_read_on),
        CHECK(who_would_rather_fail_does_not_wait),
        CHECK(a_known_file_is_opened_when_there_is_a_connection),
        CHECK(an_open_file_is_found_under_its_new_name),
        CHECK(another_file_in_its_place_is_not_written_to),
        CHECK(what_was_acknowledged_and_is_gone_is_told),
        CHECK(a_file_without_a_name_is_stale),
        CHECK(a_log_that_has_grown_is_read_on),
        CHECK(a_file_that_its_mode_protects_is_written_on),
        CHECK(a_mode_that_was_lent_comes_back),
        CHECK(what_overlaps_keeps_its_order),
        CHECK(calls_wait_for_the_connection),
        CHECK(they_do_not_wait_for_ever),
        CHECK(they_can_be_told_not_to_wait),
        CHECK(a_pool_that_waits_can_be_freed),
        CHECK(another_work_folder_is_not_taken),
        CHECK(a_listing_goes_on_where_it_was),
        CHECK(what_was_done_is_done_once),
        CHECK(a_rename_that_was_done_is_followed),
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

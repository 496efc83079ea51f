/* The pool over sftp-server as a child process, where things go wrong: servers that stop, die, refuse, or have a full
 * disk. */
#include "base/log.h"
#include "lib/find_sftp_server.h"
#include "lib/pool_fixture.h"
#include "lib/scratch.h"
#include "lib/test.h"
#include <fcntl.h>
#include <signal.h>
#include <sys/stat.h>
#include <unistd.h>

enum { MEBIBYTE = 1024 * 1024, SHORT_MS = 300 };

/* One session: on a machine so busy that loopback takes long, a second one would log in by itself, and lanes are
 * counted here. */
static void open_pool(struct pool_fixture *fixture, const char *before, unsigned lanes, uint32_t op_timeout_ms)
{
    const struct cfs_pool_options options = {.lanes = lanes, .sessions = 1, .op_timeout_ms = op_timeout_ms};
    assert_int_equal(pool_fixture_open(fixture, pool_fixture_transport(fixture, before), options), 0);
    if (lanes > 1) /* nobody has waited for the first data lane */
        test_wait_until(pool_fixture_status(fixture).lanes >= 2);
}

/* Sends a signal to all servers; how many there are. */
static int signal_servers(struct pool_fixture *fixture, int signal)
{
    pid_t pids[POOL_FIXTURE_SERVERS];
    int there = 0;
    for (size_t i = pool_fixture_servers(fixture, pids); i-- > 0;)
        there += kill(pids[i], signal) == 0;
    return there;
}

/* Descriptors that are open in all servers together. */
static int descriptors_of_servers(struct pool_fixture *fixture)
{
    int count = 0;
    pid_t pids[POOL_FIXTURE_SERVERS];
    for (size_t i = pool_fixture_servers(fixture, pids); i-- > 0;) {
        char path[64];
        snprintf(path, sizeof(path), "/proc/%d/fd", pids[i]);
        DIR *fds CFS_AUTO_CLOSEDIR = opendir(path);
        while (fds && readdir(fds))
            count++;
    }
    return count;
}

/* --- opening --- */

static void a_missing_work_folder_is_said_so(void **state)
{
    struct pool_fixture *fixture = *state;
    struct cfs_error error = {0};
    struct cfs_remote *remote = NULL;
    struct cfs_pool_options options = {.lanes = 2, .op_timeout_ms = TEST_LIMIT_MS, .remote_dir = "/no/such/folder"};
    assert_int_equal(cfs_pool_open(pool_fixture_transport(fixture, ""), &options, &remote, &error), -ENOENT);
    assert_null(remote);
    assert_int_equal(error.failure, CFS_FAILURE_REMOTE_PATH);
    assert_non_null(strstr(error.text, "/no/such/folder"));
}

static void a_file_is_no_work_folder(void **state)
{
    struct pool_fixture *fixture = *state;
    struct cfs_error error = {0};
    struct cfs_remote *remote = NULL;
    char *file CFS_AUTO_FREE = scratch_path(fixture->folder, "file");
    scratch_write_text(file, "", 0600);
    struct cfs_pool_options options = {.lanes = 1, .op_timeout_ms = TEST_LIMIT_MS, .remote_dir = file};
    assert_int_equal(cfs_pool_open(pool_fixture_transport(fixture, ""), &options, &remote, &error), -ENOTDIR);
    assert_int_equal(error.failure, CFS_FAILURE_REMOTE_PATH);
}

static void a_server_that_is_none_is_said_so(void **state)
{
    struct pool_fixture *fixture = *state;
    struct cfs_error error = {0};
    struct cfs_remote *remote = NULL;
    struct cfs_pool_options options = {.lanes = 3, .op_timeout_ms = TEST_LIMIT_MS};
    assert_true(cfs_pool_open(pool_fixture_transport(fixture, "echo no such account >&2; exit 3"), &options, &remote,
                              &error) < 0);
    assert_int_equal(error.failure, CFS_FAILURE_NO_SFTP);
    assert_non_null(strstr(error.text, "no such account"));
}

static void relative_and_home_folders_are_found(void **state)
{
    static const char *const names[] = {"work", "~/work", "~//work"};
    struct pool_fixture *fixture = *state;
    char *before CFS_AUTO_FREE = NULL;
    char real[4096];
    assert_true(asprintf(&before, "cd '%s'", fixture->folder) > 0);
    assert_non_null(realpath(fixture->work, real));
    for (size_t i = 0; i < CFS_COUNT(names); i++) {
        struct cfs_error error = {0};
        struct cfs_remote *remote = NULL;
        struct cfs_pool_options options = {.lanes = 1, .op_timeout_ms = TEST_LIMIT_MS, .remote_dir = names[i]};
        assert_int_equal(cfs_pool_open(pool_fixture_transport(fixture, before), &options, &remote, &error), 0);
        assert_string_equal(remote->operations->facts(remote)->root, real);
        assert_true(remote->operations->facts(remote)->login_known);
        assert_int_equal(remote->operations->facts(remote)->login_uid, geteuid());
        assert_true(S_ISDIR(remote->operations->facts(remote)->root_attributes.mode));
        cfs_pool_free(remote);
    }
}

static void a_refused_channel_is_a_learned_cap(void **state)
{
    struct pool_fixture *fixture = *state;
    /* Only three are let in. */
    open_pool(fixture,
              "mkdir \"$1/1\" 2>/dev/null || mkdir \"$1/2\" 2>/dev/null || mkdir \"$1/3\" 2>/dev/null || exit 1", 8,
              TEST_LIMIT_MS);
    test_wait_until(pool_fixture_status(fixture).lanes == 3);
    struct cfs_remote_file *file = pool_fixture_file(fixture, "f", O_WRONLY | O_CREAT);
    assert_int_equal(sync_write(&fixture->driver, file, 0, "x", 1), 0);
    assert_int_equal(sync_close(&fixture->driver, file), 0);
    assert_true(pool_fixture_status(fixture).connected);
    assert_int_equal(atomic_load(&fixture->lost), 0);
}

/* --- time --- */

static void no_answer_is_etimedout_and_no_loss(void **state)
{
    struct pool_fixture *fixture = *state;
    open_pool(fixture, "", 2, SHORT_MS);
    struct cfs_remote_file *file = NULL, *other = NULL;
    test_wait_until(sync_open(&fixture->driver, "f", O_RDWR | O_CREAT, 0644, &file) == 0);
    int before = descriptors_of_servers(fixture);
    assert_int_equal(signal_servers(fixture, SIGSTOP), 2);
    assert_int_equal(sync_lstat(&fixture->driver, "f", NULL), -ETIMEDOUT);
    assert_int_equal(sync_write(&fixture->driver, file, 0, "x", 1), -ETIMEDOUT);
    assert_int_equal(sync_open(&fixture->driver, "f", O_RDONLY, 0, &other), -ETIMEDOUT);
    assert_int_equal(pool_fixture_status(fixture).in_flight, 0);
    signal_servers(fixture, SIGCONT);
    test_wait_until(sync_lstat(&fixture->driver, "f", NULL) == 0);
    /* The handle of the open that nobody waited for is closed. */
    test_wait_until(descriptors_of_servers(fixture) == before);
    assert_true(pool_fixture_status(fixture).connected);
    (void)sync_close(&fixture->driver, file);
    assert_int_equal(pool_fixture_status(fixture).open_files, 0);
}

static void cancelled_calls_end_at_once(void **state)
{
    enum { CALLS = 3 };
    struct pool_fixture *fixture = *state;
    struct sync_call calls[CALLS];
    char buffer[16];
    open_pool(fixture, "", 2, TEST_LIMIT_MS);
    const struct cfs_remote_operations *operations = fixture->driver.remote->operations;
    struct cfs_remote_file *file = pool_fixture_file(fixture, "f", O_RDWR | O_CREAT);
    struct cfs_remote_listing *listing = NULL;
    assert_int_equal(sync_open_listing(&fixture->driver, "", &listing), 0);
    signal_servers(fixture, SIGSTOP);
    for (int i = 0; i < CALLS; i++)
        sync_init(&calls[i]);
    operations->read(fixture->driver.remote, &calls[0].call, file, 0, sizeof(buffer), buffer);
    operations->lstat(fixture->driver.remote, &calls[1].call, "f");
    operations->open(fixture->driver.remote, &calls[2].call, "g", O_RDWR | O_CREAT, 0600);
    for (int i = 0; i < CALLS; i++) {
        operations->cancel(fixture->driver.remote, &calls[i].call);
        assert_int_equal(sync_wait(&fixture->driver, &calls[i]), -EINTR);
        sync_fini(&calls[i]);
    }
    signal_servers(fixture, SIGCONT);
    assert_int_equal(sync_close_listing(&fixture->driver, listing), 0);
    assert_int_equal(sync_close(&fixture->driver, file), 0);
}

static void the_oldest_call_in_flight_is_told(void **state)
{
    struct pool_fixture *fixture = *state;
    struct sync_call sync;
    open_pool(fixture, "", 1, TEST_LIMIT_MS);
    assert_int_equal(sync_lstat(&fixture->driver, "", NULL), 0);
    assert_true(pool_fixture_status(fixture).round_trip_ms >= 0);
    signal_servers(fixture, SIGSTOP);
    sync_init(&sync);
    fixture->driver.remote->operations->lstat(fixture->driver.remote, &sync.call, "");
    test_wait_until(pool_fixture_status(fixture).oldest_ms > 20);
    assert_int_equal(pool_fixture_status(fixture).in_flight, 1);
    signal_servers(fixture, SIGCONT);
    assert_int_equal(sync_wait(&fixture->driver, &sync), 0);
    sync_fini(&sync);
    assert_true(pool_fixture_status(fixture).requests > 0 && pool_fixture_status(fixture).bytes_sent > 0);
}

/* --- loss --- */

static void a_dead_server_is_told_once_and_fails_everything(void **state)
{
    enum { CALLS = 20 };
    struct pool_fixture *fixture = *state;
    struct sync_call calls[CALLS];
    struct sync_entry *entries = NULL;
    struct cfs_remote_listing *listing = NULL;
    open_pool(fixture, "", 3, TEST_LIMIT_MS);
    const struct cfs_remote_operations *operations = fixture->driver.remote->operations;
    struct cfs_remote_file *file = pool_fixture_file(fixture, "f", O_RDWR | O_CREAT);
    assert_int_equal(sync_open_listing(&fixture->driver, "", &listing), 0);
    test_wait_until(pool_fixture_status(fixture).lanes == 3);
    signal_servers(fixture, SIGSTOP);
    for (int i = 0; i < CALLS; i++) {
        sync_init(&calls[i]);
        if (i % 2)
            operations->write(fixture->driver.remote, &calls[i].call, file, 0, 4, "data");
        else
            operations->lstat(fixture->driver.remote, &calls[i].call, "f");
    }
    signal_servers(fixture, SIGKILL);
    for (int i = 0; i < CALLS; i++) {
        assert_int_equal(sync_wait(&fixture->driver, &calls[i]), -ENOTCONN);
        sync_fini(&calls[i]);
    }
    test_wait_until(atomic_load(&fixture->lost) == 1);
    assert_false(pool_fixture_status(fixture).connected);
    assert_string_not_equal(pool_fixture_status(fixture).last_error, "");
    assert_int_equal(sync_lstat(&fixture->driver, "f", NULL), -ENOTCONN);
    ssize_t left;
    while ((left = sync_read_listing(&fixture->driver, listing, &entries)) > 0)
        free(entries); /* what had arrived before may still be handed out */
    free(entries);
    assert_true(left == 0 || left == -ENOTCONN);
    assert_int_equal(sync_close_listing(&fixture->driver, listing), -ENOTCONN);
    assert_int_equal(sync_close(&fixture->driver, file), -ENOTCONN);
    assert_int_equal(pool_fixture_status(fixture).open_files, 0);
    assert_int_equal(atomic_load(&fixture->lost), 1);
}

/* A log that takes nothing: a pipe that is full, and that nobody reads yet. */
static int stop_log(struct pool_fixture *fixture)
{
    static const char bytes[4096];
    char *path CFS_AUTO_FREE = scratch_path(fixture->folder, "log");
    assert_int_equal(mkfifo(path, 0600), 0);
    int fd = open(path, O_RDWR | O_NONBLOCK | O_CLOEXEC);
    assert_true(fd >= 0);
    assert_int_equal(cfs_log_to_file(path), 0);
    while (write(fd, bytes, sizeof(bytes)) > 0)
        ;
    return fd;
}

static void let_log_go_on(int fd)
{
    char bytes[4096];
    while (read(fd, bytes, sizeof(bytes)) > 0)
        ;
    cfs_log_to_stderr();
    close(fd);
}

static void a_loss_is_told_before_it_is_logged(void **state)
{
    struct pool_fixture *fixture = *state;
    open_pool(fixture, "", 2, TEST_LIMIT_MS);
    int fd = stop_log(fixture);
    signal_servers(fixture, SIGKILL);
    test_wait_until(!pool_fixture_status(fixture).connected);
    enum cfs_pool_state told = pool_fixture_status(fixture).state;
    let_log_go_on(fd);
    assert_int_equal(told, CFS_POOL_CLOSED);
}

static void freeing_completes_what_is_in_flight(void **state)
{
    struct pool_fixture *fixture = *state;
    struct sync_call sync;
    open_pool(fixture, "", 2, TEST_LIMIT_MS);
    signal_servers(fixture, SIGSTOP);
    sync_init(&sync);
    fixture->driver.remote->operations->lstat(fixture->driver.remote, &sync.call, "");
    cfs_pool_free(fixture->driver.remote);
    fixture->driver.remote = NULL;
    signal_servers(fixture, SIGCONT);
    assert_true(sync_is_done(&sync));
    assert_int_equal(sync.call.error, -ENOTCONN);
    assert_int_equal(atomic_load(&fixture->lost), 0);
    sync_fini(&sync);
}

/* --- lanes --- */

static void what_is_read_and_then_written_can_be_copied(void **state)
{
    enum { PAIRS = 8 };
    struct pool_fixture *fixture = *state;
    struct cfs_remote_file *from[PAIRS], *to[PAIRS];
    open_pool(fixture, "", 5, TEST_LIMIT_MS);
    test_wait_until(pool_fixture_status(fixture).lanes == 5);
    if (!(fixture->driver.remote->operations->facts(fixture->driver.remote)->capabilities & CFS_REMOTE_CAN_COPY))
        skip();
    char *source CFS_AUTO_FREE = scratch_path(fixture->work, "from");
    scratch_write_text(source, "content", 0600);
    for (int i = 0; i < PAIRS; i++) {
        char name[16];
        snprintf(name, sizeof(name), "to%d", i);
        from[i] = pool_fixture_file(fixture, "from", O_RDONLY);
        to[i] = pool_fixture_file(fixture, name, O_WRONLY | O_CREAT);
        assert_int_equal(sync_copy(&fixture->driver, from[i], 0, to[i], 0, 100), 7);
    }
    for (int i = 0; i < PAIRS; i++) {
        assert_int_equal(sync_close(&fixture->driver, from[i]), 0);
        assert_int_equal(sync_close(&fixture->driver, to[i]), 0);
    }
}

/* Bytes that are there already prove nothing: such a copy is the caller's. */
static void a_copy_that_cannot_be_proved_is_refused(void **state)
{
    struct pool_fixture *fixture = *state;
    open_pool(fixture, "", 2, TEST_LIMIT_MS);
    char *a CFS_AUTO_FREE = scratch_path(fixture->work, "a"), *b CFS_AUTO_FREE = scratch_path(fixture->work, "b");
    scratch_write_text(a, "aaaa", 0600);
    scratch_write_text(b, "bbbb", 0600);
    struct cfs_remote_file *from = pool_fixture_file(fixture, "a", O_RDONLY),
                           *to = pool_fixture_file(fixture, "b", O_RDWR);
    assert_int_equal(sync_copy(&fixture->driver, from, 0, to, 0, 4), -EOPNOTSUPP);
    assert_int_equal(sync_close(&fixture->driver, from), 0);
    assert_int_equal(sync_close(&fixture->driver, to), 0);
}

/* --- disks: tmpfs in a namespace of the server's own --- */

static bool can_mount(void)
{
    return scratch_run("unshare", "-rm", "mount", "-t", "tmpfs", "none", "/mnt", NULL) == 0;
}

/* A server whose work folder is a tmpfs with OPTIONS, and which has one lane: each server is in a namespace of its own.
 */
static void open_on_tmpfs(struct pool_fixture *fixture, const char *options, const char *then)
{
    char *before CFS_AUTO_FREE = NULL;
    if (!can_mount())
        skip();
    assert_true(
        asprintf(&before,
                 "[ \"$inside\" ] || inside=1 exec unshare -rm /bin/sh -c 'mount -t tmpfs -o %s none \"$1/work\" "
                 "&& cd \"$1/work\" && { %s; } && exec \"$2\"' sh \"$1\" \"$2\"",
                 options, then) > 0);
    open_pool(fixture, before, 1, TEST_LIMIT_MS);
}

static void a_full_disk_is_enospc(void **state)
{
    struct pool_fixture *fixture = *state;
    uint8_t *data CFS_AUTO_FREE = calloc(1, MEBIBYTE);
    assert_non_null(data);
    open_on_tmpfs(fixture, "size=256k", ":");
    struct cfs_remote_file *file = pool_fixture_file(fixture, "f", O_RDWR | O_CREAT);
    assert_int_equal(sync_write(&fixture->driver, file, 0, data, MEBIBYTE), -ENOSPC);
    assert_int_equal(sync_close(&fixture->driver, file), 0);
}

/* sftp-server says OK to a copy whose last buffer (of 64 KiB) found no room: 88 KiB are left for 100. */
static void a_copy_onto_a_full_disk_does_not_succeed(void **state)
{
    struct pool_fixture *fixture = *state;
    uint8_t *data CFS_AUTO_FREE = calloc(1, MEBIBYTE);
    assert_non_null(data);
    open_on_tmpfs(fixture, "size=256k", "head -c 68k /dev/zero > filler");
    if (!(fixture->driver.remote->operations->facts(fixture->driver.remote)->capabilities & CFS_REMOTE_CAN_COPY))
        skip();
    struct cfs_remote_file *from = pool_fixture_file(fixture, "from", O_RDWR | O_CREAT);
    struct cfs_remote_file *to = pool_fixture_file(fixture, "to", O_RDWR | O_CREAT);
    assert_int_equal(sync_write(&fixture->driver, from, 0, data, 100 * 1024), 0);
    assert_int_equal(sync_copy(&fixture->driver, from, 0, to, 0, 100 * 1024), -ENOSPC);
    assert_int_equal(sync_close(&fixture->driver, from), 0);
    assert_int_equal(sync_close(&fixture->driver, to), 0);
}

static void no_room_for_names_is_enospc(void **state)
{
    struct pool_fixture *fixture = *state;
    struct cfs_remote_file *file;
    open_on_tmpfs(fixture, "nr_inodes=3", "touch 1; touch 2");
    assert_int_equal(sync_mkdir(&fixture->driver, "folder", 0755), -ENOSPC);
    assert_int_equal(sync_symlink(&fixture->driver, "x", "link"), -ENOSPC);
    assert_int_equal(sync_open(&fixture->driver, "f", O_WRONLY | O_CREAT, 0644, &file), -ENOSPC);
    assert_int_equal(sync_open(&fixture->driver, "f", O_WRONLY | O_CREAT | O_EXCL, 0644, &file), -ENOSPC);
}

/* Requests until the pool is open, and until it has made a few things, when the FAILING-th fails (0: none). */
static void make_things(struct pool_fixture *fixture, unsigned failing, uint64_t *ret_before, uint64_t *ret_after)
{
    const char *build = getenv("top_builddir");
    struct cfs_remote_file *file = NULL;
    char *filter CFS_AUTO_FREE = NULL;
    assert_true(asprintf(&filter, "set -- \"$1\" '%s/tests/lib/old_sftp_server'\nexec \"$2\" -f %u\n",
                         build ? build : ".", failing) > 0);
    const struct cfs_pool_options options = {
        .lanes = 1, .sessions = 1, .op_timeout_ms = TEST_LIMIT_MS, .reconnects = true};
    struct cfs_transport *transport = pool_fixture_transport(fixture, failing ? filter : "");
    assert_int_equal(pool_fixture_open(fixture, transport, options), 0);
    *ret_before = pool_fixture_status(fixture).requests;
    assert_int_equal(sync_mkdir(&fixture->driver, "folder", 0755), 0);
    assert_int_equal(sync_symlink(&fixture->driver, "x", "link"), 0);
    assert_int_equal(sync_open(&fixture->driver, "f", O_WRONLY | O_CREAT | O_EXCL, 0644, &file), 0);
    assert_int_equal(sync_write(&fixture->driver, file, 0, "abc", 3), 0);
    *ret_after = pool_fixture_status(fixture).requests;
    assert_int_equal(sync_close(&fixture->driver, file), 0);
}

/* A request fails, whichever it is, and nothing explains that: what was in the way is not there any more. */
static void what_has_passed_is_not_told(void **state)
{
    uint64_t before, after, before_again, after_again;
    unsigned repeated = 0;
    make_things(*state, 0, &before, &after);
    for (unsigned i = (unsigned)before + 1; i <= after; i++) {
        struct pool_fixture *fixture;
        assert_int_equal(pool_fixture_make((void **)&fixture), 0);
        make_things(fixture, i, &before_again, &after_again);
        repeated += after_again - before_again > after - before;
        assert_int_equal(pool_fixture_remove((void **)&fixture), 0);
    }
    assert_true(repeated >= 4);
}

static void a_read_only_disk_is_erofs(void **state)
{
    struct pool_fixture *fixture = *state;
    struct cfs_remote_file *file;
    open_on_tmpfs(fixture, "size=256k", "touch f; mkdir folder; cd /; mount -o remount,bind,ro \"$1/work\"");
    assert_int_equal(sync_mkdir(&fixture->driver, "new", 0755), -EROFS);
    assert_int_equal(sync_mkdir(&fixture->driver, "folder", 0755), -EEXIST);
    assert_int_equal(sync_rmdir(&fixture->driver, "folder"), -EROFS);
    assert_int_equal(sync_unlink(&fixture->driver, "f"), -EROFS);
    assert_int_equal(sync_rename(&fixture->driver, "f", "g", CFS_REMOTE_RENAME_REPLACE), -EROFS);
    assert_int_equal(sync_open(&fixture->driver, "f", O_WRONLY, 0, &file), -EROFS);
    assert_int_equal(sync_open(&fixture->driver, "g", O_WRONLY | O_CREAT, 0644, &file), -EROFS);
}

static void another_file_system_is_exdev(void **state)
{
    struct pool_fixture *fixture = *state;
    open_on_tmpfs(fixture, "size=256k", "touch f; mkdir other; mount -t tmpfs none other");
    assert_int_equal(sync_rename(&fixture->driver, "f", "other/f", CFS_REMOTE_RENAME_REPLACE), -EXDEV);
    assert_int_equal(sync_rename(&fixture->driver, "f", "other/f", CFS_REMOTE_RENAME_NOREPLACE), -EXDEV);
    assert_int_equal(sync_link(&fixture->driver, "f", "other/f"), -EXDEV);
}

/* --- round trips --- */

/* Waits for a change; what came of it must have been told, at the price of REQUESTS. */
static struct cfs_remote_attributes told(struct pool_fixture *fixture, struct sync_call *sync, uint64_t before,
                                         uint64_t requests, bool of_folder)
{
    sync_submitted(sync);
    assert_int_equal(sync_wait(&fixture->driver, sync), 0);
    const struct cfs_remote_result *result = &sync->call.result;
    struct cfs_remote_attributes attributes = of_folder ? result->folder : result->attributes;
    sync_fini(sync);
    assert_int_equal(pool_fixture_status(fixture).requests, before + requests);
    assert_int_equal(attributes.valid, CFS_REMOTE_SIZE | CFS_REMOTE_OWNER | CFS_REMOTE_MODE | CFS_REMOTE_TIMES);
    return attributes;
}

#define TOLD(count, operation, ...) TOLD_OF(false, count, operation, __VA_ARGS__)
#define TOLD_OF(folder, count, operation, ...)                                                                         \
    __extension__({                                                                                                    \
        struct sync_call sync;                                                                                         \
        struct cfs_remote *remote = fixture->driver.remote;                                                            \
        uint64_t before = pool_fixture_status(fixture).requests;                                                       \
        sync_init(&sync);                                                                                              \
        sync_begin(&sync);                                                                                             \
        remote->operations->operation(remote, &sync.call, __VA_ARGS__);                                                \
        told(fixture, &sync, before, count, folder);                                                                   \
    })

static void a_change_tells_what_came_of_it_in_the_same_round_trip(void **state)
{
    struct pool_fixture *fixture = *state;
    const struct cfs_remote_attributes mode = {.valid = CFS_REMOTE_MODE, .mode = 0640};
    const struct cfs_remote_attributes size = {.valid = CFS_REMOTE_SIZE, .size = 1000};
    open_pool(fixture, "umask 022", 1, TEST_LIMIT_MS);
    struct cfs_remote_file *file = pool_fixture_file(fixture, "file", O_RDWR | O_CREAT);
    assert_int_equal(TOLD(2, mkdir, "folder", 0755).mode, S_IFDIR | 0755);
    assert_int_equal(TOLD(3, mkdir, "shared", 0777).mode, S_IFDIR | 0777);
    assert_int_equal(TOLD(2, symlink, "nowhere", "link").size, strlen("nowhere"));
    assert_int_equal(TOLD(2, link, "file", "other").mode, S_IFREG | 0644);
    assert_int_equal(TOLD(2, setattr, "file", S_IFREG, &mode).mode, S_IFREG | 0640);
    assert_int_equal(TOLD(2, setattr, "file", S_IFREG, &size).size, 1000);
    assert_int_equal(TOLD(2, fsetattr, file, &mode).size, 1000);
    assert_int_equal(sync_mkdir(&fixture->driver, "file", 0755), -EEXIST);
    assert_int_equal(TOLD(2, symlink, "nowhere", "shared/link").size, strlen("nowhere"));
    assert_int_equal(TOLD_OF(true, 2, unlink, "shared/link").mode, S_IFDIR | 0777);
    assert_int_equal(TOLD_OF(true, 2, rmdir, "shared").mode & S_IFMT, S_IFDIR);
    assert_int_equal(sync_close(&fixture->driver, file), 0);
}

#define CHECK(name) cmocka_unit_test_setup_teardown(name, pool_fixture_make, pool_fixture_remove)

int main(void)
{
    const struct CMUnitTest tests[] = {
        CHECK(a_missing_work_folder_is_said_so),
        CHECK(a_file_is_no_work_folder),
        CHECK(a_server_that_is_none_is_said_so),
        CHECK(relative_and_home_folders_are_found),
        CHECK(a_refused_channel_is_a_learned_cap),
        CHECK(a_change_tells_what_came_of_it_in_the_same_round_trip),
        CHECK(no_answer_is_etimedout_and_no_loss),
        CHECK(cancelled_calls_end_at_once),
        CHECK(the_oldest_call_in_flight_is_told),
        CHECK(a_dead_server_is_told_once_and_fails_everything),
        CHECK(a_loss_is_told_before_it_is_logged),
        CHECK(freeing_completes_what_is_in_flight),
        CHECK(what_is_read_and_then_written_can_be_copied),
        CHECK(a_copy_that_cannot_be_proved_is_refused),
        CHECK(a_full_disk_is_enospc),
        CHECK(a_copy_onto_a_full_disk_does_not_succeed),
        CHECK(no_room_for_names_is_enospc),
        CHECK(what_has_passed_is_not_told),
        CHECK(a_read_only_disk_is_erofs),
        CHECK(another_file_system_is_exdev),
    };
    if (!find_sftp_server()) {
        printf("skipped: there is no sftp-server here\n");
        return 77;
    }
    return cmocka_run_group_tests(tests, NULL, NULL);
}

/* Large files on several sessions: the order of calls holds, other files are never mixed in, and a session that is lost
 * or refused is no loss. Each "session" is a sftp-server of its own. */
#include "lib/find_sftp_server.h"
#include "lib/lost_pool.h"
#include "lib/pool_fixture.h"
#include "lib/remote_conformance.h"
#include "lib/scratch.h"
#include "lib/test.h"
#include <fcntl.h>
#include <signal.h>
#include <sys/stat.h>
#include <unistd.h>
#include <utime.h>

enum { MEBIBYTE = 1024 * 1024, PIECE = 64 * 1024 };

static uint32_t idle_ms;

static int open_pool_on(struct pool_fixture *fixture, struct cfs_transport *transport, unsigned sessions,
                        size_t bulk_piece)
{
    const struct cfs_pool_options options = {
        .lanes = 2, .sessions = sessions, .bulk_piece = bulk_piece, .idle_ms = idle_ms, .op_timeout_ms = TEST_LIMIT_MS};
    return pool_fixture_open(fixture, transport, options);
}

static int open_pool(struct pool_fixture *fixture, unsigned sessions, size_t bulk_piece)
{
    return open_pool_on(fixture, pool_fixture_transport(fixture, ""), sessions, bulk_piece);
}

/* Bytes that tell where they belong. */
static void fill(uint8_t *bytes, uint64_t offset, size_t length, unsigned seed)
{
    for (size_t i = 0; i < length; i += 8) {
        uint64_t value = ((offset + i) * UINT64_C(0x9e3779b97f4a7c15)) ^ seed;
        memcpy(bytes + i, &value, 8);
    }
}

/* A file on the server that was written long ago. */
static void make_file(struct pool_fixture *fixture, const char *name, size_t size, unsigned seed)
{
    char *path CFS_AUTO_FREE = scratch_path(fixture->work, name);
    uint8_t *bytes CFS_AUTO_FREE = malloc(size);
    assert_non_null(bytes);
    fill(bytes, 0, size, seed);
    FILE *file = fopen(path, "w");
    assert_non_null(file);
    assert_int_equal(fwrite(bytes, 1, size, file), size);
    assert_int_equal(fclose(file), 0);
    const struct utimbuf times = {1000000000, 1000000000};
    assert_int_equal(utime(path, &times), 0);
}

/* Counts the descriptors that all servers together have open on NAME. */
static int handles_on(struct pool_fixture *fixture, const char *name)
{
    char *wanted CFS_AUTO_FREE = scratch_path(fixture->work, name);
    pid_t pids[POOL_FIXTURE_SERVERS];
    int count = 0;
    for (size_t i = pool_fixture_servers(fixture, pids); i-- > 0;) {
        for (int fd = 3; fd < 40; fd++) {
            char link[64], target[4096];
            snprintf(link, sizeof(link), "/proc/%d/fd/%d", pids[i], fd);
            ssize_t length = readlink(link, target, sizeof(target) - 1);
            count += length == (ssize_t)strlen(wanted) && memcmp(target, wanted, (size_t)length) == 0;
        }
    }
    return count;
}

/* Reads a MiB of FILE in pieces, many at once, and compares. */
static void read_mebibyte(struct pool_fixture *fixture, struct cfs_remote_file *file, uint64_t offset, unsigned seed)
{
    enum { COUNT = MEBIBYTE / PIECE };
    static uint8_t bytes[MEBIBYTE], expected[MEBIBYTE];
    struct cfs_remote *remote = fixture->driver.remote;
    struct sync_call calls[COUNT];
    for (size_t i = 0; i < COUNT; i++) {
        sync_init(&calls[i]);
        sync_begin(&calls[i]);
        remote->operations->read(remote, &calls[i].call, file, offset + i * PIECE, PIECE, bytes + i * PIECE);
        sync_submitted(&calls[i]);
    }
    for (size_t i = 0; i < COUNT; i++) {
        assert_int_equal(sync_wait(&fixture->driver, &calls[i]), 0);
        assert_int_equal(calls[i].call.result.length, PIECE);
        sync_fini(&calls[i]);
    }
    fill(expected, offset, MEBIBYTE, seed);
    assert_memory_equal(bytes, expected, MEBIBYTE);
}

static void write_mebibyte(struct pool_fixture *fixture, struct cfs_remote_file *file, uint64_t offset, unsigned seed)
{
    enum { COUNT = MEBIBYTE / PIECE };
    static uint8_t bytes[MEBIBYTE];
    struct cfs_remote *remote = fixture->driver.remote;
    struct sync_call calls[COUNT];
    fill(bytes, offset, MEBIBYTE, seed);
    for (size_t i = 0; i < COUNT; i++) {
        sync_init(&calls[i]);
        sync_begin(&calls[i]);
        remote->operations->write(remote, &calls[i].call, file, offset + i * PIECE, PIECE, bytes + i * PIECE);
        sync_submitted(&calls[i]);
    }
    for (size_t i = 0; i < COUNT; i++) {
        assert_int_equal(sync_wait(&fixture->driver, &calls[i]), 0);
        sync_fini(&calls[i]);
    }
}

/* Moves bytes until FILE has COUNT handles on the servers. */
static void read_until_striped(struct pool_fixture *fixture, struct cfs_remote_file *file, const char *name, int count)
{
    int64_t end = cfs_clock_ms(&cfs_system_clock) + TEST_LIMIT_MS;
    while (handles_on(fixture, name) < count && cfs_clock_ms(&cfs_system_clock) < end)
        read_mebibyte(fixture, file, 0, 1);
    assert_int_equal(handles_on(fixture, name), count);
}

static void write_until_striped(struct pool_fixture *fixture, struct cfs_remote_file *file, const char *name, int count)
{
    int64_t end = cfs_clock_ms(&cfs_system_clock) + TEST_LIMIT_MS;
    while (handles_on(fixture, name) < count && cfs_clock_ms(&cfs_system_clock) < end)
        write_mebibyte(fixture, file, 0, 1);
    assert_int_equal(handles_on(fixture, name), count);
}

static void expect_content(struct pool_fixture *fixture, const char *name, size_t size, unsigned seed)
{
    char *path CFS_AUTO_FREE = scratch_path(fixture->work, name);
    uint8_t *bytes CFS_AUTO_FREE = malloc(size + 1), *expected CFS_AUTO_FREE = malloc(size);
    FILE *file = fopen(path, "r");
    assert_non_null(file);
    assert_int_equal(fread(bytes, 1, size + 1, file), size);
    fclose(file);
    fill(expected, 0, size, seed);
    assert_memory_equal(bytes, expected, size);
}

/* --- reading --- */

static void a_large_file_is_read_by_several_sessions(void **state)
{
    struct pool_fixture *fixture = *state;
    make_file(fixture, "large", 16 * MEBIBYTE, 1);
    assert_int_equal(open_pool(fixture, 3, 0), 0);
    struct cfs_remote_file *file = pool_fixture_file(fixture, "large", O_RDONLY);
    assert_true(pool_fixture_status(fixture).sessions <= 2); /* 2: a machine so slow that its own servers seem far */
    read_until_striped(fixture, file, "large", 3);
    assert_int_equal(pool_fixture_status(fixture).sessions, 3);
    assert_int_equal(pool_fixture_status(fixture).lanes, 4);
    for (unsigned i = 0; i < 16; i++)
        read_mebibyte(fixture, file, (uint64_t)i * MEBIBYTE, 1);
    assert_int_equal(sync_close(&fixture->driver, file), 0);
    test_wait_until(handles_on(fixture, "large") == 0);
}

static void reads_wait_for_the_stripes_of_a_large_file_but_not_for_long(void **state)
{
    enum { HELD_MS = 400 };
    struct pool_fixture *fixture = *state;
    pid_t pids[POOL_FIXTURE_SERVERS];
    make_file(fixture, "large", 16 * MEBIBYTE, 1);
    const struct cfs_pool_options options = {.lanes = 1, .sessions = 2, .op_timeout_ms = TEST_LIMIT_MS};
    assert_int_equal(pool_fixture_open(fixture, pool_fixture_transport(fixture, ""), options), 0);
    struct cfs_remote_file *file = pool_fixture_file(fixture, "large", O_RDONLY);
    read_until_striped(fixture, file, "large", 2);
    assert_int_equal(sync_close(&fixture->driver, file), 0);
    assert_int_equal(pool_fixture_servers(fixture, pids), 2); /* the other session's came last */
    file = pool_fixture_file(fixture, "large", O_RDONLY);
    assert_int_equal(kill(pids[1], SIGSTOP), 0); /* it does not open the stripe */
    int64_t start = cfs_clock_ms(&cfs_system_clock);
    read_mebibyte(fixture, file, 0, 1);
    int64_t took = cfs_clock_ms(&cfs_system_clock) - start;
    assert_int_equal(kill(pids[1], SIGCONT), 0);
    assert_in_range(took, HELD_MS, TEST_LIMIT_MS);
    assert_int_equal(sync_close(&fixture->driver, file), 0);
}

static const struct cfs_transport_operations *usual_operations;
static char *fixture_folder;

/* The servers of further sessions start when there is a file "go". */
static struct cfs_stream *open_held_stream(struct cfs_transport *transport, unsigned session)
{
    static char wait[] = "until [ -e \"$1/work/go\" ]; do sleep 0.01; done; echo $$ >>\"$1/pids\"; exec \"$2\"";
    struct cfs_stream *stream;
    char *server CFS_AUTO_FREE = strdup(find_sftp_server());
    char *argv[] = {(char[]){"/bin/sh"}, (char[]){"-c"}, wait, (char[]){"sh"}, fixture_folder, server, NULL};
    if (session == 0)
        return usual_operations->open_stream(transport, session);
    return cfs_stream_spawn(usual_operations->loop(transport), argv, &stream) ? NULL : stream;
}

enum { HELD_READS = 8 };

static void begin_reads(struct pool_fixture *fixture, struct cfs_remote_file *file, struct sync_call calls[HELD_READS])
{
    static uint8_t bytes[HELD_READS][PIECE];
    struct cfs_remote *remote = fixture->driver.remote;
    for (size_t i = 0; i < HELD_READS; i++) {
        sync_init(&calls[i]);
        sync_begin(&calls[i]);
        remote->operations->read(remote, &calls[i].call, file, i * PIECE, PIECE, bytes[i]);
        sync_submitted(&calls[i]);
    }
}

static bool are_done(struct sync_call calls[HELD_READS])
{
    unsigned done = 0;
    for (size_t i = 0; i < HELD_READS; i++)
        done += sync_is_done(&calls[i]);
    return done == HELD_READS;
}

static void end_reads(struct pool_fixture *fixture, struct sync_call calls[HELD_READS])
{
    for (size_t i = 0; i < HELD_READS; i++) {
        assert_int_equal(sync_wait(&fixture->driver, &calls[i]), 0);
        sync_fini(&calls[i]);
    }
}

/* As in the first moment after the mount. A file whose size is told late, on a slow machine, is no large one yet: the
 * next is. */
static void reads_wait_for_a_lane_that_is_starting(void **state)
{
    enum { FILES = 20 };
    struct pool_fixture *fixture = *state;
    struct sync_call calls[HELD_READS];
    make_file(fixture, "large", 16 * MEBIBYTE, 1);
    fixture_folder = fixture->folder;
    struct cfs_transport *transport = pool_fixture_transport(fixture, "");
    struct cfs_transport_operations operations = *transport->operations;
    usual_operations = transport->operations;
    operations.open_stream = open_held_stream;
    transport->operations = &operations;
    transport->round_trip_ms = TEST_LIMIT_MS;
    const struct cfs_pool_options options = {.lanes = 1, .sessions = 2, .op_timeout_ms = TEST_LIMIT_MS};
    assert_int_equal(pool_fixture_open(fixture, transport, options), 0);
    for (int i = 0;; i++) {
        assert_in_range(i, 0, FILES);
        struct cfs_remote_file *file = pool_fixture_file(fixture, "large", O_RDONLY);
        begin_reads(fixture, file, calls);
        for (int look = 0; look < 5; look++)
            assert_int_equal(sync_lstat(&fixture->driver, "large", NULL), 0);
        bool has_waited = !are_done(calls);
        assert_int_equal(handles_on(fixture, "large"), 1);
        if (has_waited)
            make_file(fixture, "go", 8, 1);
        end_reads(fixture, calls);
        if (has_waited)
            assert_int_equal(handles_on(fixture, "large"), 2);
        assert_int_equal(sync_close(&fixture->driver, file), 0);
        if (has_waited)
            break;
    }
    cfs_pool_free(fixture->driver.remote); /* it has the operations */
    fixture->driver.remote = NULL;
}

/* The close is on its way when the reads, which it waits for, give reason for further handles. */
static void a_file_may_be_closed_while_it_gets_stripes(void **state)
{
    enum { READS = 2, ROUNDS = 100 };
    struct pool_fixture *fixture = *state;
    static uint8_t bytes[READS][PIECE];
    struct sync_call calls[READS], closing;
    make_file(fixture, "large", 16 * MEBIBYTE, 1);
    assert_int_equal(open_pool(fixture, 3, 1), 0);
    struct cfs_remote *remote = fixture->driver.remote;
    struct cfs_remote_file *file = pool_fixture_file(fixture, "large", O_RDONLY);
    read_until_striped(fixture, file, "large", 3); /* the sessions are there */
    assert_int_equal(sync_close(&fixture->driver, file), 0);
    for (int round = 0; round < ROUNDS; round++) {
        file = pool_fixture_file(fixture, "large", O_RDONLY);
        for (size_t i = 0; i < READS; i++) {
            sync_init(&calls[i]);
            sync_begin(&calls[i]);
            remote->operations->read(remote, &calls[i].call, file, i * PIECE, PIECE, bytes[i]);
            sync_submitted(&calls[i]);
        }
        sync_init(&closing);
        sync_begin(&closing);
        remote->operations->close(remote, &closing.call, file);
        sync_submitted(&closing);
        for (size_t i = 0; i < READS; i++) {
            assert_int_equal(sync_wait(&fixture->driver, &calls[i]), 0);
            sync_fini(&calls[i]);
        }
        assert_int_equal(sync_wait(&fixture->driver, &closing), 0);
        sync_fini(&closing);
    }
    test_wait_until(handles_on(fixture, "large") == 0);
}

/* Its first read waits for another connection, and the close for the read: by then it is too late for stripes. */
static void a_file_may_be_closed_before_it_is_begun_to_be_read(void **state)
{
    static uint8_t bytes[PIECE];
    struct pool_fixture *fixture = *state;
    struct sync_call reading, closing;
    const struct cfs_pool_options options = {
        .lanes = 2, .sessions = 2, .op_timeout_ms = TEST_LIMIT_MS, .reconnects = true};
    make_file(fixture, "large", 16 * MEBIBYTE, 1);
    assert_int_equal(pool_fixture_open(fixture, pool_fixture_transport(fixture, LOST_POOL_HELD), options), 0);
    struct cfs_remote *remote = fixture->driver.remote;
    struct cfs_remote_file *file = pool_fixture_file(fixture, "large", O_RDONLY);
    lost_pool_cut(fixture);
    sync_init(&reading);
    sync_begin(&reading);
    remote->operations->read(remote, &reading.call, file, 0, PIECE, bytes);
    sync_submitted(&reading);
    sync_init(&closing);
    sync_begin(&closing);
    remote->operations->close(remote, &closing.call, file);
    sync_submitted(&closing);
    lost_pool_mend(fixture);
    assert_int_equal(sync_wait(&fixture->driver, &reading), 0);
    assert_int_equal(sync_wait(&fixture->driver, &closing), 0);
    assert_int_equal(sync_lstat(&fixture->driver, "large", NULL), 0);
    sync_fini(&reading);
    sync_fini(&closing);
}

static void small_and_random_reads_open_no_session(void **state)
{
    struct pool_fixture *fixture = *state;
    uint8_t bytes[4096];
    make_file(fixture, "large", 16 * MEBIBYTE, 1);
    assert_int_equal(open_pool(fixture, 3, 0), 0);
    struct cfs_remote_file *file = pool_fixture_file(fixture, "large", O_RDONLY);
    for (uint64_t i = 0; i < 2000; i++)
        assert_int_equal(sync_read(&fixture->driver, file, i * 7919 % 4096 * 4096, bytes, sizeof(bytes)), 4096);
    assert_int_equal(pool_fixture_status(fixture).sessions, 1);
    assert_int_equal(sync_close(&fixture->driver, file), 0);
}

/* The old one is read to its end, whatever stands in its place, of the same size and time. */
static void a_file_that_was_replaced_is_not_mixed(void **state)
{
    struct pool_fixture *fixture = *state;
    make_file(fixture, "large", 16 * MEBIBYTE, 1);
    assert_int_equal(open_pool(fixture, 3, 0), 0);
    struct cfs_remote_file *first = pool_fixture_file(fixture, "large", O_RDONLY);
    read_until_striped(fixture, first, "large", 3); /* the sessions are there */
    assert_int_equal(sync_close(&fixture->driver, first), 0);
    struct cfs_remote_file *old = pool_fixture_file(fixture, "large", O_RDONLY);
    make_file(fixture, "new", 16 * MEBIBYTE, 2);
    char *from CFS_AUTO_FREE = scratch_path(fixture->work, "new");
    char *to CFS_AUTO_FREE = scratch_path(fixture->work, "large");
    assert_int_equal(rename(from, to), 0);
    for (unsigned i = 0; i < 16; i++)
        read_mebibyte(fixture, old, (uint64_t)i * MEBIBYTE, 1);
    struct cfs_remote_file *new = pool_fixture_file(fixture, "large", O_RDONLY);
    for (unsigned i = 0; i < 16; i++)
        read_mebibyte(fixture, new, (uint64_t)i * MEBIBYTE, 2);
    assert_int_equal(sync_close(&fixture->driver, old), 0);
    assert_int_equal(sync_close(&fixture->driver, new), 0);
}

static void a_file_that_is_gone_is_read_on(void **state)
{
    struct pool_fixture *fixture = *state;
    make_file(fixture, "large", 16 * MEBIBYTE, 1);
    assert_int_equal(open_pool(fixture, 3, 0), 0);
    struct cfs_remote_file *file = pool_fixture_file(fixture, "large", O_RDONLY);
    assert_int_equal(sync_unlink(&fixture->driver, "large"), 0);
    for (unsigned i = 0; i < 16; i++)
        read_mebibyte(fixture, file, (uint64_t)i * MEBIBYTE, 1);
    assert_int_equal(sync_close(&fixture->driver, file), 0);
}

/* --- writing --- */

static void a_large_file_is_written_by_several_sessions(void **state)
{
    struct pool_fixture *fixture = *state;
    struct cfs_remote_attributes attributes;
    assert_int_equal(open_pool(fixture, 3, 0), 0);
    struct cfs_remote_file *file = pool_fixture_file(fixture, "new", O_WRONLY | O_CREAT | O_EXCL);
    write_until_striped(fixture, file, "new", 3);
    for (unsigned i = 0; i < 16; i++)
        write_mebibyte(fixture, file, (uint64_t)i * MEBIBYTE, 2);
    assert_int_equal(sync_fsync(&fixture->driver, file), 0);
    assert_int_equal(sync_fstat(&fixture->driver, file, &attributes), 0);
    assert_int_equal(attributes.size, 16 * MEBIBYTE);
    assert_int_equal(sync_close(&fixture->driver, file), 0);
    assert_int_equal(handles_on(fixture, "new"), 0); /* closed, all of them, when close says so */
    expect_content(fixture, "new", 16 * MEBIBYTE, 2);
}

/* The sessions come while it is being written: it gets a mark, an old atime, which is taken back. */
static void what_marks_a_file_is_taken_back(void **state)
{
    struct pool_fixture *fixture = *state;
    struct cfs_remote_attributes attributes;
    assert_int_equal(open_pool(fixture, 3, 0), 0);
    time_t start = time(NULL);
    struct cfs_remote_file *file = pool_fixture_file(fixture, "new", O_WRONLY | O_CREAT | O_EXCL);
    write_until_striped(fixture, file, "new", 3);
    int64_t end = cfs_clock_ms(&cfs_system_clock) + TEST_LIMIT_MS;
    do {
        write_mebibyte(fixture, file, 0, 1);
        assert_int_equal(sync_fstat(&fixture->driver, file, &attributes), 0);
    } while (attributes.atime < start && cfs_clock_ms(&cfs_system_clock) < end);
    assert_in_range(attributes.atime, start, time(NULL));
    assert_in_range(attributes.mtime, start, time(NULL));
    assert_int_equal(sync_close(&fixture->driver, file), 0);
}

static void over_distance_a_file_is_written_by_several_channels(void **state)
{
    struct pool_fixture *fixture = *state;
    struct cfs_transport *transport = pool_fixture_transport(fixture, "");
    const struct cfs_pool_options options = {.lanes = 4, .sessions = 1, .op_timeout_ms = TEST_LIMIT_MS};
    transport->round_trip_ms = INT32_MAX;
    assert_int_equal(pool_fixture_open(fixture, transport, options), 0);
    test_wait_until(pool_fixture_status(fixture).lanes == 4);
    struct cfs_remote_file *file = pool_fixture_file(fixture, "new", O_WRONLY | O_CREAT);
    write_until_striped(fixture, file, "new", 3); /* lane 0 is for names */
    for (unsigned i = 0; i < 4; i++)
        write_mebibyte(fixture, file, (uint64_t)i * MEBIBYTE, 2);
    assert_int_equal(sync_close(&fixture->driver, file), 0);
    expect_content(fixture, "new", 4 * MEBIBYTE, 2);
    make_file(fixture, "large", 16 * MEBIBYTE, 1);
    file = pool_fixture_file(fixture, "large", O_RDONLY);
    for (unsigned i = 0; i < 16; i++)
        read_mebibyte(fixture, file, (uint64_t)i * MEBIBYTE, 1);
    assert_int_equal(handles_on(fixture, "large"), 1);
    assert_int_equal(sync_close(&fixture->driver, file), 0);
}

/* What is written by path must not go into the file that took the name. */
/* A pool with two sessions that are up. */
static void open_with_two_sessions(struct pool_fixture *fixture)
{
    make_file(fixture, "known", 16 * MEBIBYTE, 1);
    assert_int_equal(open_pool(fixture, 2, 0), 0);
    struct cfs_remote_file *file = pool_fixture_file(fixture, "known", O_RDONLY);
    read_until_striped(fixture, file, "known", 2);
    assert_int_equal(sync_close(&fixture->driver, file), 0);
}

static void a_new_file_is_striped_before_its_first_write(void **state)
{
    enum { TRIES = 50 }; /* on a busy machine the writes may come too slowly to be much */
    struct pool_fixture *fixture = *state;
    struct cfs_remote_attributes attributes;
    open_with_two_sessions(fixture);
    int handles = 1;
    for (int i = 0; i < TRIES && handles < 2; i++) {
        char name[16];
        snprintf(name, sizeof(name), "new%d", i);
        time_t start = time(NULL);
        struct cfs_remote_file *file = pool_fixture_file(fixture, name, O_WRONLY | O_CREAT | O_EXCL);
        write_mebibyte(fixture, file, 0, 2);
        handles = handles_on(fixture, name);
        assert_int_equal(sync_fstat(&fixture->driver, file, &attributes), 0);
        assert_in_range(attributes.mtime, start, time(NULL));
        assert_int_equal(sync_close(&fixture->driver, file), 0);
        expect_content(fixture, name, MEBIBYTE, 2);
    }
    assert_int_equal(handles, 2);
}

static void a_little_file_gets_no_stripes_and_no_other_time(void **state)
{
    struct pool_fixture *fixture = *state;
    static uint8_t bytes[2 * PIECE];
    struct cfs_remote_attributes attributes;
    open_with_two_sessions(fixture);
    time_t start = time(NULL);
    struct cfs_remote_file *file = pool_fixture_file(fixture, "new", O_WRONLY | O_CREAT | O_EXCL);
    assert_int_equal(sync_write(&fixture->driver, file, 0, bytes, sizeof(bytes)), 0);
    assert_int_equal(handles_on(fixture, "new"), 1);
    assert_int_equal(sync_fstat(&fixture->driver, file, &attributes), 0);
    assert_in_range(attributes.mtime, start, time(NULL));
    assert_int_equal(sync_close(&fixture->driver, file), 0);
}

/* As empty, and made in the same second. */
static void an_empty_file_in_its_place_is_not_written_to(void **state)
{
    struct pool_fixture *fixture = *state;
    char *path CFS_AUTO_FREE = scratch_path(fixture->work, "file");
    char *renamed CFS_AUTO_FREE = scratch_path(fixture->work, "renamed");
    open_with_two_sessions(fixture);
    for (int i = 0; i < 10; i++) {
        struct cfs_remote_file *file = pool_fixture_file(fixture, "file", O_WRONLY | O_CREAT);
        assert_int_equal(rename(path, renamed), 0);
        FILE *other = fopen(path, "w");
        assert_non_null(other);
        assert_int_equal(fclose(other), 0);
        write_mebibyte(fixture, file, 0, 2);
        assert_int_equal(sync_close(&fixture->driver, file), 0);
        expect_content(fixture, "renamed", MEBIBYTE, 2);
        expect_content(fixture, "file", 0, 0);
        assert_int_equal(unlink(path), 0);
    }
}

static void a_file_that_was_replaced_is_not_written_to(void **state)
{
    struct pool_fixture *fixture = *state;
    char *path CFS_AUTO_FREE = scratch_path(fixture->work, "file");
    assert_int_equal(open_pool(fixture, 3, 0), 0);
    struct cfs_remote_file *first = pool_fixture_file(fixture, "other", O_WRONLY | O_CREAT);
    write_until_striped(fixture, first, "other", 3);
    assert_int_equal(sync_close(&fixture->driver, first), 0);
    struct cfs_remote_file *file = pool_fixture_file(fixture, "file", O_WRONLY | O_CREAT);
    assert_int_equal(unlink(path), 0);
    make_file(fixture, "file", MEBIBYTE, 7);
    for (unsigned i = 0; i < 16; i++)
        write_mebibyte(fixture, file, (uint64_t)i * MEBIBYTE, 2);
    assert_int_equal(sync_close(&fixture->driver, file), 0);
    expect_content(fixture, "file", MEBIBYTE, 7);
}

/* Calls that overlap take effect in the order in which they were submitted, none waited for. */
static void what_overlaps_keeps_its_order(void **state)
{
    enum { CALLS = 300, SIZE = 4 * PIECE };
    struct pool_fixture *fixture = *state;
    struct cfs_remote_file *file;
    static uint8_t model[SIZE], bytes[CALLS][SIZE], wanted[CALLS][SIZE];
    static size_t lengths[CALLS];
    struct sync_call *calls CFS_AUTO_FREE = calloc(CALLS, sizeof(*calls));
    assert_int_equal(open_pool(fixture, 4, 1), 0);
    struct cfs_remote *remote = fixture->driver.remote;
    file = pool_fixture_file(fixture, "file", O_RDWR | O_CREAT);
    write_until_striped(fixture, file, "file", 4);
    write_mebibyte(fixture, file, 0, 1);
    fill(model, 0, SIZE, 1);
    srand(42);
    for (size_t i = 0; i < CALLS; i++) {
        size_t offset = (size_t)rand() % SIZE, length = (size_t)rand() % (SIZE - offset) + 1;
        sync_init(&calls[i]);
        sync_begin(&calls[i]);
        lengths[i] = rand() % 2 ? length : 0;
        if (lengths[i]) {
            memcpy(wanted[i], model + offset, length);
            remote->operations->read(remote, &calls[i].call, file, offset, length, bytes[i]);
        } else {
            memset(model + offset, (int)i, length);
            remote->operations->write(remote, &calls[i].call, file, offset, length, model + offset);
        }
        sync_submitted(&calls[i]);
    }
    for (size_t i = 0; i < CALLS; i++) {
        assert_int_equal(sync_wait(&fixture->driver, &calls[i]), 0);
        assert_memory_equal(bytes[i], wanted[i], lengths[i]);
        sync_fini(&calls[i]);
    }
    assert_int_equal(sync_close(&fixture->driver, file), 0);
}

/* Writes, a look, a truncation, a look, a write, a look: none waited for. */
static void what_concerns_the_whole_file_keeps_its_order(void **state)
{
    enum { WRITES = 32, ROUNDS = 10, CALLS = WRITES + 5 };
    struct pool_fixture *fixture = *state;
    static uint8_t bytes[PIECE];
    assert_int_equal(open_pool(fixture, 4, 0), 0);
    struct cfs_remote *remote = fixture->driver.remote;
    struct cfs_remote_file *file = pool_fixture_file(fixture, "file", O_RDWR | O_CREAT);
    write_until_striped(fixture, file, "file", 4);
    for (uint64_t round = 1; round <= ROUNDS; round++) {
        const struct cfs_remote_attributes cut = {.valid = CFS_REMOTE_SIZE, .size = round};
        struct sync_call calls[CALLS];
        uint64_t end = (4 + round) * MEBIBYTE;
        for (size_t i = 0; i < CALLS; i++) {
            sync_init(&calls[i]);
            sync_begin(&calls[i]);
            if (i < WRITES)
                remote->operations->write(remote, &calls[i].call, file, end - (i + 1) * PIECE, PIECE, bytes);
            else if (i == WRITES + 1)
                remote->operations->fsetattr(remote, &calls[i].call, file, &cut);
            else if (i == WRITES + 3)
                remote->operations->write(remote, &calls[i].call, file, PIECE, PIECE, bytes);
            else
                remote->operations->fstat(remote, &calls[i].call, file);
            sync_submitted(&calls[i]);
        }
        for (size_t i = 0; i < CALLS; i++)
            assert_int_equal(sync_wait(&fixture->driver, &calls[i]), 0);
        assert_int_equal(calls[WRITES].call.result.attributes.size, end);
        assert_int_equal(calls[WRITES + 2].call.result.attributes.size, round);
        assert_int_equal(calls[WRITES + 4].call.result.attributes.size, 2 * PIECE);
        for (size_t i = 0; i < CALLS; i++)
            sync_fini(&calls[i]);
    }
    assert_int_equal(sync_fsync(&fixture->driver, file), 0);
    assert_int_equal(sync_close(&fixture->driver, file), 0);
}

/* --- sessions that go, or do not come --- */

/* Kills the server that was started last. */
static void kill_last(struct pool_fixture *fixture)
{
    pid_t pids[POOL_FIXTURE_SERVERS];
    size_t count = pool_fixture_servers(fixture, pids);
    assert_true(count > 0);
    assert_int_equal(kill(pids[count - 1], SIGKILL), 0);
}

static void a_session_that_is_lost_loses_nothing(void **state)
{
    enum { COUNT = 64, TOTAL = COUNT * PIECE };
    struct pool_fixture *fixture = *state;
    static uint8_t bytes[TOTAL];
    struct sync_call calls[COUNT];
    assert_int_equal(open_pool(fixture, 3, 0), 0);
    struct cfs_remote *remote = fixture->driver.remote;
    struct cfs_remote_file *file = pool_fixture_file(fixture, "file", O_RDWR | O_CREAT);
    write_until_striped(fixture, file, "file", 3);
    fill(bytes, 0, TOTAL, 3);
    for (size_t i = 0; i < COUNT; i++) {
        sync_init(&calls[i]);
        sync_begin(&calls[i]);
        remote->operations->write(remote, &calls[i].call, file, i * PIECE, PIECE, bytes + i * PIECE);
        sync_submitted(&calls[i]);
        if (i == COUNT / 2)
            kill_last(fixture);
    }
    for (size_t i = 0; i < COUNT; i++) {
        assert_int_equal(sync_wait(&fixture->driver, &calls[i]), 0);
        sync_fini(&calls[i]);
    }
    for (unsigned i = 0; i < 4; i++)
        read_mebibyte(fixture, file, (uint64_t)i * MEBIBYTE, 3);
    test_wait_until(pool_fixture_status(fixture).sessions == 2);
    assert_true(pool_fixture_status(fixture).connected);
    assert_int_equal(sync_close(&fixture->driver, file), 0);
    expect_content(fixture, "file", TOTAL, 3);
    assert_int_equal(atomic_load(&fixture->lost), 0);
}

static void a_session_without_work_is_closed_and_comes_again(void **state)
{
    struct pool_fixture *fixture = *state;
    idle_ms = 100;
    make_file(fixture, "large", 16 * MEBIBYTE, 1);
    assert_int_equal(open_pool(fixture, 3, 0), 0);
    idle_ms = 0;
    for (int i = 0; i < 2; i++) {
        struct cfs_remote_file *file = pool_fixture_file(fixture, "large", O_RDONLY);
        read_until_striped(fixture, file, "large", 3);
        read_mebibyte(fixture, file, 0, 1);
        assert_int_equal(sync_close(&fixture->driver, file), 0);
        test_wait_until(pool_fixture_status(fixture).sessions == 1);
        assert_int_equal(pool_fixture_status(fixture).lanes, 2);
    }
    assert_true(pool_fixture_status(fixture).connected);
}

/* A transport that adds no session: at once, or after a while. */
static struct cfs_transport_operations stubborn;
static atomic_int asked;

static int refuse(struct cfs_transport *transport, cfs_transport_added *added, void *context)
{
    (void)transport;
    (void)added;
    (void)context;
    atomic_fetch_add(&asked, 1);
    return -EPERM;
}

static void a_session_that_is_refused_is_asked_for_once(void **state)
{
    struct pool_fixture *fixture = *state;
    struct cfs_transport *transport = pool_fixture_transport(fixture, "");
    stubborn = *transport->operations;
    stubborn.add_session = refuse;
    transport->operations = &stubborn;
    atomic_store(&asked, 0);
    make_file(fixture, "large", 16 * MEBIBYTE, 1);
    assert_int_equal(open_pool_on(fixture, transport, 3, 0), 0);
    struct cfs_remote_file *file = pool_fixture_file(fixture, "large", O_RDONLY);
    for (unsigned i = 0; i < 16; i++)
        read_mebibyte(fixture, file, (uint64_t)i * MEBIBYTE, 1);
    assert_int_equal(atomic_load(&asked), 1);
    assert_int_equal(pool_fixture_status(fixture).sessions, 1);
    assert_int_equal(sync_close(&fixture->driver, file), 0);
}

/* --- the contract --- */

static int setup_conformance(void **state)
{
    int result = pool_fixture_make(state);
    return result ? result : open_pool(*state, 4, 1);
}

#define CHECK(function) cmocka_unit_test_setup_teardown(function, pool_fixture_make, pool_fixture_remove)

int main(void)
{
    const struct CMUnitTest tests[] = {
        CHECK(a_large_file_is_read_by_several_sessions),
        CHECK(reads_wait_for_the_stripes_of_a_large_file_but_not_for_long),
        CHECK(reads_wait_for_a_lane_that_is_starting),
        CHECK(a_file_may_be_closed_while_it_gets_stripes),
        CHECK(a_file_may_be_closed_before_it_is_begun_to_be_read),
        CHECK(small_and_random_reads_open_no_session),
        CHECK(a_file_that_was_replaced_is_not_mixed),
        CHECK(a_file_that_is_gone_is_read_on),
        CHECK(a_large_file_is_written_by_several_sessions),
        CHECK(what_marks_a_file_is_taken_back),
        CHECK(over_distance_a_file_is_written_by_several_channels),
        CHECK(a_new_file_is_striped_before_its_first_write),
        CHECK(a_little_file_gets_no_stripes_and_no_other_time),
        CHECK(an_empty_file_in_its_place_is_not_written_to),
        CHECK(a_file_that_was_replaced_is_not_written_to),
        CHECK(what_overlaps_keeps_its_order),
        CHECK(what_concerns_the_whole_file_keeps_its_order),
        CHECK(a_session_that_is_lost_loses_nothing),
        CHECK(a_session_that_is_refused_is_asked_for_once),
        CHECK(a_session_without_work_is_closed_and_comes_again),
    };
    if (!find_sftp_server())
        return 77;
    int failures = cmocka_run_group_tests_name("stripes", tests, NULL, NULL);
    return failures + remote_conformance("striped from the first byte", setup_conformance, pool_fixture_remove);
}

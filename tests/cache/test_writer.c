/* Writing behind: what is coalesced, who waits for what, the budget, and that errors are told truly and once. */
#include "lib/test.h"

#include "lib/contents_fixture.h"
#include <fcntl.h>
#include <stdlib.h>
#include <sys/stat.h>

enum { K = 1024, M = 1024 * 1024 };

static uint64_t writes(const struct contents_fixture *fixture)
{
    return memory_remote_count(fixture->memory, MEMORY_WRITE);
}

/* Submits a write and lets the contents answer, without the remote; true if it has completed. */
static bool write_now(struct contents_fixture *fixture, struct sync_call *sync, struct cfs_remote_file *file,
                      uint64_t offset, const void *data, size_t length)
{
    sync_init(sync);
    sync_begin(sync);
    fixture->contents->operations->write(fixture->contents, &sync->call, file, offset, length, data);
    sync_submitted(sync);
    contents_turn(fixture);
    return sync_is_done(sync);
}

static void write_behind(struct contents_fixture *fixture, struct cfs_remote_file *file, uint64_t offset,
                         const void *data, size_t length)
{
    struct sync_call sync;
    assert_true(write_now(fixture, &sync, file, offset, data, length));
    assert_int_equal(sync.call.error, 0);
    sync_fini(&sync);
}

static void expect_server(struct contents_fixture *fixture, const char *path, const char *text)
{
    char bytes[64];
    ssize_t length = memory_remote_peek(fixture->memory, path, 0, bytes, sizeof(bytes));
    assert_int_equal(length, strlen(text));
    assert_memory_equal(bytes, text, strlen(text));
}

static void test_small_writes_complete_at_once_and_are_coalesced(void **state)
{
    struct memory_remote_options memory = {.latency_ms = 40};
    struct contents_fixture fixture;
    uint8_t *data CFS_AUTO_FREE = calloc(1, 4 * K);
    assert_non_null(data);
    contents_fixture_init(&fixture, &memory, NULL);
    struct cfs_remote_file *file = contents_open(&fixture, "file", O_WRONLY | O_CREAT);
    for (uint64_t i = 0; i < 256; i++)
        write_behind(&fixture, file, i * 4 * K, data, 4 * K);
    assert_int_equal(sync_flush(&fixture.driver, file), 0);
    /* The first goes at once, the rest by WRITEs of full size. */
    assert_in_range(writes(&fixture), 5, 7);
    assert_int_equal(memory_remote_bytes_written(fixture.memory), M);
    assert_int_equal(sync_close(&fixture.driver, file), 0);
    contents_fixture_fini(&fixture);
}

static void test_a_slow_writer_waits_for_no_timer(void **state)
{
    struct contents_fixture fixture;
    contents_fixture_init(&fixture, NULL, NULL);
    struct cfs_remote_file *file = contents_open(&fixture, "log", O_WRONLY | O_CREAT);
    write_behind(&fixture, file, 0, "line\n", 5);
    contents_run(&fixture);
    expect_server(&fixture, "log", "line\n");
    write_behind(&fixture, file, 5, "and\n", 4);
    contents_run(&fixture);
    expect_server(&fixture, "log", "line\nand\n");
    assert_int_equal(sync_close(&fixture.driver, file), 0);
    contents_fixture_fini(&fixture);
}

static void test_reads_and_attributes_see_what_is_not_yet_written(void **state)
{
    struct contents_fixture fixture;
    struct cfs_remote_attributes attributes;
    struct cfs_remote_listing *listing;
    struct sync_entry *entries;
    char bytes[16];
    contents_fixture_init(&fixture, NULL, NULL);
    memory_remote_poke_file(fixture.memory, "file", "0123456789", 10);
    struct cfs_remote_file *file = contents_open(&fixture, "file", O_RDWR);
    struct cfs_remote_file *other = contents_open(&fixture, "file", O_RDONLY);
    memory_remote_hold(fixture.memory, MEMORY_WRITE);
    write_behind(&fixture, file, 8, "abcd", 4);
    assert_int_equal(sync_read(&fixture.driver, other, 0, bytes, sizeof(bytes)), 12);
    assert_memory_equal(bytes, "01234567abcd", 12);
    assert_int_equal(sync_lstat(&fixture.driver, "file", &attributes), 0);
    assert_int_equal(attributes.size, 12);
    assert_int_equal(sync_fstat(&fixture.driver, other, &attributes), 0);
    assert_int_equal(attributes.size, 12);
    assert_int_equal(sync_open_listing(&fixture.driver, "", &listing), 0);
    assert_int_equal(sync_read_listing(&fixture.driver, listing, &entries), 1);
    assert_int_equal(entries[0].attributes.size, 12);
    free(entries);
    assert_int_equal(sync_close_listing(&fixture.driver, listing), 0);
    expect_server(&fixture, "file", "0123456789");
    memory_remote_release(fixture.memory, MEMORY_WRITE);
    assert_int_equal(sync_close(&fixture.driver, file), 0);
    expect_server(&fixture, "file", "01234567abcd");
    assert_int_equal(sync_close(&fixture.driver, other), 0);
    contents_fixture_fini(&fixture);
}

static void test_flush_fsync_and_close_wait_for_the_server(void **state)
{
    struct contents_fixture fixture;
    struct sync_call call;
    contents_fixture_init(&fixture, NULL, NULL);
    const struct cfs_remote_operations *operations = fixture.contents->operations;
    for (int i = 0; i < 3; i++) {
        struct cfs_remote_file *file = contents_open(&fixture, "file", O_WRONLY | O_CREAT | O_TRUNC);
        memory_remote_hold(fixture.memory, MEMORY_WRITE);
        write_behind(&fixture, file, 0, "data", 4);
        sync_init(&call);
        if (i == 0)
            operations->flush(fixture.contents, &call.call, file);
        else if (i == 1)
            operations->fsync(fixture.contents, &call.call, file);
        else
            operations->close(fixture.contents, &call.call, file);
        contents_run(&fixture);
        assert_false(sync_is_done(&call));
        memory_remote_release(fixture.memory, MEMORY_WRITE);
        assert_int_equal(sync_wait(&fixture.driver, &call), 0);
        expect_server(&fixture, "file", "data");
        sync_fini(&call);
        if (i < 2)
            assert_int_equal(sync_close(&fixture.driver, file), 0);
    }
    contents_fixture_fini(&fixture);
}

static void test_a_write_beyond_the_budget_waits_for_room(void **state)
{
    struct cfs_cache_options cache = {.cache_size = M, .dirty_limit = 512 * K};
    struct contents_fixture fixture;
    struct sync_call first, second, third;
    uint8_t *data CFS_AUTO_FREE = calloc(1, 400 * K);
    assert_non_null(data);
    contents_fixture_init(&fixture, NULL, &cache);
    struct cfs_remote_file *one = contents_open(&fixture, "one", O_WRONLY | O_CREAT);
    struct cfs_remote_file *two = contents_open(&fixture, "two", O_WRONLY | O_CREAT);
    memory_remote_hold(fixture.memory, MEMORY_WRITE);
    assert_true(write_now(&fixture, &first, one, 0, data, 400 * K));
    assert_false(write_now(&fixture, &second, two, 0, data, 400 * K));
    memset(data, 'x', 400 * K); /* it must have been copied */
    assert_false(write_now(&fixture, &third, one, 400 * K, data, 400 * K));
    fixture.contents->operations->cancel(fixture.contents, &third.call);
    contents_turn(&fixture);
    assert_true(sync_is_done(&third));
    assert_int_equal(third.call.error, -EINTR);
    assert_true(contents_status(&fixture).dirty_bytes <= 512 * K);
    memory_remote_release(fixture.memory, MEMORY_WRITE);
    assert_int_equal(sync_wait(&fixture.driver, &second), 0);
    sync_fini(&first);
    sync_fini(&second);
    sync_fini(&third);
    assert_int_equal(sync_close(&fixture.driver, one), 0);
    assert_int_equal(sync_close(&fixture.driver, two), 0);
    assert_int_equal(memory_remote_peek(fixture.memory, "two", 0, data, 400 * K), 400 * K);
    assert_int_equal(data[0], 0);
    assert_int_equal(data[400 * K - 1], 0);
    assert_int_equal(memory_remote_peek(fixture.memory, "one", 0, data, 400 * K), 400 * K);
    contents_fixture_fini(&fixture);
}

static void test_an_error_is_told_once_to_each_file_and_by_whatever_asks_first(void **state)
{
    struct contents_fixture fixture;
    char bytes[16];
    contents_fixture_init(&fixture, NULL, NULL);
    memory_remote_poke_file(fixture.memory, "file", "0123456789", 10);
    struct cfs_remote_file *one = contents_open(&fixture, "file", O_RDWR);
    struct cfs_remote_file *two = contents_open(&fixture, "file", O_RDWR);
    memory_remote_fail(fixture.memory, MEMORY_WRITE, 1, -ENOSPC);
    write_behind(&fixture, one, 5, "abcdefgh", 8);
    contents_run(&fixture);
    /* Later writes fail, and do not count as telling. */
    assert_int_equal(sync_write(&fixture.driver, one, 0, "x", 1), -ENOSPC);
    assert_int_equal(sync_fsync(&fixture.driver, one), -ENOSPC);
    assert_int_equal(sync_fsync(&fixture.driver, one), 0);
    assert_int_equal(sync_flush(&fixture.driver, one), 0);
    assert_int_equal(sync_close(&fixture.driver, two), -ENOSPC);
    /* What is read now is what the server has. */
    assert_int_equal(sync_read(&fixture.driver, one, 0, bytes, sizeof(bytes)), 10);
    assert_memory_equal(bytes, "0123456789", 10);
    assert_int_equal(sync_write(&fixture.driver, one, 0, "x", 1), 0);
    assert_int_equal(sync_close(&fixture.driver, one), 0);
    expect_server(&fixture, "file", "x123456789");
    struct cfs_remote_file *later = contents_open(&fixture, "file", O_RDWR);
    assert_int_equal(sync_close(&fixture.driver, later), 0);
    contents_fixture_fini(&fixture);
}

static void test_a_full_disk_is_told_by_close(void **state)
{
    struct contents_fixture fixture;
    uint8_t *data CFS_AUTO_FREE = calloc(1, M);
    assert_non_null(data);
    contents_fixture_init(&fixture, NULL, NULL);
    struct cfs_remote_file *file = contents_open(&fixture, "file", O_WRONLY | O_CREAT);
    memory_remote_fail_all(fixture.memory, MEMORY_WRITE, -EDQUOT);
    write_behind(&fixture, file, 0, data, M);
    assert_int_equal(sync_close(&fixture.driver, file), -EDQUOT);
    memory_remote_fail_all(fixture.memory, MEMORY_WRITE, 0);
    contents_fixture_fini(&fixture);
}

static void test_a_lost_connection_ends_all_and_loses_no_error(void **state)
{
    enum { FILES = 5 };
    struct memory_remote_options memory = {.latency_ms = 40};
    struct contents_fixture fixture;
    struct cfs_remote_file *files[FILES];
    contents_fixture_init(&fixture, &memory, NULL);
    for (int i = 0; i < FILES; i++) {
        char name[8] = {(char)('a' + i)};
        files[i] = contents_open(&fixture, name, O_RDWR | O_CREAT);
    }
    for (int i = 0; i < FILES; i++) {
        write_behind(&fixture, files[i], 0, "data", 4);
        write_behind(&fixture, files[i], 100 * K, "data", 4);
    }
    memory_remote_disconnect(fixture.memory);
    for (int i = 0; i < FILES; i++)
        assert_int_equal(i % 2 ? sync_flush(&fixture.driver, files[i]) : sync_fsync(&fixture.driver, files[i]),
                         -ENOTCONN);
    for (int i = 0; i < FILES; i++) {
        char byte;
        assert_true(sync_read(&fixture.driver, files[i], 0, &byte, 1) < 0);
        (void)sync_close(&fixture.driver, files[i]);
    }
    memory_remote_reconnect(fixture.memory);
    contents_fixture_fini(&fixture);
}

static void test_what_changes_the_file_waits_for_what_was_written(void **state)
{
    struct contents_fixture fixture;
    struct sync_call call;
    struct cfs_remote_attributes times = {.valid = CFS_REMOTE_TIMES, .atime = 5, .mtime = 6}, got;
    contents_fixture_init(&fixture, NULL, NULL);
    struct cfs_remote_file *file = contents_open(&fixture, "file", O_WRONLY | O_CREAT);
    memory_remote_hold(fixture.memory, MEMORY_WRITE);
    write_behind(&fixture, file, 0, "data", 4);
    sync_init(&call);
    fixture.contents->operations->setattr(fixture.contents, &call.call, "file", S_IFREG, &times);
    contents_run(&fixture);
    assert_int_equal(memory_remote_count(fixture.memory, MEMORY_SETATTR), 0);
    memory_remote_release(fixture.memory, MEMORY_WRITE);
    assert_int_equal(sync_wait(&fixture.driver, &call), 0);
    sync_fini(&call);
    assert_int_equal(sync_lstat(&fixture.driver, "file", &got), 0);
    assert_int_equal(got.mtime, 6); /* not that of the write */
    memory_remote_hold(fixture.memory, MEMORY_WRITE);
    write_behind(&fixture, file, 0, "DATA", 4);
    sync_init(&call);
    fixture.contents->operations->rename(fixture.contents, &call.call, "file", "other", CFS_REMOTE_RENAME_REPLACE);
    contents_run(&fixture);
    assert_int_equal(memory_remote_count(fixture.memory, MEMORY_RENAME), 0);
    /* Other files do not wait. */
    struct cfs_remote_file *another = contents_open(&fixture, "another", O_WRONLY | O_CREAT);
    assert_int_equal(sync_rename(&fixture.driver, "another", "moved", CFS_REMOTE_RENAME_REPLACE), 0);
    memory_remote_release(fixture.memory, MEMORY_WRITE);
    assert_int_equal(sync_wait(&fixture.driver, &call), 0);
    sync_fini(&call);
    assert_int_equal(sync_close(&fixture.driver, another), 0);
    assert_int_equal(sync_close(&fixture.driver, file), 0);
    expect_server(&fixture, "other", "DATA");
    contents_fixture_fini(&fixture);
}

static void test_a_write_to_a_removed_file_ends_well(void **state)
{
    struct contents_fixture fixture;
    char byte;
    contents_fixture_init(&fixture, NULL, NULL);
    struct cfs_remote_file *file = contents_open(&fixture, "file", O_RDWR | O_CREAT);
    write_behind(&fixture, file, 0, "data", 4);
    assert_int_equal(sync_unlink(&fixture.driver, "file"), 0);
    struct cfs_remote_file *next = contents_open(&fixture, "file", O_RDWR | O_CREAT);
    assert_int_equal(sync_read(&fixture.driver, next, 0, &byte, 1), 0);
    assert_int_equal(sync_read(&fixture.driver, file, 3, &byte, 1), 1);
    assert_int_equal(sync_close(&fixture.driver, file), 0);
    assert_int_equal(sync_close(&fixture.driver, next), 0);
    contents_fixture_fini(&fixture);
}

/* Writes fail now and then: every loss is told, and what is not told as lost is there. */
static void test_no_loss_stays_untold(void **state)
{
    for (uint64_t seed = 1; seed <= 300; seed++) {
        struct memory_remote_options memory = {.seed = seed, .latency_ms = 10, .jitter_ms = 20};
        struct contents_fixture fixture;
        uint8_t bytes[64 * 16], server[64 * 16];
        contents_fixture_init(&fixture, &memory, NULL);
        struct cfs_remote_file *file = contents_open(&fixture, "file", O_RDWR | O_CREAT);
        bool lost = false;
        memory_remote_fail(fixture.memory, MEMORY_WRITE, 1 + seed % 7, -EIO);
        memset(bytes, 0, sizeof(bytes));
        for (int round = 0; round < 6; round++) {
            bool refused = false;
            for (unsigned i = 0; i < 16; i++) {
                uint64_t at = ((seed + i) * 5 + (unsigned)round) % 16 * 64;
                memset(bytes + at, (int)(i + 1), 64);
                refused |= sync_write(&fixture.driver, file, at, bytes + at, 64) < 0;
            }
            int error = sync_flush(&fixture.driver, file);
            assert_true(!refused || error < 0);
            ssize_t length = memory_remote_peek(fixture.memory, "file", 0, server, sizeof(server));
            bool same = length == sizeof(bytes) && memcmp(bytes, server, sizeof(bytes)) == 0;
            assert_true(same || error < 0);
            lost |= error < 0;
            /* What is read is what the server has, also after a loss. */
            uint8_t got[sizeof(bytes)];
            assert_int_equal(sync_read(&fixture.driver, file, 0, got, sizeof(got)), length);
            assert_memory_equal(got, server, (size_t)length);
        }
        assert_int_equal(sync_close(&fixture.driver, file), 0);
        assert_true(lost);
        contents_fixture_fini(&fixture);
    }
}

static void test_a_size_whose_setting_was_not_answered_is_the_servers(void **state)
{
    static const struct cfs_remote_attributes size = {.valid = CFS_REMOTE_SIZE, .size = 3};
    struct cfs_remote_attributes told;
    struct contents_fixture fixture;
    contents_fixture_init(&fixture, NULL, NULL);
    contents_poke(&fixture, "file", 1000);
    struct cfs_remote_file *file = contents_open(&fixture, "file", O_RDWR);
    contents_expect(&fixture, file, 0, 1000);
    memory_remote_fail_after(fixture.memory, MEMORY_SETATTR, 1, -ETIMEDOUT);
    memory_remote_hold(fixture.memory, MEMORY_FSTAT); /* by which the contents learn what has come of it */
    assert_int_equal(sync_setattr(&fixture.driver, "file", 0, &size), -ETIMEDOUT);
    assert_int_equal(sync_lstat(&fixture.driver, "file", &told), 0);
    assert_int_equal(told.size, 3);
    memory_remote_release(fixture.memory, MEMORY_FSTAT);
    assert_int_equal(sync_close(&fixture.driver, file), 0);
    contents_fixture_fini(&fixture);
}

static int find_end(struct contents_fixture *fixture, struct cfs_remote_file *file, uint64_t *ret_size)
{
    struct sync_call call;
    sync_init(&call);
    sync_begin(&call);
    fixture->contents->operations->find_end(fixture->contents, &call.call, file);
    sync_submitted(&call);
    int error = sync_wait(&fixture->driver, &call);
    *ret_size = call.call.result.attributes.size;
    sync_fini(&call);
    return error;
}

static void test_the_end_is_asked_for_unless_bytes_of_ours_that_end_there_are_on_their_way(void **state)
{
    struct contents_fixture fixture;
    uint64_t size;
    contents_fixture_init(&fixture, NULL, NULL);
    memory_remote_poke_file(fixture.memory, "log", "theirs\n", 7);
    struct cfs_remote_file *file = contents_open(&fixture, "log", O_WRONLY);
    memory_remote_poke_append(fixture.memory, "log", "too\n", 4);
    uint64_t asked = memory_remote_count(fixture.memory, MEMORY_FSTAT);
    assert_int_equal(find_end(&fixture, file, &size), 0);
    assert_int_equal(size, 11);
    assert_int_equal(memory_remote_count(fixture.memory, MEMORY_FSTAT), asked + 1);
    memory_remote_hold(fixture.memory, MEMORY_WRITE);
    for (int i = 0; i < 5; i++) {
        assert_int_equal(sync_write(&fixture.driver, file, size, "ours\n", 5), 0);
        assert_int_equal(find_end(&fixture, file, &size), 0);
        assert_int_equal(size, 11 + 5 * (i + 1));
    }
    assert_int_equal(memory_remote_count(fixture.memory, MEMORY_FSTAT), asked + 1);
    memory_remote_release(fixture.memory, MEMORY_WRITE);
    assert_int_equal(sync_flush(&fixture.driver, file), 0);
    contents_run(&fixture);
    memory_remote_poke_append(fixture.memory, "log", "last\n", 5);
    assert_int_equal(find_end(&fixture, file, &size), 0);
    assert_int_equal(size, 41);
    assert_int_equal(sync_close(&fixture.driver, file), 0);
    contents_fixture_fini(&fixture);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_a_size_whose_setting_was_not_answered_is_the_servers),
        cmocka_unit_test(test_the_end_is_asked_for_unless_bytes_of_ours_that_end_there_are_on_their_way),
        cmocka_unit_test(test_small_writes_complete_at_once_and_are_coalesced),
        cmocka_unit_test(test_a_slow_writer_waits_for_no_timer),
        cmocka_unit_test(test_reads_and_attributes_see_what_is_not_yet_written),
        cmocka_unit_test(test_flush_fsync_and_close_wait_for_the_server),
        cmocka_unit_test(test_a_write_beyond_the_budget_waits_for_room),
        cmocka_unit_test(test_an_error_is_told_once_to_each_file_and_by_whatever_asks_first),
        cmocka_unit_test(test_a_full_disk_is_told_by_close),
        cmocka_unit_test(test_a_lost_connection_ends_all_and_loses_no_error),
        cmocka_unit_test(test_what_changes_the_file_waits_for_what_was_written),
        cmocka_unit_test(test_a_write_to_a_removed_file_ends_well),
        cmocka_unit_test(test_no_loss_stays_untold),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

/* Reading through contents: what it costs in calls, what is fetched ahead, and when what is kept must not be used. */
#include "lib/test.h"

#include "lib/contents_fixture.h"
#include <fcntl.h>
#include <stdlib.h>
#include <sys/stat.h>

enum { K = 1024, M = 1024 * 1024 };

/* What is on its way is not thrown out. */
enum { ON_ITS_WAY = 1024 * 1024 };

static uint64_t reads(const struct contents_fixture *fixture)
{
    return memory_remote_count(fixture->memory, MEMORY_READ);
}

static void close_file(struct contents_fixture *fixture, struct cfs_remote_file *file)
{
    assert_int_equal(sync_close(&fixture->driver, file), 0);
}

static void test_what_was_read_costs_no_call_also_after_the_next_open(void **state)
{
    struct contents_fixture fixture;
    contents_fixture_init(&fixture, NULL, NULL);
    contents_poke(&fixture, "file", 3 * M + 77);
    struct cfs_remote_file *file = contents_open(&fixture, "file", O_RDONLY);
    contents_expect(&fixture, file, 0, 3 * M + 77);
    assert_int_equal(contents_expect(&fixture, file, 0, 3 * M + 77), 0);
    assert_int_equal(contents_expect(&fixture, file, M + 5, 12345), 0);
    close_file(&fixture, file);
    file = contents_open(&fixture, "file", O_RDONLY);
    assert_int_equal(contents_expect(&fixture, file, 0, 3 * M + 77), 0);
    assert_int_equal(memory_remote_bytes_read(fixture.memory), 3 * M + 77);
    close_file(&fixture, file);
    contents_fixture_fini(&fixture);
}

static void test_a_small_file_is_one_read(void **state)
{
    struct contents_fixture fixture;
    contents_fixture_init(&fixture, NULL, NULL);
    contents_poke(&fixture, "file", 5000);
    struct cfs_remote_file *file = contents_open(&fixture, "file", O_RDONLY);
    contents_expect(&fixture, file, 0, 4096);
    contents_expect(&fixture, file, 4096, 904);
    assert_int_equal(reads(&fixture), 1);
    close_file(&fixture, file);
    contents_fixture_fini(&fixture);
}

static void test_a_stream_is_read_ahead_and_soon_waits_for_nothing(void **state)
{
    struct memory_remote_options memory = {.latency_ms = 40};
    struct cfs_cache_options cache = {.cache_size = 64 * M, .prefetch = true};
    struct contents_fixture fixture;
    contents_fixture_init(&fixture, &memory, &cache);
    contents_poke(&fixture, "file", 16 * M);
    const struct cfs_clock *clock = memory_remote_clock(fixture.memory);
    struct cfs_remote_file *file = contents_open(&fixture, "file", O_RDONLY);
    int64_t before = cfs_clock_ms(clock);
    for (uint64_t offset = 0; offset < 16 * M; offset += 128 * K)
        contents_expect(&fixture, file, offset, 128 * K);
    /* 128 round trips without it. The window begins with 1 MiB, and the limit of the link grows with it. */
    assert_in_range(cfs_clock_ms(clock) - before, 40 * 3, 40 * 12);
    assert_int_equal(reads(&fixture), 128);
    assert_int_equal(memory_remote_bytes_read(fixture.memory), 16 * M);
    close_file(&fixture, file);
    contents_fixture_fini(&fixture);
}

static void test_random_reads_fetch_what_they_need_and_a_bit(void **state)
{
    struct contents_fixture fixture;
    contents_fixture_init(&fixture, NULL, NULL);
    contents_poke(&fixture, "file", 8 * M);
    struct cfs_remote_file *file = contents_open(&fixture, "file", O_RDONLY);
    for (uint64_t i = 0; i < 20; i++)
        assert_int_equal(contents_expect(&fixture, file, (i * 7 % 20 + 1) * 300 * K + 123, 4 * K), 1);
    contents_run(&fixture);
    assert_true(memory_remote_bytes_read(fixture.memory) <= UINT64_C(20) * 36 * K);
    assert_int_equal(contents_status(&fixture).prefetched_bytes, 0);
    close_file(&fixture, file);
    contents_fixture_fini(&fixture);
}

static void test_a_read_joins_the_fetch_that_is_on_its_way(void **state)
{
    struct contents_fixture fixture;
    struct sync_call first, second;
    uint8_t bytes[2][4096];
    contents_fixture_init(&fixture, NULL, NULL);
    contents_poke(&fixture, "file", 100 * K);
    struct cfs_remote_file *one = contents_open(&fixture, "file", O_RDONLY);
    struct cfs_remote_file *two = contents_open(&fixture, "file", O_RDONLY);
    sync_init(&first);
    sync_init(&second);
    fixture.contents->operations->read(fixture.contents, &first.call, one, 0, 4096, bytes[0]);
    fixture.contents->operations->read(fixture.contents, &second.call, two, 8192, 4096, bytes[1]);
    assert_int_equal(sync_wait(&fixture.driver, &second), 0);
    assert_int_equal(sync_wait(&fixture.driver, &first), 0);
    assert_int_equal(bytes[1][9], content_byte(8192 + 9));
    assert_int_equal(reads(&fixture), 1);
    sync_fini(&first);
    sync_fini(&second);
    close_file(&fixture, one);
    close_file(&fixture, two);
    contents_fixture_fini(&fixture);
}

/* What is asked for ahead never exceeds what the link is believed to carry. */
static void test_what_is_fetched_ahead_is_bounded_over_all_files(void **state)
{
    enum { FILES = 8 };
    struct contents_fixture fixture;
    struct cfs_remote_file *files[FILES];
    struct sync_call calls[FILES];
    static uint8_t bytes[FILES][128 * K];
    contents_fixture_init(&fixture, NULL, NULL);
    memory_remote_hold(fixture.memory, MEMORY_READ);
    for (int i = 0; i < FILES; i++) {
        char name[8] = {(char)('a' + i)};
        contents_poke(&fixture, name, 4 * M);
        files[i] = contents_open(&fixture, name, O_RDONLY);
        sync_init(&calls[i]);
        fixture.contents->operations->read(fixture.contents, &calls[i].call, files[i], 0, 128 * K, bytes[i]);
    }
    /* One block each that somebody waits for, and 1 MiB in all, as long as nothing is known of the link. */
    assert_in_range(reads(&fixture), FILES, FILES + 8);
    memory_remote_release(fixture.memory, MEMORY_READ);
    for (int i = 0; i < FILES; i++) {
        assert_int_equal(sync_wait(&fixture.driver, &calls[i]), 0);
        sync_fini(&calls[i]);
        close_file(&fixture, files[i]);
    }
    contents_fixture_fini(&fixture);
}

static void test_a_change_behind_the_back_is_seen_by_the_next_open(void **state)
{
    struct contents_fixture fixture;
    char byte;
    contents_fixture_init(&fixture, NULL, NULL);
    contents_poke(&fixture, "file", 300 * K);
    struct cfs_remote_file *file = contents_open(&fixture, "file", O_RDONLY);
    contents_expect(&fixture, file, 0, 300 * K);
    memory_remote_poke_write(fixture.memory, "file", 1000, "!", 1);
    struct cfs_remote_file *later = contents_open(&fixture, "file", O_RDONLY);
    assert_int_equal(sync_read(&fixture.driver, later, 1000, &byte, 1), 1);
    assert_int_equal(byte, '!');
    close_file(&fixture, file);
    close_file(&fixture, later);
    contents_fixture_fini(&fixture);
}

static void test_a_change_within_the_second_of_the_mtime_is_seen_by_the_next_open(void **state)
{
    struct contents_fixture fixture;
    char byte;
    contents_fixture_init(&fixture, NULL, NULL);
    memory_remote_poke_file(fixture.memory, "file", "12345", 5);
    for (int i = 0; i < 9; i++) {
        char written = (char)('a' + i);
        struct cfs_remote_file *file = contents_open(&fixture, "file", O_RDONLY);
        assert_int_equal(sync_read(&fixture.driver, file, 2, &byte, 1), 1);
        assert_int_equal(byte, i ? written - 1 : '3');
        close_file(&fixture, file);
        memory_remote_poke_write(fixture.memory, "file", 2, &written, 1); /* same size, same second */
    }
    contents_fixture_fini(&fixture);
}

static void test_a_file_that_grows_while_it_is_open_keeps_its_blocks(void **state)
{
    struct contents_fixture fixture;
    struct cfs_remote_attributes attributes;
    uint8_t bytes[5000], more[3000];
    contents_fixture_init(&fixture, NULL, NULL);
    contents_poke(&fixture, "log", 500 * K + 100);
    struct cfs_remote_file *file = contents_open(&fixture, "log", O_RDONLY);
    contents_expect(&fixture, file, 0, 500 * K + 100);
    for (size_t i = 0; i < sizeof(more); i++)
        more[i] = content_byte(500 * K + 100 + i);
    memory_remote_poke_append(fixture.memory, "log", more, sizeof(more));
    uint64_t before = memory_remote_bytes_read(fixture.memory);
    /* As the kernel reads: it has been told the new size, and asks for whole pages. */
    assert_int_equal(sync_lstat(&fixture.driver, "log", &attributes), 0);
    assert_int_equal(attributes.size, 500 * K + 3100);
    assert_int_equal(sync_read(&fixture.driver, file, 500 * K, bytes, sizeof(bytes)), 3100);
    assert_memory_equal(bytes + 100, more, sizeof(more));
    assert_true(memory_remote_bytes_read(fixture.memory) - before < 32 * K);
    contents_expect(&fixture, file, 0, 500 * K); /* with a spot check */
    assert_true(memory_remote_bytes_read(fixture.memory) - before < 32 * K);
    assert_int_equal(contents_expect(&fixture, file, 0, 500 * K), 0);
    close_file(&fixture, file);
    contents_fixture_fini(&fixture);
}

static void test_a_file_that_is_shorter_than_was_told_ends_where_it_ends(void **state)
{
    struct contents_fixture fixture;
    uint8_t bytes[8192];
    contents_fixture_init(&fixture, NULL, NULL);
    contents_poke(&fixture, "file", 100 * K);
    struct cfs_remote_file *file = contents_open(&fixture, "file", O_RDONLY);
    memory_remote_poke_truncate(fixture.memory, "file", 5000);
    assert_int_equal(sync_read(&fixture.driver, file, 0, bytes, sizeof(bytes)), 5000);
    assert_int_equal(sync_read(&fixture.driver, file, 60 * K, bytes, sizeof(bytes)), 0);
    close_file(&fixture, file);
    contents_fixture_fini(&fixture);
}

static void test_an_error_reaches_those_who_wait_and_nobody_else(void **state)
{
    struct contents_fixture fixture;
    uint8_t byte;
    contents_fixture_init(&fixture, NULL, NULL);
    contents_poke(&fixture, "file", M);
    struct cfs_remote_file *file = contents_open(&fixture, "file", O_RDONLY);
    memory_remote_fail(fixture.memory, MEMORY_READ, 1, -EIO);
    assert_int_equal(sync_read(&fixture.driver, file, 0, &byte, 1), -EIO);
    contents_run(&fixture);
    memory_remote_fail_all(fixture.memory, MEMORY_READ, -ETIMEDOUT);
    assert_int_equal(sync_read(&fixture.driver, file, 700 * K, &byte, 1), -ETIMEDOUT);
    memory_remote_fail_all(fixture.memory, MEMORY_READ, 0);
    contents_expect(&fixture, file, 0, M);
    close_file(&fixture, file);
    contents_fixture_fini(&fixture);
}

static void test_a_read_that_waits_can_be_cancelled(void **state)
{
    struct contents_fixture fixture;
    struct sync_call call;
    uint8_t bytes[4096];
    contents_fixture_init(&fixture, NULL, NULL);
    contents_poke(&fixture, "file", M);
    struct cfs_remote_file *file = contents_open(&fixture, "file", O_RDONLY);
    memory_remote_hold(fixture.memory, MEMORY_READ);
    sync_init(&call);
    fixture.contents->operations->read(fixture.contents, &call.call, file, 0, sizeof(bytes), bytes);
    fixture.contents->operations->cancel(fixture.contents, &call.call);
    contents_turn(&fixture);
    assert_true(sync_is_done(&call));
    assert_int_equal(call.call.error, -EINTR);
    sync_fini(&call);
    memory_remote_release(fixture.memory, MEMORY_READ);
    contents_expect(&fixture, file, 0, 4096);
    close_file(&fixture, file);
    contents_fixture_fini(&fixture);
}

static void test_the_budget_of_memory_holds(void **state)
{
    struct cfs_cache_options cache = {.cache_size = 2 * M, .prefetch = true};
    struct contents_fixture fixture;
    contents_fixture_init(&fixture, NULL, &cache);
    contents_poke(&fixture, "file", 20 * M);
    struct cfs_remote_file *file = contents_open(&fixture, "file", O_RDONLY);
    for (uint64_t offset = 0; offset < 20 * M; offset += 128 * K) {
        contents_expect(&fixture, file, offset, 128 * K);
        assert_true(contents_status(&fixture).clean_bytes <= 2 * M + ON_ITS_WAY);
    }
    contents_run(&fixture);
    assert_true(contents_status(&fixture).clean_bytes <= 2 * M);
    assert_int_equal(memory_remote_bytes_read(fixture.memory), 20 * M);
    close_file(&fixture, file);
    contents_fixture_fini(&fixture);
}

/* The look has taken effect when the rename begins, and is answered after it. */
static void test_a_look_from_before_a_rename_does_not_part_the_file_from_its_name(void **state)
{
    struct memory_remote_options memory = {.latency_ms = 40};
    struct contents_fixture fixture;
    struct sync_call look;
    char byte;
    contents_fixture_init(&fixture, &memory, NULL);
    contents_poke(&fixture, "file", 5000);
    contents_poke(&fixture, "replaced", 77);
    struct cfs_remote_file *file = contents_open(&fixture, "file", O_RDWR);
    contents_expect(&fixture, file, 0, 5000);
    sync_init(&look);
    sync_begin(&look);
    fixture.contents->operations->lstat(fixture.contents, &look.call, "replaced");
    sync_submitted(&look);
    memory_remote_advance(fixture.memory, 30);
    memory_remote_hold(fixture.memory, MEMORY_LSTAT);
    assert_int_equal(sync_rename(&fixture.driver, "file", "replaced", CFS_REMOTE_RENAME_REPLACE), 0);
    memory_remote_release(fixture.memory, MEMORY_LSTAT);
    assert_int_equal(sync_wait(&fixture.driver, &look), 0);
    assert_int_equal(look.call.result.attributes.size, 77);
    sync_fini(&look);
    struct cfs_remote_file *other = contents_open(&fixture, "replaced", O_RDONLY);
    assert_int_equal(sync_write(&fixture.driver, file, 10, "x", 1), 0);
    assert_int_equal(sync_read(&fixture.driver, other, 10, &byte, 1), 1);
    assert_int_equal(byte, 'x'); /* one file, before any flush */
    close_file(&fixture, other);
    close_file(&fixture, file);
    contents_fixture_fini(&fixture);
}

/* Its length was set by its name, before it was opened, and that has its effect while the copy is under way. */
static void test_what_is_copied_into_does_not_lose_its_length(void **state)
{
    struct contents_fixture fixture;
    struct cfs_remote_attributes size = {.valid = CFS_REMOTE_SIZE, .size = 100000};
    struct sync_call set, copy;
    char bytes[8000];
    contents_fixture_init(&fixture, NULL, NULL);
    const struct cfs_remote_operations *operations = fixture.contents->operations;
    contents_poke(&fixture, "target", 10);
    contents_poke(&fixture, "source", 20000);
    sync_init(&set);
    sync_init(&copy);
    memory_remote_hold(fixture.memory, MEMORY_SETATTR);
    operations->setattr(fixture.contents, &set.call, "target", S_IFREG, &size);
    struct cfs_remote_file *source = contents_open(&fixture, "source", O_RDONLY);
    struct cfs_remote_file *target = contents_open(&fixture, "target", O_RDWR);
    memory_remote_hold(fixture.memory, MEMORY_COPY);
    operations->copy(fixture.contents, &copy.call, source, 0, target, 0, 5);
    contents_run(&fixture);
    memory_remote_release(fixture.memory, MEMORY_SETATTR);
    assert_int_equal(sync_wait(&fixture.driver, &set), 0);
    memory_remote_release(fixture.memory, MEMORY_COPY);
    assert_int_equal(sync_wait(&fixture.driver, &copy), 0);
    assert_int_equal(sync_read(&fixture.driver, target, 0, bytes, sizeof(bytes)), sizeof(bytes));
    assert_int_equal(sync_close(&fixture.driver, target), 0);
    assert_int_equal(sync_close(&fixture.driver, source), 0);
    sync_fini(&copy);
    sync_fini(&set);
    contents_fixture_fini(&fixture);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_what_was_read_costs_no_call_also_after_the_next_open),
        cmocka_unit_test(test_a_small_file_is_one_read),
        cmocka_unit_test(test_a_stream_is_read_ahead_and_soon_waits_for_nothing),
        cmocka_unit_test(test_random_reads_fetch_what_they_need_and_a_bit),
        cmocka_unit_test(test_a_read_joins_the_fetch_that_is_on_its_way),
        cmocka_unit_test(test_what_is_fetched_ahead_is_bounded_over_all_files),
        cmocka_unit_test(test_a_change_behind_the_back_is_seen_by_the_next_open),
        cmocka_unit_test(test_a_change_within_the_second_of_the_mtime_is_seen_by_the_next_open),
        cmocka_unit_test(test_a_file_that_grows_while_it_is_open_keeps_its_blocks),
        cmocka_unit_test(test_a_file_that_is_shorter_than_was_told_ends_where_it_ends),
        cmocka_unit_test(test_an_error_reaches_those_who_wait_and_nobody_else),
        cmocka_unit_test(test_a_read_that_waits_can_be_cancelled),
        cmocka_unit_test(test_the_budget_of_memory_holds),
        cmocka_unit_test(test_a_look_from_before_a_rename_does_not_part_the_file_from_its_name),
        cmocka_unit_test(test_what_is_copied_into_does_not_lose_its_length),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

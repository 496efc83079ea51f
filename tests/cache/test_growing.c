/* Files that grow, and files that we wrote ourselves: what of them is kept, and what must not be. */
#include "lib/test.h"

#include "lib/contents_fixture.h"
#include <fcntl.h>
#include <stdlib.h>

enum { K = 1024, M = 1024 * 1024, SPOT_CHECK = 16 * K };

static void close_file(struct contents_fixture *fixture, struct cfs_remote_file *file)
{
    assert_int_equal(sync_close(&fixture->driver, file), 0);
}

/* content_byte() goes on behind the old end. */
static void append(struct contents_fixture *fixture, const char *path, uint64_t from, size_t length)
{
    uint8_t *bytes CFS_AUTO_FREE = malloc(length);
    assert_non_null(bytes);
    for (size_t i = 0; i < length; i++)
        bytes[i] = content_byte(from + i);
    memory_remote_poke_append(fixture->memory, path, bytes, length);
}

/* Writes content_byte() from OFFSET on. */
static void write_bytes(struct contents_fixture *fixture, struct cfs_remote_file *file, uint64_t offset, size_t length)
{
    uint8_t *bytes CFS_AUTO_FREE = malloc(length);
    assert_non_null(bytes);
    for (size_t i = 0; i < length; i++)
        bytes[i] = content_byte(offset + i);
    assert_int_equal(sync_write(&fixture->driver, file, offset, bytes, length), 0);
}

/* Opens, reads LENGTH bytes, closes; the payload that it cost. */
static uint64_t payload_of_reading(struct contents_fixture *fixture, const char *path, size_t length)
{
    uint64_t before = memory_remote_bytes_read(fixture->memory);
    struct cfs_remote_file *file = contents_open(fixture, path, O_RDONLY);
    contents_expect(fixture, file, 0, length);
    close_file(fixture, file);
    contents_run(fixture);
    return memory_remote_bytes_read(fixture->memory) - before;
}

static void write_file(struct contents_fixture *fixture, const char *path, size_t length)
{
    struct cfs_remote_file *file = contents_open(fixture, path, O_WRONLY | O_CREAT | O_TRUNC);
    for (size_t offset = 0; offset < length; offset += 128 * K)
        write_bytes(fixture, file, offset, length - offset < 128 * K ? length - offset : 128 * K);
    assert_int_equal(sync_flush(&fixture->driver, file), 0);
    close_file(fixture, file);
}

/* --- growth --- */

static void test_of_a_file_that_has_grown_only_the_tail_is_fetched(void **state)
{
    struct contents_fixture fixture;
    contents_fixture_init(&fixture, NULL, NULL);
    contents_poke(&fixture, "log", 3 * M + 100);
    payload_of_reading(&fixture, "log", 3 * M + 100);
    uint64_t size = 3 * M + 100;
    for (int i = 0; i < 5; i++) {
        append(&fixture, "log", size, 5000);
        size += 5000;
        assert_in_range(payload_of_reading(&fixture, "log", size), 5000, 5000 + 2 * 4096 + SPOT_CHECK);
        memory_remote_advance(fixture.memory, 700);
    }
    contents_fixture_fini(&fixture);
}

static void test_a_log_that_was_just_being_written_keeps_what_a_check_has_vouched_for(void **state)
{
    struct contents_fixture fixture;
    contents_fixture_init(&fixture, NULL, NULL);
    memory_remote_poke_file(fixture.memory, "log", "", 0);
    append(&fixture, "log", 0, 2 * M);
    payload_of_reading(&fixture, "log", 2 * M);
    append(&fixture, "log", 2 * M, 1000);
    payload_of_reading(&fixture, "log", 2 * M + 1000);
    memory_remote_advance(fixture.memory, 10000);
    /* It is at rest now. What was read last could have changed within its second; the rest is compared once more. */
    assert_in_range(payload_of_reading(&fixture, "log", 2 * M + 1000), 1000, 8 * K + SPOT_CHECK);
    assert_int_equal(payload_of_reading(&fixture, "log", 2 * M + 1000), 0);
    contents_fixture_fini(&fixture);
}

static void test_the_open_does_not_wait_for_the_check_but_a_read_of_what_is_suspect_does(void **state)
{
    struct memory_remote_options memory = {.latency_ms = 40};
    struct contents_fixture fixture;
    contents_fixture_init(&fixture, &memory, NULL);
    const struct cfs_clock *clock = memory_remote_clock(fixture.memory);
    contents_poke(&fixture, "log", M);
    payload_of_reading(&fixture, "log", M);
    append(&fixture, "log", M, 10);
    memory_remote_hold(fixture.memory, MEMORY_READ);
    struct cfs_remote_file *file = contents_open(&fixture, "log", O_RDONLY);
    memory_remote_release(fixture.memory, MEMORY_READ);
    int64_t before = cfs_clock_ms(clock);
    contents_expect(&fixture, file, 0, 4 * K);
    assert_in_range(cfs_clock_ms(clock) - before, 1, 79);
    contents_expect(&fixture, file, 0, M);
    assert_in_range(memory_remote_bytes_read(fixture.memory), M, M + 10 + SPOT_CHECK);
    close_file(&fixture, file);
    contents_fixture_fini(&fixture);
}

static void test_another_longer_file_in_its_place_is_not_taken_for_growth(void **state)
{
    struct contents_fixture fixture;
    static uint8_t other[M + 10];
    uint8_t byte;
    contents_fixture_init(&fixture, NULL, NULL);
    contents_poke(&fixture, "log", M);
    payload_of_reading(&fixture, "log", M);
    memset(other, 'o', sizeof(other));
    memory_remote_poke_file(fixture.memory, "other", other, sizeof(other));
    memory_remote_poke_rename(fixture.memory, "other", "log");
    struct cfs_remote_file *file = contents_open(&fixture, "log", O_RDONLY);
    for (uint64_t offset = 0; offset < sizeof(other); offset += 50 * K) {
        assert_int_equal(sync_read(&fixture.driver, file, offset, &byte, 1), 1);
        assert_int_equal(byte, 'o');
    }
    close_file(&fixture, file);
    contents_fixture_fini(&fixture);
}

static void test_who_has_the_old_file_open_is_not_mixed_with_the_longer_one_in_its_place(void **state)
{
    struct contents_fixture fixture;
    static uint8_t other[M + 10];
    uint8_t byte;
    contents_fixture_init(&fixture, NULL, NULL);
    contents_poke(&fixture, "log", M);
    struct cfs_remote_file *old = contents_open(&fixture, "log", O_RDONLY);
    contents_expect(&fixture, old, 0, M / 2);
    memset(other, 'o', sizeof(other));
    memory_remote_poke_file(fixture.memory, "other", other, sizeof(other));
    memory_remote_poke_rename(fixture.memory, "other", "log");
    struct cfs_remote_file *file = contents_open(&fixture, "log", O_RDONLY);
    assert_int_equal(sync_read(&fixture.driver, file, 100, &byte, 1), 1);
    assert_int_equal(byte, 'o');
    contents_expect(&fixture, old, 0, M);
    close_file(&fixture, old);
    close_file(&fixture, file);
    contents_fixture_fini(&fixture);
}

static void test_who_has_a_growing_file_open_shares_its_blocks_with_the_next_open(void **state)
{
    struct contents_fixture fixture;
    contents_fixture_init(&fixture, NULL, NULL);
    contents_poke(&fixture, "log", M);
    struct cfs_remote_file *first = contents_open(&fixture, "log", O_RDONLY);
    contents_expect(&fixture, first, 0, M);
    append(&fixture, "log", M, 5000);
    assert_in_range(payload_of_reading(&fixture, "log", M + 5000), 5000, 8 * K + SPOT_CHECK);
    assert_int_equal(contents_expect(&fixture, first, 0, M + 5000), 0);
    close_file(&fixture, first);
    contents_fixture_fini(&fixture);
}

static void test_a_look_by_the_handle_tells_of_growth_and_of_other_changes(void **state)
{
    struct contents_fixture fixture;
    struct cfs_remote_attributes attributes;
    uint8_t bytes[64];
    contents_fixture_init(&fixture, NULL, NULL);
    contents_poke(&fixture, "log", M);
    struct cfs_remote_file *file = contents_open(&fixture, "log", O_RDONLY);
    contents_expect(&fixture, file, 0, M);
    append(&fixture, "log", M, 10);
    assert_int_equal(sync_fstat(&fixture.driver, file, &attributes), 0);
    uint64_t before = memory_remote_bytes_read(fixture.memory);
    contents_expect(&fixture, file, M, 10);
    assert_int_equal(memory_remote_bytes_read(fixture.memory) - before, 10);
    memory_remote_poke_write(fixture.memory, "log", 5, "new", 3);
    memory_remote_poke_mtime(fixture.memory, "log", 1500000000);
    assert_int_equal(sync_fstat(&fixture.driver, file, &attributes), 0);
    assert_int_equal(sync_read(&fixture.driver, file, 5, bytes, 3), 3);
    assert_memory_equal(bytes, "new", 3);
    memory_remote_poke_truncate(fixture.memory, "log", 7);
    assert_int_equal(sync_fstat(&fixture.driver, file, &attributes), 0);
    assert_int_equal(sync_read(&fixture.driver, file, 5, bytes, 64), 2);
    assert_memory_equal(bytes, "ne", 2);
    close_file(&fixture, file);
    contents_fixture_fini(&fixture);
}

static void test_a_check_that_fails_is_no_error_of_the_reader(void **state)
{
    struct contents_fixture fixture;
    contents_fixture_init(&fixture, NULL, NULL);
    contents_poke(&fixture, "log", M);
    payload_of_reading(&fixture, "log", M);
    append(&fixture, "log", M, 10);
    memory_remote_fail(fixture.memory, MEMORY_READ, 2, -EIO);
    struct cfs_remote_file *file = contents_open(&fixture, "log", O_RDONLY);
    contents_expect(&fixture, file, 0, M + 10);
    close_file(&fixture, file);
    contents_fixture_fini(&fixture);
}

/* --- what was changed a moment ago --- */

/* By our clock, as it is told. */
static void poke_age(struct contents_fixture *fixture, const char *path, int64_t seconds)
{
    const struct cfs_clock *clock = memory_remote_clock(fixture->memory);
    memory_remote_poke_mtime(fixture->memory, path, clock->wall(clock).tv_sec - seconds);
}

static void test_what_was_read_as_soon_as_it_was_seen_is_compared_if_it_is_some_seconds_old(void **state)
{
    struct contents_fixture fixture;
    contents_fixture_init(&fixture, NULL, NULL);
    contents_poke(&fixture, "result", M);
    poke_age(&fixture, "result", 10);
    assert_int_equal(payload_of_reading(&fixture, "result", M), M);
    assert_in_range(payload_of_reading(&fixture, "result", M), 1, SPOT_CHECK);
    memory_remote_advance(fixture.memory, 2500);
    assert_in_range(payload_of_reading(&fixture, "result", M), 1, SPOT_CHECK);
    assert_int_equal(payload_of_reading(&fixture, "result", M), 0);
    contents_fixture_fini(&fixture);
}

static void test_what_is_changing_this_very_second_is_fetched_anew(void **state)
{
    struct contents_fixture fixture;
    contents_fixture_init(&fixture, NULL, NULL);
    for (int64_t age = -100; age <= 4; age = age < 0 ? 0 : age + 4) { /* a clock that is ahead, too */
        contents_poke(&fixture, "result", M);
        poke_age(&fixture, "result", age);
        assert_int_equal(payload_of_reading(&fixture, "result", M), M);
        assert_int_equal(payload_of_reading(&fixture, "result", M), M);
    }
    contents_fixture_fini(&fixture);
}

static void test_another_file_of_that_second_is_seen_by_the_comparison(void **state)
{
    struct contents_fixture fixture;
    static uint8_t other[M];
    uint8_t byte;
    contents_fixture_init(&fixture, NULL, NULL);
    contents_poke(&fixture, "result", M);
    poke_age(&fixture, "result", 10); /* the server's clock is behind ours */
    payload_of_reading(&fixture, "result", M);
    memset(other, 'o', sizeof(other));
    memory_remote_poke_file(fixture.memory, "result", other, sizeof(other));
    poke_age(&fixture, "result", 10);
    struct cfs_remote_file *file = contents_open(&fixture, "result", O_RDONLY);
    for (uint64_t offset = 0; offset < sizeof(other); offset += 50 * K) {
        assert_int_equal(sync_read(&fixture.driver, file, offset, &byte, 1), 1);
        assert_int_equal(byte, 'o');
    }
    close_file(&fixture, file);
    contents_fixture_fini(&fixture);
}

/* --- what we wrote ourselves --- */

static void test_what_we_wrote_is_not_fetched_when_it_is_read(void **state)
{
    struct contents_fixture fixture;
    contents_fixture_init(&fixture, NULL, NULL);
    write_file(&fixture, "file", 3 * M + 777);
    assert_in_range(payload_of_reading(&fixture, "file", 3 * M + 777), 0, SPOT_CHECK);
    memory_remote_advance(fixture.memory, 5000);
    assert_in_range(payload_of_reading(&fixture, "file", 3 * M + 777), 0, SPOT_CHECK);
    /* Compared under a version that has no double: proven. */
    assert_int_equal(payload_of_reading(&fixture, "file", 3 * M + 777), 0);
    contents_fixture_fini(&fixture);
}

static void test_what_we_wrote_and_gave_an_old_time_is_proven_at_once(void **state)
{
    struct contents_fixture fixture;
    struct cfs_remote_attributes times = {.valid = CFS_REMOTE_TIMES, .atime = 1000000000, .mtime = 1000000000};
    contents_fixture_init(&fixture, NULL, NULL);
    struct cfs_remote_file *file = contents_open(&fixture, "file", O_WRONLY | O_CREAT | O_EXCL);
    write_bytes(&fixture, file, 0, 300 * K);
    assert_int_equal(sync_fsetattr(&fixture.driver, file, &times), 0);
    close_file(&fixture, file);
    assert_int_equal(payload_of_reading(&fixture, "file", 300 * K), 0);
    write_file(&fixture, "another", 5000);
    assert_int_equal(sync_setattr(&fixture.driver, "another", S_IFREG, &times), 0);
    assert_int_equal(payload_of_reading(&fixture, "another", 5000), 0);
    contents_fixture_fini(&fixture);
}

/* The same size, the same second. */
static void test_what_somebody_made_anew_within_our_second_is_seen(void **state)
{
    struct contents_fixture fixture;
    char text[8];
    contents_fixture_init(&fixture, NULL, NULL);
    for (int i = 0; i < 5; i++) {
        struct cfs_remote_file *file = contents_open(&fixture, "flag", O_RDWR | O_CREAT | O_TRUNC);
        assert_int_equal(sync_write(&fixture.driver, file, 0, "ours", 4), 0);
        close_file(&fixture, file);
        contents_run(&fixture);
        memory_remote_poke_file(fixture.memory, "flag", "told", 4);
        file = contents_open(&fixture, "flag", O_RDONLY);
        assert_int_equal(sync_read(&fixture.driver, file, 0, text, sizeof(text)), 4);
        assert_memory_equal(text, "told", 4);
        close_file(&fixture, file);
    }
    contents_fixture_fini(&fixture);
}

static void test_a_change_in_place_after_our_second_is_seen(void **state)
{
    struct contents_fixture fixture;
    uint8_t byte;
    contents_fixture_init(&fixture, NULL, NULL);
    write_file(&fixture, "file", M);
    contents_run(&fixture);
    memory_remote_advance(fixture.memory, 1500);
    memory_remote_poke_write(fixture.memory, "file", 300 * K + 17, "!", 1);
    struct cfs_remote_file *file = contents_open(&fixture, "file", O_RDONLY);
    assert_int_equal(sync_read(&fixture.driver, file, 300 * K + 17, &byte, 1), 1);
    assert_int_equal(byte, '!');
    close_file(&fixture, file);
    contents_fixture_fini(&fixture);
}

/* What we had kept of a file from before is not made right by writing to it. */
static void test_a_change_that_our_own_write_would_hide_is_seen(void **state)
{
    struct contents_fixture fixture;
    uint8_t byte;
    contents_fixture_init(&fixture, NULL, NULL);
    contents_poke(&fixture, "file", M);
    struct cfs_remote_file *file = contents_open(&fixture, "file", O_RDWR);
    contents_expect(&fixture, file, 0, M);
    memory_remote_advance(fixture.memory, 5000);
    memory_remote_poke_write(fixture.memory, "file", 300 * K + 17, "!", 1);
    write_bytes(&fixture, file, 500 * K, 4 * K);
    assert_int_equal(sync_flush(&fixture.driver, file), 0);
    close_file(&fixture, file);
    memory_remote_advance(fixture.memory, 5000);
    file = contents_open(&fixture, "file", O_RDONLY);
    assert_int_equal(sync_read(&fixture.driver, file, 300 * K + 17, &byte, 1), 1);
    assert_int_equal(byte, '!');
    close_file(&fixture, file);
    contents_fixture_fini(&fixture);
}

static void test_a_log_that_we_append_to_keeps_its_blocks(void **state)
{
    struct contents_fixture fixture;
    contents_fixture_init(&fixture, NULL, NULL);
    contents_poke(&fixture, "log", M + 10);
    payload_of_reading(&fixture, "log", M + 10);
    uint64_t size = M + 10;
    for (int i = 0; i < 5; i++) {
        struct cfs_remote_file *file = contents_open(&fixture, "log", O_WRONLY);
        write_bytes(&fixture, file, size, 100);
        size += 100;
        assert_int_equal(sync_flush(&fixture.driver, file), 0);
        close_file(&fixture, file);
        contents_run(&fixture);
        assert_in_range(payload_of_reading(&fixture, "log", size), 0, SPOT_CHECK);
    }
    contents_fixture_fini(&fixture);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_of_a_file_that_has_grown_only_the_tail_is_fetched),
        cmocka_unit_test(test_a_log_that_was_just_being_written_keeps_what_a_check_has_vouched_for),
        cmocka_unit_test(test_the_open_does_not_wait_for_the_check_but_a_read_of_what_is_suspect_does),
        cmocka_unit_test(test_another_longer_file_in_its_place_is_not_taken_for_growth),
        cmocka_unit_test(test_who_has_the_old_file_open_is_not_mixed_with_the_longer_one_in_its_place),
        cmocka_unit_test(test_who_has_a_growing_file_open_shares_its_blocks_with_the_next_open),
        cmocka_unit_test(test_a_look_by_the_handle_tells_of_growth_and_of_other_changes),
        cmocka_unit_test(test_a_check_that_fails_is_no_error_of_the_reader),
        cmocka_unit_test(test_what_was_read_as_soon_as_it_was_seen_is_compared_if_it_is_some_seconds_old),
        cmocka_unit_test(test_what_is_changing_this_very_second_is_fetched_anew),
        cmocka_unit_test(test_another_file_of_that_second_is_seen_by_the_comparison),
        cmocka_unit_test(test_what_we_wrote_is_not_fetched_when_it_is_read),
        cmocka_unit_test(test_what_we_wrote_and_gave_an_old_time_is_proven_at_once),
        cmocka_unit_test(test_what_somebody_made_anew_within_our_second_is_seen),
        cmocka_unit_test(test_a_change_in_place_after_our_second_is_seen),
        cmocka_unit_test(test_a_change_that_our_own_write_would_hide_is_seen),
        cmocka_unit_test(test_a_log_that_we_append_to_keeps_its_blocks),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

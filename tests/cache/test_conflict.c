/* conflict = copy: what becomes of written data whose file is another one on the server by now. */
#include "lib/test.h"

#include "lib/contents_fixture.h"
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdlib.h>
#include <time.h>

enum { K = 1024, SIZE = 300 * K, MOST = 1024 * K };

struct told {
    unsigned count;
    int error;
    char path[512], what[512];
};

static void failed(void *context, const char *path, const char *what, int error)
{
    struct told *told = context;
    told->count++;
    told->error = error;
    snprintf(told->path, sizeof(told->path), "%s", path);
    snprintf(told->what, sizeof(told->what), "%s", what);
}

static uint8_t model[MOST], there[MOST];

static void begin(struct contents_fixture *fixture, struct told *told, bool copies)
{
    static const struct memory_remote_options memory = {.latency_ms = 40};
    const struct cfs_cache_options options = {
        .cache_size = 16 << 20, .dirty_limit = 4 << 20, .copies_conflicts = copies, .failed = failed, .context = told};
    memset(told, 0, sizeof(*told));
    contents_fixture_init(fixture, &memory, &options);
    memory_remote_poke_mkdir(fixture->memory, "d");
    contents_poke(fixture, "d/file", SIZE);
    for (uint64_t i = 0; i < SIZE; i++)
        model[i] = content_byte(i);
    memory_remote_hold(fixture->memory, MEMORY_WRITE);
}

static void write_some(struct contents_fixture *fixture, struct cfs_remote_file *file, uint64_t offset, size_t length,
                       uint8_t with)
{
    memset(model + offset, with, length);
    assert_int_equal(sync_write(&fixture->driver, file, offset, model + offset, length), 0);
}

/* The name of the NUMBERth copy of BASE, by the clock of the test. */
static void name_copy(struct contents_fixture *fixture, const char *base, unsigned number, char *ret_name, size_t size)
{
    const struct cfs_clock *clock = memory_remote_clock(fixture->memory);
    time_t now = clock->wall(clock).tv_sec;
    char time[32];
    struct tm when;
    gmtime_r(&now, &when);
    strftime(time, sizeof(time), "%Y%m%dT%H%M%S", &when);
    snprintf(ret_name, size, number > 1 ? "%s.clusterfs-conflict-%s-%u" : "%s.clusterfs-conflict-%s", base, time,
             number);
}

static void expect_server(struct contents_fixture *fixture, const char *path, const uint8_t *bytes, size_t length)
{
    assert_int_equal(memory_remote_peek(fixture->memory, path, 0, there, sizeof(there)), length);
    assert_memory_equal(there, bytes, length);
}

/* Flushes FILE, which another one has replaced. */
static void flush_stale(struct contents_fixture *fixture, struct cfs_remote_file *file, const char *path)
{
    memory_remote_make_stale(fixture->memory, path);
    memory_remote_poke_file(fixture->memory, path, "theirs", 6);
    memory_remote_release(fixture->memory, MEMORY_WRITE);
    assert_int_equal(sync_flush(&fixture->driver, file), -ESTALE);
    contents_run(fixture);
    expect_server(fixture, path, (const uint8_t *)"theirs", 6);
}

static void all_that_is_known_is_saved_beside_it(void **state)
{
    struct contents_fixture fixture;
    struct told told;
    char name[256];
    begin(&fixture, &told, true);
    struct cfs_remote_file *file = contents_open(&fixture, "d/file", O_RDWR);
    contents_expect(&fixture, file, 0, SIZE);
    write_some(&fixture, file, 5000, 10 * K, 'a');
    memory_remote_release(fixture.memory, MEMORY_WRITE);
    assert_int_equal(sync_flush(&fixture.driver, file), 0);
    memory_remote_hold(fixture.memory, MEMORY_WRITE);
    write_some(&fixture, file, 10 * K, 3 * K, 'b'); /* on its way */
    write_some(&fixture, file, 11 * K, K, 'c');     /* over it, not yet */
    write_some(&fixture, file, 100 * K, 100, 'd');
    memset(model + SIZE, 0, 100 * K);
    write_some(&fixture, file, SIZE + 100 * K, 7, 'e');
    name_copy(&fixture, "d/file", 1, name, sizeof(name));
    flush_stale(&fixture, file, "d/file");
    expect_server(&fixture, name, model, SIZE + 100 * K + 7);
    assert_int_equal(told.count, 1);
    assert_int_equal(told.error, -ESTALE);
    assert_string_equal(told.path, name);
    assert_non_null(strstr(told.what, "d/file (all of it)"));
    assert_int_equal(contents_status(&fixture).dirty_bytes, 0);
    assert_int_equal(sync_close(&fixture.driver, file), 0);
    contents_fixture_fini(&fixture);
    (void)state;
}

static void what_is_not_known_is_a_hole(void **state)
{
    struct contents_fixture fixture;
    struct told told;
    char name[256];
    begin(&fixture, &told, true);
    struct cfs_remote_file *file = contents_open(&fixture, "d/file", O_WRONLY);
    memset(model, 0, SIZE);
    write_some(&fixture, file, 8 * K, 4 * K, 'a');
    memory_remote_make_stale(fixture.memory, "d/file");
    memory_remote_release(fixture.memory, MEMORY_WRITE);
    name_copy(&fixture, "d/file", 1, name, sizeof(name));
    assert_int_equal(sync_close(&fixture.driver, file), -ESTALE);
    contents_run(&fixture);
    expect_server(&fixture, name, model, SIZE);
    assert_non_null(strstr(told.what, "(4.0 KiB of 300.0 KiB)"));
    contents_fixture_fini(&fixture);
    (void)state;
}

static void without_the_option_there_is_no_copy(void **state)
{
    struct contents_fixture fixture;
    struct told told;
    char name[256];
    begin(&fixture, &told, false);
    struct cfs_remote_file *file = contents_open(&fixture, "d/file", O_RDWR);
    write_some(&fixture, file, 0, 10, 'a');
    name_copy(&fixture, "d/file", 1, name, sizeof(name));
    flush_stale(&fixture, file, "d/file");
    assert_int_equal(memory_remote_peek(fixture.memory, name, 0, there, sizeof(there)), -ENOENT);
    assert_int_equal(told.count, 0);
    assert_int_equal(sync_close(&fixture.driver, file), 0);
    contents_fixture_fini(&fixture);
    (void)state;
}

static void a_copy_takes_no_name_that_is_taken(void **state)
{
    struct contents_fixture fixture;
    struct told told;
    char first[256], second[256];
    begin(&fixture, &told, true);
    name_copy(&fixture, "d/file", 1, first, sizeof(first));
    name_copy(&fixture, "d/file", 2, second, sizeof(second));
    memory_remote_poke_file(fixture.memory, first, "taken", 5);
    struct cfs_remote_file *file = contents_open(&fixture, "d/file", O_RDWR | O_TRUNC);
    write_some(&fixture, file, 0, 10, 'a');
    flush_stale(&fixture, file, "d/file");
    expect_server(&fixture, first, (const uint8_t *)"taken", 5);
    expect_server(&fixture, second, model, 10);
    assert_int_equal(sync_close(&fixture.driver, file), 0);
    contents_fixture_fini(&fixture);
    (void)state;
}

static void a_long_name_is_shortened_between_characters(void **state)
{
    struct contents_fixture fixture;
    struct told told;
    char path[300] = "d/";
    begin(&fixture, &told, true);
    strcat(path, "x");
    while (strlen(path) + 2 <= 2 + NAME_MAX)
        strcat(path, "\xc3\xa4");
    memory_remote_poke_file(fixture.memory, path, "", 0);
    struct cfs_remote_file *file = contents_open(&fixture, path, O_RDWR);
    write_some(&fixture, file, 0, 10, 'a');
    flush_stale(&fixture, file, path);
    assert_true(strlen(told.path) <= 2 + NAME_MAX && strlen(told.path) >= 2 + NAME_MAX - 1);
    const char *suffix = strstr(told.path, ".clusterfs-conflict-");
    assert_non_null(suffix);
    assert_int_equal((suffix - told.path - 3) % 2, 0);
    expect_server(&fixture, told.path, model, 10);
    assert_int_equal(sync_close(&fixture.driver, file), 0);
    contents_fixture_fini(&fixture);
    (void)state;
}

static void a_copy_that_cannot_be_written_is_told_and_removed(void **state)
{
    struct contents_fixture fixture;
    struct told told;
    char name[256];
    begin(&fixture, &told, true);
    struct cfs_remote_file *file = contents_open(&fixture, "d/file", O_RDWR);
    write_some(&fixture, file, 0, 10, 'a');
    name_copy(&fixture, "d/file", 1, name, sizeof(name));
    memory_remote_fail(fixture.memory, MEMORY_WRITE, 1, -ENOSPC); /* the next one that comes */
    flush_stale(&fixture, file, "d/file");
    assert_int_equal(memory_remote_peek(fixture.memory, name, 0, there, sizeof(there)), -ENOENT);
    assert_int_equal(told.count, 1);
    assert_int_equal(told.error, -ENOSPC);
    assert_string_equal(told.path, "d/file");
    assert_int_equal(sync_close(&fixture.driver, file), 0);
    contents_fixture_fini(&fixture);
    (void)state;
}

static void who_writes_on_makes_no_second_copy(void **state)
{
    struct contents_fixture fixture;
    struct told told;
    begin(&fixture, &told, true);
    struct cfs_remote_file *file = contents_open(&fixture, "d/file", O_RDWR);
    write_some(&fixture, file, 0, 10, 'a');
    flush_stale(&fixture, file, "d/file");
    write_some(&fixture, file, 0, 10, 'b');
    assert_int_equal(sync_flush(&fixture.driver, file), -ESTALE);
    contents_run(&fixture);
    assert_int_equal(told.count, 1);
    assert_int_equal(sync_close(&fixture.driver, file), 0);
    contents_fixture_fini(&fixture);
    (void)state;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(all_that_is_known_is_saved_beside_it),
        cmocka_unit_test(what_is_not_known_is_a_hole),
        cmocka_unit_test(without_the_option_there_is_no_copy),
        cmocka_unit_test(a_copy_takes_no_name_that_is_taken),
        cmocka_unit_test(a_long_name_is_shortened_between_characters),
        cmocka_unit_test(a_copy_that_cannot_be_written_is_told_and_removed),
        cmocka_unit_test(who_writes_on_makes_no_second_copy),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

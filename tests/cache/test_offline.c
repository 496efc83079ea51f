/* Without a connection: what is kept is told to those who are content with it, however old; all else waits. When it is
 * there again nothing of that is told any more. */
#include "lib/test.h"

#include "lib/cache_fixture.h"
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/stat.h>

enum { HOUR_MS = 3600 * 1000, PAGE = 4096, LARGE = 64 * PAGE };

static uint8_t bytes[LARGE];

static void fill(uint8_t with)
{
    memset(bytes, with, sizeof(bytes));
}

static int setup(void **state)
{
    static struct cache_fixture fixture;
    static const struct memory_remote_options options = {.latency_ms = 40, .tells_changes = true};
    cache_fixture_init(&fixture, &options);
    fixture.options.cache_size = fixture.options.dirty_limit = 4 << 20;
    fixture.options.prefetch = false;
    struct memory_remote *memory = fixture.memory;
    memory_remote_poke_mkdir(memory, "folder");
    memory_remote_poke_file(memory, "folder/file", "what was\n", 9);
    memory_remote_poke_symlink(memory, "file", "folder/link");
    memory_remote_poke_mkdir(memory, "unknown");
    memory_remote_poke_file(memory, "unknown/file", "never seen", 10);
    fill('a');
    memory_remote_poke_file(memory, "large", bytes, LARGE);
    memory_remote_advance(memory, HOUR_MS);
    *state = &fixture;
    return 0;
}

static int teardown(void **state)
{
    cache_fixture_fini(*state);
    return 0;
}

static void expect_listed(struct cache_fixture *fixture, const char *path, const char *names)
{
    int error = 0;
    char *listed CFS_AUTO_FREE = cache_list(fixture, path, &error);
    assert_int_equal(error, 0);
    assert_string_equal(listed, names);
}

static void expect_size(struct cache_fixture *fixture, const char *path, uint64_t size)
{
    struct cfs_remote_attributes attributes;
    assert_int_equal(cache_lstat(fixture, path, &attributes), 0);
    assert_int_equal(attributes.size, size);
}

static void expect_content(struct cache_fixture *fixture, const char *path, const char *content)
{
    char buffer[64] = "";
    struct cfs_remote_file *file;
    assert_int_equal(cache_open(fixture, path, O_RDONLY, &file), 0);
    assert_int_equal(cache_read(fixture, file, 0, sizeof(buffer) - 1, buffer), strlen(content));
    assert_string_equal(buffer, content);
    assert_int_equal(cache_close(fixture, file), 0);
}

static void look_at_all(struct cache_fixture *fixture)
{
    char target[16];
    expect_listed(fixture, "", "folder unknown large ");
    expect_listed(fixture, "folder", "file link ");
    expect_content(fixture, "folder/file", "what was\n");
    assert_int_equal(cache_readlink(fixture, "folder/link", target, sizeof(target)), 0);
}

/* An hour without a connection, for programs that are content with what is old. */
static void lose(struct cache_fixture *fixture)
{
    cache_run(fixture);
    memory_remote_lose(fixture->memory);
    memory_remote_advance(fixture->memory, HOUR_MS);
    cache_turn(fixture);
    fixture->when_lost = CFS_REMOTE_TELL_OLD;
}

/* Begins; it must not have completed. */
#define must_wait(fixture, waiting, operation, ...)                                                                    \
    do {                                                                                                               \
        cache_call_init(waiting);                                                                                      \
        (waiting)->call.when_lost = (fixture)->when_lost;                                                              \
        (fixture)->operations->operation((fixture)->cache, &(waiting)->call, __VA_ARGS__);                             \
        cache_run(fixture);                                                                                            \
        assert_int_equal((waiting)->completed, 0);                                                                     \
    } while (0)

static void names_are_told_as_they_were(void **state)
{
    struct cache_fixture *fixture = *state;
    struct cfs_remote_attributes attributes;
    char target[16];
    cache_fixture_start(fixture);
    look_at_all(fixture);
    lose(fixture);
    expect_listed(fixture, "", "folder unknown large ");
    expect_listed(fixture, "folder", "file link ");
    assert_int_equal(cache_lstat(fixture, "folder/file", &attributes), 0);
    assert_int_equal(attributes.size, 9);
    assert_int_equal(attributes.keep_ms, CFS_REMOTE_KEEP_NOT);
    assert_int_equal(cache_lstat(fixture, "folder/absent", NULL), -ENOENT);
    assert_int_equal(cache_readlink(fixture, "folder/link", target, sizeof(target)), 0);
    assert_string_equal(target, "file");
}

static void nothing_old_is_told_afterwards(void **state)
{
    struct cache_fixture *fixture = *state;
    cache_fixture_start(fixture);
    look_at_all(fixture);
    lose(fixture);
    expect_listed(fixture, "folder", "file link ");
    expect_size(fixture, "folder/file", 9);
    expect_content(fixture, "folder/file", "what was\n");
    memory_remote_poke_file(fixture->memory, "folder/file", "what is\n", 8);
    memory_remote_poke_file(fixture->memory, "folder/new", "", 0);
    memory_remote_find(fixture->memory);
    expect_size(fixture, "folder/new", 0);
    expect_size(fixture, "folder/file", 8);
    expect_listed(fixture, "folder", "file link new ");
    expect_content(fixture, "folder/file", "what is\n");
}

static void who_is_not_content_with_that_waits(void **state)
{
    struct cache_fixture *fixture = *state;
    struct cache_call look, list, read;
    char buffer[16] = "";
    struct cfs_remote_file *file;
    cache_fixture_start(fixture);
    look_at_all(fixture);
    assert_int_equal(cache_open(fixture, "folder/file", O_RDONLY, &file), 0);
    lose(fixture);
    fixture->when_lost = CFS_REMOTE_WAIT;
    must_wait(fixture, &look, lstat, "folder/file");
    must_wait(fixture, &list, open_listing, "folder");
    must_wait(fixture, &read, open, "folder/file", O_RDONLY, 0);
    memory_remote_find(fixture->memory);
    assert_int_equal(cache_wait(fixture, &look), 0);
    assert_int_equal(cache_wait(fixture, &list), 0);
    assert_int_equal(cache_wait(fixture, &read), 0);
    assert_int_equal(cache_close(fixture, read.call.result.file), 0);
    assert_int_equal(cache_read(fixture, file, 0, sizeof(buffer), buffer), 9);
    assert_int_equal(cache_close(fixture, file), 0);
    struct cache_call close;
    cache_call_init(&close);
    fixture->operations->close_listing(fixture->cache, &close.call, list.call.result.listing);
    assert_int_equal(cache_wait(fixture, &close), 0);
}

static void what_is_not_known_waits(void **state)
{
    struct cache_fixture *fixture = *state;
    struct cache_call look, open, write;
    cache_fixture_start(fixture);
    look_at_all(fixture);
    lose(fixture);
    must_wait(fixture, &look, lstat, "unknown/file");
    must_wait(fixture, &open, open, "large", O_RDONLY, 0);
    must_wait(fixture, &write, open, "folder/file", O_RDWR, 0);
    memory_remote_find(fixture->memory);
    assert_int_equal(cache_wait(fixture, &look), 0);
    assert_int_equal(look.call.result.attributes.size, 10);
    assert_int_equal(cache_wait(fixture, &open), 0);
    assert_int_equal(cache_wait(fixture, &write), 0);
    assert_int_equal(cache_close(fixture, open.call.result.file), 0);
    assert_int_equal(cache_close(fixture, write.call.result.file), 0);
}

static void what_was_under_way_is_told_as_it_was(void **state)
{
    struct cache_fixture *fixture = *state;
    struct cache_call look, open;
    cache_fixture_start(fixture);
    look_at_all(fixture);
    fixture->when_lost = CFS_REMOTE_TELL_OLD;
    memory_remote_advance(fixture->memory, HOUR_MS);
    memory_remote_hold(fixture->memory, MEMORY_LSTAT);
    memory_remote_hold(fixture->memory, MEMORY_OPEN);
    must_wait(fixture, &look, lstat, "folder/file");
    must_wait(fixture, &open, open, "folder/file", O_RDONLY, 0);
    memory_remote_lose(fixture->memory);
    memory_remote_release(fixture->memory, MEMORY_LSTAT);
    memory_remote_release(fixture->memory, MEMORY_OPEN);
    assert_int_equal(cache_wait(fixture, &look), 0);
    assert_true(look.call.result.is_old);
    assert_int_equal(cache_wait(fixture, &open), 0);
    assert_true(open.call.result.is_old);
    assert_int_equal(cache_close(fixture, open.call.result.file), 0);
}

static void what_is_kept_of_a_file_is_read_and_the_rest_waits(void **state)
{
    struct cache_fixture *fixture = *state;
    struct cfs_remote_file *file;
    struct cfs_remote_attributes attributes;
    struct cache_call rest;
    uint8_t buffer[PAGE];
    cache_fixture_start(fixture);
    assert_int_equal(cache_open(fixture, "large", O_RDONLY, &file), 0);
    assert_int_equal(cache_read(fixture, file, 0, PAGE, buffer), PAGE);
    assert_int_equal(cache_close(fixture, file), 0);
    lose(fixture);
    assert_int_equal(cache_open(fixture, "large", O_RDONLY, &file), 0);
    assert_int_equal(cache_fstat(fixture, file, &attributes), 0);
    assert_int_equal(attributes.size, LARGE);
    assert_true(S_ISREG(attributes.mode));
    buffer[0] = 0;
    assert_int_equal(cache_read(fixture, file, 0, PAGE, buffer), PAGE);
    assert_int_equal(buffer[0], 'a');
    assert_int_equal(cache_read(fixture, file, LARGE, PAGE, buffer), 0);
    must_wait(fixture, &rest, read, file, LARGE / 2, PAGE, buffer);
    memory_remote_find(fixture->memory);
    assert_int_equal(cache_wait(fixture, &rest), 0);
    assert_int_equal(rest.call.result.length, PAGE);
    assert_int_equal(cache_close(fixture, file), 0);
}

static void who_reads_on_afterwards_sees_what_has_changed(void **state)
{
    struct cache_fixture *fixture = *state;
    struct cfs_remote_file *file;
    char buffer[16] = "";
    cache_fixture_start(fixture);
    look_at_all(fixture);
    lose(fixture);
    assert_int_equal(cache_open(fixture, "folder/file", O_RDONLY, &file), 0);
    assert_int_equal(cache_read(fixture, file, 0, sizeof(buffer), buffer), 9);
    memory_remote_poke_write(fixture->memory, "folder/file", 0, "WHAT", 4);
    assert_int_equal(cache_read(fixture, file, 0, sizeof(buffer), buffer), 9);
    assert_string_equal(buffer, "what was\n");
    memory_remote_find(fixture->memory);
    assert_int_equal(cache_read(fixture, file, 0, sizeof(buffer), buffer), 9);
    assert_string_equal(buffer, "WHAT was\n");
    assert_int_equal(cache_close(fixture, file), 0);
}

static void another_file_in_its_place_is_stale(void **state)
{
    struct cache_fixture *fixture = *state;
    struct cfs_remote_file *file;
    char buffer[16] = "";
    cache_fixture_start(fixture);
    look_at_all(fixture);
    lose(fixture);
    assert_int_equal(cache_open(fixture, "folder/file", O_RDONLY, &file), 0);
    memory_remote_poke_file(fixture->memory, "folder/file", "less", 4);
    memory_remote_find(fixture->memory);
    assert_int_equal(cache_read(fixture, file, 0, sizeof(buffer), buffer), -ESTALE);
    assert_int_equal(cache_close(fixture, file), 0);
    expect_content(fixture, "folder/file", "less");
}

static void what_was_written_is_seen(void **state)
{
    struct cache_fixture *fixture = *state;
    struct cfs_remote_file *writer, *reader;
    struct cfs_remote_attributes attributes;
    struct cache_call flush;
    char buffer[32] = "";
    cache_fixture_start(fixture);
    look_at_all(fixture);
    assert_int_equal(cache_open(fixture, "folder/file", O_RDWR, &writer), 0);
    lose(fixture);
    assert_int_equal(cache_write(fixture, writer, 9, 4, "new\n"), 0);
    expect_size(fixture, "folder/file", 13);
    must_wait(fixture, &flush, flush, writer);
    expect_size(fixture, "folder/file", 13);
    assert_int_equal(cache_open(fixture, "folder/file", O_RDONLY, &reader), 0);
    assert_int_equal(cache_fstat(fixture, reader, &attributes), 0);
    assert_int_equal(attributes.size, 13);
    assert_int_equal(cache_read(fixture, reader, 0, sizeof(buffer), buffer), 13);
    assert_string_equal(buffer, "what was\nnew\n");
    memory_remote_find(fixture->memory);
    assert_int_equal(cache_wait(fixture, &flush), 0);
    assert_int_equal(cache_close(fixture, reader), 0);
    assert_int_equal(cache_close(fixture, writer), 0);
    expect_content(fixture, "folder/file", "what was\nnew\n");
}

/* While something is asked for with OPERATION, another folder takes the place of the one that it is in. */
static void replace_empty_and_lose(struct cache_fixture *fixture, enum memory_operation operation)
{
    assert_int_equal(cache_rename(fixture, "unknown", "empty", CFS_REMOTE_RENAME_REPLACE), 0);
    memory_remote_lose(fixture->memory);
    memory_remote_release(fixture->memory, operation);
}

static void a_name_that_is_gone_is_told_nothing_of_another(void **state)
{
    struct cache_fixture *fixture = *state;
    struct cache_call look;
    memory_remote_poke_mkdir(fixture->memory, "empty");
    cache_fixture_start(fixture);
    expect_size(fixture, "large", LARGE);
    assert_int_equal(cache_lstat(fixture, "empty/large", NULL), -ENOENT);
    memory_remote_advance(fixture->memory, HOUR_MS);
    fixture->when_lost = CFS_REMOTE_TELL_OLD;
    memory_remote_hold(fixture->memory, MEMORY_LSTAT);
    must_wait(fixture, &look, lstat, "empty/large");
    replace_empty_and_lose(fixture, MEMORY_LSTAT);
    assert_int_equal(cache_wait(fixture, &look), -ENOTCONN);
    cache_call_fini(&look);
    memory_remote_find(fixture->memory);
}

static void a_folder_that_is_gone_is_not_listed_as_another(void **state)
{
    struct cache_fixture *fixture = *state;
    struct cache_call list;
    memory_remote_poke_mkdir(fixture->memory, "empty");
    cache_fixture_start(fixture);
    fixture->when_lost = CFS_REMOTE_TELL_OLD;
    memory_remote_hold(fixture->memory, MEMORY_OPEN_LISTING);
    must_wait(fixture, &list, open_listing, "empty/folder");
    replace_empty_and_lose(fixture, MEMORY_OPEN_LISTING);
    assert_int_equal(cache_wait(fixture, &list), -ENOTCONN);
    cache_call_fini(&list);
    memory_remote_find(fixture->memory);
}

#define CHECK(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        CHECK(names_are_told_as_they_were),
        CHECK(nothing_old_is_told_afterwards),
        CHECK(who_is_not_content_with_that_waits),
        CHECK(what_is_not_known_waits),
        CHECK(what_was_under_way_is_told_as_it_was),
        CHECK(what_is_kept_of_a_file_is_read_and_the_rest_waits),
        CHECK(who_reads_on_afterwards_sees_what_has_changed),
        CHECK(another_file_in_its_place_is_stale),
        CHECK(what_was_written_is_seen),
        CHECK(a_name_that_is_gone_is_told_nothing_of_another),
        CHECK(a_folder_that_is_gone_is_not_listed_as_another),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

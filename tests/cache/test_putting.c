/* Small files with durability = close: they go to the server when they are closed, complete; what becomes of what
 * fails, and of files that are gone on with. */
#include "lib/test.h"

#include "base/later.h"
#include "lib/cache_fixture.h"
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/stat.h>

enum { ROUND_TRIP_MS = 40, M = 1 << 20, NEW = O_CREAT | O_EXCL | O_WRONLY };

/* A folder of our own, and the number of requests from then on. */
static void begin_seeded(struct cache_fixture *fixture, uint64_t seed)
{
    struct memory_remote_options memory = {.seed = seed, .latency_ms = ROUND_TRIP_MS, .tells_changes = true};
    cache_fixture_init(fixture, &memory);
    fixture->options.cache_size = fixture->options.dirty_limit = 4 * M;
    cache_fixture_start(fixture);
    memory_remote_advance(fixture->memory, 1000000);
    assert_int_equal(cache_mkdir(fixture, "new"), 0);
    assert_int_equal(cache_sync(fixture), 0);
    (void)cache_cost(fixture);
}

static void begin(struct cache_fixture *fixture)
{
    begin_seeded(fixture, 0);
}

static void end(struct cache_fixture *fixture, uint64_t failures)
{
    struct cfs_cache_failures told;
    (void)cache_sync(fixture);
    cfs_cache_finish(fixture->cache, &told);
    assert_int_equal(told.count, failures);
    cache_fixture_fini(fixture);
}

static struct cfs_remote_file *make(struct cache_fixture *fixture, const char *path, int flags)
{
    struct cfs_remote_file *file = NULL;
    assert_int_equal(cache_lstat(fixture, path, NULL), -ENOENT);
    assert_int_equal(cache_open(fixture, path, flags, &file), 0);
    return file;
}

static void write_text(struct cache_fixture *fixture, struct cfs_remote_file *file, uint64_t offset, const char *text)
{
    assert_int_equal(cache_write(fixture, file, offset, strlen(text), text), 0);
}

static void expect_server(struct cache_fixture *fixture, const char *path, const char *content)
{
    char bytes[64];
    ssize_t length = memory_remote_peek(fixture->memory, path, 0, bytes, sizeof(bytes));
    assert_int_equal(length, strlen(content));
    assert_memory_equal(bytes, content, strlen(content));
}

static uint64_t puts_of(struct cache_fixture *fixture)
{
    return memory_remote_count(fixture->memory, MEMORY_PUT);
}

static uint64_t opens_of(struct cache_fixture *fixture)
{
    return memory_remote_count(fixture->memory, MEMORY_OPEN);
}

static void test_nothing_is_sent_before_the_file_is_complete(void **state)
{
    const struct cfs_remote_attributes times = {.valid = CFS_REMOTE_TIMES, .atime = 5, .mtime = 6};
    const struct cfs_remote_attributes mode = {.valid = CFS_REMOTE_MODE, .mode = 0640};
    struct cfs_remote_attributes is;
    struct cache_fixture f, *fixture = &f;
    begin(fixture);
    struct cfs_remote_file *file = make(fixture, "new/file", NEW);
    write_text(fixture, file, 0, "da");
    write_text(fixture, file, 2, "ta");
    assert_int_equal(cache_fsetattr(fixture, file, &times), 0);
    assert_int_equal(cache_setattr(fixture, "new/file", &mode), 0);
    assert_int_equal(cache_fstat(fixture, file, &is), 0);
    assert_int_equal(is.mode, S_IFREG | 0640);
    assert_int_equal(is.size, 4);
    assert_int_equal(is.mtime, 6);
    assert_int_equal(cache_cost(fixture), 0);
    assert_int_equal(cache_flush(fixture, file), 0);
    assert_int_equal(cache_close(fixture, file), 0);
    assert_int_equal(cache_cost(fixture), 1);
    expect_server(fixture, "new/file", "data");
    assert_int_equal(memory_tree_lstat(memory_remote_tree(fixture->memory), "new/file", &is), 0);
    assert_int_equal(is.mode, S_IFREG | 0640);
    assert_int_equal(is.mtime, 6);
    file = make(fixture, "new/empty", NEW);
    assert_int_equal(cache_close(fixture, file), 0); /* without a flush */
    expect_server(fixture, "new/empty", "");
    assert_int_equal(cache_cost(fixture), 1);
    end(fixture, 0);
}

static void test_what_was_put_is_read_from_memory(void **state)
{
    const struct cfs_remote_attributes old = {.valid = CFS_REMOTE_TIMES, .atime = 5, .mtime = 6};
    struct cache_fixture f, *fixture = &f;
    struct cfs_remote_file *file;
    char bytes[8];
    begin(fixture);
    file = make(fixture, "new/file", NEW);
    write_text(fixture, file, 0, "data");
    assert_int_equal(cache_fsetattr(fixture, file, &old), 0); /* else it is compared before it is used */
    assert_int_equal(cache_close(fixture, file), 0);
    assert_int_equal(cache_open(fixture, "new/file", O_RDONLY, &file), 0);
    assert_int_equal(cache_read(fixture, file, 0, sizeof(bytes), bytes), 4);
    assert_memory_equal(bytes, "data", 4);
    assert_int_equal(memory_remote_bytes_read(fixture->memory), 0);
    assert_int_equal(cache_close(fixture, file), 0);
    end(fixture, 0);
}

/* Each error by the one that waits for the file; nothing is left to be told at the end. */
static void test_close_tells_what_became_of_it(void **state)
{
    static const struct {
        enum memory_operation operation;
        int error;
    } faults[] = {{MEMORY_PUT, -EACCES}, {MEMORY_OPEN, -EACCES}, {MEMORY_WRITE, -ENOSPC}, {MEMORY_PUT, -ENOTCONN}};
    for (size_t i = 0; i < CFS_COUNT(faults); i++) {
        struct cache_fixture f, *fixture = &f;
        begin(fixture);
        struct cfs_remote_file *file = make(fixture, "new/file", NEW);
        write_text(fixture, file, 0, "data");
        memory_remote_fail_all(fixture->memory, faults[i].operation, faults[i].error);
        assert_int_equal(cache_flush(fixture, file), faults[i].error);
        assert_int_equal(cache_write(fixture, file, 4, 4, "more"), faults[i].error);
        assert_int_equal(cache_flush(fixture, file), faults[i].error);
        memory_remote_fail_all(fixture->memory, faults[i].operation, 0);
        (void)cache_close(fixture, file);
        assert_int_equal(cache_lstat(fixture, "new/file", NULL), i == 2 ? 0 : -ENOENT); /* the server is asked */
        end(fixture, 0);
    }
}

static void test_what_somebody_else_has_made_meanwhile_is_left_alone(void **state)
{
    struct cache_fixture f, *fixture = &f;
    begin(fixture);
    struct cfs_remote_file *file = make(fixture, "new/lock", NEW);
    write_text(fixture, file, 0, "ours");
    memory_remote_poke_file(fixture->memory, "new/lock", "theirs", 6);
    assert_int_equal(cache_flush(fixture, file), -EEXIST);
    (void)cache_close(fixture, file);
    expect_server(fixture, "new/lock", "theirs");
    /* Who did not ask for O_EXCL gets what his flags say. */
    file = make(fixture, "new/shared", O_CREAT | O_WRONLY);
    write_text(fixture, file, 0, "ou");
    memory_remote_poke_file(fixture->memory, "new/shared", "theirs", 6);
    assert_int_equal(cache_flush(fixture, file), 0);
    expect_server(fixture, "new/shared", "oueirs");
    write_text(fixture, file, 2, "rs");
    assert_int_equal(cache_close(fixture, file), 0);
    expect_server(fixture, "new/shared", "oursrs");
    file = make(fixture, "new/cut", O_CREAT | O_TRUNC | O_WRONLY);
    write_text(fixture, file, 0, "ours");
    memory_remote_poke_file(fixture->memory, "new/cut", "theirs", 6);
    assert_int_equal(cache_close(fixture, file), 0);
    expect_server(fixture, "new/cut", "ours");
    end(fixture, 0);
}

static void test_o_excl_in_a_folder_of_others_asks_the_server(void **state)
{
    struct cache_fixture f, *fixture = &f;
    struct cfs_remote_file *file;
    char path[32];
    begin(fixture);
    memory_remote_poke_mkdir(fixture->memory, "theirs");
    memory_remote_advance(fixture->memory, 20000);
    free(cache_list(fixture, "theirs", &(int){0}));
    assert_int_equal(cache_create(fixture, "theirs/first", ""), 0); /* it lets us */
    free(cache_list(fixture, "theirs", &(int){0}));
    assert_int_equal(cache_lstat(fixture, "theirs/lock", NULL), -ENOENT);
    memory_remote_poke_file(fixture->memory, "theirs/lock", "theirs", 6);
    assert_int_equal(cache_open(fixture, "theirs/lock", NEW, &file), -EEXIST);
    /* Our own gets old, too, although it is used. */
    for (int minute = 0; minute < 11; minute++) {
        memory_remote_advance(fixture->memory, 55000);
        snprintf(path, sizeof(path), "new/%d", minute);
        assert_int_equal(cache_lstat(fixture, path, NULL), -ENOENT);
        assert_int_equal(cache_create(fixture, path, "data"), 0);
    }
    assert_int_equal(cache_lstat(fixture, "new/plain", NULL), -ENOENT);
    (void)cache_cost(fixture);
    assert_int_equal(cache_open(fixture, "new/plain", O_CREAT | O_WRONLY, &file), 0);
    assert_int_equal(cache_cost(fixture), 0);
    assert_int_equal(cache_close(fixture, file), 0);
    assert_int_equal(cache_lstat(fixture, "new/lock", NULL), -ENOENT);
    memory_remote_poke_file(fixture->memory, "new/lock", "theirs", 6);
    assert_int_equal(cache_open(fixture, "new/lock", NEW, &file), -EEXIST);
    end(fixture, 0);
}

static void test_a_file_is_gone_on_with_after_it_was_put(void **state)
{
    struct cache_fixture f, *fixture = &f;
    struct cfs_remote_attributes is;
    char bytes[16];
    begin(fixture);
    struct cfs_remote_file *file = make(fixture, "new/file", O_CREAT | O_EXCL | O_RDWR);
    write_text(fixture, file, 0, "data");
    assert_int_equal(cache_flush(fixture, file), 0);
    assert_int_equal(cache_flush(fixture, file), 0);
    assert_int_equal(opens_of(fixture), 0);
    assert_int_equal(cache_rename(fixture, "new/file", "new/moved", CFS_REMOTE_RENAME_REPLACE), 0);
    write_text(fixture, file, 4, " and more");
    assert_int_equal(cache_read(fixture, file, 0, sizeof(bytes), bytes), 13);
    assert_int_equal(cache_fstat(fixture, file, &is), 0);
    assert_int_equal(is.size, 13);
    assert_int_equal(cache_flush(fixture, file), 0);
    expect_server(fixture, "new/moved", "data and more");
    assert_int_equal(cache_close(fixture, file), 0);
    assert_int_equal(puts_of(fixture), 1);
    assert_int_equal(opens_of(fixture), 1);
    end(fixture, 0);
}

/* { echo one; touch -d DATE file; echo two; } >file, where each flushes. */
static void test_its_time_may_be_set_before_it_is_gone_on_with(void **state)
{
    static const struct cfs_remote_attributes times = {.valid = CFS_REMOTE_TIMES, .atime = 5, .mtime = 6};
    struct cache_fixture f, *fixture = &f;
    begin(fixture);
    struct cfs_remote_file *file = make(fixture, "new/file", NEW);
    write_text(fixture, file, 0, "one");
    assert_int_equal(cache_flush(fixture, file), 0);
    assert_int_equal(puts_of(fixture), 1);
    assert_int_equal(cache_setattr(fixture, "new/file", &times), 0);
    write_text(fixture, file, 3, "two");
    assert_int_equal(cache_flush(fixture, file), 0);
    expect_server(fixture, "new/file", "onetwo");
    assert_int_equal(cache_close(fixture, file), 0);
    end(fixture, 0);
}

struct last_call {
    struct cache_call call;
    struct cache_fixture *fixture;
    struct cfs_remote_file *file;
    struct cache_call close;
};

/* Closes the file as soon as it is told to be done, which may be before the call is out of the cache. */
static void close_it(struct cfs_remote_call *call)
{
    struct last_call *last = cfs_container_of(call, struct last_call, call.call);
    last->fixture->operations->close(last->fixture->cache, &last->close.call, last->file);
    assert_int_equal(cache_wait(last->fixture, &last->close), 0);
}

static void test_a_close_does_not_overtake_the_call_before_it(void **state)
{
    struct cache_fixture f, *fixture = &f;
    begin(fixture);
    struct last_call last = {.fixture = fixture, .file = make(fixture, "new/file", O_CREAT | O_EXCL | O_RDWR)};
    write_text(fixture, last.file, 0, "data");
    assert_int_equal(cache_flush(fixture, last.file), 0);
    cache_call_init(&last.call);
    cache_call_init(&last.close);
    last.call.call.done = close_it;
    cfs_later_begin();
    fixture->operations->fstat(fixture->cache, &last.call.call, last.file);
    cfs_later_end(); /* answered from memory, here */
    assert_int_equal(last.close.completed, 1);
    end(fixture, 0);
}

static void test_an_open_file_that_was_put_outlives_its_name(void **state)
{
    struct cache_fixture f, *fixture = &f;
    char bytes[16];
    begin(fixture);
    struct cfs_remote_file *file = make(fixture, "new/file", O_CREAT | O_EXCL | O_RDWR);
    write_text(fixture, file, 0, "data");
    assert_int_equal(cache_flush(fixture, file), 0);
    assert_int_equal(cache_unlink(fixture, "new/file"), 0);
    write_text(fixture, file, 4, " and more");
    assert_int_equal(cache_read(fixture, file, 0, sizeof(bytes), bytes), 13);
    assert_memory_equal(bytes, "data and more", 13);
    assert_int_equal(cache_close(fixture, file), 0);
    end(fixture, 0);
}

/* After that it could not be opened for writing any more. */
static void test_a_file_that_becomes_read_only_is_opened_before(void **state)
{
    const struct cfs_remote_attributes mode = {.valid = CFS_REMOTE_MODE, .mode = 0400};
    struct cfs_remote_attributes is;
    struct cache_fixture f, *fixture = &f;
    begin(fixture);
    struct cfs_remote_file *file = make(fixture, "new/file", NEW);
    write_text(fixture, file, 0, "data");
    assert_int_equal(cache_flush(fixture, file), 0);
    memory_remote_hold(fixture->memory, MEMORY_SETATTR);
    assert_int_equal(cache_setattr(fixture, "new/file", &mode), 0);
    cache_run(fixture);
    assert_int_equal(opens_of(fixture), 1);
    memory_remote_release(fixture->memory, MEMORY_SETATTR);
    memory_remote_fail_all(fixture->memory, MEMORY_OPEN, -EACCES);
    assert_int_equal(cache_sync(fixture), 0);
    write_text(fixture, file, 4, " and more");
    assert_int_equal(cache_flush(fixture, file), 0);
    assert_int_equal(cache_close(fixture, file), 0);
    memory_remote_fail_all(fixture->memory, MEMORY_OPEN, 0);
    expect_server(fixture, "new/file", "data and more");
    assert_int_equal(memory_tree_lstat(memory_remote_tree(fixture->memory), "new/file", &is), 0);
    assert_int_equal(is.mode, S_IFREG | 0400);
    end(fixture, 0);
}

static void test_two_that_write_one_file_see_each_other(void **state)
{
    struct cache_fixture f, *fixture = &f;
    struct cfs_remote_file *other;
    begin(fixture);
    struct cfs_remote_file *file = make(fixture, "new/file", NEW);
    write_text(fixture, file, 0, "data");
    assert_int_equal(cache_flush(fixture, file), 0);
    assert_int_equal(cache_open(fixture, "new/file", O_WRONLY, &other), 0);
    write_text(fixture, other, 4, " and more");
    assert_int_equal(cache_close(fixture, other), 0);
    write_text(fixture, file, 0, "DATA");
    assert_int_equal(cache_close(fixture, file), 0);
    expect_server(fixture, "new/file", "DATA and more");
    end(fixture, 0);
}

/* The remote in memory tells only now and then what it has opened. */
static void test_another_file_in_its_place_is_not_written_to(void **state)
{
    unsigned seen = 0;
    for (uint64_t seed = 0; seed < 16; seed++) {
        struct cache_fixture f, *fixture = &f;
        begin_seeded(fixture, seed);
        struct cfs_remote_file *file = make(fixture, "new/file", NEW);
        write_text(fixture, file, 0, "data");
        assert_int_equal(cache_flush(fixture, file), 0);
        memory_remote_poke_remove(fixture->memory, "new/file");
        memory_remote_poke_file(fixture->memory, "new/file", "theirs", 6);
        (void)cache_write(fixture, file, 4, 4, "more");
        if (cache_flush(fixture, file) == -ESTALE) {
            expect_server(fixture, "new/file", "theirs");
            seen++;
        }
        (void)cache_close(fixture, file);
        end(fixture, 0);
    }
    assert_in_range(seen, 4, 16);
}

static void test_what_needs_the_file_has_it_made(void **state)
{
    struct cache_fixture f, *fixture = &f;
    struct cfs_remote_file *file, *reader;
    char bytes[8];
    begin(fixture);
    file = make(fixture, "new/read", O_CREAT | O_EXCL | O_RDWR);
    write_text(fixture, file, 0, "data");
    assert_int_equal(cache_read(fixture, file, 0, sizeof(bytes), bytes), 4);
    assert_int_equal(cache_close(fixture, file), 0);
    file = make(fixture, "new/opened", NEW);
    write_text(fixture, file, 0, "data");
    assert_int_equal(cache_open(fixture, "new/opened", O_RDONLY, &reader), 0);
    assert_int_equal(cache_read(fixture, reader, 0, sizeof(bytes), bytes), 4);
    assert_int_equal(cache_close(fixture, reader), 0);
    assert_int_equal(cache_close(fixture, file), 0);
    file = make(fixture, "new/renamed", NEW);
    write_text(fixture, file, 0, "data");
    assert_int_equal(cache_rename(fixture, "new/renamed", "new/to", CFS_REMOTE_RENAME_REPLACE), 0);
    assert_int_equal(cache_close(fixture, file), 0);
    file = make(fixture, "new/removed", NEW);
    write_text(fixture, file, 0, "data");
    assert_int_equal(cache_unlink(fixture, "new/removed"), 0);
    assert_int_equal(cache_close(fixture, file), 0);
    file = make(fixture, "new/gaps", NEW);
    write_text(fixture, file, 2, "ta");
    write_text(fixture, file, 0, "da");
    assert_int_equal(cache_close(fixture, file), 0);
    assert_int_equal(puts_of(fixture), 0);
    expect_server(fixture, "new/read", "data");
    expect_server(fixture, "new/opened", "data");
    expect_server(fixture, "new/to", "data");
    expect_server(fixture, "new/gaps", "data");
    end(fixture, 0);
}

/* In order, although it was not told to the server at once: first mode and times as they were set then. */
static void test_what_was_set_before_it_was_made_stays_in_order(void **state)
{
    const struct cfs_remote_attributes first = {
        .valid = CFS_REMOTE_TIMES | CFS_REMOTE_MODE, .atime = 5, .mtime = 6, .mode = 0600};
    const struct cfs_remote_attributes second = {.valid = CFS_REMOTE_MODE, .mode = 0755};
    struct cfs_remote_attributes is;
    struct cache_fixture f, *fixture = &f;
    begin(fixture);
    struct cfs_remote_file *file = make(fixture, "new/file", NEW);
    write_text(fixture, file, 0, "data");
    assert_int_equal(cache_fsetattr(fixture, file, &first), 0);
    assert_int_equal(cache_rename(fixture, "new/file", "new/moved", CFS_REMOTE_RENAME_REPLACE), 0);
    assert_int_equal(cache_fsetattr(fixture, file, &second), 0);
    assert_int_equal(cache_sync(fixture), 0);
    assert_int_equal(cache_close(fixture, file), 0);
    assert_int_equal(memory_tree_lstat(memory_remote_tree(fixture->memory), "new/moved", &is), 0);
    assert_int_equal(is.mode, S_IFREG | 0755);
    assert_int_equal(is.mtime, 6);
    expect_server(fixture, "new/moved", "data");
    end(fixture, 0);
}

static void test_a_large_file_is_opened(void **state)
{
    static char bytes[100000];
    struct cache_fixture f, *fixture = &f;
    begin(fixture);
    struct cfs_remote_file *file = make(fixture, "new/file", NEW);
    for (int i = 0; i < 10; i++)
        assert_int_equal(cache_write(fixture, file, (uint64_t)i * sizeof(bytes), sizeof(bytes), bytes), 0);
    assert_int_equal(opens_of(fixture), 1);
    assert_int_equal(cache_close(fixture, file), 0);
    assert_int_equal(puts_of(fixture), 0);
    assert_int_equal(memory_remote_bytes_written(fixture->memory), 10 * sizeof(bytes));
    end(fixture, 0);
}

static void test_what_nobody_closes_is_made_after_a_while(void **state)
{
    struct cache_fixture f, *fixture = &f;
    struct cfs_remote_attributes is;
    begin(fixture);
    struct cfs_remote_file *file = make(fixture, "new/file", NEW);
    test_wait_until((memory_remote_advance(fixture->memory, 100), cache_turn(fixture),
                     memory_tree_lstat(memory_remote_tree(fixture->memory), "new/file", &is) == 0));
    write_text(fixture, file, 0, "data");
    assert_int_equal(cache_close(fixture, file), 0);
    assert_int_equal(puts_of(fixture), 0);
    expect_server(fixture, "new/file", "data");
    end(fixture, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_nothing_is_sent_before_the_file_is_complete),
        cmocka_unit_test(test_what_was_put_is_read_from_memory),
        cmocka_unit_test(test_close_tells_what_became_of_it),
        cmocka_unit_test(test_what_somebody_else_has_made_meanwhile_is_left_alone),
        cmocka_unit_test(test_o_excl_in_a_folder_of_others_asks_the_server),
        cmocka_unit_test(test_a_file_is_gone_on_with_after_it_was_put),
        cmocka_unit_test(test_its_time_may_be_set_before_it_is_gone_on_with),
        cmocka_unit_test(test_a_close_does_not_overtake_the_call_before_it),
        cmocka_unit_test(test_an_open_file_that_was_put_outlives_its_name),
        cmocka_unit_test(test_a_file_that_becomes_read_only_is_opened_before),
        cmocka_unit_test(test_two_that_write_one_file_see_each_other),
        cmocka_unit_test(test_another_file_in_its_place_is_not_written_to),
        cmocka_unit_test(test_what_needs_the_file_has_it_made),
        cmocka_unit_test(test_what_was_set_before_it_was_made_stays_in_order),
        cmocka_unit_test(test_a_large_file_is_opened),
        cmocka_unit_test(test_what_nobody_closes_is_made_after_a_while),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

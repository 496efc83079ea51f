/* Files opened ahead of programs that go through a folder or a tree: what it saves, and that nothing untrue is told. */
#include "lib/test.h"

#include "base/text.h"
#include "lib/cache_fixture.h"
#include <fcntl.h>
#include <pthread.h>
#include <sched.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

enum { K = 1024, M = 1024 * 1024, LATENCY_MS = 40, FILES = 40 };

/* By which the numbers' order is another than that of the listing and of the names. */
static uint64_t number_of(const char *path)
{
    uint64_t number = 7;
    for (; *path; path++)
        number = number * 1000003 + (unsigned char)*path;
    return number * UINT64_C(0x9e3779b97f4a7c15);
}

static void poke(struct cache_fixture *fixture, const char *path, size_t length)
{
    char *bytes = calloc(1, length + 1);
    assert_non_null(bytes);
    for (size_t i = 0; i < length; i++)
        bytes[i] = (char)(path[strlen(path) - 1] + i % 7);
    memory_remote_poke_file(fixture->memory, path, bytes, length);
    memory_remote_poke_mtime(fixture->memory, path, 1000000000);
    free(bytes);
}

static char *path_of(const char *folder, int number)
{
    char *path = cfs_text_format("%s/file%02d", folder, number);
    assert_non_null(path);
    return path;
}

static void make_folder(struct cache_fixture *fixture, const char *folder, int files)
{
    memory_remote_poke_mkdir(fixture->memory, folder);
    for (int i = 0; i < files; i++) {
        char *path = path_of(folder, i);
        poke(fixture, path, 1000);
        free(path);
    }
    memory_remote_poke_mtime(fixture->memory, folder, 1000000000);
}

static struct cache_fixture *begin_from(struct cache_fixture *fixture, uint32_t latency_ms, uint64_t seed)
{
    struct memory_remote_options memory = {.latency_ms = latency_ms, .seed = seed};
    cache_fixture_init(fixture, &memory);
    fixture->options.cache_size = 64 * M;
    fixture->options.dirty_limit = 4 * M;
    fixture->options.prefetch = true;
    fixture->options.number = number_of;
    cache_fixture_start(fixture);
    make_folder(fixture, "folder", FILES);
    return fixture;
}

static struct cache_fixture *begin(struct cache_fixture *fixture, uint32_t latency_ms)
{
    return begin_from(fixture, latency_ms, 0);
}

static void list(struct cache_fixture *fixture, const char *path)
{
    int error;
    char *names = cache_list(fixture, path, &error);
    assert_int_equal(error, 0);
    free(names);
}

static struct cfs_cache_status status(struct cache_fixture *fixture)
{
    struct cfs_cache_status now;
    cfs_cache_status(fixture->cache, &now);
    return now;
}

/* Nobody waits for a close. */
static struct cache_call closes[1000];
static size_t closing;

static void begin_close(struct cache_fixture *fixture, struct cfs_remote_file *file)
{
    struct cache_call *call = &closes[closing++];
    assert_true(closing < CFS_COUNT(closes));
    cache_call_init(call);
    fixture->operations->close(fixture->cache, &call->call, file);
}

static void end(struct cache_fixture *fixture)
{
    for (; closing > 0; closing--)
        assert_int_equal(cache_wait(fixture, &closes[closing - 1]), 0);
    cache_fixture_fini(fixture);
}

static void read_file(struct cache_fixture *fixture, const char *path, size_t length)
{
    struct cfs_remote_file *file;
    char *bytes = calloc(1, length + 10);
    assert_non_null(bytes);
    assert_int_equal(cache_open(fixture, path, O_RDONLY, &file), 0);
    assert_int_equal(cache_read(fixture, file, 0, length + 10, bytes), length);
    for (size_t i = 0; i < length; i++)
        assert_int_equal(bytes[i], (char)(path[strlen(path) - 1] + i % 7));
    begin_close(fixture, file);
    free(bytes);
}

static void read_numbered(struct cache_fixture *fixture, int from, int until)
{
    for (int i = from; i < until; i++) {
        char *path = path_of("folder", i);
        read_file(fixture, path, 1000);
        free(path);
    }
}

/* In round trips. */
static int64_t since(struct cache_fixture *fixture, int64_t *before)
{
    int64_t now = cfs_clock_ms(memory_remote_clock(fixture->memory)), trips = (now - *before) / LATENCY_MS;
    *before = now;
    return trips;
}

/* --- what it saves --- */

static void test_the_files_of_a_folder_are_here_when_they_are_opened(void **state)
{
    struct cache_fixture fixture;
    int64_t time = 0;
    begin(&fixture, LATENCY_MS);
    list(&fixture, "folder");
    read_numbered(&fixture, 0, 3);
    since(&fixture, &time);
    read_numbered(&fixture, 3, FILES);
    /* 37 files: two round trips each without it. */
    assert_in_range(since(&fixture, &time), 1, 8);
    assert_true(status(&fixture).prefetch_used_files >= FILES - 6);
    /* Each was opened, read and closed once. */
    assert_int_equal(memory_remote_count(fixture.memory, MEMORY_OPEN), FILES);
    assert_int_equal(memory_remote_count(fixture.memory, MEMORY_READ), FILES);
    end(&fixture);
}

static int by_number(const void *a, const void *b)
{
    uint64_t first = number_of(*(char *const *)a), second = number_of(*(char *const *)b);
    return first < second ? -1 : first > second;
}

/* As cp -r does. */
static void test_a_program_may_go_by_the_numbers_of_files(void **state)
{
    struct cache_fixture fixture;
    char *paths[FILES];
    int64_t time = 0;
    begin(&fixture, LATENCY_MS);
    list(&fixture, "folder");
    for (int i = 0; i < FILES; i++)
        paths[i] = path_of("folder", i);
    qsort(paths, FILES, sizeof(*paths), by_number);
    for (int i = 0; i < FILES; i++) {
        if (i == 5)
            since(&fixture, &time);
        read_file(&fixture, paths[i], 1000);
        free(paths[i]);
    }
    assert_in_range(since(&fixture, &time), 1, 8);
    assert_int_equal(memory_remote_count(fixture.memory, MEMORY_OPEN), FILES);
    end(&fixture);
}

/* The folders of a tree, each with a few files: listed and read one after another, as grep -r does. */
static void test_the_files_of_the_next_folders_of_a_walk_are_here_as_well(void **state)
{
    enum { FOLDERS = 20, IN_EACH = 4 };
    struct cache_fixture fixture;
    int64_t time = 0;
    begin(&fixture, LATENCY_MS);
    memory_remote_poke_mkdir(fixture.memory, "tree");
    for (int i = 0; i < FOLDERS; i++) {
        char *folder = cfs_text_format("tree/folder%02d", i);
        make_folder(&fixture, folder, IN_EACH);
        free(folder);
    }
    memory_remote_poke_mtime(fixture.memory, "tree", 1000000000);
    list(&fixture, "tree");
    for (int i = 0; i < FOLDERS; i++) {
        char *folder = cfs_text_format("tree/folder%02d", i);
        if (i == 3)
            since(&fixture, &time);
        list(&fixture, folder);
        for (int j = 0; j < IN_EACH; j++) {
            char *path = path_of(folder, j);
            read_file(&fixture, path, 1000);
            free(path);
        }
        free(folder);
    }
    assert_in_range(since(&fixture, &time), 1, 12);
    assert_true(memory_remote_count(fixture.memory, MEMORY_OPEN) <= FOLDERS * IN_EACH + 2);
    end(&fixture);
}

static void test_of_a_large_file_only_the_beginning_is_fetched(void **state)
{
    struct cache_fixture fixture;
    struct cfs_remote_file *file;
    begin(&fixture, 0);
    poke(&fixture, "folder/file03", 900 * K);
    poke(&fixture, "folder/file04", 3 * M);
    list(&fixture, "folder");
    read_numbered(&fixture, 0, 2);
    uint64_t before = memory_remote_bytes_read(fixture.memory);
    assert_int_equal(cache_open(&fixture, "folder/file02", O_RDONLY, &file), 0);
    cache_run(&fixture);
    assert_int_equal(memory_remote_bytes_read(fixture.memory) - before, 900 * K + 256 * K + 2 * 1000);
    assert_int_equal(cache_close(&fixture, file), 0);
    read_file(&fixture, "folder/file03", 900 * K);
    end(&fixture);
}

static void test_who_opens_here_and_there_gets_nothing_ahead(void **state)
{
    struct cache_fixture fixture;
    begin(&fixture, 0);
    list(&fixture, "folder");
    for (int i = 0; i < FILES; i++) {
        char *path = path_of("folder", i * 17 % FILES);
        read_file(&fixture, path, 1000);
        free(path);
    }
    assert_int_equal(status(&fixture).prefetched_files, 0);
    end(&fixture);
}

static void test_it_is_off_without_prefetch(void **state)
{
    struct cache_fixture fixture;
    cache_fixture_init(&fixture, NULL);
    fixture.options.cache_size = 64 * M;
    fixture.options.prefetch = false;
    cache_fixture_start(&fixture);
    make_folder(&fixture, "folder", FILES);
    list(&fixture, "folder");
    read_numbered(&fixture, 0, FILES);
    assert_int_equal(status(&fixture).prefetched_files, 0);
    end(&fixture);
}

/* All that was opened ahead meanwhile has been closed. */
static void test_a_program_that_pauses_does_not_go_on_more_slowly(void **state)
{
    struct cache_fixture fixture;
    int64_t time = 0;
    begin(&fixture, LATENCY_MS);
    list(&fixture, "folder");
    read_numbered(&fixture, 0, 8);
    for (int i = 0; i < 3; i++) {
        memory_remote_advance(fixture.memory, 1000);
        cache_run(&fixture);
    }
    since(&fixture, &time);
    read_numbered(&fixture, 8, FILES);
    assert_in_range(since(&fixture, &time), 1, 8); /* 32 without */
    end(&fixture);
}

/* As git does with what it has in its index, file after file, by name, with no listing. */
static void test_who_looks_at_file_after_file_gets_the_listings_of_the_tree(void **state)
{
    enum { FOLDERS = 20, IN_EACH = 10 };
    struct cache_fixture fixture;
    int64_t time = 0;
    begin(&fixture, LATENCY_MS);
    memory_remote_poke_mkdir(fixture.memory, "tree");
    for (int i = 0; i < FOLDERS; i++) {
        char *folder = cfs_text_format("tree/folder%02d", i);
        make_folder(&fixture, folder, IN_EACH);
        free(folder);
    }
    for (int i = 0; i < 3; i++) {
        char *path = path_of("tree", i);
        poke(&fixture, path, 10);
        assert_int_equal(cache_lstat(&fixture, path, NULL), 0);
        free(path);
    }
    memory_remote_poke_mtime(fixture.memory, "tree", 1000000000);
    since(&fixture, &time);
    for (int i = 0; i < FOLDERS; i++) {
        char *folder = cfs_text_format("tree/folder%02d", i);
        assert_int_equal(cache_lstat(&fixture, folder, NULL), 0);
        for (int j = 0; j < IN_EACH; j++) {
            char *path = path_of(folder, j);
            assert_int_equal(cache_lstat(&fixture, path, NULL), 0);
            free(path);
        }
        free(folder);
    }
    assert_in_range(since(&fixture, &time), 1, 30); /* 220 without it */
    assert_true(memory_remote_count(fixture.memory, MEMORY_OPEN_LISTING) <= FOLDERS + 1);
    end(&fixture);
}

static void test_who_looks_at_one_file_again_and_again_gets_no_listing(void **state)
{
    struct cache_fixture fixture;
    begin(&fixture, 0);
    for (int i = 0; i < 10; i++) {
        assert_int_equal(cache_lstat(&fixture, "folder/file01", NULL), 0);
        assert_int_equal(cache_lstat(&fixture, "folder/file02", NULL), 0);
        memory_remote_advance(fixture.memory, 61000);
    }
    assert_int_equal(memory_remote_count(fixture.memory, MEMORY_OPEN_LISTING), 0);
    end(&fixture);
}

/* How often the folder is listed when four of its names are looked at, so long after it changed. */
static unsigned listings_after(int64_t seconds)
{
    struct cache_fixture fixture;
    begin(&fixture, 0);
    const struct cfs_clock *clock = memory_remote_clock(fixture.memory);
    memory_remote_poke_mtime(fixture.memory, "folder", clock->wall(clock).tv_sec - seconds);
    assert_int_equal(cache_lstat(&fixture, "folder", NULL), 0);
    for (int i = 0; i < 4; i++) {
        char *path = path_of("folder", i);
        assert_int_equal(cache_lstat(&fixture, path, NULL), 0);
        free(path);
    }
    unsigned count = (unsigned)memory_remote_count(fixture.memory, MEMORY_OPEN_LISTING);
    end(&fixture);
    return count;
}

static void test_a_folder_that_changes_just_now_is_not_listed_for_looks(void **state)
{
    assert_int_equal(listings_after(0), 0);
    assert_int_equal(listings_after(1), 0);
    assert_int_equal(listings_after(4), 1);
}

/* --- what nobody wants --- */

static void test_what_nobody_takes_is_closed_soon_and_it_stops(void **state)
{
    struct cache_fixture fixture;
    begin(&fixture, 0);
    list(&fixture, "folder");
    read_numbered(&fixture, 0, 8);
    cache_run(&fixture);
    assert_true(memory_remote_open_files(fixture.memory) > 0);
    uint64_t opened = status(&fixture).prefetched_files;
    memory_remote_advance(fixture.memory, 2000);
    for (int i = 0; i < 5; i++)
        cache_run(&fixture);
    assert_int_equal(memory_remote_open_files(fixture.memory), 0);
    assert_int_equal(status(&fixture).prefetched_files, opened);
    assert_int_equal(status(&fixture).prefetch_wasted_files + status(&fixture).prefetch_used_files, opened);
    end(&fixture);
}

static void test_files_ahead_stay_within_their_number_and_bytes(void **state)
{
    enum { MANY = 300 };
    struct cache_fixture fixture;
    begin(&fixture, LATENCY_MS);
    make_folder(&fixture, "many", MANY);
    for (int i = 0; i < MANY; i++) {
        char *path = path_of("many", i);
        if (i % 2)
            poke(&fixture, path, 600 * K);
        free(path);
    }
    list(&fixture, "many");
    for (int i = 0; i < MANY; i++) {
        char *path = path_of("many", i);
        read_file(&fixture, path, i % 2 ? 600 * K : 1000);
        assert_in_range(memory_remote_open_files(fixture.memory), 0, 64 + 8);
        assert_true(status(&fixture).prefetched_bytes <= (uint64_t)(i / 2 + 1) * 600 * K + 9 * M);
        free(path);
    }
    end(&fixture);
}

/* --- what must not be told --- */

static void open_ahead(struct cache_fixture *fixture)
{
    list(fixture, "folder");
    read_numbered(fixture, 0, 4);
    cache_run(fixture);
    assert_true(memory_remote_open_files(fixture->memory) > 0);
}

static void expect(struct cache_fixture *fixture, const char *path, const char *expected)
{
    struct cfs_remote_file *file;
    char bytes[100] = "";
    assert_int_equal(cache_open(fixture, path, O_RDONLY, &file), 0);
    assert_int_equal(cache_read(fixture, file, 0, 99, bytes), strlen(expected));
    assert_string_equal(bytes, expected);
    assert_int_equal(cache_close(fixture, file), 0);
}

static void test_a_change_on_the_server_is_seen_a_second_later(void **state)
{
    struct cache_fixture fixture;
    begin(&fixture, 0);
    open_ahead(&fixture);
    memory_remote_poke_file(fixture.memory, "folder/file04", "new", 3);
    memory_remote_advance(fixture.memory, 1000); /* no turn of the cache: the file is still open ahead */
    expect(&fixture, "folder/file04", "new");
    end(&fixture);
}

/* What another look has shown is never taken back. */
static void test_a_change_that_was_seen_is_seen_by_the_next_open(void **state)
{
    struct cache_fixture fixture;
    struct cfs_remote_file *file;
    begin(&fixture, 0);
    open_ahead(&fixture);
    memory_remote_poke_file(fixture.memory, "folder/file04", "new", 3);
    assert_int_equal(cache_open(&fixture, "folder/file04", O_RDWR, &file), 0);
    expect(&fixture, "folder/file04", "new");
    assert_int_equal(cache_close(&fixture, file), 0);
    end(&fixture);
}

static void test_a_file_that_changed_lately_is_asked_for(void **state)
{
    struct cache_fixture fixture;
    begin(&fixture, 0);
    const struct cfs_clock *clock = memory_remote_clock(fixture.memory);
    memory_remote_poke_mtime(fixture.memory, "folder/file04", clock->wall(clock).tv_sec - 9);
    memory_remote_poke_mtime(fixture.memory, "folder/file05", clock->wall(clock).tv_sec - 11);
    open_ahead(&fixture);
    uint64_t opens = memory_remote_count(fixture.memory, MEMORY_OPEN);
    read_file(&fixture, "folder/file05", 1000);
    cache_run(&fixture);
    uint64_t others = status(&fixture).prefetched_files;
    assert_true(others >= 4);
    read_file(&fixture, "folder/file04", 1000);
    assert_true(memory_remote_count(fixture.memory, MEMORY_OPEN) > opens);
    assert_int_equal(status(&fixture).prefetch_used_files, 2); /* 3 and 5 */
    end(&fixture);
}

/* It was old when its folder was listed. */
static void test_a_file_that_was_changing_while_it_was_opened_ahead_is_asked_for(void **state)
{
    struct cache_fixture fixture;
    struct cache_call opening;
    begin(&fixture, 0);
    list(&fixture, "folder");
    read_numbered(&fixture, 0, 2);
    memory_remote_hold(fixture.memory, MEMORY_OPEN);
    cache_call_init(&opening);
    fixture.operations->open(fixture.cache, &opening.call, "folder/file02", O_RDONLY, 0);
    cache_turn(&fixture);
    assert_true(status(&fixture).prefetched_files > 0);
    memory_remote_poke_file(fixture.memory, "folder/file03", "old", 3);
    memory_remote_release(fixture.memory, MEMORY_OPEN);
    assert_int_equal(cache_wait(&fixture, &opening), 0);
    for (int i = 0; i < 5; i++)
        cache_run(&fixture);
    memory_remote_poke_file(fixture.memory, "folder/file03", "new", 3);
    expect(&fixture, "folder/file03", "new");
    begin_close(&fixture, opening.call.result.file);
    cache_call_fini(&opening);
    end(&fixture);
}

static void test_own_writes_are_seen(void **state)
{
    struct cache_fixture fixture;
    begin(&fixture, 0);
    open_ahead(&fixture);
    assert_int_equal(cache_create(&fixture, "folder/file04", "mine"), 0);
    expect(&fixture, "folder/file04", "mine");
    end(&fixture);
}

static void test_own_truncation_is_seen(void **state)
{
    struct cache_fixture fixture;
    begin(&fixture, 0);
    open_ahead(&fixture);
    struct cfs_remote_attributes set = {.valid = CFS_REMOTE_SIZE, .size = 0};
    assert_int_equal(cache_setattr(&fixture, "folder/file05", &set), 0);
    expect(&fixture, "folder/file05", "");
    end(&fixture);
}

static void test_a_file_that_was_removed_here_is_gone_and_closed(void **state)
{
    struct cache_fixture fixture;
    struct cfs_remote_file *file;
    begin(&fixture, 0);
    open_ahead(&fixture);
    size_t open = memory_remote_open_files(fixture.memory);
    assert_int_equal(cache_unlink(&fixture, "folder/file04"), 0);
    cache_turn(&fixture);
    memory_remote_run(fixture.memory);
    assert_int_equal(memory_remote_open_files(fixture.memory), open - 1);
    assert_int_equal(cache_open(&fixture, "folder/file04", O_RDONLY, &file), -ENOENT);
    end(&fixture);
}

static void test_a_file_that_took_the_place_of_another_here_is_the_one_that_is_opened(void **state)
{
    struct cache_fixture fixture;
    begin(&fixture, 0);
    open_ahead(&fixture);
    memory_remote_poke_file(fixture.memory, "new", "new", 3);
    assert_int_equal(cache_rename(&fixture, "new", "folder/file04", CFS_REMOTE_RENAME_REPLACE), 0);
    expect(&fixture, "folder/file04", "new");
    assert_int_equal(cache_rename(&fixture, "folder", "moved", CFS_REMOTE_RENAME_REPLACE), 0);
    memory_remote_poke_mkdir(fixture.memory, "folder");
    memory_remote_poke_file(fixture.memory, "folder/file06", "newer", 5);
    memory_remote_advance(fixture.memory, 60000);
    expect(&fixture, "folder/file06", "newer");
    end(&fixture);
}

static void test_an_error_is_told_to_who_opens_the_file_and_to_nobody_else(void **state)
{
    struct cache_fixture fixture;
    struct cfs_remote_file *file;
    begin(&fixture, 0);
    list(&fixture, "folder");
    read_numbered(&fixture, 0, 2);
    memory_remote_fail(fixture.memory, MEMORY_OPEN, 3, -EACCES); /* of file04, ahead */
    memory_remote_fail(fixture.memory, MEMORY_OPEN, 4, -ENOENT);
    read_file(&fixture, "folder/file02", 1000);
    cache_run(&fixture);
    read_numbered(&fixture, 3, 8);
    memory_remote_fail_all(fixture.memory, MEMORY_OPEN, -EACCES);
    for (int i = 8; i < FILES; i++) {
        char *path = path_of("folder", i);
        int error = cache_open(&fixture, path, O_RDONLY, &file);
        if (error == 0)
            assert_int_equal(cache_close(&fixture, file), 0); /* it was open */
        else
            assert_int_equal(error, -EACCES);
        free(path);
    }
    memory_remote_fail_all(fixture.memory, MEMORY_OPEN, 0);
    read_numbered(&fixture, 0, FILES);
    end(&fixture);
}

/* --- while it is on its way --- */

struct two_opens {
    struct cache_call first, second;
};

static void test_an_open_waits_for_the_file_that_is_being_opened_ahead(void **state)
{
    struct cache_fixture fixture;
    struct two_opens opens;
    begin(&fixture, 0);
    list(&fixture, "folder");
    read_numbered(&fixture, 0, 2);
    memory_remote_hold(fixture.memory, MEMORY_READ);
    struct cfs_remote_file *file;
    assert_int_equal(cache_open(&fixture, "folder/file02", O_RDONLY, &file), 0);
    memory_remote_hold(fixture.memory, MEMORY_OPEN);
    cache_turn(&fixture);
    cache_call_init(&opens.first);
    cache_call_init(&opens.second);
    fixture.operations->open(fixture.cache, &opens.first.call, "folder/file03", O_RDONLY, 0);
    fixture.operations->open(fixture.cache, &opens.second.call, "folder/file03", O_RDONLY, 0);
    fixture.operations->cancel(fixture.cache, &opens.second.call);
    cache_turn(&fixture);
    assert_int_equal(opens.second.completed, 1);
    assert_int_equal(opens.second.call.error, -EINTR);
    assert_int_equal(opens.first.completed, 0);
    memory_remote_release(fixture.memory, MEMORY_OPEN);
    memory_remote_release(fixture.memory, MEMORY_READ);
    assert_int_equal(cache_wait(&fixture, &opens.first), 0);
    assert_int_equal(status(&fixture).prefetch_used_files, 1);
    assert_int_equal(memory_remote_count(fixture.memory, MEMORY_OPEN), 3 + status(&fixture).prefetched_files);
    assert_int_equal(cache_close(&fixture, opens.first.call.result.file), 0);
    assert_int_equal(cache_close(&fixture, file), 0);
    cache_call_fini(&opens.first);
    cache_call_fini(&opens.second);
    end(&fixture);
}

/* Two programs open one file that is on its way: each gets a file of its own. */
static void test_two_who_wait_get_one_each(void **state)
{
    struct cache_fixture fixture;
    struct two_opens opens;
    struct cfs_remote_file *file;
    begin(&fixture, 0);
    list(&fixture, "folder");
    read_numbered(&fixture, 0, 2);
    assert_int_equal(cache_open(&fixture, "folder/file02", O_RDONLY, &file), 0);
    cache_call_init(&opens.first);
    cache_call_init(&opens.second);
    fixture.operations->open(fixture.cache, &opens.first.call, "folder/file03", O_RDONLY, 0);
    fixture.operations->open(fixture.cache, &opens.second.call, "folder/file03", O_RDONLY, 0);
    assert_int_equal(cache_wait(&fixture, &opens.first), 0);
    assert_int_equal(cache_wait(&fixture, &opens.second), 0);
    assert_ptr_not_equal(opens.first.call.result.file, opens.second.call.result.file);
    assert_int_equal(cache_close(&fixture, opens.first.call.result.file), 0);
    assert_int_equal(cache_close(&fixture, opens.second.call.result.file), 0);
    assert_int_equal(cache_close(&fixture, file), 0);
    cache_call_fini(&opens.first);
    cache_call_fini(&opens.second);
    end(&fixture);
}

/* Files are opened ahead, and cannot be looked at then. */
static void open_ahead_in_vain(struct cache_fixture *fixture, int error)
{
    struct cfs_remote_file *file;
    list(fixture, "folder");
    read_numbered(fixture, 0, 2);
    memory_remote_fail_all(fixture->memory, MEMORY_FSTAT, error);
    uint64_t opened = status(fixture).prefetched_files;
    assert_int_equal(cache_open(fixture, "folder/file02", O_RDONLY, &file), 0);
    cache_run(fixture);
    assert_true(status(fixture).prefetched_files > opened);
    memory_remote_fail_all(fixture->memory, MEMORY_FSTAT, 0);
    begin_close(fixture, file);
    cache_run(fixture);
}

static void test_what_cannot_be_looked_at_is_known_as_before(void **state)
{
    static const int errors[] = {-EIO, -ENOTCONN};
    for (size_t e = 0; e < CFS_COUNT(errors); e++) {
        struct cache_fixture fixture;
        begin(&fixture, 0);
        open_ahead_in_vain(&fixture, errors[e]);
        for (int i = 3; i < FILES; i++) {
            struct cfs_remote_attributes attributes;
            char *path = path_of("folder", i);
            cache_cost(&fixture);
            assert_int_equal(cache_lstat(&fixture, path, &attributes), 0);
            assert_int_equal(cache_cost(&fixture), 0);
            assert_int_equal(attributes.size, 1000);
            free(path);
        }
        end(&fixture);
    }
}

/* With offline = read. */
static void test_a_loss_while_files_are_opened_ahead_takes_nothing_that_was_read(void **state)
{
    struct cache_fixture fixture;
    for (uint64_t seed = 1; seed <= 10; seed++) { /* by which an open tells the attributes, or an fstat must */
        begin_from(&fixture, 0, seed);
        list(&fixture, "folder");
        read_numbered(&fixture, 0, FILES);
        cache_run(&fixture);
        memory_remote_advance(fixture.memory, 3600 * 1000);
        open_ahead_in_vain(&fixture, -ENOTCONN);
        memory_remote_lose(fixture.memory);
        fixture.when_lost = CFS_REMOTE_TELL_OLD;
        read_numbered(&fixture, 3, FILES);
        memory_remote_find(fixture.memory);
        end(&fixture);
    }
}

/* Another thread, which opens a file. */
struct other {
    struct cache_fixture *fixture;
    const char *path;
    struct cache_call open;
    pthread_t thread;
    atomic_int tid; /* 0: it has not begun */
    bool has_come;
};

static void *open_it(void *context)
{
    struct other *other = context;
    other->tid = (int)gettid();
    other->fixture->operations->open(other->fixture->cache, &other->open.call, other->path, O_RDONLY, 0);
    return NULL;
}

/* It waits for something: a lock that this thread holds. */
static bool is_stuck(struct other *other)
{
    char path[64], line[512] = "";
    snprintf(path, sizeof(path), "/proc/self/task/%d/stat", other->tid);
    FILE *stat = fopen(path, "re");
    const char *state = stat && fgets(line, sizeof(line), stat) ? strrchr(line, ')') : NULL;
    if (stat)
        fclose(stat);
    return !state || state[2] == 'S'; /* or it has ended */
}

static void let_other_in(void *context, const char *path)
{
    struct other *other = context;
    if (other->has_come || strcmp(path, other->path) != 0)
        return;
    other->has_come = true;
    assert_int_equal(pthread_create(&other->thread, NULL, open_it, other), 0);
    while (!other->tid || !is_stuck(other))
        sched_yield();
}

/* It has just been opened ahead, and its beginning is being asked for. */
static void test_who_comes_while_a_file_becomes_ready_gets_it(void **state)
{
    struct cache_fixture fixture;
    struct other other = {.fixture = &fixture, .path = "small/file03"};
    char bytes[2000];
    begin(&fixture, LATENCY_MS);
    make_folder(&fixture, "small", 4);
    list(&fixture, "small");
    cache_call_init(&other.open);
    memory_remote_when_asked(fixture.memory, MEMORY_READ, let_other_in, &other);
    for (int i = 0; i < 3; i++) {
        char *path = path_of("small", i);
        read_file(&fixture, path, 1000);
        free(path);
    }
    cache_run(&fixture);
    assert_true(other.has_come);
    pthread_join(other.thread, NULL);
    assert_int_equal(cache_wait(&fixture, &other.open), 0);
    assert_int_equal(status(&fixture).prefetch_used_files, 1);
    assert_int_equal(memory_remote_count(fixture.memory, MEMORY_OPEN), 4); /* not twice */
    assert_int_equal(cache_read(&fixture, other.open.call.result.file, 0, sizeof(bytes), bytes), 1000);
    begin_close(&fixture, other.open.call.result.file);
    cache_call_fini(&other.open);
    end(&fixture);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_the_files_of_a_folder_are_here_when_they_are_opened),
        cmocka_unit_test(test_a_program_may_go_by_the_numbers_of_files),
        cmocka_unit_test(test_the_files_of_the_next_folders_of_a_walk_are_here_as_well),
        cmocka_unit_test(test_of_a_large_file_only_the_beginning_is_fetched),
        cmocka_unit_test(test_who_opens_here_and_there_gets_nothing_ahead),
        cmocka_unit_test(test_it_is_off_without_prefetch),
        cmocka_unit_test(test_a_program_that_pauses_does_not_go_on_more_slowly),
        cmocka_unit_test(test_who_looks_at_file_after_file_gets_the_listings_of_the_tree),
        cmocka_unit_test(test_who_looks_at_one_file_again_and_again_gets_no_listing),
        cmocka_unit_test(test_a_folder_that_changes_just_now_is_not_listed_for_looks),
        cmocka_unit_test(test_what_nobody_takes_is_closed_soon_and_it_stops),
        cmocka_unit_test(test_files_ahead_stay_within_their_number_and_bytes),
        cmocka_unit_test(test_a_change_on_the_server_is_seen_a_second_later),
        cmocka_unit_test(test_a_change_that_was_seen_is_seen_by_the_next_open),
        cmocka_unit_test(test_a_file_that_changed_lately_is_asked_for),
        cmocka_unit_test(test_a_file_that_was_changing_while_it_was_opened_ahead_is_asked_for),
        cmocka_unit_test(test_own_writes_are_seen),
        cmocka_unit_test(test_own_truncation_is_seen),
        cmocka_unit_test(test_a_file_that_was_removed_here_is_gone_and_closed),
        cmocka_unit_test(test_a_file_that_took_the_place_of_another_here_is_the_one_that_is_opened),
        cmocka_unit_test(test_an_error_is_told_to_who_opens_the_file_and_to_nobody_else),
        cmocka_unit_test(test_an_open_waits_for_the_file_that_is_being_opened_ahead),
        cmocka_unit_test(test_two_who_wait_get_one_each),
        cmocka_unit_test(test_what_cannot_be_looked_at_is_known_as_before),
        cmocka_unit_test(test_a_loss_while_files_are_opened_ahead_takes_nothing_that_was_read),
        cmocka_unit_test(test_who_comes_while_a_file_becomes_ready_gets_it),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

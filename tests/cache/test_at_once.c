/* Several calls at once that change one name, or the folder above it, or what comes to bear it: whatever their order
 * was on the server, when they have completed, what is there is told. */
#include "lib/test.h"

#include "lib/cache_fixture.h"
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/stat.h>

enum { ROUND_TRIP_MS = 40, LONG_MS = 1000000 };

static void begin(struct cache_fixture *fixture)
{
    struct memory_remote_options memory = {.latency_ms = ROUND_TRIP_MS, .listing_batch = 1};
    cache_fixture_init(fixture, &memory);
    fixture->options.attr_ttl_ms = LONG_MS;
    memory_remote_poke_file(fixture->memory, "a", "text", 4);
    memory_remote_poke_file(fixture->memory, "b", "longer text", 11);
    memory_remote_poke_mkdir(fixture->memory, "folder");
    memory_remote_poke_file(fixture->memory, "folder/in", "in", 2);
    cache_fixture_start(fixture);
}

/* Hands a call down: submit(&call, rename, "a", "b", how). */
#define submit(to_submit, operation, ...)                                                                              \
    do {                                                                                                               \
        cache_call_init(to_submit);                                                                                    \
        fixture->operations->operation(fixture->cache, &(to_submit)->call, __VA_ARGS__);                               \
    } while (0)

static int end_call(struct cache_fixture *fixture, struct cache_call *call)
{
    int error = cache_wait(fixture, call);
    cache_call_fini(call);
    return error;
}

static void expect_size(struct cache_fixture *fixture, const char *path, uint64_t size)
{
    struct cfs_remote_attributes is;
    assert_int_equal(cache_lstat(fixture, path, &is), 0);
    assert_int_equal(is.size, size);
}

static void expect_listing(struct cache_fixture *fixture, const char *path, const char *names)
{
    int error;
    char *told = cache_list(fixture, path, &error);
    assert_int_equal(error, 0);
    assert_string_equal(told, names);
    free(told);
}

static void test_a_folder_is_not_told_to_be_empty_if_something_came_while_it_was_made(void **state)
{
    struct cache_fixture f, *fixture = &f;
    struct cache_call folder, in;
    begin(fixture);
    submit(&folder, mkdir, "new", 0755);
    memory_remote_advance(fixture->memory, ROUND_TRIP_MS / 4);
    submit(&in, mkdir, "new/in", 0755);
    memory_remote_advance(fixture->memory, ROUND_TRIP_MS / 2);
    fixture->operations->cancel(fixture->cache, &in.call); /* it has been made all the same */
    assert_int_equal(end_call(fixture, &in), -EINTR);
    assert_false(folder.completed);
    assert_int_equal(end_call(fixture, &folder), 0);
    expect_listing(fixture, "new", "in ");
    cache_fixture_fini(fixture);
}

/* "a" to "b", while another call would change "b", in vain. */
static void rename_open_file(struct cache_fixture *fixture, int fault)
{
    struct cache_call renaming, other;
    struct cfs_remote_file *file;
    assert_int_equal(cache_open(fixture, "a", O_WRONLY, &file), 0);
    if (fault)
        memory_remote_fail_after(fixture->memory, MEMORY_RENAME, 1, fault);
    submit(&other, rmdir, "b");
    submit(&renaming, rename, "a", "b", CFS_REMOTE_RENAME_REPLACE);
    assert_int_equal(end_call(fixture, &other), -ENOTDIR);
    assert_int_equal(end_call(fixture, &renaming), fault);
    expect_size(fixture, "b", 4);
    expect_size(fixture, "b", 4);
    assert_int_equal(cache_write(fixture, file, 4, 6, " added"), 0);
    expect_size(fixture, "b", 10);
    assert_int_equal(cache_close(fixture, file), 0);
    assert_int_equal(cache_lstat(fixture, "a", NULL), -ENOENT);
}

static void test_what_is_written_to_a_file_shows_whatever_name_it_may_have(void **state)
{
    struct cache_fixture f, *fixture = &f;
    begin(fixture);
    rename_open_file(fixture, 0);
    cache_fixture_fini(fixture);
}

static void test_also_if_the_answer_to_its_rename_was_lost(void **state)
{
    struct cache_fixture f, *fixture = &f;
    begin(fixture);
    rename_open_file(fixture, -EIO);
    cache_fixture_fini(fixture);
}

static void test_also_if_it_was_renamed_while_it_was_opened(void **state)
{
    struct cache_fixture f, *fixture = &f;
    struct cache_call renaming, opening;
    begin(fixture);
    submit(&renaming, rename, "a", "b", CFS_REMOTE_RENAME_REPLACE);
    memory_remote_advance(fixture->memory, ROUND_TRIP_MS / 4);
    submit(&opening, open, "b", O_WRONLY, 0); /* by then the one that was "a" */
    assert_int_equal(end_call(fixture, &renaming), 0);
    assert_int_equal(cache_wait(fixture, &opening), 0);
    expect_size(fixture, "b", 4);
    assert_int_equal(cache_write(fixture, opening.call.result.file, 4, 6, " added"), 0);
    expect_size(fixture, "b", 10);
    assert_int_equal(cache_close(fixture, opening.call.result.file), 0);
    cache_call_fini(&opening);
    cache_fixture_fini(fixture);
}

static int64_t mtime_of(struct cache_fixture *fixture, const char *path)
{
    struct cfs_remote_attributes is;
    assert_int_equal(cache_lstat(fixture, path, &is), 0);
    return is.mtime;
}

/* An unlink looks at its folder, too; another change comes after that look, and is answered first. */
static void overtake_look_behind_removal(struct cache_fixture *fixture, uint64_t dirty_limit)
{
    struct cfs_remote_attributes server;
    struct cache_call removing;
    const struct memory_remote_options memory = {.latency_ms = ROUND_TRIP_MS, .tells_changes = true};
    cache_fixture_init(fixture, &memory);
    fixture->options.attr_ttl_ms = LONG_MS;
    fixture->options.cache_size = fixture->options.dirty_limit = dirty_limit;
    memory_remote_poke_mkdir(fixture->memory, "folder");
    memory_remote_poke_file(fixture->memory, "folder/in", "in", 2);
    cache_fixture_start(fixture);
    submit(&removing, unlink, "folder/in");
    memory_remote_advance(fixture->memory, ROUND_TRIP_MS * 3 / 4);
    memory_remote_hold(fixture->memory, MEMORY_UNLINK);
    memory_remote_advance(fixture->memory, 5000);
    assert_int_equal(cache_mkdir(fixture, "folder/other"), 0);
    memory_remote_release(fixture->memory, MEMORY_UNLINK);
    assert_int_equal(end_call(fixture, &removing), 0);
    assert_int_equal(memory_tree_lstat(memory_remote_tree(fixture->memory), "folder", &server), 0);
    assert_int_equal(mtime_of(fixture, "folder"), server.mtime);
    cache_fixture_fini(fixture);
}

static void test_a_look_behind_a_removal_may_be_overtaken(void **state)
{
    struct cache_fixture f;
    overtake_look_behind_removal(&f, 0);
    overtake_look_behind_removal(&f, 1 << 20);
}

/* A file has been told to be made, and is made on the server only after that look. */
static void test_a_look_behind_a_removal_may_be_too_early(void **state)
{
    struct cache_fixture f, *fixture = &f;
    struct cfs_remote_attributes server;
    const struct memory_remote_options memory = {.latency_ms = ROUND_TRIP_MS, .tells_changes = true};
    cache_fixture_init(fixture, &memory);
    fixture->options.attr_ttl_ms = LONG_MS;
    fixture->options.durability = CFS_DURABILITY_FSYNC;
    fixture->options.cache_size = fixture->options.dirty_limit = 1 << 20;
    cache_fixture_start(fixture);
    assert_int_equal(cache_mkdir(fixture, "folder"), 0);
    assert_int_equal(cache_create(fixture, "folder/in", "in"), 0);
    assert_int_equal(cache_sync(fixture), 0);
    memory_remote_hold(fixture->memory, MEMORY_OPEN);
    assert_int_equal(cache_lstat(fixture, "folder/new", NULL), -ENOENT);
    assert_int_equal(cache_create(fixture, "folder/new", "new"), 0);
    memory_remote_advance(fixture->memory, 5000);
    assert_int_equal(cache_unlink(fixture, "folder/in"), 0);
    memory_remote_advance(fixture->memory, 5000);
    memory_remote_release(fixture->memory, MEMORY_OPEN);
    assert_int_equal(cache_sync(fixture), 0);
    assert_int_equal(memory_tree_lstat(memory_remote_tree(fixture->memory), "folder", &server), 0);
    assert_int_equal(mtime_of(fixture, "folder"), server.mtime);
    cache_fixture_fini(fixture);
}

static void test_a_change_by_name_may_meet_what_was_renamed_to_it(void **state)
{
    static const struct cfs_remote_attributes set = {.valid = CFS_REMOTE_SIZE, .size = 3};
    struct cache_fixture f, *fixture = &f;
    struct cache_call renaming, setting;
    begin(fixture);
    expect_size(fixture, "a", 4);
    expect_size(fixture, "b", 11);
    memory_remote_hold(fixture->memory, MEMORY_SETATTR);
    submit(&setting, setattr, "b", S_IFREG, &set);
    submit(&renaming, rename, "a", "b", CFS_REMOTE_RENAME_REPLACE);
    assert_int_equal(end_call(fixture, &renaming), 0);
    expect_size(fixture, "b", 4);
    memory_remote_release(fixture->memory, MEMORY_SETATTR);
    assert_int_equal(end_call(fixture, &setting), 0);
    expect_size(fixture, "b", 3);
    cache_fixture_fini(fixture);
}

static void test_so_may_an_open_that_truncates(void **state)
{
    struct cache_fixture f, *fixture = &f;
    struct cache_call renaming, opening;
    begin(fixture);
    expect_size(fixture, "a", 4);
    expect_size(fixture, "b", 11);
    submit(&renaming, rename, "a", "b", CFS_REMOTE_RENAME_REPLACE);
    memory_remote_advance(fixture->memory, ROUND_TRIP_MS / 4);
    submit(&opening, open, "b", O_WRONLY | O_TRUNC, 0);
    assert_int_equal(end_call(fixture, &renaming), 0);
    assert_int_equal(cache_wait(fixture, &opening), 0);
    expect_size(fixture, "b", 0);
    assert_int_equal(cache_close(fixture, opening.call.result.file), 0);
    cache_call_fini(&opening);
    cache_fixture_fini(fixture);
}

/* Into what has just been renamed, which is told later. */
static void put_into_what_is_renamed(struct cache_fixture *fixture, const char *folder, const char *target)
{
    struct cache_call renaming, making;
    submit(&renaming, rename, "from", "to", CFS_REMOTE_RENAME_REPLACE);
    memory_remote_advance(fixture->memory, ROUND_TRIP_MS * 5 / 8);
    memory_remote_hold(fixture->memory, MEMORY_RENAME);
    submit(&making, symlink, "nowhere", target);
    assert_int_equal(end_call(fixture, &making), 0);
    memory_remote_release(fixture->memory, MEMORY_RENAME);
    assert_int_equal(end_call(fixture, &renaming), 0);
    expect_listing(fixture, folder, "in ");
}

static void test_what_is_put_into_a_folder_that_is_renamed_is_listed(void **state)
{
    struct cache_fixture f, *fixture = &f;
    begin(fixture);
    assert_int_equal(cache_mkdir(fixture, "from"), 0);
    put_into_what_is_renamed(fixture, "to", "to/in");
    cache_fixture_fini(fixture);
    begin(fixture);
    assert_int_equal(cache_mkdir(fixture, "from"), 0);
    assert_int_equal(cache_mkdir(fixture, "from/below"), 0);
    put_into_what_is_renamed(fixture, "to/below", "to/below/in");
    cache_fixture_fini(fixture);
}

static void test_a_listing_that_was_doubted_on_its_way_does_not_prove_absence(void **state)
{
    struct cache_fixture f, *fixture = &f;
    struct cache_call listing, closing;
    struct cfs_remote_file *file;
    begin(fixture);
    submit(&listing, open_listing, "folder");
    assert_int_equal(cache_wait(fixture, &listing), 0);
    while (memory_remote_count(fixture->memory, MEMORY_READ_LISTING) < 2)
        memory_remote_step(fixture->memory);
    memory_remote_hold(fixture->memory, MEMORY_READ_LISTING);
    assert_int_equal(cache_open(fixture, "folder", O_WRONLY | O_TRUNC, &file), -EISDIR);
    memory_remote_release(fixture->memory, MEMORY_READ_LISTING);
    cache_run(fixture);
    expect_listing(fixture, "folder", "in ");
    submit(&closing, close_listing, listing.call.result.listing);
    assert_int_equal(end_call(fixture, &closing), 0);
    cache_call_fini(&listing);
    cache_fixture_fini(fixture);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_a_look_behind_a_removal_may_be_too_early),
        cmocka_unit_test(test_a_look_behind_a_removal_may_be_overtaken),
        cmocka_unit_test(test_a_folder_is_not_told_to_be_empty_if_something_came_while_it_was_made),
        cmocka_unit_test(test_what_is_written_to_a_file_shows_whatever_name_it_may_have),
        cmocka_unit_test(test_also_if_the_answer_to_its_rename_was_lost),
        cmocka_unit_test(test_also_if_it_was_renamed_while_it_was_opened),
        cmocka_unit_test(test_a_change_by_name_may_meet_what_was_renamed_to_it),
        cmocka_unit_test(test_so_may_an_open_that_truncates),
        cmocka_unit_test(test_what_is_put_into_a_folder_that_is_renamed_is_listed),
        cmocka_unit_test(test_a_listing_that_was_doubted_on_its_way_does_not_prove_absence),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

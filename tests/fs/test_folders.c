/* Open folders. */
#include "lib/test.h"

#include "lib/fs_fixture.h"
#include <stdio.h>
#include <sys/stat.h>

static struct fs_fixture fixture;

static int start_with(uint32_t batch)
{
    struct memory_remote_options options = {.listing_batch = batch};
    fs_fixture_init(&fixture, &options);
    fs_fixture_start(&fixture);
    return 0;
}

static int start(void **state)
{
    (void)state;
    return start_with(0);
}

static int start_with_small_batches(void **state)
{
    (void)state;
    return start_with(2);
}

static int start_fetching_ahead(void **state)
{
    (void)state;
    struct memory_remote_options options = {.listing_batch = 1, .listing_ahead = CFS_REMOTE_LISTING_AHEAD};
    fs_fixture_init(&fixture, &options);
    fs_fixture_start(&fixture);
    return 0;
}

static int finish(void **state)
{
    (void)state;
    fs_fixture_fini(&fixture);
    return 0;
}

static void make_files(const char *names)
{
    for (; *names; names++)
        memory_remote_poke_file(fixture.memory, (char[]){*names, '\0'}, "x", 1);
}

static struct cfs_open_folder *open_root(void)
{
    struct cfs_open_folder *folder = NULL;
    assert_int_equal(fs_open_folder(&fixture, CFS_ROOT_NODE, &folder), 0);
    return folder;
}

static uint64_t assert_read(struct cfs_open_folder *folder, uint64_t offset, size_t limit, bool plus,
                            const char *expected)
{
    char *names CFS_AUTO_FREE = NULL;
    uint64_t next = 0;
    assert_int_equal(fs_read_folder(&fixture, folder, offset, plus, limit, &names, &next), 0);
    assert_string_equal(names, expected);
    return next;
}

static void a_folder_is_read_in_pieces(void **state)
{
    make_files("abcde");
    struct cfs_open_folder *folder = open_root();
    uint64_t next = assert_read(folder, 0, 1, false, ". ");
    next = assert_read(folder, next, 2, false, ".. a ");
    uint64_t at_b = next;
    next = assert_read(folder, next, 1, false, "b ");
    next = assert_read(folder, next, 2, true, "c d ");
    next = assert_read(folder, next, 100, true, "e ");
    assert_read(folder, next, 100, true, "");
    assert_read(folder, next, 100, false, "");
    assert_read(folder, at_b, 2, true, "b c "); /* seekdir */
    fs_release_folder(&fixture, folder);
}

static void a_huge_seek_is_the_end(void **state)
{
    make_files("ab");
    struct cfs_open_folder *folder = open_root();
    assert_read(folder, UINT64_MAX, 10, false, "");
    assert_read(folder, 3, 10, false, "b ");
    fs_release_folder(&fixture, folder);
}

static void rewinding_shows_what_is_there_now(void **state)
{
    make_files("ab");
    struct cfs_open_folder *folder = open_root();
    assert_read(folder, 0, 100, true, ". .. a b ");
    make_files("c");
    assert_read(folder, 0, 100, true, ". .. a b c ");
    fs_release_folder(&fixture, folder);
}

static void batches_are_read_as_they_are_needed(void **state)
{
    make_files("abcde");
    struct cfs_open_folder *folder = open_root();
    uint64_t next = assert_read(folder, 0, 100, false, ". .. a b ");
    assert_int_equal(memory_remote_count(fixture.memory, MEMORY_READ_LISTING), 1);
    next = assert_read(folder, next, 100, false, "c d ");
    next = assert_read(folder, next, 100, false, "e ");
    assert_read(folder, next, 100, false, "");
    fs_release_folder(&fixture, folder);
}

static void plus_entries_are_lookups(void **state)
{
    struct fs_call call;
    struct stat attributes;
    make_files("a");
    struct cfs_open_folder *folder = open_root();
    fs_call_init(&call);
    cfs_fs_read_folder(fixture.fs, &call.request, folder, 2, true, fs_add_entry);
    assert_int_equal(fs_call_wait(&fixture, &call), 0);
    assert_int_equal(call.last_entry.attributes.st_size, 1);
    assert_int_equal(call.last_entry.entry_ttl_ms, 1000);
    uint64_t node = call.last_entry.node;
    assert_int_equal(fs_walk(&fixture, "a"), node);
    assert_int_equal(fs_getattr(&fixture, node, NULL, &attributes, NULL), 0);
    assert_int_equal(attributes.st_ino, call.last_entry.attributes.st_ino);
    fs_forget(&fixture, node);
    fs_forget(&fixture, node);
    free(call.names);
    fs_release_folder(&fixture, folder);
}

static void plain_entries_have_the_same_inode_numbers(void **state)
{
    struct fs_call call;
    struct stat attributes;
    make_files("a");
    struct cfs_open_folder *folder = open_root();
    fs_call_init(&call);
    cfs_fs_read_folder(fixture.fs, &call.request, folder, 2, false, fs_add_entry);
    assert_int_equal(fs_call_wait(&fixture, &call), 0);
    assert_int_equal(call.last_entry.node, 0);
    assert_int_equal(call.last_entry.attributes.st_mode, S_IFREG);
    uint64_t node = fs_walk(&fixture, "a");
    assert_int_equal(fs_getattr(&fixture, node, NULL, &attributes, NULL), 0);
    assert_int_equal(attributes.st_ino, call.last_entry.attributes.st_ino);
    fs_forget(&fixture, node);
    free(call.names);
    fs_release_folder(&fixture, folder);
}

static struct cfs_entry read_plus_at(struct cfs_open_folder *folder, uint64_t offset)
{
    struct fs_call call;
    fs_call_init(&call);
    call.name_limit = 1;
    cfs_fs_read_folder(fixture.fs, &call.request, folder, offset, true, fs_add_entry);
    assert_int_equal(fs_call_wait(&fixture, &call), 0);
    if (call.last_entry.node)
        fs_forget(&fixture, call.last_entry.node);
    free(call.names);
    return call.last_entry;
}

static struct cfs_entry read_plus(struct cfs_open_folder *folder)
{
    return read_plus_at(folder, 2);
}

/* The kernel must not learn from a listing what we know to be no longer so. */
static void what_we_changed_since_is_given_by_name_alone(void **state)
{
    struct cfs_open_file *file = NULL;
    make_files("ab");
    struct cfs_open_folder *folder = open_root();
    assert_int_not_equal(read_plus(folder).node, 0);
    uint64_t node = fs_walk(&fixture, "a");
    assert_int_equal(fs_open(&fixture, node, 1, &file), 0);
    assert_int_equal(fs_write(&fixture, file, 0, "longer", 6), 6);
    assert_int_equal(read_plus(folder).node, 0);
    fs_release(&fixture, file);
    fs_forget(&fixture, node);
    fs_release_folder(&fixture, folder);
}

static void what_we_removed_since_is_given_by_name_alone(void **state)
{
    make_files("ab");
    struct cfs_open_folder *folder = open_root();
    assert_int_not_equal(read_plus(folder).node, 0);
    assert_int_equal(fs_unlink(&fixture, CFS_ROOT_NODE, "a"), 0);
    assert_int_equal(read_plus(folder).node, 0);
    fs_release_folder(&fixture, folder);
}

static void old_attributes_are_not_given(void **state)
{
    make_files("ab");
    struct cfs_open_folder *folder = open_root();
    assert_int_not_equal(read_plus(folder).node, 0);
    memory_remote_advance(fixture.memory, 900);
    assert_true(read_plus(folder).attributes_ttl_ms <= 100);
    memory_remote_advance(fixture.memory, 900);
    assert_int_equal(read_plus(folder).node, 0);
    fs_release_folder(&fixture, folder);
}

/* The remote had the batch before our change, long before we asked for it. */
static void what_we_changed_after_it_was_fetched_ahead_is_given_by_name_alone(void **state)
{
    struct cfs_open_file *file = NULL;
    make_files("abcdefgh");
    struct cfs_open_folder *folder = open_root();
    assert_int_not_equal(read_plus(folder).node, 0);
    uint64_t node = fs_walk(&fixture, "d");
    assert_int_equal(fs_open(&fixture, node, 1, &file), 0);
    assert_int_equal(fs_write(&fixture, file, 0, "longer", 6), 6);
    assert_int_not_equal(read_plus_at(folder, 3).node, 0);
    assert_int_not_equal(read_plus_at(folder, 4).node, 0);
    assert_int_equal(read_plus_at(folder, 5).node, 0);
    assert_int_not_equal(read_plus_at(folder, 6).node, 0);
    fs_release(&fixture, file);
    fs_forget(&fixture, node);
    fs_release_folder(&fixture, folder);
}

static void what_we_removed_after_it_was_fetched_ahead_is_given_by_name_alone(void **state)
{
    make_files("abcdefgh");
    struct cfs_open_folder *folder = open_root();
    assert_int_not_equal(read_plus(folder).node, 0);
    assert_int_equal(fs_unlink(&fixture, CFS_ROOT_NODE, "e"), 0);
    for (uint64_t offset = 3; offset <= 6; offset++)
        assert_int_equal(read_plus_at(folder, offset).node, 0);
    assert_int_not_equal(read_plus_at(folder, 7).node, 0); /* fetched after that */
    fs_release_folder(&fixture, folder);
}

static void attributes_age_from_when_they_were_fetched(void **state)
{
    make_files("abcdef");
    struct cfs_open_folder *folder = open_root();
    assert_int_not_equal(read_plus(folder).node, 0);
    memory_remote_advance(fixture.memory, 900);
    assert_true(read_plus_at(folder, 3).attributes_ttl_ms <= 100);
    memory_remote_advance(fixture.memory, 900);
    assert_int_equal(read_plus_at(folder, 4).node, 0);
    fs_release_folder(&fixture, folder);
}

static void after_a_failure_the_next_read_begins_anew(void **state)
{
    make_files("abcd");
    char *names = NULL;
    struct cfs_open_folder *folder = open_root();
    uint64_t next = assert_read(folder, 0, 100, true, ". .. a b ");
    memory_remote_fail(fixture.memory, MEMORY_READ_LISTING, 1, -EIO);
    assert_int_equal(fs_read_folder(&fixture, folder, next, true, 100, &names, &next), -EIO);
    next = assert_read(folder, 4, 100, true, "c d ");
    assert_read(folder, next, 100, true, "");
    fs_release_folder(&fixture, folder);
}

static void a_removed_folder_is_empty(void **state)
{
    struct cfs_open_folder *folder = NULL;
    memory_remote_poke_mkdir(fixture.memory, "gone");
    uint64_t node = fs_walk(&fixture, "gone");
    assert_int_equal(fs_open_folder(&fixture, node, &folder), 0);
    assert_read(folder, 0, 100, true, ". .. ");
    assert_int_equal(fs_rmdir(&fixture, CFS_ROOT_NODE, "gone"), 0);
    assert_read(folder, 0, 100, true, ". .. ");
    fs_release_folder(&fixture, folder);
    assert_int_equal(fs_open_folder(&fixture, node, &folder), -ENOENT);
    fs_forget(&fixture, node);
}

static void beginning_anew_waits_for_a_rename(void **state)
{
    struct fs_call rename, read;
    struct cfs_open_folder *folder = NULL;
    memory_remote_poke_mkdir(fixture.memory, "old");
    memory_remote_poke_file(fixture.memory, "old/file", "x", 1);
    uint64_t node = fs_walk(&fixture, "old");
    assert_int_equal(fs_open_folder(&fixture, node, &folder), 0);
    assert_read(folder, 0, 100, false, ". .. file ");
    memory_remote_hold(fixture.memory, MEMORY_RENAME);
    fs_call_init(&rename);
    fs_call_init(&read);
    cfs_fs_rename(fixture.fs, &rename.request, CFS_ROOT_NODE, "old", CFS_ROOT_NODE, "new", 0);
    cfs_fs_read_folder(fixture.fs, &read.request, folder, 0, false, fs_add_entry);
    memory_remote_run(fixture.memory);
    assert_false(atomic_load(&read.replied));
    memory_remote_release(fixture.memory, MEMORY_RENAME);
    assert_int_equal(fs_call_wait(&fixture, &rename), 0);
    assert_int_equal(fs_call_wait(&fixture, &read), 0);
    assert_string_equal(read.names, ". .. file ");
    free(read.names);
    fs_release_folder(&fixture, folder);
    fs_forget(&fixture, node);
}

static void opening_says_what_failed(void **state)
{
    struct cfs_open_folder *folder = NULL;
    memory_remote_fail(fixture.memory, MEMORY_OPEN_LISTING, 1, -EACCES);
    assert_int_equal(fs_open_folder(&fixture, CFS_ROOT_NODE, &folder), -EACCES);
}

static void a_huge_folder_is_kept_in_part(void **state)
{
    enum { FILES = 9000, STEP = 60 };
    for (int i = 0; i < FILES; i++) {
        char name[16];
        snprintf(name, sizeof(name), "f%05d", i);
        memory_remote_poke_file(fixture.memory, name, "", 0);
    }
    struct cfs_open_folder *folder = open_root();
    uint64_t next = 2, count = 0, before;
    do {
        char *names CFS_AUTO_FREE = NULL;
        before = next;
        assert_int_equal(fs_read_folder(&fixture, folder, next, false, STEP, &names, &next), 0);
        count += next - before;
    } while (next > before);
    assert_int_equal(count, FILES);
    uint64_t opened = memory_remote_count(fixture.memory, MEMORY_OPEN_LISTING);
    assert_read(folder, 2 + FILES - 1, 10, false, "f08999 ");
    assert_int_equal(memory_remote_count(fixture.memory, MEMORY_OPEN_LISTING), opened);
    assert_read(folder, 2 + 17, 1, false, "f00017 "); /* no longer there: listed anew */
    assert_int_equal(memory_remote_count(fixture.memory, MEMORY_OPEN_LISTING), opened + 1);
    fs_release_folder(&fixture, folder);
}

#define fs_test(function) cmocka_unit_test_setup_teardown(function, start, finish)

int main(void)
{
    const struct CMUnitTest tests[] = {
        fs_test(a_folder_is_read_in_pieces),
        fs_test(a_huge_seek_is_the_end),
        fs_test(rewinding_shows_what_is_there_now),
        cmocka_unit_test_setup_teardown(batches_are_read_as_they_are_needed, start_with_small_batches, finish),
        fs_test(plus_entries_are_lookups),
        fs_test(plain_entries_have_the_same_inode_numbers),
        fs_test(what_we_changed_since_is_given_by_name_alone),
        fs_test(what_we_removed_since_is_given_by_name_alone),
        fs_test(old_attributes_are_not_given),
        cmocka_unit_test_setup_teardown(what_we_changed_after_it_was_fetched_ahead_is_given_by_name_alone,
                                        start_fetching_ahead, finish),
        cmocka_unit_test_setup_teardown(what_we_removed_after_it_was_fetched_ahead_is_given_by_name_alone,
                                        start_fetching_ahead, finish),
        cmocka_unit_test_setup_teardown(attributes_age_from_when_they_were_fetched, start_fetching_ahead, finish),
        cmocka_unit_test_setup_teardown(after_a_failure_the_next_read_begins_anew, start_with_small_batches, finish),
        fs_test(a_removed_folder_is_empty),
        fs_test(beginning_anew_waits_for_a_rename),
        fs_test(opening_says_what_failed),
        fs_test(a_huge_folder_is_kept_in_part),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

/* What an operation costs in calls that wait for one another, over a remote that tells what came of a change. */
#include "lib/test.h"

#include "lib/fs_fixture.h"
#include <fcntl.h>
#include <sys/stat.h>

static struct fs_fixture fixture;
static uint64_t node;

static int start(void **state)
{
    (void)state;
    struct memory_remote_options options = {.tells_changes = true};
    fs_fixture_init(&fixture, &options);
    memory_remote_poke_file(fixture.memory, "file", "12345", 5);
    fs_fixture_start(&fixture);
    node = fs_walk(&fixture, "file");
    return 0;
}

static int finish(void **state)
{
    (void)state;
    fs_forget(&fixture, node);
    fs_fixture_fini(&fixture);
    return 0;
}

static uint64_t calls(void)
{
    return memory_remote_count(fixture.memory, MEMORY_OPERATIONS);
}

/* The kernel may keep what came with the answer, as what a look would have found. */
static void assert_made(const struct cfs_entry *entry, mode_t mode)
{
    assert_int_equal(entry->attributes.st_mode, mode);
    assert_int_equal(entry->attributes_ttl_ms, 1000);
    assert_int_equal(entry->entry_ttl_ms, 1000);
    fs_forget(&fixture, entry->node);
}

static void what_makes_a_name_is_one_call(void **state)
{
    (void)state;
    struct cfs_entry entry;
    uint64_t before = calls();
    assert_int_equal(fs_mkdir(&fixture, CFS_ROOT_NODE, "folder", 0750, &entry), 0);
    assert_int_equal(calls(), before + 1);
    assert_made(&entry, S_IFDIR | 0750);
    assert_int_equal(fs_symlink(&fixture, "file", CFS_ROOT_NODE, "link", &entry), 0);
    assert_int_equal(calls(), before + 2);
    assert_made(&entry, S_IFLNK | 0777);
    assert_int_equal(fs_link(&fixture, node, CFS_ROOT_NODE, "other", &entry), 0);
    assert_int_equal(calls(), before + 3);
    assert_int_equal(entry.attributes.st_size, 5);
    fs_forget(&fixture, entry.node);
}

static void setting_attributes_is_one_call(void **state)
{
    (void)state;
    struct stat attributes;
    struct cfs_open_file *file = NULL;
    uint64_t before = calls();
    assert_int_equal(fs_setattr(&fixture, node, NULL, &(struct stat){.st_mode = 0600}, CFS_SET_MODE, &attributes), 0);
    assert_int_equal(calls(), before + 1);
    assert_int_equal(attributes.st_mode, S_IFREG | 0600);
    assert_int_equal(fs_open(&fixture, node, O_WRONLY, &file), 0);
    before = calls();
    assert_int_equal(fs_setattr(&fixture, node, file, &(struct stat){.st_size = 2}, CFS_SET_SIZE, &attributes), 0);
    assert_int_equal(calls(), before + 1);
    assert_int_equal(attributes.st_size, 2);
    fs_release(&fixture, file);
}

/* What came with the answer may be from before the write. */
static void a_change_that_was_not_alone_is_looked_at(void **state)
{
    (void)state;
    struct cfs_open_file *file = NULL;
    struct fs_call writing, setting;
    assert_int_equal(fs_open(&fixture, node, O_WRONLY, &file), 0);
    fs_call_init(&writing);
    fs_call_init(&setting);
    uint64_t before = memory_remote_count(fixture.memory, MEMORY_LSTAT);
    cfs_fs_setattr(fixture.fs, &setting.request, node, NULL, &(struct stat){.st_mode = 0600}, CFS_SET_MODE);
    cfs_fs_write(fixture.fs, &writing.request, file, 0, 7, "longer.");
    assert_int_equal(fs_call_wait(&fixture, &setting), 0);
    assert_int_equal(fs_call_wait(&fixture, &writing), 0);
    assert_int_equal(memory_remote_count(fixture.memory, MEMORY_LSTAT), before + 1);
    fs_release(&fixture, file);
}

#define fs_test(function) cmocka_unit_test_setup_teardown(function, start, finish)

int main(void)
{
    const struct CMUnitTest tests[] = {
        fs_test(what_makes_a_name_is_one_call),
        fs_test(setting_attributes_is_one_call),
        fs_test(a_change_that_was_not_alone_is_looked_at),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

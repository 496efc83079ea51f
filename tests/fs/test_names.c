/* Names: looking up, making, taking away, renaming. */
#include "lib/test.h"

#include "lib/fs_fixture.h"
#include <fcntl.h>
#include <sys/stat.h>

static struct fs_fixture fixture;

static int start(void **state)
{
    (void)state;
    fs_fixture_init(&fixture, NULL);
    fs_fixture_start(&fixture);
    return 0;
}

static int finish(void **state)
{
    (void)state;
    fs_fixture_fini(&fixture);
    return 0;
}

static void lookup_finds_what_is_there(void **state)
{
    struct cfs_entry entry;
    memory_remote_poke_file(fixture.memory, "file", "12345", 5);
    assert_int_equal(fs_lookup(&fixture, CFS_ROOT_NODE, "file", &entry), 0);
    assert_true(S_ISREG(entry.attributes.st_mode));
    assert_int_equal(entry.attributes.st_size, 5);
    assert_int_equal(entry.attributes.st_nlink, 1);
    assert_int_equal(entry.attributes_ttl_ms, 1000);
    assert_int_equal(entry.entry_ttl_ms, 1000);
    assert_int_not_equal(entry.node, CFS_ROOT_NODE);
    fs_forget(&fixture, entry.node);
}

static void what_is_not_there_is_a_negative_entry(void **state)
{
    struct fs_call call;
    fs_call_init(&call);
    cfs_fs_lookup(fixture.fs, &call.request, CFS_ROOT_NODE, "nothing");
    assert_int_equal(fs_call_wait(&fixture, &call), 0);
    assert_int_equal(call.request.result.entry.node, 0);
    assert_int_equal(call.request.result.entry.entry_ttl_ms, 0);
}

static void bad_names_do_not_reach_the_server(void **state)
{
    char name[300];
    memset(name, 'x', sizeof(name));
    name[256] = '\0';
    uint64_t before = memory_remote_count(fixture.memory, MEMORY_OPERATIONS);
    assert_int_equal(fs_lookup(&fixture, CFS_ROOT_NODE, name, NULL), -ENAMETOOLONG);
    assert_int_equal(fs_mkdir(&fixture, CFS_ROOT_NODE, name, 0755, NULL), -ENAMETOOLONG);
    assert_int_equal(fs_rename(&fixture, CFS_ROOT_NODE, "a", CFS_ROOT_NODE, name, 0), -ENAMETOOLONG);
    assert_int_equal(fs_lookup(&fixture, CFS_ROOT_NODE, "..", NULL), -EINVAL);
    assert_int_equal(fs_unlink(&fixture, CFS_ROOT_NODE, "a/b"), -EINVAL);
    assert_int_equal(fs_lookup(&fixture, 4711, "a", NULL), -ESTALE);
    assert_int_equal(memory_remote_count(fixture.memory, MEMORY_OPERATIONS), before);
}

static void what_is_made_is_there(void **state)
{
    struct cfs_entry folder, file, link;
    char target[64];
    assert_int_equal(fs_mkdir(&fixture, CFS_ROOT_NODE, "folder", 0750, &folder), 0);
    assert_int_equal(folder.attributes.st_mode, S_IFDIR | 0750);
    assert_int_equal(fs_mknod(&fixture, folder.node, "file", S_IFREG | 0640, &file), 0);
    assert_int_equal(file.attributes.st_mode, S_IFREG | 0640);
    assert_int_equal(fs_symlink(&fixture, "file", folder.node, "link", &link), 0);
    assert_true(S_ISLNK(link.attributes.st_mode));
    assert_int_equal(fs_readlink(&fixture, link.node, target, sizeof(target)), 0);
    assert_string_equal(target, "file");
    assert_int_equal(fs_mkdir(&fixture, CFS_ROOT_NODE, "folder", 0750, NULL), -EEXIST);
    assert_int_equal(fs_mknod(&fixture, folder.node, "file", S_IFREG | 0640, NULL), -EEXIST);
    assert_int_equal(memory_remote_open_files(fixture.memory), 0);
    fs_forget(&fixture, folder.node);
    fs_forget(&fixture, file.node);
    fs_forget(&fixture, link.node);
}

static void pipes_and_devices_cannot_be_made(void **state)
{
    assert_int_equal(fs_mknod(&fixture, CFS_ROOT_NODE, "pipe", S_IFIFO | 0600, NULL), -EPERM);
    assert_int_equal(fs_mknod(&fixture, CFS_ROOT_NODE, "device", S_IFCHR | 0600, NULL), -EPERM);
}

static void the_callers_umask_is_applied(void **state)
{
    struct fs_call call;
    fs_call_init(&call);
    call.request.caller.umask = 027;
    cfs_fs_mkdir(fixture.fs, &call.request, CFS_ROOT_NODE, "folder", 0777);
    assert_int_equal(fs_call_wait(&fixture, &call), 0);
    assert_int_equal(call.request.result.entry.attributes.st_mode, S_IFDIR | 0750);
    fs_forget(&fixture, call.request.result.entry.node);
}

static void a_hard_link_is_a_node_of_its_own_with_the_same_inode_number(void **state)
{
    struct cfs_entry link;
    struct stat attributes;
    memory_remote_poke_file(fixture.memory, "file", "x", 1);
    uint64_t file = fs_walk(&fixture, "file");
    assert_int_equal(fs_getattr(&fixture, file, NULL, &attributes, NULL), 0);
    assert_int_equal(fs_link(&fixture, file, CFS_ROOT_NODE, "link", &link), 0);
    assert_int_not_equal(link.node, file);
    assert_int_equal(link.attributes.st_size, 1);
    assert_int_equal(link.attributes.st_ino, attributes.st_ino);
    assert_int_equal(fs_link(&fixture, file, CFS_ROOT_NODE, "link", NULL), -EEXIST);
    fs_forget(&fixture, file);
    fs_forget(&fixture, link.node);
}

static void a_success_stays_one_when_the_look_afterwards_fails(void **state)
{
    struct cfs_entry entry;
    memory_remote_fail(fixture.memory, MEMORY_LSTAT, 1, -EIO);
    assert_int_equal(fs_mkdir(&fixture, CFS_ROOT_NODE, "folder", 0711, &entry), 0);
    assert_int_equal(entry.attributes.st_mode, S_IFDIR | 0711);
    assert_int_equal(entry.attributes_ttl_ms, 0);
    fs_forget(&fixture, entry.node);
}

static void what_is_taken_away_is_gone(void **state)
{
    struct cfs_entry entry;
    struct stat attributes;
    memory_remote_poke_file(fixture.memory, "file", "x", 1);
    memory_remote_poke_mkdir(fixture.memory, "folder");
    uint64_t file = fs_walk(&fixture, "file");
    uint64_t folder = fs_walk(&fixture, "folder");
    assert_int_equal(fs_unlink(&fixture, CFS_ROOT_NODE, "file"), 0);
    assert_int_equal(fs_unlink(&fixture, CFS_ROOT_NODE, "file"), -ENOENT);
    assert_int_equal(fs_getattr(&fixture, file, NULL, &attributes, NULL), -ENOENT);
    assert_int_equal(fs_rmdir(&fixture, CFS_ROOT_NODE, "folder"), 0);
    assert_int_equal(fs_mkdir(&fixture, folder, "below", 0755, NULL), -ENOENT);
    assert_int_equal(fs_mkdir(&fixture, CFS_ROOT_NODE, "folder", 0755, &entry), 0);
    assert_int_not_equal(entry.node, folder);
    fs_forget(&fixture, entry.node);
    fs_forget(&fixture, file);
    fs_forget(&fixture, folder);
}

static void a_rename_moves_what_lies_below(void **state)
{
    struct stat before, after;
    memory_remote_poke_mkdir(fixture.memory, "a");
    memory_remote_poke_mkdir(fixture.memory, "a/b");
    memory_remote_poke_file(fixture.memory, "a/b/file", "xyz", 3);
    uint64_t file = fs_walk(&fixture, "a/b/file");
    uint64_t a = fs_walk(&fixture, "a");
    assert_int_equal(fs_getattr(&fixture, file, NULL, &before, NULL), 0);
    assert_int_equal(fs_rename(&fixture, a, "b", CFS_ROOT_NODE, "c", 0), 0);
    assert_int_equal(fs_getattr(&fixture, file, NULL, &after, NULL), 0);
    assert_int_equal(after.st_size, 3);
    assert_int_equal(after.st_ino, before.st_ino);
    uint64_t again = fs_walk(&fixture, "c/file");
    assert_int_equal(again, file);
    fs_forget(&fixture, again);
    fs_forget(&fixture, file);
    fs_forget(&fixture, a);
}

static void a_rename_over_a_name_replaces_it(void **state)
{
    struct stat attributes;
    memory_remote_poke_file(fixture.memory, "new", "new", 3);
    memory_remote_poke_file(fixture.memory, "old", "older", 5);
    uint64_t new = fs_walk(&fixture, "new");
    uint64_t old = fs_walk(&fixture, "old");
    assert_int_equal(fs_rename(&fixture, CFS_ROOT_NODE, "new", CFS_ROOT_NODE, "old", 1 /* NOREPLACE */), -EEXIST);
    assert_int_equal(fs_rename(&fixture, CFS_ROOT_NODE, "new", CFS_ROOT_NODE, "old", 2 /* EXCHANGE */), -EINVAL);
    assert_int_equal(fs_rename(&fixture, CFS_ROOT_NODE, "new", CFS_ROOT_NODE, "old", 0), 0);
    assert_int_equal(fs_getattr(&fixture, new, NULL, &attributes, NULL), 0);
    assert_int_equal(attributes.st_size, 3);
    assert_int_equal(fs_getattr(&fixture, old, NULL, &attributes, NULL), -ENOENT);
    fs_forget(&fixture, new);
    fs_forget(&fixture, old);
}

static void a_folder_does_not_move_below_itself(void **state)
{
    memory_remote_poke_mkdir(fixture.memory, "a");
    memory_remote_poke_mkdir(fixture.memory, "a/b");
    uint64_t b = fs_walk(&fixture, "a/b");
    uint64_t before = memory_remote_count(fixture.memory, MEMORY_RENAME);
    assert_int_equal(fs_rename(&fixture, CFS_ROOT_NODE, "a", b, "c", 0), -EINVAL);
    assert_int_equal(memory_remote_count(fixture.memory, MEMORY_RENAME), before);
    fs_forget(&fixture, b);
}

/* While the rename is on its way, the old path is wrong and the new one not yet right. */
static void paths_below_wait_for_a_rename(void **state)
{
    struct fs_call rename, look;
    memory_remote_poke_mkdir(fixture.memory, "a");
    memory_remote_poke_file(fixture.memory, "a/file", "xyz", 3);
    uint64_t file = fs_walk(&fixture, "a/file");
    memory_remote_hold(fixture.memory, MEMORY_RENAME);
    fs_call_init(&rename);
    fs_call_init(&look);
    cfs_fs_rename(fixture.fs, &rename.request, CFS_ROOT_NODE, "a", CFS_ROOT_NODE, "b", 0);
    uint64_t before = memory_remote_count(fixture.memory, MEMORY_LSTAT);
    cfs_fs_getattr(fixture.fs, &look.request, file, NULL);
    memory_remote_run(fixture.memory);
    assert_int_equal(memory_remote_count(fixture.memory, MEMORY_LSTAT), before);
    memory_remote_release(fixture.memory, MEMORY_RENAME);
    assert_int_equal(fs_call_wait(&fixture, &rename), 0);
    assert_int_equal(fs_call_wait(&fixture, &look), 0);
    assert_int_equal(look.request.result.attributes.st_size, 3);
    fs_forget(&fixture, file);
}

static void a_rename_waits_for_the_paths_below(void **state)
{
    struct fs_call rename, look, later;
    memory_remote_poke_mkdir(fixture.memory, "a");
    memory_remote_poke_file(fixture.memory, "a/file", "xyz", 3);
    memory_remote_poke_file(fixture.memory, "other", "xyz", 3);
    uint64_t file = fs_walk(&fixture, "a/file");
    fs_call_init(&rename);
    fs_call_init(&look);
    fs_call_init(&later);
    memory_remote_hold(fixture.memory, MEMORY_LSTAT);
    cfs_fs_getattr(fixture.fs, &look.request, file, NULL);
    cfs_fs_rename(fixture.fs, &rename.request, CFS_ROOT_NODE, "a", CFS_ROOT_NODE, "b", 0);
    cfs_fs_getattr(fixture.fs, &later.request, file, NULL); /* does not overtake the rename */
    memory_remote_run(fixture.memory);
    assert_int_equal(memory_remote_count(fixture.memory, MEMORY_RENAME), 0);
    memory_remote_release(fixture.memory, MEMORY_LSTAT);
    assert_int_equal(fs_call_wait(&fixture, &look), 0);
    assert_int_equal(fs_call_wait(&fixture, &rename), 0);
    assert_int_equal(fs_call_wait(&fixture, &later), 0);
    fs_forget(&fixture, file);
}

static void two_renames_into_each_other_do_not_block(void **state)
{
    struct fs_call first, second;
    memory_remote_poke_mkdir(fixture.memory, "a");
    memory_remote_poke_mkdir(fixture.memory, "b");
    uint64_t a = fs_walk(&fixture, "a");
    uint64_t b = fs_walk(&fixture, "b");
    fs_call_init(&first);
    fs_call_init(&second);
    cfs_fs_rename(fixture.fs, &first.request, CFS_ROOT_NODE, "a", b, "a", 0);
    cfs_fs_rename(fixture.fs, &second.request, CFS_ROOT_NODE, "b", a, "b", 0);
    assert_int_equal(fs_call_wait(&fixture, &first), 0);
    assert_int_equal(fs_call_wait(&fixture, &second), -EINVAL);
    fs_forget(&fixture, a);
    fs_forget(&fixture, b);
}

static void a_name_that_another_host_replaced_is_another_node(void **state)
{
    struct stat attributes;
    memory_remote_poke_file(fixture.memory, "name", "xyz", 3);
    uint64_t file = fs_walk(&fixture, "name");
    memory_remote_poke_remove(fixture.memory, "name");
    memory_remote_poke_mkdir(fixture.memory, "name");
    assert_int_equal(fs_getattr(&fixture, file, NULL, &attributes, NULL), -ESTALE);
    uint64_t folder = fs_walk(&fixture, "name");
    assert_int_not_equal(folder, file);
    assert_int_equal(fs_getattr(&fixture, folder, NULL, &attributes, NULL), 0);
    fs_forget(&fixture, folder);
    fs_forget(&fixture, file);
}

static void links_out_of_the_mount_cannot_be_read(void **state)
{
    char target[64];
    memory_remote_poke_mkdir(fixture.memory, "a");
    memory_remote_poke_symlink(fixture.memory, "../../etc/passwd", "a/out");
    memory_remote_poke_symlink(fixture.memory, MEMORY_ROOT "/b", "a/in");
    uint64_t out = fs_walk(&fixture, "a/out");
    uint64_t in = fs_walk(&fixture, "a/in");
    assert_int_equal(fs_readlink(&fixture, out, target, sizeof(target)), -EPERM);
    assert_int_equal(fs_readlink(&fixture, in, target, sizeof(target)), 0);
    assert_string_equal(target, "../b");
    fs_forget(&fixture, out);
    fs_forget(&fixture, in);
}

static void nothing_changes_on_a_read_only_mount(void **state)
{
    memory_remote_poke_file(fixture.memory, "file", "xyz", 3);
    uint64_t file = fs_walk(&fixture, "file");
    struct cfs_open_file *open = NULL;
    struct stat attributes = {.st_mode = 0};
    fixture.profile.read_only = true;
    uint64_t before = memory_remote_count(fixture.memory, MEMORY_OPERATIONS);
    assert_int_equal(fs_mkdir(&fixture, CFS_ROOT_NODE, "x", 0755, NULL), -EROFS);
    assert_int_equal(fs_mknod(&fixture, CFS_ROOT_NODE, "x", S_IFREG, NULL), -EROFS);
    assert_int_equal(fs_symlink(&fixture, "y", CFS_ROOT_NODE, "x", NULL), -EROFS);
    assert_int_equal(fs_link(&fixture, file, CFS_ROOT_NODE, "x", NULL), -EROFS);
    assert_int_equal(fs_unlink(&fixture, CFS_ROOT_NODE, "file"), -EROFS);
    assert_int_equal(fs_rmdir(&fixture, CFS_ROOT_NODE, "file"), -EROFS);
    assert_int_equal(fs_rename(&fixture, CFS_ROOT_NODE, "file", CFS_ROOT_NODE, "x", 0), -EROFS);
    assert_int_equal(fs_setattr(&fixture, file, NULL, &attributes, CFS_SET_MODE, NULL), -EROFS);
    assert_int_equal(fs_open(&fixture, file, O_RDWR, &open), -EROFS);
    assert_int_equal(fs_open(&fixture, file, O_RDONLY | O_TRUNC, &open), -EROFS);
    assert_int_equal(fs_create(&fixture, CFS_ROOT_NODE, "x", 0644, O_WRONLY, &open, NULL), -EROFS);
    assert_int_equal(memory_remote_count(fixture.memory, MEMORY_OPERATIONS), before);
    fs_forget(&fixture, file);
}

static void statfs_is_asked_or_made_up(void **state)
{
    struct fs_call call;
    fs_call_init(&call);
    cfs_fs_statfs(fixture.fs, &call.request);
    assert_int_equal(fs_call_wait(&fixture, &call), 0);
    assert_true(call.request.result.statvfs.f_blocks > 0);
    memory_remote_fail(fixture.memory, MEMORY_STATFS, 1, -EOPNOTSUPP);
    fs_call_init(&call);
    cfs_fs_statfs(fixture.fs, &call.request);
    assert_int_equal(fs_call_wait(&fixture, &call), 0);
    assert_true(call.request.result.statvfs.f_bavail > 0);
    assert_int_equal(call.request.result.statvfs.f_namemax, 255);
}

#define fs_test(function) cmocka_unit_test_setup_teardown(function, start, finish)

int main(void)
{
    const struct CMUnitTest tests[] = {
        fs_test(lookup_finds_what_is_there),
        fs_test(what_is_not_there_is_a_negative_entry),
        fs_test(bad_names_do_not_reach_the_server),
        fs_test(what_is_made_is_there),
        fs_test(pipes_and_devices_cannot_be_made),
        fs_test(the_callers_umask_is_applied),
        fs_test(a_hard_link_is_a_node_of_its_own_with_the_same_inode_number),
        fs_test(a_success_stays_one_when_the_look_afterwards_fails),
        fs_test(what_is_taken_away_is_gone),
        fs_test(a_rename_moves_what_lies_below),
        fs_test(a_rename_over_a_name_replaces_it),
        fs_test(a_folder_does_not_move_below_itself),
        fs_test(paths_below_wait_for_a_rename),
        fs_test(a_rename_waits_for_the_paths_below),
        fs_test(two_renames_into_each_other_do_not_block),
        fs_test(a_name_that_another_host_replaced_is_another_node),
        fs_test(links_out_of_the_mount_cannot_be_read),
        fs_test(nothing_changes_on_a_read_only_mount),
        fs_test(statfs_is_asked_or_made_up),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

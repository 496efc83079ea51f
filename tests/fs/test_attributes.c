/* Attributes: what stat(2) shows, what chmod, chown, truncate and utimensat ask for, and what the kernel may keep. */
#include "lib/test.h"

#include "lib/fs_fixture.h"
#include <fcntl.h>
#include <stdio.h>
#include <sys/stat.h>

static struct fs_fixture fixture;
static uint64_t node;

static int start(void **state)
{
    (void)state;
    fs_fixture_init(&fixture, NULL);
    memory_remote_poke_file(fixture.memory, "file", "12345", 5);
    memory_remote_poke_mtime(fixture.memory, "file", 1600000000);
    fs_fixture_start(&fixture);
    node = fs_walk(&fixture, "file");
    return 0;
}

static int start_with_names(void **state)
{
    (void)state;
    fs_fixture_init(&fixture, NULL);
    fixture.profile.idmap = CFS_IDMAP_NAME;
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

static struct cfs_remote_attributes on_the_server(const char *path)
{
    struct cfs_remote_attributes attributes;
    assert_int_equal(memory_tree_lstat(memory_remote_tree(fixture.memory), path, &attributes), 0);
    return attributes;
}

static struct stat get_attributes(void)
{
    struct stat attributes;
    assert_int_equal(fs_getattr(&fixture, node, NULL, &attributes, NULL), 0);
    return attributes;
}

static void stat_shows_what_the_server_tells(void **state)
{
    struct stat attributes = get_attributes();
    assert_int_equal(attributes.st_size, 5);
    assert_int_equal(attributes.st_blocks, 1);
    assert_int_equal(attributes.st_mtim.tv_sec, 1600000000);
    assert_int_equal(attributes.st_ctim.tv_sec, 1600000000);
    assert_true(attributes.st_blksize >= 65536);
    assert_int_equal(attributes.st_nlink, 1);
    struct stat root;
    assert_int_equal(fs_getattr(&fixture, CFS_ROOT_NODE, NULL, &root, NULL), 0);
    assert_true(S_ISDIR(root.st_mode));
    assert_int_equal(root.st_ino, 1);
}

static void umask_takes_bits_away(void **state)
{
    mode_t before = get_attributes().st_mode;
    fixture.profile.umask = 077;
    assert_int_equal(get_attributes().st_mode, before);
    fixture.profile.umask_set = true;
    assert_int_equal(get_attributes().st_mode, before & ~077u);
}

static void chmod_sets_the_mode_alone(void **state)
{
    struct stat wanted = {.st_mode = S_IFREG | 0600}, result;
    assert_int_equal(fs_setattr(&fixture, node, NULL, &wanted, CFS_SET_MODE, &result), 0);
    assert_int_equal(result.st_mode, S_IFREG | 0600);
    assert_int_equal(result.st_mtim.tv_sec, 1600000000);
    assert_int_equal(on_the_server("file").mode, S_IFREG | 0600);
}

/* SFTP sets both times at once. */
static void touch_a_leaves_mtime(void **state)
{
    struct stat wanted = {.st_atim = {.tv_sec = 1500000000, .tv_nsec = 999999999}}, result;
    assert_int_equal(fs_setattr(&fixture, node, NULL, &wanted, CFS_SET_ATIME, &result), 0);
    assert_int_equal(result.st_atim.tv_sec, 1500000000);
    assert_int_equal(result.st_mtim.tv_sec, 1600000000);
    wanted.st_mtim.tv_sec = 1400000000;
    assert_int_equal(fs_setattr(&fixture, node, NULL, &wanted, CFS_SET_MTIME, &result), 0);
    assert_int_equal(on_the_server("file").atime, 1500000000);
    assert_int_equal(on_the_server("file").mtime, 1400000000);
}

static void now_is_this_machines_time(void **state)
{
    const struct cfs_clock *clock = memory_remote_clock(fixture.memory);
    struct stat wanted = {.st_size = 0}, result;
    assert_int_equal(fs_setattr(&fixture, node, NULL, &wanted, CFS_SET_ATIME_NOW | CFS_SET_MTIME_NOW, &result), 0);
    assert_int_equal(result.st_mtim.tv_sec, clock->wall(clock).tv_sec);
    assert_int_equal(result.st_atim.tv_sec, clock->wall(clock).tv_sec);
}

static void times_out_of_range_are_clamped(void **state)
{
    struct stat wanted = {.st_mtim = {.tv_sec = -5}, .st_atim = {.tv_sec = (time_t)1 << 40}}, result;
    assert_int_equal(fs_setattr(&fixture, node, NULL, &wanted, CFS_SET_MTIME | CFS_SET_ATIME, &result), 0);
    assert_int_equal(on_the_server("file").mtime, 0);
    assert_int_equal(on_the_server("file").atime, UINT32_MAX);
}

static void truncate_works_by_path_and_by_file(void **state)
{
    struct cfs_open_file *file = NULL, *reader = NULL;
    struct stat wanted = {.st_size = 3}, result;
    assert_int_equal(fs_setattr(&fixture, node, NULL, &wanted, CFS_SET_SIZE, &result), 0);
    assert_int_equal(result.st_size, 3);
    assert_int_equal(fs_open(&fixture, node, O_RDWR, &file), 0);
    assert_int_equal(fs_open(&fixture, node, O_RDONLY, &reader), 0);
    wanted.st_size = 9;
    assert_int_equal(fs_setattr(&fixture, node, file, &wanted, CFS_SET_SIZE, &result), 0);
    assert_int_equal(result.st_size, 9);
    wanted.st_size = 8; /* a handle for reading cannot do it: by path */
    assert_int_equal(fs_setattr(&fixture, node, reader, &wanted, CFS_SET_SIZE, &result), 0);
    assert_int_equal(on_the_server("file").size, 8);
    wanted.st_size = -1;
    assert_int_equal(fs_setattr(&fixture, node, NULL, &wanted, CFS_SET_SIZE, &result), -EINVAL);
    fs_release(&fixture, file);
    fs_release(&fixture, reader);
}

static void chown_of_one_leaves_the_other(void **state)
{
    gid_t gid = on_the_server("file").gid;
    struct stat wanted = {.st_uid = 4321, .st_gid = 1234}, result;
    assert_int_equal(fs_setattr(&fixture, node, NULL, &wanted, CFS_SET_UID, &result), 0);
    assert_int_equal(on_the_server("file").uid, 4321);
    assert_int_equal(on_the_server("file").gid, gid);
    assert_int_equal(fs_setattr(&fixture, node, NULL, &wanted, CFS_SET_GID, &result), 0);
    assert_int_equal(on_the_server("file").uid, 4321);
    assert_int_equal(on_the_server("file").gid, 1234);
}

static void chown_to_the_owner_asks_for_nothing(void **state)
{
    struct stat wanted = get_attributes();
    uint64_t before = memory_remote_count(fixture.memory, MEMORY_SETATTR);
    assert_int_equal(fs_setattr(&fixture, node, NULL, &wanted, CFS_SET_UID | CFS_SET_GID, &wanted), 0);
    assert_int_equal(memory_remote_count(fixture.memory, MEMORY_SETATTR), before);
}

static void a_refused_change_says_so(void **state)
{
    struct stat wanted = {.st_mode = 0600}, result;
    memory_remote_fail(fixture.memory, MEMORY_SETATTR, 1, -EPERM);
    assert_int_equal(fs_setattr(&fixture, node, NULL, &wanted, CFS_SET_MODE, &result), -EPERM);
}

/* A getattr that the server answered before a write of ours, and that arrives after it. */
static void overtaken_attributes_are_not_kept(void **state)
{
    struct fs_call look;
    struct cfs_open_file *file = NULL;
    uint32_t ttl_ms;
    struct stat attributes;
    assert_int_equal(fs_open(&fixture, node, O_RDWR, &file), 0);
    memory_remote_hold(fixture.memory, MEMORY_LSTAT);
    fs_call_init(&look);
    cfs_fs_getattr(fixture.fs, &look.request, node, NULL);
    assert_int_equal(fs_write(&fixture, file, 0, "longer text", 11), 11);
    memory_remote_release(fixture.memory, MEMORY_LSTAT);
    assert_int_equal(fs_call_wait(&fixture, &look), 0);
    assert_int_equal(look.request.result.attributes_ttl_ms, 0);
    assert_int_equal(fs_getattr(&fixture, node, NULL, &attributes, &ttl_ms), 0);
    assert_int_equal(ttl_ms, 1000);
    assert_int_equal(attributes.st_size, 11);
    fs_release(&fixture, file);
}

static void attributes_are_not_kept_while_a_change_is_on_its_way(void **state)
{
    struct fs_call write;
    struct cfs_open_file *file = NULL;
    uint32_t ttl_ms;
    struct stat attributes;
    assert_int_equal(fs_open(&fixture, node, O_RDWR, &file), 0);
    memory_remote_hold(fixture.memory, MEMORY_WRITE);
    fs_call_init(&write);
    cfs_fs_write(fixture.fs, &write.request, file, 0, 3, "abc");
    assert_int_equal(fs_getattr(&fixture, node, NULL, &attributes, &ttl_ms), 0);
    assert_int_equal(ttl_ms, 0);
    memory_remote_release(fixture.memory, MEMORY_WRITE);
    assert_int_equal(fs_call_wait(&fixture, &write), 0);
    fs_release(&fixture, file);
}

static void idmap_user_learns_the_login_from_the_root(void **state)
{
    struct cfs_remote_attributes root = on_the_server("");
    struct stat attributes;
    fixture.profile.idmap = CFS_IDMAP_USER;
    fixture.profile.uid = 1777;
    assert_int_equal(fs_getattr(&fixture, CFS_ROOT_NODE, NULL, &attributes, NULL), 0);
    assert_int_equal(attributes.st_uid, root.uid == 0 ? 0 : 1777);
    assert_int_equal(get_attributes().st_uid, root.uid == 0 ? 0 : 1777);
}

/* Asked for on the way, once; looked up in the local database on a thread that may wait. */
static void idmap_name_asks_the_server_for_names(void **state)
{
    struct stat attributes;
    struct cfs_entry entry;
    struct cfs_remote_attributes owner = {.valid = CFS_REMOTE_OWNER, .uid = 7, .gid = 8};
    assert_int_equal(memory_tree_setattr(memory_remote_tree(fixture.memory), "file", &owner), 0);
    memory_remote_fail(fixture.memory, MEMORY_ID_NAMES, 1, -EIO);
    assert_int_equal(fs_getattr(&fixture, node, NULL, &attributes, NULL), 0);
    assert_int_equal(attributes.st_uid, 7); /* by number this time */
    uint64_t before = memory_remote_count(fixture.memory, MEMORY_ID_NAMES);
    assert_int_equal(fs_lookup(&fixture, CFS_ROOT_NODE, "file", &entry), 0);
    assert_int_equal(memory_remote_count(fixture.memory, MEMORY_ID_NAMES), before + 1);
    assert_int_equal(fs_getattr(&fixture, node, NULL, &attributes, NULL), 0);
    assert_int_equal(memory_remote_count(fixture.memory, MEMORY_ID_NAMES), before + 1);
    fs_forget(&fixture, entry.node);
}

static void a_listing_asks_for_all_names_at_once(void **state)
{
    struct cfs_open_folder *folder = NULL;
    char *names CFS_AUTO_FREE = NULL;
    uint64_t next;
    for (uint32_t i = 0; i < 20; i++) {
        char name[8];
        struct cfs_remote_attributes owner = {.valid = CFS_REMOTE_OWNER, .uid = 3000 + i, .gid = 4000 + i % 3};
        snprintf(name, sizeof(name), "f%u", i);
        memory_remote_poke_file(fixture.memory, name, "", 0);
        assert_int_equal(memory_tree_setattr(memory_remote_tree(fixture.memory), name, &owner), 0);
    }
    uint64_t before = memory_remote_count(fixture.memory, MEMORY_ID_NAMES);
    assert_int_equal(fs_open_folder(&fixture, CFS_ROOT_NODE, &folder), 0);
    assert_int_equal(fs_read_folder(&fixture, folder, 0, true, 60, &names, &next), 0);
    assert_int_equal(memory_remote_count(fixture.memory, MEMORY_ID_NAMES), before + 1);
    fs_release_folder(&fixture, folder);
}

#define fs_test(function) cmocka_unit_test_setup_teardown(function, start, finish)

int main(void)
{
    const struct CMUnitTest tests[] = {
        fs_test(stat_shows_what_the_server_tells),
        fs_test(umask_takes_bits_away),
        fs_test(chmod_sets_the_mode_alone),
        fs_test(touch_a_leaves_mtime),
        fs_test(now_is_this_machines_time),
        fs_test(times_out_of_range_are_clamped),
        fs_test(truncate_works_by_path_and_by_file),
        fs_test(chown_of_one_leaves_the_other),
        fs_test(chown_to_the_owner_asks_for_nothing),
        fs_test(a_refused_change_says_so),
        fs_test(overtaken_attributes_are_not_kept),
        fs_test(attributes_are_not_kept_while_a_change_is_on_its_way),
        fs_test(idmap_user_learns_the_login_from_the_root),
        cmocka_unit_test_setup_teardown(idmap_name_asks_the_server_for_names, start_with_names, finish),
        cmocka_unit_test_setup_teardown(a_listing_asks_for_all_names_at_once, start_with_names, finish),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

/* Reading mountinfo: only our mounts, with escapes undone, the topmost found. */
#include "cli/mountpoint.h"
#include "lib/test.h"
#include <stdio.h>
#include <unistd.h>

static struct cfs_mounted_list read_text(const char *text)
{
    char path[] = "/tmp/cfs.XXXXXX";
    struct cfs_mounted_list list;
    int fd = mkstemp(path);
    assert_true(fd >= 0);
    assert_int_equal(write(fd, text, strlen(text)), (ssize_t)strlen(text));
    close(fd);
    assert_int_equal(cfs_mounted_read(path, &list), 0);
    unlink(path);
    return list;
}

static void only_clusterfs_mounts_are_taken(void **state)
{
    (void)state;
    struct cfs_mounted_list list = read_text(
        "22 1 254:0 / / rw,relatime shared:1 - ext4 /dev/vda rw\n"
        "30 22 0:35 / /home/a/job\\0401 rw,nosuid,nodev - fuse.clusterfs job1:/a\\040b rw,user_id=1000,group_id=1000\n"
        "31 22 0:36 / /mnt/x rw - fuse.sshfs host: rw,user_id=0\n"
        "32 22 0:37 / /mnt/y rw master:2 propagate_from:1 - fuse.clusterfs job2 rw,user_id=0,group_id=0\n");
    assert_int_equal(list.count, 2);
    assert_string_equal(list.mounts[0].mountpoint, "/home/a/job 1");
    assert_string_equal(list.mounts[0].source, "job1:/a b");
    assert_int_equal(list.mounts[0].uid, 1000);
    assert_string_equal(list.mounts[1].mountpoint, "/mnt/y");
    cfs_mounted_free(&list);
}

static void damaged_lines_do_no_harm(void **state)
{
    (void)state;
    struct cfs_mounted_list list =
        read_text("\n - \n1 - fuse.clusterfs\n - fuse.clusterfs x y\n1 2 3 4 - fuse.clusterfs s o\n");
    assert_int_equal(list.count, 0);
    cfs_mounted_free(&list);
    list =
        read_text("1 0 0:1 / /m\\ rw - fuse.clusterfs \\1 rw,user_id=0\n2 0 0:1 / /\\04 rw - fuse.clusterfs \\9 rw\n");
    assert_int_equal(list.count, 2);
    assert_string_equal(list.mounts[0].mountpoint, "/m\\");
    assert_string_equal(list.mounts[0].source, "\\1");
    assert_string_equal(list.mounts[1].mountpoint, "/\\04");
    cfs_mounted_free(&list);
}

static void the_topmost_mount_is_found(void **state)
{
    (void)state;
    struct cfs_mounted_list list = read_text("1 0 0:1 / /m rw - fuse.clusterfs below rw,user_id=0\n"
                                             "2 1 0:2 / /m rw - fuse.clusterfs above rw,user_id=0\n");
    assert_string_equal(cfs_mounted_find(&list, "/m")->source, "above");
    assert_null(cfs_mounted_find(&list, "/m/n"));
    cfs_mounted_free(&list);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(only_clusterfs_mounts_are_taken),
        cmocka_unit_test(damaged_lines_do_no_harm),
        cmocka_unit_test(the_topmost_mount_is_found),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

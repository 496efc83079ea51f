/* The contract remote/remote.h as a suite of checks. Each begins with an empty folder as the root. */
#include "lib/remote_conformance.h"
#include "lib/remote_conformance_priv.h"
#include "lib/remote_sync.h"
#include "lib/test.h"
#include <fcntl.h>
#include <limits.h>
#include <sys/stat.h>

unsigned conform_capabilities(struct remote_driver *driver)
{
    return driver->remote->operations->facts(driver->remote)->capabilities;
}

static struct cfs_remote_file *open_file(struct remote_driver *driver, const char *path, int flags)
{
    struct cfs_remote_file *file = NULL;
    OK(sync_open(driver, path, flags, 0644, &file));
    return file;
}

void conform_make_file(struct remote_driver *driver, const char *path, const void *data, size_t length)
{
    struct cfs_remote_file *file = open_file(driver, path, O_WRONLY | O_CREAT | O_TRUNC);
    OK(sync_write(driver, file, 0, data, length));
    OK(sync_close(driver, file));
}

void conform_expect_content(struct remote_driver *driver, const char *path, const void *data, size_t length)
{
    struct cfs_remote_file *file = open_file(driver, path, O_RDONLY);
    uint8_t *buffer CFS_AUTO_FREE = malloc(length + 1);
    assert_non_null(buffer);
    assert_int_equal(sync_read(driver, file, 0, buffer, length + 1), length);
    if (length)
        assert_memory_equal(buffer, data, length);
    OK(sync_close(driver, file));
}

uint8_t *conform_pattern(size_t length)
{
    uint8_t *bytes = malloc(length);
    assert_non_null(bytes);
    for (size_t i = 0; i < length; i++)
        bytes[i] = (uint8_t)((i * 31) ^ (i >> 8) ^ (i >> 16));
    return bytes;
}

mode_t conform_mode_of(struct remote_driver *driver, const char *path)
{
    struct cfs_remote_attributes attributes = {0};
    OK(sync_lstat(driver, path, &attributes));
    assert_true(attributes.valid & CFS_REMOTE_MODE);
    return attributes.mode;
}

static uint64_t size_of(struct remote_driver *driver, const char *path)
{
    struct cfs_remote_attributes attributes = {0};
    OK(sync_lstat(driver, path, &attributes));
    return attributes.size;
}

/* --- paths --- */

static void the_root_is_a_folder(void **state)
{
    assert_true(S_ISDIR(conform_mode_of(*state, "")));
}

static void a_missing_name_is_enoent(void **state)
{
    assert_int_equal(sync_lstat(*state, "missing", NULL), -ENOENT);
    assert_int_equal(sync_unlink(*state, "missing"), -ENOENT);
    assert_int_equal(sync_rmdir(*state, "missing"), -ENOENT);
    assert_int_equal(sync_mkdir(*state, "missing/below", 0755), -ENOENT);
    assert_int_equal(sync_rename(*state, "missing", "other", CFS_REMOTE_RENAME_REPLACE), -ENOENT);
    assert_int_equal(sync_rename(*state, "missing", "other", CFS_REMOTE_RENAME_NOREPLACE), -ENOENT);
}

static void a_file_in_the_middle_of_a_path_is_enotdir(void **state)
{
    struct cfs_remote_file *file;
    conform_make_file(*state, "file", "x", 1);
    assert_int_equal(sync_mkdir(*state, "file/below", 0755), -ENOTDIR);
    assert_int_equal(sync_open(*state, "file/below", O_WRONLY | O_CREAT, 0644, &file), -ENOTDIR);
    assert_int_equal(sync_symlink(*state, "target", "file/below"), -ENOTDIR);
    assert_int_equal(sync_rename(*state, "file", "file/below", CFS_REMOTE_RENAME_REPLACE), -ENOTDIR);
}

static void too_long_a_name_is_enametoolong(void **state)
{
    char name[NAME_MAX + 2];
    memset(name, 'n', sizeof(name));
    name[NAME_MAX + 1] = '\0';
    assert_int_equal(sync_lstat(*state, name, NULL), -ENAMETOOLONG);
    assert_int_equal(sync_mkdir(*state, name, 0755), -ENAMETOOLONG);
    name[NAME_MAX] = '\0';
    OK(sync_mkdir(*state, name, 0755));
}

static void mkdir_gives_the_mode_that_was_asked_for(void **state)
{
    OK(sync_mkdir(*state, "open", 0777));
    OK(sync_mkdir(*state, "closed", 0700));
    assert_int_equal(conform_mode_of(*state, "open") & 0777, 0777);
    assert_int_equal(conform_mode_of(*state, "closed") & 0777, 0700);
}

static void mkdir_of_what_exists_is_eexist_and_changes_nothing(void **state)
{
    OK(sync_mkdir(*state, "folder", 0700));
    conform_make_file(*state, "file", "x", 1);
    assert_int_equal(sync_mkdir(*state, "folder", 0777), -EEXIST);
    assert_int_equal(sync_mkdir(*state, "file", 0777), -EEXIST);
    assert_int_equal(conform_mode_of(*state, "folder") & 0777, 0700);
}

static void rmdir_tells_why_not(void **state)
{
    OK(sync_mkdir(*state, "full", 0755));
    conform_make_file(*state, "full/file", "x", 1);
    assert_int_equal(sync_rmdir(*state, "full"), -ENOTEMPTY);
    assert_int_equal(sync_rmdir(*state, "full/file"), -ENOTDIR);
    OK(sync_unlink(*state, "full/file"));
    OK(sync_rmdir(*state, "full"));
    assert_int_equal(sync_lstat(*state, "full", NULL), -ENOENT);
}

static void unlink_of_a_folder_is_eisdir(void **state)
{
    OK(sync_mkdir(*state, "folder", 0755));
    assert_int_equal(sync_unlink(*state, "folder"), -EISDIR);
}

static void symlinks_keep_their_target(void **state)
{
    char target[PATH_MAX];
    OK(sync_symlink(*state, "some where/../else", "link"));
    assert_true(S_ISLNK(conform_mode_of(*state, "link")));
    OK(sync_readlink(*state, "link", target, sizeof(target)));
    assert_string_equal(target, "some where/../else");
    assert_int_equal(sync_symlink(*state, "x", "link"), -EEXIST);
    OK(sync_mkdir(*state, "folder", 0755));
    assert_int_equal(sync_readlink(*state, "folder", target, sizeof(target)), -EINVAL);
    assert_int_equal(sync_readlink(*state, "missing", target, sizeof(target)), -ENOENT);
}

static void hard_links_share_the_content(void **state)
{
    if (!(conform_capabilities(*state) & CFS_REMOTE_CAN_LINK)) {
        conform_make_file(*state, "one", "shared", 6);
        assert_int_equal(sync_link(*state, "one", "two"), -EOPNOTSUPP);
        return;
    }
    conform_make_file(*state, "one", "shared", 6);
    OK(sync_link(*state, "one", "two"));
    OK(sync_unlink(*state, "one"));
    conform_expect_content(*state, "two", "shared", 6);
    conform_make_file(*state, "three", "x", 1);
    assert_int_equal(sync_link(*state, "two", "three"), -EEXIST);
    OK(sync_mkdir(*state, "folder", 0755));
    assert_int_equal(sync_link(*state, "folder", "another"), -EPERM);
}

static void setattr_sets_what_is_valid_and_nothing_else(void **state)
{
    struct cfs_remote_attributes set = {.valid = CFS_REMOTE_MODE, .mode = 0640}, got = {0};
    conform_make_file(*state, "file", "0123456789", 10);
    OK(sync_setattr(*state, "file", S_IFREG, &set));
    set = (struct cfs_remote_attributes){.valid = CFS_REMOTE_TIMES, .atime = 1000000001, .mtime = 1000000002};
    OK(sync_setattr(*state, "file", S_IFREG, &set));
    OK(sync_lstat(*state, "file", &got));
    assert_int_equal(got.mode, S_IFREG | 0640);
    assert_int_equal(got.atime, 1000000001);
    assert_int_equal(got.mtime, 1000000002);
    assert_int_equal(got.size, 10);
    set = (struct cfs_remote_attributes){.valid = CFS_REMOTE_SIZE, .size = 4};
    OK(sync_setattr(*state, "file", S_IFREG, &set));
    conform_expect_content(*state, "file", "0123", 4);
    assert_int_equal(sync_setattr(*state, "missing", S_IFREG, &set), -ENOENT);
}

static void setattr_of_a_link_changes_the_link_or_nothing(void **state)
{
    struct cfs_remote_attributes set = {.valid = CFS_REMOTE_TIMES, .atime = 5, .mtime = 6}, got = {0};
    conform_make_file(*state, "file", "x", 1);
    OK(sync_symlink(*state, "file", "link"));
    int error = sync_setattr(*state, "link", S_IFLNK, &set);
    if (conform_capabilities(*state) & CFS_REMOTE_CAN_LSETSTAT) {
        assert_int_equal(error, 0);
        OK(sync_lstat(*state, "link", &got));
        assert_int_equal(got.mtime, 6);
    } else {
        assert_int_equal(error, -EOPNOTSUPP);
    }
    OK(sync_lstat(*state, "file", &got));
    assert_int_not_equal(got.mtime, 6);
}

static void statfs_tells_or_says_that_it_cannot(void **state)
{
    struct cfs_remote_statfs space;
    int error = sync_statfs(*state, &space);
    if (!(conform_capabilities(*state) & CFS_REMOTE_CAN_STATFS)) {
        assert_int_equal(error, -EOPNOTSUPP);
        return;
    }
    assert_int_equal(error, 0);
    assert_true(space.blocks > 0 && space.block_size > 0 && space.name_max > 0);
}

/* --- renaming --- */

static void rename_replaces(void **state)
{
    conform_make_file(*state, "a", "aaa", 3);
    conform_make_file(*state, "b", "b", 1);
    OK(sync_rename(*state, "a", "b", CFS_REMOTE_RENAME_REPLACE));
    assert_int_equal(sync_lstat(*state, "a", NULL), -ENOENT);
    conform_expect_content(*state, "b", "aaa", 3);
    OK(sync_rename(*state, "b", "b", CFS_REMOTE_RENAME_REPLACE));
    conform_expect_content(*state, "b", "aaa", 3);
}

static void rename_without_replacing_refuses(void **state)
{
    conform_make_file(*state, "a", "aaa", 3);
    conform_make_file(*state, "b", "b", 1);
    OK(sync_mkdir(*state, "folder", 0755));
    OK(sync_mkdir(*state, "empty", 0755));
    OK(sync_symlink(*state, "nowhere", "dangling"));
    assert_int_equal(sync_rename(*state, "a", "b", CFS_REMOTE_RENAME_NOREPLACE), -EEXIST);
    assert_int_equal(sync_rename(*state, "folder", "empty", CFS_REMOTE_RENAME_NOREPLACE), -EEXIST);
    assert_int_equal(sync_rename(*state, "folder", "dangling", CFS_REMOTE_RENAME_NOREPLACE), -EEXIST);
    assert_int_equal(sync_rename(*state, "a", "dangling", CFS_REMOTE_RENAME_NOREPLACE), -EEXIST);
    OK(sync_rename(*state, "a", "c", CFS_REMOTE_RENAME_NOREPLACE));
    OK(sync_rename(*state, "folder", "moved", CFS_REMOTE_RENAME_NOREPLACE));
    conform_expect_content(*state, "c", "aaa", 3);
    conform_expect_content(*state, "b", "b", 1);
    assert_true(S_ISDIR(conform_mode_of(*state, "moved")));
    assert_true(S_ISLNK(conform_mode_of(*state, "dangling")));
}

static void rename_tells_why_not(void **state)
{
    OK(sync_mkdir(*state, "folder", 0755));
    OK(sync_mkdir(*state, "full", 0755));
    conform_make_file(*state, "full/file", "x", 1);
    conform_make_file(*state, "file", "x", 1);
    assert_int_equal(sync_rename(*state, "file", "folder", CFS_REMOTE_RENAME_REPLACE), -EISDIR);
    assert_int_equal(sync_rename(*state, "folder", "file", CFS_REMOTE_RENAME_REPLACE), -ENOTDIR);
    assert_int_equal(sync_rename(*state, "folder", "full", CFS_REMOTE_RENAME_REPLACE), -ENOTEMPTY);
    assert_int_equal(sync_rename(*state, "full", "full/below", CFS_REMOTE_RENAME_REPLACE), -EINVAL);
    OK(sync_rename(*state, "full", "folder", CFS_REMOTE_RENAME_REPLACE));
    conform_expect_content(*state, "folder/file", "x", 1);
}

static void open_files_survive_renames_and_removal(void **state)
{
    char byte = 0;
    OK(sync_mkdir(*state, "old", 0755));
    conform_make_file(*state, "old/file", "1", 1);
    conform_make_file(*state, "old/gone", "2", 1);
    struct cfs_remote_file *file = open_file(*state, "old/file", O_RDWR);
    struct cfs_remote_file *gone = open_file(*state, "old/gone", O_RDWR);
    OK(sync_rename(*state, "old", "new", CFS_REMOTE_RENAME_REPLACE));
    OK(sync_unlink(*state, "new/gone"));
    assert_int_equal(sync_read(*state, file, 0, &byte, 1), 1);
    assert_int_equal(byte, '1');
    OK(sync_write(*state, gone, 1, "3", 1));
    assert_int_equal(sync_read(*state, gone, 1, &byte, 1), 1);
    assert_int_equal(byte, '3');
    OK(sync_close(*state, file));
    OK(sync_close(*state, gone));
}

/* --- files --- */

static void open_obeys_its_flags(void **state)
{
    struct cfs_remote_file *file;
    assert_int_equal(sync_open(*state, "f", O_RDONLY, 0, &file), -ENOENT);
    assert_int_equal(sync_open(*state, "f", O_WRONLY, 0, &file), -ENOENT);
    OK(sync_open(*state, "f", O_WRONLY | O_CREAT | O_EXCL, 0600, &file));
    OK(sync_write(*state, file, 0, "abc", 3));
    OK(sync_close(*state, file));
    assert_int_equal(sync_open(*state, "f", O_WRONLY | O_CREAT | O_EXCL, 0600, &file), -EEXIST);
    OK(sync_close(*state, open_file(*state, "f", O_WRONLY | O_CREAT)));
    conform_expect_content(*state, "f", "abc", 3);
    OK(sync_close(*state, open_file(*state, "f", O_WRONLY | O_TRUNC)));
    assert_int_equal(size_of(*state, "f"), 0);
}

static void creating_gives_the_mode_that_was_asked_for(void **state)
{
    struct cfs_remote_file *file;
    OK(sync_open(*state, "wide", O_WRONLY | O_CREAT | O_EXCL, 0666, &file));
    OK(sync_close(*state, file));
    OK(sync_open(*state, "wide2", O_WRONLY | O_CREAT, 0777, &file));
    OK(sync_close(*state, file));
    OK(sync_open(*state, "narrow", O_RDWR | O_CREAT, 0400, &file));
    OK(sync_write(*state, file, 0, "x", 1));
    OK(sync_close(*state, file));
    assert_int_equal(conform_mode_of(*state, "wide") & 0777, 0666);
    assert_int_equal(conform_mode_of(*state, "wide2") & 0777, 0777);
    assert_int_equal(conform_mode_of(*state, "narrow") & 0777, 0400);
}

static void opening_what_exists_keeps_its_mode(void **state)
{
    struct cfs_remote_file *file;
    struct cfs_remote_attributes mode = {.valid = CFS_REMOTE_MODE, .mode = 0600};
    conform_make_file(*state, "f", "x", 1);
    OK(sync_setattr(*state, "f", S_IFREG, &mode));
    OK(sync_open(*state, "f", O_WRONLY | O_CREAT, 0666, &file));
    OK(sync_close(*state, file));
    assert_int_equal(conform_mode_of(*state, "f") & 0777, 0600);
}

static void folders_are_not_opened_as_files(void **state)
{
    struct cfs_remote_file *file;
    OK(sync_mkdir(*state, "folder", 0755));
    assert_int_equal(sync_open(*state, "folder", O_WRONLY, 0, &file), -EISDIR);
    assert_int_equal(sync_open(*state, "folder", O_RDONLY, 0, &file), -EISDIR);
    assert_int_equal(sync_open(*state, "folder", O_RDWR | O_CREAT, 0644, &file), -EISDIR);
}

static void reads_end_where_the_file_ends(void **state)
{
    char buffer[32];
    conform_make_file(*state, "f", "0123456789", 10);
    struct cfs_remote_file *file = open_file(*state, "f", O_RDONLY);
    assert_int_equal(sync_read(*state, file, 4, buffer, 3), 3);
    assert_memory_equal(buffer, "456", 3);
    assert_int_equal(sync_read(*state, file, 8, buffer, sizeof(buffer)), 2);
    assert_memory_equal(buffer, "89", 2);
    assert_int_equal(sync_read(*state, file, 10, buffer, sizeof(buffer)), 0);
    assert_int_equal(sync_read(*state, file, 1000000, buffer, sizeof(buffer)), 0);
    assert_int_equal(sync_read(*state, file, 0, buffer, 0), 0);
    OK(sync_close(*state, file));
}

static void large_reads_and_writes_are_whole(void **state)
{
    size_t length = 3 * MEBIBYTE + 12345;
    uint8_t *data CFS_AUTO_FREE = conform_pattern(length), *copy CFS_AUTO_FREE = malloc(length + 100);
    assert_non_null(copy);
    struct cfs_remote_file *file = open_file(*state, "big", O_RDWR | O_CREAT);
    OK(sync_write(*state, file, 0, data, length));
    assert_int_equal(sync_read(*state, file, 0, copy, length), length);
    assert_memory_equal(copy, data, length);
    assert_int_equal(sync_read(*state, file, 77, copy, length + 100), length - 77);
    assert_memory_equal(copy, data + 77, length - 77);
    OK(sync_close(*state, file));
    assert_int_equal(size_of(*state, "big"), length);
    conform_expect_content(*state, "big", data, length);
}

static void a_file_that_grew_is_read_to_its_new_end(void **state)
{
    char buffer[64];
    conform_make_file(*state, "log", "one", 3);
    struct cfs_remote_file *reader = open_file(*state, "log", O_RDONLY);
    struct cfs_remote_file *writer = open_file(*state, "log", O_WRONLY);
    assert_int_equal(sync_read(*state, reader, 0, buffer, sizeof(buffer)), 3);
    OK(sync_write(*state, writer, 3, "two", 3));
    assert_int_equal(sync_read(*state, reader, 0, buffer, sizeof(buffer)), 6);
    assert_memory_equal(buffer, "onetwo", 6);
    OK(sync_close(*state, reader));
    OK(sync_close(*state, writer));
}

static void holes_are_zeros(void **state)
{
    char buffer[10], zeros[10] = {0};
    struct cfs_remote_file *file = open_file(*state, "holes", O_RDWR | O_CREAT);
    OK(sync_write(*state, file, 100000, "x", 1));
    assert_int_equal(sync_read(*state, file, 5000, buffer, 10), 10);
    assert_memory_equal(buffer, zeros, 10);
    OK(sync_close(*state, file));
}

static void handles_tell_and_set_attributes(void **state)
{
    struct cfs_remote_attributes got = {0}, set = {.valid = CFS_REMOTE_SIZE | CFS_REMOTE_MODE, .size = 3, .mode = 0604};
    struct cfs_remote_file *file = open_file(*state, "f", O_RDWR | O_CREAT);
    OK(sync_write(*state, file, 0, "12345", 5));
    OK(sync_fstat(*state, file, &got));
    assert_int_equal(got.size, 5);
    assert_true(S_ISREG(got.mode));
    OK(sync_fsetattr(*state, file, &set));
    OK(sync_fstat(*state, file, &got));
    assert_int_equal(got.size, 3);
    assert_int_equal(got.mode & 0777, 0604);
    OK(sync_flush(*state, file));
    OK(sync_fsync(*state, file));
    OK(sync_close(*state, file));
}

static void writing_to_a_file_open_for_reading_fails(void **state)
{
    char byte;
    conform_make_file(*state, "f", "x", 1);
    struct cfs_remote_file *reader = open_file(*state, "f", O_RDONLY), *writer = open_file(*state, "f", O_WRONLY);
    assert_true(sync_write(*state, reader, 0, "y", 1) < 0);
    assert_true(sync_read(*state, writer, 0, &byte, 1) < 0);
    OK(sync_close(*state, reader));
    OK(sync_close(*state, writer));
    conform_expect_content(*state, "f", "x", 1);
}

/* All that was told to be done is done: by way of a link, one does not wait for it. */
static void settle(struct remote_driver *driver)
{
    struct sync_call sync;
    if (!driver->remote->operations->sync)
        return;
    sync_init(&sync);
    sync_begin(&sync);
    driver->remote->operations->sync(driver->remote, &sync.call);
    sync_submitted(&sync);
    OK(sync_wait(driver, &sync));
    sync_fini(&sync);
}

static void links_are_followed_by_open(void **state)
{
    conform_make_file(*state, "f", "x", 1);
    struct cfs_remote_file *file = open_file(*state, "f", O_RDONLY);
    OK(sync_fsync(*state, file)); /* a remote that finishes behind knows names, not where links lead */
    OK(sync_close(*state, file));
    OK(sync_symlink(*state, "f", "link"));
    settle(*state);
    conform_expect_content(*state, "link", "x", 1);
}

/* Submitted without waiting: later writes win, the truncation falls where it was submitted, close comes last. */
static void calls_on_a_file_take_effect_in_order(void **state)
{
    enum { WRITES = 40 };
    struct remote_driver *driver = *state;
    const struct cfs_remote_operations *operations = driver->remote->operations;
    struct sync_call writes[WRITES], truncation, last, close;
    struct cfs_remote_attributes empty = {.valid = CFS_REMOTE_SIZE, .size = 0};
    struct cfs_remote_file *file = open_file(driver, "f", O_RDWR | O_CREAT);
    for (int i = 0; i < WRITES; i++) {
        char data[16];
        snprintf(data, sizeof(data), "%07d", i);
        sync_init(&writes[i]);
        operations->write(driver->remote, &writes[i].call, file, 0, 7, data);
    }
    sync_init(&truncation);
    operations->fsetattr(driver->remote, &truncation.call, file, &empty);
    sync_init(&last);
    operations->write(driver->remote, &last.call, file, 2, 1, "z");
    sync_init(&close);
    operations->close(driver->remote, &close.call, file);
    OK(sync_wait(driver, &close));
    for (int i = 0; i < WRITES; i++) {
        assert_true(sync_is_done(&writes[i]));
        OK(sync_wait(driver, &writes[i]));
        sync_fini(&writes[i]);
    }
    OK(sync_wait(driver, &truncation));
    OK(sync_wait(driver, &last));
    sync_fini(&truncation);
    sync_fini(&last);
    sync_fini(&close);
    conform_expect_content(driver, "f", "\0\0z", 3);
}

static void copies_are_whole_or_not_at_all(void **state)
{
    size_t length = MEBIBYTE + 777;
    uint8_t *data CFS_AUTO_FREE = conform_pattern(length);
    conform_make_file(*state, "from", data, length);
    struct cfs_remote_file *from = open_file(*state, "from", O_RDONLY);
    struct cfs_remote_file *to = open_file(*state, "to", O_RDWR | O_CREAT);
    ssize_t copied = sync_copy(*state, from, 0, to, 0, 2 * length);
    if (!(conform_capabilities(*state) & CFS_REMOTE_CAN_COPY)) {
        assert_int_equal(copied, -EOPNOTSUPP);
    } else {
        assert_int_equal(copied, length);
        assert_int_equal(sync_copy(*state, from, length, to, length, 10), 0);
        OK(sync_close(*state, to));
        conform_expect_content(*state, "to", data, length);
        to = open_file(*state, "to", O_RDWR);
    }
    assert_true(sync_copy(*state, to, 0, to, 10, 10) < 0);
    OK(sync_close(*state, from));
    OK(sync_close(*state, to));
}

static void a_copy_is_in_order_with_writes(void **state)
{
    struct remote_driver *driver = *state;
    struct sync_call write, copy, after;
    if (!(conform_capabilities(driver) & CFS_REMOTE_CAN_COPY))
        skip();
    struct cfs_remote_file *from = open_file(driver, "from", O_RDWR | O_CREAT);
    struct cfs_remote_file *to = open_file(driver, "to", O_RDWR | O_CREAT);
    sync_init(&write);
    driver->remote->operations->write(driver->remote, &write.call, from, 0, 4, "copy");
    sync_init(&copy);
    driver->remote->operations->copy(driver->remote, &copy.call, from, 0, to, 0, 4);
    sync_init(&after);
    driver->remote->operations->write(driver->remote, &after.call, to, 0, 1, "C");
    OK(sync_wait(driver, &write));
    OK(sync_wait(driver, &copy));
    OK(sync_wait(driver, &after));
    assert_int_equal(copy.call.result.length, 4);
    sync_fini(&write);
    sync_fini(&copy);
    sync_fini(&after);
    OK(sync_close(driver, from));
    OK(sync_close(driver, to));
    conform_expect_content(driver, "to", "Copy", 4);
}

/* --- listings --- */

/* Reads all; checks that each of COUNT names "eNNN" is there once. */
static void expect_entries(struct remote_driver *driver, const char *path, int count)
{
    uint8_t *seen CFS_AUTO_FREE = calloc((size_t)count + 1, 1);
    struct cfs_remote_listing *listing;
    struct sync_entry *entries;
    ssize_t got;
    int total = 0;
    assert_non_null(seen);
    OK(sync_open_listing(driver, path, &listing));
    while ((got = sync_read_listing(driver, listing, &entries)) > 0) {
        for (ssize_t i = 0; i < got; i++) {
            int number = atoi(entries[i].name + 1);
            assert_true(entries[i].name[0] == 'e' && number < count);
            assert_int_equal(seen[number]++, 0);
            total++;
        }
        free(entries);
    }
    free(entries);
    assert_int_equal(got, 0);
    assert_int_equal(total, count);
    /* The end stays the end. */
    assert_int_equal(sync_read_listing(driver, listing, &entries), 0);
    free(entries);
    OK(sync_close_listing(driver, listing));
}

static void an_empty_folder_has_no_entries(void **state)
{
    expect_entries(*state, "", 0);
}

static void listings_are_complete(void **state)
{
    char path[32];
    OK(sync_mkdir(*state, "many", 0755));
    for (int i = 0; i < 350; i++) {
        snprintf(path, sizeof(path), "many/e%03d", i);
        OK(sync_symlink(*state, "x", path));
    }
    expect_entries(*state, "many", 350);
}

static void a_listing_may_be_closed_in_the_middle(void **state)
{
    char path[32];
    struct cfs_remote_listing *listing;
    struct sync_entry *entries;
    for (int i = 0; i < 120; i++) {
        snprintf(path, sizeof(path), "e%03d", i);
        OK(sync_symlink(*state, "x", path));
    }
    OK(sync_open_listing(*state, "", &listing));
    assert_true(sync_read_listing(*state, listing, &entries) > 0);
    free(entries);
    OK(sync_close_listing(*state, listing));
    OK(sync_open_listing(*state, "", &listing));
    OK(sync_close_listing(*state, listing));
    expect_entries(*state, "", 120);
}

static void only_folders_are_listed(void **state)
{
    struct cfs_remote_listing *listing;
    conform_make_file(*state, "file", "x", 1);
    assert_int_equal(sync_open_listing(*state, "file", &listing), -ENOTDIR);
    assert_int_equal(sync_open_listing(*state, "missing", &listing), -ENOENT);
}

/* --- calls --- */

static void many_calls_are_in_flight_at_once(void **state)
{
    enum { CALLS = 200 };
    struct remote_driver *driver = *state;
    struct sync_call *calls = calloc(CALLS, sizeof(*calls));
    assert_non_null(calls);
    conform_make_file(driver, "f", "x", 1);
    for (int i = 0; i < CALLS; i++) {
        sync_init(&calls[i]);
        sync_begin(&calls[i]);
        driver->remote->operations->lstat(driver->remote, &calls[i].call, i % 2 ? "f" : "missing");
        sync_submitted(&calls[i]);
    }
    for (int i = 0; i < CALLS; i++) {
        assert_int_equal(sync_wait(driver, &calls[i]), i % 2 ? 0 : -ENOENT);
        sync_fini(&calls[i]);
    }
    free(calls);
}

/* Whatever the race: each completes once, with what it found or with EINTR, and nothing leaks. */
static void cancelled_calls_complete_once(void **state)
{
    enum { CALLS = 60 };
    struct remote_driver *driver = *state;
    const struct cfs_remote_operations *operations = driver->remote->operations;
    struct sync_call *calls = calloc(CALLS, sizeof(*calls));
    assert_non_null(calls);
    conform_make_file(driver, "f", "x", 1);
    for (int i = 0; i < CALLS; i++) {
        sync_init(&calls[i]);
        if (i % 3 == 0)
            operations->open(driver->remote, &calls[i].call, "f", O_RDWR, 0);
        else if (i % 3 == 1)
            operations->open_listing(driver->remote, &calls[i].call, "");
        else
            operations->lstat(driver->remote, &calls[i].call, "f");
    }
    for (int i = 0; i < CALLS; i++) {
        operations->cancel(driver->remote, &calls[i].call);
        operations->cancel(driver->remote, &calls[i].call);
    }
    for (int i = 0; i < CALLS; i++) {
        int error = sync_wait(driver, &calls[i]);
        assert_true(error == 0 || error == -EINTR);
        if (!error && calls[i].call.result.file)
            OK(sync_close(driver, calls[i].call.result.file));
        if (!error && calls[i].call.result.listing)
            OK(sync_close_listing(driver, calls[i].call.result.listing));
        sync_fini(&calls[i]);
    }
    free(calls);
}

static void a_call_may_be_used_again(void **state)
{
    struct remote_driver *driver = *state;
    struct sync_call sync;
    sync_init(&sync);
    for (int i = 0; i < 10; i++) {
        sync.completions = 0;
        driver->remote->operations->lstat(driver->remote, &sync.call, i % 2 ? "" : "missing");
        assert_int_equal(sync_wait(driver, &sync), i % 2 ? 0 : -ENOENT);
    }
    sync_fini(&sync);
}

static void ids_have_names_where_the_server_can(void **state)
{
    struct remote_driver *driver = *state;
    struct sync_call sync;
    const uint32_t uids[] = {0, 3999999999}, gids[] = {0};
    sync_init(&sync);
    driver->remote->operations->id_names(driver->remote, &sync.call, uids, 2, gids, 1);
    int error = sync_wait(driver, &sync);
    if (!(conform_capabilities(driver) & CFS_REMOTE_CAN_NAME_IDS)) {
        assert_int_equal(error, -EOPNOTSUPP);
    } else {
        assert_int_equal(error, 0);
        assert_int_equal(sync.call.result.count, 3);
        assert_true(!sync.ids[0].is_group && sync.ids[0].id == 0 && sync.ids[0].name[0]);
        assert_string_equal(sync.ids[1].name, "");
        assert_true(sync.ids[2].is_group && sync.ids[2].name[0]);
    }
    sync_fini(&sync);
}

#define CHECK(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int remote_conformance(const char *name, int (*setup)(void **state), int (*teardown)(void **state))
{
    const struct CMUnitTest checks[] = {
        CHECK(the_root_is_a_folder),
        CHECK(a_missing_name_is_enoent),
        CHECK(a_file_in_the_middle_of_a_path_is_enotdir),
        CHECK(too_long_a_name_is_enametoolong),
        CHECK(mkdir_gives_the_mode_that_was_asked_for),
        CHECK(mkdir_of_what_exists_is_eexist_and_changes_nothing),
        CHECK(rmdir_tells_why_not),
        CHECK(unlink_of_a_folder_is_eisdir),
        CHECK(symlinks_keep_their_target),
        CHECK(hard_links_share_the_content),
        CHECK(setattr_sets_what_is_valid_and_nothing_else),
        CHECK(setattr_of_a_link_changes_the_link_or_nothing),
        CHECK(statfs_tells_or_says_that_it_cannot),
        CHECK(rename_replaces),
        CHECK(rename_without_replacing_refuses),
        CHECK(rename_tells_why_not),
        CHECK(open_files_survive_renames_and_removal),
        CHECK(open_obeys_its_flags),
        CHECK(creating_gives_the_mode_that_was_asked_for),
        CHECK(opening_what_exists_keeps_its_mode),
        CHECK(folders_are_not_opened_as_files),
        CHECK(reads_end_where_the_file_ends),
        CHECK(large_reads_and_writes_are_whole),
        CHECK(a_file_that_grew_is_read_to_its_new_end),
        CHECK(holes_are_zeros),
        CHECK(handles_tell_and_set_attributes),
        CHECK(writing_to_a_file_open_for_reading_fails),
        CHECK(links_are_followed_by_open),
        CHECK(calls_on_a_file_take_effect_in_order),
        CHECK(copies_are_whole_or_not_at_all),
        CHECK(a_copy_is_in_order_with_writes),
        CHECK(an_empty_folder_has_no_entries),
        CHECK(listings_are_complete),
        CHECK(a_listing_may_be_closed_in_the_middle),
        CHECK(only_folders_are_listed),
        CHECK(many_calls_are_in_flight_at_once),
        CHECK(cancelled_calls_complete_once),
        CHECK(a_call_may_be_used_again),
        CHECK(ids_have_names_where_the_server_can),
    };
    print_message("%s\n", name);
    return cmocka_run_group_tests_name(name, checks, NULL, NULL) + conform_at_once(name, setup, teardown);
}

/* Open files: reading, writing, appending, files without a name. */
#include "lib/test.h"

#include "lib/fs_fixture.h"
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

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

static struct cfs_open_file *open_node(uint64_t node, int flags)
{
    struct cfs_open_file *file = NULL;
    assert_int_equal(fs_open(&fixture, node, flags, &file), 0);
    return file;
}

static void assert_content(const char *path, const char *expected)
{
    char content[4096];
    ssize_t length = memory_remote_peek(fixture.memory, path, 0, content, sizeof(content) - 1);
    assert_true(length >= 0);
    content[length] = '\0';
    assert_string_equal(content, expected);
}

static void a_created_file_can_be_written_and_read(void **state)
{
    struct cfs_open_file *file = NULL;
    struct cfs_entry entry;
    char buffer[16];
    assert_int_equal(fs_create(&fixture, CFS_ROOT_NODE, "file", 0640, O_RDWR | O_EXCL, &file, &entry), 0);
    assert_int_equal(entry.attributes.st_mode, S_IFREG | 0640);
    assert_int_equal(fs_write(&fixture, file, 0, "hello world", 11), 11);
    assert_int_equal(fs_read(&fixture, file, 6, buffer, 16), 5);
    assert_memory_equal(buffer, "world", 5);
    assert_int_equal(fs_read(&fixture, file, 11, buffer, 16), 0);
    assert_int_equal(fs_read(&fixture, file, 100, buffer, 16), 0);
    fs_release(&fixture, file);
    assert_content("file", "hello world");
    assert_int_equal(fs_create(&fixture, CFS_ROOT_NODE, "file", 0640, O_RDWR | O_EXCL, &file, NULL), -EEXIST);
    fs_forget(&fixture, entry.node);
}

static void create_without_excl_takes_what_is_there(void **state)
{
    struct cfs_open_file *file = NULL;
    struct cfs_entry entry;
    memory_remote_poke_file(fixture.memory, "file", "there", 5);
    assert_int_equal(fs_create(&fixture, CFS_ROOT_NODE, "file", 0640, O_WRONLY, &file, &entry), 0);
    assert_int_equal(entry.attributes.st_size, 5);
    fs_release(&fixture, file);
    fs_forget(&fixture, entry.node);
}

static void o_trunc_empties(void **state)
{
    memory_remote_poke_file(fixture.memory, "file", "there", 5);
    uint64_t node = fs_walk(&fixture, "file");
    struct cfs_open_file *file = open_node(node, O_WRONLY | O_TRUNC);
    assert_content("file", "");
    fs_release(&fixture, file);
    fs_forget(&fixture, node);
}

static void only_files_are_opened(void **state)
{
    struct cfs_open_file *file;
    memory_remote_poke_mkdir(fixture.memory, "folder");
    memory_remote_poke_symlink(fixture.memory, "folder", "link");
    uint64_t folder = fs_walk(&fixture, "folder");
    uint64_t link = fs_walk(&fixture, "link");
    assert_int_equal(fs_open(&fixture, folder, O_RDONLY, &file), -EISDIR);
    assert_int_equal(fs_open(&fixture, link, O_RDONLY, &file), -ELOOP);
    fs_forget(&fixture, folder);
    fs_forget(&fixture, link);
}

static void replace_on_server(const char *name, const char *content)
{
    memory_remote_poke_file(fixture.memory, "another", content, strlen(content));
    memory_remote_poke_rename(fixture.memory, "another", name);
}

static void what_the_server_puts_in_the_place_of_an_open_file_is_another_node(void **state)
{
    struct cfs_open_file *none;
    struct cfs_entry entry;
    struct stat attributes;
    char buffer[16];
    memory_remote_poke_file(fixture.memory, "file", "first", 5);
    uint64_t node = fs_walk(&fixture, "file");
    struct cfs_open_file *file = open_node(node, O_RDONLY);
    replace_on_server("file", "the second");
    assert_int_equal(fs_open(&fixture, node, O_RDONLY, &none), -ESTALE); /* the kernel looks the name up again */
    assert_int_equal(fs_lookup(&fixture, CFS_ROOT_NODE, "file", &entry), 0);
    assert_int_not_equal(entry.node, node);
    assert_int_not_equal(entry.attributes.st_size, 5);
    assert_int_equal(fs_getattr(&fixture, node, NULL, &attributes, NULL), 0);
    assert_int_equal(attributes.st_size, 5);
    assert_int_equal(attributes.st_nlink, 0);
    assert_int_equal(fs_read(&fixture, file, 0, buffer, 16), 5);
    assert_memory_equal(buffer, "first", 5);
    fs_release(&fixture, file);
    fs_forget(&fixture, node);
    fs_forget(&fixture, entry.node);
}

static void a_lookup_and_a_getattr_notice_that_too(void **state)
{
    struct cfs_entry entry;
    struct stat attributes;
    memory_remote_poke_file(fixture.memory, "file", "first", 5);
    uint64_t node = fs_walk(&fixture, "file");
    struct cfs_open_file *file = open_node(node, O_RDONLY);
    replace_on_server("file", "2nd");
    assert_int_equal(fs_lookup(&fixture, CFS_ROOT_NODE, "file", &entry), 0);
    assert_int_not_equal(entry.node, node);
    struct cfs_open_file *second = open_node(entry.node, O_RDONLY);
    replace_on_server("file", "the third");
    assert_int_equal(fs_getattr(&fixture, entry.node, NULL, &attributes, NULL), 0);
    assert_int_equal(attributes.st_size, 3);
    fs_release(&fixture, file);
    fs_release(&fixture, second);
    fs_forget(&fixture, node);
    fs_forget(&fixture, entry.node);
}

static void a_file_that_grows_while_it_is_opened_again_stays_one(void **state)
{
    memory_remote_poke_file(fixture.memory, "file", "first", 5);
    uint64_t node = fs_walk(&fixture, "file");
    struct cfs_open_file *file = open_node(node, O_RDONLY);
    struct fs_call call;
    fs_call_init(&call);
    memory_remote_hold(fixture.memory, MEMORY_FSTAT);
    cfs_fs_open(fixture.fs, &call.request, node, O_RDONLY);
    memory_remote_run(fixture.memory);
    memory_remote_poke_append(fixture.memory, "file", "more", 4);
    memory_remote_release(fixture.memory, MEMORY_FSTAT);
    assert_int_equal(fs_call_wait(&fixture, &call), 0);
    fs_release(&fixture, file);
    fs_release(&fixture, call.request.result.file);
    fs_forget(&fixture, node);
}

static void an_unlinked_file_lives_by_its_handle(void **state)
{
    struct stat attributes;
    char buffer[16];
    memory_remote_poke_file(fixture.memory, "file", "there", 5);
    uint64_t node = fs_walk(&fixture, "file");
    struct cfs_open_file *file = open_node(node, O_RDWR);
    assert_int_equal(fs_unlink(&fixture, CFS_ROOT_NODE, "file"), 0);
    memory_remote_poke_file(fixture.memory, "file", "another file", 12);
    assert_int_equal(fs_getattr(&fixture, node, NULL, &attributes, NULL), 0);
    assert_int_equal(attributes.st_size, 5);
    assert_int_equal(attributes.st_nlink, 0);
    assert_int_equal(fs_write(&fixture, file, 5, "!", 1), 1);
    assert_int_equal(fs_read(&fixture, file, 0, buffer, 16), 6);
    attributes.st_size = 2;
    attributes.st_mode = 0600;
    assert_int_equal(fs_setattr(&fixture, node, NULL, &attributes, CFS_SET_SIZE | CFS_SET_MODE, &attributes), 0);
    assert_int_equal(attributes.st_size, 2);
    assert_int_equal(attributes.st_mode, S_IFREG | 0600);
    assert_content("file", "another file");
    fs_release(&fixture, file);
    assert_int_equal(fs_getattr(&fixture, node, NULL, &attributes, NULL), -ENOENT);
    fs_forget(&fixture, node);
}

static void a_file_that_another_host_removed_lives_by_its_handle(void **state)
{
    struct stat attributes, wanted = {.st_size = 1, .st_mode = 0600};
    memory_remote_poke_file(fixture.memory, "file", "there", 5);
    uint64_t node = fs_walk(&fixture, "file");
    struct cfs_open_file *file = open_node(node, O_RDWR);
    memory_remote_poke_remove(fixture.memory, "file");
    assert_int_equal(fs_setattr(&fixture, node, NULL, &wanted, CFS_SET_MODE | CFS_SET_ATIME_NOW, &attributes), 0);
    assert_int_equal(attributes.st_mode, S_IFREG | 0600);
    assert_int_equal(fs_setattr(&fixture, node, NULL, &wanted, CFS_SET_SIZE, &attributes), 0);
    assert_int_equal(fs_getattr(&fixture, node, NULL, &attributes, NULL), 0);
    assert_int_equal(attributes.st_size, 1);
    assert_int_equal(attributes.st_nlink, 0);
    fs_release(&fixture, file);
    fs_forget(&fixture, node);
    memory_remote_poke_file(fixture.memory, "file", "new", 3);
    node = fs_walk(&fixture, "file");
    file = open_node(node, O_RDWR);
    memory_remote_poke_remove(fixture.memory, "file");
    assert_int_equal(fs_getattr(&fixture, node, NULL, &attributes, NULL), 0);
    assert_int_equal(attributes.st_size, 3);
    fs_release(&fixture, file);
    assert_int_equal(fs_getattr(&fixture, node, NULL, &attributes, NULL), -ENOENT);
    fs_forget(&fixture, node);
}

static void a_file_that_was_renamed_over_lives_by_its_handle(void **state)
{
    char buffer[16];
    memory_remote_poke_file(fixture.memory, "old", "old", 3);
    memory_remote_poke_file(fixture.memory, "new", "newer", 5);
    uint64_t old = fs_walk(&fixture, "old");
    uint64_t new = fs_walk(&fixture, "new");
    struct cfs_open_file *file = open_node(old, O_RDONLY);
    assert_int_equal(fs_rename(&fixture, CFS_ROOT_NODE, "new", CFS_ROOT_NODE, "old", 0), 0);
    assert_int_equal(fs_read(&fixture, file, 0, buffer, 16), 3);
    assert_memory_equal(buffer, "old", 3);
    fs_release(&fixture, file);
    fs_forget(&fixture, old);
    fs_forget(&fixture, new);
}

static void appends_go_to_the_end_wherever_the_kernel_believes_it_is(void **state)
{
    memory_remote_poke_file(fixture.memory, "log", "one\n", 4);
    uint64_t node = fs_walk(&fixture, "log");
    struct cfs_open_file *file = open_node(node, O_WRONLY | O_APPEND);
    assert_int_equal(fs_write(&fixture, file, 4, "two\n", 4), 4);
    assert_int_equal(fixture.nodes_changed, 0);
    memory_remote_poke_append(fixture.memory, "log", "else\n", 5);
    assert_int_equal(fs_write(&fixture, file, 8, "three\n", 6), 6);
    assert_content("log", "one\ntwo\nelse\nthree\n");
    /* The kernel has put "three" into its pages at 8. */
    assert_int_equal(fixture.nodes_changed, 1);
    assert_int_equal(fixture.changed_node, node);
    assert_int_equal(fixture.changed_offset, 0);
    fs_release(&fixture, file);
    fs_forget(&fixture, node);
}

static void two_appenders_never_overwrite_each_other(void **state)
{
    enum { APPENDS = 20 };
    struct fs_call calls[APPENDS];
    memory_remote_poke_file(fixture.memory, "log", "", 0);
    uint64_t node = fs_walk(&fixture, "log");
    struct cfs_open_file *files[] = {open_node(node, O_WRONLY | O_APPEND), open_node(node, O_RDWR | O_APPEND)};
    for (int i = 0; i < APPENDS; i++) {
        fs_call_init(&calls[i]);
        cfs_fs_write(fixture.fs, &calls[i].request, files[i % 2], 0, 4, i % 2 ? "odd\n" : "eve\n");
    }
    for (int i = 0; i < APPENDS; i++) {
        assert_int_equal(fs_call_wait(&fixture, &calls[i]), 0);
        assert_int_equal(calls[i].request.result.length, 4);
    }
    char content[4 * APPENDS + 1];
    assert_int_equal(memory_remote_peek(fixture.memory, "log", 0, content, sizeof(content)), 4 * APPENDS);
    for (int i = 0; i < APPENDS; i++)
        assert_memory_equal(content + 4 * i, i % 2 ? "odd\n" : "eve\n", 4); /* in order of arrival */
    fs_release(&fixture, files[0]);
    fs_release(&fixture, files[1]);
    fs_forget(&fixture, node);
}

static void an_append_that_fails_lets_the_next_have_its_turn(void **state)
{
    struct fs_call first, second;
    memory_remote_poke_file(fixture.memory, "log", "", 0);
    uint64_t node = fs_walk(&fixture, "log");
    struct cfs_open_file *file = open_node(node, O_WRONLY | O_APPEND);
    fs_call_init(&first);
    fs_call_init(&second);
    memory_remote_fail(fixture.memory, MEMORY_FSTAT, 1, -EIO);
    cfs_fs_write(fixture.fs, &first.request, file, 0, 4, "one\n");
    cfs_fs_write(fixture.fs, &second.request, file, 0, 4, "two\n");
    assert_int_equal(fs_call_wait(&fixture, &first), -EIO);
    assert_int_equal(fs_call_wait(&fixture, &second), 0);
    assert_content("log", "two\n");
    fs_release(&fixture, file);
    fs_forget(&fixture, node);
}

static void a_write_says_what_failed(void **state)
{
    memory_remote_poke_file(fixture.memory, "file", "", 0);
    uint64_t node = fs_walk(&fixture, "file");
    struct cfs_open_file *file = open_node(node, O_WRONLY);
    memory_remote_fail(fixture.memory, MEMORY_WRITE, 1, -ENOSPC);
    assert_int_equal(fs_write(&fixture, file, 0, "x", 1), -ENOSPC);
    assert_int_equal(fs_write(&fixture, file, INT64_MAX, "x", 1), -EFBIG);
    assert_int_equal(fs_write(&fixture, file, 0, "", 0), 0);
    fs_release(&fixture, file);
    fs_forget(&fixture, node);
}

static void release_waits_for_what_is_in_flight(void **state)
{
    struct fs_call write, release;
    memory_remote_poke_file(fixture.memory, "file", "", 0);
    uint64_t node = fs_walk(&fixture, "file");
    struct cfs_open_file *file = open_node(node, O_WRONLY);
    fs_call_init(&write);
    fs_call_init(&release);
    memory_remote_hold(fixture.memory, MEMORY_WRITE);
    cfs_fs_write(fixture.fs, &write.request, file, 0, 4, "data");
    cfs_fs_release(fixture.fs, &release.request, file);
    memory_remote_run(fixture.memory);
    assert_false(atomic_load(&release.replied));
    assert_int_equal(memory_remote_count(fixture.memory, MEMORY_CLOSE), 0);
    memory_remote_release(fixture.memory, MEMORY_WRITE);
    assert_int_equal(fs_call_wait(&fixture, &write), 0);
    assert_int_equal(fs_call_wait(&fixture, &release), 0);
    assert_content("file", "data");
    fs_forget(&fixture, node);
}

static void fallocate_makes_a_file_longer_and_never_shorter(void **state)
{
    struct stat attributes;
    memory_remote_poke_file(fixture.memory, "file", "12345", 5);
    uint64_t node = fs_walk(&fixture, "file");
    struct cfs_open_file *file = open_node(node, O_RDWR);
    static const struct {
        int mode;
        uint64_t offset, length;
        int error;
        off_t size;
    } steps[] = {{0, 0, 3, 0, 5}, {0, 4, 6, 0, 10}, {1, 0, 100, -EOPNOTSUPP, 10}, {0, INT64_MAX, 2, -EFBIG, 10}};
    for (size_t i = 0; i < CFS_COUNT(steps); i++) {
        struct fs_call call;
        fs_call_init(&call);
        cfs_fs_fallocate(fixture.fs, &call.request, file, steps[i].mode, steps[i].offset, steps[i].length);
        assert_int_equal(fs_call_wait(&fixture, &call), steps[i].error);
        assert_int_equal(fs_getattr(&fixture, node, file, &attributes, NULL), 0);
        assert_int_equal(attributes.st_size, steps[i].size);
    }
    fs_release(&fixture, file);
    fs_forget(&fixture, node);
}

static void all_is_data_and_the_end_is_a_hole(void **state)
{
    memory_remote_poke_file(fixture.memory, "file", "12345", 5);
    uint64_t node = fs_walk(&fixture, "file");
    struct cfs_open_file *file = open_node(node, O_RDONLY);
    static const struct {
        uint64_t offset;
        int whence, error;
        uint64_t result;
    } steps[] = {{2, SEEK_DATA, 0, 2},
                 {2, SEEK_HOLE, 0, 5},
                 {5, SEEK_DATA, -ENXIO, 0},
                 {5, SEEK_HOLE, -ENXIO, 0},
                 {0, SEEK_END, -EINVAL, 0}};
    for (size_t i = 0; i < CFS_COUNT(steps); i++) {
        struct fs_call call;
        fs_call_init(&call);
        cfs_fs_lseek(fixture.fs, &call.request, file, steps[i].offset, steps[i].whence);
        assert_int_equal(fs_call_wait(&fixture, &call), steps[i].error);
        assert_int_equal(call.request.result.offset, steps[i].result);
    }
    fs_release(&fixture, file);
    fs_forget(&fixture, node);
}

static int copy_range(struct cfs_open_file *from, struct cfs_open_file *to, uint64_t to_offset, size_t length,
                      size_t *ret_length)
{
    struct fs_call call;
    fs_call_init(&call);
    cfs_fs_copy_range(fixture.fs, &call.request, from, 0, to, to_offset, length);
    int error = fs_call_wait(&fixture, &call);
    *ret_length = call.request.result.length;
    return error;
}

static void copy_range_copies_on_the_server(void **state)
{
    size_t length;
    memory_remote_poke_file(fixture.memory, "from", "12345", 5);
    memory_remote_poke_file(fixture.memory, "to", "ab", 2);
    uint64_t from = fs_walk(&fixture, "from");
    uint64_t to = fs_walk(&fixture, "to");
    struct cfs_open_file *source = open_node(from, O_RDONLY);
    struct cfs_open_file *target = open_node(to, O_WRONLY);
    assert_int_equal(copy_range(source, target, 2, 100, &length), 0);
    assert_int_equal(length, 5);
    assert_content("to", "ab12345");
    assert_int_equal(copy_range(source, target, 2, 0, &length), 0); /* on the wire, 0 would be "all" */
    assert_int_equal(length, 0);
    memory_remote_fail(fixture.memory, MEMORY_COPY, 1, -EXDEV);
    assert_int_equal(copy_range(source, target, 0, 100, &length), -EOPNOTSUPP);
    fs_release(&fixture, source);
    fs_release(&fixture, target);
    fs_forget(&fixture, from);
    fs_forget(&fixture, to);
}

static void fsync_and_close_reach_the_server(void **state)
{
    struct fs_call call;
    memory_remote_poke_file(fixture.memory, "file", "12345", 5);
    uint64_t node = fs_walk(&fixture, "file");
    struct cfs_open_file *file = open_node(node, O_WRONLY);
    memory_remote_fail(fixture.memory, MEMORY_FSYNC, 1, -EIO);
    fs_call_init(&call);
    cfs_fs_fsync(fixture.fs, &call.request, file, false);
    assert_int_equal(fs_call_wait(&fixture, &call), -EIO);
    fs_call_init(&call);
    cfs_fs_flush(fixture.fs, &call.request, file);
    assert_int_equal(fs_call_wait(&fixture, &call), 0);
    memory_remote_fail(fixture.memory, MEMORY_FLUSH, 1, -ENOSPC);
    fs_call_init(&call);
    cfs_fs_flush(fixture.fs, &call.request, file);
    assert_int_equal(fs_call_wait(&fixture, &call), -ENOSPC);
    fs_release(&fixture, file);
    fs_forget(&fixture, node);
}

/* Opens, as often as it takes until the remote learns attributes on the way, of an unchanged file whose attributes the
 * kernel has; gives keep_cache. */
static bool open_and_compare(uint64_t node)
{
    bool keep = false;
    for (bool learned = false; !learned;) {
        struct fs_call call;
        struct stat attributes;
        assert_int_equal(fs_getattr(&fixture, node, NULL, &attributes, NULL), 0);
        fs_call_init(&call);
        cfs_fs_open(fixture.fs, &call.request, node, O_RDONLY);
        assert_int_equal(fs_call_wait(&fixture, &call), 0);
        learned = !call.request.result.attributes_changed;
        keep = call.request.result.keep_cache;
        assert_true(learned || !keep);
        fs_release(&fixture, call.request.result.file);
    }
    return keep;
}

/* Close-to-open: what another host wrote is seen by the next open, though the kernel's attributes have not run out. */
static void an_open_tells_when_the_kernel_is_out_of_date(void **state)
{
    memory_remote_poke_file(fixture.memory, "file", "12345", 5);
    uint64_t node = fs_walk(&fixture, "file");
    open_and_compare(node);
    for (int i = 0; i < 8; i++) { /* with and without attributes on the way */
        struct fs_call call;
        struct stat attributes;
        assert_int_equal(fs_getattr(&fixture, node, NULL, &attributes, NULL), 0);
        memory_remote_poke_append(fixture.memory, "file", "6", 1);
        fs_call_init(&call);
        cfs_fs_open(fixture.fs, &call.request, node, O_RDONLY);
        assert_int_equal(fs_call_wait(&fixture, &call), 0);
        assert_true(call.request.result.attributes_changed);
        assert_false(call.request.result.keep_cache);
        fs_release(&fixture, call.request.result.file);
    }
    fs_forget(&fixture, node);
}

static void pages_are_kept_over_opens_of_an_unchanged_file(void **state)
{
    memory_remote_poke_file(fixture.memory, "file", "12345", 5);
    uint64_t node = fs_walk(&fixture, "file");
    memory_remote_advance(fixture.memory, 5000);
    open_and_compare(node);
    /* An open that learned nothing forgets: so until two in a row did. */
    for (int i = 0; !open_and_compare(node); i++)
        assert_true(i < 100);
    memory_remote_advance(fixture.memory, 5000);
    memory_remote_poke_write(fixture.memory, "file", 0, "9", 1);
    assert_false(open_and_compare(node));
    fs_forget(&fixture, node);
}

#define fs_test(function) cmocka_unit_test_setup_teardown(function, start, finish)

int main(void)
{
    const struct CMUnitTest tests[] = {
        fs_test(a_created_file_can_be_written_and_read),
        fs_test(create_without_excl_takes_what_is_there),
        fs_test(o_trunc_empties),
        fs_test(only_files_are_opened),
        fs_test(what_the_server_puts_in_the_place_of_an_open_file_is_another_node),
        fs_test(a_lookup_and_a_getattr_notice_that_too),
        fs_test(a_file_that_grows_while_it_is_opened_again_stays_one),
        fs_test(an_unlinked_file_lives_by_its_handle),
        fs_test(a_file_that_another_host_removed_lives_by_its_handle),
        fs_test(a_file_that_was_renamed_over_lives_by_its_handle),
        fs_test(appends_go_to_the_end_wherever_the_kernel_believes_it_is),
        fs_test(two_appenders_never_overwrite_each_other),
        fs_test(an_append_that_fails_lets_the_next_have_its_turn),
        fs_test(a_write_says_what_failed),
        fs_test(release_waits_for_what_is_in_flight),
        fs_test(fallocate_makes_a_file_longer_and_never_shorter),
        fs_test(all_is_data_and_the_end_is_a_hole),
        fs_test(copy_range_copies_on_the_server),
        fs_test(fsync_and_close_reach_the_server),
        fs_test(an_open_tells_when_the_kernel_is_out_of_date),
        fs_test(pages_are_kept_over_opens_of_an_unchanged_file),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

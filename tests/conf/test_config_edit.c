/* Configuration files are replaced as a whole, and only those that are safe to read. */
#include "conf/config_edit.h"

#include "lib/scratch.h"
#include "lib/test.h"
#include <dirent.h>
#include <fcntl.h>

static char *folder, *path;

static int setup(void **state CFS_UNUSED)
{
    folder = scratch_make();
    path = scratch_path(folder, "c.conf");
    return 0;
}

static int teardown(void **state CFS_UNUSED)
{
    free(path);
    scratch_remove(folder);
    return 0;
}

static void assert_file(const char *expected, mode_t mode)
{
    size_t length = 0;
    char *bytes CFS_AUTO_FREE = scratch_read(path, &length);
    assert_string_equal(bytes, expected);
    struct stat status;
    assert_int_equal(stat(path, &status), 0);
    assert_int_equal(status.st_mode & 07777, mode);
}

/* Nothing may be left beside the files. */
static void assert_names(size_t expected)
{
    DIR *entries CFS_AUTO_CLOSEDIR = opendir(folder);
    size_t count = 0;
    while (readdir(entries))
        count++;
    assert_int_equal(count, expected + 2);
}

static int append(const char *name, bool create, const char *bytes, struct cfs_error *error)
{
    struct cfs_config_edit edit CFS_AUTO_CONFIG_EDIT = {.folder_fd = -1};
    int result = cfs_config_edit_init(name, CFS_CONFIG_FILE_OWN, create, &edit, error);
    if (result < 0)
        return result;
    cfs_buffer_add(&edit.text, bytes, strlen(bytes));
    return cfs_config_edit_write(&edit, error);
}

static void a_file_is_replaced_with_its_mode(void **state CFS_UNUSED)
{
    struct cfs_error error = {0};
    scratch_write_text(path, "[a]\n", 0640);
    assert_int_equal(append(path, false, "k = v\n", &error), 0);
    assert_file("[a]\nk = v\n", 0640);
    assert_names(1);
}

static void a_new_file_is_its_owners_alone(void **state CFS_UNUSED)
{
    struct cfs_error error = {0};
    char *deep CFS_AUTO_FREE = scratch_path(folder, "x/y/c.conf");
    assert_int_equal(append(path, false, "x", &error), -ENOENT);
    assert_int_equal(append(path, true, "[a]\n", &error), 0);
    assert_file("[a]\n", 0600);
    assert_int_equal(append(deep, true, "[b]\n", &error), 0);
    size_t length = 0;
    char *bytes CFS_AUTO_FREE = scratch_read(deep, &length);
    assert_string_equal(bytes, "[b]\n");
}

static void a_symbolic_link_stays_one(void **state CFS_UNUSED)
{
    struct cfs_error error = {0};
    char *link CFS_AUTO_FREE = scratch_path(folder, "link");
    char *dangling CFS_AUTO_FREE = scratch_path(folder, "dangling");
    scratch_write_text(path, "[a]\n", 0600);
    assert_int_equal(symlink("c.conf", link), 0);
    assert_int_equal(symlink("nowhere", dangling), 0);
    assert_int_equal(append(link, false, "k = v\n", &error), 0);
    assert_file("[a]\nk = v\n", 0600);
    struct stat status;
    assert_int_equal(lstat(link, &status), 0);
    assert_true(S_ISLNK(status.st_mode));
    assert_int_equal(append(dangling, true, "x", &error), -ENOENT);
    assert_non_null(strstr(error.text, "the symbolic link leads to no file"));
}

static void files_of_others_are_refused(void **state CFS_UNUSED)
{
    struct cfs_error error = {0};
    scratch_write_text(path, "[a]\n", 0622);
    assert_int_equal(append(path, true, "x", &error), -EPERM);
    assert_non_null(strstr(error.text, "can be written by others than its owner (mode 0622)"));
    assert_file("[a]\n", 0622);
}

static void what_somebody_else_wrote_meanwhile_stays(void **state CFS_UNUSED)
{
    struct cfs_error error = {0};
    struct cfs_config_edit edit CFS_AUTO_CONFIG_EDIT = {.folder_fd = -1};
    scratch_write_text(path, "[a]\n", 0600);
    assert_int_equal(cfs_config_edit_init(path, CFS_CONFIG_FILE_OWN, false, &edit, &error), 0);
    scratch_write_text(path, "[other]\n", 0600);
    cfs_buffer_add(&edit.text, "x", 1);
    assert_int_equal(cfs_config_edit_write(&edit, &error), -ESTALE);
    assert_file("[other]\n", 0600);
    assert_names(1);
}

/* A file that nobody could read any more would take all profiles with it. */
static void what_could_not_be_read_again_is_not_written(void **state CFS_UNUSED)
{
    enum { MOST = 1024 * 1024 };
    struct cfs_error error = {0};
    char *comment CFS_AUTO_FREE = malloc(MOST + 1);
    memset(comment, '#', MOST);
    comment[MOST] = '\0';
    scratch_write_text(path, "\n", 0600);
    assert_int_equal(append(path, false, comment, &error), -EFBIG);
    assert_non_null(strstr(error.text, "would be larger than 1 MiB"));
    assert_file("\n", 0600);
    assert_names(1);
    assert_int_equal(append(path, false, comment + 1, &error), 0);
    assert_int_equal(append(path, false, "", &error), 0);
}

static void a_file_with_two_names_is_refused(void **state CFS_UNUSED)
{
    struct cfs_error error = {0};
    char *second CFS_AUTO_FREE = scratch_path(folder, "second");
    scratch_write_text(path, "[a]\n", 0600);
    assert_int_equal(link(path, second), 0);
    assert_int_equal(append(path, false, "x", &error), -EMLINK);
    assert_file("[a]\n", 0600);
}

int main(void)
{
#define IN_FOLDER(test) cmocka_unit_test_setup_teardown(test, setup, teardown)
    const struct CMUnitTest tests[] = {
        IN_FOLDER(a_file_is_replaced_with_its_mode),
        IN_FOLDER(a_new_file_is_its_owners_alone),
        IN_FOLDER(a_symbolic_link_stays_one),
        IN_FOLDER(files_of_others_are_refused),
        IN_FOLDER(what_somebody_else_wrote_meanwhile_stays),
        IN_FOLDER(what_could_not_be_read_again_is_not_written),
        IN_FOLDER(a_file_with_two_names_is_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

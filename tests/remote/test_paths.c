/* Paths are joined within bounds, and follow renames only where whole components agree. */
#include "lib/test.h"
#include "remote/paths.h"
#include <limits.h>

static void expect_joined(const char *root, const char *relative, const char *expected)
{
    char *path CFS_AUTO_FREE = NULL;
    assert_int_equal(cfs_path_join(root, relative, &path), 0);
    assert_string_equal(path, expected);
}

static int join_error(const char *root, const char *relative)
{
    char *path = NULL;
    int error = cfs_path_join(root, relative, &path);
    assert_null(path);
    return error;
}

static void joins_root_and_relative(void **state)
{
    expect_joined("/home/a", "", "/home/a");
    expect_joined("/home/a", "b", "/home/a/b");
    expect_joined("/home/a", "b/c", "/home/a/b/c");
    expect_joined("/", "", "/");
    expect_joined("/", "b", "/b");
    expect_joined("/home/a", "...", "/home/a/...");
}

static void refuses_what_could_lead_elsewhere(void **state)
{
    static const char *const bad[] = {"/abs", "a//b", "a/", ".", "..", "a/../b", "a/.", "../b"};
    for (size_t i = 0; i < CFS_COUNT(bad); i++)
        assert_int_equal(join_error("/home/a", bad[i]), -EINVAL);
}

static void bounds_components_and_paths(void **state)
{
    char name[NAME_MAX + 2], path[2 * PATH_MAX];
    memset(name, 'n', sizeof(name));
    name[NAME_MAX + 1] = '\0';
    assert_int_equal(join_error("/r", name), -ENAMETOOLONG);
    name[NAME_MAX] = '\0';
    char *joined CFS_AUTO_FREE = NULL;
    assert_int_equal(cfs_path_join("/r", name, &joined), 0);
    for (size_t i = 0; i < sizeof(path) - 1; i++)
        path[i] = i % 2 ? '/' : 'x';
    path[PATH_MAX - 3] = '\0'; /* with "/r/" it has PATH_MAX bytes, and the NUL finds no room */
    assert_int_equal(join_error("/r", path), -ENAMETOOLONG);
    path[PATH_MAX - 5] = '\0';
    char *longest CFS_AUTO_FREE = NULL;
    assert_int_equal(cfs_path_join("/r", path, &longest), 0);
    assert_int_equal(strlen(longest), PATH_MAX - 2);
}

static void expect_parent(const char *path, const char *expected)
{
    char *parent CFS_AUTO_FREE = cfs_path_parent(path);
    assert_string_equal(parent, expected);
}

static void finds_the_parent(void **state)
{
    expect_parent("/a/b", "/a");
    expect_parent("/a", "/");
    expect_parent("/", "/");
}

static void renames_whole_components_only(void **state)
{
    bool concerned;
    char *itself CFS_AUTO_FREE = cfs_path_renamed("/r/a", "/r/a", "/r/b", &concerned);
    assert_string_equal(itself, "/r/b");
    char *below CFS_AUTO_FREE = cfs_path_renamed("/r/a/x/y", "/r/a", "/r/longer", &concerned);
    assert_string_equal(below, "/r/longer/x/y");
    assert_true(concerned);
    assert_null(cfs_path_renamed("/r/ab", "/r/a", "/r/b", &concerned));
    assert_false(concerned);
    assert_null(cfs_path_renamed("/r", "/r/a", "/r/b", &concerned));
    assert_false(concerned);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(joins_root_and_relative),       cmocka_unit_test(refuses_what_could_lead_elsewhere),
        cmocka_unit_test(bounds_components_and_paths),   cmocka_unit_test(finds_the_parent),
        cmocka_unit_test(renames_whole_components_only),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

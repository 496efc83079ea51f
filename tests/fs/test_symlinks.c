/* What symbolic links lead to. */
#include "lib/test.h"

#include "fs/symlinks.h"
#include <limits.h>

struct expectation {
    const char *root;
    size_t depth; /* folders between the root and the link */
    const char *target, *expected;
    int error;
};

static void check(enum cfs_symlinks how, const struct expectation *expectation)
{
    char *target CFS_AUTO_FREE = NULL;
    int error = cfs_symlink_target(how, expectation->root, expectation->depth, expectation->target, &target);
    if (error != expectation->error || (error == 0 && strcmp(target, expectation->expected) != 0))
        fail_msg("%s at depth %zu: %d %s", expectation->target, expectation->depth, error, target ? target : "");
}

static void what_stays_inside_is_shown(void **state)
{
    static const struct expectation expectations[] = {
        {"/srv/data", 0, "file", "file", 0},
        {"/srv/data", 0, "a/b/c", "a/b/c", 0},
        {"/srv/data", 0, ".", ".", 0},
        {"/srv/data", 0, "./a", "a", 0},
        {"/srv/data", 0, "a//b", "a/b", 0},
        {"/srv/data", 0, "a/", "a/", 0},
        {"/srv/data", 0, "a/.", "a/", 0},
        {"/srv/data", 2, "../x", "../x", 0},
        {"/srv/data", 2, "../../x", "../../x", 0},
        {"/srv/data", 2, "../..", "../..", 0},
        {"/srv/data", 1, "..", "..", 0},
        {"/srv/data", 0, "..a/...", "..a/...", 0},
    };
    for (size_t i = 0; i < CFS_COUNT(expectations); i++)
        check(CFS_SYMLINKS_SAFE, &expectations[i]);
}

static void absolute_targets_inside_become_relative(void **state)
{
    static const struct expectation expectations[] = {
        {"/srv/data", 0, "/srv/data/a/b", "a/b", 0},
        {"/srv/data", 2, "/srv/data/a/b", "../../a/b", 0},
        {"/srv/data", 2, "/srv/data", "../..", 0},
        {"/srv/data", 0, "/srv/data", ".", 0},
        {"/srv/data", 0, "/srv/data/", ".", 0},
        {"/srv/data/", 1, "/srv//data/./a/", "../a/", 0},
        {"/srv/data", 1, "/srv/other/../data/a", "../a", 0},
        {"/", 1, "/etc/passwd", "../etc/passwd", 0},
        {"/", 0, "/", ".", 0},
    };
    for (size_t i = 0; i < CFS_COUNT(expectations); i++)
        check(CFS_SYMLINKS_SAFE, &expectations[i]);
}

static void what_leaves_is_refused(void **state)
{
    static const struct expectation expectations[] = {
        {"/srv/data", 0, "..", NULL, -EPERM},
        {"/srv/data", 0, "../x", NULL, -EPERM},
        {"/srv/data", 2, "../../../etc/passwd", NULL, -EPERM},
        {"/srv/data", 1, "a/../../../x", NULL, -EPERM},
        {"/srv/data", 0, "/etc/passwd", NULL, -EPERM},
        {"/srv/data", 0, "/srv/dataers/a", NULL, -EPERM},
        {"/srv/data", 0, "/srv", NULL, -EPERM},
        {"/srv/data", 0, "/", NULL, -EPERM},
        {"/srv/data", 0, "/srv/data/../secret", NULL, -EPERM},
        {"/srv/data", 0, "/srv/data/a/../../secret", NULL, -EPERM},
        {"/srv/data", 0, "", NULL, -EIO},
    };
    for (size_t i = 0; i < CFS_COUNT(expectations); i++)
        check(CFS_SYMLINKS_SAFE, &expectations[i]);
}

/* A hostile server: `d` leads to the mount's root, and `d/..` by way of it out of the mount. */
static void nothing_climbs_after_a_name(void **state)
{
    static const struct expectation expectations[] = {
        {"/srv/data", 2, "d/../etc/passwd", "etc/passwd", 0},
        {"/srv/data", 2, "../d/../../x", "../../x", 0},
        {"/srv/data", 1, "/srv/data/d/../x", "../x", 0},
        {"/srv/data", 0, "a/b/../..", ".", 0},
    };
    for (size_t i = 0; i < CFS_COUNT(expectations); i++)
        check(CFS_SYMLINKS_SAFE, &expectations[i]);
}

static void raw_is_raw(void **state)
{
    static const struct expectation expectations[] = {
        {"/srv/data", 0, "../../etc/passwd", "../../etc/passwd", 0},
        {"/srv/data", 0, "/srv/data/a", "/srv/data/a", 0},
    };
    for (size_t i = 0; i < CFS_COUNT(expectations); i++)
        check(CFS_SYMLINKS_RAW, &expectations[i]);
}

static void targets_are_bounded(void **state)
{
    char long_target[PATH_MAX + 10];
    memset(long_target, 'a', sizeof(long_target));
    long_target[sizeof(long_target) - 1] = '\0';
    struct expectation expectation = {"/srv/data", 0, long_target, NULL, -ENAMETOOLONG};
    check(CFS_SYMLINKS_SAFE, &expectation);
    /* Fits as it is, but not with the climb in front. */
    long_target[PATH_MAX - 5] = '\0';
    memcpy(long_target, "/srv/data/", 10);
    expectation.depth = 100;
    check(CFS_SYMLINKS_SAFE, &expectation);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_stays_inside_is_shown),
        cmocka_unit_test(absolute_targets_inside_become_relative),
        cmocka_unit_test(what_leaves_is_refused),
        cmocka_unit_test(nothing_climbs_after_a_name),
        cmocka_unit_test(raw_is_raw),
        cmocka_unit_test(targets_are_bounded),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

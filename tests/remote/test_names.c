/* Names that a server sends are judged before anybody uses them as a path. */
#include "lib/test.h"
#include "remote/names.h"
#include <limits.h>

static enum cfs_name_verdict judge(const char *name)
{
    return cfs_name_judge(name, strlen(name));
}

static void usual_and_odd_names_are_good(void **state)
{
    static const char *const names[] = {"a", "...", ".hidden", "..x", "a b", "\xff\xfe", "\n", "-rf", "~", "*"};
    for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++)
        assert_int_equal(judge(names[i]), CFS_NAME_GOOD);
}

static void dots_are_left_out(void **state)
{
    assert_int_equal(judge("."), CFS_NAME_DOTS);
    assert_int_equal(judge(".."), CFS_NAME_DOTS);
}

static void what_leads_elsewhere_is_bad(void **state)
{
    assert_int_equal(judge(""), CFS_NAME_BAD);
    assert_int_equal(judge("/"), CFS_NAME_BAD);
    assert_int_equal(judge("../x"), CFS_NAME_BAD);
    assert_int_equal(judge("a/b"), CFS_NAME_BAD);
    assert_int_equal(cfs_name_judge("a\0b", 3), CFS_NAME_BAD);
    assert_int_equal(cfs_name_judge("\0", 1), CFS_NAME_BAD);
}

static void a_name_has_at_most_name_max_bytes(void **state)
{
    char name[NAME_MAX + 1];
    memset(name, 'n', sizeof(name));
    assert_int_equal(cfs_name_judge(name, NAME_MAX), CFS_NAME_GOOD);
    assert_int_equal(cfs_name_judge(name, NAME_MAX + 1), CFS_NAME_BAD);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(usual_and_odd_names_are_good),
        cmocka_unit_test(dots_are_left_out),
        cmocka_unit_test(what_leads_elsewhere_is_bad),
        cmocka_unit_test(a_name_has_at_most_name_max_bytes),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

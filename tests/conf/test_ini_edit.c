/* Edits of an INI text leave the rest of it as it was. */
#include "conf/ini_edit.h"

#include "lib/test.h"

static struct cfs_buffer text;
static struct cfs_error error;

static void begin(const char *bytes)
{
    cfs_buffer_fini(&text);
    cfs_buffer_init(&text);
    cfs_buffer_add(&text, bytes, strlen(bytes));
    error = (struct cfs_error){0};
}

static void assert_text(const char *expected)
{
    assert_int_equal(text.length, strlen(expected));
    assert_memory_equal(text.bytes ? (const char *)text.bytes : "", expected, text.length);
}

static void assert_set(const char *before, const char *key, const char *value, const char *after)
{
    begin(before);
    if (cfs_ini_edit_set(&text, "f", "a", key, value, &error) < 0)
        fail_msg("%s", error.text);
    assert_text(after);
}

static void assert_refused(int result, int expected, const char *before, const char *sentence)
{
    assert_int_equal(result, expected);
    assert_string_equal(error.text, sentence);
    assert_text(before);
}

static int teardown(void **state CFS_UNUSED)
{
    cfs_buffer_fini(&text);
    return 0;
}

static void only_the_value_of_a_key_changes(void **state CFS_UNUSED)
{
    assert_set("# c\n[a]\n\t host  =\told one \n\n; d\n[b]\nhost = x\n", "host", "new",
               "# c\n[a]\n\t host  =\tnew \n\n; d\n[b]\nhost = x\n");
    assert_set("[a]\r\nk=v\r\nl:w\r\n", "l", "x=y:z", "[a]\r\nk=v\r\nl:x=y:z\r\n");
    assert_set("[a]\nk =", "k", "v", "[a]\nk = v");
    assert_set("[a]\nk=", "k", "v", "[a]\nk=v");
    assert_set("[a]\nk = v", "k", "", "[a]\nk = ");
}

static void the_line_that_counts_is_the_last(void **state CFS_UNUSED)
{
    assert_set("[a]\nk = 1\nk = 2\n[b]\nk = 3\n[a]\nk = 4\n[b]\nk = 5\n", "k", "6",
               "[a]\nk = 1\nk = 2\n[b]\nk = 3\n[a]\nk = 6\n[b]\nk = 5\n");
}

static void a_new_key_goes_below_the_last_one_in_its_manner(void **state CFS_UNUSED)
{
    assert_set("[a]\n  k = v\n\n# of b\n[b]\n", "l", "w", "[a]\n  k = v\n  l = w\n\n# of b\n[b]\n");
    assert_set("[a]\nk=v\n[b]\n", "l", "w", "[a]\nk=v\nl=w\n[b]\n");
    assert_set("# c\n[a]\r\nk = v\r\n", "l", "w", "# c\n[a]\r\nk = v\r\nl = w\r\n");
    assert_set("[a]\r\nk = v\r", "l", "w", "[a]\r\nk = v\r\nl = w\r\n");
    assert_set("[a]\r\n\r\n[b]\r\n", "l", "w", "[a]\r\nl = w\r\n\r\n[b]\r\n");
    assert_set("[a]\nk = v", "l", "w", "[a]\nk = v\nl = w\n");
    assert_set("\xef\xbb\xbf[a]", "l", "w", "\xef\xbb\xbf[a]\nl = w\n");
}

static void a_key_is_taken_away_wherever_it_stands(void **state CFS_UNUSED)
{
    begin("[a]\n# c\nk = 1\nl = 2\nk = 3\n[b]\nk = 4\n[a]\nk = 5");
    assert_int_equal(cfs_ini_edit_unset(&text, "f", "a", "k", &error), 3);
    assert_text("[a]\n# c\nl = 2\n[b]\nk = 4\n[a]\n");
    assert_int_equal(cfs_ini_edit_unset(&text, "f", "a", "k", &error), 0);
    assert_refused(cfs_ini_edit_unset(&text, "f", "c", "k", &error), -ENOENT, "[a]\n# c\nl = 2\n[b]\nk = 4\n[a]\n",
                   "f: there is no section [c]");
}

static void assert_added(const char *before, const char *comment, const char *after)
{
    static const struct cfs_ini_setting settings[] = {{"host", "h"}, {"user", "u"}};
    begin(before);
    if (cfs_ini_edit_add(&text, "f", "n", comment, settings, 2, &error) < 0)
        fail_msg("%s", error.text);
    assert_text(after);
}

static void a_section_is_added_at_the_end(void **state CFS_UNUSED)
{
    assert_added("", NULL, "[n]\nhost = h\nuser = u\n");
    assert_added("[a]\n", "c", "[a]\n\n# c\n[n]\nhost = h\nuser = u\n");
    assert_added("[a]\n\n", NULL, "[a]\n\n[n]\nhost = h\nuser = u\n");
    assert_added("[a]\r\nk = v", NULL, "[a]\r\nk = v\r\n\r\n[n]\r\nhost = h\r\nuser = u\r\n");
    assert_added("[a]\r", NULL, "[a]\r\n\n[n]\nhost = h\nuser = u\n");
    begin("[n]\n");
    assert_refused(cfs_ini_edit_add(&text, "f", "n", NULL, NULL, 0, &error), -EEXIST, "[n]\n",
                   "f: there is a section [n] already");
}

static void assert_removed(const char *before, const char *after)
{
    begin(before);
    if (cfs_ini_edit_remove(&text, "f", "a", &error) < 0)
        fail_msg("%s", error.text);
    assert_text(after);
}

static void a_section_goes_with_what_is_its_own(void **state CFS_UNUSED)
{
    assert_removed("[a]\nk = v\n", "");
    assert_removed("# top\n\n[a]\nk = v\n# old\n\n# of b\n[b]\n", "# top\n\n# of b\n[b]\n");
    assert_removed("[a]\nk = v\n# of b\n[b]\n", "# of b\n[b]\n");
    assert_removed("[b]\nk = v\n\n[a]\nk = v\n", "[b]\nk = v\n");
    assert_removed("[a]\nk = v\n[b]\nl = w\n[a]\nm = x\n", "[b]\nl = w\n");
    begin("[b]\n");
    assert_refused(cfs_ini_edit_remove(&text, "f", "a", &error), -ENOENT, "[b]\n", "f: there is no section [a]");
}

static void what_the_notation_cannot_hold_is_refused(void **state CFS_UNUSED)
{
    static const char before[] = "[a]\nk = v\n";
    begin(before);
    assert_refused(cfs_ini_edit_set(&text, "f", "a", "k", "v\n[b]", &error), -EINVAL, before,
                   "f: k must not contain control characters");
    assert_refused(cfs_ini_edit_set(&text, "f", "a", "k", " v", &error), -EINVAL, before,
                   "f: k must not begin or end with a blank");
    assert_refused(cfs_ini_edit_set(&text, "f", "a", "k=", "v", &error), -EINVAL, before, "f: \"k=\" cannot be a key");
    assert_refused(cfs_ini_edit_set(&text, "f", "b", "k", "v", &error), -ENOENT, before, "f: there is no section [b]");
    assert_int_equal(cfs_ini_edit_add(&text, "f", "b]", NULL, NULL, 0, &error), -EINVAL);
    assert_int_equal(cfs_ini_edit_add(&text, "f", "b", "c\nd", NULL, 0, &error), -EINVAL);
    assert_text(before);
    char value[5000];
    memset(value, 'x', sizeof(value));
    value[sizeof(value) - 1] = '\0';
    assert_refused(cfs_ini_edit_set(&text, "f", "a", "k", value, &error), -EINVAL, before,
                   "f:2: the line is longer than 4096 bytes");
}

static void a_text_that_cannot_be_read_is_left_alone(void **state CFS_UNUSED)
{
    static const char before[] = "[a]\nk = v\nnonsense\n";
    begin(before);
    assert_refused(cfs_ini_edit_set(&text, "f", "a", "k", "w", &error), -EINVAL, before,
                   "f:3: this is neither KEY = VALUE nor [SECTION] nor a comment");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(only_the_value_of_a_key_changes),
        cmocka_unit_test(the_line_that_counts_is_the_last),
        cmocka_unit_test(a_new_key_goes_below_the_last_one_in_its_manner),
        cmocka_unit_test(a_key_is_taken_away_wherever_it_stands),
        cmocka_unit_test(a_section_is_added_at_the_end),
        cmocka_unit_test(a_section_goes_with_what_is_its_own),
        cmocka_unit_test(what_the_notation_cannot_hold_is_refused),
        cmocka_unit_test(a_text_that_cannot_be_read_is_left_alone),
    };
    return cmocka_run_group_tests(tests, NULL, teardown);
}

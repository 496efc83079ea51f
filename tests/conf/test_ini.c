/* The INI reader, apart from what keys mean. */
#include "conf/ini.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

/* All events as text: "[a]1 a.k=<v>2 ". */
struct seen {
    char text[16384];
    size_t length;
};

static int on_section(void *context, const char *section, unsigned line, struct cfs_error *error CFS_UNUSED)
{
    struct seen *seen = context;
    seen->length +=
        (size_t)snprintf(seen->text + seen->length, sizeof(seen->text) - seen->length, "[%s]%u ", section, line);
    return 0;
}

static int on_value(void *context, const char *section, const char *key, const char *value, unsigned line,
                    struct cfs_error *error)
{
    struct seen *seen = context;
    if (strcmp(key, "stop") == 0)
        return cfs_error_set(error, EDOM, CFS_FAILURE_CONFIG, "stopped");
    seen->length += (size_t)snprintf(seen->text + seen->length, sizeof(seen->text) - seen->length, "%s.%s=<%s>%u ",
                                     section, key, value, line);
    return 0;
}

static int parse_bytes(const char *bytes, size_t length, struct seen *seen, struct cfs_error *error)
{
    static const struct cfs_ini_events events = {.section = on_section, .value = on_value};
    /* A copy of the exact size, so that the address sanitizer sees a read beyond it. */
    char *copy CFS_AUTO_FREE = malloc(length ? length : 1);
    assert_non_null(copy);
    memcpy(copy, bytes, length);
    *seen = (struct seen){0};
    return cfs_ini_parse(copy, length, "f", &events, seen, error);
}

static void assert_parses(const char *text, const char *expected)
{
    struct seen seen;
    struct cfs_error error = {0};
    assert_int_equal(parse_bytes(text, strlen(text), &seen, &error), 0);
    assert_string_equal(seen.text, expected);
}

static void assert_refused(const char *text, const char *sentence)
{
    struct seen seen;
    struct cfs_error error = {0};
    assert_int_equal(parse_bytes(text, strlen(text), &seen, &error), -EINVAL);
    assert_string_equal(error.text, sentence);
}

static void values_have_sections_and_lines(void **state CFS_UNUSED)
{
    assert_parses("", "");
    assert_parses("# c\n; c\n\n  # c\n[a]\nk = v\n[b]\nk=w", "[a]5 a.k=<v>6 [b]7 b.k=<w>8 ");
    assert_parses("[empty]\n[b]\n", "[empty]1 [b]2 ");
}

static void blanks_around_are_dropped_and_inside_kept(void **state CFS_UNUSED)
{
    assert_parses("\t[a] \n \tk\t =  v  w \t\n", "[a]1 a.k=<v  w>2 ");
    assert_parses("[a]\nk=\n", "[a]1 a.k=<>2 ");
}

static void a_value_may_hold_anything(void **state CFS_UNUSED)
{
    assert_parses("[a]\nk = v ; no # comment\nl = [x] = \"y\":z\nm: w=1\n",
                  "[a]1 a.k=<v ; no # comment>2 a.l=<[x] = \"y\":z>3 a.m=<w=1>4 ");
}

static void indented_keys_do_not_continue_the_line_before(void **state CFS_UNUSED)
{
    assert_parses("[a]\n  k = v\n  l = w\n", "[a]1 a.k=<v>2 a.l=<w>3 ");
}

static void a_byte_order_mark_and_crlf_are_fine(void **state CFS_UNUSED)
{
    assert_parses("\xef\xbb\xbf[a]\r\nk = v\r\n\r\n", "[a]1 a.k=<v>2 ");
}

static void long_values_are_whole_and_too_long_lines_refused(void **state CFS_UNUSED)
{
    static const char head[] = "[a]\nk=";
    char text[8000];
    memset(text, 'x', sizeof(text));
    memcpy(text, head, strlen(head));
    struct seen seen;
    struct cfs_error error = {0};
    size_t longest = strlen("[a]\n") + CFS_INI_LINE_LENGTH;
    assert_int_equal(parse_bytes(text, longest, &seen, &error), 0);
    assert_int_equal(seen.length, strlen("[a]1 a.k=<>2 ") + CFS_INI_LINE_LENGTH - 2);
    assert_int_equal(parse_bytes(text, longest + 1, &seen, &error), -EINVAL);
    assert_string_equal(error.text, "f:2: the line is longer than 4096 bytes");
}

static void what_is_no_line_of_ini_is_refused(void **state CFS_UNUSED)
{
    static const char neither[] = "f:2: this is neither KEY = VALUE nor [SECTION] nor a comment";
    static const char section[] =
        "f:1: a section is [NAME], where NAME has letters, digits and any of - _ . + @, and does "
        "not begin with -";
    assert_refused("k = v\n", "f:1: a key must stand in a section; put [defaults] or [PROFILE] before it");
    assert_refused("[a]\nhunter2\n", neither);
    assert_refused("[a]\n= v\n", neither);
    assert_refused("[a]\na key = v\n", neither);
    assert_refused("[a\n", section);
    assert_refused("[]\n", section);
    assert_refused("[a b]\n", section);
    assert_refused("[-a]\n", section);
    assert_refused("[a:b]\n", section);
    assert_refused("[a] ; x\n", section);
    assert_refused("[aaaaaaaaaabbbbbbbbbbccccccccccddddddddddeeeeeeeee]\n",
                   "f:1: the section's name is longer than 48 bytes");
    assert_refused("[a]\naaaaaaaaaabbbbbbbbbbccccccccccddddddddddeeeeeeeeeeffffffffffggggg=1\n",
                   "f:2: the key is longer than 64 bytes");
    assert_refused("[a]\nk = a\033[31m\n", "f:2: the line has a control character in it");
}

static void a_nul_byte_is_refused(void **state CFS_UNUSED)
{
    struct seen seen;
    struct cfs_error error = {0};
    assert_int_equal(parse_bytes("[a]\nk=a\0b\n", 10, &seen, &error), -EINVAL);
    assert_string_equal(error.text, "f:2: the line has a control character in it");
}

static void reading_ends_with_what_an_event_returns(void **state CFS_UNUSED)
{
    struct seen seen;
    struct cfs_error error = {0};
    assert_int_equal(parse_bytes("[a]\nstop=1\nk=2\n", 15, &seen, &error), -EDOM);
    assert_string_equal(error.text, "stopped");
    assert_string_equal(seen.text, "[a]1 ");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(values_have_sections_and_lines),
        cmocka_unit_test(blanks_around_are_dropped_and_inside_kept),
        cmocka_unit_test(a_value_may_hold_anything),
        cmocka_unit_test(indented_keys_do_not_continue_the_line_before),
        cmocka_unit_test(a_byte_order_mark_and_crlf_are_fine),
        cmocka_unit_test(long_values_are_whole_and_too_long_lines_refused),
        cmocka_unit_test(what_is_no_line_of_ini_is_refused),
        cmocka_unit_test(a_nul_byte_is_refused),
        cmocka_unit_test(reading_ends_with_what_an_event_returns),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

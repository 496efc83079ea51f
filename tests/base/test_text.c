/* Numbers, sizes, durations and words as people write them; text that cannot drive a terminal; edit distance. */
#include "lib/test.h"

#include "base/text.h"

enum { UNTOUCHED = 12345 };

struct quantity {
    const char *text;
    int result;
    uint64_t value;
};

static void assert_quantities(const struct quantity *table, size_t count, int (*parse)(const char *, uint64_t *))
{
    for (size_t i = 0; i < count; i++) {
        uint64_t value = UNTOUCHED;
        int rc = parse(table[i].text, &value);
        if (rc != table[i].result || value != (rc == 0 ? table[i].value : UNTOUCHED))
            fail_msg("\"%s\": %d, %llu", table[i].text, rc, (unsigned long long)value);
    }
}

static int parse_size(const char *text, uint64_t *ret_value)
{
    return cfs_text_parse_size(text, ret_value);
}

static int parse_duration(const char *text, uint64_t *ret_value)
{
    return cfs_text_parse_duration(text, ret_value);
}

static int parse_port(const char *text, uint64_t *ret_value)
{
    return cfs_text_parse_number(text, 1, 65535, ret_value);
}

static int parse_any(const char *text, uint64_t *ret_value)
{
    return cfs_text_parse_number(text, 0, UINT64_MAX, ret_value);
}

static void sizes(void **state)
{
    static const struct quantity table[] = {
        {"0", 0, 0},
        {"4096", 0, 4096},
        {"4096 B", 0, 4096},
        {"1k", 0, 1024},
        {"1K", 0, 1024},
        {"64M", 0, 64 << 20},
        {"64m", 0, 64 << 20},
        {"64 MB", 0, 64 << 20},
        {"1.5G", 0, 3ULL << 29},
        {"0.5k", 0, 512},
        {"10 GiB", 0, 10ULL << 30},
        {"2T", 0, 2ULL << 40},
        {"18446744073709551615", 0, UINT64_MAX},
        {"16777215T", 0, UINT64_MAX - (1ULL << 40) + 1},
        {"18446744073709551616", -ERANGE, 0},
        {"16777216T", -ERANGE, 0},
        {"99999999999999999999999G", -ERANGE, 0},
        {"", -EINVAL, 0},
        {"M", -EINVAL, 0},
        {"-1", -EINVAL, 0},
        {"+1", -EINVAL, 0},
        {" 1", -EINVAL, 0},
        {"1 ", -EINVAL, 0},
        {"1.5", -EINVAL, 0}, /* half a byte */
        {"1.5B", -EINVAL, 0},
        {"1.G", -EINVAL, 0},
        {".5G", -EINVAL, 0},
        {"1.1234567G", -EINVAL, 0},
        {"1,5G", -EINVAL, 0},
        {"1e6", -EINVAL, 0},
        {"0x10", -EINVAL, 0},
        {"1GG", -EINVAL, 0},
        {"1 G iB", -EINVAL, 0},
        {"1s", -EINVAL, 0},
        {"99999999999999999999999X", -EINVAL, 0},
    };
    assert_quantities(table, CFS_COUNT(table), parse_size);
}

static void durations(void **state)
{
    static const struct quantity table[] = {
        {"500ms", 0, 500},
        {"5s", 0, 5000},
        {"5", 0, 5000},
        {"0", 0, 0},
        {"0.5", 0, 500},
        {"1.5 s", 0, 1500},
        {"2m", 0, 120000},
        {"2min", 0, 120000},
        {"1h", 0, 3600000},
        {"1d", 0, 86400000},
        {"213503982334d", 0, 18446744073657600000ULL},
        {"213503982335d", -ERANGE, 0},
        {"1.5ms", -EINVAL, 0},
        {"5 sec", -EINVAL, 0},
        {"1h30m", -EINVAL, 0},
        {"-5s", -EINVAL, 0},
        {"s", -EINVAL, 0},
        {"", -EINVAL, 0},
    };
    assert_quantities(table, CFS_COUNT(table), parse_duration);
}

static void numbers(void **state)
{
    static const struct quantity ports[] = {
        {"22", 0, 22},        {"1", 0, 1},         {"65535", 0, 65535}, {"0", -ERANGE, 0},   {"65536", -ERANGE, 0},
        {"", -EINVAL, 0},     {"22x", -EINVAL, 0}, {"-22", -EINVAL, 0}, {" 22", -EINVAL, 0}, {"22 ", -EINVAL, 0},
        {"0x16", -EINVAL, 0}, {"2.2", -EINVAL, 0}, {"00022", 0, 22},
    };
    static const struct quantity any[] = {
        {"18446744073709551615", 0, UINT64_MAX},
        {"18446744073709551616", -ERANGE, 0},
        {"184467440737095516150", -ERANGE, 0},
        {"18446744073709551616z", -EINVAL, 0},
    };
    assert_quantities(ports, CFS_COUNT(ports), parse_port);
    assert_quantities(any, CFS_COUNT(any), parse_any);
}

static void words_for_yes_and_no(void **state)
{
    static const char *const yes[] = {"yes", "true", "on", "1", "YES", "True"};
    static const char *const no[] = {"no", "false", "off", "0", "No", "FALSE"};
    static const char *const neither[] = {"", "y", "maybe", "yes ", "2", "10"};
    bool value = false;
    for (size_t i = 0; i < CFS_COUNT(yes); i++) {
        assert_int_equal(cfs_text_parse_bool(yes[i], &value), 0);
        assert_true(value);
    }
    for (size_t i = 0; i < CFS_COUNT(no); i++) {
        value = true;
        assert_int_equal(cfs_text_parse_bool(no[i], &value), 0);
        assert_false(value);
    }
    for (size_t i = 0; i < CFS_COUNT(neither); i++)
        assert_int_equal(cfs_text_parse_bool(neither[i], &value), -EINVAL);
}

static void sizes_for_people(void **state)
{
    static const struct {
        uint64_t bytes;
        const char *text;
    } table[] = {
        {0, "0 B"},
        {1023, "1023 B"},
        {1024, "1.0 KiB"},
        {4096, "4.0 KiB"},
        {1536, "1.5 KiB"},
        {1024 * 1024 - 1, "1.0 MiB"}, /* never "1024.0 KiB" */
        {1024 * 1024, "1.0 MiB"},
        {3ULL << 29, "1.5 GiB"},
        {(1ULL << 40) - 1, "1.0 TiB"},
        {UINT64_MAX, "16.0 EiB"},
    };
    for (size_t i = 0; i < CFS_COUNT(table); i++) {
        char buffer[16];
        assert_ptr_equal(cfs_text_format_size(table[i].bytes, buffer, sizeof(buffer)), buffer);
        assert_string_equal(buffer, table[i].text);
    }
}

static void control_characters_become_question_marks(void **state)
{
    static const struct {
        const char *text, *with_newlines, *without;
    } table[] = {
        {"plain text", "plain text", "plain text"},
        {"\x1b[31mred\a", "?[31mred?", "?[31mred?"},
        {"two\nlines\r\n", "two\nlines?\n", "two?lines??"},
        {"tab\tand\x7f", "tab?and?", "tab?and?"},
        {"gr\xc3\xbc\xc3\x9f", "gr\xc3\xbc\xc3\x9f", "gr\xc3\xbc\xc3\x9f"},
        {"\xc2\x9b"
         "31m \xc2\xa0",
         "??31m \xc2\xa0", "??31m \xc2\xa0"}, /* U+009B is ESC [ to some */
        {"\xc2", "\xc2", "\xc2"},
    };
    for (size_t i = 0; i < CFS_COUNT(table); i++) {
        char text[32];
        snprintf(text, sizeof(text), "%s", table[i].text);
        cfs_text_make_printable(text, true);
        assert_string_equal(text, table[i].with_newlines);
        snprintf(text, sizeof(text), "%s", table[i].text);
        cfs_text_make_printable(text, false);
        assert_string_equal(text, table[i].without);
    }
}

static void edit_distance(void **state)
{
    static const struct {
        const char *a, *b;
        unsigned distance;
    } table[] = {
        {"", "", 0},         {"", "abc", 3},           {"port", "port", 0},
        {"prot", "port", 2}, {"kitten", "sitting", 3}, {"cache_szie", "cache_size", 2},
        {"usr", "user", 1},
    };
    for (size_t i = 0; i < CFS_COUNT(table); i++) {
        assert_int_equal(cfs_text_distance(table[i].a, table[i].b), table[i].distance);
        assert_int_equal(cfs_text_distance(table[i].b, table[i].a), table[i].distance);
    }
    char longest[256], longer[257];
    memset(longest, 'a', sizeof(longest));
    memset(longer, 'a', sizeof(longer));
    longest[sizeof(longest) - 1] = longer[sizeof(longer) - 1] = '\0';
    assert_int_equal(cfs_text_distance(longest, longest), 0);
    assert_int_equal(cfs_text_distance(longest, longer), 256); /* not compared, only called far */
}

static void formatted_text_has_no_limit(void **state)
{
    char *text CFS_AUTO_FREE = cfs_text_format("%*s|%d", 10000, "right", 7);
    assert_non_null(text);
    assert_int_equal(strlen(text), 10002);
    assert_string_equal(text + 9995, "right|7");
}

static void a_word_for_a_shell(void **state)
{
    static const struct {
        const char *text, *quoted;
    } table[] = {
        {"", "''"}, {"/a b/c", "'/a b/c'"}, {"$(x)`;\"", "'$(x)`;\"'"}, {"it's", "'it'\\''s'"}, {"''", "''\\'''\\'''"},
    };
    for (size_t i = 0; i < CFS_COUNT(table); i++) {
        char *quoted = cfs_text_shell_quote(table[i].text);
        assert_string_equal(quoted, table[i].quoted);
        free(quoted);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(sizes),
        cmocka_unit_test(durations),
        cmocka_unit_test(numbers),
        cmocka_unit_test(words_for_yes_and_no),
        cmocka_unit_test(sizes_for_people),
        cmocka_unit_test(control_characters_become_question_marks),
        cmocka_unit_test(edit_distance),
        cmocka_unit_test(a_word_for_a_shell),
        cmocka_unit_test(formatted_text_has_no_limit),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

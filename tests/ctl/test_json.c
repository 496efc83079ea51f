/* The JSON writer: always valid, whatever the strings hold. */
#include "ctl/json.h"
#include "lib/test.h"

static void expect_json(void (*write)(struct cfs_json *json), const char *expected)
{
    struct cfs_buffer out CFS_AUTO_BUFFER;
    cfs_buffer_init(&out);
    struct cfs_json json = cfs_json_over(&out);
    write(&json);
    cfs_buffer_add_u8(&out, '\0');
    assert_false(out.failed);
    assert_string_equal((const char *)out.bytes, expected);
}

static void write_nested(struct cfs_json *json)
{
    cfs_json_open_object(json, NULL);
    cfs_json_number(json, "a", UINT64_MAX);
    cfs_json_open_array(json, "b");
    cfs_json_text(json, NULL, "x");
    cfs_json_open_object(json, NULL);
    cfs_json_close_object(json);
    cfs_json_close_array(json);
    cfs_json_bool(json, "c", true);
    cfs_json_text(json, "d", NULL);
    cfs_json_close_object(json);
}

static void objects_and_arrays_nest(void **state)
{
    (void)state;
    expect_json(write_nested, "{\"a\":18446744073709551615,\"b\":[\"x\",{}],\"c\":true,\"d\":null}");
}

static const char *text;

static void write_text(struct cfs_json *json)
{
    cfs_json_text(json, NULL, text);
}

static void strings_are_escaped_and_always_utf8(void **state)
{
    (void)state;
    static const char *const cases[][2] = {
        {"plain", "\"plain\""},
        {"a\"b\\c", "\"a\\\"b\\\\c\""},
        {"line\nend\x7f", "\"line\\u000aend\\u007f\""},
        {"gr\xc3\xbc\xc3\x9f", "\"gr\xc3\xbc\xc3\x9f\""},
        {"\xe2\x82\xac\xf0\x9f\x98\x80", "\"\xe2\x82\xac\xf0\x9f\x98\x80\""},
        {"\xff", "\"\\ufffd\""},                       /* never in UTF-8 */
        {"\xc3", "\"\\ufffd\""},                       /* cut off */
        {"\xc0\xaf", "\"\\ufffd\\ufffd\""},            /* overlong */
        {"\xed\xa0\x80", "\"\\ufffd\\ufffd\\ufffd\""}, /* a surrogate */
        {"\xe2\x82", "\"\\ufffd\\ufffd\""},
    };
    for (size_t i = 0; i < CFS_COUNT(cases); i++) {
        text = cases[i][0];
        expect_json(write_text, cases[i][1]);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(objects_and_arrays_nest),
        cmocka_unit_test(strings_are_escaped_and_always_utf8),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

/* Base64 against the vectors of RFC 4648, and the refusal of all that is not canonical. */
#include "lib/test.h"

#include "base/text.h"

static const struct {
    const char *bytes, *padded, *bare;
} vectors[] = {
    /* RFC 4648, section 10 */
    {"", "", ""},
    {"f", "Zg==", "Zg"},
    {"fo", "Zm8=", "Zm8"},
    {"foo", "Zm9v", "Zm9v"},
    {"foob", "Zm9vYg==", "Zm9vYg"},
    {"fooba", "Zm9vYmE=", "Zm9vYmE"},
    {"foobar", "Zm9vYmFy", "Zm9vYmFy"},
};

static void vectors_are_encoded(void **state)
{
    for (size_t i = 0; i < CFS_COUNT(vectors); i++) {
        char *padded CFS_AUTO_FREE = cfs_base64_encode(vectors[i].bytes, strlen(vectors[i].bytes), true);
        char *bare CFS_AUTO_FREE = cfs_base64_encode(vectors[i].bytes, strlen(vectors[i].bytes), false);
        assert_string_equal(padded, vectors[i].padded);
        assert_string_equal(bare, vectors[i].bare);
    }
}

static void assert_decodes(const char *text, const void *bytes, size_t length)
{
    uint8_t *decoded CFS_AUTO_FREE = NULL;
    size_t decoded_length = 99;
    assert_int_equal(cfs_base64_decode(text, strlen(text), &decoded, &decoded_length), 0);
    assert_int_equal(decoded_length, length);
    assert_non_null(decoded);
    assert_memory_equal(decoded, bytes, length);
}

static void vectors_are_decoded_with_and_without_padding(void **state)
{
    for (size_t i = 0; i < CFS_COUNT(vectors); i++) {
        assert_decodes(vectors[i].padded, vectors[i].bytes, strlen(vectors[i].bytes));
        assert_decodes(vectors[i].bare, vectors[i].bytes, strlen(vectors[i].bytes));
    }
}

static void every_byte_comes_back(void **state)
{
    uint8_t bytes[256];
    for (size_t i = 0; i < sizeof(bytes); i++)
        bytes[i] = (uint8_t)(i * 37);
    for (size_t length = 0; length <= sizeof(bytes); length++) {
        char *text CFS_AUTO_FREE = cfs_base64_encode(bytes, length, length % 2);
        assert_non_null(text);
        assert_decodes(text, bytes, length);
    }
}

static void what_is_not_canonical_is_refused(void **state)
{
    static const char *const refused[] = {
        "Z",        "Zg=",      "Zg===", "=",       "==",     "===",   "====",  "Z===",
        "Zm9v=",    "Zm9v====",                                                               /* lengths and padding */
        "Zg==Zg==", "Zm=v",     "Z=9v",  "Zg==\n",  "Zm9v\n", " Zm9v", "Zm 9v", "Zm9v\nYmFy", /* in the middle */
        "Zh==",     "Zh",       "Zm9=",  "Zm9",     "ZmB=", /* bits that are not zero */
        "Zm9-",     "Zm9_",     "Zm9!",  "Zm9\xc3", "Zm9.", /* other alphabets */
    };
    for (size_t i = 0; i < CFS_COUNT(refused); i++) {
        uint8_t *bytes = NULL;
        size_t length = 99;
        if (cfs_base64_decode(refused[i], strlen(refused[i]), &bytes, &length) != -EINVAL)
            fail_msg("accepted: \"%s\"", refused[i]);
        assert_null(bytes);
        assert_int_equal(length, 99);
    }
}

static void a_nul_is_no_character(void **state)
{
    uint8_t *bytes = NULL;
    size_t length = 0;
    assert_int_equal(cfs_base64_decode("Zm9\0", 4, &bytes, &length), -EINVAL);
    assert_int_equal(cfs_base64_decode("Zm9vZm9v", 4, &bytes, &length), 0); /* reads no further than it is told */
    assert_int_equal(length, 3);
    free(bytes);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(vectors_are_encoded),   cmocka_unit_test(vectors_are_decoded_with_and_without_padding),
        cmocka_unit_test(every_byte_comes_back), cmocka_unit_test(what_is_not_canonical_is_refused),
        cmocka_unit_test(a_nul_is_no_character),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

/* bcrypt_pbkdf against known answers: those of OpenBSD's own regression test (regress/lib/libutil/bcrypt_pbkdf), which
 * include short and long keys. test_key_file checks it against ssh-keygen. */
#include "lib/test.h"

#include "ssh/bcrypt_pbkdf.h"

struct vector {
    uint32_t rounds;
    const char *passphrase;
    size_t passphrase_length;
    const char *salt;
    size_t salt_length;
    uint8_t key[32];
    size_t key_length;
};

static const struct vector vectors[] = {
    {4,
     "password",
     8,
     "salt",
     4,
     {0x5b, 0xbf, 0x0c, 0xc2, 0x93, 0x58, 0x7f, 0x1c, 0x36, 0x35, 0x55, 0x5c, 0x27, 0x79, 0x65, 0x98,
      0xd4, 0x7e, 0x57, 0x90, 0x71, 0xbf, 0x42, 0x7e, 0x9d, 0x8f, 0xbe, 0x84, 0x2a, 0xba, 0x34, 0xd9},
     32},
    {4,
     "password",
     8,
     "\0",
     1,
     {0xc1, 0x2b, 0x56, 0x62, 0x35, 0xee, 0xe0, 0x4c, 0x21, 0x25, 0x98, 0x97, 0x0a, 0x57, 0x9a, 0x67},
     16},
    {4,
     "\0",
     1,
     "salt",
     4,
     {0x60, 0x51, 0xbe, 0x18, 0xc2, 0xf4, 0xf8, 0x2c, 0xbf, 0x0e, 0xfe, 0xe5, 0x47, 0x1b, 0x4b, 0xb9},
     16},
};

static void test_known_answers(void **state)
{
    for (size_t i = 0; i < CFS_COUNT(vectors); i++) {
        const struct vector *vector = &vectors[i];
        uint8_t key[32];
        assert_int_equal(cfs_bcrypt_pbkdf(vector->passphrase, vector->passphrase_length, (const uint8_t *)vector->salt,
                                          vector->salt_length, vector->rounds, key, vector->key_length),
                         0);
        assert_memory_equal(key, vector->key, vector->key_length);
    }
}

static void test_numbers_out_of_range_are_refused(void **state)
{
    uint8_t key[2048];
    const uint8_t salt[4] = {1};
    assert_int_equal(cfs_bcrypt_pbkdf("", 0, salt, 4, 1, key, 32), -EINVAL);
    assert_int_equal(cfs_bcrypt_pbkdf("a", 1, salt, 0, 1, key, 32), -EINVAL);
    assert_int_equal(cfs_bcrypt_pbkdf("a", 1, salt, 4, 0, key, 32), -EINVAL);
    assert_int_equal(cfs_bcrypt_pbkdf("a", 1, salt, 4, 1, key, 0), -EINVAL);
    assert_int_equal(cfs_bcrypt_pbkdf("a", 1, salt, 4, 1, key, sizeof(key)), -EINVAL);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_known_answers),
        cmocka_unit_test(test_numbers_out_of_range_are_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

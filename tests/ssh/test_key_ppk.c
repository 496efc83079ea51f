/* PuTTY's key files, as its own puttygen writes them: every version, kind, derivation and passphrase gives the key that
 * puttygen exports for OpenSSH; damaged and hostile ones are refused. */
#include "lib/test.h"

#include "ssh/key_file.h"

#include "lib/scratch.h"
#include "ssh/key_file_priv.h"
#include <openssl/core_names.h>
#include <openssl/rsa.h>

#define PASSPHRASE "correct horse"

static char *folder;

static int make_folder(void **state)
{
    folder = scratch_make();
    char *right = scratch_path(folder, "right"), *none = scratch_path(folder, "none");
    scratch_write_text(right, PASSPHRASE "\n", 0600);
    scratch_write_text(none, "\n", 0600);
    free(right);
    free(none);
    return 0;
}

static int remove_folder(void **state)
{
    scratch_remove(folder);
    return 0;
}

/* In the folder; the key files that it writes belong to nobody else. */
static void run_puttygen(const char *arguments)
{
    char *command CFS_AUTO_FREE = NULL;
    assert_true(asprintf(&command, "umask 077 && cd '%s' && puttygen -q %s", folder, arguments) > 0);
    scratch_must_run("sh", "-c", command, NULL);
}

static struct cfs_key_file *open_key(const char *name)
{
    char *path CFS_AUTO_FREE = scratch_path(folder, name);
    struct cfs_error error = {0};
    struct cfs_key_file *key = NULL;
    if (cfs_key_file_open(path, &key, &error) < 0)
        fail_msg("%s", error.text);
    return key;
}

static void unlock(struct cfs_key_file *key, const char *passphrase)
{
    struct cfs_error error = {0};
    if (cfs_key_file_unlock(key, passphrase, NULL, &error) < 0)
        fail_msg("%s", error.text);
}

static void assert_same_number(const EVP_PKEY *a, const EVP_PKEY *b, const char *name)
{
    BIGNUM *a_number CFS_CLEANUP(BN_clear_free) = NULL, *b_number CFS_CLEANUP(BN_clear_free) = NULL;
    assert_int_equal(EVP_PKEY_get_bn_param(a, name, &a_number), 1);
    assert_int_equal(EVP_PKEY_get_bn_param(b, name, &b_number), 1);
    assert_int_equal(BN_cmp(a_number, b_number), 0);
}

static void assert_same_secret(const EVP_PKEY *a, const EVP_PKEY *b)
{
    uint8_t a_bytes[32], b_bytes[32];
    size_t a_length = sizeof(a_bytes), b_length = sizeof(b_bytes);
    assert_int_equal(EVP_PKEY_eq(a, b), 1);
    if (EVP_PKEY_is_a(a, "RSA")) {
        assert_same_number(a, b, OSSL_PKEY_PARAM_RSA_D);
    } else if (EVP_PKEY_is_a(a, "EC")) {
        assert_same_number(a, b, OSSL_PKEY_PARAM_PRIV_KEY);
    } else {
        assert_int_equal(EVP_PKEY_get_raw_private_key(a, a_bytes, &a_length), 1);
        assert_int_equal(EVP_PKEY_get_raw_private_key(b, b_bytes, &b_length), 1);
        assert_memory_equal(a_bytes, b_bytes, sizeof(a_bytes));
    }
}

/* --- what puttygen writes --- */

/* NAME is the key that KEY was exported as. */
static void assert_key(const char *name, const char *passphrase, const struct cfs_key_file *expected)
{
    struct cfs_key_file *key = open_key(name);
    struct cfs_error error = {0};
    size_t length, expected_length;
    const uint8_t *blob = cfs_key_file_public_blob(key, &length);
    const uint8_t *expected_blob = cfs_key_file_public_blob(expected, &expected_length);
    assert_int_equal(length, expected_length); /* it is known without the passphrase */
    assert_memory_equal(blob, expected_blob, length);
    if (passphrase) {
        assert_int_equal(cfs_key_file_unlock(key, "wrong", NULL, &error), -EKEYREJECTED);
        assert_non_null(strstr(error.text, "passphrase"));
        assert_int_equal(cfs_key_file_unlock(key, NULL, NULL, &error), -EKEYREJECTED);
    }
    unlock(key, passphrase);
    assert_same_secret(key->private_key, expected->private_key);
    cfs_key_file_free(key);
}

static void test_every_kind_version_and_derivation(void **state)
{
    static const char *const kinds[] = {"-t rsa -b 2048",  "-t rsa -b 4096",  "-t ecdsa -b 256",
                                        "-t ecdsa -b 384", "-t ecdsa -b 521", "-t ed25519"};
    static const char *const forms[] = {"version=2", "version=3,kdf=argon2id", "version=3,kdf=argon2i",
                                        "version=3,kdf=argon2d,parallelism=3"};
    char arguments[256];
    for (size_t k = 0; k < CFS_COUNT(kinds); k++) {
        snprintf(arguments, sizeof(arguments), "%s -C 'a comment: with colons' --new-passphrase none -o plain.ppk",
                 kinds[k]);
        run_puttygen(arguments);
        run_puttygen("plain.ppk -O private-openssh-new -o openssh");
        struct cfs_key_file *expected = open_key("openssh");
        unlock(expected, NULL);
        for (size_t f = 0; f < CFS_COUNT(forms); f++) {
            for (int encrypted = 0; encrypted < 2; encrypted++) {
                snprintf(arguments, sizeof(arguments),
                         "plain.ppk --reencrypt --new-passphrase %s --ppk-param %s,memory=1024,passes=3 -o form.ppk",
                         encrypted ? "right" : "none", forms[f]);
                run_puttygen(arguments);
                assert_key("form.ppk", encrypted ? PASSPHRASE : NULL, expected);
            }
        }
        cfs_key_file_free(expected);
    }
}

/* What people have: puttygen's own choice of derivation, lines that end as on Windows, no newline at the end. */
static void test_usual_files(void **state)
{
    run_puttygen("-t ed25519 --new-passphrase right -o usual.ppk");
    run_puttygen("usual.ppk --old-passphrase right --new-passphrase none -O private-openssh-new -o usual");
    struct cfs_key_file *expected = open_key("usual");
    unlock(expected, NULL);
    assert_key("usual.ppk", PASSPHRASE, expected);
    run_puttygen("--version >/dev/null; sed -i 's/$/\\r/' usual.ppk");
    assert_key("usual.ppk", PASSPHRASE, expected);
    run_puttygen("--version >/dev/null; truncate -s -2 usual.ppk");
    assert_key("usual.ppk", PASSPHRASE, expected);
    cfs_key_file_free(expected);
}

static void test_kinds_that_we_do_not_have(void **state)
{
    static const char *const kinds[] = {"-t dsa -b 1024", "-t ed448"};
    for (size_t i = 0; i < CFS_COUNT(kinds); i++) {
        struct cfs_error error = {0};
        char arguments[128];
        snprintf(arguments, sizeof(arguments), "%s --new-passphrase none -o strange.ppk", kinds[i]);
        run_puttygen(arguments);
        struct cfs_key_file *key = open_key("strange.ppk");
        assert_int_equal(cfs_key_file_unlock(key, NULL, NULL, &error), -EOPNOTSUPP);
        assert_non_null(strstr(error.text, "kind"));
        cfs_key_file_free(key);
    }
}

/* --- damage --- */

/* Each byte of a file changed in turn, and the file cut off there: the MAC covers all that matters, so that the key is
 * refused, or the same. */
static void assert_damage_is_seen(const char *name, const char *passphrase)
{
    char *path CFS_AUTO_FREE = scratch_path(folder, name);
    struct cfs_key_file *expected = open_key(name);
    unlock(expected, passphrase);
    size_t length;
    char *bytes = scratch_read(path, &length);
    for (size_t i = 0; i < 2 * length; i++) {
        struct cfs_error error = {0};
        struct cfs_key_file *key = NULL;
        char saved = bytes[i / 2];
        bytes[i / 2] = (char)(saved == 'A' ? 'B' : 'A');
        if (cfs_key_file_parse(path, bytes, i % 2 ? i / 2 : length, &key, &error) == 0 &&
            cfs_key_file_unlock(key, passphrase, NULL, &error) == 0)
            assert_same_secret(key->private_key, expected->private_key);
        else
            assert_true(error.failure == CFS_FAILURE_KEY_FILE);
        cfs_key_file_free(key);
        bytes[i / 2] = saved;
    }
    free(bytes);
    cfs_key_file_free(expected);
}

static void test_damaged_files(void **state)
{
    run_puttygen("-t ecdsa -b 256 --new-passphrase none -o damaged.ppk");
    assert_damage_is_seen("damaged.ppk", NULL);
    run_puttygen("damaged.ppk --reencrypt --new-passphrase right --ppk-param memory=16,passes=1 -o damaged3.ppk");
    assert_damage_is_seen("damaged3.ppk", PASSPHRASE);
    run_puttygen("damaged.ppk --reencrypt --new-passphrase right --ppk-param version=2 -o damaged2.ppk");
    assert_damage_is_seen("damaged2.ppk", PASSPHRASE);
}

/* NAME with all of a line that begins so replaced. */
static void assert_refused(const char *name, const char *line, int expected, const char *part)
{
    char *path CFS_AUTO_FREE = scratch_path(folder, "changed.ppk"), *edit CFS_AUTO_FREE = NULL;
    size_t field = strcspn(line, ":");
    assert_true(asprintf(&edit, "--version >/dev/null; sed 's/^%.*s: .*/%s/' %s > changed.ppk", (int)field, line, line,
                         name) > 0);
    run_puttygen(edit);
    struct cfs_error error = {0};
    struct cfs_key_file *key = NULL;
    int result = cfs_key_file_open(path, &key, &error);
    if (result == 0)
        result = cfs_key_file_unlock(key, PASSPHRASE, NULL, &error);
    assert_int_equal(result, expected);
    if (!strstr(error.text, part))
        fail_msg("\"%s\" is not in: %s", part, error.text);
    cfs_key_file_free(key);
}

static void test_hostile_files(void **state)
{
    run_puttygen("-t ed25519 --new-passphrase right --ppk-param memory=16,passes=1 -o honest.ppk");
    assert_refused("honest.ppk", "PuTTY-User-Key-File-3: ssh-rsa", -EKEYREJECTED, "passphrase");
    assert_refused("honest.ppk", "Encryption: none", -EBADMSG, "puttygen -L");
    assert_refused("honest.ppk", "Encryption: rot13", -EOPNOTSUPP, "encrypted");
    assert_refused("honest.ppk", "Key-Derivation: Argon3", -EOPNOTSUPP, "encrypted");
    assert_refused("honest.ppk", "Argon2-Memory: 4294967295", -EBADMSG, "damaged");
    assert_refused("honest.ppk", "Argon2-Memory: 0", -EBADMSG, "damaged");
    assert_refused("honest.ppk", "Argon2-Passes: 99999999", -EBADMSG, "damaged");
    assert_refused("honest.ppk", "Argon2-Parallelism: 100000", -EBADMSG, "damaged");
    assert_refused("honest.ppk", "Argon2-Salt: xyz", -EBADMSG, "damaged");
    assert_refused("honest.ppk", "Argon2-Salt: ", -EBADMSG, "damaged");
    assert_refused("honest.ppk", "Public-Lines: 60000", -EBADMSG, "damaged");
    assert_refused("honest.ppk", "Private-Lines: 0", -EBADMSG, "damaged");
    assert_refused("honest.ppk", "Private-MAC: 00", -EBADMSG, "damaged");
    assert_refused("honest.ppk", "Comment: another", -EKEYREJECTED, "passphrase");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_every_kind_version_and_derivation),
        cmocka_unit_test(test_usual_files),
        cmocka_unit_test(test_kinds_that_we_do_not_have),
        cmocka_unit_test(test_damaged_files),
        cmocka_unit_test(test_hostile_files),
    };
    return cmocka_run_group_tests(tests, make_folder, remove_folder);
}

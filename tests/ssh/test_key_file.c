/* Identity files made by ssh-keygen and openssl: every kind and form, passphrases, damage, and the sentences for what
 * cannot be used. Signatures are verified by openssl's own library over the public key that ssh-keygen wrote. */
#include "lib/test.h"

#include "ssh/key_file.h"

#include "base/bytes.h"
#include "base/text.h"
#include "lib/fake_prompter.h"
#include "lib/scratch.h"
#include "ssh/key_file_priv.h"
#include <openssl/ecdsa.h>
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <sys/stat.h>

#define PASSPHRASE "correct horse"

static char *folder;

static int make_folder(void **state)
{
    folder = scratch_make();
    return 0;
}

static int remove_folder(void **state)
{
    scratch_remove(folder);
    return 0;
}

/* --- verification --- */

static EVP_PKEY *read_public_pem(const char *path)
{
    char *pem_path = scratch_path(folder, "public.pem");
    char command[512];
    snprintf(command, sizeof(command), "ssh-keygen -e -m PKCS8 -f '%s.pub' > '%s'", path, pem_path);
    scratch_must_run("sh", "-c", command, NULL);
    FILE *file = fopen(pem_path, "re");
    assert_non_null(file);
    EVP_PKEY *key = PEM_read_PUBKEY(file, NULL, NULL, NULL);
    assert_non_null(key);
    fclose(file);
    free(pem_path);
    return key;
}

/* ssh-keygen does not export Ed25519 keys. */
static EVP_PKEY *read_public_ed25519(const char *path)
{
    char *name = NULL;
    assert_true(asprintf(&name, "%s.pub", path) > 0);
    struct cfs_buffer blob CFS_AUTO_BUFFER = {0};
    assert_int_equal(cfs_key_read_public_file(name, &blob), 0);
    free(name);
    assert_int_equal(blob.length, 51);
    EVP_PKEY *key = EVP_PKEY_new_raw_public_key(EVP_PKEY_ED25519, NULL, blob.bytes + 19, 32);
    assert_non_null(key);
    return key;
}

/* Two mpints to OpenSSL's DER. */
static void to_der(struct cfs_reader *signature, struct cfs_buffer *der)
{
    ECDSA_SIG *numbers = ECDSA_SIG_new();
    BIGNUM *parts[2];
    for (int i = 0; i < 2; i++) {
        size_t length;
        const uint8_t *bytes = cfs_read_string(signature, &length);
        assert_non_null(bytes);
        assert_false(bytes[0] & 0x80);
        parts[i] = BN_bin2bn(bytes, (int)length, NULL);
    }
    ECDSA_SIG_set0(numbers, parts[0], parts[1]);
    uint8_t *room = cfs_buffer_reserve(der, 256);
    der->length = (size_t)i2d_ECDSA_SIG(numbers, &room);
    ECDSA_SIG_free(numbers);
}

static void assert_signs(struct cfs_key_file *key, const char *path, const char *algorithm)
{
    static const char data[] = "what is signed";
    uint8_t *blob = NULL;
    size_t blob_length = 0, name_length, length;
    assert_int_equal(cfs_key_file_sign(key, algorithm, data, sizeof(data), &blob, &blob_length), 0);
    struct cfs_reader reader = cfs_reader_over(blob, blob_length);
    const uint8_t *name = cfs_read_string(&reader, &name_length);
    assert_int_equal(name_length, strlen(algorithm));
    assert_memory_equal(name, algorithm, name_length);
    const uint8_t *signature = cfs_read_string(&reader, &length);
    assert_non_null(signature);
    assert_int_equal(reader.left, 0);

    bool ecdsa = strncmp(algorithm, "ecdsa", 5) == 0, ed25519 = strcmp(algorithm, "ssh-ed25519") == 0;
    struct cfs_buffer der CFS_AUTO_BUFFER = {0};
    if (ecdsa) {
        struct cfs_reader inner = cfs_reader_over(signature, length);
        to_der(&inner, &der);
        assert_int_equal(inner.left, 0);
        signature = der.bytes, length = der.length;
    }
    const EVP_MD *hash = ed25519 ? NULL : EVP_sha256();
    if (strstr(algorithm, "512") || strstr(algorithm, "521"))
        hash = EVP_sha512();
    if (strstr(algorithm, "384"))
        hash = EVP_sha384();
    EVP_PKEY *public_key = ed25519 ? read_public_ed25519(path) : read_public_pem(path);
    EVP_MD_CTX *context = EVP_MD_CTX_new();
    assert_int_equal(EVP_DigestVerifyInit(context, NULL, hash, NULL, public_key), 1);
    assert_int_equal(EVP_DigestVerify(context, signature, length, (const uint8_t *)data, sizeof(data)), 1);
    EVP_MD_CTX_free(context);
    EVP_PKEY_free(public_key);
    free(blob);
}

/* The blob that ssh-keygen wrote beside the key. */
static void assert_public_blob(const struct cfs_key_file *key, const char *path)
{
    char *name = NULL;
    assert_true(asprintf(&name, "%s.pub", path) > 0);
    struct cfs_buffer expected CFS_AUTO_BUFFER = {0};
    assert_int_equal(cfs_key_read_public_file(name, &expected), 0);
    free(name);
    size_t length;
    const uint8_t *blob = cfs_key_file_public_blob(key, &length);
    assert_int_equal(length, expected.length);
    assert_memory_equal(blob, expected.bytes, length);
}

/* --- every kind and form --- */

struct kind {
    const char *name, *type, *bits, *algorithm, *second_algorithm;
};

static const struct kind kinds[] = {
    {"rsa2048", "rsa", "2048", "rsa-sha2-512", "rsa-sha2-256"}, {"rsa4096", "rsa", "4096", "rsa-sha2-512", NULL},
    {"p256", "ecdsa", "256", "ecdsa-sha2-nistp256", NULL},      {"p384", "ecdsa", "384", "ecdsa-sha2-nistp384", NULL},
    {"p521", "ecdsa", "521", "ecdsa-sha2-nistp521", NULL},      {"ed25519", "ed25519", "256", "ssh-ed25519", NULL},
};

/* Reads, unlocks and signs with a key; with a passphrase, wrong ones first. */
static void assert_usable(const char *path, const char *passphrase, const struct kind *kind)
{
    struct cfs_error error = {0};
    struct cfs_key_file *key = NULL;
    assert_int_equal(cfs_key_file_open(path, &key, &error), 0);
    if (passphrase) {
        uint8_t *signature;
        size_t length;
        assert_int_equal(cfs_key_file_sign(key, kind->algorithm, "", 0, &signature, &length), -ENOKEY);
        assert_int_equal(cfs_key_file_unlock(key, "wrong", NULL, &error), -EKEYREJECTED);
        assert_int_equal(error.failure, CFS_FAILURE_KEY_FILE);
        assert_non_null(strstr(error.text, "passphrase"));
    }
    assert_int_equal(cfs_key_file_unlock(key, passphrase, NULL, &error), 0);
    assert_public_blob(key, path);
    assert_signs(key, path, kind->algorithm);
    if (kind->second_algorithm)
        assert_signs(key, path, kind->second_algorithm);
    uint8_t *signature;
    size_t length;
    assert_int_equal(cfs_key_file_sign(key, "ssh-rsa", "", 0, &signature, &length), -EOPNOTSUPP);
    cfs_key_file_free(key);
}

static void test_every_kind_and_form(void **state)
{
    static const char *const formats[] = {"RFC4716", "PEM", "PKCS8"};
    for (size_t k = 0; k < CFS_COUNT(kinds); k++) {
        for (size_t f = 0; f < CFS_COUNT(formats); f++) {
            if (f > 0 && strcmp(kinds[k].type, "ed25519") == 0)
                continue; /* ssh-keygen writes these in its own form only; openssl's are below */
            for (int encrypted = 0; encrypted < 2; encrypted++) {
                char name[64];
                snprintf(name, sizeof(name), "%s-%s-%d", kinds[k].name, formats[f], encrypted);
                char *path = scratch_path(folder, name);
                scratch_must_run("ssh-keygen", "-q", "-t", kinds[k].type, "-b", kinds[k].bits, "-m", formats[f], "-a",
                                 "1", "-C", "a comment", "-N", encrypted ? PASSPHRASE : "", "-f", path, NULL);
                assert_usable(path, encrypted ? PASSPHRASE : NULL, &kinds[k]);
                free(path);
            }
        }
    }
}

static void test_keys_made_by_openssl(void **state)
{
    char *path = scratch_path(folder, "openssl"), *public_path = scratch_path(folder, "openssl.pub");
    char command[1024];
    scratch_must_run("openssl", "genpkey", "-quiet", "-algorithm", "ed25519", "-out", path, NULL);
    struct cfs_error error = {0};
    struct cfs_key_file *key = NULL;
    assert_int_equal(cfs_key_file_open(path, &key, &error), 0);
    size_t length;
    const uint8_t *blob = cfs_key_file_public_blob(key, &length);
    char *text = cfs_base64_encode(blob, length, true), *line = NULL;
    assert_true(asprintf(&line, "ssh-ed25519 %s", text) > 0);
    scratch_write_text(public_path, line, 0644);
    assert_signs(key, path, "ssh-ed25519");
    cfs_key_file_free(key);
    free(text);
    free(line);
    /* An encrypted PKCS#8 file with the usual names beside it. */
    snprintf(command, sizeof(command),
             "openssl pkcs8 -topk8 -in '%s' -out '%s.8' -passout 'pass:%s' -v2 aes-256-cbc && "
             "chmod 600 '%s.8' && cp '%s.pub' '%s.8.pub'",
             path, path, PASSPHRASE, path, path, path);
    scratch_must_run("sh", "-c", command, NULL);
    char *encrypted = scratch_path(folder, "openssl.8");
    assert_usable(encrypted, PASSPHRASE, &kinds[5]);
    free(encrypted);
    /* SEC1 behind its parameters, as openssl ecparam writes it. */
    scratch_must_run("openssl", "ecparam", "-name", "prime256v1", "-genkey", "-out", path, NULL);
    snprintf(command, sizeof(command), "chmod 600 '%s'; ssh-keygen -y -f '%s' > '%s'", path, path, public_path);
    scratch_must_run("sh", "-c", command, NULL);
    assert_usable(path, NULL, &kinds[2]);
    free(path);
    free(public_path);
}

static void test_every_cipher_of_ssh_keygen(void **state)
{
    static const char *const ciphers[] = {"aes256-ctr",
                                          "aes192-ctr",
                                          "aes128-ctr",
                                          "aes256-cbc",
                                          "aes128-cbc",
                                          "aes256-gcm@openssh.com",
                                          "aes128-gcm@openssh.com",
                                          "chacha20-poly1305@openssh.com",
                                          "3des-cbc"};
    for (size_t i = 0; i < CFS_COUNT(ciphers); i++) {
        char *path = scratch_path(folder, ciphers[i]);
        scratch_must_run("ssh-keygen", "-q", "-t", "ed25519", "-Z", ciphers[i], "-a", "1", "-N", PASSPHRASE, "-f", path,
                         NULL);
        assert_usable(path, PASSPHRASE, &kinds[5]);
        free(path);
    }
}

static void test_default_rounds(void **state)
{
    char *path = scratch_path(folder, "default");
    scratch_must_run("ssh-keygen", "-q", "-t", "ed25519", "-N", PASSPHRASE, "-f", path, NULL);
    assert_usable(path, PASSPHRASE, &kinds[5]);
    free(path);
}

static void test_a_blank_comment_and_crlf(void **state)
{
    char *path = scratch_path(folder, "crlf"), command[512];
    scratch_must_run("ssh-keygen", "-q", "-t", "ed25519", "-C", "", "-N", "", "-f", path, NULL);
    snprintf(command, sizeof(command), "sed -i 's/$/\\r/' '%s'", path);
    scratch_must_run("sh", "-c", command, NULL);
    assert_usable(path, NULL, &kinds[5]);
    free(path);
}

static void test_the_public_half_of_an_encrypted_pem_file(void **state)
{
    char *path = scratch_path(folder, "hidden"), *public_path = scratch_path(folder, "hidden.pub");
    struct cfs_error error = {0};
    struct cfs_key_file *key = NULL;
    size_t length;
    scratch_must_run("ssh-keygen", "-q", "-t", "ecdsa", "-m", "PEM", "-N", PASSPHRASE, "-f", path, NULL);
    assert_int_equal(cfs_key_file_open(path, &key, &error), 0);
    assert_public_blob(key, path); /* from NAME.pub */
    cfs_key_file_free(key);
    assert_int_equal(unlink(public_path), 0);
    assert_int_equal(cfs_key_file_open(path, &key, &error), 0);
    cfs_key_file_public_blob(key, &length);
    assert_int_equal(length, 0);
    assert_int_equal(cfs_key_file_unlock(key, PASSPHRASE, NULL, &error), 0);
    cfs_key_file_public_blob(key, &length);
    assert_int_equal(length, 104);
    cfs_key_file_free(key);
    free(path);
    free(public_path);
}

/* --- prompts --- */

static void test_the_passphrase_is_asked_for_three_times(void **state)
{
    char *path = scratch_path(folder, "asked");
    struct cfs_error error = {0};
    struct cfs_key_file *key = NULL;
    struct fake_prompter fake;
    scratch_must_run("ssh-keygen", "-q", "-t", "ed25519", "-a", "1", "-N", PASSPHRASE, "-f", path, NULL);
    assert_int_equal(cfs_key_file_open(path, &key, &error), 0);

    fake_prompter_init(&fake);
    assert_int_equal(cfs_key_file_unlock(key, NULL, &fake.prompter, &error), -ECANCELED);
    assert_int_equal(error.failure, CFS_FAILURE_CANCELLED);
    assert_int_equal(fake.asked, 1);
    assert_false(fake.echo);

    fake_prompter_init(&fake);
    fake.answers[0] = fake.answers[1] = fake.answers[2] = "wrong", fake.answers[3] = PASSPHRASE;
    assert_int_equal(cfs_key_file_unlock(key, NULL, &fake.prompter, &error), -EKEYREJECTED);
    assert_int_equal(fake.asked, 3);

    fake_prompter_init(&fake);
    fake.nobody = true;
    assert_int_equal(cfs_key_file_unlock(key, NULL, &fake.prompter, &error), -EKEYREJECTED);
    assert_non_null(strstr(error.text, "ssh-add"));

    fake_prompter_init(&fake);
    fake.answers[0] = "", fake.answers[1] = PASSPHRASE;
    assert_int_equal(cfs_key_file_unlock(key, "wrong", &fake.prompter, &error), 0);
    assert_int_equal(fake.asked, 2);
    assert_non_null(strstr(fake.last, path));
    assert_int_equal(cfs_key_file_unlock(key, NULL, NULL, &error), 0); /* it is unlocked */
    cfs_key_file_free(key);
    free(path);
}

/* --- what cannot be used --- */

static void assert_refused(const char *path, int result, const char *part)
{
    struct cfs_error error = {0};
    struct cfs_key_file *key = NULL;
    assert_int_equal(cfs_key_file_open(path, &key, &error), result);
    assert_null(key);
    assert_int_equal(error.failure, CFS_FAILURE_KEY_FILE);
    assert_non_null(strstr(error.text, path));
    if (!strstr(error.text, part))
        fail_msg("\"%s\" is not in: %s", part, error.text);
}

static void test_files_that_are_no_private_key(void **state)
{
    char *path = scratch_path(folder, "odd");
    assert_refused(path, -ENOENT, "does not exist");
    assert_refused(folder, -EISDIR, "folder");
    assert_int_equal(mkfifo(path, 0600), 0);
    assert_refused(path, -EINVAL, "regular");
    assert_int_equal(unlink(path), 0);
    scratch_write_text(path, "PuTTY-User-Key-File-3: ssh-ed25519\nEncryption: none\n", 0600);
    assert_refused(path, -EBADMSG, "puttygen");
    scratch_write_text(path, "ssh-ed25519 AAAA me\n", 0644);
    assert_refused(path, -ENOTSUP, "is a public key");
    scratch_write_text(path, "hello\n", 0600);
    assert_refused(path, -EBADMSG, "not a private key");
    scratch_write_text(path, "", 0600);
    assert_refused(path, -EBADMSG, "not a private key");
    scratch_write_text(path, "-----BEGIN RSA PRIVATE KEY-----\nAAAA\n-----END RSA PRIVATE KEY-----\n", 0600);
    assert_refused(path, -EBADMSG, "damaged");
    assert_int_equal(truncate(path, CFS_KEY_FILE_MAX + 1), 0);
    assert_refused(path, -EFBIG, "larger");
    char *public_path = scratch_path(folder, "odd.pub");
    scratch_write_text(public_path, "ssh-ed25519 AAAA me\n", 0644);
    assert_refused(public_path, -ENOTSUP, "which should be ");
    free(path);
    free(public_path);
}

static void test_modes(void **state)
{
    char *path = scratch_path(folder, "modes"), *link = scratch_path(folder, "link");
    scratch_must_run("ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", path, NULL);
    assert_int_equal(symlink(path, link), 0);
    static const mode_t bad[] = {0640, 0604, 0620, 0602, 0610, 0644};
    for (size_t i = 0; i < CFS_COUNT(bad); i++) {
        assert_int_equal(chmod(path, bad[i]), 0);
        assert_refused(path, -EPERM, "chmod 600");
        assert_refused(link, -EPERM, "chmod 600");
    }
    assert_int_equal(chmod(path, 0400), 0);
    assert_usable(path, NULL, &kinds[5]);
    struct cfs_error error = {0};
    struct cfs_key_file *key = NULL;
    assert_int_equal(cfs_key_file_open(link, &key, &error), 0);
    cfs_key_file_free(key);
    if (geteuid() != 0) {
        assert_int_equal(chmod(path, 0), 0);
        assert_refused(path, -EACCES, "cannot be read");
    }
    free(path);
    free(link);
}

static void test_keys_that_ssh_does_not_know(void **state)
{
    char *path = scratch_path(folder, "strange");
    scratch_must_run("openssl", "ecparam", "-name", "secp256k1", "-genkey", "-noout", "-out", path, NULL);
    assert_int_equal(chmod(path, 0600), 0);
    assert_refused(path, -EOPNOTSUPP, "kind");
    scratch_must_run("openssl", "genpkey", "-quiet", "-algorithm", "x448", "-out", path, NULL);
    assert_int_equal(chmod(path, 0600), 0);
    assert_refused(path, -EOPNOTSUPP, "kind");
    free(path);
}

/* Each byte of a file changed in turn: a key is refused or is the same key, and nothing breaks. */
static void test_damaged_files(void **state)
{
    static const char *const formats[] = {"RFC4716", "PEM"};
    for (size_t f = 0; f < CFS_COUNT(formats); f++) {
        char *path = scratch_path(folder, formats[f]);
        scratch_must_run("ssh-keygen", "-q", "-t", "ecdsa", "-m", formats[f], "-N", "", "-f", path, NULL);
        size_t length;
        char *bytes = scratch_read(path, &length);
        for (size_t i = 0; i < length; i++) {
            struct cfs_error error = {0};
            struct cfs_key_file *key = NULL;
            char saved = bytes[i];
            bytes[i] = (char)(saved == 'A' ? 'B' : 'A');
            if (cfs_key_file_parse(path, bytes, length, &key, &error) == 0) {
                if (cfs_key_file_unlock(key, NULL, NULL, &error) < 0)
                    assert_int_equal(error.failure, CFS_FAILURE_KEY_FILE);
            } else {
                assert_null(key);
                assert_int_equal(error.failure, CFS_FAILURE_KEY_FILE);
            }
            cfs_key_file_free(key);
            key = NULL;
            bytes[i] = saved;
            if (cfs_key_file_parse(path, bytes, i, &key, &error) == 0) {
                if (cfs_key_file_unlock(key, NULL, NULL, &error) == 0)
                    assert_true(i >= length - 2); /* all but the newline */
            }
            cfs_key_file_free(key);
        }
        free(bytes);
        free(path);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_every_kind_and_form),
        cmocka_unit_test(test_keys_made_by_openssl),
        cmocka_unit_test(test_every_cipher_of_ssh_keygen),
        cmocka_unit_test(test_default_rounds),
        cmocka_unit_test(test_a_blank_comment_and_crlf),
        cmocka_unit_test(test_the_public_half_of_an_encrypted_pem_file),
        cmocka_unit_test(test_the_passphrase_is_asked_for_three_times),
        cmocka_unit_test(test_files_that_are_no_private_key),
        cmocka_unit_test(test_modes),
        cmocka_unit_test(test_keys_that_ssh_does_not_know),
        cmocka_unit_test(test_damaged_files),
    };
    return cmocka_run_group_tests(tests, make_folder, remove_folder);
}

/* OpenSSH's own form (PROTOCOL.key of OpenSSH), written: the opposite of key_openssh.c. The numbers come out of
 * OpenSSL's key, in the order in which key_build.c reads them. */
#include "ssh/key_write.h"
#include "base/text.h"
#include "ssh/key_file_priv.h"
#include <errno.h>
#include <openssl/core_names.h>
#include <openssl/crypto.h>
#include <openssl/rand.h>
#include <string.h>

enum { LINE = 70, SALT = 16, ROUNDS = 24, ED25519 = 32, BLOCK_PLAIN = 8, BLOCK_ENCRYPTED = 16 };

static const char cipher_name[] = "aes256-ctr";

/* --- the numbers --- */

static int add_number(struct cfs_buffer *buffer, const EVP_PKEY *key, const char *name)
{
    BIGNUM *number CFS_CLEANUP(BN_clear_free) = NULL;
    uint8_t bytes[CFS_KEY_MAX_RSA_BITS / 8];
    if (EVP_PKEY_get_bn_param(key, name, &number) != 1 || BN_num_bytes(number) > (int)sizeof(bytes))
        return -EOPNOTSUPP;
    cfs_key_add_mpint(buffer, bytes, (size_t)BN_bn2bin(number, bytes));
    OPENSSL_cleanse(bytes, sizeof(bytes));
    return 0;
}

static int add_rsa(struct cfs_buffer *part, const EVP_PKEY *key)
{
    static const char *const names[] = {OSSL_PKEY_PARAM_RSA_N,       OSSL_PKEY_PARAM_RSA_E,
                                        OSSL_PKEY_PARAM_RSA_D,       OSSL_PKEY_PARAM_RSA_COEFFICIENT1,
                                        OSSL_PKEY_PARAM_RSA_FACTOR1, OSSL_PKEY_PARAM_RSA_FACTOR2};
    int result = 0;
    cfs_buffer_add_text(part, "ssh-rsa");
    for (size_t i = 0; i < CFS_COUNT(names) && result == 0; i++)
        result = add_number(part, key, names[i]);
    return result;
}

static int add_ed25519(struct cfs_buffer *part, const EVP_PKEY *key, const struct cfs_buffer *blob)
{
    uint8_t seed[ED25519];
    size_t length = sizeof(seed);
    if (EVP_PKEY_get_raw_private_key(key, seed, &length) != 1 || length != ED25519 || blob->length < ED25519)
        return -EOPNOTSUPP;
    const uint8_t *point = blob->bytes + blob->length - ED25519;
    cfs_buffer_add(part, blob->bytes, blob->length); /* type and public key, as they stand there */
    cfs_buffer_add_u32(part, 2 * ED25519);
    cfs_buffer_add(part, seed, ED25519);
    cfs_buffer_add(part, point, ED25519);
    OPENSSL_cleanse(seed, sizeof(seed));
    return 0;
}

static int add_numbers(struct cfs_buffer *part, const EVP_PKEY *key, const struct cfs_buffer *blob)
{
    if (EVP_PKEY_is_a(key, "RSA"))
        return add_rsa(part, key);
    if (EVP_PKEY_is_a(key, "ED25519"))
        return add_ed25519(part, key, blob);
    if (!EVP_PKEY_is_a(key, "EC"))
        return -EOPNOTSUPP;
    cfs_buffer_add(part, blob->bytes, blob->length); /* type, curve and point */
    return add_number(part, key, OSSL_PKEY_PARAM_PRIV_KEY);
}

/* --- the private part --- */

static int make_private_part(const struct cfs_key_file *key, const char *comment, size_t block, struct cfs_buffer *part)
{
    uint8_t check[4];
    if (RAND_bytes(check, sizeof(check)) != 1)
        return -EIO;
    cfs_buffer_add(part, check, sizeof(check));
    cfs_buffer_add(part, check, sizeof(check));
    int result = add_numbers(part, key->private_key, &key->public_blob);
    if (result < 0)
        return result;
    cfs_buffer_add_text(part, comment);
    for (uint8_t padding = 1; part->length % block != 0; padding++)
        cfs_buffer_add_u8(part, padding);
    return part->failed ? -ENOMEM : 0;
}

/* Counter mode encrypts as it decrypts. */
static int encrypt(struct cfs_buffer *part, const char *passphrase, const uint8_t *salt)
{
    struct cfs_buffer encrypted CFS_AUTO_BUFFER;
    cfs_buffer_init_secret(&encrypted);
    if (!cfs_buffer_reserve(&encrypted, part->length))
        return -ENOMEM;
    int result = cfs_key_decrypt(cipher_name, passphrase, salt, SALT, ROUNDS, part->bytes, part->length, NULL, 0,
                                 encrypted.bytes);
    if (result == 0)
        memcpy(part->bytes, encrypted.bytes, part->length);
    return result;
}

/* --- the envelope --- */

static int add_cipher(struct cfs_buffer *envelope, const uint8_t *salt)
{
    struct cfs_buffer options CFS_AUTO_BUFFER = {0};
    cfs_buffer_add_text(envelope, salt ? cipher_name : "none");
    cfs_buffer_add_text(envelope, salt ? "bcrypt" : "none");
    if (salt) {
        cfs_buffer_add_string(&options, salt, SALT);
        cfs_buffer_add_u32(&options, ROUNDS);
    }
    cfs_buffer_add_string(envelope, options.bytes, options.length);
    return options.failed ? -ENOMEM : 0;
}

static int add_armour(const struct cfs_buffer *envelope, struct cfs_buffer *text)
{
    static const char first[] = "-----BEGIN OPENSSH PRIVATE KEY-----\n", last[] = "-----END OPENSSH PRIVATE KEY-----\n";
    char *letters CFS_CLEANUP(cfs_secret_free) = cfs_base64_encode(envelope->bytes, envelope->length, true);
    if (!letters)
        return -ENOMEM;
    cfs_buffer_add(text, first, strlen(first));
    size_t left = strlen(letters);
    for (const char *line = letters; left > 0;) {
        size_t length = left < LINE ? left : LINE;
        cfs_buffer_add(text, line, length);
        cfs_buffer_add_u8(text, '\n');
        line += length;
        left -= length;
    }
    cfs_buffer_add(text, last, strlen(last));
    return text->failed ? -ENOMEM : 0;
}

int cfs_key_write_private(const struct cfs_key_file *key, const char *comment, const char *passphrase,
                          struct cfs_buffer *text)
{
    static const char magic[] = "openssh-key-v1"; /* its NUL belongs to it */
    struct cfs_buffer part CFS_AUTO_BUFFER, envelope CFS_AUTO_BUFFER;
    uint8_t salt[SALT];
    cfs_buffer_init_secret(&part);
    cfs_buffer_init_secret(&envelope);
    if (!key->private_key)
        return -ENOKEY;
    if (passphrase && !*passphrase)
        return -EINVAL;
    if (RAND_bytes(salt, sizeof(salt)) != 1)
        return -EIO;
    cfs_buffer_add(&envelope, magic, sizeof(magic));
    int result = add_cipher(&envelope, passphrase ? salt : NULL);
    cfs_buffer_add_u32(&envelope, 1); /* so many keys */
    cfs_buffer_add_string(&envelope, key->public_blob.bytes, key->public_blob.length);
    if (result == 0)
        result = make_private_part(key, comment, passphrase ? BLOCK_ENCRYPTED : BLOCK_PLAIN, &part);
    if (result == 0 && passphrase)
        result = encrypt(&part, passphrase, salt);
    if (result < 0)
        return result;
    cfs_buffer_add_string(&envelope, part.bytes, part.length);
    return envelope.failed ? -ENOMEM : add_armour(&envelope, text);
}

/* --- the public half --- */

char *cfs_key_write_public(const uint8_t *blob, size_t length, const char *comment)
{
    struct cfs_reader reader = cfs_reader_over(blob, length);
    size_t type_length;
    const uint8_t *type = cfs_read_string(&reader, &type_length);
    char *letters CFS_AUTO_FREE = cfs_base64_encode(blob, length, true);
    if (!type || !letters || type_length > 256)
        return NULL;
    bool has_comment = comment && *comment;
    return cfs_text_format("%.*s %s%s%s", (int)type_length, (const char *)type, letters, has_comment ? " " : "",
                           has_comment ? comment : "");
}

char *cfs_key_file_comment(const struct cfs_key_file *key)
{
    const char *bytes = key->comment.length > 0 ? (const char *)key->comment.bytes : "";
    char *comment = strndup(bytes, key->comment.length);
    if (comment)
        cfs_text_make_printable(comment, false);
    return comment;
}

bool cfs_key_file_is_public_file_of(const struct cfs_key_file *key, const char *path)
{
    struct cfs_buffer blob CFS_AUTO_BUFFER = {0};
    return cfs_key_read_public_file(path, &blob) == 0 && blob.length == key->public_blob.length &&
           memcmp(blob.bytes, key->public_blob.bytes, blob.length) == 0;
}

/* Decrypts the private part of OpenSSH's key files: bcrypt_pbkdf gives key and initialisation vector, a cipher of the
 * SSH protocol does the rest (PROTOCOL.key; PROTOCOL.chacha20poly1305 for the cipher that OpenSSL does not offer in
 * that shape). */
#include "ssh/bcrypt_pbkdf.h"
#include "ssh/key_file_priv.h"
#include <errno.h>
#include <openssl/core_names.h>
#include <openssl/crypto.h>
#include <openssl/params.h>
#include <string.h>

/* A thousand rounds take seconds; ssh-keygen makes 16 or 24. A number beyond is a damaged or hostile file. */
enum { MAX_ROUNDS = 10000, TAG = 16, CHACHA_KEYS = 64 };

struct cipher {
    const char *name;
    const EVP_CIPHER *(*evp)(void);
    size_t key, iv, block, tag;
};

static const struct cipher ciphers[] = {
    {"aes256-ctr", EVP_aes_256_ctr, 32, 16, 16, 0},
    {"aes192-ctr", EVP_aes_192_ctr, 24, 16, 16, 0},
    {"aes128-ctr", EVP_aes_128_ctr, 16, 16, 16, 0},
    {"aes256-cbc", EVP_aes_256_cbc, 32, 16, 16, 0},
    {"aes192-cbc", EVP_aes_192_cbc, 24, 16, 16, 0},
    {"aes128-cbc", EVP_aes_128_cbc, 16, 16, 16, 0},
    {"aes256-gcm@openssh.com", EVP_aes_256_gcm, 32, 12, 16, TAG},
    {"aes128-gcm@openssh.com", EVP_aes_128_gcm, 16, 12, 16, TAG},
    {"chacha20-poly1305@openssh.com", EVP_chacha20, CHACHA_KEYS, 0, 8, TAG},
    {"3des-cbc", EVP_des_ede3_cbc, 24, 8, 8, 0},
};

static const struct cipher *find_cipher(const char *name)
{
    for (size_t i = 0; i < CFS_COUNT(ciphers); i++)
        if (strcmp(ciphers[i].name, name) == 0)
            return &ciphers[i];
    return NULL;
}

int cfs_key_cipher_sizes(const char *name, size_t *ret_block, size_t *ret_tag)
{
    const struct cipher *cipher = find_cipher(name);
    if (!cipher)
        return -EOPNOTSUPP;
    *ret_block = cipher->block;
    *ret_tag = cipher->tag;
    return 0;
}

CFS_DEFINE_CLEANUP(EVP_CIPHER_CTX, EVP_CIPHER_CTX_free)
CFS_DEFINE_CLEANUP(EVP_MAC, EVP_MAC_free)
CFS_DEFINE_CLEANUP(EVP_MAC_CTX, EVP_MAC_CTX_free)

/* Decrypts without padding. A tag that does not fit is -EKEYREJECTED: the passphrase is wrong. */
static int run_evp(const struct cipher *cipher, const uint8_t *key, const uint8_t *iv, const uint8_t *encrypted,
                   size_t length, const uint8_t *tag, uint8_t *plain)
{
    EVP_CIPHER_CTX *context CFS_CLEANUP(EVP_CIPHER_CTX_free) = EVP_CIPHER_CTX_new();
    int count = 0, rest = 0;
    if (!context || EVP_DecryptInit_ex(context, cipher->evp(), NULL, key, iv) != 1 ||
        EVP_CIPHER_CTX_set_padding(context, 0) != 1)
        return -EOPNOTSUPP;
    uint8_t expected[TAG];
    if (cipher->tag > 0) {
        memcpy(expected, tag, TAG);
        if (EVP_CIPHER_CTX_ctrl(context, EVP_CTRL_AEAD_SET_TAG, TAG, expected) != 1)
            return -EOPNOTSUPP;
    }
    if (EVP_DecryptUpdate(context, plain, &count, encrypted, (int)length) != 1)
        return -EBADMSG;
    if (EVP_DecryptFinal_ex(context, plain + count, &rest) != 1)
        return cipher->tag > 0 ? -EKEYREJECTED : -EBADMSG;
    return (size_t)count + (size_t)rest == length ? 0 : -EBADMSG;
}

static int poly1305(const uint8_t key[32], const uint8_t *bytes, size_t length, uint8_t ret_tag[TAG])
{
    EVP_MAC *mac CFS_CLEANUP(EVP_MAC_free) = EVP_MAC_fetch(NULL, "POLY1305", NULL);
    EVP_MAC_CTX *context CFS_CLEANUP(EVP_MAC_CTX_free) = mac ? EVP_MAC_CTX_new(mac) : NULL;
    size_t tag_length = 0;
    if (!context || EVP_MAC_init(context, key, 32, NULL) != 1 || EVP_MAC_update(context, bytes, length) != 1 ||
        EVP_MAC_final(context, ret_tag, &tag_length, TAG) != 1 || tag_length != TAG)
        return -EOPNOTSUPP;
    return 0;
}

/* The second half of the key would encrypt a packet's length; a file has none. Block 0 of the key stream is the key of
 * the tag, the payload begins at block 1, and the nonce (a packet's number) is zero. */
static int run_chacha(const struct cipher *cipher, const uint8_t *key, const uint8_t *encrypted, size_t length,
                      const uint8_t *tag, uint8_t *plain)
{
    static const uint8_t zeros[32];
    struct cipher stream = *cipher;
    stream.tag = 0;
    uint8_t counter[16] = {0}, tag_key[32], expected[TAG]; /* OpenSSL: the counter is the first word, little-endian */
    int result = run_evp(&stream, key, counter, zeros, sizeof(zeros), NULL, tag_key);
    if (result == 0)
        result = poly1305(tag_key, encrypted, length, expected);
    if (result == 0 && CRYPTO_memcmp(expected, tag, TAG) != 0)
        result = -EKEYREJECTED;
    counter[0] = 1;
    if (result == 0)
        result = run_evp(&stream, key, counter, encrypted, length, NULL, plain);
    OPENSSL_cleanse(tag_key, sizeof(tag_key));
    return result;
}

int cfs_key_decrypt(const char *name, const char *passphrase, const uint8_t *salt, size_t salt_length, uint32_t rounds,
                    const uint8_t *encrypted, size_t length, const uint8_t *tag, size_t tag_length, uint8_t *plain)
{
    const struct cipher *cipher = find_cipher(name);
    if (!cipher)
        return -EOPNOTSUPP;
    if (length % cipher->block != 0 || tag_length != cipher->tag || rounds > MAX_ROUNDS)
        return -EBADMSG;
    if (!passphrase || !*passphrase)
        return -EKEYREJECTED;
    uint8_t key[CHACHA_KEYS + 16];
    int result =
        cfs_bcrypt_pbkdf(passphrase, strlen(passphrase), salt, salt_length, rounds, key, cipher->key + cipher->iv);
    if (result < 0)
        return result == -EINVAL ? -EBADMSG : result;
    if (cipher->key == CHACHA_KEYS)
        result = run_chacha(cipher, key, encrypted, length, tag, plain);
    else
        result = run_evp(cipher, key, key + cipher->key, encrypted, length, tag, plain);
    OPENSSL_cleanse(key, sizeof(key));
    return result;
}

/* bcrypt_pbkdf, as OpenBSD's libutil defines it: PBKDF2 with bcrypt in the place of the HMAC, and with the bytes of
 * its blocks spread over the whole key. Ours, because no library that distributions package offers it (libbsd and
 * OpenSSL do not; libssh2 keeps its copy to itself), and without it an encrypted key of today's ssh-keygen cannot be
 * read. tests/ssh/test_bcrypt_pbkdf checks it against known answers, test_key_file against ssh-keygen itself. */
#include "ssh/bcrypt_pbkdf.h"

#include "base/bytes.h"
#include "ssh/blowfish_priv.h"
#include <errno.h>
#include <openssl/evp.h>
#include <string.h>

enum { HASH = 64 /* SHA-512 */, BLOCK = 32 };

static int sha512(const void *bytes, size_t length, uint8_t hash[HASH])
{
    return EVP_Digest(bytes, length, hash, NULL, EVP_sha512(), NULL) == 1 ? 0 : -ENOMEM;
}

/* One bcrypt: a state made of passphrase and salt encrypts a constant text 64 times. */
static void bcrypt_hash(const uint8_t passphrase[HASH], const uint8_t salt[HASH], uint8_t ret_block[BLOCK])
{
    struct cfs_blowfish state = cfs_blowfish_start;
    cfs_blowfish_expand(&state, salt, HASH, passphrase, HASH);
    for (int i = 0; i < 64; i++) {
        cfs_blowfish_expand(&state, NULL, 0, salt, HASH);
        cfs_blowfish_expand(&state, NULL, 0, passphrase, HASH);
    }
    struct cfs_reader text = cfs_reader_over("OxychromaticBlowfishSwatDynamite", BLOCK);
    for (int i = 0; i < BLOCK; i += 8) {
        uint32_t halves[2];
        halves[0] = cfs_read_u32(&text);
        halves[1] = cfs_read_u32(&text);
        for (int j = 0; j < 64; j++)
            cfs_blowfish_encrypt(&state, halves);
        for (int j = 0; j < 8; j++) /* little-endian words: OpenBSD's own slip, now the format */
            ret_block[i + j] = (uint8_t)(halves[j / 4] >> 8 * (j % 4));
        explicit_bzero(halves, sizeof(halves));
    }
    explicit_bzero(&state, sizeof(state));
}

/* Block NUMBER (from 1): the exclusive-or of ROUNDS bcrypts, each with the one before as its salt. */
static int make_block(const uint8_t passphrase[HASH], const struct cfs_buffer *numbered_salt, uint32_t rounds,
                      uint8_t ret_block[BLOCK])
{
    uint8_t salt[HASH], block[BLOCK];
    int result = sha512(numbered_salt->bytes, numbered_salt->length, salt);
    for (uint32_t round = 0; result == 0 && round < rounds; round++) {
        if (round > 0)
            result = sha512(block, sizeof(block), salt);
        if (result < 0)
            break;
        bcrypt_hash(passphrase, salt, block);
        for (int i = 0; i < BLOCK; i++)
            ret_block[i] = (uint8_t)(round == 0 ? block[i] : ret_block[i] ^ block[i]);
    }
    explicit_bzero(salt, sizeof(salt));
    explicit_bzero(block, sizeof(block));
    return result;
}

int cfs_bcrypt_pbkdf(const void *passphrase, size_t passphrase_length, const uint8_t *salt, size_t salt_length,
                     uint32_t rounds, uint8_t *key, size_t key_length)
{
    if (passphrase_length == 0 || salt_length == 0 || salt_length > CFS_BCRYPT_MAX_SALT || rounds == 0 ||
        key_length == 0 || key_length > CFS_BCRYPT_MAX_KEY)
        return -EINVAL;
    struct cfs_buffer numbered_salt CFS_AUTO_BUFFER = {0};
    cfs_buffer_add(&numbered_salt, salt, salt_length);
    cfs_buffer_add_u32(&numbered_salt, 0);
    if (numbered_salt.failed)
        return -ENOMEM;
    uint8_t hashed_passphrase[HASH], block[BLOCK];
    int result = sha512(passphrase, passphrase_length, hashed_passphrase);
    /* Byte I of block NUMBER lands at I * blocks + NUMBER - 1, as far as the key reaches. */
    size_t blocks = (key_length + BLOCK - 1) / BLOCK;
    for (size_t number = 0; result == 0 && number < blocks; number++) {
        cfs_buffer_set_u32(&numbered_salt, salt_length, (uint32_t)number + 1);
        result = make_block(hashed_passphrase, &numbered_salt, rounds, block);
        for (size_t i = 0; i < BLOCK && i * blocks + number < key_length; i++)
            key[i * blocks + number] = block[i];
    }
    explicit_bzero(hashed_passphrase, sizeof(hashed_passphrase));
    explicit_bzero(block, sizeof(block));
    if (result < 0)
        explicit_bzero(key, key_length);
    return result;
}

/* Signatures for user authentication: RSA with SHA-2 (RFC 8332), ECDSA (RFC 5656), Ed25519 (RFC 8709). RSA with SHA-1
 * ("ssh-rsa") is not offered: servers since 2021 refuse it, and so does today's ssh. */
#include "ssh/key_file_priv.h"
#include <errno.h>
#include <openssl/core_names.h>
#include <openssl/ecdsa.h>
#include <openssl/err.h>
#include <string.h>

CFS_DEFINE_CLEANUP(EVP_MD_CTX, EVP_MD_CTX_free)
CFS_DEFINE_CLEANUP(ECDSA_SIG, ECDSA_SIG_free)

struct algorithm {
    const char *name;
    const char *key_type; /* OpenSSL's */
    const char *curve;    /* OpenSSL's, or NULL */
    const char *hash;     /* NULL: the algorithm has its own */
};

static const struct algorithm algorithms[] = {
    {"rsa-sha2-512", "RSA", NULL, "SHA512"},
    {"rsa-sha2-256", "RSA", NULL, "SHA256"},
    {"ecdsa-sha2-nistp256", "EC", "prime256v1", "SHA256"},
    {"ecdsa-sha2-nistp384", "EC", "secp384r1", "SHA384"},
    {"ecdsa-sha2-nistp521", "EC", "secp521r1", "SHA512"},
    {"ssh-ed25519", "ED25519", NULL, NULL},
};

static const struct algorithm *find_algorithm(const char *name, const EVP_PKEY *key)
{
    for (size_t i = 0; i < CFS_COUNT(algorithms); i++) {
        const struct algorithm *algorithm = &algorithms[i];
        if (strcmp(algorithm->name, name) != 0 || !EVP_PKEY_is_a(key, algorithm->key_type))
            continue;
        char curve[64] = "";
        size_t length;
        if (algorithm->curve &&
            (EVP_PKEY_get_group_name(key, curve, sizeof(curve), &length) != 1 || strcmp(curve, algorithm->curve) != 0))
            continue;
        return algorithm;
    }
    return NULL;
}

/* What OpenSSL makes of it, into SIGNATURE. */
static int sign(EVP_PKEY *key, const char *hash, const void *data, size_t length, struct cfs_buffer *signature)
{
    EVP_MD_CTX *context CFS_CLEANUP(EVP_MD_CTX_free) = EVP_MD_CTX_new();
    size_t signature_length = 0;
    if (!context)
        return -ENOMEM;
    if (EVP_DigestSignInit_ex(context, NULL, hash, NULL, NULL, key, NULL) != 1 ||
        EVP_DigestSign(context, NULL, &signature_length, data, length) != 1)
        return -EIO;
    uint8_t *room = cfs_buffer_reserve(signature, signature_length);
    if (!room)
        return -ENOMEM;
    if (EVP_DigestSign(context, room, &signature_length, data, length) != 1)
        return -EIO;
    signature->length += signature_length;
    return 0;
}

/* OpenSSL gives a DER sequence of two numbers, SSH wants two mpints. */
static int convert_ecdsa(struct cfs_buffer *signature)
{
    const uint8_t *der = signature->bytes;
    ECDSA_SIG *numbers CFS_CLEANUP(ECDSA_SIG_free) = d2i_ECDSA_SIG(NULL, &der, (long)signature->length);
    if (!numbers)
        return -EIO;
    uint8_t bytes[66];
    const BIGNUM *parts[2] = {ECDSA_SIG_get0_r(numbers), ECDSA_SIG_get0_s(numbers)};
    cfs_buffer_clear(signature);
    for (int i = 0; i < 2; i++) {
        if (BN_num_bytes(parts[i]) > (int)sizeof(bytes))
            return -EIO;
        cfs_key_add_mpint(signature, bytes, (size_t)BN_bn2bin(parts[i], bytes));
    }
    return signature->failed ? -ENOMEM : 0;
}

int cfs_key_file_sign(struct cfs_key_file *key, const char *name, const void *data, size_t length,
                      uint8_t **ret_signature, size_t *ret_length)
{
    if (!key->private_key)
        return -ENOKEY;
    const struct algorithm *algorithm = find_algorithm(name, key->private_key);
    if (!algorithm)
        return -EOPNOTSUPP;
    struct cfs_buffer signature CFS_AUTO_BUFFER = {0}, blob CFS_AUTO_BUFFER = {0};
    int result = sign(key->private_key, algorithm->hash, data, length, &signature);
    if (result == 0 && algorithm->curve)
        result = convert_ecdsa(&signature);
    ERR_clear_error();
    if (result < 0)
        return result;
    cfs_buffer_add_text(&blob, name);
    cfs_buffer_add_string(&blob, signature.bytes, signature.length);
    if (blob.failed)
        return -ENOMEM;
    *ret_length = blob.length;
    *ret_signature = CFS_TAKE(blob.bytes);
    return 0;
}

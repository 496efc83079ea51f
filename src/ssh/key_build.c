/* Makes OpenSSL keys out of the numbers in OpenSSH's key files: RSA, ECDSA over the NIST curves, Ed25519. The numbers
 * come from a file that may be damaged: their sizes are bounded here, and OpenSSL checks that a point is on its curve.
 */
#include "ssh/key_file_priv.h"
#include <errno.h>
#include <openssl/core_names.h>
#include <openssl/param_build.h>
#include <openssl/params.h>
#include <string.h>

CFS_DEFINE_CLEANUP(OSSL_PARAM_BLD, OSSL_PARAM_BLD_free)
CFS_DEFINE_CLEANUP(OSSL_PARAM, OSSL_PARAM_free)
CFS_DEFINE_CLEANUP(EVP_PKEY_CTX, EVP_PKEY_CTX_free)
CFS_DEFINE_CLEANUP(BN_CTX, BN_CTX_free)

enum { ED25519 = 32 };

static int build(const char *type, OSSL_PARAM_BLD *builder, EVP_PKEY **ret_key)
{
    OSSL_PARAM *parameters CFS_CLEANUP(OSSL_PARAM_free) = OSSL_PARAM_BLD_to_param(builder);
    EVP_PKEY_CTX *context CFS_CLEANUP(EVP_PKEY_CTX_free) = EVP_PKEY_CTX_new_from_name(NULL, type, NULL);
    if (!parameters || !context || EVP_PKEY_fromdata_init(context) != 1)
        return -ENOMEM;
    return EVP_PKEY_fromdata(context, ret_key, EVP_PKEY_KEYPAIR, parameters) == 1 ? 0 : -EBADMSG;
}

/* A positive number; NULL marks the reader as failed. */
static BIGNUM *read_number(struct cfs_reader *reader)
{
    size_t length;
    const uint8_t *bytes = cfs_read_string(reader, &length);
    BIGNUM *number = NULL;
    if (bytes && length > 0 && length <= CFS_KEY_MAX_RSA_BITS / 8 + 1 && !(bytes[0] & 0x80))
        number = BN_secure_new();
    if (number && !BN_bin2bn(bytes, (int)length, number)) {
        BN_clear_free(number);
        number = NULL;
    }
    if (number)
        BN_set_flags(number, BN_FLG_CONSTTIME);
    else
        reader->failed = true;
    return number;
}

/* D modulo PRIME - 1: the file does not hold it, OpenSSL wants it. */
static BIGNUM *reduced_exponent(const BIGNUM *d, const BIGNUM *prime)
{
    BN_CTX *context CFS_CLEANUP(BN_CTX_free) = BN_CTX_secure_new();
    BIGNUM *reduced CFS_CLEANUP(BN_clear_free) = BN_secure_new(), *below CFS_CLEANUP(BN_clear_free) = BN_dup(prime);
    if (!context || !reduced || !below || !BN_sub_word(below, 1) || BN_is_zero(below))
        return NULL;
    BN_set_flags(below, BN_FLG_CONSTTIME);
    return BN_mod(reduced, d, below, context) ? CFS_TAKE(reduced) : NULL;
}

static bool is_product(const BIGNUM *n, const BIGNUM *p, const BIGNUM *q)
{
    BN_CTX *context CFS_CLEANUP(BN_CTX_free) = BN_CTX_secure_new();
    BIGNUM *product CFS_CLEANUP(BN_clear_free) = BN_secure_new();
    return context && product && BN_mul(product, p, q, context) && BN_cmp(product, n) == 0;
}

static int build_rsa(struct cfs_reader *reader, EVP_PKEY **ret_key)
{
    BIGNUM *n CFS_CLEANUP(BN_clear_free) = read_number(reader), *e CFS_CLEANUP(BN_clear_free) = read_number(reader);
    BIGNUM *d CFS_CLEANUP(BN_clear_free) = read_number(reader),
              *inverse CFS_CLEANUP(BN_clear_free) = read_number(reader);
    BIGNUM *p CFS_CLEANUP(BN_clear_free) = read_number(reader), *q CFS_CLEANUP(BN_clear_free) = read_number(reader);
    if (reader->failed || BN_num_bits(n) > CFS_KEY_MAX_RSA_BITS || !is_product(n, p, q))
        return -EBADMSG;
    BIGNUM *d_p CFS_CLEANUP(BN_clear_free) = reduced_exponent(d, p),
                *d_q CFS_CLEANUP(BN_clear_free) = reduced_exponent(d, q);
    if (!d_p || !d_q)
        return -EBADMSG;
    OSSL_PARAM_BLD *builder CFS_CLEANUP(OSSL_PARAM_BLD_free) = OSSL_PARAM_BLD_new();
    if (!builder || !OSSL_PARAM_BLD_push_BN(builder, OSSL_PKEY_PARAM_RSA_N, n) ||
        !OSSL_PARAM_BLD_push_BN(builder, OSSL_PKEY_PARAM_RSA_E, e) ||
        !OSSL_PARAM_BLD_push_BN(builder, OSSL_PKEY_PARAM_RSA_D, d) ||
        !OSSL_PARAM_BLD_push_BN(builder, OSSL_PKEY_PARAM_RSA_FACTOR1, p) ||
        !OSSL_PARAM_BLD_push_BN(builder, OSSL_PKEY_PARAM_RSA_FACTOR2, q) ||
        !OSSL_PARAM_BLD_push_BN(builder, OSSL_PKEY_PARAM_RSA_EXPONENT1, d_p) ||
        !OSSL_PARAM_BLD_push_BN(builder, OSSL_PKEY_PARAM_RSA_EXPONENT2, d_q) ||
        !OSSL_PARAM_BLD_push_BN(builder, OSSL_PKEY_PARAM_RSA_COEFFICIENT1, inverse))
        return -ENOMEM;
    return build("RSA", builder, ret_key);
}

static int build_ecdsa(struct cfs_reader *reader, EVP_PKEY **ret_key)
{
    size_t name_length, point_length;
    const uint8_t *name = cfs_read_string(reader, &name_length);
    const uint8_t *point = cfs_read_string(reader, &point_length);
    BIGNUM *secret CFS_CLEANUP(BN_clear_free) = read_number(reader);
    if (reader->failed || point_length == 0)
        return -EBADMSG;
    const char *curve = cfs_key_curve_to_openssl(name, name_length);
    if (!curve)
        return -EOPNOTSUPP;
    OSSL_PARAM_BLD *builder CFS_CLEANUP(OSSL_PARAM_BLD_free) = OSSL_PARAM_BLD_new();
    if (!builder || !OSSL_PARAM_BLD_push_utf8_string(builder, OSSL_PKEY_PARAM_GROUP_NAME, curve, 0) ||
        !OSSL_PARAM_BLD_push_octet_string(builder, OSSL_PKEY_PARAM_PUB_KEY, point, point_length) ||
        !OSSL_PARAM_BLD_push_BN(builder, OSSL_PKEY_PARAM_PRIV_KEY, secret))
        return -ENOMEM;
    return build("EC", builder, ret_key);
}

/* The public key, then seed and public key as one string. */
static int build_ed25519(struct cfs_reader *reader, EVP_PKEY **ret_key)
{
    size_t public_length, secret_length;
    const uint8_t *public_key = cfs_read_string(reader, &public_length);
    const uint8_t *secret = cfs_read_string(reader, &secret_length);
    if (reader->failed || public_length != ED25519 || secret_length != 2 * ED25519 ||
        memcmp(public_key, secret + ED25519, ED25519) != 0)
        return -EBADMSG;
    *ret_key = EVP_PKEY_new_raw_private_key(EVP_PKEY_ED25519, NULL, secret, ED25519);
    return *ret_key ? 0 : -ENOMEM;
}

int cfs_key_openssh_build(struct cfs_reader *reader, EVP_PKEY **ret_key)
{
    static const struct {
        const char *type;
        int (*build)(struct cfs_reader *reader, EVP_PKEY **ret_key);
    } builders[] = {
        {"ssh-ed25519", build_ed25519},       {"ssh-rsa", build_rsa},
        {"ecdsa-sha2-nistp256", build_ecdsa}, {"ecdsa-sha2-nistp384", build_ecdsa},
        {"ecdsa-sha2-nistp521", build_ecdsa},
    };
    size_t length;
    const uint8_t *type = cfs_read_string(reader, &length);
    if (!type)
        return -EBADMSG;
    for (size_t i = 0; i < CFS_COUNT(builders); i++)
        if (strlen(builders[i].type) == length && memcmp(builders[i].type, type, length) == 0)
            return builders[i].build(reader, ret_key);
    return -EOPNOTSUPP;
}

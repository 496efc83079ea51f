/* Public keys in the form that SSH gives them (RFC 4253 section 6.6, RFC 5656 section 3.1, RFC 8709 section 4), and
 * .pub files. */
#include "base/text.h"
#include "ssh/key_file_priv.h"
#include <errno.h>
#include <openssl/core_names.h>
#include <string.h>

enum { ED25519 = 32, MAX_POINT = 1 + 2 * 66 };

static const struct {
    const char *ssh, *openssl;
} curves[] = {{"nistp256", "prime256v1"}, {"nistp384", "secp384r1"}, {"nistp521", "secp521r1"}};

const char *cfs_key_curve_to_openssl(const uint8_t *name, size_t length)
{
    for (size_t i = 0; i < CFS_COUNT(curves); i++)
        if (strlen(curves[i].ssh) == length && memcmp(curves[i].ssh, name, length) == 0)
            return curves[i].openssl;
    return NULL;
}

const char *cfs_key_curve_from_openssl(const char *name)
{
    for (size_t i = 0; i < CFS_COUNT(curves); i++)
        if (strcmp(curves[i].openssl, name) == 0)
            return curves[i].ssh;
    return NULL;
}

void cfs_key_add_mpint(struct cfs_buffer *buffer, const uint8_t *bytes, size_t length)
{
    while (length > 0 && *bytes == 0)
        bytes++, length--;
    bool needs_zero = length > 0 && (*bytes & 0x80);
    cfs_buffer_add_u32(buffer, (uint32_t)length + (needs_zero ? 1 : 0));
    if (needs_zero)
        cfs_buffer_add_u8(buffer, 0);
    cfs_buffer_add(buffer, bytes, length);
}

static int add_number(struct cfs_buffer *blob, const EVP_PKEY *key, const char *name)
{
    BIGNUM *number CFS_CLEANUP(BN_clear_free) = NULL;
    uint8_t bytes[CFS_KEY_MAX_RSA_BITS / 8];
    if (EVP_PKEY_get_bn_param(key, name, &number) != 1 || BN_num_bytes(number) > (int)sizeof(bytes))
        return -EOPNOTSUPP;
    cfs_key_add_mpint(blob, bytes, (size_t)BN_bn2bin(number, bytes));
    return 0;
}

static int add_rsa(struct cfs_buffer *blob, EVP_PKEY *key)
{
    cfs_buffer_add_text(blob, "ssh-rsa");
    int result = add_number(blob, key, OSSL_PKEY_PARAM_RSA_E);
    return result < 0 ? result : add_number(blob, key, OSSL_PKEY_PARAM_RSA_N);
}

static int add_ecdsa(struct cfs_buffer *blob, EVP_PKEY *key)
{
    char name[64], type[64];
    size_t name_length = 0, point_length = 0;
    uint8_t point[MAX_POINT];
    if (EVP_PKEY_get_group_name(key, name, sizeof(name), &name_length) != 1)
        return -EOPNOTSUPP;
    const char *curve = cfs_key_curve_from_openssl(name);
    if (!curve)
        return -EOPNOTSUPP;
    if (EVP_PKEY_set_utf8_string_param(key, OSSL_PKEY_PARAM_EC_POINT_CONVERSION_FORMAT, "uncompressed") != 1 ||
        EVP_PKEY_get_octet_string_param(key, OSSL_PKEY_PARAM_PUB_KEY, point, sizeof(point), &point_length) != 1)
        return -EOPNOTSUPP;
    snprintf(type, sizeof(type), "ecdsa-sha2-%s", curve);
    cfs_buffer_add_text(blob, type);
    cfs_buffer_add_text(blob, curve);
    cfs_buffer_add_string(blob, point, point_length);
    return 0;
}

static int add_ed25519(struct cfs_buffer *blob, EVP_PKEY *key)
{
    uint8_t bytes[ED25519];
    size_t length = sizeof(bytes);
    if (EVP_PKEY_get_raw_public_key(key, bytes, &length) != 1)
        return -EOPNOTSUPP;
    cfs_buffer_add_text(blob, "ssh-ed25519");
    cfs_buffer_add_string(blob, bytes, length);
    return 0;
}

int cfs_key_public_blob(EVP_PKEY *key, struct cfs_buffer *blob)
{
    int result = -EOPNOTSUPP;
    if (EVP_PKEY_is_a(key, "RSA"))
        result = add_rsa(blob, key);
    else if (EVP_PKEY_is_a(key, "EC"))
        result = add_ecdsa(blob, key);
    else if (EVP_PKEY_is_a(key, "ED25519"))
        result = add_ed25519(blob, key);
    return result == 0 && blob->failed ? -ENOMEM : result;
}

int cfs_key_read_public_line(const char *text, size_t length, struct cfs_buffer *blob)
{
    static const char blanks[] = " \t\r\n";
    char *line CFS_AUTO_FREE = strndup(text, length);
    if (!line)
        return -ENOMEM;
    char *rest = NULL, *type = strtok_r(line, blanks, &rest), *key = strtok_r(NULL, blanks, &rest);
    if (!type || !key)
        return -EBADMSG;
    uint8_t *bytes CFS_AUTO_FREE = NULL;
    size_t bytes_length = 0, name_length = 0;
    int result = cfs_base64_decode(key, strlen(key), &bytes, &bytes_length);
    if (result < 0)
        return result == -EINVAL ? -EBADMSG : result;
    struct cfs_reader reader = cfs_reader_over(bytes, bytes_length);
    const uint8_t *name = cfs_read_string(&reader, &name_length);
    if (!name || name_length != strlen(type) || memcmp(name, type, name_length) != 0)
        return -EBADMSG;
    cfs_buffer_add(blob, bytes, bytes_length);
    return blob->failed ? -ENOMEM : 0;
}

const char *cfs_key_find(const char *text, size_t length, const char *wanted)
{
    return memmem(text, length, wanted, strlen(wanted));
}

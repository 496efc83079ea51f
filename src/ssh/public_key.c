/* The shapes of public keys, in a table: RFC 4253 section 6.6 (RSA), RFC 5656 section 3.1 (ECDSA), RFC 8709 section 4
 * (Ed25519), PROTOCOL.u2f of OpenSSH (security keys). That a point is on its curve is the server's to see. */
#include "ssh/public_key.h"
#include "base/bytes.h"
#include "base/text.h"
#include <errno.h>
#include <stdbool.h>
#include <string.h>

enum { ED25519 = 32, MOST_RSA_BYTES = 16384 / 8, MOST_APPLICATION = 1024 };

struct shape {
    const char *type, *kind;
    const char *curve; /* ECDSA's; NULL */
    unsigned bits;     /* 0: of the number */
    bool has_application;
};

static const struct shape shapes[] = {
    {"ssh-rsa", "RSA", NULL, 0, false},
    {"ssh-ed25519", "ED25519", NULL, 256, false},
    {"ecdsa-sha2-nistp256", "ECDSA", "nistp256", 256, false},
    {"ecdsa-sha2-nistp384", "ECDSA", "nistp384", 384, false},
    {"ecdsa-sha2-nistp521", "ECDSA", "nistp521", 521, false},
    {"sk-ssh-ed25519@openssh.com", "ED25519-SK", NULL, 256, true},
    {"sk-ecdsa-sha2-nistp256@openssh.com", "ECDSA-SK", "nistp256", 256, true},
};

static bool is(const uint8_t *bytes, size_t length, const char *text)
{
    return bytes && length == strlen(text) && memcmp(bytes, text, length) == 0;
}

/* The bits of a positive number (mpint); 0 if it is none. */
static unsigned read_number(struct cfs_reader *reader)
{
    size_t length;
    const uint8_t *bytes = cfs_read_string(reader, &length);
    if (!bytes || length == 0 || bytes[0] & 0x80 || (bytes[0] == 0 && (length == 1 || !(bytes[1] & 0x80))))
        return 0;
    if (bytes[0] == 0)
        bytes++, length--;
    if (length > MOST_RSA_BYTES)
        return 0;
    unsigned bits = 8;
    while (!(bytes[0] >> (bits - 1)))
        bits--;
    return (unsigned)(length - 1) * 8 + bits;
}

static bool read_rsa(struct cfs_reader *reader, unsigned *ret_bits)
{
    unsigned exponent = read_number(reader);
    *ret_bits = read_number(reader);
    return exponent > 1 && *ret_bits >= 768;
}

static bool read_point(struct cfs_reader *reader, const struct shape *shape)
{
    size_t name_length, length, number = (shape->bits + 7) / 8;
    const uint8_t *name = cfs_read_string(reader, &name_length);
    const uint8_t *point = cfs_read_string(reader, &length);
    return is(name, name_length, shape->curve) && point && length == 1 + 2 * number && point[0] == 4;
}

static bool read_body(struct cfs_reader *reader, const struct shape *shape, unsigned *ret_bits)
{
    size_t length;
    *ret_bits = shape->bits;
    if (shape->bits == 0) {
        if (!read_rsa(reader, ret_bits))
            return false;
    } else if (shape->curve) {
        if (!read_point(reader, shape))
            return false;
    } else {
        cfs_read_string(reader, &length);
        if (length != ED25519)
            return false;
    }
    if (shape->has_application) {
        cfs_read_string(reader, &length);
        if (length == 0 || length > MOST_APPLICATION)
            return false;
    }
    return !reader->failed && reader->left == 0;
}

int cfs_public_key_check(const uint8_t *blob, size_t length, struct cfs_public_key_facts *ret_facts)
{
    struct cfs_reader reader = cfs_reader_over(blob, length);
    size_t type_length;
    unsigned bits;
    const uint8_t *type = cfs_read_string(&reader, &type_length);
    if (!type)
        return -EBADMSG;
    for (size_t i = 0; i < CFS_COUNT(shapes); i++) {
        if (!is(type, type_length, shapes[i].type))
            continue;
        if (!read_body(&reader, &shapes[i], &bits))
            return -EBADMSG;
        *ret_facts = (struct cfs_public_key_facts){.kind = shapes[i].kind, .bits = bits};
        return 0;
    }
    return -EOPNOTSUPP;
}

void cfs_public_key_type(const uint8_t *blob, size_t length, char *ret_type, size_t size)
{
    struct cfs_reader reader = cfs_reader_over(blob, length);
    size_t type_length;
    const uint8_t *type = cfs_read_string(&reader, &type_length);
    snprintf(ret_type, size, "%.*s", type && type_length < size ? (int)type_length : 1,
             type && type_length < size ? (const char *)type : "?");
    cfs_text_make_printable(ret_type, false);
}

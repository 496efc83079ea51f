/* The envelope of OpenSSH's own key files (PROTOCOL.key): in base64 between two lines,
 *     "openssh-key-v1" NUL, string cipher, string kdf, string kdf options, uint32 number of keys (1),
 *     string public key, string private part, authentication tag of the cipher, if it has one
 * and, in the private part once decrypted, the same random uint32 twice (they differ after a wrong passphrase), the
 * key, a comment, and padding 1, 2, 3... libssh2 could read such files, but not tell a wrong passphrase from a
 * damaged file, nor sign with what it has read. */
#include "base/text.h"
#include "ssh/key_file_priv.h"
#include <errno.h>
#include <string.h>

static const char first_line[] = "-----BEGIN OPENSSH PRIVATE KEY-----";
static const char last_line[] = "-----END OPENSSH PRIVATE KEY-----";
static const char magic[] = "openssh-key-v1"; /* its NUL belongs to it */

struct envelope {
    struct cfs_buffer bytes; /* what the rest points into */
    char cipher[64], kdf[64];
    const uint8_t *salt, *public_blob, *private_part, *tag;
    size_t salt_length, public_length, private_length, tag_length;
    uint32_t rounds;
};

/* Takes the base64 text out from between the lines. */
static int decode_armour(const char *text, size_t length, struct cfs_buffer *bytes)
{
    const char *begin = cfs_key_find(text, length, first_line);
    if (!begin)
        return -EBADMSG;
    begin += strlen(first_line);
    const char *end = cfs_key_find(begin, length - (size_t)(begin - text), last_line);
    if (!end)
        return -EBADMSG;
    struct cfs_buffer letters CFS_AUTO_BUFFER;
    cfs_buffer_init_secret(&letters);
    if (!cfs_buffer_reserve(&letters, (size_t)(end - begin) + 1))
        return -ENOMEM;
    for (; begin < end; begin++)
        if (!strchr(" \t\r\n", *begin) || *begin == '\0')
            cfs_buffer_add_u8(&letters, (uint8_t)*begin);
    uint8_t *decoded = NULL;
    size_t decoded_length = 0;
    int result = cfs_base64_decode((const char *)letters.bytes, letters.length, &decoded, &decoded_length);
    if (result < 0)
        return result == -EINVAL ? -EBADMSG : result;
    cfs_buffer_add(bytes, decoded, decoded_length);
    explicit_bzero(decoded, decoded_length);
    free(decoded);
    return bytes->failed ? -ENOMEM : 0;
}

/* A name into a text of fixed size. */
static bool read_name(struct cfs_reader *reader, char *ret_name, size_t size)
{
    size_t length;
    const uint8_t *name = cfs_read_string(reader, &length);
    if (!name || length >= size || memchr(name, '\0', length))
        return false;
    memcpy(ret_name, name, length);
    ret_name[length] = '\0';
    return true;
}

static int read_kdf_options(struct cfs_reader *reader, struct envelope *envelope)
{
    size_t length;
    const uint8_t *options = cfs_read_string(reader, &length);
    if (!options)
        return -EBADMSG;
    if (strcmp(envelope->kdf, "none") == 0)
        return strcmp(envelope->cipher, "none") == 0 ? 0 : -EBADMSG;
    if (strcmp(envelope->kdf, "bcrypt") != 0)
        return -EOPNOTSUPP;
    struct cfs_reader inner = cfs_reader_over(options, length);
    envelope->salt = cfs_read_string(&inner, &envelope->salt_length);
    envelope->rounds = cfs_read_u32(&inner);
    return inner.failed ? -EBADMSG : 0;
}

static int open_envelope(const char *text, size_t length, struct envelope *envelope)
{
    int result = decode_armour(text, length, &envelope->bytes);
    if (result < 0)
        return result;
    struct cfs_reader reader = cfs_reader_over(envelope->bytes.bytes, envelope->bytes.length);
    const uint8_t *head = cfs_read_bytes(&reader, sizeof(magic));
    if (!head || memcmp(head, magic, sizeof(magic)) != 0 ||
        !read_name(&reader, envelope->cipher, sizeof(envelope->cipher)) ||
        !read_name(&reader, envelope->kdf, sizeof(envelope->kdf)))
        return -EBADMSG;
    result = read_kdf_options(&reader, envelope);
    if (result < 0)
        return result;
    if (cfs_read_u32(&reader) != 1)
        return -EBADMSG;
    envelope->public_blob = cfs_read_string(&reader, &envelope->public_length);
    envelope->private_part = cfs_read_string(&reader, &envelope->private_length);
    envelope->tag = reader.next;
    envelope->tag_length = reader.left;
    return reader.failed || envelope->public_length == 0 ? -EBADMSG : 0;
}

int cfs_key_openssh_read_public(const char *text, size_t length, struct cfs_buffer *public_blob, bool *ret_encrypted)
{
    struct envelope envelope = {.bytes.secret = true};
    int result = open_envelope(text, length, &envelope);
    if (result == 0) {
        cfs_buffer_add(public_blob, envelope.public_blob, envelope.public_length);
        result = public_blob->failed ? -ENOMEM : 0;
        *ret_encrypted = strcmp(envelope.cipher, "none") != 0;
    }
    cfs_buffer_fini(&envelope.bytes);
    return result;
}

/* Decrypts the private part to PLAIN, which has room for it. */
static int decrypt(const struct envelope *envelope, const char *passphrase, uint8_t *plain)
{
    if (strcmp(envelope->cipher, "none") == 0) {
        memcpy(plain, envelope->private_part, envelope->private_length);
        return envelope->tag_length == 0 ? 0 : -EBADMSG;
    }
    return cfs_key_decrypt(envelope->cipher, passphrase, envelope->salt, envelope->salt_length, envelope->rounds,
                           envelope->private_part, envelope->private_length, envelope->tag, envelope->tag_length,
                           plain);
}

/* What follows the key: a comment, which is appended, and padding. */
static bool has_good_end(struct cfs_reader *reader, struct cfs_buffer *comment)
{
    size_t length;
    const uint8_t *text = cfs_read_string(reader, &length);
    if (text)
        cfs_buffer_add(comment, text, length);
    for (unsigned expected = 1; reader->left > 0; expected++)
        if (cfs_read_u8(reader) != (expected & 0xff))
            return false;
    return !reader->failed;
}

static int read_private_part(const struct envelope *envelope, const char *passphrase, EVP_PKEY **ret_key,
                             struct cfs_buffer *comment)
{
    struct cfs_buffer plain CFS_AUTO_BUFFER;
    cfs_buffer_init_secret(&plain);
    if (!cfs_buffer_reserve(&plain, envelope->private_length + 1))
        return -ENOMEM;
    int result = decrypt(envelope, passphrase, plain.bytes);
    if (result < 0)
        return result;
    struct cfs_reader reader = cfs_reader_over(plain.bytes, envelope->private_length);
    uint32_t check = cfs_read_u32(&reader);
    if (check != cfs_read_u32(&reader))
        return strcmp(envelope->cipher, "none") == 0 ? -EBADMSG : -EKEYREJECTED;
    EVP_PKEY *key CFS_CLEANUP(EVP_PKEY_free) = NULL;
    result = cfs_key_openssh_build(&reader, &key);
    if (result < 0)
        return result;
    struct cfs_buffer blob CFS_AUTO_BUFFER = {0};
    result = cfs_key_public_blob(key, &blob);
    if (result < 0)
        return result;
    if (!has_good_end(&reader, comment) || blob.length != envelope->public_length ||
        memcmp(blob.bytes, envelope->public_blob, blob.length) != 0)
        return -EBADMSG; /* the private key is not that of the public one */
    *ret_key = CFS_TAKE(key);
    return 0;
}

int cfs_key_openssh_read_private(const char *text, size_t length, const char *passphrase, EVP_PKEY **ret_key,
                                 struct cfs_buffer *comment)
{
    struct envelope envelope = {.bytes.secret = true};
    int result = open_envelope(text, length, &envelope);
    if (result == 0)
        result = read_private_part(&envelope, passphrase, ret_key, comment);
    cfs_buffer_fini(&envelope.bytes);
    return result;
}

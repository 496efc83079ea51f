/* The text of PuTTY's key files: lines "Name: value" in one order only, two of them followed by as many lines of base64
 * as they say. The lines may end as Windows ends them. What stands in a field is checked where it is read; whether it
 * belongs together the MAC tells (key_ppk_unlock.c). */
#include "base/text.h"
#include "ssh/key_ppk_priv.h"
#include <errno.h>
#include <string.h>

static const char magic[] = "PuTTY-User-Key-File-";

bool cfs_key_is_ppk(const char *text, size_t length)
{
    return length >= strlen(magic) && memcmp(text, magic, strlen(magic)) == 0;
}

/* --- lines --- */

struct lines {
    const char *next;
    size_t left;
};

static struct cfs_ppk_text next_line(struct lines *lines)
{
    size_t length = 0;
    while (length < lines->left && lines->next[length] != '\n' && lines->next[length] != '\r')
        length++;
    struct cfs_ppk_text line = {lines->next, length};
    size_t end = length < lines->left && lines->next[length] == '\r' ? length + 1 : length;
    if (end < lines->left && lines->next[end] == '\n')
        end++;
    lines->next += end;
    lines->left -= end;
    return line;
}

/* The value of the next line, whose name must be NAME. */
static int read_field(struct lines *lines, const char *name, struct cfs_ppk_text *ret_value)
{
    struct cfs_ppk_text line = next_line(lines);
    size_t prefix = strlen(name) + 2;
    if (line.length < prefix || memcmp(line.text, name, prefix - 2) != 0 ||
        memcmp(line.text + prefix - 2, ": ", 2) != 0)
        return -EBADMSG;
    *ret_value = (struct cfs_ppk_text){line.text + prefix, line.length - prefix};
    return 0;
}

static bool is(struct cfs_ppk_text text, const char *wanted)
{
    return text.length == strlen(wanted) && memcmp(text.text, wanted, text.length) == 0;
}

static int read_number(struct lines *lines, const char *name, uint32_t most, uint32_t *ret_number)
{
    struct cfs_ppk_text value;
    char digits[16];
    uint64_t number;
    if (read_field(lines, name, &value) < 0 || value.length >= sizeof(digits))
        return -EBADMSG;
    memcpy(digits, value.text, value.length);
    digits[value.length] = '\0';
    if (strlen(digits) != value.length || cfs_text_parse_number(digits, 1, most, &number) < 0)
        return -EBADMSG;
    *ret_number = (uint32_t)number;
    return 0;
}

/* So many lines of base64 as the field NAME says. */
static int read_blob(struct lines *lines, const char *name, struct cfs_buffer *blob)
{
    struct cfs_buffer letters CFS_AUTO_BUFFER;
    uint32_t count;
    cfs_buffer_init_secret(&letters);
    if (read_number(lines, name, CFS_KEY_FILE_MAX, &count) < 0 || count > lines->left)
        return -EBADMSG;
    for (uint32_t i = 0; i < count; i++) {
        struct cfs_ppk_text line = next_line(lines);
        cfs_buffer_add(&letters, line.text, line.length);
    }
    uint8_t *decoded = NULL;
    size_t length = 0;
    if (letters.failed)
        return -ENOMEM;
    if (letters.length == 0)
        return -EBADMSG;
    int result = cfs_base64_decode((const char *)letters.bytes, letters.length, &decoded, &length);
    if (result < 0)
        return result == -EINVAL ? -EBADMSG : result;
    cfs_buffer_add(blob, decoded, length);
    explicit_bzero(decoded, length);
    free(decoded);
    return blob->failed ? -ENOMEM : 0;
}

static int hex_digit(char letter)
{
    if (letter >= '0' && letter <= '9')
        return letter - '0';
    if (letter >= 'a' && letter <= 'f')
        return letter - 'a' + 10;
    return letter >= 'A' && letter <= 'F' ? letter - 'A' + 10 : -1;
}

static int read_hex(struct lines *lines, const char *name, uint8_t *bytes, size_t most, size_t *ret_length)
{
    struct cfs_ppk_text value;
    if (read_field(lines, name, &value) < 0 || value.length % 2 != 0 || value.length / 2 > most)
        return -EBADMSG;
    for (size_t i = 0; i < value.length / 2; i++) {
        int high = hex_digit(value.text[2 * i]), low = hex_digit(value.text[2 * i + 1]);
        if (high < 0 || low < 0)
            return -EBADMSG;
        bytes[i] = (uint8_t)(high << 4 | low);
    }
    *ret_length = value.length / 2;
    return 0;
}

/* --- the file --- */

/* The first line says the version, too. */
static int read_head(struct lines *lines, struct cfs_ppk *ppk)
{
    const struct lines first = *lines;
    ppk->version = 3;
    if (read_field(lines, "PuTTY-User-Key-File-3", &ppk->algorithm) == 0)
        return 0;
    *lines = first;
    ppk->version = 2;
    if (read_field(lines, "PuTTY-User-Key-File-2", &ppk->algorithm) == 0)
        return 0;
    return -EOPNOTSUPP; /* version 1 has no MAC that is one; a newer one nobody knows */
}

/* Bounds on what a hostile file may make us do: a gigabyte, and some tens of seconds. */
static int read_derivation(struct lines *lines, struct cfs_ppk *ppk)
{
    enum { MEMORY_MOST_KIB = 1 << 20, PASSES_MOST = 1 << 20, PARALLEL_MOST = 64 };
    const uint64_t work_most_kib = (uint64_t)1 << 26;
    if (read_field(lines, "Key-Derivation", &ppk->derivation) < 0 ||
        read_number(lines, "Argon2-Memory", MEMORY_MOST_KIB, &ppk->memory_kib) < 0 ||
        read_number(lines, "Argon2-Passes", PASSES_MOST, &ppk->passes) < 0 ||
        read_number(lines, "Argon2-Parallelism", PARALLEL_MOST, &ppk->parallelism) < 0 ||
        read_hex(lines, "Argon2-Salt", ppk->salt, sizeof(ppk->salt), &ppk->salt_length) < 0)
        return -EBADMSG;
    return (uint64_t)ppk->memory_kib * ppk->passes <= work_most_kib ? 0 : -EBADMSG;
}

static int parse(struct lines *lines, struct cfs_ppk *ppk)
{
    if (read_field(lines, "Encryption", &ppk->cipher) < 0 || read_field(lines, "Comment", &ppk->comment) < 0)
        return -EBADMSG;
    ppk->encrypted = !is(ppk->cipher, "none");
    if (ppk->encrypted && !is(ppk->cipher, "aes256-cbc"))
        return -EOPNOTSUPP;
    int result = read_blob(lines, "Public-Lines", &ppk->public_blob);
    if (result == 0 && ppk->encrypted && ppk->version == 3)
        result = read_derivation(lines, ppk);
    if (result == 0)
        result = read_blob(lines, "Private-Lines", &ppk->private_part);
    if (result < 0)
        return result;
    size_t mac_length = ppk->version == 3 ? 32 : 20; /* HMAC of SHA-256; of SHA-1 */
    if (read_hex(lines, "Private-MAC", ppk->mac, sizeof(ppk->mac), &ppk->mac_length) < 0 ||
        ppk->mac_length != mac_length)
        return -EBADMSG;
    return ppk->encrypted && ppk->private_part.length % CFS_PPK_BLOCK != 0 ? -EBADMSG : 0;
}

void cfs_ppk_fini(struct cfs_ppk *ppk)
{
    cfs_buffer_fini(&ppk->public_blob);
    cfs_buffer_fini(&ppk->private_part);
}

int cfs_ppk_parse(const char *text, size_t length, struct cfs_ppk *ret_ppk)
{
    struct lines lines = {text, length};
    memset(ret_ppk, 0, sizeof(*ret_ppk));
    cfs_buffer_init_secret(&ret_ppk->private_part);
    int result = cfs_key_is_ppk(text, length) ? read_head(&lines, ret_ppk) : -EBADMSG;
    return result < 0 ? result : parse(&lines, ret_ppk);
}

/* --- for key_file.c --- */

int cfs_key_ppk_read_public(const char *text, size_t length, struct cfs_buffer *public_blob, bool *ret_encrypted)
{
    struct cfs_ppk ppk CFS_AUTO_PPK;
    int result = cfs_ppk_parse(text, length, &ppk);
    if (result < 0)
        return result;
    cfs_buffer_add(public_blob, ppk.public_blob.bytes, ppk.public_blob.length);
    *ret_encrypted = ppk.encrypted;
    return public_blob->failed ? -ENOMEM : 0;
}

int cfs_key_ppk_read_private(const char *text, size_t length, const char *passphrase, EVP_PKEY **ret_key,
                             struct cfs_buffer *comment)
{
    struct cfs_ppk ppk CFS_AUTO_PPK;
    int result = cfs_ppk_parse(text, length, &ppk);
    if (result < 0)
        return result;
    cfs_buffer_add(comment, ppk.comment.text, ppk.comment.length);
    return cfs_ppk_unlock(&ppk, passphrase, ret_key);
}

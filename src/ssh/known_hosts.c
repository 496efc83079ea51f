/* The parser of known_hosts files. A line is
 *     [@marker] names type base64-key [comment]
 * where names is "|1|salt|hash" (HMAC-SHA1 of the name) or patterns with ? * and !, separated by commas. libssh2's own
 * parser gives up a whole file for one bad line, and takes no notice of the markers: a revoked key would be a good one.
 * What must always hold: a line that is not understood in full is never an entry. */
#include "ssh/known_hosts.h"

#include "base/bytes.h"
#include "base/log.h"
#include "base/text.h"
#include <ctype.h>
#include <errno.h>
#include <fcntl.h>
#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <openssl/hmac.h>
#include <string.h>
#include <sys/stat.h>

enum { MAX_FILE = 16 << 20, SHA1_LENGTH = 20 };

/* A piece of the text: no NUL at its end. */
struct span {
    const char *text;
    size_t length;
};

static bool span_is(struct span span, const char *text)
{
    return span.length == strlen(text) && memcmp(span.text, text, span.length) == 0;
}

static bool is_space(char character)
{
    return character == ' ' || character == '\t' || character == '\r';
}

/* Takes the next word off a line; its length is 0 at the end. */
static struct span next_word(struct span *line)
{
    while (line->length > 0 && is_space(*line->text))
        line->text++, line->length--;
    struct span word = {line->text, 0};
    while (word.length < line->length && !is_space(word.text[word.length]))
        word.length++;
    line->text += word.length;
    line->length -= word.length;
    return word;
}

/* --- names --- */

static char lower(char character)
{
    return (char)tolower((unsigned char)character);
}

/* ? and *, without recursion: after a mismatch the last star takes one character more, so that no pattern costs more
 * than its length times the name's. */
static bool pattern_matches(struct span pattern, const char *name)
{
    size_t at = 0, star = SIZE_MAX;
    const char *resume = NULL;
    while (*name) {
        if (at < pattern.length && pattern.text[at] == '*') {
            star = ++at;
            resume = name;
        } else if (at < pattern.length && (pattern.text[at] == '?' || lower(pattern.text[at]) == lower(*name))) {
            at++, name++;
        } else if (star != SIZE_MAX) {
            at = star;
            name = ++resume;
        } else {
            return false;
        }
    }
    while (at < pattern.length && pattern.text[at] == '*')
        at++;
    return at == pattern.length;
}

/* One of the patterns matches, and none that begins with '!'. */
static bool patterns_match(struct span names, const char *name)
{
    bool matches = false;
    while (names.length > 0) {
        const char *comma = memchr(names.text, ',', names.length);
        struct span pattern = {names.text, comma ? (size_t)(comma - names.text) : names.length};
        names.text += pattern.length + (comma ? 1 : 0);
        names.length -= pattern.length + (comma ? 1 : 0);
        bool negated = pattern.length > 0 && *pattern.text == '!';
        if (negated)
            pattern.text++, pattern.length--;
        if (pattern.length == 0 || !pattern_matches(pattern, name))
            continue;
        if (negated)
            return false;
        matches = true;
    }
    return matches;
}

/* Decodes base64 of exactly SHA1_LENGTH bytes. */
static bool decode_sha1(struct span text, uint8_t ret_bytes[SHA1_LENGTH])
{
    uint8_t *bytes CFS_AUTO_FREE = NULL;
    size_t length;
    if (cfs_base64_decode(text.text, text.length, &bytes, &length) < 0 || length != SHA1_LENGTH)
        return false;
    memcpy(ret_bytes, bytes, SHA1_LENGTH);
    return true;
}

/* "|1|salt|hash": 1, 0, or -EINVAL when it is not well formed. */
static int hashed_name_matches(struct span names, const char *name)
{
    if (names.length < 3 || memcmp(names.text, "|1|", 3) != 0)
        return -EINVAL;
    names.text += 3;
    names.length -= 3;
    const char *bar = memchr(names.text, '|', names.length);
    if (!bar)
        return -EINVAL;
    struct span salt_text = {names.text, (size_t)(bar - names.text)};
    struct span hash_text = {bar + 1, names.length - salt_text.length - 1};
    uint8_t salt[SHA1_LENGTH], wanted[SHA1_LENGTH], hash[EVP_MAX_MD_SIZE];
    if (!decode_sha1(salt_text, salt) || !decode_sha1(hash_text, wanted))
        return -EINVAL;
    char *lowered CFS_AUTO_FREE = strdup(name);
    if (!lowered)
        return -ENOMEM;
    for (char *character = lowered; *character; character++)
        *character = lower(*character);
    unsigned length = 0;
    if (!HMAC(EVP_sha1(), salt, sizeof(salt), (const unsigned char *)lowered, strlen(lowered), hash, &length))
        return -ENOMEM;
    return length == SHA1_LENGTH && CRYPTO_memcmp(hash, wanted, SHA1_LENGTH) == 0;
}

/* --- lines --- */

void cfs_known_hosts_fini(struct cfs_known_hosts *found)
{
    for (size_t i = 0; i < found->count; i++) {
        free(found->entries[i].type);
        free(found->entries[i].blob);
        free(found->entries[i].file);
    }
    free(found->entries);
    *found = (struct cfs_known_hosts){0};
}

static int add_entry(struct cfs_known_hosts *found, const struct cfs_known_host *entry)
{
    struct cfs_known_host *entries = reallocarray(found->entries, found->count + 1, sizeof(*entries));
    if (!entries)
        return -ENOMEM;
    found->entries = entries;
    found->entries[found->count++] = *entry;
    return 0;
}

/* The key's own first field must name the type that the line gives. */
static bool blob_has_type(const uint8_t *blob, size_t blob_length, struct span type)
{
    struct cfs_reader reader = cfs_reader_over(blob, blob_length);
    size_t length;
    const uint8_t *name = cfs_read_string(&reader, &length);
    return name && length == type.length && memcmp(name, type.text, length) == 0;
}

static int parse_mark(struct span *line, struct span *names, enum cfs_known_host_mark *ret_mark)
{
    *ret_mark = CFS_KNOWN_HOST_PLAIN;
    if (*names->text != '@')
        return 0;
    if (span_is(*names, "@revoked"))
        *ret_mark = CFS_KNOWN_HOST_REVOKED;
    else if (span_is(*names, "@cert-authority"))
        *ret_mark = CFS_KNOWN_HOST_AUTHORITY;
    else
        return -EINVAL;
    *names = next_word(line);
    return 0;
}

/* 0 (a comment, another host, an entry added), -EINVAL for a bad line, -ENOMEM. */
static int parse_line(const char *file_name, unsigned number, struct span line, const char *name,
                      struct cfs_known_hosts *found)
{
    struct span names = next_word(&line);
    if (names.length == 0 || *names.text == '#')
        return 0;
    struct cfs_known_host entry = {.line = number};
    if (parse_mark(&line, &names, &entry.mark) < 0)
        return -EINVAL;
    struct span type = next_word(&line), key = next_word(&line);
    if (names.length == 0 || type.length == 0 || key.length == 0)
        return -EINVAL;
    uint8_t *blob CFS_AUTO_FREE = NULL;
    int result = cfs_base64_decode(key.text, key.length, &blob, &entry.blob_length);
    if (result < 0)
        return result;
    if (!blob_has_type(blob, entry.blob_length, type))
        return -EINVAL;
    int matches = *names.text == '|' ? hashed_name_matches(names, name) : patterns_match(names, name);
    if (matches <= 0)
        return matches;
    char *type_text CFS_AUTO_FREE = strndup(type.text, type.length);
    char *file CFS_AUTO_FREE = strdup(file_name);
    if (!type_text || !file)
        return -ENOMEM;
    entry.type = type_text;
    entry.blob = blob;
    entry.file = file;
    result = add_entry(found, &entry);
    if (result == 0) /* they are the list's now */
        type_text = NULL, file = NULL, blob = NULL;
    return result;
}

int cfs_known_hosts_parse(const char *file_name, const char *text, size_t length, const char *name,
                          struct cfs_known_hosts *found)
{
    int bad = 0;
    for (unsigned number = 1; length > 0; number++) {
        const char *end = memchr(text, '\n', length);
        struct span line = {text, end ? (size_t)(end - text) : length};
        int result = parse_line(file_name, number, line, name, found);
        if (result == -ENOMEM)
            return result;
        bad += result < 0;
        text += line.length + (end ? 1 : 0);
        length -= line.length + (end ? 1 : 0);
    }
    return bad;
}

/* --- files --- */

static int read_all(int fd, struct cfs_buffer *text)
{
    for (;;) {
        uint8_t *room = cfs_buffer_reserve(text, 65536);
        if (!room)
            return -ENOMEM;
        ssize_t count = read(fd, room, 65536);
        if (count == 0)
            return 0;
        if (count < 0 && errno != EINTR)
            return -errno;
        if (count > 0)
            text->length += (size_t)count;
        if (text->length > MAX_FILE)
            return -EFBIG;
    }
}

int cfs_known_hosts_read(const char *path, const char *name, bool quiet, struct cfs_known_hosts *found)
{
    int fd CFS_AUTO_CLOSE = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
    if (fd < 0)
        return errno == ENOENT || errno == ENOTDIR ? 0 : -errno;
    struct stat status;
    if (fstat(fd, &status) < 0)
        return -errno;
    if (!S_ISREG(status.st_mode))
        return 0;
    struct cfs_buffer text CFS_AUTO_BUFFER = {0};
    int result = read_all(fd, &text);
    if (result < 0)
        return result;
    int bad = cfs_known_hosts_parse(path, (const char *)text.bytes, text.length, name, found);
    if (bad > 0 && !quiet)
        cfs_log_warning("ssh", "%s: %d line%s could not be understood and %s skipped", path, bad, bad == 1 ? "" : "s",
                        bad == 1 ? "was" : "were");
    return bad < 0 ? bad : 0;
}

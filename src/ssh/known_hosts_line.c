/* The pieces of a line of known_hosts, and whether its names match. */
#include "ssh/known_hosts_line.h"

#include "base/text.h"
#include <ctype.h>
#include <errno.h>
#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <openssl/hmac.h>
#include <string.h>

enum { SHA1_LENGTH = 20 };

bool cfs_span_is(struct cfs_span span, const char *text)
{
    return span.length == strlen(text) && memcmp(span.text, text, span.length) == 0;
}

static bool is_space(char character)
{
    return character == ' ' || character == '\t' || character == '\r';
}

/* Takes the next word off a line; its length is 0 at the end. */
struct cfs_span cfs_next_word(struct cfs_span *line)
{
    while (line->length > 0 && is_space(*line->text))
        line->text++, line->length--;
    struct cfs_span word = {line->text, 0};
    while (word.length < line->length && !is_space(word.text[word.length]))
        word.length++;
    line->text += word.length;
    line->length -= word.length;
    return word;
}

static char lower(char character)
{
    return (char)tolower((unsigned char)character);
}

/* ? and *, without recursion: after a mismatch the last star takes one character more, so that no pattern costs more
 * than its length times the name's. */
static bool pattern_matches(struct cfs_span pattern, const char *name)
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
static bool patterns_match(struct cfs_span names, const char *name)
{
    bool matches = false;
    while (names.length > 0) {
        const char *comma = memchr(names.text, ',', names.length);
        struct cfs_span pattern = {names.text, comma ? (size_t)(comma - names.text) : names.length};
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
static bool decode_sha1(struct cfs_span text, uint8_t ret_bytes[SHA1_LENGTH])
{
    uint8_t *bytes CFS_AUTO_FREE = NULL;
    size_t length;
    if (cfs_base64_decode(text.text, text.length, &bytes, &length) < 0 || length != SHA1_LENGTH)
        return false;
    memcpy(ret_bytes, bytes, SHA1_LENGTH);
    return true;
}

/* "|1|salt|hash": 1, 0, or -EINVAL when it is not well formed. */
static int hashed_name_matches(struct cfs_span names, const char *name)
{
    if (names.length < 3 || memcmp(names.text, "|1|", 3) != 0)
        return -EINVAL;
    names.text += 3;
    names.length -= 3;
    const char *bar = memchr(names.text, '|', names.length);
    if (!bar)
        return -EINVAL;
    struct cfs_span salt_text = {names.text, (size_t)(bar - names.text)};
    struct cfs_span hash_text = {bar + 1, names.length - salt_text.length - 1};
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

int cfs_known_hosts_names_match(struct cfs_span names, const char *name)
{
    return names.length > 0 && *names.text == '|' ? hashed_name_matches(names, name) : patterns_match(names, name);
}

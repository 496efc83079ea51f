/* A line is "[options ]type base64[ comment]". As sshd does it, the key is looked for at the begin first, and behind
 * what may be options then: those end at the first blank that is in no quotes.
 *
 * Edits copy whole lines, or leave them out: what is not understood, comments and ends of lines stay as they are. */
#include "ssh/authorized_keys.h"
#include "base/text.h"
#include "ssh/host_key.h"
#include "ssh/key_write.h"
#include "ssh/public_key.h"
#include <errno.h>
#include <string.h>
#include <strings.h>

/* A part of the text. */
struct span {
    const char *next;
    size_t left;
};

static bool is_blank(char letter)
{
    return letter == ' ' || letter == '\t';
}

static void skip_blanks(struct span *span)
{
    while (span->left > 0 && is_blank(*span->next))
        span->next++, span->left--;
}

static struct span take(struct span *from, size_t length)
{
    struct span taken = {from->next, length};
    from->next += length;
    from->left -= length;
    return taken;
}

static struct span next_word(struct span *span)
{
    size_t length = 0;
    while (length < span->left && !is_blank(span->next[length]))
        length++;
    struct span word = take(span, length);
    skip_blanks(span);
    return word;
}

/* False: a quote is not closed. */
static bool next_options(struct span *span, struct span *ret_options)
{
    bool quoted = false;
    size_t i = 0;
    for (; i < span->left && (quoted || !is_blank(span->next[i])); i++) {
        if (span->next[i] == '\\' && i + 1 < span->left && span->next[i + 1] == '"')
            i++;
        else if (span->next[i] == '"')
            quoted = !quoted;
    }
    *ret_options = take(span, i);
    skip_blanks(span);
    return !quoted;
}

/* --- one line --- */

static void free_key(struct cfs_authorized_key *key)
{
    free(key->options);
    free(key->blob);
    free(key->comment);
}

/* 1: there is a key; 0: none. */
static int read_key(struct span text, struct cfs_authorized_key *key)
{
    struct span type = next_word(&text), letters = next_word(&text);
    uint8_t *blob CFS_AUTO_FREE = NULL;
    size_t length, name_length;
    if (type.left == 0 || letters.left == 0)
        return 0;
    int result = cfs_base64_decode(letters.next, letters.left, &blob, &length);
    if (result < 0)
        return result == -ENOMEM ? result : 0;
    struct cfs_reader reader = cfs_reader_over(blob, length);
    const uint8_t *name = cfs_read_string(&reader, &name_length);
    if (!name || name_length != type.left || memcmp(name, type.next, name_length) != 0)
        return 0;
    while (text.left > 0 && is_blank(text.next[text.left - 1]))
        text.left--;
    key->comment = text.left > 0 ? strndup(text.next, text.left) : strdup("");
    if (!key->comment)
        return -ENOMEM;
    key->blob = CFS_TAKE(blob);
    key->blob_length = length;
    return 1;
}

/* 1: a key; 0: nothing; -EBADMSG: something else. LINE is without its end. */
static int read_line(struct span line, struct cfs_authorized_key *key)
{
    struct span options;
    if (memchr(line.next, '\0', line.left))
        return -EBADMSG;
    skip_blanks(&line);
    if (line.left == 0 || *line.next == '#')
        return 0;
    int result = read_key(line, key);
    if (result != 0)
        return result;
    if (!next_options(&line, &options))
        return -EBADMSG;
    result = read_key(line, key);
    if (result <= 0)
        return result < 0 ? result : -EBADMSG;
    key->options = strndup(options.next, options.left);
    return key->options ? 1 : -ENOMEM;
}

/* --- all of them --- */

void cfs_authorized_keys_fini(struct cfs_authorized_keys *keys)
{
    for (size_t i = 0; i < keys->count; i++)
        free_key(&keys->entries[i]);
    free(keys->entries);
    free(keys->odd);
    *keys = (struct cfs_authorized_keys){0};
}

static int add_entry(struct cfs_authorized_keys *keys, const struct cfs_authorized_key *key)
{
    struct cfs_authorized_key *more = reallocarray(keys->entries, keys->count + 1, sizeof(*more));
    if (!more)
        return -ENOMEM;
    keys->entries = more;
    more[keys->count++] = *key;
    return 0;
}

static int add_odd(struct cfs_authorized_keys *keys, unsigned line)
{
    unsigned *more = reallocarray(keys->odd, keys->odd_count + 1, sizeof(*more));
    if (!more)
        return -ENOMEM;
    keys->odd = more;
    more[keys->odd_count++] = line;
    return 0;
}

static int take_line(struct cfs_authorized_keys *keys, struct span line, struct cfs_authorized_key *key)
{
    if (line.left > 0 && line.next[line.left - 1] == '\n')
        line.left--;
    if (line.left > 0 && line.next[line.left - 1] == '\r')
        line.left--;
    int result = read_line(line, key);
    if (result == -EBADMSG)
        return add_odd(keys, key->line);
    bool is_key = result > 0;
    if (is_key)
        result = add_entry(keys, key);
    if (!is_key || result < 0)
        free_key(key);
    return result;
}

int cfs_authorized_keys_parse(const void *text, size_t length, struct cfs_authorized_keys *ret_keys)
{
    struct cfs_authorized_keys keys CFS_AUTO_AUTHORIZED_KEYS = {0};
    struct span rest = {text, length};
    for (unsigned number = 1; rest.left > 0; number++) {
        const char *end = memchr(rest.next, '\n', rest.left);
        size_t line_length = end ? (size_t)(end - rest.next) + 1 : rest.left;
        struct cfs_authorized_key key = {.line = number, .offset = length - rest.left, .length = line_length};
        int result = take_line(&keys, take(&rest, line_length), &key);
        if (result < 0)
            return result;
    }
    *ret_keys = keys;
    keys = (struct cfs_authorized_keys){0};
    return 0;
}

bool cfs_authorized_key_is_authority(const struct cfs_authorized_key *key)
{
    static const char word[] = "cert-authority";
    bool quoted = false, begins = true;
    for (const char *at = key->options ? key->options : ""; *at; at++) {
        if (begins && strncasecmp(at, word, strlen(word)) == 0 && (at[strlen(word)] == ',' || !at[strlen(word)]))
            return true;
        begins = !quoted && *at == ',';
        if (*at == '\\' && at[1] == '"')
            at++;
        else if (*at == '"')
            quoted = !quoted;
    }
    return false;
}

static bool has_blob(const struct cfs_authorized_key *key, const uint8_t *blob, size_t length)
{
    return key->blob_length == length && memcmp(key->blob, blob, length) == 0;
}

const struct cfs_authorized_key *cfs_authorized_keys_find(const struct cfs_authorized_keys *keys,
                                                          const struct cfs_authorized_key *wanted)
{
    bool is_authority = cfs_authorized_key_is_authority(wanted);
    for (size_t i = 0; i < keys->count; i++) {
        const struct cfs_authorized_key *key = &keys->entries[i];
        if (has_blob(key, wanted->blob, wanted->blob_length) && cfs_authorized_key_is_authority(key) == is_authority)
            return key;
    }
    return NULL;
}

int cfs_authorized_keys_append(struct cfs_authorized_keys *keys, struct cfs_authorized_keys *more)
{
    if (more->count == 0)
        return 0;
    struct cfs_authorized_key *entries = reallocarray(keys->entries, keys->count + more->count, sizeof(*entries));
    if (!entries)
        return -ENOMEM;
    keys->entries = entries;
    memcpy(entries + keys->count, more->entries, more->count * sizeof(*entries));
    keys->count += more->count;
    more->count = 0;
    return 0;
}

char *cfs_authorized_key_describe(const struct cfs_authorized_key *key)
{
    char *fingerprint CFS_AUTO_FREE = cfs_host_key_fingerprint(key->blob, key->blob_length);
    struct cfs_public_key_facts facts = {0};
    char type[64];
    cfs_public_key_type(key->blob, key->blob_length, type, sizeof(type));
    bool is_known = cfs_public_key_check(key->blob, key->blob_length, &facts) == 0;
    char *text = fingerprint
                     ? cfs_text_format("%u %s %s (%s)", facts.bits, fingerprint,
                                       *key->comment ? key->comment : "no comment", is_known ? facts.kind : type)
                     : NULL;
    if (text)
        cfs_text_make_printable(text, false);
    return text;
}

/* --- edits --- */

static int add_line(const struct cfs_authorized_key *key, struct cfs_buffer *text)
{
    char *line CFS_AUTO_FREE = cfs_key_write_public(key->blob, key->blob_length, key->comment);
    if (!line)
        return -ENOMEM;
    if (key->options) {
        cfs_buffer_add(text, key->options, strlen(key->options));
        cfs_buffer_add_u8(text, ' ');
    }
    cfs_buffer_add(text, line, strlen(line));
    cfs_buffer_add_u8(text, '\n');
    return 0;
}

int cfs_authorized_keys_add(const struct cfs_buffer *before, const struct cfs_authorized_keys *added,
                            struct cfs_buffer *after, size_t *ret_count)
{
    struct cfs_authorized_keys present CFS_AUTO_AUTHORIZED_KEYS = {0};
    size_t count = 0;
    int result = cfs_authorized_keys_parse(before->bytes, before->length, &present);
    if (result < 0)
        return result;
    cfs_buffer_add(after, before->bytes, before->length);
    for (size_t i = 0; i < added->count && result == 0; i++) {
        const struct cfs_authorized_key *key = &added->entries[i];
        if (cfs_authorized_keys_find(&present, key) || cfs_authorized_keys_find(added, key) != key)
            continue; /* it is there, or stands twice among the new ones */
        if (count++ == 0 && before->length > 0 && before->bytes[before->length - 1] != '\n')
            cfs_buffer_add_u8(after, '\n');
        result = add_line(key, after);
    }
    if (result < 0 || after->failed)
        return -ENOMEM;
    *ret_count = count;
    return 0;
}

int cfs_authorized_keys_remove(const struct cfs_buffer *before, const struct cfs_authorized_keys *removed,
                               struct cfs_buffer *after, size_t *ret_count)
{
    struct cfs_authorized_keys present CFS_AUTO_AUTHORIZED_KEYS = {0};
    size_t count = 0, copied = 0;
    int result = cfs_authorized_keys_parse(before->bytes, before->length, &present);
    if (result < 0)
        return result;
    for (size_t i = 0; i < present.count; i++) {
        const struct cfs_authorized_key *key = &present.entries[i];
        bool goes = false;
        for (size_t j = 0; j < removed->count; j++)
            goes = goes || has_blob(&removed->entries[j], key->blob, key->blob_length);
        if (!goes)
            continue;
        cfs_buffer_add(after, before->bytes + copied, key->offset - copied);
        copied = key->offset + key->length;
        count++;
    }
    if (copied < before->length)
        cfs_buffer_add(after, before->bytes + copied, before->length - copied);
    if (after->failed)
        return -ENOMEM;
    *ret_count = count;
    return 0;
}

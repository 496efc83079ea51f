/* Edits of an INI text: what was asked for is there afterwards, and all else as it was.
 *
 * The input: a byte for the edit, then lines with section, key and value, then the file. */
#include "conf/ini.h"
#include "conf/ini_edit.h"

#include <errno.h>
#include <stdbool.h>
#include <stdint.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum { WORD = 5000 };

#define must(condition)                                                                                                \
    do {                                                                                                               \
        if (!(condition))                                                                                              \
            __builtin_trap();                                                                                          \
    } while (0)

struct seen {
    const char *section, *key;
    struct cfs_buffer others; /* all events but those of the key, or (without one) of the section */
    char value[WORD];         /* the key's last */
    unsigned values, sections;
};

static void add_text(struct cfs_buffer *buffer, const char *text)
{
    cfs_buffer_add(buffer, text, strlen(text) + 1);
}

static int on_section(void *context, const char *section, unsigned line CFS_UNUSED, struct cfs_error *error CFS_UNUSED)
{
    struct seen *seen = context;
    bool ours = strcmp(section, seen->section) == 0;
    seen->sections += ours;
    if (!ours || seen->key)
        add_text(&seen->others, section);
    return 0;
}

static int on_value(void *context, const char *section, const char *key, const char *value, unsigned line CFS_UNUSED,
                    struct cfs_error *error CFS_UNUSED)
{
    struct seen *seen = context;
    if (strcmp(section, seen->section) == 0 && (!seen->key || strcmp(key, seen->key) == 0)) {
        seen->values++;
        strcpy(seen->value, value);
        return 0;
    }
    add_text(&seen->others, section);
    add_text(&seen->others, key);
    add_text(&seen->others, value);
    return 0;
}

static int look(const struct cfs_buffer *text, struct seen *seen)
{
    static const struct cfs_ini_events events = {.section = on_section, .value = on_value};
    return cfs_ini_parse(text->length ? (const char *)text->bytes : "", text->length, "f", &events, seen, NULL);
}

static void take_word(const uint8_t **data, size_t *size, char *word)
{
    const uint8_t *end = *size ? memchr(*data, '\n', *size) : NULL;
    size_t length = end ? (size_t)(end - *data) : *size, used = length < WORD ? length : WORD - 1;
    memcpy(word, *data, used);
    word[used] = '\0';
    length += end != NULL;
    *data += length;
    *size -= length;
}

static bool same(const struct cfs_buffer *a, const struct cfs_buffer *b)
{
    return a->length == b->length && (a->length == 0 || memcmp(a->bytes, b->bytes, a->length) == 0);
}

/* A set changes nothing but one part in the middle of the text. */
static void check_one_place(const struct cfs_buffer *before, const struct cfs_buffer *after, size_t most)
{
    size_t start = 0, end = 0, shorter = before->length < after->length ? before->length : after->length;
    while (start < shorter && before->bytes[start] == after->bytes[start])
        start++;
    while (end < shorter - start && before->bytes[before->length - 1 - end] == after->bytes[after->length - 1 - end])
        end++;
    must(after->length - start - end <= most);
    must(!memchr(before->bytes + start, '\n', before->length - start - end));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static char section[WORD], key[WORD], value[WORD];
    static struct seen before, after;
    if (size < 1)
        return 0;
    uint8_t kind = *data++ % 4;
    size--;
    take_word(&data, &size, section);
    take_word(&data, &size, key);
    take_word(&data, &size, value);
    struct cfs_buffer text CFS_AUTO_BUFFER, original CFS_AUTO_BUFFER;
    cfs_buffer_init(&text);
    cfs_buffer_init(&original);
    cfs_buffer_add(&text, data, size);
    cfs_buffer_add(&original, data, size);
    before = (struct seen){.section = section, .key = kind < 2 ? key : NULL};
    after = before;

    struct cfs_error error = {0};
    int readable = look(&text, &before), result = 0;
    const struct cfs_ini_setting settings[] = {{key, value}};
    if (kind == 0)
        result = cfs_ini_edit_set(&text, "f", section, key, value, &error);
    else if (kind == 1)
        result = cfs_ini_edit_unset(&text, "f", section, key, &error);
    else if (kind == 2)
        result = cfs_ini_edit_add(&text, "f", section, value, settings, 1, &error);
    else
        result = cfs_ini_edit_remove(&text, "f", section, &error);
    if (result < 0) {
        must(same(&text, &original) && error.text[0]);
    } else {
        must(readable == 0 && look(&text, &after) == 0 && same(&before.others, &after.others));
        if (kind == 0) {
            must(strcmp(after.value, value) == 0 && after.values == (before.values ? before.values : 1));
            check_one_place(&original, &text, strlen(key) + strlen(value) + WORD);
        } else if (kind == 1) {
            must(after.values == 0 && (unsigned)result == before.values && after.sections == before.sections);
        } else if (kind == 2) {
            must(before.sections == 0 && after.sections == 1 && after.values == 1 && strcmp(after.value, value) == 0);
            must(size == 0 || memcmp(text.bytes, original.bytes, size) == 0);
        } else {
            must(before.sections > 0 && after.sections == 0 && after.values == 0);
        }
    }
    cfs_buffer_fini(&before.others);
    cfs_buffer_fini(&after.others);
    return 0;
}

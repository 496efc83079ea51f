/* The JSON writer: commas are put before each value but the first of its object or array. */
#include "ctl/json.h"
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

struct cfs_json cfs_json_over(struct cfs_buffer *out)
{
    return (struct cfs_json){.out = out};
}

static void add(struct cfs_json *json, const char *text)
{
    cfs_buffer_add(json->out, text, strlen(text));
}

/* The length of the UTF-8 sequence at TEXT (RFC 3629), 0 if it is none. */
static size_t sequence_length(const unsigned char *text)
{
    if (text[0] < 0x80)
        return 1;
    size_t length = text[0] >= 0xC2 && text[0] < 0xE0 ? 2 : (text[0] & 0xF0) == 0xE0 ? 3 : 0;
    if (text[0] >= 0xF0 && text[0] < 0xF5)
        length = 4;
    for (size_t i = 1; i < length; i++) {
        if ((text[i] & 0xC0) != 0x80)
            return 0;
    }
    if ((text[0] == 0xE0 && text[1] < 0xA0) || (text[0] == 0xED && text[1] >= 0xA0) || /* overlong, surrogates */
        (text[0] == 0xF0 && text[1] < 0x90) || (text[0] == 0xF4 && text[1] >= 0x90))
        return 0;
    return length;
}

static void add_string(struct cfs_json *json, const char *text)
{
    const unsigned char *next = (const unsigned char *)text;
    add(json, "\"");
    while (*next) {
        size_t length = sequence_length(next);
        char escaped[8];
        if (length == 0) {
            add(json, "\\ufffd");
            length = 1;
        } else if (*next == '"' || *next == '\\') {
            snprintf(escaped, sizeof(escaped), "\\%c", *next);
            add(json, escaped);
        } else if (*next < 0x20 || *next == 0x7F) {
            snprintf(escaped, sizeof(escaped), "\\u%04x", *next);
            add(json, escaped);
        } else {
            cfs_buffer_add(json->out, next, length);
        }
        next += length;
    }
    add(json, "\"");
}

static void begin(struct cfs_json *json, const char *key)
{
    if (json->needs_comma)
        add(json, ",");
    json->needs_comma = true;
    if (key) {
        add_string(json, key);
        add(json, ":");
    }
}

void cfs_json_open_object(struct cfs_json *json, const char *key)
{
    begin(json, key);
    add(json, "{");
    json->needs_comma = false;
}

void cfs_json_close_object(struct cfs_json *json)
{
    add(json, "}");
    json->needs_comma = true;
}

void cfs_json_open_array(struct cfs_json *json, const char *key)
{
    begin(json, key);
    add(json, "[");
    json->needs_comma = false;
}

void cfs_json_close_array(struct cfs_json *json)
{
    add(json, "]");
    json->needs_comma = true;
}

void cfs_json_text(struct cfs_json *json, const char *key, const char *text)
{
    begin(json, key);
    if (text)
        add_string(json, text);
    else
        add(json, "null");
}

void cfs_json_number(struct cfs_json *json, const char *key, uint64_t number)
{
    char text[24];
    begin(json, key);
    snprintf(text, sizeof(text), "%" PRIu64, number);
    add(json, text);
}

void cfs_json_bool(struct cfs_json *json, const char *key, bool value)
{
    begin(json, key);
    add(json, value ? "true" : "false");
}

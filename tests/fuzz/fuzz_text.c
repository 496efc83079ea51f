/* Fuzzes what src/base makes of text and bytes from outside: quantities, base64, printable text, the last lines of a
 * child, readers. Beyond not crashing, results must agree with one another. */
#include "base/bytes.h"
#include "base/error.h"
#include "base/line_tail.h"
#include "base/text.h"
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void must(bool condition)
{
    if (!condition)
        abort();
}

static bool is_printable(const char *text, bool newlines)
{
    for (const unsigned char *at = (const unsigned char *)text; *at; at++) {
        if ((*at < 0x20 && !(newlines && *at == '\n')) || *at == 0x7f)
            return false;
        if (at[0] == 0xc2 && at[1] >= 0x80 && at[1] <= 0x9f)
            return false;
    }
    return true;
}

static void try_quantities(const char *text)
{
    uint64_t number = 0, size = 0, duration = 0;
    bool value;
    char buffer[16];
    if (cfs_text_parse_number(text, 0, UINT64_MAX, &number) == 0)
        must(cfs_text_parse_size(text, &size) == 0 && size == number);
    if (cfs_text_parse_size(text, &size) == 0)
        must(strlen(cfs_text_format_size(size, buffer, sizeof(buffer))) < sizeof(buffer));
    if (cfs_text_parse_duration(text, &duration) == 0)
        must(cfs_text_parse_bool(text, &value) < 0 || duration <= 1000);
    must(cfs_text_distance(text, text) == 0 || strlen(text) > 255);
}

static void try_base64(const char *text, const uint8_t *data, size_t size)
{
    uint8_t *bytes CFS_AUTO_FREE = NULL, *back CFS_AUTO_FREE = NULL;
    size_t length = 0;
    if (cfs_base64_decode(text, strlen(text), &bytes, &length) == 0) {
        /* Canonical: what it was decoded from is the only text for these bytes. */
        char *again CFS_AUTO_FREE = cfs_base64_encode(bytes, length, strlen(text) % 4 == 0);
        must(again && strcmp(again, text) == 0);
    }
    char *encoded CFS_AUTO_FREE = cfs_base64_encode(data, size, size % 2);
    must(encoded && cfs_base64_decode(encoded, strlen(encoded), &back, &length) == 0);
    must(length == size && memcmp(back, data, size) == 0);
}

static void try_messages(char *text, const uint8_t *data, size_t size)
{
    struct cfs_error error = {0};
    cfs_error_set(&error, 0, CFS_FAILURE_PROTOCOL, "%s", text);
    cfs_error_append(&error, ": %s", text);
    must(strlen(error.text) < sizeof(error.text) && is_printable(error.text, true));
    struct cfs_line_tail tail = {0};
    for (size_t at = 0; at < size; at += 7)
        cfs_line_tail_add(&tail, (const char *)data + at, size - at < 7 ? size - at : 7, NULL, NULL);
    cfs_line_tail_finish(&tail, NULL, NULL);
    must(strlen(tail.text) < sizeof(tail.text) && is_printable(tail.text, true));
    cfs_text_make_printable(text, false);
    must(is_printable(text, false));
}

/* The first byte of each field says what is read next. */
static void try_reader(const uint8_t *data, size_t size)
{
    struct cfs_reader reader = cfs_reader_over(data, size);
    while (!reader.failed) {
        const uint8_t *before = reader.next, *bytes;
        size_t length = 0;
        switch (cfs_read_u8(&reader) % 4) {
        case 0:
            cfs_read_u32(&reader);
            break;
        case 1:
            cfs_read_u64(&reader);
            break;
        default:
            bytes = cfs_read_string(&reader, &length);
            must(bytes ? bytes >= data && length <= size - (size_t)(bytes - data) : length == 0);
        }
        must(reader.failed || reader.next > before);
    }
    must(reader.left == 0);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    char *text CFS_AUTO_FREE = malloc(size + 1);
    if (!text)
        return 0;
    memcpy(text, data, size);
    text[size] = '\0';
    try_quantities(text);
    try_base64(text, data, size);
    try_reader(data, size);
    try_messages(text, data, size);
    return 0;
}

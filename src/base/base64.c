/* Base64 (RFC 4648, section 4), strict: one text for one sequence of bytes. Canonical means that the bits which the
 * last character has too many are zero (section 3.5), and that padding, where there is any, is complete. */
#include "base/text.h"

#include <errno.h>
#include <string.h>

static const char alphabet[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

char *cfs_base64_encode(const void *bytes, size_t length, bool pad)
{
    if (length > SIZE_MAX / 4 * 3 - 8)
        return NULL;
    char *text = malloc((length + 2) / 3 * 4 + 1);
    if (!text)
        return NULL;
    const uint8_t *from = bytes;
    char *to = text;
    while (length > 0) {
        size_t count = length < 3 ? length : 3;
        uint32_t group = (uint32_t)from[0] << 16 | (count > 1 ? (uint32_t)from[1] << 8 : 0) | (count > 2 ? from[2] : 0);
        for (size_t i = 0; i <= count; i++)
            *to++ = alphabet[group >> (18 - 6 * i) & 0x3f];
        for (size_t i = count; pad && i < 3; i++)
            *to++ = '=';
        from += count;
        length -= count;
    }
    *to = '\0';
    return text;
}

/* The six bits of a character; -1 if it is none of the alphabet. */
static int value_of(char character)
{
    if (character >= 'A' && character <= 'Z')
        return character - 'A';
    if (character >= 'a' && character <= 'z')
        return character - 'a' + 26;
    if (character >= '0' && character <= '9')
        return character - '0' + 52;
    return character == '+' ? 62 : character == '/' ? 63 : -1;
}

/* Decodes 2 to 4 characters into 1 to 3 bytes. */
static int decode_group(const char *text, size_t count, uint8_t *to)
{
    uint32_t group = 0;
    for (size_t i = 0; i < 4; i++) {
        int value = i < count ? value_of(text[i]) : 0;
        if (value < 0)
            return -EINVAL;
        group = group << 6 | (uint32_t)value;
    }
    uint32_t unused = count == 2 ? 0xffff : count == 3 ? 0xff : 0;
    if (group & unused)
        return -EINVAL;
    for (size_t i = 0; i < count - 1; i++)
        to[i] = (uint8_t)(group >> (16 - 8 * i));
    return 0;
}

int cfs_base64_decode(const char *text, size_t text_length, uint8_t **ret_bytes, size_t *ret_length)
{
    size_t length = text_length;
    if (length % 4 == 0) {
        for (int i = 0; i < 2 && length > 0 && text[length - 1] == '='; i++)
            length--;
    }
    if (length % 4 == 1)
        return -EINVAL;
    size_t capacity = length / 4 * 3 + 3, used = 0;
    uint8_t *bytes = malloc(capacity);
    if (!bytes)
        return -ENOMEM;
    while (length > 0) {
        size_t count = length < 4 ? length : 4;
        if (decode_group(text, count, bytes + used) < 0) {
            explicit_bzero(bytes, capacity); /* it may be the beginning of a key */
            free(bytes);
            return -EINVAL;
        }
        used += count - 1;
        text += count;
        length -= count;
    }
    *ret_bytes = bytes;
    *ret_length = used;
    return 0;
}

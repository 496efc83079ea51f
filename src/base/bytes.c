/* Readers and buffers of bytes in network order. What must always hold: a reader never gives an address outside what
 * it was made over, and a buffer's `length` never exceeds its `capacity`. */
#include "base/bytes.h"

#include <endian.h>
#include <string.h>

enum { FIRST_CAPACITY = 64 };

/* --- reading --- */

struct cfs_reader cfs_reader_over(const void *bytes, size_t length)
{
    static const uint8_t nothing;
    return (struct cfs_reader){.next = bytes ? bytes : &nothing, .left = bytes ? length : 0};
}

const uint8_t *cfs_read_bytes(struct cfs_reader *reader, size_t length)
{
    if (reader->failed || length > reader->left) {
        reader->failed = true;
        reader->left = 0;
        return NULL;
    }
    const uint8_t *bytes = reader->next;
    reader->next += length;
    reader->left -= length;
    return bytes;
}

uint8_t cfs_read_u8(struct cfs_reader *reader)
{
    const uint8_t *bytes = cfs_read_bytes(reader, 1);
    return bytes ? *bytes : 0;
}

uint32_t cfs_read_u32(struct cfs_reader *reader)
{
    uint32_t value = 0;
    const uint8_t *bytes = cfs_read_bytes(reader, sizeof(value));
    if (bytes)
        memcpy(&value, bytes, sizeof(value));
    return be32toh(value);
}

uint64_t cfs_read_u64(struct cfs_reader *reader)
{
    uint64_t value = 0;
    const uint8_t *bytes = cfs_read_bytes(reader, sizeof(value));
    if (bytes)
        memcpy(&value, bytes, sizeof(value));
    return be64toh(value);
}

const uint8_t *cfs_read_string(struct cfs_reader *reader, size_t *ret_length)
{
    uint32_t length = cfs_read_u32(reader);
    const uint8_t *bytes = cfs_read_bytes(reader, length);
    *ret_length = bytes ? length : 0;
    return bytes;
}

/* --- writing --- */

void cfs_buffer_init(struct cfs_buffer *buffer)
{
    *buffer = (struct cfs_buffer){0};
}

void cfs_buffer_init_secret(struct cfs_buffer *buffer)
{
    *buffer = (struct cfs_buffer){.secret = true};
}

/* The whole capacity, not the length: bytes may have been taken back from the end. */
static void wipe(struct cfs_buffer *buffer)
{
    if (buffer->secret && buffer->bytes)
        explicit_bzero(buffer->bytes, buffer->capacity);
}

void cfs_buffer_fini(struct cfs_buffer *buffer)
{
    wipe(buffer);
    free(buffer->bytes);
    *buffer = (struct cfs_buffer){.secret = buffer->secret};
}

void cfs_buffer_clear(struct cfs_buffer *buffer)
{
    wipe(buffer);
    buffer->length = 0;
    buffer->failed = false;
}

/* Not realloc(3) for a secret: it would leave a copy in the memory that it gives back. */
static uint8_t *resize(struct cfs_buffer *buffer, size_t capacity)
{
    if (!buffer->secret)
        return realloc(buffer->bytes, capacity);
    uint8_t *bytes = malloc(capacity);
    if (!bytes)
        return NULL;
    if (buffer->length > 0)
        memcpy(bytes, buffer->bytes, buffer->length);
    wipe(buffer);
    free(buffer->bytes);
    return bytes;
}

uint8_t *cfs_buffer_reserve(struct cfs_buffer *buffer, size_t length)
{
    if (buffer->failed)
        return NULL;
    if (buffer->bytes && length <= buffer->capacity - buffer->length)
        return buffer->bytes + buffer->length;
    if (length > SIZE_MAX / 2 - buffer->length) {
        buffer->failed = true;
        return NULL;
    }
    size_t capacity = buffer->capacity > 0 ? buffer->capacity : FIRST_CAPACITY;
    while (capacity < buffer->length + length)
        capacity *= 2;
    uint8_t *bytes = resize(buffer, capacity);
    if (!bytes) {
        buffer->failed = true;
        return NULL;
    }
    buffer->bytes = bytes;
    buffer->capacity = capacity;
    return bytes + buffer->length;
}

void cfs_buffer_add(struct cfs_buffer *buffer, const void *bytes, size_t length)
{
    if (length == 0)
        return;
    uint8_t *room = cfs_buffer_reserve(buffer, length);
    if (!room)
        return;
    memcpy(room, bytes, length);
    buffer->length += length;
}

void cfs_buffer_add_u8(struct cfs_buffer *buffer, uint8_t value)
{
    cfs_buffer_add(buffer, &value, sizeof(value));
}

void cfs_buffer_add_u32(struct cfs_buffer *buffer, uint32_t value)
{
    value = htobe32(value);
    cfs_buffer_add(buffer, &value, sizeof(value));
}

void cfs_buffer_add_u64(struct cfs_buffer *buffer, uint64_t value)
{
    value = htobe64(value);
    cfs_buffer_add(buffer, &value, sizeof(value));
}

void cfs_buffer_add_string(struct cfs_buffer *buffer, const void *bytes, size_t length)
{
    if (length > UINT32_MAX) {
        buffer->failed = true;
        return;
    }
    cfs_buffer_add_u32(buffer, (uint32_t)length);
    cfs_buffer_add(buffer, bytes, length);
}

void cfs_buffer_add_text(struct cfs_buffer *buffer, const char *text)
{
    cfs_buffer_add_string(buffer, text, strlen(text));
}

void cfs_buffer_set_u32(struct cfs_buffer *buffer, size_t offset, uint32_t value)
{
    if (buffer->failed)
        return;
    if (buffer->length < sizeof(value) || offset > buffer->length - sizeof(value)) {
        buffer->failed = true;
        return;
    }
    value = htobe32(value);
    memcpy(buffer->bytes + offset, &value, sizeof(value));
}

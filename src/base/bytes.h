/* Bytes in network order, read and written with bounds: what the SFTP codec and the key file parsers stand on
 * (RFC 4251, section 5: byte, uint32, uint64, string). */
#ifndef CFS_BASE_BYTES_H
#define CFS_BASE_BYTES_H

#include "base/cleanup.h"
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Reads from memory that somebody else owns. The first read beyond the end marks the reader as failed; from then on
 * every read gives zero (an empty string), so that a parser may check once, at its end. */
struct cfs_reader {
    const uint8_t *next;
    size_t left;
    bool failed;
};

struct cfs_reader cfs_reader_over(const void *bytes, size_t length);
uint8_t cfs_read_u8(struct cfs_reader *reader);
uint32_t cfs_read_u32(struct cfs_reader *reader);
uint64_t cfs_read_u64(struct cfs_reader *reader);
/* LENGTH bytes; NULL if there are not so many. */
const uint8_t *cfs_read_bytes(struct cfs_reader *reader, size_t length);
/* A string: its bytes lie inside the memory that is read; never NULL unless the reader has failed. */
const uint8_t *cfs_read_string(struct cfs_reader *reader, size_t *ret_length);

/* A growing buffer. Once an append could not get memory, the buffer is marked as failed and appends do nothing. */
struct cfs_buffer {
    uint8_t *bytes;
    size_t length, capacity;
    bool failed;
    bool secret; /* wipe when memory is given back */
};

void cfs_buffer_init(struct cfs_buffer *buffer);
void cfs_buffer_init_secret(struct cfs_buffer *buffer);
void cfs_buffer_fini(struct cfs_buffer *buffer);  /* leaves an empty buffer */
void cfs_buffer_clear(struct cfs_buffer *buffer); /* keeps the memory; no longer failed */
#define CFS_AUTO_BUFFER __attribute__((cleanup(cfs_buffer_fini)))

/* Room for LENGTH more bytes, to be filled by the caller, who then adds to `length`; NULL (and failed) without memory.
 */
uint8_t *cfs_buffer_reserve(struct cfs_buffer *buffer, size_t length);
/* BYTES must not lie in the buffer itself. */
void cfs_buffer_add(struct cfs_buffer *buffer, const void *bytes, size_t length);
void cfs_buffer_add_u8(struct cfs_buffer *buffer, uint8_t value);
void cfs_buffer_add_u32(struct cfs_buffer *buffer, uint32_t value);
void cfs_buffer_add_u64(struct cfs_buffer *buffer, uint64_t value);
void cfs_buffer_add_string(struct cfs_buffer *buffer, const void *bytes, size_t length);
void cfs_buffer_add_text(struct cfs_buffer *buffer, const char *text); /* as a string */
/* Overwrites four bytes that were added before, a length for instance; the buffer fails if there are none. */
void cfs_buffer_set_u32(struct cfs_buffer *buffer, size_t offset, uint32_t value);

#endif

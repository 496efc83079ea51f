/* Small helpers for strings and paths on this side. All are pure but for allocation. */
#ifndef CFS_BASE_TEXT_H
#define CFS_BASE_TEXT_H

#include "base/cleanup.h"
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* asprintf without the int: NULL if memory is short. */
char *cfs_text_format(const char *format, ...) CFS_PRINTF(1, 2);

/* Replaces control characters (and DEL) by '?', in place; newlines stay if KEEP_NEWLINES. Bytes >= 0x80 stay, as
 * UTF-8, but for the control characters U+0080 to U+009F, which terminals obey too. */
void cfs_text_make_printable(char *text, bool keep_newlines);

/* TEXT as one word of a shell's command line: in single quotes. NULL if memory is short. The caller frees. */
char *cfs_text_shell_quote(const char *text);

/* Edit distance (Levenshtein), for "did you mean". */
unsigned cfs_text_distance(const char *a, const char *b);

/* A decimal number without sign or rest; -EINVAL, -ERANGE. */
CFS_CHECKED int cfs_text_parse_number(const char *text, uint64_t minimum, uint64_t maximum, uint64_t *ret_number);
/* "64M", "1.5G", "4096", "10 GiB": a size in bytes (k, M, G, T are powers of 1024, in upper or lower case). -EINVAL,
 * -ERANGE. */
CFS_CHECKED int cfs_text_parse_size(const char *text, uint64_t *ret_bytes);
/* "500ms", "5s", "5", "2m", "1h", "1d": milliseconds; a bare number is seconds. -EINVAL, -ERANGE. */
CFS_CHECKED int cfs_text_parse_duration(const char *text, uint64_t *ret_ms);
/* yes/no, true/false, on/off, 1/0. -EINVAL. */
CFS_CHECKED int cfs_text_parse_bool(const char *text, bool *ret_value);

/* "4.0 KiB", "1.5 GiB": for people. BUFFER of at least 16 bytes is returned. */
const char *cfs_text_format_size(uint64_t bytes, char *buffer, size_t size);

/* Standard base64 (RFC 4648). The encoder writes no line breaks and pads if PAD; the caller frees; NULL if memory is
 * short. The decoder refuses anything that is not canonical but accepts missing padding: -EINVAL, -ENOMEM. */
char *cfs_base64_encode(const void *bytes, size_t length, bool pad);
CFS_CHECKED int cfs_base64_decode(const char *text, size_t text_length, uint8_t **ret_bytes, size_t *ret_length);

#endif

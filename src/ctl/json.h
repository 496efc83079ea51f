/* A JSON writer (RFC 8259) into a growing buffer: just enough for status. Strings are escaped; bytes that are not UTF-8
 * become U+FFFD, so that the output is always valid. */
#ifndef CFS_CTL_JSON_H
#define CFS_CTL_JSON_H

#include "base/bytes.h"
#include <stdbool.h>
#include <stdint.h>

struct cfs_json {
    struct cfs_buffer *out;
    bool needs_comma;
};

/* OUT stays the caller's, and is marked as failed when memory was short. */
struct cfs_json cfs_json_over(struct cfs_buffer *out);

/* KEY is NULL inside arrays and for the outermost value. */
void cfs_json_open_object(struct cfs_json *json, const char *key);
void cfs_json_close_object(struct cfs_json *json);
void cfs_json_open_array(struct cfs_json *json, const char *key);
void cfs_json_close_array(struct cfs_json *json);
void cfs_json_text(struct cfs_json *json, const char *key, const char *text); /* NULL gives null */
void cfs_json_number(struct cfs_json *json, const char *key, uint64_t number);
void cfs_json_bool(struct cfs_json *json, const char *key, bool value);

#endif

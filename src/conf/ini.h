/* The INI notation of configuration files, over inih.
 *
 *     # a comment, as is a line that begins with ;
 *     [section]
 *     key = the value: all that follows, without blanks at its ends
 *
 * A comment has a line of its own: what follows a value belongs to it, so that a password may hold " ;" or " #".
 * Blanks before a key mean nothing; no line continues another. A byte order mark and CR LF are fine. */
#ifndef CFS_CONF_INI_H
#define CFS_CONF_INI_H

#include "base/error.h"
#include <stdbool.h>
#include <stddef.h>

enum {
    CFS_INI_LINE_LENGTH = 4096,  /* a longer line is an error */
    CFS_INI_SECTION_LENGTH = 48, /* inih cuts longer names silently */
    CFS_INI_KEY_LENGTH = 64,
};

/* What the reader found, in the order of the file. The strings are borrowed during the call. A negative return ends the
 * reading with it; the callee has set the error then. */
struct cfs_ini_events {
    int (*section)(void *context, const char *section, unsigned line, struct cfs_error *error);
    int (*value)(void *context, const char *section, const char *key, const char *value, unsigned line,
                 struct cfs_error *error);
};

/* Reads LENGTH bytes of text that NAME (a file's) holds. -EINVAL with "NAME:LINE: what is wrong", -ENOMEM, or what an
 * event returned. Keeps no copy of any value. */
CFS_CHECKED int cfs_ini_parse(const char *bytes, size_t length, const char *name, const struct cfs_ini_events *events,
                              void *context, struct cfs_error *error);

/* Whether NAME may stand between [ and ]: letters, digits and any of - _ . + @, not - at its beginning, not longer than
 * a section may be. Pure. */
bool cfs_ini_is_section(const char *name);

#endif

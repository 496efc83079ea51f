/* Changes to the text of an INI file (conf/ini.h) that leave all else as it is, byte for byte: comments, order, blank
 * lines, indentation, line ends.
 *
 * Each function changes TEXT, the whole file, in place, and leaves it untouched when it fails; NAME is the file's, for
 * the sentence. What comes of it can be read by cfs_ini_parse, or -EINVAL says why not; a text that could not be read
 * before is not changed. SECTION and KEY must be ones that the notation can hold, and a value has no control characters
 * and no blanks at its ends: else -EINVAL. -ENOMEM. Pure. */
#ifndef CFS_CONF_INI_EDIT_H
#define CFS_CONF_INI_EDIT_H

#include "base/bytes.h"
#include "base/error.h"

struct cfs_ini_setting {
    const char *key, *value;
};

/* Gives KEY in SECTION a value. If it has one, the line that counts, the last, is changed: nothing of it but the value.
 * Else a line is added behind the section's last key, in that one's manner. -ENOENT: there is no such section. */
CFS_CHECKED int cfs_ini_edit_set(struct cfs_buffer *text, const char *name, const char *section, const char *key,
                                 const char *value, struct cfs_error *error);

/* Takes all lines that give KEY in SECTION a value away. How many there were; -ENOENT: there is no such section. */
CFS_CHECKED int cfs_ini_edit_unset(struct cfs_buffer *text, const char *name, const char *section, const char *key,
                                   struct cfs_error *error);

/* Adds a section at the end, with a blank line before it. COMMENT is a line above it, without the #; NULL: none.
 * -EEXIST: there is such a section. */
CFS_CHECKED int cfs_ini_edit_add(struct cfs_buffer *text, const char *name, const char *section, const char *comment,
                                 const struct cfs_ini_setting *settings, size_t count, struct cfs_error *error);

/* Takes SECTION away wherever it stands, with its keys and the comments between and directly below them; those above
 * its head stay. -ENOENT: there is no such section. */
CFS_CHECKED int cfs_ini_edit_remove(struct cfs_buffer *text, const char *name, const char *section,
                                    struct cfs_error *error);

#endif

/* The pieces of a line of known_hosts: what its reader and its editor share. */
#ifndef CFS_SSH_KNOWN_HOSTS_LINE_H
#define CFS_SSH_KNOWN_HOSTS_LINE_H

#include "base/cleanup.h"
#include <stdbool.h>
#include <stddef.h>

/* A piece of the text: no NUL at its end. */
struct cfs_span {
    const char *text;
    size_t length;
};

bool cfs_span_is(struct cfs_span span, const char *text);
/* Takes the next word off a line; its length is 0 at the end. */
struct cfs_span cfs_next_word(struct cfs_span *line);
/* Whether a line's names ("|1|salt|hash", or patterns between commas) match NAME: 1, 0, -EINVAL for what is not well
 * formed, -ENOMEM. */
CFS_CHECKED int cfs_known_hosts_names_match(struct cfs_span names, const char *name);

#endif

/* The last lines of what somebody writes: a child's stderr, of which the end says why it failed. Bytes are cut into
 * lines, made printable, and kept as far as there is room. No locking. */
#ifndef CFS_BASE_LINE_TAIL_H
#define CFS_BASE_LINE_TAIL_H

#include <stdbool.h>
#include <stddef.h>

enum { CFS_LINE_TAIL_SIZE = 1024, CFS_LINE_SIZE = 512 };

/* Initialise with {0}. */
struct cfs_line_tail {
    char text[CFS_LINE_TAIL_SIZE]; /* the last whole lines, one after another, without a newline at the end */
    char line[CFS_LINE_SIZE];      /* the line that is being read; what is beyond its size is dropped */
    size_t line_length;
};

/* Is told each line that is complete; false: it need not be kept. */
typedef bool cfs_line_tail_line(const char *line, void *context);

/* Adds bytes; LINE may be NULL: all lines are kept. */
void cfs_line_tail_add(struct cfs_line_tail *tail, const char *bytes, size_t length, cfs_line_tail_line *line,
                       void *context);
/* Nothing more will come: what has no newline yet is a line as well. */
void cfs_line_tail_finish(struct cfs_line_tail *tail, cfs_line_tail_line *line, void *context);

#endif

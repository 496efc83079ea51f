/* The last lines of what somebody writes. When there is no room for a line, the oldest lines go. */
#include "base/line_tail.h"

#include "base/text.h"
#include <string.h>

/* Empty lines are not kept. A line always fits an empty tail: CFS_LINE_SIZE is the smaller one. */
static void keep_line(struct cfs_line_tail *tail, const char *line)
{
    size_t length = strlen(line), kept = strlen(tail->text);
    if (length == 0)
        return;
    while (kept > 0 && kept + 1 + length + 1 > sizeof(tail->text)) {
        const char *newline = strchr(tail->text, '\n');
        const char *rest = newline ? newline + 1 : tail->text + kept;
        kept = strlen(rest);
        memmove(tail->text, rest, kept + 1);
    }
    if (kept > 0)
        tail->text[kept++] = '\n';
    memcpy(tail->text + kept, line, length + 1);
}

void cfs_line_tail_finish(struct cfs_line_tail *tail, cfs_line_tail_line *line, void *context)
{
    if (tail->line_length == 0)
        return;
    if (tail->line[tail->line_length - 1] == '\r') /* ssh ends its messages like this */
        tail->line_length--;
    tail->line[tail->line_length] = '\0';
    cfs_text_make_printable(tail->line, false);
    if (!line || line(tail->line, context))
        keep_line(tail, tail->line);
    tail->line_length = 0;
}

void cfs_line_tail_add(struct cfs_line_tail *tail, const char *bytes, size_t length, cfs_line_tail_line *line,
                       void *context)
{
    for (size_t i = 0; i < length; i++) {
        if (bytes[i] == '\n')
            cfs_line_tail_finish(tail, line, context);
        else if (tail->line_length < sizeof(tail->line) - 1)
            tail->line[tail->line_length++] = bytes[i] ? bytes[i] : '?';
    }
}

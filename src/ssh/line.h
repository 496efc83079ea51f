/* What carries a session's bytes, where that is no TCP connection of its own: a channel through a jump host (jump.c),
 * or a program (proxy_command.c). The session has one end of a socketpair, of which the kernel knows nothing worth
 * asking; a line answers instead.
 *
 * A line is made together with the descriptor and belongs to the transport (ssh/transport.h), which frees it behind the
 * descriptor. */
#ifndef CFS_SSH_LINE_H
#define CFS_SSH_LINE_H

#include "base/cleanup.h"
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct cfs_ssh_line;

/* All are called on the thread that has the transport. */
struct cfs_ssh_line_operations {
    /* As cfs_ssh_is_cut (ssh/tcp.h), of the first connection on the way. */
    bool (*is_cut)(struct cfs_ssh_line *line, int64_t ms);
    /* Bytes that were taken wait here, or are not acknowledged by the first host on the way. NULL: nobody can tell. */
    bool (*holds_bytes)(struct cfs_ssh_line *line);
    /* What has not left this machine does not leave it any more. Comes before the descriptor is closed, if at all. */
    void (*abort)(struct cfs_ssh_line *line);
    /* What the line itself has to say of its end, printable, without a period; "" for nothing. May wait a moment for
     * it. NULL: never has anything to say. */
    void (*explain)(struct cfs_ssh_line *line, char *buffer, size_t size);
    /* The descriptor is closed. */
    void (*free)(struct cfs_ssh_line *line);
};

/* The head of every line: implementations embed it. */
struct cfs_ssh_line {
    const struct cfs_ssh_line_operations *operations;
};

/* NULL is fine. */
static inline void cfs_ssh_line_free(struct cfs_ssh_line *line)
{
    if (line)
        line->operations->free(line);
}
CFS_DEFINE_CLEANUP(struct cfs_ssh_line, cfs_ssh_line_free)

#endif

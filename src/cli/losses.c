/* The log has a line for each loss; the list that `clusterfs umount` shows is bounded, by names and so by bytes: it
 * must fit into a socket's buffer, for nobody waits for who does not read it. */
#include "cli/losses.h"
#include "base/text.h"
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

enum { MOST_LISTED = 100, MOST_BYTES = 64 * 1024 };

void cfs_losses_init(struct cfs_losses *losses)
{
    *losses = (struct cfs_losses){.count = 0};
    pthread_mutex_init(&losses->lock, NULL);
    cfs_buffer_init(&losses->list);
}

void cfs_losses_fini(struct cfs_losses *losses)
{
    cfs_buffer_fini(&losses->list);
    pthread_mutex_destroy(&losses->lock);
}

/* The lock is held. A file that could not be made, and whose data is lost, is one loss. */
static bool is_listed(const struct cfs_losses *losses, const char *line, size_t length)
{
    return losses->list.length > 0 && memmem(losses->list.bytes, losses->list.length, line, length);
}

void cfs_losses_add(struct cfs_losses *losses, const char *path, const char *what, int error)
{
    char *line CFS_AUTO_FREE = cfs_text_format("\n  %s: %s: %s", path, what, strerror(-error));
    size_t named = strlen("\n  ") + strlen(path) + strlen(": "); /* '?' for a byte keeps the length */
    if (line)
        cfs_text_make_printable(line + 1, false);
    pthread_mutex_lock(&losses->lock);
    if (!line || !is_listed(losses, line, named)) {
        losses->count++;
        if (line && losses->listed < MOST_LISTED && losses->list.length + strlen(line) < MOST_BYTES) {
            losses->listed++;
            cfs_buffer_add(&losses->list, line, strlen(line));
        }
    }
    pthread_mutex_unlock(&losses->lock);
}

uint64_t cfs_losses_tell(struct cfs_losses *losses, const char *mountpoint, struct cfs_buffer *out)
{
    pthread_mutex_lock(&losses->lock);
    uint64_t count = losses->count, hidden = count - losses->listed;
    if (count > 0) {
        char *head CFS_AUTO_FREE = cfs_text_format("%" PRIu64 " %s on %s could not be finished on the server:", count,
                                                   count == 1 ? "change" : "changes", mountpoint);
        char *rest CFS_AUTO_FREE =
            hidden ? cfs_text_format("\n  and %" PRIu64 " more, each with a line in the log", hidden) : NULL;
        if (head) {
            cfs_text_make_printable(head, false);
            cfs_buffer_add(out, head, strlen(head));
        }
        cfs_buffer_add(out, losses->list.bytes, losses->list.length);
        if (rest)
            cfs_buffer_add(out, rest, strlen(rest));
    }
    pthread_mutex_unlock(&losses->lock);
    return count;
}

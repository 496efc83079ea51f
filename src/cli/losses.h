/* What a mount could not bring to the server by its end: collected while it lives, told when it ends. */
#ifndef CFS_CLI_LOSSES_H
#define CFS_CLI_LOSSES_H

#include "base/bytes.h"
#include <pthread.h>

struct cfs_losses {
    pthread_mutex_t lock; /* protects the rest */
    uint64_t count;
    size_t listed;
    struct cfs_buffer list; /* a line each */
};

void cfs_losses_init(struct cfs_losses *losses);
void cfs_losses_fini(struct cfs_losses *losses);
/* ERROR is -errno. Any thread; takes no other lock. */
void cfs_losses_add(struct cfs_losses *losses, const char *path, const char *what, int error);
/* How many there are; if any, adds a sentence on them, and the names of the first, to OUT, without a newline at the
 * end.
 */
uint64_t cfs_losses_tell(struct cfs_losses *losses, const char *mountpoint, struct cfs_buffer *out);

#endif

/* Mounting, as `clusterfs mount` and mount(8)'s helper both do it. */
#ifndef CFS_CLI_MOUNT_H
#define CFS_CLI_MOUNT_H

#include "base/error.h"
#include <stdbool.h>

struct cfs_mount_request {
    const char *config_file;
    const char *source;
    const char *mountpoint;
    const char *options; /* joined; NULL for none */
    bool foreground;
    bool debug;
};

/* Returns when the mount is usable (or, in the foreground, over): 0; else the exit code of `clusterfs mount`, and the
 * sentence is in ERROR, or on stderr already when it came from the process in the background (then ERROR is empty). */
int cfs_mount(const struct cfs_mount_request *request, struct cfs_error *error);

#endif

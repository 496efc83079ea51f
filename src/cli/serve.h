/* One mount, from the connection to its end. */
#ifndef CFS_CLI_SERVE_H
#define CFS_CLI_SERVE_H

#include "base/error.h"
#include "conf/profile.h"

/* Connects, checks the work folder, mounts on MOUNTPOINT (absolute), tells that it is ready (cfs_daemon_ready), and
 * serves until the mount is gone or a signal asks to end. BACKGROUND: nobody watches stderr after ready. 0, or -errno
 * with a sentence: before ready nothing was mounted. */
CFS_CHECKED int cfs_serve(const struct cfs_profile *profile, const char *mountpoint, bool background,
                          struct cfs_error *error);

#endif

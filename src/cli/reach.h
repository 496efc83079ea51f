/* The way to the server that the profile wants: libssh2's, or that of the user's own ssh. */
#ifndef CFS_CLI_REACH_H
#define CFS_CLI_REACH_H

#include "remote/transport.h"

/* Connects and logs in, asking the person at the terminal. WATCHER (NULL: nobody watches) is told of each stage, where
 * the transport tells them: cfs_reach_is_watched. The rest as cfs_transport_ssh_open. */
CFS_CHECKED int cfs_reach(const struct cfs_profile *profile, const struct cfs_ssh_watcher *watcher,
                          struct cfs_transport **ret_transport, struct cfs_error *error);
bool cfs_reach_is_watched(const struct cfs_profile *profile);

#endif

/* One place that knows of the kinds of transport: the mount and the doctor go the same way. */
#include "cli/reach.h"
#include "cli/terminal.h"
#include <unistd.h>

bool cfs_reach_is_watched(const struct cfs_profile *profile)
{
    return profile->transport == CFS_TRANSPORT_LIBSSH2;
}

int cfs_reach(const struct cfs_profile *profile, const struct cfs_ssh_watcher *watcher,
              struct cfs_transport **ret_transport, struct cfs_error *error)
{
    char program[4096];
    if (profile->transport == CFS_TRANSPORT_LIBSSH2)
        return cfs_transport_ssh_open_watched(profile, cfs_terminal_prompter(), -1, watcher, ret_transport, error);
    ssize_t length = readlink("/proc/self/exe", program, sizeof(program) - 1);
    program[length > 0 ? length : 0] = '\0';
    return cfs_transport_openssh_open(profile, cfs_terminal_prompter(), length > 0 ? program : NULL, -1, ret_transport,
                                      error);
}

/* Which ssh(1) is at work: the one that we have started, or one that it has started to get there (ProxyJump). */
#ifndef CFS_REMOTE_SSH_PROCESS_H
#define CFS_REMOTE_SSH_PROCESS_H

#include <stdbool.h>
#include <sys/types.h>

/* Whether the parent of process PID, which is still there, was called to serve SFTP of HOST (openssh_arguments.h), and
 * not to carry bytes to it. False where /proc does not tell. */
bool cfs_ssh_process_asks_for(pid_t pid, const char *host);

#endif

/* The TCP socket of a program that we have started: its connection, but for that, is in its hands. */
#ifndef CFS_REMOTE_CHILD_SOCKET_H
#define CFS_REMOTE_CHILD_SOCKET_H

#include <sys/types.h>

/* A descriptor of the connected TCP socket of process PID, a child of ours, or else of what it has started (ssh's
 * ProxyCommand). The caller closes it; as long as it is open, so is the connection. -ENOENT: there is none; -errno
 * where the system does not let us look. */
int cfs_child_socket_find(pid_t pid);
/* Resets the connection: nothing that was sent and has not arrived will arrive, whoever else has the socket. */
void cfs_child_socket_reset(int fd);

#endif

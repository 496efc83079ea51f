/* The control socket of a mount: a Unix socket, mode 0600, in a folder of the user's own. A client sends one line,
 * "status", "status json", "status line", "progress" or "give up", and reads the answer up to an empty line; the
 * connection then stays open, and its end tells that the mount has ended. After "login" or "login ask" (there is a
 * person to be asked) the connection is a dialog (dialog.h), and serves nothing else. */
#ifndef CFS_CTL_CONTROL_H
#define CFS_CTL_CONTROL_H

#include "base/bytes.h"
#include "ctl/status.h"

/* The socket's path for MOUNTPOINT (absolute, canonical) of user UID: in $XDG_RUNTIME_DIR/clusterfs/,
 * /run/user/UID/clusterfs/, or /run/clusterfs/ for root and /tmp/clusterfs-UID/ for others. With CREATE it is the first
 * of them that can be used, and the folder is made (0700); without, the first in which there is a socket: -ENOENT if
 * there is none, -EACCES if we may not look. A folder that belongs to somebody else or is open to others is refused:
 * -EPERM. The caller frees. */
CFS_CHECKED int cfs_control_path(const char *mountpoint, uid_t uid, bool create, char **ret_path);

struct cfs_control_server;

/* Serves on a thread of its own. SOURCE is copied; what it points at must outlive the server. */
CFS_CHECKED int cfs_control_serve(const char *path, const struct cfs_ctl_source *source,
                                  struct cfs_control_server **ret_server);
/* The file system and the kernel's requests are asked no more from now on, so that they may go; what is left to be
 * written still is. NULL is fine. */
void cfs_control_server_leave(struct cfs_control_server *server);
/* Removes the socket (unless another mount has replaced it) and answers nobody from now on, so that SOURCE may go;
 * connections stay open: their end, in free, tells `umount` that all is done. NULL is fine. */
void cfs_control_server_stop(struct cfs_control_server *server);
/* After stop: TEXT is the last that is said on every connection (cfs_control_read_end). NULL is fine. */
void cfs_control_server_tell(struct cfs_control_server *server, const char *text);
/* Stops, and closes every connection. NULL is fine. */
void cfs_control_server_free(struct cfs_control_server *server);

/* Client: connects. Returns a descriptor, or -errno (-ENOENT, -ECONNREFUSED: nobody serves there). Waits no longer than
 * TIMEOUT_MS for anything. */
CFS_CHECKED int cfs_control_connect(const char *path, int timeout_ms);
/* Client: the process that serves at the other end; 0: not known. */
pid_t cfs_control_peer(int fd);
/* Removes a socket at which nobody serves any more. */
void cfs_control_remove_stale(const char *path);
/* Client: sends REQUEST (without newline) and appends the answer to OUT, fit for a terminal whoever sent it (the mount
 * may be another user's). -ETIMEDOUT, -ECONNRESET, ... */
CFS_CHECKED int cfs_control_ask(int fd, const char *request, struct cfs_buffer *out);
/* Client: waits until the server has gone: 0, or -ETIMEDOUT. TIMEOUT_MS -1 waits without end. */
CFS_CHECKED int cfs_control_wait_end(int fd, int timeout_ms);
/* Client: after that, appends what the server had to say at the end to OUT, fit for a terminal; mostly nothing. -errno.
 */
CFS_CHECKED int cfs_control_read_end(int fd, struct cfs_buffer *out);

#endif

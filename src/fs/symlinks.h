/* Where a symbolic link leads, as the mount shows it (option symlinks). Pure.
 *
 * raw: what the server says.
 * safe: a link never leads out of the mount, whatever the server says, since a program that follows it would read or
 * write a file of this machine. An absolute target inside the mount's root becomes a relative one. "folder/.." pairs
 * are taken out: the kernel would follow `folder`, if that is a link, and climb from where it leads. What is left
 * begins with as many
 * ".." as lie between the link and the root at most. A link out of the mount cannot be read: -EPERM. Programs then say
 * so; a made-up target would be copied silently by `cp -a`, and restored later as if it were the truth. */
#ifndef CFS_FS_SYMLINKS_H
#define CFS_FS_SYMLINKS_H

#include "base/cleanup.h"
#include "conf/profile.h"

/* TARGET as the server told it, of a link that lies DEPTH folders below the mount's root (0: in it); ROOT is the root's
 * absolute path on the server. The caller frees. -EPERM, -ENAMETOOLONG, -ENOMEM. */
CFS_CHECKED int cfs_symlink_target(enum cfs_symlinks how, const char *root, size_t depth, const char *target,
                                   char **ret_target);

#endif

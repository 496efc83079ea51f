/* Changes known_hosts files: a host is forgotten, or has another key from now on. A file is replaced as a whole
 * (conf/config_edit.h): mode, owner, order and other hosts' lines stay as they are, a symbolic link leads where it did,
 * and whoever reads sees it as it was or as it is. ssh(1), which adds lines without a lock, may have its line lost if
 * it does so in the very moment. */
#ifndef CFS_SSH_KNOWN_HOSTS_EDIT_H
#define CFS_SSH_KNOWN_HOSTS_EDIT_H

#include "base/error.h"
#include <stddef.h>
#include <stdint.h>

/* What was done with one file. */
struct cfs_known_hosts_edited {
    size_t lines;          /* how many lines named the host */
    size_t by_pattern;     /* how many still do, by a pattern; they are not touched */
    unsigned pattern_line; /* the first of them, in the new file */
};

/* Takes NAME out of the file, which may be missing. -errno with a sentence. Blocks. */
CFS_CHECKED int cfs_known_hosts_edit_forget(const char *path, const char *name,
                                            struct cfs_known_hosts_edited *ret_edited, struct cfs_error *error);
/* Likewise, and adds the key for it, in the same step. The name stays hashed where it was. Missing files and folders
 * are made (0600, 0700). */
CFS_CHECKED int cfs_known_hosts_edit_replace(const char *path, const char *name, const char *type, const uint8_t *blob,
                                             size_t length, struct cfs_known_hosts_edited *ret_edited,
                                             struct cfs_error *error);

#endif

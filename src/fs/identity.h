/* Whether a name still leads to the file that is open under it.
 *
 * SFTP tells no inode numbers. When a job on the server puts another file in the place of one that is open here
 * (`mv new log`, an editor that saves), both would be one node: one set of pages in the kernel, filled through handles
 * of two files. The open handle still knows the first one: what it says is compared with what the name says. */
#ifndef CFS_FS_IDENTITY_H
#define CFS_FS_IDENTITY_H

#include "fs/fs_priv.h"

/* Embedded in an operation. */
struct cfs_identity {
    struct cfs_node *node;                     /* the caller's */
    struct cfs_remote_attributes seen;         /* of what the name leads to, the last that is known */
    struct cfs_remote_attributes held;         /* of what is open, once it was asked for */
    uint64_t started;                          /* cfs_stamp() from before `seen` was asked for */
    void (*look_again)(struct cfs_step *step); /* calls the remote for `seen` once more, then cfs_identity_seen_again */
    cfs_step_function *then;

    struct cfs_open_file *file; /* identity.c's: referenced while it is asked */
};

/* With `node`, `seen`, `started`, `look_again` and `then` set: goes on with THEN, which is told 0, or -ESTALE: the name
 * leads to another file; NODE is without a name now, and goes on by its handles. At once with 0 when NODE has no other
 * open file, while our own changes make the comparison worthless, and (ONLY_IF_CHANGED) when the file looks as it last
 * did. */
void cfs_identity_check(struct cfs_step *step, struct cfs_identity *identity, bool only_if_changed);
void cfs_identity_seen_again(struct cfs_step *step, int error);

#endif

/* password_command: a program of the user's own, a password manager mostly, that prints the password. */
#ifndef CFS_SSH_PASSWORD_COMMAND_H
#define CFS_SSH_PASSWORD_COMMAND_H

#include "base/secret.h"
#include "conf/profile.h"
#include "ssh/patience.h"

/* Runs the profile's password_command (conf/command.h; no shell, nothing on stdin) and waits for its end as long as
 * WAITER does, of which `wait_for` alone is used. Its first line becomes *RET_PASSWORD, which the caller frees with
 * cfs_secret_free. -ECANCELED, -ENOMEM; -EACCES when there is no password: WHY is then a clause that says so, with the
 * end of what it has written to stderr, printable. Any thread. */
CFS_CHECKED int cfs_ssh_password_command(const struct cfs_profile *profile, struct cfs_ssh_waiter *waiter,
                                         char **ret_password, char *why, size_t why_size);

#endif

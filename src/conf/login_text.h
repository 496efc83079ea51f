/* Finds out of a message where to log in, and as whom: what a provider's page or mail says about a job, pasted.
 *
 * What counts, the first that says it all: a command (`ssh -p 2222 user@host`) or an address with a scheme
 * (`sftp://user@host`); lines that say what they hold (`User: x`, `Host/IP/Address: y`, `Port: z`, also as two cells of
 * a table, or the value on the line below); a lone `user@host`, unless it looks like somebody's mail address. */
#ifndef CFS_CONF_LOGIN_TEXT_H
#define CFS_CONF_LOGIN_TEXT_H

#include "base/error.h"
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum { CFS_LOGIN_WORD = 256, CFS_LOGIN_TEXT_LENGTH = 64 * 1024 };

struct cfs_login {
    char user[CFS_LOGIN_WORD]; /* as cfs_check_user wants it; "": not said */
    char host[CFS_LOGIN_WORD]; /* as cfs_check_host wants it: no brackets; "": not said */
    char jump[CFS_LOGIN_WORD]; /* ssh -J, as it stands there; "": none */
    uint16_t port;             /* 0: not said */
};

/* [USER@]HOST[:PORT], an IPv6 address with a port in brackets. -EINVAL with a sentence. Pure. */
CFS_CHECKED int cfs_login_parse(const char *text, struct cfs_login *ret_login, struct cfs_error *error);

/* Both user and host, or -ENOENT (one was not found), -EINVAL (there are several) with a sentence that lists what was
 * found. LENGTH is CFS_LOGIN_TEXT_LENGTH at most; what is behind that is not looked at. Pure. */
CFS_CHECKED int cfs_login_text_find(const char *bytes, size_t length, struct cfs_login *ret_login,
                                    struct cfs_error *error);

#endif

/* Paths as ssh_config(5) writes them: `~`, ${VARIABLE}, and the tokens of its section TOKENS. */
#ifndef CFS_CONF_SSH_CONFIG_TOKENS_H
#define CFS_CONF_SSH_CONFIG_TOKENS_H

#include "base/cleanup.h"
#include <stdbool.h>

/* All borrowed; NULL where it is not known: using it is then an error. */
struct cfs_ssh_config_tokens {
    const char *home;          /* ~, %d */
    const char *original_host; /* %n */
    const char *host;          /* %h */
    const char *host_key_name; /* %k: the HostKeyAlias, or the original host */
    const char *port;          /* %p */
    const char *user;          /* %r */
    const char *local_user;    /* %u */
    bool only_home;            /* there are no others: `%` and `$` are themselves */
};

/* The path that TEXT means, which need not be absolute; the caller frees. -EINVAL, and *RET_REASON tells how it must be
 * ("must ...", static); -ENOMEM. Reads the environment and the name of this machine. */
CFS_CHECKED int cfs_ssh_config_expand(const char *text, const struct cfs_ssh_config_tokens *tokens, char **ret_path,
                                      const char **ret_reason);

#endif

/* ProxyJump and ProxyCommand of ssh_config(5) as the options proxy_jump and proxy_command. */
#ifndef CFS_CONF_SSH_CONFIG_WAY_H
#define CFS_CONF_SSH_CONFIG_WAY_H

#include "base/cleanup.h"
#include "conf/ssh_config_tokens.h"

/* The option's text for WORD, in which %h, %n, %p, %r and %% are expanded; the caller frees. -EINVAL, and *RET_REASON
 * is a sentence about it (static); -ENOMEM. Pure. */
CFS_CHECKED int cfs_ssh_config_jump(const char *word, const struct cfs_ssh_config_tokens *tokens, char **ret_text,
                                    const char **ret_reason);
/* Likewise. ssh gives the command to a shell, clusterfs does not: what needs one is refused. */
CFS_CHECKED int cfs_ssh_config_command(const char *word, const struct cfs_ssh_config_tokens *tokens, char **ret_text,
                                       const char **ret_reason);

#endif

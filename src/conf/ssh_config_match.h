/* Patterns of ssh_config(5), section PATTERNS. Pure. */
#ifndef CFS_CONF_SSH_CONFIG_MATCH_H
#define CFS_CONF_SSH_CONFIG_MATCH_H

#include <stdbool.h>

/* Whether TEXT is what PATTERN says, with `*` and `?`; upper and lower case differ. The time is bounded by the product
 * of the lengths. */
bool cfs_ssh_config_match(const char *text, const char *pattern);

/* The same for patterns separated by commas: one must match, and none that begins with `!`. */
bool cfs_ssh_config_match_list(const char *text, const char *patterns);
/* The same, in any case of letters: for host names. */
bool cfs_ssh_config_match_host(const char *host, const char *patterns);

#endif

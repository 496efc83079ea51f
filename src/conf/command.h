/* proxy_command: words, separated by blanks ("a b" in double quotes is one), in which %h, %p, %r and %% stand for the
 * host, the port, the remote user and a percent sign. What they stand for is always within one word, and no shell reads
 * it, unless the program is one: names hold nothing that would be a command there (conf/check.h). A name cannot become
 * an option either. */
#ifndef CFS_CONF_COMMAND_H
#define CFS_CONF_COMMAND_H

#include "base/cleanup.h"
#include "conf/profile.h"

/* -EINVAL if TEXT is no such thing, -ENOMEM. The caller frees with cfs_words_free. Pure. */
CFS_CHECKED int cfs_command_expand(const char *text, const char *host, unsigned port, const char *user,
                                   cfs_words *ret_words);
/* The rule of the option: NULL, or how it must be. "none" is fine. */
const char *cfs_command_check_text(const char *text);

#endif

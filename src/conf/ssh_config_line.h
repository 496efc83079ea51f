/* One line of an ssh_config(5) file, taken apart as OpenSSH does (readconf.c, misc.c: strdelim, argv_split). Pure.
 *
 * `Keyword argument ...` or `Keyword=argument ...`. Arguments may be in single or double quotes; a backslash takes a
 * quote, a backslash or (outside of quotes) a blank literally; a word that begins with # begins a comment. */
#ifndef CFS_CONF_SSH_CONFIG_LINE_H
#define CFS_CONF_SSH_CONFIG_LINE_H

#include "base/cleanup.h"
#include "conf/profile.h"

struct cfs_ssh_config_line {
    char *keyword;   /* in lower case */
    char *rest;      /* all behind it, as it stands there; never empty */
    cfs_words words; /* the arguments; empty if REST is a comment */
};

/* 1 for a line, 0 for an empty one or a comment. -EINVAL, and *RET_REASON tells what is wrong with it (static);
 * -ENOMEM. For 1 the caller calls cfs_ssh_config_line_fini. */
CFS_CHECKED int cfs_ssh_config_line_read(const char *text, struct cfs_ssh_config_line *ret_line,
                                         const char **ret_reason);
void cfs_ssh_config_line_fini(struct cfs_ssh_config_line *line);
#define CFS_AUTO_SSH_CONFIG_LINE __attribute__((cleanup(cfs_ssh_config_line_fini)))

/* The next word of what follows `Match`, where words end at blanks, quotes and '='. It is cut out of *TEXT, which then
 * points behind it. NULL at the end, and for a quote without its end. */
char *cfs_ssh_config_next_word(char **text);

#endif

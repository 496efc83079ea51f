/* Lists of words, NULL-terminated and owned (`cfs_words`, conf/profile.h). */
#ifndef CFS_CONF_WORDS_H
#define CFS_CONF_WORDS_H

#include "base/cleanup.h"
#include "conf/profile.h"

/* Splits at blanks and tabs; "a b" in double quotes is one word (no escapes). -EINVAL for a quote without an end,
 * -ENOMEM. No words at all: an empty list, not NULL. */
CFS_CHECKED int cfs_words_split(const char *text, cfs_words *ret_words);
/* The opposite, with quotes where they are needed; NULL if memory is short. WORDS may be NULL. */
char *cfs_words_join(char *const *words);
/* Appends a copy of WORD; *WORDS may be NULL at first. -ENOMEM. */
CFS_CHECKED int cfs_words_add(cfs_words *words, const char *word);
size_t cfs_words_count(char *const *words);
CFS_DEFINE_CLEANUP(char *, cfs_words_free)

#endif

/* Values of options: from text into their field, and back for people. */
#ifndef CFS_CONF_VALUE_H
#define CFS_CONF_VALUE_H

#include "base/error.h"
#include "conf/expand.h"
#include "conf/option.h"

/* Reads TEXT as OPTION says and stores it in its field of RECORD (a struct cfs_profile; what the field held is freed).
 * PLACE says where the text stood ("FILE:3", "command line"). On failure -EINVAL with a sentence, or -ENOMEM, and the
 * field is as it was. EXPANSION is needed for paths only. */
CFS_CHECKED int cfs_value_store(const struct cfs_option *option, const char *text, const char *place,
                                const struct cfs_expansion *expansion, void *record, struct cfs_error *error);

/* The field's value as it may stand in a file, or "" for none; a secret as "(set)". NULL if memory is short; the caller
 * frees. */
char *cfs_value_format(const struct cfs_option *option, const void *record);

/* Frees what the field owns (secrets are wiped) and leaves it NULL; numbers stay. */
void cfs_value_drop(const struct cfs_option *option, void *record);

/* What values there are: "a number from 1 to 10, or auto". NULL if memory is short; the caller frees. */
char *cfs_option_values(const struct cfs_option *option);

#endif

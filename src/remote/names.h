/* What a server may call an entry of a folder. Nothing it sends is trusted: a name with '/' would lead elsewhere. */
#ifndef CFS_REMOTE_NAMES_H
#define CFS_REMOTE_NAMES_H

#include <stddef.h>

enum cfs_name_verdict {
    CFS_NAME_GOOD,
    CFS_NAME_DOTS, /* "." and "..": every listing has them; left out without a word */
    CFS_NAME_BAD,  /* empty, longer than NAME_MAX, with '/' or NUL in it */
};

/* NAME need not end with NUL. */
enum cfs_name_verdict cfs_name_judge(const char *name, size_t length);

#endif

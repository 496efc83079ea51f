/* What the copy of a file is called that is put beside it, where somebody else has changed it meanwhile. Pure. */
#ifndef CFS_CACHE_CONFLICT_NAME_H
#define CFS_CACHE_CONFLICT_NAME_H

#include <time.h>

/* PATH.clusterfs-conflict-YYYYMMDDTHHMMSS, WHEN in UTC; from the second NUMBER on "-2" and so on behind it. A name that
 * would be too long is shortened, between two characters of UTF-8. The caller frees; NULL without memory. */
char *cfs_conflict_name(const char *path, time_t when, unsigned number);

#endif

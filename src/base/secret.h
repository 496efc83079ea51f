/* Secrets in memory: wiped before their memory is given back. */
#ifndef CFS_BASE_SECRET_H
#define CFS_BASE_SECRET_H

#include "base/cleanup.h"
#include <stddef.h>

/* Wipes and frees a text; NULL is fine. */
void cfs_secret_free(char *secret);
CFS_DEFINE_CLEANUP(char, cfs_secret_free)

/* Zeroed memory of LENGTH bytes, in pages of its own that are neither swapped out nor dumped. -errno of mmap(2) and
 * mlock(2). */
CFS_CHECKED int cfs_secret_map(size_t length, void **ret_memory);
/* Wipes it and gives it back. NULL is fine. */
void cfs_secret_unmap(void *memory, size_t length);

#endif

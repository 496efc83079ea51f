/* Secrets in memory: wiped before their memory is given back. */
#ifndef CFS_BASE_SECRET_H
#define CFS_BASE_SECRET_H

#include "base/cleanup.h"

/* Wipes and frees a text; NULL is fine. */
void cfs_secret_free(char *secret);
CFS_DEFINE_CLEANUP(char, cfs_secret_free)

#endif

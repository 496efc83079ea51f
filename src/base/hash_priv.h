/* Nothing is left here: cfs_siphash is in hash.h. */
#ifndef CFS_BASE_HASH_PRIV_H
#define CFS_BASE_HASH_PRIV_H

#include "base/hash.h"

#endif

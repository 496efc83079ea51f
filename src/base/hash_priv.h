/* What hash.c shows its tests. */
#ifndef CFS_BASE_HASH_PRIV_H
#define CFS_BASE_HASH_PRIV_H

#include <stddef.h>
#include <stdint.h>

/* SipHash-2-4 under a given key: the two halves, as little-endian numbers. */
uint64_t cfs_siphash(uint64_t key0, uint64_t key1, const void *bytes, size_t length);

#endif

/* An intrusive hash table with chained links; grows by doubling. The key's hash is kept in the link; comparing is the
 * caller's. Keyed with SipHash-2-4 and a random key a process, so that names chosen by a server cannot make chains
 * long. No locking. */
#ifndef CFS_BASE_HASH_H
#define CFS_BASE_HASH_H

#include "base/cleanup.h"
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct cfs_hash_link {
    struct cfs_hash_link *next;
    uint64_t hash;
};

struct cfs_hash {
    struct cfs_hash_link **buckets;
    size_t bucket_count; /* a power of two */
    size_t count;
};

/* -ENOMEM. */
CFS_CHECKED int cfs_hash_init(struct cfs_hash *table);
/* The links stay the owner's. */
void cfs_hash_fini(struct cfs_hash *table);

uint64_t cfs_hash_bytes(const void *bytes, size_t length);
uint64_t cfs_hash_number(uint64_t number);
/* SipHash-2-4 under a given key (the two halves, as little-endian numbers): the same in every run. */
uint64_t cfs_siphash(uint64_t key0, uint64_t key1, const void *bytes, size_t length);

/* Cannot fail: when the table cannot grow, its chains become longer. */
void cfs_hash_insert(struct cfs_hash *table, uint64_t hash, struct cfs_hash_link *link);
/* The link must be in the table. */
void cfs_hash_remove(struct cfs_hash *table, struct cfs_hash_link *link);

/* The first link with this hash for which MATCHES is true; NULL if none. */
struct cfs_hash_link *cfs_hash_find(const struct cfs_hash *table, uint64_t hash,
                                    bool (*matches)(const struct cfs_hash_link *link, const void *key),
                                    const void *key);

/* Calls VISIT for each link; VISIT may remove or free the link it is given, and touch nothing else of the table.
 * Links that were freed without being removed are gone for cfs_hash_fini only. */
void cfs_hash_each(struct cfs_hash *table, void (*visit)(struct cfs_hash_link *link, void *context), void *context);

#endif

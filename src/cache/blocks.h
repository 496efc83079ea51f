/* Clean file contents in memory: blocks of 128 KiB in one budget, found by (owner, index), where the owner stands for
 * one file. A block knows which of its pages (4 KiB) are right, and which are being fetched into it.
 *
 * What is thrown out first. New blocks are on probation; a block of which a page is read *again* is protected. Blocks
 * on probation go first, the least recently used one at their head, and protected blocks may have four fifths of the
 * budget: so one large scan, however small the pieces that it reads, throws out nothing that is used repeatedly.
 *
 * The memory of whole blocks is kept for the next ones: given back to malloc one by one while large files pass through,
 * it was cut up for smaller things, and a GiB of blocks had grown to one and a half after 10 GB.
 *
 * What holds: a block with pages on their way is never freed nor moved (its memory is where they go); a page
 * is not both valid and being fetched; what stands in a valid page behind the end of the file are zeros.
 *
 * No locking: all under the lock of the contents (content.h). */
#ifndef CFS_CACHE_BLOCKS_H
#define CFS_CACHE_BLOCKS_H

#include "base/cleanup.h"
#include "base/hash.h"
#include "base/list.h"
#include <stdbool.h>
#include <stdint.h>

enum {
    CFS_PAGE_SIZE = 4096,
    CFS_BLOCK_PAGES = 32,
    CFS_BLOCK_SIZE = CFS_PAGE_SIZE * CFS_BLOCK_PAGES,
};

/* A file, to the blocks. Embedded in what stands for it; cfs_block_owner_init before use. */
struct cfs_block_owner {
    struct cfs_list blocks;
    size_t count;
    /* Its last block is gone. Must not touch the blocks. May be NULL. */
    void (*emptied)(struct cfs_block_owner *owner);
};

struct cfs_block {
    struct cfs_hash_link link;
    struct cfs_list of_owner, of_queue;
    struct cfs_block_owner *owner;
    uint64_t index; /* begins at index * CFS_BLOCK_SIZE */
    uint8_t *data;
    uint32_t pages; /* that there is memory for: the last block of a file is smaller */
    /* Bit n: page n. */
    uint32_t valid;
    uint32_t fetching;
    uint32_t spoiled;    /* being fetched, but what arrives is not to be kept */
    uint32_t seen;       /* read since it is there */
    uint32_t prefetched; /* fetched before anybody asked, and not read since */
    bool is_protected;
};

struct cfs_blocks {
    struct cfs_hash table;
    struct cfs_list probation, kept; /* least recently used first */
    uint64_t budget, bytes, kept_bytes;
    uint64_t wasted;               /* bytes that were prefetched and thrown out unread */
    struct cfs_spare_block *spare; /* memory for whole blocks, not counted above */
    size_t spares, most_spares;
};

/* -ENOMEM. */
CFS_CHECKED int cfs_blocks_init(struct cfs_blocks *blocks, uint64_t budget);
/* All owners must have been dropped. */
void cfs_blocks_fini(struct cfs_blocks *blocks);

void cfs_block_owner_init(struct cfs_block_owner *owner, void (*emptied)(struct cfs_block_owner *owner));

/* NULL: there is none. */
struct cfs_block *cfs_blocks_find(const struct cfs_blocks *blocks, const struct cfs_block_owner *owner, uint64_t index);
/* The block, made if there is none, with memory for at least PAGES pages. NULL without memory, and when the block is
 * too small and cannot be moved because pages are on their way into it. Throws nothing out: that is cfs_blocks_trim. */
struct cfs_block *cfs_blocks_make(struct cfs_blocks *blocks, struct cfs_block_owner *owner, uint64_t index,
                                  uint32_t pages);
/* PAGES (a mask) of the block were read. */
void cfs_blocks_read(struct cfs_blocks *blocks, struct cfs_block *block, uint32_t pages);
/* Throws blocks out until the rest is within the budget; those with pages on their way stay. */
void cfs_blocks_trim(struct cfs_blocks *blocks);

/* PAGES are no longer right, or will not be when they arrive. The block stays. */
void cfs_block_forget(struct cfs_block *block, uint32_t pages);
/* Forgets what lies in [BEGIN, END) of a file, all pages that it touches; blocks that become empty are freed. */
void cfs_blocks_drop(struct cfs_blocks *blocks, struct cfs_block_owner *owner, uint64_t begin, uint64_t end);

/* The blocks of FROM, but for those with pages on their way, become TO's, which has none, and stay until they are
 * dropped. */
void cfs_blocks_move(struct cfs_blocks *blocks, struct cfs_block_owner *from, struct cfs_block_owner *to);

/* The mask of COUNT pages from FIRST. */
static inline uint32_t cfs_block_mask(uint32_t first, uint32_t count)
{
    return count >= CFS_BLOCK_PAGES ? UINT32_MAX : ((UINT32_C(1) << count) - 1) << first;
}

/* The mask of the pages that [BEGIN, END), bytes counted from the block's own begin, touches; END > BEGIN. */
static inline uint32_t cfs_block_mask_of(uint32_t begin, uint32_t end)
{
    uint32_t first = begin / CFS_PAGE_SIZE, last = (end - 1) / CFS_PAGE_SIZE;
    return cfs_block_mask(first, last - first + 1);
}

#endif

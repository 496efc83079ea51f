/* Blocks of clean file contents, and which of them go first. */
#include "cache/blocks.h"
#include <string.h>

/* Of the budget, in percent: what those that were read again may have. */
enum { KEPT_SHARE = 80 };
/* Memory that waits for the next whole block: as many bytes, and this part of the budget, at most. */
enum { MOST_SPARE_BYTES = 16 << 20, SPARE_PART = 8 };

int cfs_blocks_init(struct cfs_blocks *blocks, uint64_t budget)
{
    uint64_t spare = budget / SPARE_PART < MOST_SPARE_BYTES ? budget / SPARE_PART : MOST_SPARE_BYTES;
    *blocks = (struct cfs_blocks){.budget = budget, .most_spares = spare / CFS_BLOCK_SIZE};
    cfs_list_init(&blocks->probation);
    cfs_list_init(&blocks->kept);
    return cfs_hash_init(&blocks->table);
}

/* --- memory --- */

struct cfs_spare_block {
    struct cfs_spare_block *next;
};

static uint8_t *take_spare(struct cfs_blocks *blocks)
{
    struct cfs_spare_block *spare = blocks->spare;
    if (!spare)
        return NULL;
    blocks->spare = spare->next;
    blocks->spares--;
    return (uint8_t *)spare;
}

static void give_back(struct cfs_blocks *blocks, uint8_t *data, uint32_t pages)
{
    struct cfs_spare_block *spare = (void *)data;
    if (pages < CFS_BLOCK_PAGES || blocks->spares >= blocks->most_spares) {
        free(data);
        return;
    }
    spare->next = blocks->spare;
    blocks->spare = spare;
    blocks->spares++;
}

/* DATA, of BEFORE pages, with room for PAGES; NULL without memory, and DATA is as it was. */
static uint8_t *more_pages(struct cfs_blocks *blocks, uint8_t *data, uint32_t before, uint32_t pages)
{
    uint8_t *spare = pages == CFS_BLOCK_PAGES ? take_spare(blocks) : NULL;
    if (!spare)
        return realloc(data, (size_t)pages * CFS_PAGE_SIZE);
    if (before > 0)
        memcpy(spare, data, (size_t)before * CFS_PAGE_SIZE);
    free(data);
    return spare;
}

void cfs_blocks_fini(struct cfs_blocks *blocks)
{
    while (blocks->spare)
        free(take_spare(blocks));
    cfs_hash_fini(&blocks->table);
}

void cfs_block_owner_init(struct cfs_block_owner *owner, void (*emptied)(struct cfs_block_owner *owner))
{
    cfs_list_init(&owner->blocks);
    owner->count = 0;
    owner->emptied = emptied;
}

/* --- finding and making --- */

struct key {
    const struct cfs_block_owner *owner;
    uint64_t index;
};

static bool matches(const struct cfs_hash_link *link, const void *key)
{
    const struct cfs_block *block = cfs_container_of(link, const struct cfs_block, link);
    const struct key *wanted = key;
    return block->owner == wanted->owner && block->index == wanted->index;
}

static uint64_t hash_of(const struct cfs_block_owner *owner, uint64_t index)
{
    struct key key = {owner, index};
    return cfs_hash_bytes(&key, sizeof(key));
}

struct cfs_block *cfs_blocks_find(const struct cfs_blocks *blocks, const struct cfs_block_owner *owner, uint64_t index)
{
    struct key key = {owner, index};
    if (owner->count == 0)
        return NULL;
    struct cfs_hash_link *link = cfs_hash_find(&blocks->table, hash_of(owner, index), matches, &key);
    return link ? cfs_container_of(link, struct cfs_block, link) : NULL;
}

static void count_bytes(struct cfs_blocks *blocks, const struct cfs_block *block, int64_t pages)
{
    uint64_t bytes = (uint64_t)(pages * CFS_PAGE_SIZE); /* wraps as it should */
    blocks->bytes += bytes;
    if (block->is_protected)
        blocks->kept_bytes += bytes;
}

static bool enlarge(struct cfs_blocks *blocks, struct cfs_block *block, uint32_t pages)
{
    if (block->pages >= pages)
        return true;
    if (block->fetching)
        return false;
    uint8_t *data = more_pages(blocks, block->data, block->pages, pages);
    if (!data)
        return false;
    block->data = data;
    count_bytes(blocks, block, (int64_t)pages - block->pages);
    block->pages = pages;
    return true;
}

static uint32_t round_up(uint32_t pages)
{
    uint32_t rounded = 1;
    while (rounded < pages)
        rounded *= 2;
    return rounded;
}

struct cfs_block *cfs_blocks_make(struct cfs_blocks *blocks, struct cfs_block_owner *owner, uint64_t index,
                                  uint32_t pages)
{
    struct cfs_block *block = cfs_blocks_find(blocks, owner, index);
    if (block)
        return enlarge(blocks, block, round_up(pages)) ? block : NULL;
    block = calloc(1, sizeof(*block));
    if (!block)
        return NULL;
    if (!enlarge(blocks, block, round_up(pages))) {
        free(block);
        return NULL;
    }
    block->owner = owner;
    block->index = index;
    cfs_hash_insert(&blocks->table, hash_of(owner, index), &block->link);
    cfs_list_push_back(&owner->blocks, &block->of_owner);
    cfs_list_push_back(&blocks->probation, &block->of_queue);
    owner->count++;
    return block;
}

/* --- what is used --- */

static void protect(struct cfs_blocks *blocks, struct cfs_block *block)
{
    block->is_protected = true;
    blocks->kept_bytes += (uint64_t)block->pages * CFS_PAGE_SIZE;
}

static void demote_some(struct cfs_blocks *blocks)
{
    while (blocks->kept_bytes > blocks->budget / 100 * KEPT_SHARE && !cfs_list_empty(&blocks->kept)) {
        struct cfs_block *block = cfs_list_first(&blocks->kept, struct cfs_block, of_queue);
        block->is_protected = false;
        blocks->kept_bytes -= (uint64_t)block->pages * CFS_PAGE_SIZE;
        cfs_list_remove(&block->of_queue);
        cfs_list_push_back(&blocks->probation, &block->of_queue);
    }
}

void cfs_blocks_read(struct cfs_blocks *blocks, struct cfs_block *block, uint32_t pages)
{
    bool again = block->seen & pages;
    block->prefetched &= ~pages;
    block->seen = again ? pages : block->seen | pages;
    if (again && !block->is_protected)
        protect(blocks, block);
    cfs_list_remove(&block->of_queue);
    cfs_list_push_back(block->is_protected ? &blocks->kept : &blocks->probation, &block->of_queue);
    demote_some(blocks);
}

/* --- what goes --- */

static void free_block(struct cfs_blocks *blocks, struct cfs_block *block)
{
    struct cfs_block_owner *owner = block->owner;
    blocks->wasted += (uint64_t)__builtin_popcount(block->prefetched) * CFS_PAGE_SIZE;
    count_bytes(blocks, block, -(int64_t)block->pages);
    cfs_hash_remove(&blocks->table, &block->link);
    cfs_list_remove(&block->of_owner);
    cfs_list_remove(&block->of_queue);
    give_back(blocks, block->data, block->pages);
    free(block);
    if (--owner->count == 0 && owner->emptied)
        owner->emptied(owner);
}

static void trim_queue(struct cfs_blocks *blocks, struct cfs_list *queue)
{
    struct cfs_list *link, *following;
    cfs_list_each_safe (link, following, queue) {
        struct cfs_block *block = cfs_container_of(link, struct cfs_block, of_queue);
        if (blocks->bytes <= blocks->budget)
            return;
        if (!block->fetching)
            free_block(blocks, block);
    }
}

void cfs_blocks_trim(struct cfs_blocks *blocks)
{
    trim_queue(blocks, &blocks->probation);
    trim_queue(blocks, &blocks->kept);
}

void cfs_block_forget(struct cfs_block *block, uint32_t pages)
{
    block->valid &= ~pages;
    block->seen &= ~pages;
    block->prefetched &= ~pages;
    block->spoiled |= block->fetching & pages;
}

static uint32_t mask_of_range(const struct cfs_block *block, uint64_t begin, uint64_t end)
{
    uint64_t start = block->index * CFS_BLOCK_SIZE;
    uint64_t first = begin > start ? begin - start : 0;
    uint64_t last = end > start ? end - start : 0;
    if (last > CFS_BLOCK_SIZE)
        last = CFS_BLOCK_SIZE;
    return first < last ? cfs_block_mask_of((uint32_t)first, (uint32_t)last) : 0;
}

void cfs_blocks_drop(struct cfs_blocks *blocks, struct cfs_block_owner *owner, uint64_t begin, uint64_t end)
{
    struct cfs_list *link, *following;
    cfs_list_each_safe (link, following, &owner->blocks) {
        struct cfs_block *block = cfs_container_of(link, struct cfs_block, of_owner);
        bool is_last = following == &owner->blocks; /* the owner may be gone with its last block */
        cfs_block_forget(block, mask_of_range(block, begin, end));
        if (!block->valid && !block->fetching)
            free_block(blocks, block);
        if (is_last)
            break;
    }
}

/* To the other owner; in no queue. */
static void move_block(struct cfs_blocks *blocks, struct cfs_block *block, struct cfs_block_owner *to)
{
    if (block->is_protected)
        blocks->kept_bytes -= (uint64_t)block->pages * CFS_PAGE_SIZE;
    block->is_protected = false;
    cfs_hash_remove(&blocks->table, &block->link);
    cfs_list_remove(&block->of_owner);
    cfs_list_remove(&block->of_queue);
    block->owner->count--;
    block->owner = to;
    cfs_hash_insert(&blocks->table, hash_of(to, block->index), &block->link);
    cfs_list_push_back(&to->blocks, &block->of_owner);
    to->count++;
}

void cfs_blocks_move(struct cfs_blocks *blocks, struct cfs_block_owner *from, struct cfs_block_owner *to)
{
    struct cfs_list *link, *following;
    if (from->count == 0)
        return;
    cfs_list_each_safe (link, following, &from->blocks) {
        struct cfs_block *block = cfs_container_of(link, struct cfs_block, of_owner);
        if (!block->fetching)
            move_block(blocks, block, to);
    }
    if (from->count == 0 && from->emptied)
        from->emptied(from);
}

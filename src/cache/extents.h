/* Bytes that were written and not yet sent: extents of one file, in order of their offsets, that do not overlap. What
 * is written again is replaced in place; what continues an extent makes it longer, up to the size of one WRITE.
 *
 * No locking: all under the lock of the contents (content.h). */
#ifndef CFS_CACHE_EXTENTS_H
#define CFS_CACHE_EXTENTS_H

#include "base/cleanup.h"
#include "base/list.h"
#include <stdbool.h>
#include <stdint.h>

/* Embedded as the first member of what sends it (writer.c), allocated by it with SIZE bytes. */
struct cfs_extent {
    uint64_t offset;
    size_t length, capacity;
    uint8_t *data;
    void *owner;            /* of the write that began it */
    uint64_t first_written; /* the number of the oldest write that is in it */
};

struct cfs_extents {
    struct cfs_extent **of;
    size_t count, room;
    size_t extent_size; /* sizeof() what begins with an extent */
    size_t limit;       /* bytes in one extent */
};

void cfs_extents_init(struct cfs_extents *extents, size_t extent_size, size_t limit);
void cfs_extents_fini(struct cfs_extents *extents);

/* Adds bytes. On -ENOMEM some may have been added. *RET_ADDED: bytes that are there now and were not before, always
 * set. */
CFS_CHECKED int cfs_extents_write(struct cfs_extents *extents, uint64_t offset, size_t length, const uint8_t *data,
                                  void *owner, uint64_t number, size_t *ret_added);
/* The first extent that ends behind OFFSET, by its place; `count` if there is none. */
size_t cfs_extents_find(const struct cfs_extents *extents, uint64_t offset);
/* Takes an extent out; it is the caller's then (cfs_extent_free). */
struct cfs_extent *cfs_extents_take(struct cfs_extents *extents, size_t place);
void cfs_extent_free(struct cfs_extent *extent);

static inline uint64_t cfs_extent_end(const struct cfs_extent *extent)
{
    return extent->offset + extent->length;
}

#endif

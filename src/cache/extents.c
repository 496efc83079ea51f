/* Dirty extents of a file: a sorted array of pointers. */
#include "cache/extents.h"
#include <errno.h>
#include <string.h>

enum { SMALLEST = 4096 };

void cfs_extents_init(struct cfs_extents *extents, size_t extent_size, size_t limit)
{
    *extents = (struct cfs_extents){.extent_size = extent_size, .limit = limit};
}

void cfs_extent_free(struct cfs_extent *extent)
{
    if (!extent)
        return;
    free(extent->data);
    free(extent);
}

void cfs_extents_fini(struct cfs_extents *extents)
{
    for (size_t i = 0; i < extents->count; i++)
        cfs_extent_free(extents->of[i]);
    free(extents->of);
    extents->of = NULL;
    extents->count = extents->room = 0;
}

size_t cfs_extents_find(const struct cfs_extents *extents, uint64_t offset)
{
    size_t low = 0, high = extents->count;
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        if (cfs_extent_end(extents->of[middle]) <= offset)
            low = middle + 1;
        else
            high = middle;
    }
    return low;
}

struct cfs_extent *cfs_extents_take(struct cfs_extents *extents, size_t place)
{
    struct cfs_extent *extent = extents->of[place];
    extents->count--;
    memmove(&extents->of[place], &extents->of[place + 1], (extents->count - place) * sizeof(struct cfs_extent *));
    return extent;
}

/* --- writing --- */

struct written {
    uint64_t offset;
    size_t length;
    const uint8_t *data;
    void *owner;
    uint64_t number;
};

static void advance(struct written *written, size_t length)
{
    written->offset += length;
    written->length -= length;
    written->data += length;
}

static void replace(struct cfs_extent *extent, struct written *written)
{
    uint64_t end = cfs_extent_end(extent);
    size_t length = written->length < end - written->offset ? written->length : (size_t)(end - written->offset);
    memcpy(extent->data + (written->offset - extent->offset), written->data, length);
    advance(written, length);
}

static bool reserve(struct cfs_extents *extents, struct cfs_extent *extent, size_t length)
{
    if (extent->capacity >= length)
        return true;
    size_t capacity = extent->capacity ? extent->capacity : SMALLEST;
    while (capacity < length)
        capacity *= 2;
    if (capacity > extents->limit)
        capacity = extents->limit;
    uint8_t *data = realloc(extent->data, capacity);
    if (!data)
        return false;
    extent->data = data;
    extent->capacity = capacity;
    return true;
}

/* An empty extent at PLACE. */
static struct cfs_extent *insert(struct cfs_extents *extents, size_t place, const struct written *written)
{
    if (extents->count == extents->room) {
        size_t room = extents->room ? 2 * extents->room : 8;
        struct cfs_extent **of = realloc(extents->of, room * sizeof(struct cfs_extent *));
        if (!of)
            return NULL;
        extents->of = of;
        extents->room = room;
    }
    struct cfs_extent *extent = calloc(1, extents->extent_size);
    if (!extent)
        return NULL;
    *extent = (struct cfs_extent){.offset = written->offset, .owner = written->owner, .first_written = written->number};
    memmove(&extents->of[place + 1], &extents->of[place], (extents->count - place) * sizeof(struct cfs_extent *));
    extents->of[place] = extent;
    extents->count++;
    return extent;
}

/* Writes what lies before END, where there is nothing at PLACE yet, behind the extent before it or into a new one. */
static int fill(struct cfs_extents *extents, size_t place, uint64_t end, struct written *written, size_t *added)
{
    struct cfs_extent *extent = place > 0 ? extents->of[place - 1] : NULL;
    size_t length = written->length < end - written->offset ? written->length : (size_t)(end - written->offset);
    bool is_new = !extent || cfs_extent_end(extent) != written->offset || extent->length >= extents->limit;
    if (is_new)
        extent = insert(extents, place, written);
    if (!extent)
        return -ENOMEM;
    if (length > extents->limit - extent->length)
        length = extents->limit - extent->length;
    if (!reserve(extents, extent, extent->length + length)) {
        if (is_new)
            cfs_extent_free(cfs_extents_take(extents, place));
        return -ENOMEM;
    }
    memcpy(extent->data + extent->length, written->data, length);
    extent->length += length;
    *added += length;
    advance(written, length);
    return 0;
}

int cfs_extents_write(struct cfs_extents *extents, uint64_t offset, size_t length, const uint8_t *data, void *owner,
                      uint64_t number, size_t *ret_added)
{
    struct written written = {offset, length, data, owner, number};
    *ret_added = 0;
    while (written.length > 0) {
        size_t place = cfs_extents_find(extents, written.offset);
        struct cfs_extent *behind = place < extents->count ? extents->of[place] : NULL;
        if (behind && behind->offset <= written.offset) {
            replace(behind, &written);
            continue;
        }
        int error = fill(extents, place, behind ? behind->offset : UINT64_MAX, &written, ret_added);
        if (error < 0)
            return error;
    }
    return 0;
}

/* A growing array. It is trimmed in large pieces, so that moving what is left costs little an entry. */
#include "fs/folder_entries.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

enum { KEPT_BEHIND = 4096, FIRST_CAPACITY = 128 };

static void drop_first(struct cfs_folder_entries *entries, size_t count)
{
    for (size_t i = 0; i < count; i++)
        free(entries->entries[i].name);
    entries->count -= count;
    entries->first += count;
    memmove(entries->entries, entries->entries + count, entries->count * sizeof(entries->entries[0]));
}

void cfs_folder_entries_clear(struct cfs_folder_entries *entries)
{
    for (size_t i = 0; i < entries->count; i++)
        free(entries->entries[i].name);
    free(entries->entries);
    *entries = (struct cfs_folder_entries){.entries = NULL};
}

static int make_room(struct cfs_folder_entries *entries)
{
    if (entries->count < entries->capacity)
        return 0;
    size_t capacity = entries->capacity ? entries->capacity * 2 : FIRST_CAPACITY;
    struct cfs_folder_entry *larger = reallocarray(entries->entries, capacity, sizeof(*larger));
    if (!larger)
        return -ENOMEM;
    entries->entries = larger;
    entries->capacity = capacity;
    return 0;
}

int cfs_folder_entries_add(struct cfs_folder_entries *entries, const struct cfs_remote_entry *more, size_t count,
                           uint64_t started, int64_t asked_ms)
{
    for (size_t i = 0; i < count; i++) {
        char *name CFS_AUTO_FREE = strdup(more[i].name);
        if (!name || make_room(entries) < 0)
            return -ENOMEM;
        entries->entries[entries->count++] = (struct cfs_folder_entry){
            .name = CFS_TAKE(name), .attributes = more[i].attributes, .started = started, .asked_ms = asked_ms};
    }
    return 0;
}

const struct cfs_folder_entry *cfs_folder_entries_at(const struct cfs_folder_entries *entries, uint64_t number)
{
    if (number < entries->first || number - entries->first >= entries->count)
        return NULL;
    return &entries->entries[number - entries->first];
}

void cfs_folder_entries_trim(struct cfs_folder_entries *entries, uint64_t number)
{
    if (number < entries->first || number - entries->first > entries->count)
        return;
    size_t behind = (size_t)(number - entries->first);
    if (behind >= 2 * (size_t)KEPT_BEHIND)
        drop_first(entries, behind - KEPT_BEHIND);
}

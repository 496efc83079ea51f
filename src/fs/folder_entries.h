/* The entries of an open folder: what was listed so far, found by its number, a window of it when the folder is huge.
 * No locking. */
#ifndef CFS_FS_FOLDER_ENTRIES_H
#define CFS_FS_FOLDER_ENTRIES_H

#include "base/cleanup.h"
#include "remote/remote.h"
#include <stdbool.h>
#include <stdint.h>

struct cfs_folder_entry {
    char *name;
    struct cfs_remote_attributes attributes;
    uint64_t started; /* cfs_stamp() when the server was asked */
    int64_t asked_ms;
};

struct cfs_folder_entries {
    struct cfs_folder_entry *entries;
    size_t count, capacity;
    uint64_t first; /* the number of entries[0] */
};

void cfs_folder_entries_clear(struct cfs_folder_entries *entries);
/* Copies COUNT entries. -ENOMEM: some may have been added. */
CFS_CHECKED int cfs_folder_entries_add(struct cfs_folder_entries *entries, const struct cfs_remote_entry *more,
                                       size_t count, uint64_t started, int64_t asked_ms);
/* NULL: not there yet, or no longer. */
const struct cfs_folder_entry *cfs_folder_entries_at(const struct cfs_folder_entries *entries, uint64_t number);
/* Entry NUMBER is being read: forgets those far before it. */
void cfs_folder_entries_trim(struct cfs_folder_entries *entries, uint64_t number);

#endif

/* Where journals lie: a folder of the user's own, with one file for each mount that writes behind. A file's name begins
 * with a hash of whose journal it is; its mount holds a lock on it (flock(2)) as long as it lives, so that what is not
 * locked was left behind by one that did not end as it should. */
#ifndef CFS_CACHE_JOURNAL_FOLDER_H
#define CFS_CACHE_JOURNAL_FOLDER_H

#include "cache/journal.h"

/* The usual folder: $XDG_STATE_HOME/clusterfs/journal, for root /var/lib/clusterfs/journal, else
 * ~/.local/state/clusterfs/journal. The caller frees. -ENOENT: there is no home; -ENOMEM. */
CFS_CHECKED int cfs_journal_folder(char **ret_folder);

/* A new journal in FOLDER, which is made if it is not there, for nobody else. -EPERM: the folder, or what leads to it,
 * is somebody else's, or open to others; -errno. */
CFS_CHECKED int cfs_journal_create(const char *folder, const char *identity, uint64_t limit, bool threaded,
                                   struct cfs_journal **ret_journal);

/* What becomes of a journal that was left behind. */
enum cfs_journal_fate {
    CFS_JOURNAL_IS_DONE, /* it is removed */
    CFS_JOURNAL_STAYS,   /* for the next time */
    CFS_JOURNAL_IS_BAD,  /* set aside: called NAME.bad */
};
/* Calls FOUND for each journal in FOLDER with IDENTITY's name that nobody holds, which is locked meanwhile. FD is
 * cfs_journal_each's, for reading and writing; -1: what is there is no file of our own. Returns how many there were; 0
 * where there is no folder; -errno. */
CFS_CHECKED int cfs_journal_each(const char *folder, const char *identity,
                                 enum cfs_journal_fate (*found)(void *context, const char *path, int fd),
                                 void *context);

#endif

/* What the rooms of the replay share: journal_replay.c goes through the changes, journal_judge.c compares a file with
 * what is to be written to it, journal_left.c has the files. */
#ifndef CFS_CACHE_JOURNAL_REPLAY_PRIV_H
#define CFS_CACHE_JOURNAL_REPLAY_PRIV_H

#include "cache/journal_record.h"
#include "cache/journal_replay.h"

/* Bytes of one flush, in the order in which they are written. */
struct cfs_journal_range {
    uint64_t offset;
    size_t length;
    const uint8_t *data;
};

struct cfs_journal_ranges {
    struct cfs_journal_range *of;
    size_t count;
};

enum cfs_journal_verdict {
    CFS_JOURNAL_ALL_THERE,  /* nothing is missing */
    CFS_JOURNAL_GO_ON,      /* untouched, or a part of our own writing */
    CFS_JOURNAL_IS_ANOTHER, /* somebody else has changed it */
};

/* FLUSH's file has the ATTRIBUTES now. -errno of the server. */
CFS_CHECKED int cfs_journal_judge(struct cfs_journal_server *server, const struct cfs_journal_record *flush,
                                  const struct cfs_journal_ranges *ranges,
                                  const struct cfs_remote_attributes *attributes,
                                  enum cfs_journal_verdict *ret_verdict);
/* Whether the files at PATH and OTHER, which have SIZE, hold the same bytes. */
CFS_CHECKED int cfs_journal_is_same(struct cfs_journal_server *server, const char *path, const char *other,
                                    uint64_t size, bool *ret_same);
/* Writes RANGES to what is at PATH; with FLAGS as open(2). Afterwards the mode is what it was. */
CFS_CHECKED int cfs_journal_write_ranges(struct cfs_journal_server *server, const char *path, int flags, mode_t mode,
                                         const struct cfs_journal_ranges *ranges);

#endif

/* Brings to the server what a journal says a mount has promised and could not finish, before anybody uses the new
 * mount.
 *
 * What is there is compared first, change by change: what nobody has touched, and what is a part of our own writing, is
 * gone on with; what somebody else has changed meanwhile is never overwritten: then the journal's version is put beside
 * it as NAME.clusterfs-conflict-YYYYMMDDTHHMMSS (UTC), and the log says so. All can be done twice: a change that had
 * been made before the end changes nothing. */
#ifndef CFS_CACHE_JOURNAL_REPLAY_H
#define CFS_CACHE_JOURNAL_REPLAY_H

#include "cache/journal_server.h"
#include <time.h>

struct cfs_journal_replay {
    struct cfs_journal_server server;
    const char *identity;
    struct timespec now; /* the time of day, for the names of conflicts */
    /* The change NUMBER is on the server. NULL: nobody wants to know. */
    void (*is_done)(void *context, uint64_t number);
    void *context;
};

struct cfs_journal_replayed {
    uint64_t changes;   /* done, or that had been done */
    uint64_t files;     /* of them, whose data was written */
    uint64_t conflicts; /* put beside what somebody else has changed */
    uint64_t lost;      /* that could not be done: the log says which, and why */
    char conflict[512]; /* the first conflict's new name */
};

/* A journal of LENGTH bytes. 0: all was tried, RET_REPLAYED says what came of it; -EBADMSG, -EXDEV: it is bad, or
 * foreign, nothing was done; another -errno: the server cannot be reached, or has no room: to be done again later. */
CFS_CHECKED int cfs_journal_replay_bytes(const struct cfs_journal_replay *replay, const uint8_t *bytes, size_t length,
                                         struct cfs_journal_replayed *ret_replayed);

/* All journals of IDENTITY that were left in FOLDER. What is done is removed, what is bad set aside. Adds up. Without
 * locks; waits for the server. */
void cfs_journal_replay_folder(const char *folder, const char *identity, struct cfs_remote *remote,
                               struct cfs_journal_replayed *ret_replayed);

#endif

/* What a handle says of its file: attributes, and a few bytes at places that nobody can foresee. Two handles that say
 * the same lead to the same file, or to one that differs from it nowhere where we looked. All on the loop's thread. */
#ifndef CFS_REMOTE_LOOK_H
#define CFS_REMOTE_LOOK_H

#include "remote/operation_priv.h"

enum { CFS_LOOK_PLACES = 2, CFS_LOOK_BYTES = 4096 };

struct cfs_look {
    struct cfs_step asked[1 + CFS_LOOK_PLACES];
    unsigned waiting; /* for so many answers */
    struct cfs_remote_attributes attributes;
    size_t length[CFS_LOOK_PLACES];
    uint8_t bytes[CFS_LOOK_PLACES][CFS_LOOK_BYTES];
};

/* Chooses where to look in a file of SIZE bytes: a random place, and the end. -errno. */
CFS_CHECKED int cfs_look_choose(uint64_t size, uint64_t ret_places[CFS_LOOK_PLACES]);
/* Asks by HANDLE, on LANE; not for bytes if PLACES is NULL. THEN gets each answer. False: OPERATION has ended. */
CFS_CHECKED bool cfs_look_ask(struct cfs_look *look, struct cfs_operation *operation, struct cfs_lane *lane,
                              const struct cfs_sftp_handle *handle, const uint64_t *places, cfs_part_function *then);
/* Whether STEP is one of LOOK's. */
bool cfs_look_has(const struct cfs_look *look, const struct cfs_step *step);
void cfs_look_note(struct cfs_look *look, const struct cfs_step *step, const struct cfs_sftp_reply *reply);
bool cfs_looks_agree(const struct cfs_look *look, const struct cfs_look *other);

#endif

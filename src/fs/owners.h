/* Whose files: the owners that the server tells, as numbers of this machine, and back (option idmap).
 *
 *   user  What belongs to the remote login is shown as the mounting user's (uid and gid of the profile); other numbers
 *         stay as they are. Back: the profile's uid is the login's; the profile's gid, on a file of the login's, keeps
 * the group that the file has on the server, so that `cp -p` and `chown me:mygroup` do no harm. none  The server's
 * numbers. name  The server's numbers are translated by name (users-groups-by-id@openssh.com and the local user
 * database); a name that is not known here keeps its number. With none and name, uid and gid of the profile, where the
 * user gave them, are shown for all files.
 *
 * Which uid is the login's? The owner of the first file that we create; until there is one, that of the home folder, or
 * else of the mount's root; neither if that is the server's root, unless we log in as root. Any thread. */
#ifndef CFS_FS_OWNERS_H
#define CFS_FS_OWNERS_H

#include "conf/profile.h"
#include "remote/remote.h"
#include <sys/stat.h>

struct cfs_owners;

/* PROFILE must outlive it. -ENOMEM. */
CFS_CHECKED int cfs_owners_new(const struct cfs_profile *profile, const struct cfs_remote_facts *facts,
                               struct cfs_owners **ret_owners);
void cfs_owners_free(struct cfs_owners *owners);

void cfs_owners_to_local(struct cfs_owners *owners, const struct cfs_remote_attributes *attributes, uid_t *ret_uid,
                         gid_t *ret_gid);
/* For chown: the remote ids that UID and GID stand for, NULL for what shall stay. CURRENT is the file as it is on the
 * server, owner included. -EPERM: the server has no such name, as far as we know. */
CFS_CHECKED int cfs_owners_to_remote(struct cfs_owners *owners, const struct cfs_remote_attributes *current,
                                     const uid_t *uid, const gid_t *gid, uid_t *ret_uid, gid_t *ret_gid);

/* ATTRIBUTES are of a file that we created. */
void cfs_owners_saw_own(struct cfs_owners *owners, const struct cfs_remote_attributes *attributes);
void cfs_owners_saw_root(struct cfs_owners *owners, const struct cfs_remote_attributes *attributes);

enum { CFS_OWNERS_BATCH = 128 };
struct cfs_unknown_ids {
    uint32_t uids[CFS_OWNERS_BATCH], gids[CFS_OWNERS_BATCH];
    size_t uid_count, gid_count;
};
/* With idmap = name: adds to IDS what of ATTRIBUTES must be asked for. False: IDS is full. */
CFS_CHECKED bool cfs_owners_ask(struct cfs_owners *owners, const struct cfs_remote_attributes *attributes,
                                struct cfs_unknown_ids *ids);
/* Looks a name up in the local database, which may take its time. NAME "" or not known here: the number is kept. */
void cfs_owners_learn_name(struct cfs_owners *owners, bool is_group, uint32_t id, const char *name);

#endif

/* Finishing behind: a cfs_remote in front of a cfs_remote (the contents) that tells a program that something is done
 * when it is certain to happen, and does it afterwards, in order. cfs_cache_new puts the names in front of it.
 *
 * What completes before the server was asked:
 * - A change of mode or times of what this mount made within the last minute, and so owns (own.h). Changes that come
 * together are sent as one, with the rename of the file if one follows. So is, meanwhile, opening such a file for
 * reading: the server is asked when it is read.
 * - Making a file, where the names vouch that nothing stands in the way (cfs_behind_vouched), in a folder in which the
 * server has let us make something before, or that we have made ourselves. Until the program flushes or closes the file
 * nothing is sent, and then all of it at once, for which flush and close wait (behind_put.c).
 * - With durability = fsync, too: making a file, which begins at once, or a folder, or renaming a file of our own
 * making, where the names vouch for it likewise; flush; close.
 * All else waits for the server, as below.
 *
 * What is on its way is ordered by name (jobs.c): an operation on a path waits for those that came before it on this
 * path, on a folder above, and, where it sees what lies below, on what lies below; on others it does not wait. So five
 * hundred files are made at once, and each in the order open, write, set, rename. Files that are being made collect
 * what is written to them. Reading attributes of what is on its way is answered from what is foreseen.
 *
 * Names are taken as they are: who opens a file by way of a link must wait for what is on its way to the file himself
 * (src/fs opens no links).
 *
 * What fails afterwards: everything that depends on it is not done (a target is not replaced by a file whose data could
 * not be written); each file is logged once, told to who has it open, to its next use by name, to fsync and sync, and
 * counted for the end of the mount (cfs_behind_finish). A file that somebody else has made under the name of one that
 * is on its way is never overwritten unasked: it is opened as the program's own flags say.
 *
 * What waits here is bounded: by a number of changes and by bytes. Beyond, calls complete when the server has answered.
 */
#ifndef CFS_CACHE_BEHIND_H
#define CFS_CACHE_BEHIND_H

#include "base/loop.h"
#include "cache/cache.h"

/* Of OPTIONS it uses clock, dirty_limit and durability. LOWER and LOOP stay the caller's. TOLD: what is at PATH is not
 * what was promised: it FAILED, or is different. Called on the loop's thread, without locks. -ENOMEM. */
CFS_CHECKED int cfs_behind_new(struct cfs_remote *lower, const struct cfs_cache_options *options, struct cfs_loop *loop,
                               void (*told)(void *context, const char *path, bool failed), void *context,
                               struct cfs_remote **ret_behind);
/* Another face of the same remote: who hands open (with O_CREAT), mkdir or rename to it vouches that by all he knows it
 * will succeed: the name is absent; of rename, that the old name is there, and the new one is absent, or that of no
 * folder. Both faces take the same files. Calls are cancelled at either. */
struct cfs_remote *cfs_behind_vouched(struct cfs_remote *behind);
/* An open file as the remote below knows it; NULL if it does not yet. */
struct cfs_remote_file *cfs_behind_below(struct cfs_remote_file *file);
/* Waits until nothing is on its way, and tells what has failed since the mount began. Not on the loop's thread; no
 * call may be submitted any more. */
void cfs_behind_finish(struct cfs_remote *behind, struct cfs_cache_failures *ret_failures);
/* Adds what is on its way: dirty_bytes, changes. Any thread. */
void cfs_behind_status(struct cfs_remote *behind, struct cfs_cache_status *status);
/* After cfs_behind_finish, when the loop does not run any more. NULL is fine. */
void cfs_behind_free(struct cfs_remote *behind);

#endif

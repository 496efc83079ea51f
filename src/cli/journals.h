/* The journals of a mount (cache/journal.h): its own, and those that earlier mounts of the same folder have left. */
#ifndef CFS_CLI_JOURNALS_H
#define CFS_CLI_JOURNALS_H

#include "base/bytes.h"
#include "cache/journal.h"
#include "conf/profile.h"
#include "remote/remote.h"

/* Before anybody uses the mount: brings to the server what earlier mounts have left, and says so; then begins the
 * mount's own journal, if its options want one. NULL: there is none, the log says why it could not be made. WILL_LOG is
 * called before the replay, if there is something to replay. Waits for the server. */
struct cfs_journal *cfs_journals_open(const struct cfs_profile *profile, struct cfs_remote *remote,
                                      void (*will_log)(void *context), void *context);
/* A sentence for who is told of losses: that the journal has kept something, if it has. JOURNAL may be NULL. */
void cfs_journals_tell_kept(struct cfs_journal *journal, struct cfs_buffer *words);

#endif

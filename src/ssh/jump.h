/* The way to a server through a jump host (profile->hop): a login there, and channels from it to the server (RFC 4254,
 * 7.2), each of which carries a session of its own. The hop may itself be reached through another one: its profile says
 * so, and its session then has a jump of its own.
 *
 * There is one login at the hop, with a thread of its own, for all sessions that go through it. It is made when the
 * first is dialled, and again when it is found to be lost. What is checked there, key, user, host key, is the hop's own
 * profile's matter; the server's keys are checked by the session within, under the server's own name. */
#ifndef CFS_SSH_JUMP_H
#define CFS_SSH_JUMP_H

#include "base/error.h"
#include "conf/profile.h"
#include "ssh/line.h"
#include "ssh/prompter.h"
#include <stdint.h>

struct cfs_ssh_jump;

/* NULL when memory or descriptors are short. */
struct cfs_ssh_jump *cfs_ssh_jump_new(void);
/* All that was dialled must have been closed, and nobody dial any more. Not on the thread of any session. NULL is fine.
 */
void cfs_ssh_jump_free(struct cfs_ssh_jump *jump);
CFS_DEFINE_CLEANUP(struct cfs_ssh_jump, cfs_ssh_jump_free)

/* Opens a way to PROFILE's host and port through its hop, where it logs in first if need be, within the hop's own
 * limits (PROMPTER, which may be NULL, is asked). The channel has PATIENCE_MS. Blocks; any thread, several at a time.
 * RET_FD is non-blocking and close-on-exec, RET_LINE belongs to the caller. -errno, and ERROR says which host could not
 * be reached from which. */
CFS_CHECKED int cfs_ssh_jump_dial(struct cfs_ssh_jump *jump, const struct cfs_profile *profile,
                                  struct cfs_prompter *prompter, int cancel_fd, uint32_t patience_ms, int *ret_fd,
                                  struct cfs_ssh_line **ret_line, struct cfs_error *error);

/* Somebody had to answer for the last login at the hop, or at one before it. Any thread. */
bool cfs_ssh_jump_by_person(const struct cfs_ssh_jump *jump);

#endif

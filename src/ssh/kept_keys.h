/* Private keys that somebody has unlocked with a passphrase, kept for the connections that follow (option `keep_keys`):
 * in memory that is never written to swap or to a core, and wiped at the end. */
#ifndef CFS_SSH_KEPT_KEYS_H
#define CFS_SSH_KEPT_KEYS_H

#include "base/cleanup.h"
#include "ssh/key_file.h"
#include <stdbool.h>

struct cfs_kept_keys;

/* NULL without memory. All that follows: any thread. */
struct cfs_kept_keys *cfs_kept_keys_new(void);
/* Wipes all. NULL is fine. */
void cfs_kept_keys_free(struct cfs_kept_keys *kept);
CFS_DEFINE_CLEANUP(struct cfs_kept_keys, cfs_kept_keys_free)

/* Keeps KEY, which is unlocked; one of the same file is replaced. -errno: it is not kept (-EPERM, -ENOMEM, -EAGAIN: the
 * system does not lock so much memory for us). */
CFS_CHECKED int cfs_kept_keys_keep(struct cfs_kept_keys *kept, const struct cfs_key_file *key);
/* Unlocks KEY, which was opened, if it is kept: of the same file, and as far as that shows it, the same key. False: it
 * is as it was. */
bool cfs_kept_keys_unlock(struct cfs_kept_keys *kept, struct cfs_key_file *key);

#endif

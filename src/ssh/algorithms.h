/* Which algorithms we offer, in which order. */
#ifndef CFS_SSH_ALGORITHMS_H
#define CFS_SSH_ALGORITHMS_H

#include "base/error.h"
#include "conf/profile.h"
#include "ssh/kexinit.h"
#include <libssh2.h>
#include <stddef.h>

enum { CFS_SSH_ALGORITHM_LIST = 512 };

/* The host key algorithms to ask for, comma-separated: those for the KNOWN types of key first (a server that is known
 * by its Ed25519 key must not surprise us with its RSA key), then the rest. Never certificates: libssh2 does not check
 * who signed them. */
void cfs_ssh_host_key_order(const cfs_words known_types, char ret_list[CFS_SSH_ALGORITHM_LIST]);

/* Sets all preferences of a session that has not begun. -EINVAL with CFS_FAILURE_CONFIG when `ciphers` names none that
 * exists, -ENOMEM. */
CFS_CHECKED int cfs_ssh_set_algorithms(LIBSSH2_SESSION *session, const struct cfs_profile *profile,
                                       const cfs_words known_types, struct cfs_error *error);

/* What we and a server that OFFERs so have nothing of in common: "cipher", and the server's list (OFFER's). NULL:
 * nothing is missing. */
const char *cfs_ssh_find_disagreement(const struct cfs_profile *profile, const struct cfs_ssh_offer *offer,
                                      const char **ret_theirs);

#endif

/* User authentication (RFC 4252) over a libssh2 session, non-blocking, on the connecting thread. The session's abstract
 * pointer is the transport's: a keyboard-interactive callback finds its context by
 * cfs_ssh_transport_of(session)->auth_context. */
#ifndef CFS_SSH_AUTH_H
#define CFS_SSH_AUTH_H

#include "base/error.h"
#include "conf/profile.h"
#include "ssh/kept_keys.h"
#include "ssh/patience.h"
#include "ssh/prompter.h"
#include <libssh2.h>
#include <stdbool.h>

/* How a login was made. */
struct cfs_ssh_login {
    char method[160]; /* "publickey /home/a/.ssh/id_ed25519" */
    char key[64];     /* the fingerprint of the (first) key that was accepted; "": none */
    bool by_person;   /* somebody had to do something for it, and would have to for the next one */
};

/* Tries, in order: the key with the fingerprint FIRST_KEY (NULL: none is known), agent keys that match identity_files,
 * other identity files, other agent keys (unless identities_only), keyboard-interactive, password - each only when the
 * server offers the method; a refused key is not tried twice; the number of keys offered stays below the server's usual
 * MaxAuthTries (6). -errno with a sentence that says which keys were offered and why each was not taken
 * (CFS_FAILURE_LOGIN, CFS_FAILURE_KEY_FILE, ...). Keys that are unlocked by a person are put into KEPT, and taken from
 * there; NULL: no key is kept. */
CFS_CHECKED int cfs_ssh_authenticate(LIBSSH2_SESSION *session, const struct cfs_profile *profile,
                                     struct cfs_prompter *prompter, struct cfs_ssh_waiter *waiter,
                                     const char *first_key, struct cfs_kept_keys *kept, struct cfs_ssh_login *ret_login,
                                     struct cfs_error *error);

#endif

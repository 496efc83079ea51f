/* The beginning of an SSH connection: greetings and key exchange (RFC 4253), up to the server's proof of its host key.
 */
#ifndef CFS_SSH_KEX_H
#define CFS_SSH_KEX_H

#include "base/error.h"
#include "conf/profile.h"
#include "ssh/waiter.h"

/* Exchanges keys over the waiter's transport, until the waiter's deadline. ADDRESS is for the sentences. The host key
 * is proven to be the server's, but not yet checked against anything. The service to log in has been asked for;
 * libssh2's handshake is left to cfs_ssh_authenticate where it waits for the answer (transport->handshake_unfinished).
 * -errno with CFS_FAILURE_CONNECT (closed at once), _TIMEOUT, _PROTOCOL (no SSH, no common algorithm), _CANCELLED,
 * _CONFIG (ciphers). Blocks. */
CFS_CHECKED int cfs_ssh_exchange_keys(const struct cfs_profile *profile, const char *address,
                                      struct cfs_ssh_connect_waiter *waiter, struct cfs_error *error);

#endif

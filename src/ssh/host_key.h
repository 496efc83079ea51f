/* Whether a host key is the right one: the profile's pin, known_hosts (sshd(8), "SSH_KNOWN_HOSTS FILE FORMAT") and the
 * policy. */
#ifndef CFS_SSH_HOST_KEY_H
#define CFS_SSH_HOST_KEY_H

#include "base/error.h"
#include "conf/profile.h"
#include "ssh/prompter.h"
#include <stddef.h>
#include <stdint.h>

/* Decides about the key that the server proved to hold (BLOB, RFC 4253 section 6.6). Asks or records it where the
 * policy says so (the new line is appended to the first known_hosts file, made 0600 in a 0700 folder where missing). 0,
 * or -errno with a sentence: unknown (with fingerprint and how to accept it), changed (both fingerprints, file and
 * line, how to proceed if the host was rebuilt), revoked, pin mismatch. Blocks at a prompt. */
CFS_CHECKED int cfs_host_key_check(const struct cfs_profile *profile, const uint8_t *blob, size_t length,
                                   struct cfs_prompter *prompter, struct cfs_error *error);

/* The key types ("ssh-ed25519", ...) that the known_hosts files hold for this host, in a NULL-terminated list owned by
 * the caller (cfs_words_free), so that the key exchange asks for one that we can verify. Empty when none is known. */
CFS_CHECKED int cfs_host_key_known_types(const struct cfs_profile *profile, cfs_words *ret_types);

/* "SHA256:..." (unpadded base64) of a key blob; NULL if memory is short. The caller frees. */
char *cfs_host_key_fingerprint(const uint8_t *blob, size_t length);

#endif

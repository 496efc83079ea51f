/* Whether a host key is the right one: the profile's pin, known_hosts (sshd(8), "SSH_KNOWN_HOSTS FILE FORMAT") and the
 * policy. */
#ifndef CFS_SSH_HOST_KEY_H
#define CFS_SSH_HOST_KEY_H

#include "base/error.h"
#include "conf/profile.h"
#include "ssh/known_hosts.h"
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
/* "ssh-ed25519", printable; likewise. */
char *cfs_host_key_type(const uint8_t *blob, size_t length);

/* What is known about a profile's host. Initialise with {0}. */
struct cfs_host_key_known {
    char *name;                          /* as known_hosts has it: an alias, "host", or "[host]:port" */
    struct cfs_known_hosts named;        /* the lines that match it */
    struct cfs_known_hosts without_port; /* where the port is not 22: those of the bare name, good for any port */
    const char *unreadable;              /* a file that is there and cannot be read; the profile's; NULL */
};

/* Reads the profile's known_hosts files; bad lines are logged unless QUIET. -errno with a sentence. */
CFS_CHECKED int cfs_host_key_look_up(const struct cfs_profile *profile, bool quiet,
                                     struct cfs_host_key_known *ret_known, struct cfs_error *error);
void cfs_host_key_known_fini(struct cfs_host_key_known *known);
#define CFS_AUTO_HOST_KEY_KNOWN __attribute__((cleanup(cfs_host_key_known_fini)))

enum cfs_host_key_verdict {
    CFS_HOST_KEY_KNOWN,
    CFS_HOST_KEY_UNKNOWN,
    CFS_HOST_KEY_CHANGED, /* another one is known */
    CFS_HOST_KEY_REVOKED,
    CFS_HOST_KEY_PINNED, /* it is the one that the profile's host_key_fingerprint demands; known_hosts is then not asked
                          */
    CFS_HOST_KEY_NOT_PINNED,
};

/* What that says of a key. *RET_ENTRY: the line that decides (of a changed key, what should have been); NULL: none. */
enum cfs_host_key_verdict cfs_host_key_judge(const struct cfs_profile *profile, const struct cfs_host_key_known *known,
                                             const uint8_t *blob, size_t length,
                                             const struct cfs_known_host **ret_entry);
/* Whether a fingerprint that a person has given is this one. */
bool cfs_host_key_pin_matches(const char *pin, const char *fingerprint);

#endif

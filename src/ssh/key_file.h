/* Identity files: OpenSSH's own form, PEM (PKCS#1, SEC1; encrypted or not), PKCS#8 and PuTTY's; RSA, ECDSA, Ed25519. */
#ifndef CFS_SSH_KEY_FILE_H
#define CFS_SSH_KEY_FILE_H

#include "base/error.h"
#include "ssh/prompter.h"
#include <stddef.h>
#include <stdint.h>

struct cfs_key_file; /* one identity: its public key and, once unlocked, its private key, in memory that is wiped */

/* Reads the file and its public key (from the private file itself, or from NAME.pub when the private one is encrypted
 * in a form that hides it). Refuses missing, unreadable, too large, unknown files, public keys given by mistake, and a
 * mode that lets group or others read it (with the chmod to run). -errno.
 */
CFS_CHECKED int cfs_key_file_open(const char *path, struct cfs_key_file **ret_key, struct cfs_error *error);
void cfs_key_file_free(struct cfs_key_file *key);
CFS_DEFINE_CLEANUP(struct cfs_key_file, cfs_key_file_free)

const char *cfs_key_file_path(const struct cfs_key_file *key);
/* The public key as an SSH blob (RFC 4253, 6.6); LENGTH 0 when it is not known before the key is unlocked. */
const uint8_t *cfs_key_file_public_blob(const struct cfs_key_file *key, size_t *ret_length);

/* Makes the private key usable: asks for the passphrase (PASSPHRASE first when not NULL; three tries at the prompt)
 * where needed. */
CFS_CHECKED int cfs_key_file_unlock(struct cfs_key_file *key, const char *passphrase, struct cfs_prompter *prompter,
                                    struct cfs_error *error);

/* Signs DATA for SSH user authentication. ALGORITHM ("rsa-sha2-512", "ecdsa-sha2-nistp256", "ssh-ed25519") must fit the
 * key. The result is the signature blob as in RFC 4252 (string algorithm, string signature inside); the caller frees
 * it. The key must be unlocked. */
CFS_CHECKED int cfs_key_file_sign(struct cfs_key_file *key, const char *algorithm, const void *data, size_t length,
                                  uint8_t **ret_signature, size_t *ret_length);

#endif

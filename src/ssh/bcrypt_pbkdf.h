/* bcrypt_pbkdf: from a passphrase to the key that encrypts an OpenSSH identity file (PROTOCOL.key of OpenSSH, section
 * 2). */
#ifndef CFS_SSH_BCRYPT_PBKDF_H
#define CFS_SSH_BCRYPT_PBKDF_H

#include "base/cleanup.h"
#include <stddef.h>
#include <stdint.h>

enum { CFS_BCRYPT_MAX_KEY = 1024, CFS_BCRYPT_MAX_SALT = 1024 };

/* Fills KEY with KEY_LENGTH bytes (1 to CFS_BCRYPT_MAX_KEY). ROUNDS >= 1 costs about 5 ms each for 32 bytes. Any
 * thread. -EINVAL for an empty passphrase or salt and numbers out of range, -ENOMEM when OpenSSL has no SHA-512. */
CFS_CHECKED int cfs_bcrypt_pbkdf(const void *passphrase, size_t passphrase_length, const uint8_t *salt,
                                 size_t salt_length, uint32_t rounds, uint8_t *key, size_t key_length);

#endif

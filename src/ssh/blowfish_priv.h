/* Blowfish, as far as bcrypt needs it: the cipher with its costly key schedule. For src/ssh/bcrypt_pbkdf.c alone;
 * nothing is encrypted with it. */
#ifndef CFS_SSH_BLOWFISH_PRIV_H
#define CFS_SSH_BLOWFISH_PRIV_H

#include <stddef.h>
#include <stdint.h>

struct cfs_blowfish {
    uint32_t subkeys[18];
    uint32_t boxes[4][256];
};

/* The state before any key: digits of pi. */
extern const struct cfs_blowfish cfs_blowfish_start;

/* Encrypts one block, in two halves. */
void cfs_blowfish_encrypt(const struct cfs_blowfish *state, uint32_t halves[2]);

/* Mixes KEY into the subkeys and replaces the whole state by a chain of encryptions, into which SALT is mixed
 * (bcrypt's ExpandKey); SALT may be NULL for none. Both lengths must be multiples of 4 and not 0. */
void cfs_blowfish_expand(struct cfs_blowfish *state, const uint8_t *salt, size_t salt_length, const uint8_t *key,
                         size_t key_length);

#endif

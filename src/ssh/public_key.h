/* Public keys as SSH has them (RFC 4253, section 6.6): what they are, and whether they are well formed. Any thread. */
#ifndef CFS_SSH_PUBLIC_KEY_H
#define CFS_SSH_PUBLIC_KEY_H

#include "base/cleanup.h"
#include <stddef.h>
#include <stdint.h>

struct cfs_public_key_facts {
    const char *kind; /* as ssh-keygen -l writes it: "RSA", "ECDSA-SK"; static */
    unsigned bits;
};

/* Looks whether all of the blob is one key of a type that servers take. -EOPNOTSUPP: of another type (DSA and
 * certificates among them); -EBADMSG: damaged. */
CFS_CHECKED int cfs_public_key_check(const uint8_t *blob, size_t length, struct cfs_public_key_facts *ret_facts);

/* The name of the type at the begin of a blob ("ssh-rsa"), printable; "?" if there is none. */
void cfs_public_key_type(const uint8_t *blob, size_t length, char *ret_type, size_t size);

#endif

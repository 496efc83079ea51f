/* Keys written down: a private key in OpenSSH's own form, a public one as the line that stands in .pub files. */
#ifndef CFS_SSH_KEY_WRITE_H
#define CFS_SSH_KEY_WRITE_H

#include "base/bytes.h"
#include "ssh/key_file.h"
#include <stdbool.h>

/* Appends the private key, which must be unlocked, as the text of a file in OpenSSH's form (PROTOCOL.key of OpenSSH).
 * With PASSPHRASE encrypted as ssh-keygen does it (bcrypt, aes256-ctr), which takes a fraction of a second; NULL: in
 * the clear. TEXT must have been made by cfs_buffer_init_secret. Any thread. -ENOKEY when it is not unlocked, -EINVAL
 * for an empty passphrase, -EOPNOTSUPP, -EIO without random numbers, -ENOMEM. */
CFS_CHECKED int cfs_key_write_private(const struct cfs_key_file *key, const char *comment, const char *passphrase,
                                      struct cfs_buffer *text);

/* "ssh-ed25519 AAAA... COMMENT" without a newline; COMMENT may be NULL or "". The caller frees; NULL if memory is short
 * or the blob is none. */
char *cfs_key_write_public(const uint8_t *blob, size_t length, const char *comment);

/* True when PATH is a public key's file, and the key is KEY's. */
bool cfs_key_file_is_public_file_of(const struct cfs_key_file *key, const char *path);

/* What the file says of an unlocked key; printable, "" for nothing. The caller frees; NULL if memory is short. */
char *cfs_key_file_comment(const struct cfs_key_file *key);

#endif

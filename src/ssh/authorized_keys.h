/* The lines of authorized_keys (sshd(8), AUTHORIZED_KEYS FILE FORMAT), which are those of .pub files as well: read, and
 * edited so that nothing else of the file changes. Pure; any thread. */
#ifndef CFS_SSH_AUTHORIZED_KEYS_H
#define CFS_SSH_AUTHORIZED_KEYS_H

#include "base/bytes.h"
#include "base/error.h"
#include <stdbool.h>

/* A line that holds a key. */
struct cfs_authorized_key {
    unsigned line;         /* from 1 */
    size_t offset, length; /* of the line in the text, with its end */
    char *options;         /* as they stand there; NULL: none */
    uint8_t *blob;         /* begins with the type that the line names; not checked further */
    size_t blob_length;
    char *comment; /* as it stands there, without blanks around it; "" for none */
};

/* Initialise with {0}. In the order of the lines. */
struct cfs_authorized_keys {
    struct cfs_authorized_key *entries;
    size_t count;
    unsigned *odd; /* the numbers of lines that are neither keys nor comments nor blank */
    size_t odd_count;
};

void cfs_authorized_keys_fini(struct cfs_authorized_keys *keys); /* leaves an empty list */
#define CFS_AUTO_AUTHORIZED_KEYS __attribute__((cleanup(cfs_authorized_keys_fini)))

/* Reads TEXT, which may be anything. -ENOMEM. */
CFS_CHECKED int cfs_authorized_keys_parse(const void *text, size_t length, struct cfs_authorized_keys *ret_keys);

/* Moves the entries of MORE to the end of KEYS; the rest of MORE stays. -ENOMEM: nothing is moved. */
CFS_CHECKED int cfs_authorized_keys_append(struct cfs_authorized_keys *keys, struct cfs_authorized_keys *more);

/* The first line that is for what WANTED is for: the same key, and an authority's line if WANTED is one. NULL. */
const struct cfs_authorized_key *cfs_authorized_keys_find(const struct cfs_authorized_keys *keys,
                                                          const struct cfs_authorized_key *wanted);
/* The key's options make it an authority's (cert-authority): it signs certificates, and lets nobody in itself. */
bool cfs_authorized_key_is_authority(const struct cfs_authorized_key *key);

/* As `ssh-keygen -l` describes a key: "256 SHA256:... comment (ED25519)"; printable. The caller frees; NULL if memory
 * is short. */
char *cfs_authorized_key_describe(const struct cfs_authorized_key *key);

/* Appends to AFTER what BEFORE is with those of ADDED that it does not have, a line each (options, type, key, comment).
 * *RET_COUNT: how many these are. -ENOMEM. */
CFS_CHECKED int cfs_authorized_keys_add(const struct cfs_buffer *before, const struct cfs_authorized_keys *added,
                                        struct cfs_buffer *after, size_t *ret_count);
/* Appends to AFTER what BEFORE is without the lines of these keys, authorities' lines among them. */
CFS_CHECKED int cfs_authorized_keys_remove(const struct cfs_buffer *before, const struct cfs_authorized_keys *removed,
                                           struct cfs_buffer *after, size_t *ret_count);

/* What somebody has given as his public key, in the file NAME (for sentences): lines as above, or RFC 4716, as
 * PuTTYgen saves it. All of it must be keys that a server takes, and none has options unless MAY_HAVE_OPTIONS. A
 * private key is refused, -ENOTSUP. All with CFS_FAILURE_KEY_FILE and a sentence. */
CFS_CHECKED int cfs_public_keys_parse(const char *name, const void *text, size_t length, bool may_have_options,
                                      struct cfs_authorized_keys *ret_keys, struct cfs_error *error);
/* The same from the file itself. */
CFS_CHECKED int cfs_public_keys_read(const char *path, bool may_have_options, struct cfs_authorized_keys *ret_keys,
                                     struct cfs_error *error);

#endif

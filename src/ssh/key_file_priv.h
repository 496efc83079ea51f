/* What the files about identity files share. All lengths are bytes; all functions may be called on any thread. */
#ifndef CFS_SSH_KEY_FILE_PRIV_H
#define CFS_SSH_KEY_FILE_PRIV_H

#include "base/bytes.h"
#include "base/error.h"
#include "ssh/key_file.h"
#include <openssl/bn.h>
#include <openssl/evp.h>
#include <stdbool.h>

enum cfs_key_form {
    CFS_KEY_OPENSSH, /* "BEGIN OPENSSH PRIVATE KEY": the public key is in the clear */
    CFS_KEY_PEM,     /* PKCS#1, SEC1, PKCS#8 */
    CFS_KEY_PPK,     /* PuTTY's, version 2 and 3: the public key is in the clear */
};

struct cfs_key_file {
    char *path;
    struct cfs_buffer contents; /* the file; wiped and empty once the key is unlocked */
    enum cfs_key_form form;
    bool encrypted;
    struct cfs_buffer public_blob; /* RFC 4253, section 6.6; empty while unknown */
    struct cfs_buffer comment;     /* what the file says of it, from unlocking on; may be empty, may be anything */
    EVP_PKEY *private_key;         /* NULL until unlocked */
};

enum { CFS_KEY_FILE_MAX = 64 << 10, CFS_KEY_MAX_RSA_BITS = 16384 };

CFS_DEFINE_CLEANUP(EVP_PKEY, EVP_PKEY_free)
CFS_DEFINE_CLEANUP(BIGNUM, BN_clear_free)

/* cfs_key_file_open without the file: its name (for sentences) and its bytes. Does not look for NAME.pub. */
CFS_CHECKED int cfs_key_file_parse(const char *path, const void *bytes, size_t length, struct cfs_key_file **ret_key,
                                   struct cfs_error *error);

/* KEY is unlocked with PRIVATE_KEY, which it takes also when that fails: -ENOMEM, -EOPNOTSUPP. */
CFS_CHECKED int cfs_key_file_adopt(struct cfs_key_file *key, EVP_PKEY *private_key);

/* The failures of what follows: -EKEYREJECTED (the passphrase is wrong; NULL when one is needed), -EBADMSG (damaged),
 * -EOPNOTSUPP (a type, curve or cipher that we do not have), -ENOMEM. Text need not end with NUL. */

/* OpenSSH's own form: the public key and whether a passphrase is needed; then the private key, and the comment, which
 * is appended. */
CFS_CHECKED int cfs_key_openssh_read_public(const char *text, size_t length, struct cfs_buffer *public_blob,
                                            bool *ret_encrypted);
CFS_CHECKED int cfs_key_openssh_read_private(const char *text, size_t length, const char *passphrase,
                                             EVP_PKEY **ret_key, struct cfs_buffer *comment);
/* The private key out of the decrypted part of that form: type and numbers, which READER is left behind. */
CFS_CHECKED int cfs_key_openssh_build(struct cfs_reader *reader, EVP_PKEY **ret_key);

/* Decrypts what OpenSSH encrypted: CIPHER is its name for the algorithm. PLAIN has the length of the encrypted bytes.
 */
CFS_CHECKED int cfs_key_decrypt(const char *cipher, const char *passphrase, const uint8_t *salt, size_t salt_length,
                                uint32_t rounds, const uint8_t *encrypted, size_t length, const uint8_t *tag,
                                size_t tag_length, uint8_t *plain);
/* The block size and the length of the tag; -EOPNOTSUPP. */
CFS_CHECKED int cfs_key_cipher_sizes(const char *cipher, size_t *ret_block, size_t *ret_tag);

CFS_CHECKED int cfs_key_pem_read(const char *text, size_t length, const char *passphrase, EVP_PKEY **ret_key,
                                 struct cfs_buffer *comment); /* has none */
bool cfs_key_pem_is_encrypted(const char *text, size_t length);

/* PuTTY's form, as OpenSSH's. */
bool cfs_key_is_ppk(const char *text, size_t length);
CFS_CHECKED int cfs_key_ppk_read_public(const char *text, size_t length, struct cfs_buffer *public_blob,
                                        bool *ret_encrypted);
CFS_CHECKED int cfs_key_ppk_read_private(const char *text, size_t length, const char *passphrase, EVP_PKEY **ret_key,
                                         struct cfs_buffer *comment);

/* The public half of a key as a blob, appended. -EOPNOTSUPP for keys that SSH does not know. */
CFS_CHECKED int cfs_key_public_blob(EVP_PKEY *key, struct cfs_buffer *blob);
/* "ssh-ed25519 AAAA... comment", the form of .pub files: appends the blob. -EBADMSG. */
CFS_CHECKED int cfs_key_read_public_line(const char *text, size_t length, struct cfs_buffer *blob);
/* The same from a file, which anybody may be able to read. -errno of open(2) and read(2), -EFBIG, -EBADMSG. */
CFS_CHECKED int cfs_key_read_public_file(const char *path, struct cfs_buffer *blob);
/* A positive number (RFC 4251, section 5: mpint) from its bytes, most significant first. */
void cfs_key_add_mpint(struct cfs_buffer *buffer, const uint8_t *bytes, size_t length);
/* The SSH and OpenSSL names of a curve: "nistp256", "prime256v1"; NULL for another. */
const char *cfs_key_curve_to_openssl(const uint8_t *name, size_t length);
const char *cfs_key_curve_from_openssl(const char *name);

/* Finds a text in bytes: at its place, or NULL. */
const char *cfs_key_find(const char *text, size_t length, const char *wanted);

#endif

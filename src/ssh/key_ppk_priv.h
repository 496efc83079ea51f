/* PuTTY's key files (.ppk), versions 2 and 3, as PuTTY's manual describes them (appendix C, "PPK file format"): what
 * key_ppk.c reads out of the text, and key_ppk_unlock.c makes a key of. Any thread. */
#ifndef CFS_SSH_KEY_PPK_PRIV_H
#define CFS_SSH_KEY_PPK_PRIV_H

#include "ssh/key_file_priv.h"

enum {
    CFS_PPK_MAC_MOST = 32,
    CFS_PPK_BLOCK = 16, /* of aes256-cbc */
    CFS_PPK_SALT_MOST = 64,
};

struct cfs_ppk_text {
    const char *text; /* a part of the file */
    size_t length;
};

struct cfs_ppk {
    unsigned version;                               /* 2 or 3 */
    struct cfs_ppk_text algorithm, cipher, comment; /* all of them go into the MAC */
    bool encrypted;
    struct cfs_buffer public_blob;  /* RFC 4253, section 6.6 */
    struct cfs_buffer private_part; /* wiped; encrypted, if it is */
    /* version 3, encrypted: RFC 9106 */
    struct cfs_ppk_text derivation; /* "Argon2id" */
    uint32_t memory_kib, passes, parallelism;
    uint8_t salt[CFS_PPK_SALT_MOST];
    size_t salt_length;
    uint8_t mac[CFS_PPK_MAC_MOST];
    size_t mac_length;
};

/* key_ppk.c: PPK refers to TEXT, which stays the caller's; to be freed in any case. -EBADMSG, -EOPNOTSUPP, -ENOMEM. */
CFS_CHECKED int cfs_ppk_parse(const char *text, size_t length, struct cfs_ppk *ret_ppk);
void cfs_ppk_fini(struct cfs_ppk *ppk);
#define CFS_AUTO_PPK __attribute__((cleanup(cfs_ppk_fini)))

/* key_ppk_unlock.c: decrypts, compares the MAC, and builds the key. The failures of key_file_priv.h. */
CFS_CHECKED int cfs_ppk_unlock(const struct cfs_ppk *ppk, const char *passphrase, EVP_PKEY **ret_key);
/* Gives PPK the MAC that its contents ought to have: fuzzing does not get past it otherwise. */
CFS_CHECKED int cfs_ppk_seal(struct cfs_ppk *ppk, const char *passphrase);

#endif

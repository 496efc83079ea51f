/* PuTTY's key files with a MAC that is right: what stands behind it is read, too. The first byte says what follows: 't'
 * a file as text, of which all but the MAC counts; else version 2 or 3 (its last bit), plain or encrypted (the next;
 * version 2 only: Argon2 is slow), a length of two bytes, so many bytes of public key, and the private part. */
#include "ssh/key_ppk_priv.h"
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static const char passphrase[] = "fuzz";

static void unlock(struct cfs_ppk *ppk)
{
    EVP_PKEY *key CFS_CLEANUP(EVP_PKEY_free) = NULL;
    struct cfs_buffer blob CFS_AUTO_BUFFER = {0};
    if (cfs_ppk_seal(ppk, passphrase) < 0 || cfs_ppk_unlock(ppk, passphrase, &key) < 0)
        return;
    if (cfs_key_public_blob(key, &blob) < 0 || blob.length != ppk->public_blob.length ||
        memcmp(blob.bytes, ppk->public_blob.bytes, blob.length) != 0)
        __builtin_trap(); /* a private key that is not that of the public one */
}

static void try_text(const uint8_t *data, size_t size)
{
    struct cfs_ppk ppk CFS_AUTO_PPK;
    if (cfs_ppk_parse((const char *)data, size, &ppk) == 0 && (!ppk.encrypted || ppk.version == 2))
        unlock(&ppk);
}

static struct cfs_ppk_text text_of(const char *text)
{
    return (struct cfs_ppk_text){text, strlen(text)};
}

static void try_parts(uint8_t flags, const uint8_t *data, size_t size)
{
    struct cfs_ppk ppk CFS_AUTO_PPK = {.comment = text_of("a comment"), .version = 2 + (flags & 1)};
    size_t public_length = (size_t)data[0] << 8 | data[1], length;
    if (public_length > size - 2)
        return;
    ppk.encrypted = (flags & 2) && ppk.version == 2;
    ppk.cipher = text_of(ppk.encrypted ? "aes256-cbc" : "none");
    cfs_buffer_add(&ppk.public_blob, data + 2, public_length);
    cfs_buffer_add(&ppk.private_part, data + 2 + public_length, size - 2 - public_length);
    struct cfs_reader reader = cfs_reader_over(data + 2, public_length);
    const uint8_t *type = cfs_read_string(&reader, &length);
    if (!type || (ppk.encrypted && ppk.private_part.length % CFS_PPK_BLOCK != 0))
        return;
    ppk.algorithm = (struct cfs_ppk_text){(const char *)type, length};
    unlock(&ppk);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (size < 3 || size > CFS_KEY_FILE_MAX)
        return 0;
    if (data[0] == 't')
        try_text(data + 1, size - 1);
    else
        try_parts(data[0], data + 1, size - 1);
    return 0;
}

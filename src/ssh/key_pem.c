/* PEM key files through OpenSSL's own decoders: PKCS#1 ("RSA PRIVATE KEY"), SEC1 ("EC PRIVATE KEY"), PKCS#8, each
 * encrypted or not. */
#include "ssh/key_file_priv.h"
#include <errno.h>
#include <openssl/bio.h>
#include <openssl/err.h>
#include <openssl/pem.h>
#include <string.h>

CFS_DEFINE_CLEANUP(BIO, BIO_free_all)

bool cfs_key_pem_is_encrypted(const char *text, size_t length)
{
    return cfs_key_find(text, length, "-----BEGIN ENCRYPTED PRIVATE KEY-----") ||
           cfs_key_find(text, length, "Proc-Type: 4,ENCRYPTED");
}

/* OpenSSL asks here; without a passphrase it must not ask the terminal, as it does by default. */
static int give_passphrase(char *buffer, int size, int for_writing, void *passphrase)
{
    (void)for_writing;
    size_t length = passphrase ? strlen(passphrase) : 0;
    if (!passphrase || length > (size_t)size)
        return -1;
    memcpy(buffer, passphrase, length);
    return (int)length;
}

/* A key of a kind that OpenSSL reads and SSH does not know is no damaged file: whoever wants its blob finds out. */
int cfs_key_pem_read(const char *text, size_t length, const char *passphrase, EVP_PKEY **ret_key,
                     struct cfs_buffer *comment)
{
    (void)comment;
    if (length > CFS_KEY_FILE_MAX)
        return -EBADMSG;
    bool encrypted = cfs_key_pem_is_encrypted(text, length);
    if (encrypted && !passphrase)
        return -EKEYREJECTED;
    BIO *bytes CFS_CLEANUP(BIO_free_all) = BIO_new_mem_buf(text, (int)length);
    if (!bytes)
        return -ENOMEM;
    char *secret CFS_CLEANUP(cfs_secret_free) = passphrase ? strdup(passphrase) : NULL;
    EVP_PKEY *key = PEM_read_bio_PrivateKey(bytes, NULL, give_passphrase, secret);
    ERR_clear_error();
    if (!key)
        return encrypted ? -EKEYREJECTED : -EBADMSG;
    *ret_key = key;
    return 0;
}

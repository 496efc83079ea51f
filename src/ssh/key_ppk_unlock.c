/* From a PuTTY key file to a key: the passphrase gives a cipher key, an initialisation vector and the key of a MAC
 * (version 3: Argon2; version 2: SHA-1), the MAC covers all of the file with the private part in the clear, and the
 * private numbers, which stand in PuTTY's order, are put into OpenSSH's, from which key_build.c makes the key.
 *
 * Nothing of the private part is looked at before the MAC was found right: of an encrypted file another MAC is a wrong
 * passphrase, of one in the clear a damaged file. */
#include "ssh/key_ppk_priv.h"
#include <argon2.h>
#include <errno.h>
#include <openssl/crypto.h>
#include <openssl/hmac.h>
#include <openssl/sha.h>
#include <string.h>

enum { CIPHER_KEY = 32, ED25519 = 32 };

struct keys {
    uint8_t cipher[CIPHER_KEY], iv[CFS_PPK_BLOCK], mac[CFS_PPK_MAC_MOST];
    size_t mac_length;
};

static void wipe(struct keys *keys)
{
    OPENSSL_cleanse(keys, sizeof(*keys));
}

CFS_DEFINE_CLEANUP(EVP_CIPHER_CTX, EVP_CIPHER_CTX_free)
CFS_DEFINE_CLEANUP(EVP_MD_CTX, EVP_MD_CTX_free)

/* --- keys --- */

static int derive_3(const struct cfs_ppk *ppk, const char *passphrase, struct keys *keys)
{
    static const struct {
        const char *name;
        argon2_type type;
    } types[] = {{"Argon2id", Argon2_id}, {"Argon2i", Argon2_i}, {"Argon2d", Argon2_d}};
    uint8_t derived[CIPHER_KEY + CFS_PPK_BLOCK + CFS_PPK_MAC_MOST];
    for (size_t i = 0; i < CFS_COUNT(types); i++) {
        if (ppk->derivation.length != strlen(types[i].name) ||
            memcmp(ppk->derivation.text, types[i].name, ppk->derivation.length) != 0)
            continue;
        int result =
            argon2_hash(ppk->passes, ppk->memory_kib, ppk->parallelism, passphrase, strlen(passphrase), ppk->salt,
                        ppk->salt_length, derived, sizeof(derived), NULL, 0, types[i].type, ARGON2_VERSION_13);
        if (result != ARGON2_OK)
            return result == ARGON2_MEMORY_ALLOCATION_ERROR ? -ENOMEM : -EBADMSG;
        memcpy(keys->cipher, derived, CIPHER_KEY);
        memcpy(keys->iv, derived + CIPHER_KEY, CFS_PPK_BLOCK);
        memcpy(keys->mac, derived + CIPHER_KEY + CFS_PPK_BLOCK, CFS_PPK_MAC_MOST);
        keys->mac_length = CFS_PPK_MAC_MOST;
        OPENSSL_cleanse(derived, sizeof(derived));
        return 0;
    }
    return -EOPNOTSUPP;
}

/* SHA-1 of PREFIX and the passphrase. */
static int hash_2(const void *prefix, size_t length, const char *passphrase, uint8_t ret_hash[SHA_DIGEST_LENGTH])
{
    EVP_MD_CTX *context CFS_CLEANUP(EVP_MD_CTX_free) = EVP_MD_CTX_new();
    if (!context || EVP_DigestInit_ex(context, EVP_sha1(), NULL) != 1 ||
        EVP_DigestUpdate(context, prefix, length) != 1 ||
        EVP_DigestUpdate(context, passphrase, strlen(passphrase)) != 1 ||
        EVP_DigestFinal_ex(context, ret_hash, NULL) != 1)
        return -EOPNOTSUPP; /* a policy without SHA-1 */
    return 0;
}

static int derive_2(const char *passphrase, struct keys *keys)
{
    static const char mac_prefix[] = "putty-private-key-file-mac-key";
    static const uint8_t first[4] = {0, 0, 0, 0}, second[4] = {0, 0, 0, 1};
    uint8_t hashes[2 * SHA_DIGEST_LENGTH];
    int result = hash_2(mac_prefix, strlen(mac_prefix), passphrase, keys->mac);
    if (result == 0)
        result = hash_2(first, sizeof(first), passphrase, hashes);
    if (result == 0)
        result = hash_2(second, sizeof(second), passphrase, hashes + SHA_DIGEST_LENGTH);
    memcpy(keys->cipher, hashes, CIPHER_KEY);
    OPENSSL_cleanse(hashes, sizeof(hashes));
    keys->mac_length = SHA_DIGEST_LENGTH;
    return result;
}

/* A file in the clear has a MAC with a key that everybody knows; of version 3 that is empty. */
static int derive(const struct cfs_ppk *ppk, const char *passphrase, struct keys *keys)
{
    memset(keys, 0, sizeof(*keys));
    if (ppk->version == 2)
        return derive_2(ppk->encrypted ? passphrase : "", keys);
    return ppk->encrypted ? derive_3(ppk, passphrase, keys) : 0;
}

/* --- the private part --- */

static int decrypt(const struct cfs_ppk *ppk, const struct keys *keys, struct cfs_buffer *plain)
{
    const struct cfs_buffer *part = &ppk->private_part;
    if (!ppk->encrypted) {
        cfs_buffer_add(plain, part->bytes, part->length);
        return plain->failed ? -ENOMEM : 0;
    }
    EVP_CIPHER_CTX *context CFS_CLEANUP(EVP_CIPHER_CTX_free) = EVP_CIPHER_CTX_new();
    uint8_t *room = cfs_buffer_reserve(plain, part->length + CFS_PPK_BLOCK);
    int count = 0, rest = 0;
    if (!context || !room)
        return -ENOMEM;
    if (EVP_DecryptInit_ex(context, EVP_aes_256_cbc(), NULL, keys->cipher, keys->iv) != 1 ||
        EVP_CIPHER_CTX_set_padding(context, 0) != 1 ||
        EVP_DecryptUpdate(context, room, &count, part->bytes, (int)part->length) != 1 ||
        EVP_DecryptFinal_ex(context, room + count, &rest) != 1)
        return -EBADMSG;
    plain->length = (size_t)count + (size_t)rest;
    return 0;
}

static int make_mac(const struct cfs_ppk *ppk, const struct keys *keys, const struct cfs_buffer *plain,
                    uint8_t ret_mac[EVP_MAX_MD_SIZE], unsigned *ret_length)
{
    struct cfs_buffer covered CFS_AUTO_BUFFER;
    cfs_buffer_init_secret(&covered);
    cfs_buffer_add_string(&covered, ppk->algorithm.text, ppk->algorithm.length);
    cfs_buffer_add_string(&covered, ppk->cipher.text, ppk->cipher.length);
    cfs_buffer_add_string(&covered, ppk->comment.text, ppk->comment.length);
    cfs_buffer_add_string(&covered, ppk->public_blob.bytes, ppk->public_blob.length);
    cfs_buffer_add_string(&covered, plain->bytes, plain->length);
    if (covered.failed)
        return -ENOMEM;
    if (!HMAC(ppk->version == 3 ? EVP_sha256() : EVP_sha1(), keys->mac, (int)keys->mac_length, covered.bytes,
              covered.length, ret_mac, ret_length))
        return -EOPNOTSUPP;
    return 0;
}

static int check_mac(const struct cfs_ppk *ppk, const struct keys *keys, const struct cfs_buffer *plain)
{
    uint8_t mac[EVP_MAX_MD_SIZE];
    unsigned length = 0;
    int result = make_mac(ppk, keys, plain, mac, &length);
    if (result < 0)
        return result;
    if (length == ppk->mac_length && CRYPTO_memcmp(mac, ppk->mac, length) == 0)
        return 0;
    return ppk->encrypted ? -EKEYREJECTED : -EBADMSG;
}

/* --- the key --- */

static void add_read(struct cfs_buffer *buffer, struct cfs_reader *reader)
{
    size_t length;
    const uint8_t *bytes = cfs_read_string(reader, &length);
    cfs_buffer_add_string(buffer, bytes, length);
}

/* d, p, q, inverse; and n, e as key_build.c reads them: n, e, d, inverse, p, q. */
static void add_rsa(struct cfs_buffer *openssh, struct cfs_reader *public_key, struct cfs_reader *private_key)
{
    struct {
        const uint8_t *bytes;
        size_t length;
    } e, d, p, q;
    e.bytes = cfs_read_string(public_key, &e.length);
    add_read(openssh, public_key);
    cfs_buffer_add_string(openssh, e.bytes, e.length);
    d.bytes = cfs_read_string(private_key, &d.length);
    p.bytes = cfs_read_string(private_key, &p.length);
    q.bytes = cfs_read_string(private_key, &q.length);
    cfs_buffer_add_string(openssh, d.bytes, d.length);
    add_read(openssh, private_key);
    cfs_buffer_add_string(openssh, p.bytes, p.length);
    cfs_buffer_add_string(openssh, q.bytes, q.length);
}

static void add_ecdsa(struct cfs_buffer *openssh, struct cfs_reader *public_key, struct cfs_reader *private_key)
{
    add_read(openssh, public_key); /* the curve */
    add_read(openssh, public_key); /* the point */
    add_read(openssh, private_key);
}

/* The seed; OpenSSH's form has the public key behind it. */
static void add_ed25519(struct cfs_buffer *openssh, struct cfs_reader *public_key, struct cfs_reader *private_key)
{
    size_t point_length, seed_length;
    const uint8_t *point = cfs_read_string(public_key, &point_length);
    const uint8_t *seed = cfs_read_string(private_key, &seed_length);
    if (point_length != ED25519 || seed_length != ED25519) {
        public_key->failed = true;
        return;
    }
    cfs_buffer_add_string(openssh, point, point_length);
    cfs_buffer_add_u32(openssh, 2 * ED25519);
    cfs_buffer_add(openssh, seed, seed_length);
    cfs_buffer_add(openssh, point, point_length);
}

static int build(const struct cfs_ppk *ppk, const struct cfs_buffer *plain, EVP_PKEY **ret_key)
{
    static const struct {
        const char *algorithm;
        void (*add)(struct cfs_buffer *openssh, struct cfs_reader *public_key, struct cfs_reader *private_key);
    } kinds[] = {
        {"ssh-rsa", add_rsa},
        {"ssh-ed25519", add_ed25519},
        {"ecdsa-sha2-nistp256", add_ecdsa},
        {"ecdsa-sha2-nistp384", add_ecdsa},
        {"ecdsa-sha2-nistp521", add_ecdsa},
    };
    struct cfs_reader public_key = cfs_reader_over(ppk->public_blob.bytes, ppk->public_blob.length);
    struct cfs_reader private_key = cfs_reader_over(plain->bytes, plain->length);
    struct cfs_buffer openssh CFS_AUTO_BUFFER;
    size_t length, i = 0;
    const uint8_t *algorithm = cfs_read_string(&public_key, &length);
    cfs_buffer_init_secret(&openssh);
    if (!algorithm || length != ppk->algorithm.length || memcmp(algorithm, ppk->algorithm.text, length) != 0)
        return -EBADMSG;
    while (i < CFS_COUNT(kinds) &&
           (strlen(kinds[i].algorithm) != length || memcmp(kinds[i].algorithm, algorithm, length) != 0))
        i++;
    if (i == CFS_COUNT(kinds))
        return -EOPNOTSUPP;
    cfs_buffer_add_string(&openssh, algorithm, length);
    kinds[i].add(&openssh, &public_key, &private_key);
    size_t padding = ppk->encrypted ? CFS_PPK_BLOCK - 1 : 0;
    if (public_key.failed || public_key.left > 0 || private_key.failed || private_key.left > padding)
        return -EBADMSG;
    struct cfs_reader reader = cfs_reader_over(openssh.bytes, openssh.length);
    return openssh.failed ? -ENOMEM : cfs_key_openssh_build(&reader, ret_key);
}

/* The private half must be that of the public one, which the server is shown. */
static int check_halves(EVP_PKEY *key, const struct cfs_buffer *public_blob)
{
    struct cfs_buffer blob CFS_AUTO_BUFFER = {0};
    int result = cfs_key_public_blob(key, &blob);
    if (result < 0)
        return result;
    return blob.length == public_blob->length && memcmp(blob.bytes, public_blob->bytes, blob.length) == 0 ? 0
                                                                                                          : -EBADMSG;
}

int cfs_ppk_unlock(const struct cfs_ppk *ppk, const char *passphrase, EVP_PKEY **ret_key)
{
    struct cfs_buffer plain CFS_AUTO_BUFFER;
    struct keys keys __attribute__((cleanup(wipe)));
    EVP_PKEY *key CFS_CLEANUP(EVP_PKEY_free) = NULL;
    cfs_buffer_init_secret(&plain);
    keys.mac_length = 0;
    if (ppk->encrypted && (!passphrase || !*passphrase))
        return -EKEYREJECTED;
    int result = derive(ppk, passphrase, &keys);
    if (result == 0)
        result = decrypt(ppk, &keys, &plain);
    if (result == 0)
        result = check_mac(ppk, &keys, &plain);
    if (result == 0)
        result = build(ppk, &plain, &key);
    if (result == 0)
        result = check_halves(key, &ppk->public_blob);
    if (result == 0)
        *ret_key = CFS_TAKE(key);
    return result;
}

int cfs_ppk_seal(struct cfs_ppk *ppk, const char *passphrase)
{
    struct cfs_buffer plain CFS_AUTO_BUFFER;
    struct keys keys __attribute__((cleanup(wipe)));
    uint8_t mac[EVP_MAX_MD_SIZE];
    unsigned length = 0;
    cfs_buffer_init_secret(&plain);
    int result = derive(ppk, passphrase, &keys);
    if (result == 0)
        result = decrypt(ppk, &keys, &plain);
    if (result == 0)
        result = make_mac(ppk, &keys, &plain, mac, &length);
    if (result < 0 || length > sizeof(ppk->mac))
        return result < 0 ? result : -EOPNOTSUPP;
    memcpy(ppk->mac, mac, length);
    ppk->mac_length = length;
    return 0;
}

/* Explicit lists, strongest habit first, so that a libssh2 built with more does not offer it. Names that this libssh2
 * lacks are dropped by libssh2_session_method_pref; the marks for strict key exchange and for extensions are added by
 * it. */
#include "ssh/algorithms.h"
#include <errno.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>

static const char kex_list[] =
    "curve25519-sha256,curve25519-sha256@libssh.org,ecdh-sha2-nistp256,ecdh-sha2-nistp384,ecdh-sha2-nistp521,"
    "diffie-hellman-group16-sha512,diffie-hellman-group18-sha512,diffie-hellman-group-exchange-sha256,"
    "diffie-hellman-group14-sha256";

/* By what libssh2 1.11.1 does fast, then by strength: see tests/ssh/bench_channel.c. CBC and RC4 are not offered. */
static const char cipher_list[] =
    "aes128-ctr,aes256-ctr,aes192-ctr,chacha20-poly1305@openssh.com,aes128-gcm@openssh.com,aes256-gcm@openssh.com";

static const char mac_list[] =
    "hmac-sha2-256-etm@openssh.com,hmac-sha2-512-etm@openssh.com,hmac-sha2-256,hmac-sha2-512,"
    "hmac-sha1-etm@openssh.com,hmac-sha1";

/* A host key algorithm, and the type of key (as known_hosts has it) that it is for: RFC 8332, section 3. */
static const struct host_key_algorithm {
    const char *name, *key_type;
} host_key_algorithms[] = {
    {"ssh-ed25519", "ssh-ed25519"},
    {"ecdsa-sha2-nistp256", "ecdsa-sha2-nistp256"},
    {"ecdsa-sha2-nistp384", "ecdsa-sha2-nistp384"},
    {"ecdsa-sha2-nistp521", "ecdsa-sha2-nistp521"},
    {"rsa-sha2-512", "ssh-rsa"},
    {"rsa-sha2-256", "ssh-rsa"},
};

static bool is_known(const cfs_words types, const char *type)
{
    for (size_t i = 0; types && types[i]; i++)
        if (strcmp(types[i], type) == 0)
            return true;
    return false;
}

void cfs_ssh_host_key_order(const cfs_words known_types, char ret_list[CFS_SSH_ALGORITHM_LIST])
{
    size_t length = 0;
    ret_list[0] = '\0';
    for (int wanted = 1; wanted >= 0; wanted--)
        for (size_t i = 0; i < CFS_COUNT(host_key_algorithms); i++) {
            const struct host_key_algorithm *algorithm = &host_key_algorithms[i];
            if (is_known(known_types, algorithm->key_type) != (wanted == 1))
                continue;
            int added = snprintf(ret_list + length, CFS_SSH_ALGORITHM_LIST - length, "%s%s", length ? "," : "",
                                 algorithm->name);
            length += added > 0 ? (size_t)added : 0; /* all of them together are far below the limit */
        }
}

static int prefer(LIBSSH2_SESSION *session, int method, const char *list, struct cfs_error *error)
{
    int rc = libssh2_session_method_pref(session, method, list);
    if (rc == 0)
        return 0;
    if (rc == LIBSSH2_ERROR_ALLOC)
        return cfs_error_set(error, ENOMEM, CFS_FAILURE_SYSTEM, "Out of memory.");
    return cfs_error_set(error, EINVAL, CFS_FAILURE_CONFIG,
                         "None of these algorithms is known here: %s. Known are: %s.", list,
                         method == LIBSSH2_METHOD_CRYPT_CS ? cipher_list : "others");
}

int cfs_ssh_set_algorithms(LIBSSH2_SESSION *session, const struct cfs_profile *profile, const cfs_words known_types,
                           struct cfs_error *error)
{
    char host_keys[CFS_SSH_ALGORITHM_LIST];
    cfs_ssh_host_key_order(known_types, host_keys);
    const char *ciphers = profile->ciphers ? profile->ciphers : cipher_list;
    const char *compression = profile->compression ? "zlib@openssh.com,zlib,none" : "none";
    libssh2_session_flag(session, LIBSSH2_FLAG_COMPRESS, profile->compression);
    const struct {
        int method;
        const char *list;
    } preferences[] = {
        {LIBSSH2_METHOD_KEX, kex_list},        {LIBSSH2_METHOD_HOSTKEY, host_keys},
        {LIBSSH2_METHOD_CRYPT_CS, ciphers},    {LIBSSH2_METHOD_CRYPT_SC, ciphers},
        {LIBSSH2_METHOD_MAC_CS, mac_list},     {LIBSSH2_METHOD_MAC_SC, mac_list},
        {LIBSSH2_METHOD_COMP_CS, compression}, {LIBSSH2_METHOD_COMP_SC, compression},
    };
    for (size_t i = 0; i < CFS_COUNT(preferences); i++) {
        int rc = prefer(session, preferences[i].method, preferences[i].list, error);
        if (rc < 0)
            return rc;
    }
    return 0;
}

const char *cfs_ssh_find_disagreement(const struct cfs_profile *profile, const struct cfs_ssh_offer *offer,
                                      const char **ret_theirs)
{
    char host_keys[CFS_SSH_ALGORITHM_LIST];
    cfs_ssh_host_key_order(NULL, host_keys);
    const char *ciphers = profile->ciphers ? profile->ciphers : cipher_list;
    const struct {
        enum cfs_ssh_list list;
        const char *what, *ours;
    } rows[] = {
        {CFS_SSH_KEX, "method of exchanging keys", kex_list},
        {CFS_SSH_HOST_KEY, "kind of host key", host_keys},
        {CFS_SSH_CIPHER_TO_SERVER, "cipher", ciphers},
        {CFS_SSH_CIPHER_TO_CLIENT, "cipher", ciphers},
        {CFS_SSH_MAC_TO_SERVER, "MAC", mac_list},
        {CFS_SSH_MAC_TO_CLIENT, "MAC", mac_list},
    };
    for (size_t i = 0; i < CFS_COUNT(rows); i++) {
        *ret_theirs = offer->lists[rows[i].list];
        if (!cfs_ssh_lists_meet(rows[i].ours, *ret_theirs))
            return rows[i].what;
    }
    return NULL;
}

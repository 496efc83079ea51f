/* Login with keys (RFC 4252, section 7). libssh2 offers the public half and calls back for a signature once the server
 * would take it; the callback finds the algorithm in the data that is signed, because libssh2 raises "ssh-rsa" to
 * what the server announced (RFC 8308, server-sig-algs) without telling. */
#include "ssh/auth_priv.h"

#include "base/bytes.h"
#include "base/clock.h"
#include "base/log.h"
#include "base/text.h"
#include "ssh/host_key.h"
#include <errno.h>
#include <string.h>
#include <time.h>

/* sshd's MaxAuthTries is 6, and each refused key counts. */
enum { MAX_KEYS = 5 };

/* An agent that takes so long has asked somebody (ssh-add -c). */
enum { PERSONAL_MS = 2000 };

/* The algorithm that the signature shall have: string session id, byte, string user, string service, string
 * "publickey", boolean, string algorithm, string key. */
static int find_algorithm(const uint8_t *data, size_t length, char *ret_name, size_t size)
{
    struct cfs_reader reader = cfs_reader_over(data, length);
    size_t name_length;
    cfs_read_string(&reader, &name_length);
    cfs_read_u8(&reader);
    for (int i = 0; i < 3; i++)
        cfs_read_string(&reader, &name_length);
    cfs_read_u8(&reader);
    const uint8_t *name = cfs_read_string(&reader, &name_length);
    static const char certificate[] = "-cert-v01@openssh.com";
    const size_t suffix = sizeof(certificate) - 1;
    if (name && name_length > suffix && memcmp(name + name_length - suffix, certificate, suffix) == 0)
        name_length -= suffix; /* a certificate's key signs as itself */
    if (!name || name_length >= size)
        return -EBADMSG;
    memcpy(ret_name, name, name_length);
    ret_name[name_length] = '\0';
    return 0;
}

/* What libssh2 wants of a signature blob: the part behind the algorithm's name; for security keys with its length, for
 * all others without. */
static int hand_over(struct cfs_auth_signing *signing, const char *algorithm, const uint8_t *blob, size_t blob_length,
                     unsigned char **ret_signature, size_t *ret_length)
{
    struct cfs_reader reader = cfs_reader_over(blob, blob_length);
    size_t length;
    const uint8_t *name = cfs_read_string(&reader, &length);
    if (!name || length != strlen(algorithm) || memcmp(name, algorithm, length) != 0)
        return -EBADMSG; /* an agent that does not do as it is told */
    const uint8_t *bytes = reader.next;
    length = reader.left;
    if (strncmp(algorithm, "sk-", 3) != 0) {
        bytes = cfs_read_string(&reader, &length);
        if (!bytes || reader.left > 0)
            return -EBADMSG;
    }
    unsigned char *signature = cfs_ssh_transport_allocate(signing->auth->transport, length);
    if (!signature)
        return -ENOMEM;
    memcpy(signature, bytes, length);
    *ret_signature = signature;
    *ret_length = length;
    return 0;
}

static int sign_with_agent(struct cfs_auth_signing *signing, const char *algorithm, const void *data, size_t length,
                           uint8_t **ret_blob, size_t *ret_blob_length)
{
    struct cfs_auth *auth = signing->auth;
    uint32_t flags = strcmp(algorithm, "rsa-sha2-512") == 0   ? CFS_AGENT_RSA_SHA2_512
                     : strcmp(algorithm, "rsa-sha2-256") == 0 ? CFS_AGENT_RSA_SHA2_256
                                                              : 0;
    int64_t begun_ms = cfs_clock_ms(&cfs_system_clock);
    if (strncmp(algorithm, "sk-", 3) == 0) {
        auth->login.by_person = true;
        cfs_auth_tell(auth, "Confirm the login on your security key.");
    }
    auth->waiter->pause(auth->waiter);
    int result = cfs_agent_sign(auth->offers->agent, signing->offer->agent_blob, signing->offer->agent_blob_length,
                                data, length, flags, (int)auth->profile->login_timeout_ms, ret_blob, ret_blob_length);
    auth->waiter->resume(auth->waiter);
    if (cfs_clock_ms(&cfs_system_clock) - begun_ms >= PERSONAL_MS)
        auth->login.by_person = true;
    return result;
}

/* A key that is unlocked has a new public half: the one that was read from a .pub file is gone. */
static void renew_blobs(struct cfs_auth *auth, struct cfs_key_file *file)
{
    for (size_t i = 0; i < auth->offers->count; i++) {
        struct cfs_auth_offer *offer = &auth->offers->entries[i];
        if (offer->file == file && !offer->certificate)
            offer->blob = cfs_key_file_public_blob(file, &offer->blob_length);
    }
}

/* A key that is kept needs nobody the next time. */
static int unlock(struct cfs_auth *auth, struct cfs_key_file *file, struct cfs_error *failure)
{
    bool was_by_person = auth->login.by_person;
    auth->login.by_person = false;
    auth->waiter->pause(auth->waiter);
    int result = cfs_key_file_unlock(file, auth->profile->passphrase, auth->prompter, failure);
    auth->waiter->resume(auth->waiter);
    if (result == 0 && auth->login.by_person && auth->kept) {
        int error = cfs_kept_keys_keep(auth->kept, file);
        auth->login.by_person = error < 0;
        if (error < 0)
            cfs_log_info("ssh", "the key %s is not kept: %s", cfs_key_file_path(file), strerror(-error));
    }
    auth->login.by_person |= was_by_person;
    if (result == 0)
        renew_blobs(auth, file);
    return result;
}

/* The file's key is the one that the certificate is for: it may have been hidden until now. */
static bool is_certified(const struct cfs_auth_offer *offer)
{
    size_t length;
    const uint8_t *blob = cfs_key_file_public_blob(offer->file, &length);
    const struct cfs_buffer *key = &offer->certificate->key;
    return key->length == length && memcmp(key->bytes, blob, length) == 0;
}

static int sign_with_file(struct cfs_auth_signing *signing, const char *algorithm, const void *data, size_t length,
                          uint8_t **ret_blob, size_t *ret_blob_length)
{
    struct cfs_auth *auth = signing->auth;
    int result = unlock(auth, signing->offer->file, &signing->failure);
    if (result < 0)
        return result;
    if (signing->offer->certificate && !is_certified(signing->offer))
        return cfs_error_set(&signing->failure, EBADMSG, CFS_FAILURE_KEY_FILE,
                             "The certificate %s is not that of the key %s.", signing->offer->label,
                             cfs_key_file_path(signing->offer->file));
    return cfs_key_file_sign(signing->offer->file, algorithm, data, length, ret_blob, ret_blob_length);
}

static int make_signature(struct cfs_auth_signing *signing, const void *data, size_t length,
                          unsigned char **ret_signature, size_t *ret_length)
{
    char algorithm[64];
    int result = find_algorithm(data, length, algorithm, sizeof(algorithm));
    if (result < 0)
        return result;
    if (strcmp(algorithm, "ssh-rsa") == 0)
        return -EOPNOTSUPP; /* SHA-1 */
    uint8_t *blob CFS_AUTO_FREE = NULL;
    size_t blob_length = 0;
    result = -EPERM;
    if (signing->offer->in_agent)
        result = sign_with_agent(signing, algorithm, data, length, &blob, &blob_length);
    if (result < 0 && signing->offer->file)
        result = sign_with_file(signing, algorithm, data, length, &blob, &blob_length);
    return result < 0 ? result : hand_over(signing, algorithm, blob, blob_length, ret_signature, ret_length);
}

static int sign(LIBSSH2_SESSION *session, unsigned char **ret_signature, size_t *ret_length, const unsigned char *data,
                size_t length, void **abstract)
{
    struct cfs_auth_signing *signing = *abstract;
    signing->result = make_signature(signing, data, length, ret_signature, ret_length);
    signing->done = signing->result == 0;
    return signing->result == 0 ? 0 : LIBSSH2_ERROR_PUBLICKEY_UNVERIFIED;
}

/* --- attempts --- */

/* Says why there was no signature. */
static void note_unsigned(struct cfs_auth *auth, const struct cfs_auth_signing *signing)
{
    const char *label = signing->offer->label;
    if (signing->failure.failure == CFS_FAILURE_KEY_FILE) {
        auth->keys_locked++;
        if (auth->key_failure.failure == CFS_FAILURE_NONE)
            auth->key_failure = signing->failure;
    }
    if (signing->failure.failure != CFS_FAILURE_NONE)
        cfs_auth_note(auth, "the server takes the key %s, but: %s", label, signing->failure.text);
    else if (signing->result == -EOPNOTSUPP)
        cfs_auth_note(
            auth, "the server would take the key %s only with SHA-1 signatures, which are not safe: use an Ed25519 key",
            label);
    else if (signing->result == -EPERM)
        cfs_auth_note(auth, "the server takes the key %s, but the agent refused to sign with it", label);
    else
        cfs_auth_note(auth, "the server takes the key %s, but it could not sign (%s)", label,
                      strerror(-signing->result));
}

static void note_refused(struct cfs_auth *auth, const struct cfs_auth_offer *offer)
{
    char reason[400];
    if (offer->certificate) {
        cfs_certificate_explain(offer->certificate, auth->profile->user, time(NULL), reason, sizeof(reason));
        cfs_auth_note(auth, "it does not take the certificate %s: %s", offer->label, reason);
        return;
    }
    char *fingerprint CFS_AUTO_FREE = cfs_host_key_fingerprint(offer->blob, offer->blob_length);
    cfs_auth_note(auth, "it does not take the key %s (%s)", offer->label, fingerprint ? fingerprint : "?");
}

/* The public half is hidden: the passphrase is needed before the server can be asked. False when it cannot be had. */
static bool learn_blob(struct cfs_auth *auth, struct cfs_auth_offer *offer)
{
    if (offer->blob_length > 0)
        return true;
    struct cfs_error failure = {0};
    int result = unlock(auth, offer->file, &failure);
    if (result < 0) {
        if (auth->key_failure.failure == CFS_FAILURE_NONE)
            auth->key_failure = failure;
        cfs_auth_note(auth, "%s", failure.text);
        return false;
    }
    return true;
}

/* The server has accepted it. */
static void name_key(struct cfs_auth *auth, const struct cfs_auth_offer *offer)
{
    char *fingerprint CFS_AUTO_FREE = cfs_host_key_fingerprint(offer->blob, offer->blob_length);
    cfs_auth_name_method(auth, "publickey %s", offer->label);
    if (fingerprint && !auth->login.key[0])
        snprintf(auth->login.key, sizeof(auth->login.key), "%s", fingerprint);
}

/* After a signature that did not do: either it was one factor of several, or the server does not believe it. */
static int settle_signed(struct cfs_auth *auth, const struct cfs_auth_offer *offer)
{
    unsigned before = auth->methods;
    int result = cfs_auth_list_methods(auth);
    if (result != 0)
        return result;
    if (auth->methods != before)
        name_key(auth, offer);
    else
        cfs_auth_note(auth, "it did not accept the signature of the key %s", offer->label);
    return 0;
}

/* libssh2's offer of the key: as libssh2_userauth_publickey. */
static int offer_key(struct cfs_auth *auth)
{
    const struct cfs_auth_offer *offer = auth->signing.offer;
    void *context = &auth->signing;
    return libssh2_userauth_publickey(auth->session, auth->profile->user, offer->blob, offer->blob_length, sign,
                                      &context);
}

static void begin_offer(struct cfs_auth *auth, struct cfs_auth_offer *offer)
{
    offer->tried = true;
    auth->signing = (struct cfs_auth_signing){.auth = auth, .offer = offer};
    auth->keys_offered++;
}

void cfs_auth_begin_publickey(struct cfs_auth *auth)
{
    if (cfs_auth_offers_make(auth, &auth->offers) < 0 || auth->offers->count == 0)
        return;
    struct cfs_auth_offer *offer = &auth->offers->entries[0];
    if (offer->blob_length == 0)
        return;
    begin_offer(auth, offer);
    auth->offer_begun = true;
    (void)offer_key(auth); /* goes on in finish_offer, also with what has failed here */
}

/* An RSA key needs an algorithm that the server has announced (RFC 8308). */
static bool may_have_come_too_early(const struct cfs_auth_offer *offer)
{
    return cfs_auth_blob_has_type(offer->blob, offer->blob_length, "ssh-rsa") ||
           cfs_auth_blob_has_type(offer->blob, offer->blob_length, "ssh-rsa-cert-v01@openssh.com");
}

/* What came of a key that the server has answered to with RESULT of libssh2. */
static int settle_offer(struct cfs_auth *auth, int result, bool was_early)
{
    const struct cfs_auth_signing *signing = &auth->signing;
    result = cfs_auth_settle(auth, result);
    if (result > 0)
        name_key(auth, signing->offer);
    if (result != 0)
        return result;
    if (signing->failure.failure == CFS_FAILURE_CANCELLED) {
        if (auth->error)
            *auth->error = signing->failure;
        return -ECANCELED;
    }
    if (signing->done)
        return settle_signed(auth, signing->offer);
    if (signing->result < 0)
        note_unsigned(auth, signing);
    else if (!(auth->methods & CFS_AUTH_PUBLICKEY))
        auth->keys_offered--; /* no key was wanted; it was offered before that was known */
    else if (was_early && may_have_come_too_early(signing->offer))
        signing->offer->tried = false;
    else
        note_refused(auth, signing->offer);
    return 0;
}

static int finish_offer(struct cfs_auth *auth)
{
    int result;
    bool was_early = auth->offer_begun;
    auth->offer_begun = false;
    while ((result = offer_key(auth)) == LIBSSH2_ERROR_EAGAIN) {
        result = cfs_auth_wait(auth);
        if (result < 0)
            return result;
    }
    if (result != LIBSSH2_ERROR_METHOD_NONE)
        return settle_offer(auth, result, was_early);
    /* libssh2 does not forget the algorithm that it did not find: no other key would be offered under its own. */
    cfs_auth_note(auth, "the server takes no RSA keys like %s: use an Ed25519 key", auth->signing.offer->label);
    auth->finished |= CFS_AUTH_PUBLICKEY;
    return 0;
}

static int try_offer(struct cfs_auth *auth, struct cfs_auth_offer *offer)
{
    offer->tried = true;
    if (!learn_blob(auth, offer))
        return 0;
    begin_offer(auth, offer);
    return finish_offer(auth);
}

int cfs_auth_try_publickey(struct cfs_auth *auth)
{
    if (auth->offer_begun)
        return finish_offer(auth);
    if (!auth->offers && cfs_auth_offers_make(auth, &auth->offers) < 0)
        return cfs_auth_fail_memory(auth);
    for (size_t i = 0; i < auth->offers->count; i++) {
        struct cfs_auth_offer *offer = &auth->offers->entries[i];
        if (offer->tried)
            continue;
        if (auth->keys_offered == MAX_KEYS) {
            cfs_auth_note(auth,
                          "%zu more keys were not offered, because servers end a login after 6 attempts: name the "
                          "right one with identity_file, and set identities_only = yes",
                          auth->offers->count - i);
            break;
        }
        return try_offer(auth, offer);
    }
    auth->finished |= CFS_AUTH_PUBLICKEY;
    if (auth->offers->count == 0 && auth->notes[0] == '\0')
        cfs_auth_note(auth, "there is no key to offer (%s)",
                      auth->profile->identity_agent ? "neither in the agent nor as a file"
                                                    : "no agent, no identity file");
    return 0;
}

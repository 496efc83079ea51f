/* The certificates that a login may offer: NAME-cert.pub beside an identity file, those of certificate_file, and the
 * agent's; each joined with who can sign for it: an identity file, or the agent. libssh2 offers a certificate as it
 * offers a key; for an RSA key it chooses the algorithm of the certificate by what the server announces. */
#include "ssh/auth_priv.h"

#include "base/text.h"
#include "ssh/key_file_priv.h"
#include <errno.h>
#include <string.h>

enum { NONE = -1 };

static bool is_same(const struct cfs_buffer *key, const uint8_t *blob, size_t length)
{
    return key->length == length && length > 0 && memcmp(key->bytes, blob, length) == 0;
}

/* --- collecting --- */

/* Takes the certificate over. Room was made for all. */
static int add_certificate(struct cfs_auth_offers *offers, const struct cfs_certificate *certificate, const char *label,
                           int beside, bool from_agent)
{
    struct cfs_auth_certificate *entry = &offers->certificates[offers->certificate_count++];
    entry->certificate = *certificate;
    entry->label = strdup(label);
    entry->beside = beside;
    entry->from_agent = from_agent;
    return entry->label ? 0 : -ENOMEM;
}

static void note_unusable(struct cfs_auth *auth, const char *path, int result)
{
    struct cfs_error failure = {0};
    if (result == -ENOENT)
        cfs_error_set(&failure, ENOENT, CFS_FAILURE_KEY_FILE,
                      "The certificate %s does not exist. Correct certificate_file.", path);
    else if (result == -EBADMSG)
        cfs_error_set(&failure, EBADMSG, CFS_FAILURE_KEY_FILE,
                      "The file %s is no certificate that can be read. Look at it with: ssh-keygen -L -f '%s'", path,
                      path);
    else if (result == -EOPNOTSUPP)
        cfs_error_set(&failure, EOPNOTSUPP, CFS_FAILURE_KEY_FILE,
                      "The certificate %s is for a kind of key that clusterfs cannot use. Use an Ed25519, ECDSA or RSA "
                      "key.",
                      path);
    else
        cfs_error_set(&failure, -result, CFS_FAILURE_KEY_FILE, "The certificate %s cannot be read: %s.", path,
                      strerror(-result));
    if (auth->key_failure.failure == CFS_FAILURE_NONE)
        auth->key_failure = failure;
    cfs_auth_note(auth, "%s", failure.text);
}

/* A file that is BESIDE an identity file need not be there. */
static int read_file(struct cfs_auth *auth, struct cfs_auth_offers *offers, const char *path, int beside)
{
    struct cfs_certificate certificate = {0};
    int result = cfs_certificate_read(path, &certificate);
    if (result == 0)
        return add_certificate(offers, &certificate, path, beside, false);
    if (beside != NONE && (result == -ENOENT || result == -ENOTDIR))
        return 0;
    if (result != -ENOMEM)
        note_unusable(auth, path, result);
    return result == -ENOMEM ? result : 0;
}

/* NAME-cert.pub; the profile names no files where the usual ones are looked for. */
static int read_beside(struct cfs_auth *auth, struct cfs_auth_offers *offers)
{
    int result = 0;
    for (size_t i = 0; result == 0 && i < offers->file_count; i++) {
        char *path CFS_AUTO_FREE = cfs_text_format("%s-cert.pub", offers->paths[i]);
        result = path ? read_file(auth, offers, path, (int)i) : -ENOMEM;
    }
    return result;
}

static int read_agents(struct cfs_auth_offers *offers)
{
    for (size_t i = 0; i < offers->identities.count; i++) {
        const struct cfs_agent_identity *identity = &offers->identities.entries[i];
        if (!cfs_certificate_is_one(identity->blob, identity->blob_length))
            continue;
        struct cfs_certificate certificate = {0};
        int result = cfs_certificate_parse(identity->blob, identity->blob_length, &certificate);
        if (result < 0 && result != -ENOMEM) /* the agent's own business */
            continue;
        char *label CFS_AUTO_FREE = cfs_text_format("%s (in the agent)", identity->comment);
        if (result == 0)
            result = add_certificate(offers, &certificate, label ? label : "", NONE, true);
        if (result < 0 || !label)
            return -ENOMEM;
    }
    return 0;
}

int cfs_auth_certificates_read(struct cfs_auth *auth, struct cfs_auth_offers *offers)
{
    cfs_words named = auth->profile->certificate_files;
    size_t room = offers->file_count + offers->identities.count;
    for (size_t i = 0; named && named[i]; i++)
        room++;
    offers->certificates = calloc(room + 1, sizeof(*offers->certificates));
    if (!offers->certificates)
        return -ENOMEM;
    int result = 0;
    for (size_t i = 0; result == 0 && named && named[i]; i++)
        result = read_file(auth, offers, named[i], NONE);
    if (result == 0)
        result = read_beside(auth, offers);
    return result < 0 ? result : read_agents(offers);
}

/* --- joining --- */

/* The identity file that holds the certificate's key; or NONE. One whose public half is hidden is believed to be that
 * of the certificate beside it: that shows when it is unlocked. */
static int find_file(const struct cfs_auth_offers *offers, const struct cfs_auth_certificate *entry)
{
    for (size_t i = 0; i < offers->file_count; i++) {
        size_t length = offers->public_blobs[i].length;
        const uint8_t *blob = offers->public_blobs[i].bytes;
        if (offers->files[i])
            blob = cfs_key_file_public_blob(offers->files[i], &length);
        if (is_same(&entry->certificate.key, blob, length) || (length == 0 && entry->beside == (int)i))
            return (int)i;
    }
    return NONE;
}

static bool may_use(const struct cfs_auth *auth, const struct cfs_auth_offers *offers,
                    const struct cfs_auth_certificate *entry)
{
    return !entry->from_agent || !auth->profile->identities_only || find_file(offers, entry) != NONE;
}

static void note_unjoined(struct cfs_auth *auth, const struct cfs_auth_certificate *entry)
{
    if (entry->certificate.kind == CFS_CERTIFICATE_HOST)
        cfs_auth_note(auth, "the certificate %s is a host's and not a user's", entry->label);
    else if (!entry->from_agent)
        cfs_auth_note(auth, "the certificate %s is for none of the keys of identity_file or the agent", entry->label);
}

/* Whoever can sign for it: the agent, by the certificate or by the key alone; a file. */
static int join(struct cfs_auth *auth, struct cfs_auth_offers *offers, struct cfs_auth_certificate *entry,
                bool in_agent)
{
    const struct cfs_certificate *certificate = &entry->certificate;
    const struct cfs_buffer *blob = &certificate->blob, *key = &certificate->key;
    struct cfs_auth_offer offer = {.blob = blob->bytes, .blob_length = blob->length, .certificate = certificate};
    int file = find_file(offers, entry);
    const struct cfs_agent_identity *identity = cfs_auth_find_in_agent(offers, blob->bytes, blob->length);
    if (!identity)
        identity = cfs_auth_find_in_agent(offers, key->bytes, key->length);
    bool can_sign = identity || (file != NONE && offers->files[file]);
    if (certificate->kind != CFS_CERTIFICATE_USER || !can_sign) {
        if (in_agent) /* once */
            note_unjoined(auth, entry);
        return 0;
    }
    if (!identity != !in_agent || !may_use(auth, offers, entry) ||
        cfs_auth_is_listed(offers, offer.blob, offer.blob_length))
        return 0;
    offer.in_agent = identity;
    offer.agent_blob = identity ? identity->blob : NULL;
    offer.agent_blob_length = identity ? identity->blob_length : 0;
    offer.file = file != NONE ? offers->files[file] : NULL;
    return cfs_auth_add_offer(offers, &offer, strdup(entry->label));
}

int cfs_auth_certificates_offer(struct cfs_auth *auth, struct cfs_auth_offers *offers, bool in_agent)
{
    int result = 0;
    for (size_t i = 0; result == 0 && i < offers->certificate_count; i++)
        result = join(auth, offers, &offers->certificates[i], in_agent);
    return result;
}

void cfs_auth_certificates_free(struct cfs_auth_offers *offers)
{
    for (size_t i = 0; i < offers->certificate_count; i++) {
        cfs_certificate_fini(&offers->certificates[i].certificate);
        free(offers->certificates[i].label);
    }
    free(offers->certificates);
}

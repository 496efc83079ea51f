/* Which keys a login may offer: the identity files and the agent's keys, joined by their public halves; before a key
 * its certificates (auth_certificates.c). */
#include "ssh/auth_priv.h"

#include "base/bytes.h"
#include "base/text.h"
#include "ssh/host_key.h"
#include "ssh/identity_files.h"
#include "ssh/key_file_priv.h"
#include <errno.h>
#include <string.h>

enum { AGENT_LIMIT_MS = 10 * 1000 };

void cfs_auth_offers_free(struct cfs_auth_offers *offers)
{
    if (!offers)
        return;
    for (size_t i = 0; i < offers->count; i++)
        free(offers->entries[i].label);
    for (size_t i = 0; i < offers->file_count; i++) {
        cfs_key_file_free(offers->files[i]);
        cfs_buffer_fini(&offers->public_blobs[i]);
    }
    cfs_auth_certificates_free(offers);
    free(offers->entries);
    free(offers->files);
    cfs_words_free(offers->paths);
    free(offers->public_blobs);
    cfs_agent_identities_fini(&offers->identities);
    cfs_agent_free(offers->agent);
    free(offers);
}

/* --- files --- */

/* A file that cannot be used may still say which key it is: the agent may hold it. */
static void read_public_half(const char *path, struct cfs_buffer *blob)
{
    char *public_path CFS_AUTO_FREE = cfs_text_format("%s.pub", path);
    if (cfs_key_read_public_file(path, blob) == 0)
        return;
    cfs_buffer_clear(blob);
    if (!public_path || cfs_key_read_public_file(public_path, blob) < 0)
        cfs_buffer_clear(blob);
}

static void open_file(struct cfs_auth *auth, struct cfs_auth_offers *offers, const char *path, bool usual)
{
    struct cfs_error failure = {0};
    size_t i = offers->file_count++;
    if (cfs_key_file_open(path, &offers->files[i], &failure) == 0) {
        if (auth->kept)
            (void)cfs_kept_keys_unlock(auth->kept, offers->files[i]);
        return;
    }
    if (usual && access(path, F_OK) < 0)
        return;
    read_public_half(path, &offers->public_blobs[i]);
    if (auth->key_failure.failure == CFS_FAILURE_NONE)
        auth->key_failure = failure;
    if (offers->public_blobs[i].length == 0)
        cfs_auth_note(auth, "%s", failure.text);
}

static int open_files(struct cfs_auth *auth, struct cfs_auth_offers *offers)
{
    bool usual = false;
    size_t count = 0;
    if (cfs_ssh_identity_files(auth->profile, &offers->paths, &usual) < 0)
        return -ENOMEM;
    while (offers->paths[count])
        count++;
    offers->files = calloc(count + 1, sizeof(*offers->files));
    offers->public_blobs = calloc(count + 1, sizeof(*offers->public_blobs));
    if (!offers->files || !offers->public_blobs)
        return -ENOMEM;
    for (size_t i = 0; i < count; i++)
        open_file(auth, offers, offers->paths[i], usual);
    return 0;
}

/* --- agent --- */

static void open_agent(struct cfs_auth *auth, struct cfs_auth_offers *offers)
{
    const char *path = auth->profile->identity_agent;
    if (!path || !*path)
        return;
    int result = cfs_agent_open(path, AGENT_LIMIT_MS, &offers->agent);
    if (result == 0)
        result = cfs_agent_list(offers->agent, AGENT_LIMIT_MS, &offers->identities);
    if (result < 0)
        cfs_auth_note(auth, "the agent at %s cannot be used (%s)", path,
                      result == -EPERM ? "it refused to list its keys" : strerror(-result));
    else if (offers->identities.count == 0)
        cfs_auth_note(auth, "the agent holds no keys");
}

bool cfs_auth_blob_has_type(const uint8_t *blob, size_t blob_length, const char *type)
{
    struct cfs_reader reader = cfs_reader_over(blob, blob_length);
    size_t length;
    const uint8_t *name = cfs_read_string(&reader, &length);
    return name && length == strlen(type) && memcmp(name, type, length) == 0;
}

/* What libssh2 can carry through a login; certificates are not among these (auth_certificates.c). */
static bool is_usable(const struct cfs_agent_identity *identity)
{
    static const char *const types[] = {"ssh-ed25519",
                                        "ssh-rsa",
                                        "ecdsa-sha2-nistp256",
                                        "ecdsa-sha2-nistp384",
                                        "ecdsa-sha2-nistp521",
                                        "sk-ssh-ed25519@openssh.com",
                                        "sk-ecdsa-sha2-nistp256@openssh.com"};
    for (size_t i = 0; i < CFS_COUNT(types); i++)
        if (cfs_auth_blob_has_type(identity->blob, identity->blob_length, types[i]))
            return true;
    return false;
}

const struct cfs_agent_identity *cfs_auth_find_in_agent(const struct cfs_auth_offers *offers, const uint8_t *blob,
                                                        size_t length)
{
    for (size_t i = 0; i < offers->identities.count; i++) {
        const struct cfs_agent_identity *identity = &offers->identities.entries[i];
        if (length > 0 && identity->blob_length == length && memcmp(identity->blob, blob, length) == 0)
            return identity;
    }
    return NULL;
}

/* --- joining --- */

bool cfs_auth_is_listed(const struct cfs_auth_offers *offers, const uint8_t *blob, size_t length)
{
    for (size_t i = 0; i < offers->count; i++) {
        const struct cfs_auth_offer *offer = &offers->entries[i];
        if (length > 0 && offer->blob_length == length && memcmp(offer->blob, blob, length) == 0)
            return true;
    }
    return false;
}

int cfs_auth_add_offer(struct cfs_auth_offers *offers, const struct cfs_auth_offer *offer, char *label)
{
    if (!label)
        return -ENOMEM;
    offers->entries[offers->count] = *offer;
    offers->entries[offers->count++].label = label;
    return 0;
}

/* The files that the agent holds too (IN_AGENT), or those that it does not. */
static int add_files(struct cfs_auth_offers *offers, bool in_agent)
{
    for (size_t i = 0; i < offers->file_count; i++) {
        struct cfs_auth_offer offer = {.file = offers->files[i], .in_agent = in_agent};
        offer.blob = offers->public_blobs[i].bytes;
        offer.blob_length = offers->public_blobs[i].length;
        if (offer.file)
            offer.blob = cfs_key_file_public_blob(offer.file, &offer.blob_length);
        const struct cfs_agent_identity *identity = cfs_auth_find_in_agent(offers, offer.blob, offer.blob_length);
        if (!identity != !in_agent || (!offer.file && !identity) ||
            cfs_auth_is_listed(offers, offer.blob, offer.blob_length))
            continue;
        offer.agent_blob = identity ? identity->blob : NULL;
        offer.agent_blob_length = identity ? identity->blob_length : 0;
        char *label = offer.file ? strdup(cfs_key_file_path(offer.file))
                                 : cfs_text_format("%s (in the agent)", identity->comment);
        if (cfs_auth_add_offer(offers, &offer, label) < 0)
            return -ENOMEM;
    }
    return 0;
}

static int add_agent_keys(struct cfs_auth_offers *offers)
{
    for (size_t i = 0; i < offers->identities.count; i++) {
        const struct cfs_agent_identity *identity = &offers->identities.entries[i];
        struct cfs_auth_offer offer = {.blob = identity->blob,
                                       .blob_length = identity->blob_length,
                                       .in_agent = true,
                                       .agent_blob = identity->blob,
                                       .agent_blob_length = identity->blob_length};
        if (!is_usable(identity) || cfs_auth_is_listed(offers, offer.blob, offer.blob_length))
            continue;
        if (cfs_auth_add_offer(offers, &offer, cfs_text_format("%s (in the agent)", identity->comment)) < 0)
            return -ENOMEM;
    }
    return 0;
}

/* What another session was let in with: no key need be refused a second time. */
static void put_first(struct cfs_auth_offers *offers, const char *fingerprint)
{
    for (size_t i = 0; i < offers->count; i++) {
        struct cfs_auth_offer offer = offers->entries[i];
        char *its CFS_AUTO_FREE =
            offer.blob_length > 0 ? cfs_host_key_fingerprint(offer.blob, offer.blob_length) : NULL;
        if (!its || strcmp(its, fingerprint) != 0)
            continue;
        memmove(offers->entries + 1, offers->entries, i * sizeof(offer));
        offers->entries[0] = offer;
        return;
    }
}

int cfs_auth_offers_make(struct cfs_auth *auth, struct cfs_auth_offers **ret_offers)
{
    struct cfs_auth_offers *offers = calloc(1, sizeof(*offers));
    if (!offers)
        return -ENOMEM;
    int result = open_files(auth, offers);
    if (result == 0) {
        open_agent(auth, offers);
        result = cfs_auth_certificates_read(auth, offers);
    }
    if (result == 0) {
        size_t room = offers->file_count + offers->identities.count + offers->certificate_count + 1;
        offers->entries = calloc(room, sizeof(*offers->entries));
        result = offers->entries ? 0 : -ENOMEM;
    }
    for (int in_agent = 1; result == 0 && in_agent >= 0; in_agent--) {
        result = cfs_auth_certificates_offer(auth, offers, in_agent);
        if (result == 0)
            result = add_files(offers, in_agent);
    }
    if (result == 0 && !auth->profile->identities_only)
        result = add_agent_keys(offers);
    if (result == 0 && auth->first_key)
        put_first(offers, auth->first_key);
    if (result < 0) {
        cfs_auth_offers_free(offers);
        return result;
    }
    *ret_offers = offers;
    return 0;
}

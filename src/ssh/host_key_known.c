/* What is known about the host of a profile, and what that says of a key: nothing here asks anybody, or writes. */
#include "ssh/host_key.h"

#include "base/bytes.h"
#include "base/log.h"
#include "base/text.h"
#include "ssh/host_key_priv.h"
#include <ctype.h>
#include <errno.h>
#include <openssl/evp.h>
#include <string.h>

enum { STANDARD_PORT = 22 };

/* --- names and fingerprints --- */

char *cfs_host_key_fingerprint(const uint8_t *blob, size_t length)
{
    uint8_t hash[EVP_MAX_MD_SIZE];
    unsigned hash_length = 0;
    if (EVP_Digest(blob, length, hash, &hash_length, EVP_sha256(), NULL) != 1)
        return NULL;
    char *text CFS_AUTO_FREE = cfs_base64_encode(hash, hash_length, false);
    return text ? cfs_text_format("SHA256:%s", text) : NULL;
}

char *cfs_host_key_type(const uint8_t *blob, size_t blob_length)
{
    struct cfs_reader reader = cfs_reader_over(blob, blob_length);
    size_t length;
    const uint8_t *name = cfs_read_string(&reader, &length);
    char *type = name && length <= 64 ? strndup((const char *)name, length) : strdup("unknown");
    if (type)
        cfs_text_make_printable(type, false);
    return type;
}

/* An alias stands for itself, without the port (ssh_config(5), HostKeyAlias). */
static char *lookup_name(const struct cfs_profile *profile)
{
    char *name = NULL;
    if (profile->host_key_alias)
        name = strdup(profile->host_key_alias);
    else if (profile->port == STANDARD_PORT || profile->port == 0)
        name = strdup(profile->host);
    else
        name = cfs_text_format("[%s]:%u", profile->host, profile->port);
    for (char *character = name; character && *character; character++)
        *character = (char)tolower((unsigned char)*character);
    return name;
}

/* --- known_hosts --- */

static int read_files(const struct cfs_profile *profile, const char *name, bool quiet, struct cfs_known_hosts *found,
                      const char **ret_unreadable, struct cfs_error *error)
{
    for (cfs_words file = profile->known_hosts; file && *file; file++) {
        int result = cfs_known_hosts_read(*file, name, quiet, found);
        if (result == -ENOMEM)
            return cfs_error_set(error, ENOMEM, CFS_FAILURE_SYSTEM, "Out of memory.");
        if (result == -EFBIG)
            return cfs_error_set(error, EFBIG, CFS_FAILURE_HOST_KEY,
                                 "%s is larger than a known_hosts file can be (16 MiB). Check what is in it.", *file);
        if (result < 0 && !quiet)
            cfs_log_warning("ssh", "%s cannot be read: %s", *file, strerror(-result));
        if (result < 0)
            *ret_unreadable = *file;
    }
    return 0;
}

void cfs_host_key_known_fini(struct cfs_host_key_known *known)
{
    free(known->name);
    cfs_known_hosts_fini(&known->named);
    cfs_known_hosts_fini(&known->without_port);
    *known = (struct cfs_host_key_known){0};
}

/* ssh takes the key of the bare name on any port, but another key there says nothing (the ports of a gateway lead to
 * different machines). */
int cfs_host_key_look_up(const struct cfs_profile *profile, bool quiet, struct cfs_host_key_known *ret_known,
                         struct cfs_error *error)
{
    struct cfs_host_key_known known CFS_AUTO_HOST_KEY_KNOWN = {.name = lookup_name(profile)};
    if (!known.name)
        return cfs_error_set(error, ENOMEM, CFS_FAILURE_SYSTEM, "Out of memory.");
    int result = read_files(profile, known.name, quiet, &known.named, &known.unreadable, error);
    if (result == 0 && *known.name == '[' && !profile->host_key_alias)
        result = read_files(profile, profile->host, true, &known.without_port, &known.unreadable, error);
    if (result < 0)
        return result;
    *ret_known = known;
    known = (struct cfs_host_key_known){0};
    return 0;
}

static bool is_same_key(const struct cfs_known_host *entry, const uint8_t *blob, size_t length)
{
    return entry->blob_length == length && memcmp(entry->blob, blob, length) == 0;
}

static const struct cfs_known_host *find_key(const struct cfs_known_hosts *known, enum cfs_known_host_mark mark,
                                             const uint8_t *blob, size_t length)
{
    for (size_t i = 0; i < known->count; i++)
        if (known->entries[i].mark == mark && is_same_key(&known->entries[i], blob, length))
            return &known->entries[i];
    return NULL;
}

const struct cfs_known_host *cfs_host_key_find_mark(const struct cfs_known_hosts *known, enum cfs_known_host_mark mark)
{
    for (size_t i = 0; i < known->count; i++)
        if (known->entries[i].mark == mark)
            return &known->entries[i];
    return NULL;
}

/* --- verdicts --- */

/* A pin may be written with the padding that base64 has. */
bool cfs_host_key_pin_matches(const char *pin, const char *fingerprint)
{
    size_t length = strlen(fingerprint);
    return strncmp(pin, fingerprint, length) == 0 && strspn(pin + length, "=") == strlen(pin + length);
}

static const struct cfs_known_host *find_shown_key(const struct cfs_host_key_known *known,
                                                   enum cfs_known_host_mark mark, const uint8_t *blob, size_t length)
{
    const struct cfs_known_host *entry = find_key(&known->named, mark, blob, length);
    return entry ? entry : find_key(&known->without_port, mark, blob, length);
}

/* The known key that the server's should have been: of the same type, if there is one. */
static const struct cfs_known_host *expected_entry(const struct cfs_known_hosts *known, const uint8_t *blob,
                                                   size_t length)
{
    char *type CFS_AUTO_FREE = cfs_host_key_type(blob, length);
    for (size_t i = 0; type && i < known->count; i++)
        if (known->entries[i].mark == CFS_KNOWN_HOST_PLAIN && strcmp(known->entries[i].type, type) == 0)
            return &known->entries[i];
    return cfs_host_key_find_mark(known, CFS_KNOWN_HOST_PLAIN);
}

enum cfs_host_key_verdict cfs_host_key_judge(const struct cfs_profile *profile, const struct cfs_host_key_known *known,
                                             const uint8_t *blob, size_t length,
                                             const struct cfs_known_host **ret_entry)
{
    *ret_entry = find_shown_key(known, CFS_KNOWN_HOST_REVOKED, blob, length);
    if (*ret_entry)
        return CFS_HOST_KEY_REVOKED;
    if (profile->host_key_fingerprint) {
        char *fingerprint CFS_AUTO_FREE = cfs_host_key_fingerprint(blob, length);
        bool matches = fingerprint && cfs_host_key_pin_matches(profile->host_key_fingerprint, fingerprint);
        return matches ? CFS_HOST_KEY_PINNED : CFS_HOST_KEY_NOT_PINNED;
    }
    *ret_entry = find_key(&known->named, CFS_KNOWN_HOST_PLAIN, blob, length);
    if (*ret_entry)
        return CFS_HOST_KEY_KNOWN;
    *ret_entry = expected_entry(&known->named, blob, length);
    if (*ret_entry)
        return CFS_HOST_KEY_CHANGED;
    *ret_entry = find_key(&known->without_port, CFS_KNOWN_HOST_PLAIN, blob, length);
    return *ret_entry ? CFS_HOST_KEY_KNOWN : CFS_HOST_KEY_UNKNOWN;
}

/* --- types --- */

static bool has_type(cfs_words types, const char *wanted)
{
    for (cfs_words type = types; *type; type++)
        if (strcmp(*type, wanted) == 0)
            return true;
    return false;
}

static int list_types(const struct cfs_known_hosts *known, cfs_words *ret_types)
{
    cfs_words types = calloc(known->count + 1, sizeof(*types));
    if (!types)
        return -ENOMEM;
    size_t count = 0;
    for (size_t i = 0; i < known->count; i++) {
        const struct cfs_known_host *entry = &known->entries[i];
        if (entry->mark != CFS_KNOWN_HOST_PLAIN || has_type(types, entry->type) ||
            find_key(known, CFS_KNOWN_HOST_REVOKED, entry->blob, entry->blob_length))
            continue;
        types[count] = strdup(entry->type);
        if (!types[count++]) {
            cfs_words_free(types);
            return -ENOMEM;
        }
    }
    *ret_types = types;
    return 0;
}

int cfs_host_key_known_types(const struct cfs_profile *profile, cfs_words *ret_types)
{
    struct cfs_host_key_known known CFS_AUTO_HOST_KEY_KNOWN = {0};
    int result = cfs_host_key_look_up(profile, true, &known, NULL);
    if (result < 0)
        return result;
    bool is_named = cfs_host_key_find_mark(&known.named, CFS_KNOWN_HOST_PLAIN);
    return list_types(is_named ? &known.named : &known.without_port, ret_types);
}

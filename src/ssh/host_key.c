/* The host key policy. The order of the questions: is the key revoked; is it the pinned one; is it known; is another
 * one known; may a new one be taken. What must always hold: a revoked key is refused whatever else is configured, a key
 * that differs from a known one is never accepted by a prompt or a policy, and a new key is recorded only after it was
 * accepted. */
#include "ssh/host_key.h"

#include "base/bytes.h"
#include "base/log.h"
#include "base/text.h"
#include "ssh/host_key_priv.h"
#include "ssh/known_hosts.h"
#include <ctype.h>
#include <errno.h>
#include <openssl/evp.h>
#include <string.h>

enum { STANDARD_PORT = 22 };

/* What is known about the key that the server has shown. */
struct inquiry {
    const struct cfs_profile *profile;
    struct cfs_prompter *prompter;
    const uint8_t *blob;
    size_t length;
    char *name;        /* as known_hosts has it: "[host]:port" where the port is not 22 */
    char *type;        /* "ssh-ed25519", printable */
    char *fingerprint; /* "SHA256:..." */
    struct cfs_known_hosts known;
    struct cfs_known_hosts without_port; /* known under the bare name, when the port is not 22 */
    const char *unreadable;              /* a file that is there and cannot be read; NULL */
    struct cfs_error *error;
};

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

static char *blob_type(const uint8_t *blob, size_t blob_length)
{
    struct cfs_reader reader = cfs_reader_over(blob, blob_length);
    size_t length;
    const uint8_t *name = cfs_read_string(&reader, &length);
    char *type = name && length <= 64 ? strndup((const char *)name, length) : strdup("unknown");
    if (type)
        cfs_text_make_printable(type, false);
    return type;
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

/* What the files hold for the host, and for its bare name: ssh takes that key on any port, but another key there says
 * nothing (the ports of a gateway lead to different machines). */
static int read_known(const struct cfs_profile *profile, const char *name, bool quiet, struct cfs_known_hosts *known,
                      struct cfs_known_hosts *without_port, const char **ret_unreadable, struct cfs_error *error)
{
    int result = read_files(profile, name, quiet, known, ret_unreadable, error);
    if (result == 0 && *name == '[' && !profile->host_key_alias)
        result = read_files(profile, profile->host, true, without_port, ret_unreadable, error);
    return result;
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

static const struct cfs_known_host *find_mark(const struct cfs_known_hosts *known, enum cfs_known_host_mark mark)
{
    for (size_t i = 0; i < known->count; i++)
        if (known->entries[i].mark == mark)
            return &known->entries[i];
    return NULL;
}

/* --- sentences --- */

static int fail_revoked(const struct inquiry *inquiry, const struct cfs_known_host *entry)
{
    return cfs_error_set(inquiry->error, EKEYREVOKED, CFS_FAILURE_HOST_KEY,
                         "The host key of %s (%s %s) is marked as revoked in %s:%u. Whoever holds it may be an "
                         "impostor: do not connect, ask the provider.",
                         inquiry->name, inquiry->type, inquiry->fingerprint, entry->file, entry->line);
}

static int fail_pin(const struct inquiry *inquiry)
{
    return cfs_error_set(inquiry->error, EKEYREJECTED, CFS_FAILURE_HOST_KEY,
                         "The host key of %s is not the one that host_key_fingerprint demands: the server has %s %s, "
                         "the profile says %s. Either this is not the right server, or its key was replaced: compare "
                         "with the fingerprint that the provider publishes, and correct the profile if it is right.",
                         inquiry->name, inquiry->type, inquiry->fingerprint, inquiry->profile->host_key_fingerprint);
}

/* The known key that the server's should have been: of the same type, if there is one. */
static const struct cfs_known_host *expected_entry(const struct inquiry *inquiry)
{
    for (size_t i = 0; i < inquiry->known.count; i++) {
        const struct cfs_known_host *entry = &inquiry->known.entries[i];
        if (entry->mark == CFS_KNOWN_HOST_PLAIN && strcmp(entry->type, inquiry->type) == 0)
            return entry;
    }
    return find_mark(&inquiry->known, CFS_KNOWN_HOST_PLAIN);
}

static int fail_changed(const struct inquiry *inquiry)
{
    const struct cfs_known_host *entry = expected_entry(inquiry);
    char *expected CFS_AUTO_FREE = cfs_host_key_fingerprint(entry->blob, entry->blob_length);
    return cfs_error_set(inquiry->error, EKEYREJECTED, CFS_FAILURE_HOST_KEY,
                         "The host key of %s has changed: the server has %s %s, but %s:%u says %s %s. Somebody may be "
                         "between you and the server. If the host was rebuilt, compare the new fingerprint with the "
                         "provider's, then forget the old key with: ssh-keygen -R '%s' -f '%s'",
                         inquiry->name, inquiry->type, inquiry->fingerprint, entry->file, entry->line, entry->type,
                         expected ? expected : "?", inquiry->name, entry->file);
}

static int fail_unknown(const struct inquiry *inquiry, const char *because)
{
    int result = cfs_error_set(
        inquiry->error, ENOKEY, CFS_FAILURE_HOST_KEY,
        "The host key of %s is not known%s: %s %s. Compare the fingerprint with the one that the provider "
        "publishes. If it is right, connect once with -o host_key_policy=accept-new, or write "
        "host_key_fingerprint = %s into the profile.",
        inquiry->name, because, inquiry->type, inquiry->fingerprint, inquiry->fingerprint);
    const struct cfs_known_host *authority = find_mark(&inquiry->known, CFS_KNOWN_HOST_AUTHORITY);
    if (authority)
        cfs_error_append(inquiry->error,
                         " (%s:%u names an authority for this host; host certificates are not supported.)",
                         authority->file, authority->line);
    return result;
}

/* --- decisions --- */

static void record(const struct inquiry *inquiry)
{
    cfs_words files = inquiry->profile->known_hosts;
    if (!files || !files[0]) {
        cfs_log_warning("ssh", "the host key of %s is not recorded: no known_hosts file is configured", inquiry->name);
        return;
    }
    int result = cfs_known_hosts_append(files[0], inquiry->name, inquiry->type, inquiry->blob, inquiry->length);
    if (result < 0)
        cfs_log_warning("ssh", "the host key of %s could not be added to %s: %s", inquiry->name, files[0],
                        strerror(-result));
    else
        cfs_log_info("ssh", "the host key of %s (%s %s) was added to %s", inquiry->name, inquiry->type,
                     inquiry->fingerprint, files[0]);
}

static int ask(const struct inquiry *inquiry)
{
    struct cfs_prompter *prompter = inquiry->prompter;
    if (!prompter || !prompter->can_ask(prompter))
        return fail_unknown(inquiry, ", and nobody can be asked");
    char *text CFS_AUTO_FREE =
        cfs_text_format("The host key of %s is not known yet. Its fingerprint is\n    %s %s\nCompare it with the one "
                        "that the provider publishes. Is it right (yes/no)? ",
                        inquiry->name, inquiry->type, inquiry->fingerprint);
    if (!text)
        return cfs_error_set(inquiry->error, ENOMEM, CFS_FAILURE_SYSTEM, "Out of memory.");
    int answer = prompter->confirm(prompter, text);
    if (answer > 0)
        return 0;
    if (answer == -ENOTTY)
        return fail_unknown(inquiry, ", and nobody can be asked");
    return cfs_error_set(inquiry->error, answer < 0 ? -answer : ECANCELED, CFS_FAILURE_CANCELLED,
                         "The host key of %s (%s %s) was not accepted.", inquiry->name, inquiry->type,
                         inquiry->fingerprint);
}

static int fail_unreadable(const struct inquiry *inquiry)
{
    return cfs_error_set(
        inquiry->error, EACCES, CFS_FAILURE_HOST_KEY,
        "The host key of %s (%s %s) is not known, but %s cannot be read: whether it has changed cannot "
        "be told, so it is not taken for a new one. Make the file readable, or name other files with "
        "known_hosts.",
        inquiry->name, inquiry->type, inquiry->fingerprint, inquiry->unreadable);
}

static int decide_unknown(const struct inquiry *inquiry)
{
    if (inquiry->unreadable)
        return fail_unreadable(inquiry);
    enum cfs_host_key_policy policy = inquiry->profile->host_key_policy;
    if (policy == CFS_HOST_KEY_AUTO) {
        bool can_ask = inquiry->prompter && inquiry->prompter->can_ask(inquiry->prompter);
        policy = can_ask ? CFS_HOST_KEY_ASK : CFS_HOST_KEY_STRICT;
    }
    int result = 0;
    if (policy == CFS_HOST_KEY_ASK)
        result = ask(inquiry);
    else if (policy != CFS_HOST_KEY_ACCEPT_NEW)
        result = fail_unknown(inquiry, "");
    if (result == 0)
        record(inquiry);
    return result;
}

/* A pin may be written with the padding that base64 has. */
static bool pin_matches(const char *pin, const char *fingerprint)
{
    size_t length = strlen(fingerprint);
    return strncmp(pin, fingerprint, length) == 0 && strspn(pin + length, "=") == strlen(pin + length);
}

static const struct cfs_known_host *find_shown_key(const struct inquiry *inquiry, enum cfs_known_host_mark mark)
{
    const struct cfs_known_host *entry = find_key(&inquiry->known, mark, inquiry->blob, inquiry->length);
    return entry ? entry : find_key(&inquiry->without_port, mark, inquiry->blob, inquiry->length);
}

static int decide(const struct inquiry *inquiry)
{
    const struct cfs_known_host *revoked = find_shown_key(inquiry, CFS_KNOWN_HOST_REVOKED);
    if (revoked)
        return fail_revoked(inquiry, revoked);
    const char *pin = inquiry->profile->host_key_fingerprint;
    if (pin)
        return pin_matches(pin, inquiry->fingerprint) ? 0 : fail_pin(inquiry);
    if (find_key(&inquiry->known, CFS_KNOWN_HOST_PLAIN, inquiry->blob, inquiry->length))
        return 0;
    if (find_mark(&inquiry->known, CFS_KNOWN_HOST_PLAIN))
        return fail_changed(inquiry);
    if (find_key(&inquiry->without_port, CFS_KNOWN_HOST_PLAIN, inquiry->blob, inquiry->length))
        return 0;
    return decide_unknown(inquiry);
}

int cfs_host_key_check(const struct cfs_profile *profile, const uint8_t *blob, size_t length,
                       struct cfs_prompter *prompter, struct cfs_error *error)
{
    char *name CFS_AUTO_FREE = lookup_name(profile);
    char *type CFS_AUTO_FREE = blob_type(blob, length);
    char *fingerprint CFS_AUTO_FREE = cfs_host_key_fingerprint(blob, length);
    if (!name || !type || !fingerprint)
        return cfs_error_set(error, ENOMEM, CFS_FAILURE_SYSTEM, "Out of memory.");
    struct inquiry inquiry = {.profile = profile,
                              .prompter = prompter,
                              .blob = blob,
                              .length = length,
                              .name = name,
                              .type = type,
                              .fingerprint = fingerprint,
                              .error = error};
    int result = read_known(profile, name, false, &inquiry.known, &inquiry.without_port, &inquiry.unreadable, error);
    if (result == 0)
        result = decide(&inquiry);
    cfs_known_hosts_fini(&inquiry.known);
    cfs_known_hosts_fini(&inquiry.without_port);
    return result;
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
    struct cfs_known_hosts known CFS_AUTO_KNOWN_HOSTS = {0}, without_port CFS_AUTO_KNOWN_HOSTS = {0};
    char *name CFS_AUTO_FREE = lookup_name(profile);
    if (!name)
        return -ENOMEM;
    const char *unreadable = NULL;
    int result = read_known(profile, name, true, &known, &without_port, &unreadable, NULL);
    if (result < 0)
        return result;
    return list_types(find_mark(&known, CFS_KNOWN_HOST_PLAIN) ? &known : &without_port, ret_types);
}

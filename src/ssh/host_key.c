/* The host key policy. The order of the questions: is the key revoked; is it the pinned one; is it known; is another
 * one known; may a new one be taken. What must always hold: a revoked key is refused whatever else is configured, a key
 * that differs from a known one is never accepted by a prompt or a policy, and a new key is recorded only after it was
 * accepted. */
#include "ssh/host_key.h"

#include "base/log.h"
#include "base/text.h"
#include "ssh/host_key_priv.h"
#include <errno.h>
#include <string.h>

/* What is known about the key that the server has shown. */
struct inquiry {
    const struct cfs_profile *profile;
    struct cfs_prompter *prompter;
    const uint8_t *blob;
    size_t length;
    const char *name;  /* as known_hosts has it: "[host]:port" where the port is not 22 */
    char *type;        /* "ssh-ed25519", printable */
    char *fingerprint; /* "SHA256:..." */
    struct cfs_host_key_known known;
    struct cfs_error *error;
};

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

/* What is said here is what a mount says, and a connection that is made again. */
static int fail_changed(const struct inquiry *inquiry, const struct cfs_known_host *entry)
{
    char *expected CFS_AUTO_FREE = cfs_host_key_fingerprint(entry->blob, entry->blob_length);
    char *typed CFS_AUTO_FREE = cfs_profile_typed(inquiry->profile);
    return cfs_error_set(inquiry->error, EKEYREJECTED, CFS_FAILURE_HOST_KEY,
                         "The host key of %s has changed: the server has %s %s, but %s:%u says %s %s. A host that was "
                         "rebuilt, or a new job or device that was given the address of an old one, has a new key. "
                         "Compare the new fingerprint with the one that the provider publishes: if it is another one, "
                         "somebody may be between you and the server; if it is the same, say: clusterfs hostkey trust "
                         "%s",
                         inquiry->name, inquiry->type, inquiry->fingerprint, entry->file, entry->line, entry->type,
                         expected ? expected : "?", typed ? typed : "PROFILE");
}

static int fail_unknown(const struct inquiry *inquiry, const char *because)
{
    char *typed CFS_AUTO_FREE = cfs_profile_typed(inquiry->profile);
    return cfs_error_set(
        inquiry->error, ENOKEY, CFS_FAILURE_HOST_KEY,
        "The host key of %s is not known%s: %s %s. Compare the fingerprint with the one that the provider "
        "publishes. If it is right, say: clusterfs hostkey trust %s; or connect once with -o "
        "host_key_policy=accept-new, or write host_key_fingerprint = %s into the profile.",
        inquiry->name, because, inquiry->type, inquiry->fingerprint, typed ? typed : "PROFILE", inquiry->fingerprint);
}

/* Whoever has set an authority up expects it to be asked. Only a person who compares the key can stand in for it. */
static int fail_authority(const struct inquiry *inquiry, const struct cfs_known_host *authority)
{
    char *typed CFS_AUTO_FREE = cfs_profile_typed(inquiry->profile);
    return cfs_error_set(
        inquiry->error, ENOKEY, CFS_FAILURE_HOST_KEY,
        "The host key of %s (%s %s) is not known by itself: %s:%u names an authority that vouches for this host, and "
        "clusterfs cannot verify certificates of hosts. With transport = openssh ssh does. Or compare the fingerprint "
        "with the one that the provider publishes, and if it is right, say: clusterfs hostkey trust %s",
        inquiry->name, inquiry->type, inquiry->fingerprint, authority->file, authority->line,
        typed ? typed : "PROFILE");
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

static bool can_ask(const struct inquiry *inquiry)
{
    return inquiry->prompter && inquiry->prompter->can_ask(inquiry->prompter);
}

static int ask(const struct inquiry *inquiry, const struct cfs_known_host *authority)
{
    struct cfs_prompter *prompter = inquiry->prompter;
    if (!can_ask(inquiry))
        return fail_unknown(inquiry, ", and nobody can be asked");
    char *text CFS_AUTO_FREE =
        cfs_text_format("The host key of %s is not known yet%s. Its fingerprint is\n    %s %s\nCompare it with the one "
                        "that the provider publishes. Is it right (yes/no)? ",
                        inquiry->name, authority ? ", and its authority's certificate cannot be verified here" : "",
                        inquiry->type, inquiry->fingerprint);
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
        inquiry->name, inquiry->type, inquiry->fingerprint, inquiry->known.unreadable);
}

static int decide_unknown(const struct inquiry *inquiry)
{
    if (inquiry->known.unreadable)
        return fail_unreadable(inquiry);
    enum cfs_host_key_policy policy = inquiry->profile->host_key_policy;
    if (policy == CFS_HOST_KEY_AUTO)
        policy = can_ask(inquiry) ? CFS_HOST_KEY_ASK : CFS_HOST_KEY_STRICT;
    const struct cfs_known_host *authority = cfs_host_key_find_mark(&inquiry->known.named, CFS_KNOWN_HOST_AUTHORITY);
    int result = 0;
    if (authority && (policy != CFS_HOST_KEY_ASK || !can_ask(inquiry)))
        return fail_authority(inquiry, authority);
    if (policy == CFS_HOST_KEY_ASK)
        result = ask(inquiry, authority);
    else if (policy != CFS_HOST_KEY_ACCEPT_NEW)
        result = fail_unknown(inquiry, "");
    if (result == 0)
        record(inquiry);
    return result;
}

static int decide(const struct inquiry *inquiry)
{
    const struct cfs_known_host *entry = NULL;
    switch (cfs_host_key_judge(inquiry->profile, &inquiry->known, inquiry->blob, inquiry->length, &entry)) {
    case CFS_HOST_KEY_KNOWN:
    case CFS_HOST_KEY_PINNED:
        return 0;
    case CFS_HOST_KEY_REVOKED:
        return fail_revoked(inquiry, entry);
    case CFS_HOST_KEY_NOT_PINNED:
        return fail_pin(inquiry);
    case CFS_HOST_KEY_CHANGED:
        return fail_changed(inquiry, entry);
    case CFS_HOST_KEY_UNKNOWN:
        break;
    }
    return decide_unknown(inquiry);
}

int cfs_host_key_check(const struct cfs_profile *profile, const uint8_t *blob, size_t length,
                       struct cfs_prompter *prompter, struct cfs_error *error)
{
    struct cfs_host_key_known known CFS_AUTO_HOST_KEY_KNOWN = {0};
    int result = cfs_host_key_look_up(profile, false, &known, error);
    if (result < 0)
        return result;
    char *type CFS_AUTO_FREE = cfs_host_key_type(blob, length);
    char *fingerprint CFS_AUTO_FREE = cfs_host_key_fingerprint(blob, length);
    if (!type || !fingerprint)
        return cfs_error_set(error, ENOMEM, CFS_FAILURE_SYSTEM, "Out of memory.");
    struct inquiry inquiry = {.profile = profile,
                              .prompter = prompter,
                              .blob = blob,
                              .length = length,
                              .name = known.name,
                              .type = type,
                              .fingerprint = fingerprint,
                              .known = known,
                              .error = error};
    return decide(&inquiry);
}

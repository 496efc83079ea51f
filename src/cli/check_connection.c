/* From the host's name to the work folder: what `mount` does, by the same calls, in the same order. Which step a
 * failure belongs to follows from how far the connection had come (struct cfs_ssh_watcher). */
#include "base/bytes.h"
#include "base/clock.h"
#include "base/text.h"
#include "cli/check.h"
#include "cli/reach.h"
#include "remote/pool.h"
#include "ssh/dial.h"
#include "ssh/host_key.h"
#include <errno.h>
#include <stdio.h>
#include <string.h>

struct journey {
    struct cfs_check *check;
    enum cfs_check_step next; /* what the connection has not reached yet */
    bool was_known;           /* known_hosts had a key of the host */
};

/* --- the name --- */

/* Who looks the name up instead of us, and connects; NULL: nobody. */
static const char *leader(const struct cfs_profile *profile)
{
    return profile->hop             ? profile->hop->host
           : profile->proxy_command ? "proxy_command"
           : profile->proxy         ? "the proxy"
                                    : NULL;
}

static bool look_up(struct cfs_check *check)
{
    const struct cfs_profile *profile = check->profile;
    if (leader(profile)) {
        cfs_check_say(check, CFS_CHECK_NAME, CFS_CHECK_OK, "%s: looked up by %s", profile->host, leader(profile));
        return true;
    }
    struct cfs_error error = {0};
    struct addrinfo *addresses = NULL;
    struct cfs_buffer text CFS_AUTO_BUFFER;
    cfs_buffer_init(&text);
    int64_t deadline_ms = cfs_clock_ms(&cfs_system_clock) + profile->connect_timeout_ms;
    if (cfs_ssh_dial_lookup(profile, -1, deadline_ms, &addresses, &error) < 0) {
        cfs_check_fail(check, CFS_CHECK_NAME, &error);
        return false;
    }
    for (const struct addrinfo *address = addresses; address; address = address->ai_next) {
        char one[CFS_SSH_ADDRESS_TEXT];
        cfs_ssh_format_address(address, one);
        one[strcspn(one, " ")] = '\0';
        if (text.length > 0)
            cfs_buffer_add(&text, ", ", 2);
        cfs_buffer_add(&text, one, strlen(one));
    }
    cfs_buffer_add_u8(&text, '\0');
    freeaddrinfo(addresses);
    cfs_check_say(check, CFS_CHECK_NAME, CFS_CHECK_OK, "%s: %s", profile->host, text.failed ? "?" : (char *)text.bytes);
    return true;
}

/* --- the connection and the login --- */

static void host_key_trusted(struct journey *journey, const struct cfs_ssh_facts *facts)
{
    const struct cfs_profile *profile = journey->check->profile;
    const char *how = profile->host_key_fingerprint ? "is the one that host_key_fingerprint demands"
                      : journey->was_known          ? "is known"
                                                    : "was new, and is remembered now";
    cfs_check_say(journey->check, CFS_CHECK_HOST_KEY, CFS_CHECK_OK, "%s %s %s", facts->host_key_type,
                  facts->host_key_fingerprint, how);
}

static void reached(enum cfs_ssh_stage stage, const struct cfs_ssh_facts *facts, void *context)
{
    struct journey *journey = context;
    struct cfs_check *check = journey->check;
    switch (stage) {
    case CFS_SSH_CONNECTED:
        cfs_check_say(check, CFS_CHECK_CONNECTION, CFS_CHECK_OK, "%s", facts->address);
        journey->next = CFS_CHECK_SERVER;
        break;
    case CFS_SSH_GREETED:
        cfs_check_say(check, CFS_CHECK_SERVER, CFS_CHECK_OK, "%s", facts->server_banner);
        journey->next = CFS_CHECK_ALGORITHMS;
        break;
    case CFS_SSH_KEYS_EXCHANGED:
        cfs_check_say(check, CFS_CHECK_ALGORITHMS, CFS_CHECK_OK, "%s, %s, %s%s%s", facts->kex, facts->host_key_type,
                      facts->cipher, facts->mac[0] ? ", " : "", facts->mac);
        journey->next = CFS_CHECK_HOST_KEY;
        break;
    case CFS_SSH_HOST_KEY_TRUSTED:
        host_key_trusted(journey, facts);
        journey->next = CFS_CHECK_LOGIN;
        break;
    case CFS_SSH_LOGGED_IN:
        cfs_check_say(check, CFS_CHECK_LOGIN, CFS_CHECK_OK, "%s by %s", check->profile->user, facts->login_method);
        journey->next = CFS_CHECK_SFTP;
        return;
    }
    /* At once: what is asked at a prompt comes behind it. What was found of the key files waits for the login. */
    cfs_check_tell(check, stage == CFS_SSH_HOST_KEY_TRUSTED ? CFS_CHECK_HOST_KEY : journey->next - 1);
}

/* How the device learns a key, where the login failed because it does not know it. */
static void hint_at_keys(struct cfs_check *check)
{
    char *typed CFS_AUTO_FREE = cfs_profile_typed(check->profile);
    if (check->public_lines)
        cfs_check_hint(check, CFS_CHECK_LOGIN,
                       "The file authorized_keys of %s on the device, or the provider's page, must have one of these "
                       "lines:\n%s\nWho can log in there already may add it: clusterfs key install %s --key FILE.pub",
                       check->profile->user, check->public_lines, typed ? typed : "PROFILE");
}

/* A transport that tells nothing on its way: by the kind of failure. */
static enum cfs_check_step step_of(enum cfs_failure failure)
{
    switch (failure) {
    case CFS_FAILURE_NAME:
        return CFS_CHECK_NAME;
    case CFS_FAILURE_PROTOCOL:
        return CFS_CHECK_ALGORITHMS;
    case CFS_FAILURE_HOST_KEY:
        return CFS_CHECK_HOST_KEY;
    case CFS_FAILURE_KEY_FILE:
    case CFS_FAILURE_LOGIN:
    case CFS_FAILURE_CANCELLED:
        return CFS_CHECK_LOGIN;
    case CFS_FAILURE_NO_SFTP:
        return CFS_CHECK_SFTP;
    default:
        return CFS_CHECK_CONNECTION;
    }
}

/* What lies before the step at which it has failed, and was not told of. */
static void note_passed(struct cfs_check *check, enum cfs_check_step failed)
{
    for (unsigned step = CFS_CHECK_CONNECTION; step < failed; step++)
        if (check->findings[step].mark == CFS_CHECK_NOT_REACHED)
            cfs_check_say(check, (enum cfs_check_step)step, CFS_CHECK_OK, "ssh came past it");
}

/* Where in the order of the steps ERROR belongs. */
static void blame(struct journey *journey, const struct cfs_error *error)
{
    struct cfs_check *check = journey->check;
    bool is_watched = cfs_reach_is_watched(check->profile);
    enum cfs_check_step step = is_watched ? journey->next : step_of(error->failure);
    bool is_on_the_way = is_watched && step == CFS_CHECK_CONNECTION && leader(check->profile);
    if (is_on_the_way) /* a hop's key, a proxy's login */
        cfs_check_say(check, CFS_CHECK_LOGIN, CFS_CHECK_NOT_REACHED, "the host itself was not reached");
    else if (step == CFS_CHECK_SERVER && error->failure == CFS_FAILURE_CONFIG)
        step = CFS_CHECK_ALGORITHMS; /* the option ciphers */
    else if (error->failure == CFS_FAILURE_HOST_KEY)
        step = CFS_CHECK_HOST_KEY;
    else if (error->failure == CFS_FAILURE_KEY_FILE) {
        step = CFS_CHECK_KEY_FILES;
        cfs_check_say(check, CFS_CHECK_LOGIN, CFS_CHECK_NOT_REACHED, "no key could be used");
    }
    cfs_check_fail(check, step, error);
    if (!cfs_reach_is_watched(check->profile))
        note_passed(check, step);
    if (step == CFS_CHECK_LOGIN && error->failure == CFS_FAILURE_LOGIN)
        hint_at_keys(check);
}

static void note_known(struct journey *journey)
{
    cfs_words types = NULL;
    journey->was_known = cfs_host_key_known_types(journey->check->profile, &types) == 0 && types && types[0];
    cfs_words_free(types);
}

/* What ssh has told of itself, once all of it is done. */
static void tell_of_ssh(struct journey *journey, struct cfs_transport *transport)
{
    struct cfs_ssh_facts facts;
    transport->operations->facts(transport, &facts);
    for (int stage = CFS_SSH_CONNECTED; stage <= CFS_SSH_LOGGED_IN; stage++)
        reached((enum cfs_ssh_stage)stage, &facts, journey);
}

/* PROFILE: as the check's, for one connection. */
static struct cfs_transport *connect_to(struct journey *journey, const struct cfs_profile *profile)
{
    struct cfs_error error = {0};
    struct cfs_transport *transport = NULL;
    const struct cfs_ssh_watcher watcher = {.reached = reached, .context = journey};
    int result = cfs_reach(profile, &watcher, &transport, &error);
    if (result)
        blame(journey, &error);
    else if (!cfs_reach_is_watched(profile))
        tell_of_ssh(journey, transport);
    cfs_check_tell(journey->check, CFS_CHECK_LOGIN);
    return result ? NULL : transport;
}

/* --- SFTP and the folder --- */

static void tell_sftp(struct cfs_check *check, struct cfs_remote *remote)
{
    const struct cfs_remote_facts *facts = remote->operations->facts(remote);
    struct cfs_pool_status status;
    struct cfs_buffer missing CFS_AUTO_BUFFER;
    cfs_buffer_init(&missing);
    cfs_pool_status(remote, &status);
    for (uint32_t bit = 1; bit; bit <<= 1) {
        const char *name = cfs_pool_extension_name(bit);
        if (!name || (status.extensions & bit))
            continue;
        if (missing.length > 0)
            cfs_buffer_add(&missing, ", ", 2);
        cfs_buffer_add(&missing, name, strlen(name));
    }
    cfs_buffer_add_u8(&missing, '\0');
    cfs_check_say(check, CFS_CHECK_SFTP, CFS_CHECK_OK, "version 3");
    bool is_complete = missing.length == 1 || missing.failed;
    cfs_check_say(check, CFS_CHECK_EXTENSIONS, CFS_CHECK_OK, "reads of %u KiB, writes of %u KiB%s%s",
                  facts->read_size / 1024, facts->write_size / 1024,
                  is_complete ? ", all extensions" : "; it does not offer ", is_complete ? "" : (char *)missing.bytes);
    cfs_check_say(check, CFS_CHECK_FOLDER, CFS_CHECK_OK, "%s", facts->root);
}

static struct cfs_remote *open_folder(struct cfs_check *check, const struct cfs_profile *profile,
                                      struct cfs_transport *transport)
{
    struct cfs_error error = {0};
    struct cfs_remote *remote = NULL;
    const struct cfs_pool_options options = {
        .lanes = 1,
        .sessions = 1,
        .op_timeout_ms = profile->op_timeout_ms,
        .remote_dir = profile->remote_dir,
    };
    int result = cfs_pool_open(transport, &options, &remote, &error);
    if (result && error.failure == CFS_FAILURE_REMOTE_PATH) {
        cfs_check_say(check, CFS_CHECK_SFTP, CFS_CHECK_OK, "version 3");
        cfs_check_fail(check, CFS_CHECK_FOLDER, &error);
    } else if (result) {
        cfs_check_fail(check, CFS_CHECK_SFTP, &error);
        cfs_check_hint(check, CFS_CHECK_SFTP,
                       "The login itself works. A forced command (ForceCommand, or command= in authorized_keys), or a "
                       "start-up file of the shell there that prints or exits, keeps SFTP from starting; so does an "
                       "sshd_config without \"Subsystem sftp\".");
    } else {
        tell_sftp(check, remote);
    }
    cfs_check_tell(check, CFS_CHECK_FOLDER);
    return remote;
}

struct cfs_remote *cfs_check_connection(struct cfs_check *check)
{
    struct journey journey = {.check = check, .next = CFS_CHECK_CONNECTION};
    /* One connection, one login. The transport keeps it for as long as it lives. */
    check->one_connection = *check->profile;
    check->one_connection.connections = 1;
    if (!cfs_reach_is_watched(check->profile))
        cfs_check_say(check, CFS_CHECK_NAME, CFS_CHECK_OK, "ssh looks %s up", check->profile->host);
    else if (!look_up(check))
        return NULL;
    if (cfs_reach_is_watched(check->profile))
        cfs_check_tell(check, CFS_CHECK_NAME);
    note_known(&journey);
    struct cfs_transport *transport = connect_to(&journey, &check->one_connection);
    return transport ? open_folder(check, &check->one_connection, transport) : NULL;
}

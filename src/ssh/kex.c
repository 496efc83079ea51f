/* Drives libssh2's handshake, and says what went wrong from what the other end sent first: nothing at all, something
 * that is no SSH, one of OpenSSH's refusals in plain text, or a real greeting followed by a key exchange that failed.
 *
 * libssh2's handshake ends with the server's consent to the service for logins, a round trip after the keys. That is
 * not waited for here: auth_begin.c sends more behind the request, and finishes the handshake. */
#include "ssh/kex.h"
#include "base/text.h"
#include "ssh/algorithms.h"
#include "ssh/host_key.h"
#include "ssh/kexinit.h"
#include <errno.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>

/* RFC 4253, 4.2 allows lines before the version; some servers greet with a screenful, none with a novel. */
enum { GREETING_LIMIT = 64 * 1024, GREETING_SHOWN = 80 };

static const char our_banner[] = "SSH-2.0-clusterfs_" PACKAGE_VERSION;

static bool speaks_ssh(const struct cfs_ssh_transport *transport)
{
    const char *banner = libssh2_session_banner_get(transport->session); /* its latest line, SSH or not */
    return (banner && strncmp(banner, "SSH-", 4) == 0) || strncmp(transport->greeting, "SSH-", 4) == 0;
}

/* What OpenSSH's sshd says in plain text instead of its version, and what it means. */
static const struct refusal {
    const char *text, *meaning;
} refusals[] = {
    {"Exceeded MaxStartups", "Too many logins are going on there at once; try again in a moment."},
    {"Not allowed at this time", "It refuses this address for some minutes after failed logins (PerSourcePenalties)."},
};

static const char *refusal_in(const char *greeting)
{
    for (size_t i = 0; i < CFS_COUNT(refusals); i++)
        if (strstr(greeting, refusals[i].text))
            return refusals[i].meaning;
    return NULL;
}

/* The other end sent something, but no SSH version. */
static int no_ssh(const char *address, const struct cfs_ssh_transport *transport, struct cfs_error *error)
{
    char line[GREETING_SHOWN];
    snprintf(line, sizeof(line), "%.*s", GREETING_SHOWN - 1, transport->greeting);
    line[strcspn(line, "\r\n")] = '\0';
    cfs_text_make_printable(line, false);
    const char *meaning = refusal_in(transport->greeting);
    if (meaning)
        return cfs_error_set(error, EAGAIN, CFS_FAILURE_CONNECT, "The SSH server at %s turned us away: \"%s\". %s",
                             address, line, meaning);
    return cfs_error_set(error, EPROTO, CFS_FAILURE_PROTOCOL,
                         "What answers at %s does not speak SSH; it says \"%s\". Check host and port.", address, line);
}

static int timed_out(const char *address, const struct cfs_ssh_transport *transport, struct cfs_error *error)
{
    if (transport->received == 0)
        return cfs_error_set(error, ETIMEDOUT, CFS_FAILURE_TIMEOUT,
                             "Connected to %s, but nothing there says a word. Check the port; if it is right, the SSH "
                             "server hangs or its job is still starting.",
                             address);
    if (!speaks_ssh(transport))
        return no_ssh(address, transport, error);
    return cfs_error_set(error, ETIMEDOUT, CFS_FAILURE_TIMEOUT,
                         "The SSH server at %s began to exchange keys and then fell silent. The network may drop large "
                         "packets (a VPN's MTU), or the server is overloaded.",
                         address);
}

static int closed(const char *address, const struct cfs_ssh_connect_waiter *waiter, struct cfs_error *error)
{
    const struct cfs_ssh_transport *transport = waiter->transport;
    if (transport->received == 0)
        return cfs_error_set(error, ECONNRESET, CFS_FAILURE_CONNECT,
                             "The connection to %s was closed before a word was said%s%s. The server may let in only "
                             "certain addresses, may be overloaded, or its job is still starting.",
                             address, waiter->error ? ": " : "", waiter->error ? strerror(waiter->error) : "");
    if (!speaks_ssh(transport))
        return no_ssh(address, transport, error);
    return cfs_error_set(error, ECONNRESET, CFS_FAILURE_CONNECT,
                         "The SSH server at %s closed the connection during the key exchange%s%s.%s%s", address,
                         waiter->error ? ": " : "", waiter->error ? strerror(waiter->error) : "",
                         transport->disconnect_text[0] ? " It said: " : "", transport->disconnect_text);
}

static int refused_by_waiter(const char *address, const struct cfs_ssh_connect_waiter *waiter, int rc,
                             struct cfs_error *error)
{
    switch (rc) {
    case -ECANCELED:
        return cfs_error_set(error, ECANCELED, CFS_FAILURE_CANCELLED, "Connecting to %s was given up.", address);
    case -ETIMEDOUT:
        return timed_out(address, waiter->transport, error);
    case -ECONNRESET:
        return closed(address, waiter, error);
    default:
        return cfs_error_set(error, -rc, CFS_FAILURE_SYSTEM, "Cannot wait for %s: %s.", address, strerror(-rc));
    }
}

/* Says about what there was no agreement; false if that cannot be seen. */
static bool explain_disagreement(const struct cfs_profile *profile, const struct cfs_ssh_transport *transport,
                                 struct cfs_error *error)
{
    struct cfs_ssh_offer offer CFS_AUTO_OFFER = {.lists = {NULL}};
    if (cfs_ssh_offer_read(transport->greeting, transport->greeting_length, &offer) < 0)
        return false;
    const char *theirs = NULL;
    const char *what = cfs_ssh_find_disagreement(profile, &offer, &theirs);
    if (!what)
        return false;
    cfs_error_append(error, " We have no %s in common: it offers only %.300s.%s", what, *theirs ? theirs : "none",
                     profile->ciphers && strcmp(what, "cipher") == 0 ? " Check the option ciphers." : "");
    return true;
}

static int failed(const struct cfs_profile *profile, const char *address, struct cfs_ssh_transport *transport, int rc,
                  struct cfs_error *error)
{
    char reason[CFS_ERROR_TEXT / 4];
    cfs_ssh_transport_explain(transport, reason, sizeof(reason));
    if (transport->received > 0 && !speaks_ssh(transport))
        return no_ssh(address, transport, error);
    if (rc == LIBSSH2_ERROR_ALLOC)
        return cfs_error_set(error, ENOMEM, CFS_FAILURE_SYSTEM, "Out of memory while exchanging keys with %s.",
                             address);
    if (rc == LIBSSH2_ERROR_HOSTKEY_INIT || rc == LIBSSH2_ERROR_HOSTKEY_SIGN)
        return cfs_error_set(error, EPROTO, CFS_FAILURE_HOST_KEY,
                             "The server at %s could not prove that it holds its host key (%s). Do not trust it.",
                             address, reason);
    cfs_error_set(error, EPROTO, CFS_FAILURE_PROTOCOL, "The key exchange with the SSH server at %s failed: %s.",
                  address, reason);
    if (explain_disagreement(profile, transport, error))
        return -EPROTO;
    if (rc == LIBSSH2_ERROR_KEX_FAILURE || rc == LIBSSH2_ERROR_METHOD_NONE)
        cfs_error_append(error, " Most likely it has no algorithm in common with us%s.",
                         profile->ciphers ? ": check the option ciphers" : ": it may be very old, or restricted");
    return -EPROTO;
}

static int prepare(const struct cfs_profile *profile, LIBSSH2_SESSION *session, struct cfs_error *error)
{
    cfs_words known_types = NULL;
    int rc = cfs_host_key_known_types(profile, &known_types);
    if (rc < 0)
        return cfs_error_set(error, -rc, CFS_FAILURE_SYSTEM, "Cannot read the known host keys: %s.", strerror(-rc));
    rc = cfs_ssh_set_algorithms(session, profile, known_types, error);
    cfs_words_free(known_types);
    if (rc < 0)
        return rc;
    if (libssh2_session_banner_set(session, our_banner) != 0)
        return cfs_error_set(error, ENOMEM, CFS_FAILURE_SYSTEM, "Out of memory.");
    return 0;
}

int cfs_ssh_exchange_keys(const struct cfs_profile *profile, const char *address, struct cfs_ssh_connect_waiter *waiter,
                          struct cfs_error *error)
{
    struct cfs_ssh_transport *transport = waiter->transport;
    int rc = prepare(profile, transport->session, error);
    if (rc < 0)
        return rc;
    for (;;) {
        rc = libssh2_session_handshake(transport->session, transport->fd);
        transport->handshake_unfinished = rc == LIBSSH2_ERROR_EAGAIN && transport->service_asked;
        if (rc == 0 || transport->handshake_unfinished)
            return 0;
        if (rc != LIBSSH2_ERROR_EAGAIN)
            return failed(profile, address, transport, rc, error);
        if (transport->received > GREETING_LIMIT && !speaks_ssh(transport))
            return no_ssh(address, transport, error);
        rc = waiter->waiter.wait(&waiter->waiter);
        if (rc < 0)
            return refused_by_waiter(address, waiter, rc, error);
    }
}

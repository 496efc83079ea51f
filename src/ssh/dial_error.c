/* Why there is no connection, in sentences that name the usual causes: people meet these when a job has ended or has
 * moved, when they are outside the network that is let in, or when a digit of the port is wrong. */
#include "ssh/dial_priv.h"
#include <errno.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>

void cfs_ssh_format_address(const struct addrinfo *address, char text[CFS_SSH_ADDRESS_TEXT])
{
    char host[48], port[8];
    if (getnameinfo(address->ai_addr, address->ai_addrlen, host, sizeof(host), port, sizeof(port),
                    NI_NUMERICHOST | NI_NUMERICSERV) != 0)
        snprintf(text, CFS_SSH_ADDRESS_TEXT, "?");
    else
        snprintf(text, CFS_SSH_ADDRESS_TEXT, "%s port %s", host, port);
}

static int cancelled(const struct cfs_profile *profile, struct cfs_error *error)
{
    return cfs_error_set(error, ECANCELED, CFS_FAILURE_CANCELLED, "Connecting to %s was given up.", profile->host);
}

int cfs_ssh_lookup_error(const struct cfs_profile *profile, int rc, int problem, struct cfs_error *error)
{
    const char *host = profile->host;
    if (rc == -ECANCELED)
        return cancelled(profile, error);
    if (rc == -ETIMEDOUT)
        return cfs_error_set(error, ETIMEDOUT, CFS_FAILURE_TIMEOUT,
                             "Looking up the address of %s took too long. Check the network and the name servers of "
                             "this machine.",
                             host);
    if (rc != -ENOENT)
        return cfs_error_set(error, -rc, CFS_FAILURE_SYSTEM, "Cannot look up the address of %s: %s.", host,
                             strerror(-rc));
    const char *text = problem == EAI_SYSTEM ? strerror(errno) : gai_strerror(problem);
    if (problem == EAI_AGAIN)
        return cfs_error_set(error, ENOENT, CFS_FAILURE_NAME,
                             "Cannot look up the address of %s: %s. The name servers do not answer; check the network "
                             "of this machine.",
                             host, text);
    return cfs_error_set(error, ENOENT, CFS_FAILURE_NAME,
                         "Cannot find the address of %s: %s. Check the spelling of the host; a name that belonged to a "
                         "job goes away when the job has ended.",
                         host, text);
}

static bool any_has(const struct cfs_ssh_attempt *attempts, unsigned count, int problem)
{
    for (unsigned i = 0; i < count; i++)
        if (attempts[i].error == problem)
            return true;
    return false;
}

/* What to tell for an errno, the most telling first. */
static const struct advice {
    int problem;
    enum cfs_failure failure;
    const char *what, *why;
} advices[] = {
    {ECONNREFUSED, CFS_FAILURE_CONNECT, "the connection was refused",
     "Nothing accepts SSH there: the job has ended or is still starting, its address or port has changed, or the port "
     "is wrong."},
    {ECONNRESET, CFS_FAILURE_CONNECT, "the connection was reset",
     "Something on the way closed it: a firewall, or an access restriction of the server."},
    {ETIMEDOUT, CFS_FAILURE_TIMEOUT, "there was no answer",
     "The address may have changed, the machine or job may be down, or it may accept only certain networks (a VPN, the "
     "campus)."},
    {EHOSTUNREACH, CFS_FAILURE_CONNECT, "the host cannot be reached",
     "Check the network of this machine, and whether the host needs a VPN; its address may have changed."},
    {ENETUNREACH, CFS_FAILURE_CONNECT, "the network cannot be reached",
     "Check the network of this machine, and whether the host needs a VPN."},
    {EACCES, CFS_FAILURE_CONNECT, "this machine does not allow the connection", "Look at its firewall."},
    {EPERM, CFS_FAILURE_CONNECT, "this machine does not allow the connection", "Look at its firewall."},
    {EADDRNOTAVAIL, CFS_FAILURE_CONFIG, "the local address cannot be used",
     "Check bind_address: it must be an address of this machine."},
    {EAFNOSUPPORT, CFS_FAILURE_CONFIG, "no address of the wanted family", "Check address_family and bind_address."},
};

static const struct advice *choose(const struct cfs_ssh_attempt *attempts, unsigned count, bool timed_out)
{
    for (size_t i = 0; i < CFS_COUNT(advices); i++)
        if (any_has(attempts, count, advices[i].problem) || (timed_out && advices[i].problem == ETIMEDOUT))
            return &advices[i];
    return NULL;
}

/* " (192.0.2.1 port 22: Connection refused; ...)" */
static void append_addresses(const struct cfs_ssh_attempt *attempts, unsigned count, struct cfs_error *error)
{
    for (unsigned i = 0; i < count; i++) {
        char text[CFS_SSH_ADDRESS_TEXT];
        cfs_ssh_format_address(attempts[i].address, text);
        cfs_error_append(error, "%s%s: %s", i ? "; " : " (", text,
                         attempts[i].error ? strerror(attempts[i].error) : "no answer");
    }
    cfs_error_append(error, "%s", count ? ")" : "");
}

int cfs_ssh_dial_error(const struct cfs_profile *profile, const struct cfs_ssh_attempt *attempts, unsigned count,
                       int rc, struct cfs_error *error)
{
    if (rc == -ECANCELED)
        return cancelled(profile, error);
    const struct advice *advice = choose(attempts, count, rc == -ETIMEDOUT);
    if (!advice) {
        int problem = count ? attempts[count - 1].error : -rc;
        return cfs_error_set(error, problem ? problem : ECONNREFUSED, CFS_FAILURE_CONNECT,
                             "Cannot connect to %s port %u: %s.", profile->host, (unsigned)profile->port,
                             strerror(problem));
    }
    rc = cfs_error_set(error, advice->problem, advice->failure, "Cannot connect to %s port %u: %s", profile->host,
                       (unsigned)profile->port, advice->what);
    append_addresses(attempts, count, error);
    cfs_error_append(error, ". %s", advice->why);
    return rc;
}

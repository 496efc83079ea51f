/* Happy eyeballs, in the manner of RFC 8305: the addresses are interleaved by family; an attempt begins when the one
 * before has failed, or has not answered for 250 ms; the first connection wins and the others are dropped. */
#include "ssh/dial.h"
#include "base/clock.h"
#include "ssh/dial_priv.h"
#include "ssh/lookup.h"
#include "ssh/wait.h"
#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdbool.h>
#include <string.h>
#include <sys/socket.h>

enum {
    STAGGER_MS = 250,
    KEEPALIVE_IDLE_S = 30,
    KEEPALIVE_INTERVAL_S = 10,
    KEEPALIVE_PROBES = 4,
    UNSENT_MOST = 128 * 1024,
    UNANSWERED_MS = 60 * 1000, /* sent bytes without an acknowledgement: then the connection is dead */
};

struct dialer {
    const struct cfs_profile *profile;
    const struct addrinfo *bind_address; /* NULL: any */
    struct cfs_ssh_attempt attempts[CFS_SSH_MOST_ADDRESSES];
    unsigned count, begun;
};

static int family_of(const struct cfs_profile *profile)
{
    switch (profile->address_family) {
    case CFS_ADDRESS_INET:
        return AF_INET;
    case CFS_ADDRESS_INET6:
        return AF_INET6;
    case CFS_ADDRESS_ANY:
        break;
    }
    return AF_UNSPEC;
}

/* The next address at or after FROM whose family is FAMILY (or is not). */
static const struct addrinfo *next_of(const struct addrinfo *from, int family, bool same)
{
    while (from && (from->ai_family == family) != same)
        from = from->ai_next;
    return from;
}

/* Takes the addresses in turns: the family that the resolver prefers, then the other. */
static void interleave(struct dialer *dialer, const struct addrinfo *addresses)
{
    int family = addresses->ai_family;
    const struct addrinfo *heads[2] = {addresses, next_of(addresses, family, false)};
    for (unsigned turn = 0; (heads[0] || heads[1]) && dialer->count < CFS_SSH_MOST_ADDRESSES; turn++) {
        unsigned side = turn % 2;
        if (!heads[side])
            continue;
        dialer->attempts[dialer->count++] = (struct cfs_ssh_attempt){.address = heads[side], .fd = -1};
        heads[side] = next_of(heads[side]->ai_next, family, side == 0);
    }
}

/* What fails here costs comfort, not correctness. */
static void tune(int fd)
{
    const int on = 1, idle = KEEPALIVE_IDLE_S, interval = KEEPALIVE_INTERVAL_S, probes = KEEPALIVE_PROBES;
    const int unsent = UNSENT_MOST;
    const unsigned unanswered = UNANSWERED_MS;
    (void)setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
    /* The kernel takes little more than it can send: else a small request waits behind megabytes of an upload in its
     * buffer, on a slow link longer than op_timeout. */
    (void)setsockopt(fd, IPPROTO_TCP, TCP_NOTSENT_LOWAT, &unsent, sizeof(unsent));
    (void)setsockopt(fd, SOL_SOCKET, SO_KEEPALIVE, &on, sizeof(on));
    (void)setsockopt(fd, IPPROTO_TCP, TCP_KEEPIDLE, &idle, sizeof(idle));
    (void)setsockopt(fd, IPPROTO_TCP, TCP_KEEPINTVL, &interval, sizeof(interval));
    (void)setsockopt(fd, IPPROTO_TCP, TCP_KEEPCNT, &probes, sizeof(probes));
    (void)setsockopt(fd, IPPROTO_TCP, TCP_USER_TIMEOUT, &unanswered, sizeof(unanswered));
}

static int bind_to(int fd, const struct dialer *dialer, int family)
{
    if (!dialer->bind_address)
        return 0;
    const struct addrinfo *local = next_of(dialer->bind_address, family, true);
    if (!local)
        return -EAFNOSUPPORT;
    return bind(fd, local->ai_addr, local->ai_addrlen) < 0 ? -errno : 0;
}

/* Begins to connect; the outcome is in the attempt. */
static void begin(struct dialer *dialer, struct cfs_ssh_attempt *attempt)
{
    const struct addrinfo *address = attempt->address;
    int fd CFS_AUTO_CLOSE = socket(address->ai_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, IPPROTO_TCP);
    if (fd < 0) {
        attempt->error = errno;
        return;
    }
    tune(fd);
    int rc = bind_to(fd, dialer, address->ai_family);
    if (rc < 0) {
        attempt->error = -rc;
        return;
    }
    if (connect(fd, address->ai_addr, address->ai_addrlen) < 0 && errno != EINPROGRESS && errno != EINTR) {
        attempt->error = errno;
        return;
    }
    attempt->fd = CFS_TAKE_FD(fd);
}

/* Looks at one that poll(2) has reported: true when it is connected. */
static bool finish(struct cfs_ssh_attempt *attempt)
{
    int problem = 0;
    socklen_t size = sizeof(problem);
    if (getsockopt(attempt->fd, SOL_SOCKET, SO_ERROR, &problem, &size) < 0)
        problem = errno;
    if (problem == 0)
        return true;
    attempt->error = problem;
    close(attempt->fd);
    attempt->fd = -1;
    return false;
}

/* Waits for the attempts under way, not beyond UNTIL_MS. 1 with the winner, 0 when one has failed, -errno. */
static int wait_for_any(struct dialer *dialer, int cancel_fd, int64_t until_ms, struct cfs_ssh_attempt **ret_winner)
{
    struct pollfd polls[CFS_SSH_MOST_ADDRESSES + 1];
    for (unsigned i = 0; i < dialer->begun; i++)
        polls[i] = (struct pollfd){.fd = dialer->attempts[i].fd, .events = POLLOUT};
    int ready = cfs_ssh_wait_polls(polls, dialer->begun, cancel_fd, until_ms);
    if (ready < 0)
        return ready;
    for (unsigned i = 0; i < dialer->begun; i++)
        if (polls[i].revents != 0 && finish(&dialer->attempts[i])) {
            *ret_winner = &dialer->attempts[i];
            return 1;
        }
    return 0;
}

static bool any_under_way(const struct dialer *dialer)
{
    for (unsigned i = 0; i < dialer->begun; i++)
        if (dialer->attempts[i].fd >= 0)
            return true;
    return false;
}

/* Begins the next attempt whenever one has failed or the stagger is over, until one wins or none is left. */
static int race(struct dialer *dialer, int cancel_fd, int64_t deadline_ms, struct cfs_ssh_attempt **ret_winner)
{
    for (;;) {
        if (dialer->begun < dialer->count) {
            struct cfs_ssh_attempt *attempt = &dialer->attempts[dialer->begun++];
            begin(dialer, attempt);
            if (attempt->fd < 0)
                continue;
        }
        bool all_begun = dialer->begun == dialer->count;
        if (all_begun && !any_under_way(dialer))
            return -ECONNREFUSED;
        int64_t now_ms = cfs_clock_ms(&cfs_system_clock);
        int64_t until_ms = all_begun || now_ms + STAGGER_MS > deadline_ms ? deadline_ms : now_ms + STAGGER_MS;
        int rc = wait_for_any(dialer, cancel_fd, until_ms, ret_winner);
        if (rc > 0)
            return 0;
        if (rc < 0 && (rc != -ETIMEDOUT || until_ms == deadline_ms))
            return rc;
    }
}

static int lookup_bind_address(const struct cfs_profile *profile, int cancel_fd, int64_t deadline_ms,
                               struct addrinfo **ret_addresses, struct cfs_error *error)
{
    int problem = 0;
    int rc =
        cfs_ssh_lookup(profile->bind_address, 0, family_of(profile), cancel_fd, deadline_ms, ret_addresses, &problem);
    if (rc == -ENOENT)
        return cfs_error_set(error, EADDRNOTAVAIL, CFS_FAILURE_CONFIG, "bind_address = %s cannot be looked up: %s.",
                             profile->bind_address, gai_strerror(problem));
    return rc < 0 ? cfs_ssh_lookup_error(profile, rc, problem, error) : 0;
}

static int dial_addresses(const struct cfs_profile *profile, const struct addrinfo *addresses,
                          const struct addrinfo *bind_address, int cancel_fd, int64_t deadline_ms, int *ret_fd,
                          char ret_address[CFS_SSH_ADDRESS_TEXT], struct cfs_error *error)
{
    struct dialer dialer = {.profile = profile, .bind_address = bind_address};
    interleave(&dialer, addresses);
    struct cfs_ssh_attempt *winner = NULL;
    int rc = race(&dialer, cancel_fd, deadline_ms, &winner);
    if (rc == 0) {
        *ret_fd = CFS_TAKE_FD(winner->fd);
        cfs_ssh_format_address(winner->address, ret_address);
    } else {
        rc = cfs_ssh_dial_error(profile, dialer.attempts, dialer.count, rc, error);
    }
    for (unsigned i = 0; i < dialer.begun; i++)
        if (dialer.attempts[i].fd >= 0)
            close(dialer.attempts[i].fd);
    return rc;
}

int cfs_ssh_dial_lookup(const struct cfs_profile *profile, int cancel_fd, int64_t deadline_ms,
                        struct addrinfo **ret_addresses, struct cfs_error *error)
{
    int problem = 0;
    int rc = cfs_ssh_lookup(profile->host, profile->port, family_of(profile), cancel_fd, deadline_ms, ret_addresses,
                            &problem);
    return rc < 0 ? cfs_ssh_lookup_error(profile, rc, problem, error) : 0;
}

int cfs_ssh_dial(const struct cfs_profile *profile, int cancel_fd, int64_t deadline_ms, int *ret_fd,
                 char ret_address[CFS_SSH_ADDRESS_TEXT], struct cfs_error *error)
{
    struct addrinfo *addresses = NULL, *bind_address = NULL;
    int rc;
    if (profile->bind_address) {
        rc = lookup_bind_address(profile, cancel_fd, deadline_ms, &bind_address, error);
        if (rc < 0)
            return rc;
    }
    rc = cfs_ssh_dial_lookup(profile, cancel_fd, deadline_ms, &addresses, error);
    if (rc == 0)
        rc = dial_addresses(profile, addresses, bind_address, cancel_fd, deadline_ms, ret_fd, ret_address, error);
    if (addresses)
        freeaddrinfo(addresses);
    if (bind_address)
        freeaddrinfo(bind_address);
    return rc;
}

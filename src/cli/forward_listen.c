/* Listening for `clusterfs forward`: at one address, or at all of them, by IPv4 and IPv6 where the machine has both. */
#include "cli/forward_listen.h"
#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <stdbool.h>
#include <string.h>
#include <sys/socket.h>

enum { BACKLOG = 128 };

union address {
    struct sockaddr any;
    struct sockaddr_in four;
    struct sockaddr_in6 six;
};

static socklen_t size_of(const union address *address)
{
    return address->any.sa_family == AF_INET6 ? sizeof(address->six) : sizeof(address->four);
}

/* TEXT is numeric. */
static union address address_of(const char *text, uint16_t port)
{
    union address address = {.four = {.sin_family = AF_INET, .sin_port = htons(port)}};
    if (inet_pton(AF_INET, text, &address.four.sin_addr) == 1)
        return address;
    address = (union address){.six = {.sin6_family = AF_INET6, .sin6_port = htons(port)}};
    (void)inet_pton(AF_INET6, text, &address.six.sin6_addr);
    return address;
}

static int listen_at(const union address *address)
{
    const int on = 1, off = 0;
    int fd CFS_AUTO_CLOSE = socket(address->any.sa_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (fd < 0)
        return -errno;
    bool is_all = address->any.sa_family == AF_INET6 && IN6_IS_ADDR_UNSPECIFIED(&address->six.sin6_addr);
    if (setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on)) < 0 ||
        (is_all && setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, &off, sizeof(off)) < 0) ||
        bind(fd, &address->any, size_of(address)) < 0 || listen(fd, BACKLOG) < 0)
        return -errno;
    return CFS_TAKE_FD(fd);
}

static int describe(int fd, bool is_all, struct cfs_forward_listener *listener)
{
    char text[INET6_ADDRSTRLEN] = "*";
    union address address;
    socklen_t size = sizeof(address);
    if (getsockname(fd, &address.any, &size) < 0)
        return -errno;
    bool is_six = address.any.sa_family == AF_INET6;
    const void *bytes = is_six ? (const void *)&address.six.sin6_addr : &address.four.sin_addr;
    if (!is_all && !inet_ntop(address.any.sa_family, bytes, text, sizeof(text)))
        return -errno;
    unsigned port = ntohs(is_six ? address.six.sin6_port : address.four.sin_port);
    snprintf(listener->place, sizeof(listener->place), is_six && !is_all ? "[%s]:%u" : "%s:%u", text, port);
    return 0;
}

static int refuse(const struct cfs_forward_rule *rule, int problem, struct cfs_error *error)
{
    unsigned port = rule->port;
    switch (problem) {
    case EADDRINUSE:
        return cfs_error_set(
            error, problem, CFS_FAILURE_BUSY,
            "Port %u of %s is taken by another program. Choose another one, or 0 for any that is free.", port,
            rule->bind);
    case EACCES:
        return cfs_error_set(error, problem, CFS_FAILURE_SYSTEM,
                             "Port %u of %s is for the administrator alone. Choose one from 1024 on.", port,
                             rule->bind);
    case EADDRNOTAVAIL:
        return cfs_error_set(error, problem, CFS_FAILURE_SYSTEM,
                             "Cannot listen at %s: this machine does not have that address.", rule->bind);
    default:
        return cfs_error_set(error, problem, CFS_FAILURE_SYSTEM, "Cannot listen at port %u of %s: %s.", port,
                             rule->bind, strerror(problem));
    }
}

int cfs_forward_listen(const struct cfs_forward_rule *rule, struct cfs_forward_listener *ret_listener,
                       struct cfs_error *error)
{
    struct cfs_forward_listener listener = {.rule = rule};
    bool is_all = strcmp(rule->bind, "*") == 0;
    union address address = address_of(is_all ? "::" : rule->bind, rule->port);
    int fd CFS_AUTO_CLOSE = listen_at(&address);
    if (is_all && (fd == -EAFNOSUPPORT || fd == -EADDRNOTAVAIL)) {
        address = address_of("0.0.0.0", rule->port);
        fd = listen_at(&address);
    }
    int result = fd < 0 ? fd : describe(fd, is_all, &listener);
    if (result < 0)
        return refuse(rule, -result, error);
    listener.fd = CFS_TAKE_FD(fd);
    *ret_listener = listener;
    return 0;
}

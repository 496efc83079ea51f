/* What is said to a proxy before it carries bytes. It is read no further than to the end of the proxy's answer: what
 * follows is the host's. Answers are bounded: those of SOCKS by their form, those of HTTP by HEADER_MOST. */
#include "ssh/proxy.h"
#include "base/secret.h"
#include "base/text.h"
#include "ssh/dial.h"
#include "ssh/wait.h"
#include <arpa/inet.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>

enum { HEADER_MOST = 8192, LINE_KEPT = 120, TEXT_MOST = 255 };

struct talk {
    const struct cfs_profile *profile;
    const struct cfs_proxy *proxy;
    int fd, cancel_fd;
    int64_t deadline_ms;
    struct cfs_error *error;
};

static int fail(const struct talk *talk, int problem, enum cfs_failure failure, const char *why)
{
    return cfs_error_set(talk->error, problem, failure, "Cannot reach %s port %u through the proxy %s port %u: %s.",
                         talk->profile->host, (unsigned)talk->profile->port, talk->proxy->host,
                         (unsigned)talk->proxy->port, why);
}

static int gave_up(const struct talk *talk, int rc)
{
    if (rc == -ECANCELED)
        return fail(talk, ECANCELED, CFS_FAILURE_CANCELLED, "connecting was given up");
    if (rc == -ETIMEDOUT)
        return fail(talk, ETIMEDOUT, CFS_FAILURE_TIMEOUT, "the proxy did not answer in time");
    if (rc == -ECONNRESET || rc == -EPIPE)
        return fail(talk, ECONNRESET, CFS_FAILURE_CONNECT, "the proxy closed the connection");
    return fail(talk, -rc, CFS_FAILURE_CONNECT, strerror(-rc));
}

static int no_proxy(const struct talk *talk)
{
    return fail(talk, EPROTO, CFS_FAILURE_PROTOCOL,
                talk->proxy->kind == CFS_PROXY_SOCKS5 ? "what answers there is no SOCKS5 proxy; check the option proxy"
                                                      : "what answers there is no HTTP proxy; check the option proxy");
}

/* All of it. */
static int say(const struct talk *talk, const void *bytes, size_t length)
{
    for (size_t sent = 0; sent < length;) {
        ssize_t count = send(talk->fd, (const char *)bytes + sent, length - sent, MSG_NOSIGNAL);
        if (count > 0) {
            sent += (size_t)count;
            continue;
        }
        if (errno == EINTR)
            continue;
        struct pollfd polls[2] = {{.fd = talk->fd, .events = POLLOUT}};
        int rc = errno == EAGAIN ? cfs_ssh_wait_polls(polls, 1, talk->cancel_fd, talk->deadline_ms) : -errno;
        if (rc < 0)
            return gave_up(talk, rc);
    }
    return 0;
}

/* Exactly LENGTH bytes. */
static int hear(const struct talk *talk, void *bytes, size_t length)
{
    for (size_t heard = 0; heard < length;) {
        ssize_t count = recv(talk->fd, (char *)bytes + heard, length - heard, 0);
        if (count > 0) {
            heard += (size_t)count;
            continue;
        }
        if (count == 0)
            return gave_up(talk, -ECONNRESET);
        if (errno == EINTR)
            continue;
        int rc = errno == EAGAIN ? cfs_ssh_wait_readable(talk->fd, talk->cancel_fd, talk->deadline_ms) : -errno;
        if (rc < 0)
            return gave_up(talk, rc);
    }
    return 0;
}

/* --- SOCKS5 --- */

/* What REP means (RFC 1928, 6). */
static const struct refusal {
    int problem;
    const char *why;
} refusals[] = {
    {EIO, "the proxy says that it failed"},
    {EIO, "the proxy says that it failed"},
    {EACCES, "the proxy's rules do not allow it"},
    {ENETUNREACH, "the proxy cannot reach that network"},
    {EHOSTUNREACH, "the proxy cannot reach that host"},
    {ECONNREFUSED, "the connection was refused there: nothing accepts SSH at that port"},
    {ETIMEDOUT, "the host did not answer the proxy"},
    {EOPNOTSUPP, "the proxy does not connect"},
    {EAFNOSUPPORT, "the proxy does not know that kind of address"},
};

static const char *password_of(const struct talk *talk)
{
    return talk->profile->proxy_password ? talk->profile->proxy_password : "";
}

/* RFC 1929. */
static int log_in_socks(const struct talk *talk)
{
    const char *user = talk->proxy->user, *password = password_of(talk);
    uint8_t request[3 + 2 * TEXT_MOST], answer[2];
    size_t users = strlen(user), passwords = strlen(password);
    if (passwords > TEXT_MOST)
        return fail(talk, EINVAL, CFS_FAILURE_CONFIG, "proxy_password is longer than 255 bytes");
    request[0] = 1;
    request[1] = (uint8_t)users;
    memcpy(request + 2, user, users);
    request[2 + users] = (uint8_t)passwords;
    memcpy(request + 3 + users, password, passwords);
    int rc = say(talk, request, 3 + users + passwords);
    explicit_bzero(request, sizeof(request));
    if (rc == 0)
        rc = hear(talk, answer, sizeof(answer));
    if (rc < 0)
        return rc;
    return answer[1] == 0
               ? 0
               : fail(talk, EACCES, CFS_FAILURE_LOGIN, "the proxy does not accept the user and proxy_password");
}

static int agree_on_method(const struct talk *talk)
{
    enum { NONE = 0, PASSWORD = 2, NOTHING_FITS = 0xff };
    uint8_t greeting[] = {5, 2, NONE, PASSWORD}, answer[2];
    bool has_user = talk->proxy->user[0];
    if (!has_user)
        greeting[1] = 1;
    int rc = say(talk, greeting, has_user ? 4 : 3);
    if (rc == 0)
        rc = hear(talk, answer, sizeof(answer));
    if (rc < 0)
        return rc;
    if (answer[0] != 5)
        return no_proxy(talk);
    if (answer[1] == NONE)
        return 0;
    if (answer[1] == PASSWORD && has_user)
        return log_in_socks(talk);
    if (answer[1] == NOTHING_FITS)
        return fail(talk, EACCES, CFS_FAILURE_LOGIN,
                    has_user ? "the proxy wants another kind of login"
                             : "the proxy wants a login: proxy = socks5://USER@HOST:PORT, and proxy_password");
    return no_proxy(talk);
}

/* An address in the form of RFC 1928, 5: how long it is. */
static size_t put_address(const struct talk *talk, uint8_t *bytes)
{
    enum { IPV4 = 1, NAME = 3, IPV6 = 4 };
    const char *host = talk->profile->host;
    size_t length = 4;
    if (inet_pton(AF_INET, host, bytes + 1) == 1) {
        bytes[0] = IPV4;
    } else if (inet_pton(AF_INET6, host, bytes + 1) == 1) {
        bytes[0] = IPV6;
        length = 16;
    } else {
        bytes[0] = NAME;
        length = strlen(host) < TEXT_MOST ? strlen(host) : TEXT_MOST;
        bytes[1] = (uint8_t)length;
        memcpy(bytes + 2, host, length++);
    }
    bytes[1 + length] = (uint8_t)(talk->profile->port >> 8);
    bytes[2 + length] = (uint8_t)talk->profile->port;
    return length + 3;
}

/* The address that the proxy connects from: nobody wants to know. */
static int skip_address(const struct talk *talk, uint8_t kind)
{
    uint8_t address[TEXT_MOST + 2], length = 0;
    if (kind == 3) {
        int rc = hear(talk, &length, 1);
        if (rc < 0)
            return rc;
    } else if (kind == 1 || kind == 4) {
        length = kind == 1 ? 4 : 16;
    } else {
        return no_proxy(talk);
    }
    return hear(talk, address, (size_t)length + 2);
}

static int ask_socks(const struct talk *talk)
{
    uint8_t request[3 + 2 + TEXT_MOST + 2] = {5, 1, 0}, answer[4];
    int rc = agree_on_method(talk);
    if (rc == 0)
        rc = say(talk, request, 3 + put_address(talk, request + 3));
    if (rc == 0)
        rc = hear(talk, answer, sizeof(answer));
    if (rc < 0)
        return rc;
    if (answer[0] != 5)
        return no_proxy(talk);
    if (answer[1] != 0) {
        const struct refusal *refusal = &refusals[answer[1] < CFS_COUNT(refusals) ? answer[1] : 0];
        return fail(talk, refusal->problem, CFS_FAILURE_CONNECT, refusal->why);
    }
    return skip_address(talk, answer[3]);
}

/* --- HTTP --- */

static int send_connect(const struct talk *talk)
{
    const char *host = talk->profile->host;
    bool is_ipv6 = strchr(host, ':');
    char *login CFS_CLEANUP(cfs_secret_free) = NULL, *encoded CFS_CLEANUP(cfs_secret_free) = NULL,
                *request CFS_CLEANUP(cfs_secret_free) = NULL;
    if (talk->proxy->user[0]) {
        login = cfs_text_format("%s:%s", talk->proxy->user, password_of(talk));
        encoded = login ? cfs_base64_encode((const uint8_t *)login, strlen(login), true) : NULL;
        if (!encoded)
            return fail(talk, ENOMEM, CFS_FAILURE_SYSTEM, "out of memory");
    }
    char target[TEXT_MOST + 16];
    snprintf(target, sizeof(target), "%s%.255s%s:%u", is_ipv6 ? "[" : "", host, is_ipv6 ? "]" : "",
             (unsigned)talk->profile->port);
    request =
        cfs_text_format("CONNECT %s HTTP/1.1\r\nHost: %s\r\n%s%s%s\r\n", target, target,
                        encoded ? "Proxy-Authorization: Basic " : "", encoded ? encoded : "", encoded ? "\r\n" : "");
    if (!request)
        return fail(talk, ENOMEM, CFS_FAILURE_SYSTEM, "out of memory");
    return say(talk, request, strlen(request));
}

/* Up to the empty line; the first line, printable, is left in LINE. */
static int hear_header(const struct talk *talk, char line[LINE_KEPT])
{
    size_t kept = 0, in_line = 0;
    bool is_first = true;
    for (size_t heard = 0; heard < HEADER_MOST; heard++) {
        char byte;
        int rc = hear(talk, &byte, 1);
        if (rc < 0)
            return rc;
        if (byte == '\n' && in_line == 0 && !is_first) {
            line[kept] = '\0';
            cfs_text_make_printable(line, false);
            return 0;
        }
        if (byte == '\n') {
            is_first = false;
            in_line = 0;
        } else if (byte != '\r') {
            in_line++;
            if (is_first && kept < LINE_KEPT - 1)
                line[kept++] = byte;
        }
        if (heard < 5 && byte != "HTTP/"[heard])
            return no_proxy(talk);
    }
    return no_proxy(talk);
}

static int ask_http(const struct talk *talk)
{
    char line[LINE_KEPT], why[2 * LINE_KEPT];
    unsigned minor = 0, status = 0;
    int rc = send_connect(talk);
    if (rc == 0)
        rc = hear_header(talk, line);
    if (rc < 0)
        return rc;
    if (sscanf(line, "HTTP/1.%1u %3u", &minor, &status) != 2)
        return no_proxy(talk);
    if (status >= 200 && status < 300)
        return 0;
    snprintf(why, sizeof(why), "the proxy says \"%s\"", line);
    if (status == 407)
        return fail(talk, EACCES, CFS_FAILURE_LOGIN,
                    talk->proxy->user[0]
                        ? "the proxy does not accept the user and proxy_password"
                        : "the proxy wants a login: proxy = http://USER@HOST:PORT, and proxy_password");
    return fail(talk, status == 403 ? EACCES : EHOSTUNREACH, CFS_FAILURE_CONNECT, why);
}

int cfs_ssh_proxy_ask(const struct cfs_profile *profile, const struct cfs_proxy *proxy, int fd, int cancel_fd,
                      int64_t deadline_ms, struct cfs_error *error)
{
    const struct talk talk = {profile, proxy, fd, cancel_fd, deadline_ms, error};
    return proxy->kind == CFS_PROXY_SOCKS5 ? ask_socks(&talk) : ask_http(&talk);
}

int cfs_ssh_proxy_dial(const struct cfs_profile *profile, int cancel_fd, int64_t deadline_ms, int *ret_fd,
                       struct cfs_error *error)
{
    struct cfs_profile of_proxy = *profile;
    struct cfs_proxy proxy;
    char address[CFS_SSH_ADDRESS_TEXT];
    int fd CFS_AUTO_CLOSE = -1;
    int rc = cfs_proxy_parse(profile->proxy, &proxy);
    if (rc < 0)
        return cfs_error_set(error, -rc, CFS_FAILURE_CONFIG, "proxy = %.200s is no proxy.", profile->proxy);
    of_proxy.host = proxy.host;
    of_proxy.port = proxy.port;
    rc = cfs_ssh_dial(&of_proxy, cancel_fd, deadline_ms, &fd, address, error);
    if (rc < 0) {
        cfs_error_append(error, " (%s is the proxy on the way to %s.)", proxy.host, profile->host);
        return rc;
    }
    rc = cfs_ssh_proxy_ask(profile, &proxy, fd, cancel_fd, deadline_ms, error);
    if (rc == 0)
        *ret_fd = CFS_TAKE_FD(fd);
    return rc;
}

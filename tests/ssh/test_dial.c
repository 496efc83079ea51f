/* Dialling: who answers first wins, who does not answer costs no more than the deadline, and each failure has its kind
 * and names the usual causes. */
#include "base/clock.h"
#include "ssh/dial.h"
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netdb.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <setjmp.h>
#include <stdarg.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/socket.h>

#include <cmocka.h>

enum { FILLERS = 8, LIMIT_MS = 60 * 1000 };

static char localhost_text[] = "localhost", loopback_text[] = "127.0.0.1", nowhere_text[] = "nowhere.invalid",
            foreign_text[] = "192.0.2.1";

static int64_t now_ms(void)
{
    return cfs_clock_ms(&cfs_system_clock);
}

/* A socket bound to loopback, and its port; PORT 0 takes any. -1 when the family or the port is not to be had. */
static int bind_loopback(int family, uint16_t port, uint16_t *ret_port)
{
    struct sockaddr_in v4 = {.sin_family = AF_INET, .sin_port = htons(port), .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    struct sockaddr_in6 v6 = {.sin6_family = AF_INET6, .sin6_port = htons(port), .sin6_addr = in6addr_loopback};
    struct sockaddr *address = family == AF_INET ? (struct sockaddr *)&v4 : (struct sockaddr *)&v6;
    socklen_t length = family == AF_INET ? sizeof(v4) : sizeof(v6);
    int fd = socket(family, SOCK_STREAM | SOCK_CLOEXEC, 0);
    int only = 1;
    if (fd >= 0 && family == AF_INET6)
        (void)setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, &only, sizeof(only));
    if (fd < 0 || bind(fd, address, length) < 0 || getsockname(fd, address, &length) < 0) {
        if (fd >= 0)
            close(fd);
        return -1;
    }
    *ret_port = ntohs(family == AF_INET ? v4.sin_port : v6.sin6_port);
    return fd;
}

static struct cfs_profile profile_for(char *host, uint16_t port)
{
    return (struct cfs_profile){.host = host, .port = port};
}

/* A listener that answers nobody: its queue is full and nothing accepts. */
struct black_hole {
    int listener;
    int fillers[FILLERS];
};

static void dig(struct black_hole *hole, int listener)
{
    struct sockaddr_storage address;
    socklen_t length = sizeof(address);
    assert_int_equal(listen(listener, 0), 0);
    assert_int_equal(getsockname(listener, (struct sockaddr *)&address, &length), 0);
    hole->listener = listener;
    for (int i = 0; i < FILLERS; i++) {
        hole->fillers[i] = socket(address.ss_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
        assert_true(hole->fillers[i] >= 0);
        (void)connect(hole->fillers[i], (struct sockaddr *)&address, length);
    }
}

static void fill_up(struct black_hole *hole)
{
    for (int i = 0; i < FILLERS; i++)
        close(hole->fillers[i]);
    close(hole->listener);
}

static void connects_and_tunes_the_socket(void **state)
{
    uint16_t port;
    int listener = bind_loopback(AF_INET, 0, &port);
    assert_true(listener >= 0);
    assert_int_equal(listen(listener, 5), 0);
    struct cfs_profile profile = profile_for(loopback_text, port);
    struct cfs_error error = {0};
    char address[CFS_SSH_ADDRESS_TEXT], expected[CFS_SSH_ADDRESS_TEXT];
    int fd = -1;
    assert_int_equal(cfs_ssh_dial(&profile, -1, now_ms() + LIMIT_MS, &fd, address, &error), 0);
    snprintf(expected, sizeof(expected), "127.0.0.1 port %u", (unsigned)port);
    assert_string_equal(address, expected);
    int no_delay = 0;
    socklen_t size = sizeof(no_delay);
    assert_int_equal(getsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &no_delay, &size), 0);
    assert_int_equal(no_delay, 1);
    int unsent = 0;
    assert_int_equal(getsockopt(fd, IPPROTO_TCP, TCP_NOTSENT_LOWAT, &unsent, &size), 0);
    assert_int_equal(unsent, 128 * 1024);
    assert_true(fcntl(fd, F_GETFL) & O_NONBLOCK);
    assert_true(fcntl(fd, F_GETFD) & FD_CLOEXEC);
    close(fd);
    close(listener);
}

static void a_refused_port_says_so_at_once(void **state)
{
    uint16_t port;
    int bound = bind_loopback(AF_INET, 0, &port); /* not listening: refused, and nobody else gets the port */
    assert_true(bound >= 0);
    struct cfs_profile profile = profile_for(loopback_text, port);
    struct cfs_error error = {0};
    char address[CFS_SSH_ADDRESS_TEXT];
    int fd = -1;
    assert_int_equal(cfs_ssh_dial(&profile, -1, now_ms() + LIMIT_MS, &fd, address, &error), -ECONNREFUSED);
    assert_int_equal(error.failure, CFS_FAILURE_CONNECT);
    assert_non_null(strstr(error.text, "refused"));
    assert_non_null(strstr(error.text, "the job has ended"));
    assert_int_equal(fd, -1);
    close(bound);
}

static void silence_ends_at_the_deadline(void **state)
{
    uint16_t port;
    int bound = bind_loopback(AF_INET, 0, &port);
    assert_true(bound >= 0);
    struct black_hole hole;
    dig(&hole, bound);
    struct cfs_profile profile = profile_for(loopback_text, port);
    struct cfs_error error = {0};
    char address[CFS_SSH_ADDRESS_TEXT];
    int fd = -1;
    int64_t deadline_ms = now_ms() + 700;
    assert_int_equal(cfs_ssh_dial(&profile, -1, deadline_ms, &fd, address, &error), -ETIMEDOUT);
    assert_true(now_ms() >= deadline_ms);
    assert_int_equal(error.failure, CFS_FAILURE_TIMEOUT);
    assert_non_null(strstr(error.text, "no answer"));
    fill_up(&hole);
}

static void a_readable_descriptor_cancels(void **state)
{
    uint16_t port;
    int bound = bind_loopback(AF_INET, 0, &port);
    assert_true(bound >= 0);
    struct black_hole hole;
    dig(&hole, bound);
    struct cfs_profile profile = profile_for(loopback_text, port);
    struct cfs_error error = {0};
    char address[CFS_SSH_ADDRESS_TEXT];
    int fd = -1, cancel_fd = eventfd(1, EFD_CLOEXEC);
    assert_int_equal(cfs_ssh_dial(&profile, cancel_fd, now_ms() + 10 * LIMIT_MS, &fd, address, &error), -ECANCELED);
    assert_int_equal(error.failure, CFS_FAILURE_CANCELLED);
    close(cancel_fd);
    fill_up(&hole);
}

static bool localhost_has_both_families(void)
{
    struct addrinfo hints = {.ai_socktype = SOCK_STREAM}, *list = NULL;
    unsigned families = 0;
    if (getaddrinfo("localhost", "1", &hints, &list) != 0)
        return false;
    for (const struct addrinfo *item = list; item; item = item->ai_next)
        families |= item->ai_family == AF_INET ? 1 : item->ai_family == AF_INET6 ? 2 : 0;
    freeaddrinfo(list);
    return families == 3;
}

/* Both families on one port: the first a black hole, the second a listener. */
static bool bind_both(int *ret_hole, int *ret_listener, uint16_t *ret_port)
{
    for (int tries = 0; tries < 100; tries++) {
        *ret_hole = bind_loopback(AF_INET6, 0, ret_port);
        if (*ret_hole < 0)
            return false;
        *ret_listener = bind_loopback(AF_INET, *ret_port, ret_port);
        if (*ret_listener >= 0)
            return true;
        close(*ret_hole);
    }
    return false;
}

static void a_silent_family_does_not_hold_up_the_other(void **state)
{
    int bound = -1, listener = -1;
    uint16_t port = 0;
    if (!localhost_has_both_families() || !bind_both(&bound, &listener, &port)) {
        print_message("skipped: localhost has not both families here\n");
        skip();
    }
    struct black_hole hole;
    dig(&hole, bound);
    assert_int_equal(listen(listener, 5), 0);
    struct cfs_profile profile = profile_for(localhost_text, port);
    struct cfs_error error = {0};
    char address[CFS_SSH_ADDRESS_TEXT];
    int fd = -1;
    assert_int_equal(cfs_ssh_dial(&profile, -1, now_ms() + LIMIT_MS, &fd, address, &error), 0);
    assert_int_equal(strncmp(address, "127.0.0.1 ", 10), 0);
    close(fd);

    /* With the silent family alone there is nothing to fall back to. */
    profile.address_family = CFS_ADDRESS_INET6;
    assert_int_equal(cfs_ssh_dial(&profile, -1, now_ms() + 300, &fd, address, &error), -ETIMEDOUT);
    close(listener);
    fill_up(&hole);
}

static void an_unknown_name_is_told_from_a_refused_port(void **state)
{
    struct cfs_profile profile = profile_for(nowhere_text, 22);
    struct cfs_error error = {0};
    char address[CFS_SSH_ADDRESS_TEXT];
    int fd = -1;
    int rc = cfs_ssh_dial(&profile, -1, now_ms() + LIMIT_MS, &fd, address, &error);
    assert_true(rc == -ENOENT || rc == -ETIMEDOUT); /* the latter where name servers do not answer */
    assert_true(error.failure == CFS_FAILURE_NAME || error.failure == CFS_FAILURE_TIMEOUT);
    assert_non_null(strstr(error.text, nowhere_text));
}

static void a_foreign_bind_address_is_a_fault_of_the_profile(void **state)
{
    struct cfs_profile profile = profile_for(loopback_text, 22);
    profile.bind_address = foreign_text;
    struct cfs_error error = {0};
    char address[CFS_SSH_ADDRESS_TEXT];
    int fd = -1;
    assert_int_equal(cfs_ssh_dial(&profile, -1, now_ms() + LIMIT_MS, &fd, address, &error), -EADDRNOTAVAIL);
    assert_int_equal(error.failure, CFS_FAILURE_CONFIG);
    assert_non_null(strstr(error.text, "bind_address"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(connects_and_tunes_the_socket),
        cmocka_unit_test(a_refused_port_says_so_at_once),
        cmocka_unit_test(silence_ends_at_the_deadline),
        cmocka_unit_test(a_readable_descriptor_cancels),
        cmocka_unit_test(a_silent_family_does_not_hold_up_the_other),
        cmocka_unit_test(an_unknown_name_is_told_from_a_refused_port),
        cmocka_unit_test(a_foreign_bind_address_is_a_fault_of_the_profile),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

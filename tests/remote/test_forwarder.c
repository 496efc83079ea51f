/* Forwarding through a real sshd to a service of the test, which counts what it is told and answers behind the end:
 * many connections at once, one that is lost with the server, and one who comes while it is away. */
#include "base/thread.h"
#include "lib/scratch.h"
#include "lib/sshd.h"
#include "lib/test.h"
#include "remote/forwarder.h"
#include <arpa/inet.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>

enum { MANY = 12, PIECE = 100 * 1000 };

static struct test_sshd sshd;
static int service_fd;
static pthread_t service_thread;

static struct {
    struct cfs_profile *profile;
    struct cfs_forward_rule rule;
    struct cfs_forward_listener listener;
    struct cfs_forwarder *forwarder;
    uint16_t port;
    atomic_int told, failed;
} it;

static int listen_at_any(uint16_t *ret_port)
{
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t size = sizeof(address);
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    assert_true(fd >= 0);
    assert_int_equal(bind(fd, (struct sockaddr *)&address, size), 0);
    assert_int_equal(listen(fd, MANY), 0);
    assert_int_equal(getsockname(fd, (struct sockaddr *)&address, &size), 0);
    *ret_port = ntohs(address.sin_port);
    return fd;
}

/* Of one connection: tells at once that it is there, and at the end how much it was told. */
static void *count(void *context)
{
    static _Thread_local char bytes[64 * 1024];
    int fd = (int)(intptr_t)context;
    size_t length = 0;
    ssize_t got = send(fd, "!", 1, MSG_NOSIGNAL);
    while (got > 0 && (got = recv(fd, bytes, sizeof(bytes), 0)) > 0)
        length += (size_t)got;
    int text = snprintf(bytes, sizeof(bytes), "%zu", length);
    (void)!send(fd, bytes, (size_t)text, MSG_NOSIGNAL);
    close(fd);
    return NULL;
}

static void *serve(void *context)
{
    (void)context;
    for (;;) {
        pthread_t thread;
        int fd = accept4(service_fd, NULL, NULL, SOCK_CLOEXEC);
        if (fd < 0)
            return NULL;
        if (cfs_thread_start(count, (void *)(intptr_t)fd, &thread) < 0)
            close(fd);
        else
            pthread_detach(thread);
    }
}

static void tell(void *context, const char *sentence)
{
    (void)context;
    assert_non_null(sentence);
    it.told++;
}

static void failed(void *context, const struct cfs_error *error)
{
    (void)context;
    print_error("%s\n", error->text);
    it.failed++;
}

static int setup(void **state)
{
    struct cfs_error error = {0};
    struct cfs_forwarder_options options = {.tell = tell, .failed = failed};
    struct sockaddr_in address;
    socklen_t size = sizeof(address);
    (void)state;
    memset(&it, 0, sizeof(it));
    it.profile = test_sshd_profile(&sshd);
    options.profile = it.profile;
    assert_int_equal(getsockname(service_fd, (struct sockaddr *)&address, &size), 0);
    snprintf(it.rule.host, sizeof(it.rule.host), "127.0.0.1");
    it.rule.host_port = ntohs(address.sin_port);
    it.listener.rule = &it.rule;
    it.listener.fd = listen_at_any(&it.port);
    assert_int_equal(fcntl(it.listener.fd, F_SETFL, O_NONBLOCK), 0);
    if (cfs_transport_ssh_open(it.profile, NULL, -1, &options.transport, &error) < 0)
        fail_msg("%s", error.text);
    it.forwarder = cfs_forwarder_new(&options, &it.listener, 1);
    assert_non_null(it.forwarder);
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    cfs_forwarder_free(it.forwarder);
    close(it.listener.fd);
    test_profile_free(it.profile);
    return 0;
}

static int connect_here(void)
{
    struct sockaddr_in address = {
        .sin_family = AF_INET, .sin_port = htons(it.port), .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    const struct timeval limit = {.tv_sec = TEST_LIMIT_MS / 1000};
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    assert_true(fd >= 0);
    assert_int_equal(setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof(limit)), 0);
    assert_int_equal(connect(fd, (struct sockaddr *)&address, sizeof(address)), 0);
    return fd;
}

static void send_pieces(int fd, int pieces)
{
    static const char bytes[PIECE];
    for (int i = 0; i < pieces; i++)
        assert_int_equal(send(fd, bytes, PIECE, MSG_NOSIGNAL), PIECE);
    assert_int_equal(shutdown(fd, SHUT_WR), 0);
}

/* The service has seen all of PIECES; closes. */
static void expect_answer(int fd, int pieces)
{
    char text[32] = "", wanted[32];
    snprintf(wanted, sizeof(wanted), "!%d", pieces * PIECE);
    assert_int_equal(recv(fd, text, sizeof(text) - 1, MSG_WAITALL), (ssize_t)strlen(wanted));
    assert_string_equal(text, wanted);
    close(fd);
}

static void many_at_once_have_their_own_answers(void **state)
{
    int fds[MANY];
    (void)state;
    for (int i = 0; i < MANY; i++)
        fds[i] = connect_here();
    for (int i = MANY - 1; i >= 0; i--)
        send_pieces(fds[i], i);
    for (int i = 0; i < MANY; i++)
        expect_answer(fds[i], i);
    assert_int_equal(it.told, 0);
}

static void a_lost_connection_is_a_reset_and_the_next_one_waits(void **state)
{
    char byte = 0;
    int fd = connect_here();
    (void)state;
    assert_int_equal(recv(fd, &byte, 1, 0), 1);
    assert_true(test_sshd_kill_sessions(&sshd) > 0);
    assert_int_equal(recv(fd, &byte, 1, 0), -1);
    assert_int_equal(errno, ECONNRESET);
    close(fd);
    fd = connect_here();
    send_pieces(fd, 3);
    expect_answer(fd, 3);
    test_wait_until(it.told >= 2);
    assert_int_equal(it.failed, 0);
}

/* What was not served yet, too. */
static void the_end_closes_all(void **state)
{
    char byte = 0;
    int first = connect_here(), second = connect_here();
    (void)state;
    assert_int_equal(recv(first, &byte, 1, 0), 1);
    cfs_forwarder_free(it.forwarder);
    it.forwarder = NULL;
    assert_int_equal(recv(first, &byte, 1, 0), -1);
    assert_int_equal(errno, ECONNRESET);
    close(first);
    close(second);
}

static int start(void **state)
{
    uint16_t port;
    (void)state;
    test_sshd_start(&sshd, "");
    service_fd = listen_at_any(&port);
    assert_int_equal(cfs_thread_start(serve, NULL, &service_thread), 0);
    return 0;
}

static int stop(void **state)
{
    (void)state;
    shutdown(service_fd, SHUT_RDWR);
    pthread_join(service_thread, NULL);
    close(service_fd);
    test_sshd_stop(&sshd);
    return 0;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(many_at_once_have_their_own_answers, setup, teardown),
        cmocka_unit_test_setup_teardown(a_lost_connection_is_a_reset_and_the_next_one_waits, setup, teardown),
        cmocka_unit_test_setup_teardown(the_end_closes_all, setup, teardown),
    };
    if (!test_sshd_available()) {
        printf("skipped: there is no sshd or ssh-keygen here\n");
        return 77;
    }
    if (cfs_ssh_library_init())
        return 1;
    int failures = cmocka_run_group_tests(tests, start, stop);
    cfs_ssh_library_fini();
    return failures;
}

/* Connecting: the facts of a login, and for each thing that may stand at the other end of a connection the kind of
 * failure and a sentence that helps. */
#include "base/thread.h"
#include "lib/scratch.h"
#include "lib/sshd.h"
#include "lib/test.h"
#include "ssh/session.h"
#include <arpa/inet.h>
#include <netinet/in.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/eventfd.h>
#include <sys/socket.h>

enum { GREETING_MS = 4000 }; /* a timeout that the mock's greeting must beat */

static struct test_sshd sshd;

static atomic_bool has_no_threads;

/* Instead of base/thread.c. */
int cfs_thread_start(void *(*run)(void *context), void *context, pthread_t *ret_thread)
{
    return atomic_load(&has_no_threads) ? -EAGAIN : -pthread_create(ret_thread, NULL, run, context);
}

/* A server that accepts one connection, says something, and then closes it or keeps silent until the test ends. */
struct mock {
    int listener;
    uint16_t port;
    const char *says;
    bool closes, floods;
    int stop_fd;
    pthread_t thread;
};

/* Sends lines until the other end has had enough. */
static void flood(int fd)
{
    char lines[4096];
    memset(lines, 'x', sizeof(lines));
    for (size_t i = 63; i < sizeof(lines); i += 64)
        lines[i] = '\n';
    while (send(fd, lines, sizeof(lines), MSG_NOSIGNAL) > 0)
        ;
}

static void *serve(void *argument)
{
    struct mock *mock = argument;
    int fd CFS_AUTO_CLOSE = accept(mock->listener, NULL, NULL);
    if (fd < 0)
        return NULL;
    if (mock->says[0])
        (void)send(fd, mock->says, strlen(mock->says), MSG_NOSIGNAL);
    if (mock->floods)
        flood(fd);
    if (mock->closes)
        return NULL;
    eventfd_t value;
    (void)eventfd_read(mock->stop_fd, &value);
    return NULL;
}

static void start_mock(struct mock *mock, const char *says, bool closes)
{
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t length = sizeof(address);
    mock->says = says;
    mock->closes = closes;
    mock->stop_fd = eventfd(0, EFD_CLOEXEC);
    mock->listener = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    assert_int_equal(bind(mock->listener, (struct sockaddr *)&address, length), 0);
    assert_int_equal(listen(mock->listener, 4), 0);
    assert_int_equal(getsockname(mock->listener, (struct sockaddr *)&address, &length), 0);
    mock->port = ntohs(address.sin_port);
    assert_int_equal(pthread_create(&mock->thread, NULL, serve, mock), 0);
}

static void stop_mock(struct mock *mock)
{
    assert_int_equal(eventfd_write(mock->stop_fd, 1), 0);
    pthread_join(mock->thread, NULL);
    close(mock->listener);
    close(mock->stop_fd);
}

/* Connects to the mock; the connection must fail, with this errno. */
static void connect_to_mock(const struct mock *mock, uint32_t timeout_ms, int cancel_fd, int expected,
                            struct cfs_error *error)
{
    struct cfs_profile *profile = test_profile_new(mock->port);
    profile->connect_timeout_ms = timeout_ms;
    struct cfs_ssh_session *session = NULL;
    *error = (struct cfs_error){0};
    int rc = cfs_ssh_connect(profile, NULL, cancel_fd, NULL, &session, error);
    test_profile_free(profile);
    assert_int_equal(rc, expected);
    assert_null(session);
}

static void a_silent_server_ends_at_the_timeout(void **state)
{
    struct mock mock = {0};
    struct cfs_error error;
    start_mock(&mock, "", false);
    connect_to_mock(&mock, 500, -1, -ETIMEDOUT, &error);
    assert_int_equal(error.failure, CFS_FAILURE_TIMEOUT);
    assert_non_null(strstr(error.text, "nothing there says a word"));
    stop_mock(&mock);
}

static void a_server_that_falls_silent_after_its_greeting_ends_at_the_timeout(void **state)
{
    struct mock mock = {0};
    struct cfs_error error;
    start_mock(&mock, "SSH-2.0-Mock\r\n", false);
    connect_to_mock(&mock, GREETING_MS, -1, -ETIMEDOUT, &error);
    assert_int_equal(error.failure, CFS_FAILURE_TIMEOUT);
    assert_non_null(strstr(error.text, "fell silent"));
    stop_mock(&mock);
}

static void a_server_that_closes_at_once_is_told_from_a_refused_port(void **state)
{
    struct mock mock = {0};
    struct cfs_error error;
    start_mock(&mock, "", true);
    connect_to_mock(&mock, TEST_LIMIT_MS, -1, -ECONNRESET, &error);
    assert_int_equal(error.failure, CFS_FAILURE_CONNECT);
    assert_non_null(strstr(error.text, "before a word was said"));
    stop_mock(&mock);
}

static void what_speaks_no_ssh_is_quoted(void **state)
{
    struct mock mock = {0};
    struct cfs_error error;
    start_mock(&mock, "HTTP/1.1 400 Bad\033[2J Request\r\nServer: mock\r\n\r\n", true);
    connect_to_mock(&mock, TEST_LIMIT_MS, -1, -EPROTO, &error);
    assert_int_equal(error.failure, CFS_FAILURE_PROTOCOL);
    assert_non_null(strstr(error.text, "does not speak SSH"));
    assert_non_null(strstr(error.text, "HTTP/1.1 400 Bad?[2J Request"));
    stop_mock(&mock);

    mock = (struct mock){0}; /* the same from a server that waits for more */
    start_mock(&mock, "220 mail.example ESMTP\r\n", false);
    connect_to_mock(&mock, GREETING_MS, -1, -EPROTO, &error);
    assert_non_null(strstr(error.text, "220 mail.example ESMTP"));
    stop_mock(&mock);
}

static void an_endless_greeting_is_cut_off(void **state)
{
    struct mock mock = {.floods = true};
    struct cfs_error error;
    start_mock(&mock, "", true);
    connect_to_mock(&mock, 10 * TEST_LIMIT_MS, -1, -EPROTO, &error);
    assert_int_equal(error.failure, CFS_FAILURE_PROTOCOL);
    stop_mock(&mock);
}

static void an_overloaded_sshd_is_explained(void **state)
{
    struct mock mock = {0};
    struct cfs_error error;
    start_mock(&mock, "Exceeded MaxStartups\r\n", true);
    connect_to_mock(&mock, TEST_LIMIT_MS, -1, -EAGAIN, &error);
    assert_int_equal(error.failure, CFS_FAILURE_CONNECT);
    assert_non_null(strstr(error.text, "Too many logins"));
    stop_mock(&mock);
}

static void garbage_instead_of_keys_is_a_protocol_failure(void **state)
{
    struct mock mock = {0};
    struct cfs_error error;
    start_mock(&mock, "SSH-2.0-Mock\r\nthis is no packet, and it is long enough to be taken for one", false);
    connect_to_mock(&mock, TEST_LIMIT_MS, -1, -EPROTO, &error);
    assert_int_equal(error.failure, CFS_FAILURE_PROTOCOL);
    stop_mock(&mock);
}

static void a_readable_descriptor_cancels_the_key_exchange(void **state)
{
    struct mock mock = {0};
    struct cfs_error error;
    int cancel_fd = eventfd(1, EFD_CLOEXEC);
    start_mock(&mock, "SSH-2.0-Mock\r\n", false);
    connect_to_mock(&mock, TEST_LIMIT_MS, cancel_fd, -ECANCELED, &error);
    assert_int_equal(error.failure, CFS_FAILURE_CANCELLED);
    close(cancel_fd);
    shutdown(mock.listener, SHUT_RDWR); /* it may never have been reached */
    stop_mock(&mock);
}

static void a_login_collects_its_facts(void **state)
{
    struct cfs_profile *profile = test_sshd_profile(&sshd);
    struct cfs_ssh_session *session = NULL;
    struct cfs_error error = {0};
    struct cfs_ssh_facts facts;
    char address[64];
    if (cfs_ssh_connect(profile, NULL, -1, NULL, &session, &error) < 0)
        fail_msg("%s", error.text);
    cfs_ssh_session_facts(session, &facts);
    snprintf(address, sizeof(address), "127.0.0.1 port %u", (unsigned)sshd.port);
    assert_string_equal(facts.address, address);
    assert_non_null(strstr(facts.server_banner, "OpenSSH"));
    assert_string_equal(facts.host_key_type, "ssh-ed25519");
    assert_string_equal(facts.kex, "curve25519-sha256");
    assert_true(strlen(facts.cipher) > 0);
    assert_int_equal(strncmp(facts.host_key_fingerprint, "SHA256:", 7), 0);
    assert_int_equal(strlen(facts.host_key_fingerprint), 7 + 43);
    assert_non_null(strstr(facts.login_method, "publickey"));
    assert_non_null(strstr(facts.login_method, sshd.identity_path));
    cfs_ssh_session_free(session);
    test_profile_free(profile);
}

static void ciphers_are_the_profiles(void **state)
{
    struct cfs_profile *profile = test_sshd_profile(&sshd);
    struct cfs_ssh_session *session = NULL;
    struct cfs_error error = {0};
    struct cfs_ssh_facts facts;
    profile->ciphers = strdup("no-such-cipher,chacha20-poly1305@openssh.com");
    assert_int_equal(cfs_ssh_connect(profile, NULL, -1, NULL, &session, &error), 0);
    cfs_ssh_session_facts(session, &facts);
    assert_string_equal(facts.cipher, "chacha20-poly1305@openssh.com");
    cfs_ssh_session_free(session);

    free(profile->ciphers);
    profile->ciphers = strdup("no-such-cipher");
    assert_int_equal(cfs_ssh_connect(profile, NULL, -1, NULL, &session, &error), -EINVAL);
    assert_int_equal(error.failure, CFS_FAILURE_CONFIG);
    test_profile_free(profile);
}

static void a_machine_without_threads_is_told(void **state)
{
    struct cfs_profile *profile = test_sshd_profile(&sshd);
    struct cfs_ssh_session *session = NULL;
    struct cfs_error error = {0};
    atomic_store(&has_no_threads, true);
    int result = cfs_ssh_connect(profile, NULL, -1, NULL, &session, &error);
    atomic_store(&has_no_threads, false);
    assert_int_equal(result, -EAGAIN);
    assert_int_equal(error.failure, CFS_FAILURE_SYSTEM);
    assert_non_null(strstr(error.text, "Cannot start a thread"));
    assert_null(session);
    test_profile_free(profile);
}

static void an_unknown_host_key_ends_before_the_login(void **state)
{
    struct cfs_profile *profile = test_sshd_profile(&sshd);
    struct cfs_ssh_session *session = NULL;
    struct cfs_error error = {0};
    scratch_write_text(sshd.known_hosts_path, "", 0600);
    assert_true(cfs_ssh_connect(profile, NULL, -1, NULL, &session, &error) < 0);
    assert_int_equal(error.failure, CFS_FAILURE_HOST_KEY);
    assert_null(session);
    test_profile_free(profile);
}

static int start_server(void **state)
{
    test_sshd_start(&sshd, "");
    return cfs_ssh_library_init();
}

static int stop_server(void **state)
{
    test_sshd_stop(&sshd);
    cfs_ssh_library_fini();
    return 0;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_silent_server_ends_at_the_timeout),
        cmocka_unit_test(a_server_that_falls_silent_after_its_greeting_ends_at_the_timeout),
        cmocka_unit_test(a_server_that_closes_at_once_is_told_from_a_refused_port),
        cmocka_unit_test(what_speaks_no_ssh_is_quoted),
        cmocka_unit_test(an_endless_greeting_is_cut_off),
        cmocka_unit_test(an_overloaded_sshd_is_explained),
        cmocka_unit_test(garbage_instead_of_keys_is_a_protocol_failure),
        cmocka_unit_test(a_readable_descriptor_cancels_the_key_exchange),
        cmocka_unit_test(a_login_collects_its_facts),
        cmocka_unit_test(ciphers_are_the_profiles),
        cmocka_unit_test(a_machine_without_threads_is_told),
        cmocka_unit_test(an_unknown_host_key_ends_before_the_login), /* last: it forgets the key */
    };
    if (!test_sshd_available()) {
        printf("skipped: there is no sshd or ssh-keygen here\n");
        return 77;
    }
    return cmocka_run_group_tests(tests, start_server, stop_server);
}

/* What leaves together at the beginning of a login: nothing that the server says after its keys reaches the client
 * before the client has sent what it can send without an answer. */
#include "lib/scratch.h"
#include "lib/sshd.h"
#include "lib/test.h"
#include "ssh/session.h"
#include <arpa/inet.h>
#include <netinet/in.h>
#include <poll.h>
#include <pthread.h>
#include <stdio.h>
#include <sys/socket.h>

/* Bytes that follow the client's key exchange: NEWKEYS and the request for the service are 84; the question for the
 * methods makes them more, and a key of any kind many more. */
enum { WITH_METHODS = 140, WITH_KEY = 260 };

enum { SSH_MSG_NEWKEYS = 21 };

/* One connection to the server, for the client that comes first. It holds back what follows the server's NEWKEYS until
 * the client has sent `wanted` bytes in answer to it, or until the connection has been given up. */
struct relay {
    int listener, client, server;
    uint16_t port, server_port;
    pthread_t thread;
    size_t wanted, sent; /* by the client, since the server's NEWKEYS */
    bool keys_seen, held;
    uint8_t from_server[16 * 1024];
    size_t length, passed; /* from_server: bytes, and those that the client has been given */
};

static struct test_sshd sshd;

/* How much of what the server has said may go on: up to the end of its NEWKEYS. What is before it is in the clear. */
static size_t up_to_keys(struct relay *relay)
{
    const uint8_t *bytes = relay->from_server, *line = memchr(bytes, '\n', relay->length);
    size_t at = line ? (size_t)(line - bytes) + 1 : relay->length;
    while (at + 6 <= relay->length) {
        uint32_t size;
        memcpy(&size, bytes + at, sizeof(size));
        size_t end = at + 4 + ntohl(size);
        if (end > relay->length)
            break;
        if (bytes[at + 5] == SSH_MSG_NEWKEYS) {
            relay->keys_seen = true;
            return end;
        }
        at = end;
    }
    return relay->length;
}

static void pass_on(struct relay *relay)
{
    size_t end = relay->length;
    if (!relay->keys_seen)
        end = up_to_keys(relay);
    else if (relay->held && relay->sent < relay->wanted)
        end = relay->passed;
    relay->held = relay->keys_seen && relay->sent < relay->wanted;
    if (end > relay->passed)
        (void)!send(relay->client, relay->from_server + relay->passed, end - relay->passed, MSG_NOSIGNAL);
    relay->passed = end;
    if (!relay->held && relay->keys_seen && relay->passed == relay->length)
        relay->passed = relay->length = 0;
}

static bool move(struct relay *relay)
{
    uint8_t bytes[4096];
    struct pollfd polls[] = {{.fd = relay->client, .events = POLLIN},
                             {.fd = relay->length < sizeof(relay->from_server) ? relay->server : -1, .events = POLLIN}};
    if (poll(polls, 2, TEST_LIMIT_MS) <= 0)
        return false;
    if (polls[0].revents) {
        ssize_t length = recv(relay->client, bytes, sizeof(bytes), 0);
        if (length <= 0 || send(relay->server, bytes, (size_t)length, MSG_NOSIGNAL) != length)
            return false;
        relay->sent += relay->keys_seen ? (size_t)length : 0;
    }
    if (polls[1].revents) {
        ssize_t length =
            recv(relay->server, relay->from_server + relay->length, sizeof(relay->from_server) - relay->length, 0);
        if (length <= 0)
            return false;
        relay->length += (size_t)length;
    }
    pass_on(relay);
    return true;
}

static void *serve(void *argument)
{
    struct relay *relay = argument;
    struct sockaddr_in address = {
        .sin_family = AF_INET, .sin_port = htons(relay->server_port), .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    relay->client = accept(relay->listener, NULL, NULL);
    relay->server = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (connect(relay->server, (struct sockaddr *)&address, sizeof(address)) == 0)
        while (move(relay))
            ;
    close(relay->client);
    close(relay->server);
    return NULL;
}

static void start_relay(struct relay *relay, size_t wanted)
{
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t length = sizeof(address);
    *relay = (struct relay){.wanted = wanted, .server_port = sshd.port};
    relay->listener = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    assert_int_equal(bind(relay->listener, (struct sockaddr *)&address, length), 0);
    assert_int_equal(listen(relay->listener, 1), 0);
    assert_int_equal(getsockname(relay->listener, (struct sockaddr *)&address, &length), 0);
    relay->port = ntohs(address.sin_port);
    assert_int_equal(pthread_create(&relay->thread, NULL, serve, relay), 0);
}

static void stop_relay(struct relay *relay)
{
    pthread_join(relay->thread, NULL);
    close(relay->listener);
}

/* Logs in through a relay that waits for WANTED bytes. 0 or -errno. */
static int log_in(struct cfs_profile *profile, size_t wanted, struct cfs_error *error)
{
    struct relay relay;
    struct cfs_ssh_session *session = NULL;
    start_relay(&relay, wanted);
    profile->port = relay.port;
    profile->host_key_policy = CFS_HOST_KEY_ACCEPT_NEW; /* of a port that nobody knows */
    profile->connect_timeout_ms = profile->login_timeout_ms = 2 * TEST_LIMIT_MS;
    int result = cfs_ssh_connect(profile, NULL, -1, NULL, &session, error);
    cfs_ssh_session_free(session);
    stop_relay(&relay);
    return result;
}

static void the_first_key_is_offered_with_the_request_for_the_service(void **state)
{
    struct cfs_profile *profile = test_sshd_profile(&sshd);
    struct cfs_error error = {0};
    if (log_in(profile, WITH_KEY, &error) < 0)
        fail_msg("%s", error.text);
    test_profile_free(profile);
}

static void without_a_key_the_methods_are_asked_for_with_the_request_for_the_service(void **state)
{
    struct cfs_profile *profile = test_sshd_profile(&sshd);
    struct cfs_error error = {0};
    assert_int_equal(unlink(sshd.identity_path), 0);
    assert_int_equal(log_in(profile, WITH_METHODS, &error), -EACCES);
    assert_int_equal(error.failure, CFS_FAILURE_KEY_FILE);
    test_profile_free(profile);
}

/* The answer to the offer must not be taken for the answer to something else. */
static void a_key_that_no_server_asked_for_does_no_harm(void **state)
{
    struct cfs_profile *profile = test_sshd_profile(&sshd);
    struct cfs_error error = {0};
    static char password[] = "wrong";
    profile->password = password;
    assert_int_equal(log_in(profile, WITH_KEY, &error), -EACCES);
    assert_int_equal(error.failure, CFS_FAILURE_LOGIN);
    assert_non_null(strstr(error.text, "password"));
    assert_null(strstr(error.text, sshd.identity_path));
    assert_null(strstr(error.text, "publickey"));
    profile->password = NULL;
    test_profile_free(profile);
}

static int start(void **state)
{
    test_sshd_start(&sshd, "");
    return 0;
}

static int start_with_passwords(void **state)
{
    test_sshd_start(&sshd, "PubkeyAuthentication no\nPasswordAuthentication yes\n");
    return 0;
}

static int stop(void **state)
{
    test_sshd_stop(&sshd);
    return 0;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(the_first_key_is_offered_with_the_request_for_the_service, start, stop),
        cmocka_unit_test_setup_teardown(without_a_key_the_methods_are_asked_for_with_the_request_for_the_service, start,
                                        stop),
        cmocka_unit_test_setup_teardown(a_key_that_no_server_asked_for_does_no_harm, start_with_passwords, stop),
    };
    if (!test_sshd_available()) {
        printf("skipped: there is no sshd or ssh-keygen here\n");
        return 77;
    }
    if (cfs_ssh_library_init() < 0)
        return 1;
    int failures = cmocka_run_group_tests(tests, NULL, NULL);
    cfs_ssh_library_fini();
    return failures;
}

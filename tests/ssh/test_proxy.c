/* What is said to proxies, to the byte; their answers in any pieces; refusals with their kinds; and answers that lie or
 * never end. The proxy is a script at the other end of a socketpair. */
#include "lib/test.h"
#include "ssh/proxy.h"
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <unistd.h>

/* In turns: what is expected, and what is answered. NULL ends; an answer without an expectation is fine. */
struct turn {
    const char *expected;
    size_t expected_length;
    const char *answer;
    size_t answer_length;
};
#define TURN(expected, answer)                                                                                         \
    {                                                                                                                  \
        expected, sizeof(expected) - 1, answer, sizeof(answer) - 1                                                     \
    }

struct script {
    const struct turn *turns;
    size_t count;
    int fd;
    bool stays;  /* silent, instead of closing */
    bool floods; /* says the last answer for ever */
    bool wrong;  /* something else was said */
};

static void *play(void *context)
{
    struct script *script = context;
    char bytes[1024];
    for (size_t i = 0; i < script->count; i++) {
        const struct turn *turn = &script->turns[i];
        for (size_t heard = 0; heard < turn->expected_length;) {
            ssize_t count = recv(script->fd, bytes, turn->expected_length - heard, 0);
            if (count <= 0 || memcmp(bytes, turn->expected + heard, (size_t)count) != 0) {
                script->wrong = true;
                shutdown(script->fd, SHUT_RDWR);
                return NULL;
            }
            heard += (size_t)count;
        }
        for (size_t said = 0; said < turn->answer_length; said++) { /* every byte alone */
            if (send(script->fd, turn->answer + said, 1, MSG_NOSIGNAL) != 1)
                return NULL;
            sched_yield();
        }
        while (script->floods && i + 1 == script->count && send(script->fd, turn->answer, 1, MSG_NOSIGNAL) == 1)
            ;
    }
    if (!script->stays)
        shutdown(script->fd, SHUT_WR);
    return NULL;
}

/* Asks the script's proxy for HOST, port 2222; what follows its answer must be REST. */
static int ask(struct script *script, const char *url, char *host, const char *rest, int cancel_fd, int64_t limit_ms,
               struct cfs_error *error)
{
    static char password[] = "pass word";
    struct cfs_profile profile = {.host = host, .port = 2222, .proxy_password = password};
    struct cfs_proxy proxy;
    char left[64] = "";
    pthread_t thread;
    int pair[2];
    *error = (struct cfs_error){0};
    assert_int_equal(cfs_proxy_parse(url, &proxy), 0);
    assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair), 0);
    assert_int_equal(fcntl(pair[0], F_SETFL, O_NONBLOCK), 0);
    script->fd = pair[1];
    assert_int_equal(pthread_create(&thread, NULL, play, script), 0);
    int rc = cfs_ssh_proxy_ask(&profile, &proxy, pair[0], cancel_fd, cfs_clock_ms(&cfs_system_clock) + limit_ms, error);
    if (rc == 0) {
        pthread_join(thread, NULL);
        assert_true(recv(pair[0], left, sizeof(left) - 1, 0) >= 0);
        assert_string_equal(left, rest);
    }
    close(pair[0]);
    if (rc != 0)
        pthread_join(thread, NULL);
    close(pair[1]);
    assert_false(script->wrong);
    return rc;
}

static void accept_from(const char *url, char *host, const struct turn *turns, size_t count)
{
    struct script script = {.turns = turns, .count = count};
    struct cfs_error error;
    if (ask(&script, url, host, "SSH-", -1, TEST_LIMIT_MS, &error) != 0)
        fail_msg("%s", error.text);
}

static void refuse(const char *url, const struct turn *turns, size_t count, int result, enum cfs_failure failure,
                   const char *text)
{
    static char host[] = "inner";
    struct script script = {.turns = turns, .count = count};
    struct cfs_error error;
    int rc = ask(&script, url, host, "", -1, TEST_LIMIT_MS, &error);
    if (rc != result || error.failure != failure || !strstr(error.text, text) ||
        !strstr(error.text, "Cannot reach inner port 2222 through the proxy gate port"))
        fail_msg("%d, %s: %s", rc, cfs_failure_name(error.failure), error.text);
}

#define ACCEPT(url, host, ...)                                                                                         \
    do {                                                                                                               \
        const struct turn turns[] = {__VA_ARGS__};                                                                     \
        accept_from(url, host, turns, CFS_COUNT(turns));                                                               \
    } while (0)
#define REFUSE(url, result, failure, text, ...)                                                                        \
    do {                                                                                                               \
        const struct turn turns[] = {__VA_ARGS__};                                                                     \
        refuse(url, turns, CFS_COUNT(turns), result, failure, text);                                                   \
    } while (0)

static char inner[] = "inner", ipv4[] = "192.0.2.7", ipv6[] = "fd00::1";
static const char socks[] = "socks5://gate", socks_me[] = "socks5://me@gate", http[] = "http://gate",
                  http_me[] = "http://me@gate";

#define ASK_INNER "\5\1\0\3\5inner\x08\xae"

static void socks_connects(void **state)
{
    ACCEPT(socks, inner, TURN("\5\1\0", "\5\0"), TURN(ASK_INNER, "\5\0\0\1\1\2\3\4\0\1SSH-"));
    ACCEPT(socks, ipv4, TURN("\5\1\0", "\5\0"), TURN("\5\1\0\1\xc0\0\2\7\x08\xae", "\5\0\0\3\3abc\0\1SSH-"));
    ACCEPT(socks, ipv6, TURN("\5\1\0", "\5\0"),
           TURN("\5\1\0\4\xfd\0\0\0\0\0\0\0\0\0\0\0\0\0\0\1\x08\xae", "\5\0\0\4"
                                                                      "0123456789abcdef"
                                                                      "\0\1SSH-"));
    ACCEPT(socks_me, inner, TURN("\5\2\0\2", "\5\2"), TURN("\1\2me\11pass word", "\1\0"),
           TURN(ASK_INNER, "\5\0\0\3\0\0\1SSH-"));
    ACCEPT(socks_me, inner, TURN("\5\2\0\2", "\5\0"), TURN(ASK_INNER, "\5\0\0\1\1\2\3\4\0\1SSH-"));
}

static void socks_refusals_have_their_kinds(void **state)
{
    REFUSE(socks, -EACCES, CFS_FAILURE_LOGIN, "wants a login", TURN("\5\1\0", "\5\xff"));
    REFUSE(socks_me, -EACCES, CFS_FAILURE_LOGIN, "does not accept", TURN("\5\2\0\2", "\5\2"),
           TURN("\1\2me\11pass word", "\1\1"));
    REFUSE(socks, -EACCES, CFS_FAILURE_CONNECT, "rules", TURN("\5\1\0", "\5\0"), TURN(ASK_INNER, "\5\2\0\1"));
    REFUSE(socks, -EHOSTUNREACH, CFS_FAILURE_CONNECT, "that host", TURN("\5\1\0", "\5\0"), TURN(ASK_INNER, "\5\4\0\1"));
    REFUSE(socks, -ECONNREFUSED, CFS_FAILURE_CONNECT, "refused there", TURN("\5\1\0", "\5\0"),
           TURN(ASK_INNER, "\5\5\0\1"));
    REFUSE(socks, -EIO, CFS_FAILURE_CONNECT, "failed", TURN("\5\1\0", "\5\0"), TURN(ASK_INNER, "\5\xff\0\1"));
}

static void what_is_no_socks_is_told(void **state)
{
    REFUSE(socks, -EPROTO, CFS_FAILURE_PROTOCOL, "no SOCKS5 proxy", TURN("\5\1\0", "HTTP/1.1 400"));
    REFUSE(socks, -EPROTO, CFS_FAILURE_PROTOCOL, "no SOCKS5 proxy", TURN("\5\1\0", "\5\2")); /* was not offered */
    REFUSE(socks, -EPROTO, CFS_FAILURE_PROTOCOL, "no SOCKS5 proxy", TURN("\5\1\0", "\5\0"),
           TURN(ASK_INNER, "\4\0\0\1"));
    REFUSE(socks, -EPROTO, CFS_FAILURE_PROTOCOL, "no SOCKS5 proxy", TURN("\5\1\0", "\5\0"),
           TURN(ASK_INNER, "\5\0\0\7"));
    REFUSE(socks, -ECONNRESET, CFS_FAILURE_CONNECT, "closed the connection", TURN("\5\1\0", "\5"));
    REFUSE(socks, -ECONNRESET, CFS_FAILURE_CONNECT, "closed the connection", TURN("\5\1\0", "\5\0"),
           TURN(ASK_INNER, "\5\0\0\3\xff"
                           "abc"));
}

#define CONNECT_INNER "CONNECT inner:2222 HTTP/1.1\r\nHost: inner:2222\r\n"

static void http_connects(void **state)
{
    ACCEPT(http, inner, TURN(CONNECT_INNER "\r\n", "HTTP/1.1 200 Connection established\r\nVia: x\r\n\r\nSSH-"));
    ACCEPT(http, inner, TURN(CONNECT_INNER "\r\n", "HTTP/1.0 200\n\nSSH-"));
    ACCEPT(http, ipv6,
           TURN("CONNECT [fd00::1]:2222 HTTP/1.1\r\nHost: [fd00::1]:2222\r\n\r\n", "HTTP/1.0 200 OK\r\n\r\nSSH-"));
    ACCEPT(http_me, inner,
           TURN(CONNECT_INNER "Proxy-Authorization: Basic bWU6cGFzcyB3b3Jk\r\n\r\n", "HTTP/1.1 204 x\r\n\r\nSSH-"));
}

static void http_refusals_have_their_kinds(void **state)
{
    REFUSE(http, -EACCES, CFS_FAILURE_LOGIN, "wants a login", TURN(CONNECT_INNER "\r\n", "HTTP/1.1 407 x\r\n\r\n"));
    REFUSE(http, -EACCES, CFS_FAILURE_CONNECT, "the proxy says \"HTTP/1.1 403 No\?[2J\"",
           TURN(CONNECT_INNER "\r\n", "HTTP/1.1 403 No\033[2J\r\n\r\n"));
    REFUSE(http, -EHOSTUNREACH, CFS_FAILURE_CONNECT, "503", TURN(CONNECT_INNER "\r\n", "HTTP/1.1 503 x\r\n\r\n"));
    REFUSE(http, -EPROTO, CFS_FAILURE_PROTOCOL, "no HTTP proxy", TURN(CONNECT_INNER "\r\n", "SSH-2.0-x\r\n"));
    REFUSE(http, -EPROTO, CFS_FAILURE_PROTOCOL, "no HTTP proxy", TURN(CONNECT_INNER "\r\n", "HTTP/2 200\r\n\r\n"));
    REFUSE(http, -ECONNRESET, CFS_FAILURE_CONNECT, "closed", TURN(CONNECT_INNER "\r\n", "HTTP/1.1 200 OK\r\nVia"));
}

static void an_endless_answer_is_cut_off(void **state)
{
    static const struct turn turns[] = {TURN(CONNECT_INNER "\r\n", "HTTP/1.1 200 OK"), TURN("", "x")};
    struct script script = {.turns = turns, .count = 2, .floods = true};
    struct cfs_error error;
    assert_int_equal(ask(&script, http, inner, "", -1, TEST_LIMIT_MS, &error), -EPROTO);
}

static void a_silent_proxy_ends_at_the_deadline_or_by_hand(void **state)
{
    static const struct turn turns[] = {TURN("\5\1\0", "\5")};
    struct script script = {.turns = turns, .count = 1, .stays = true};
    struct cfs_error error;
    assert_int_equal(ask(&script, socks, inner, "", -1, 200, &error), -ETIMEDOUT);
    assert_int_equal(error.failure, CFS_FAILURE_TIMEOUT);
    int cancel_fd = eventfd(1, EFD_CLOEXEC);
    assert_int_equal(ask(&script, socks, inner, "", cancel_fd, TEST_LIMIT_MS, &error), -ECANCELED);
    assert_int_equal(error.failure, CFS_FAILURE_CANCELLED);
    close(cancel_fd);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(socks_connects),
        cmocka_unit_test(socks_refusals_have_their_kinds),
        cmocka_unit_test(what_is_no_socks_is_told),
        cmocka_unit_test(http_connects),
        cmocka_unit_test(http_refusals_have_their_kinds),
        cmocka_unit_test(an_endless_answer_is_cut_off),
        cmocka_unit_test(a_silent_proxy_ends_at_the_deadline_or_by_hand),
    };
    signal(SIGPIPE, SIG_IGN);
    return cmocka_run_group_tests(tests, NULL, NULL);
}

/* Through one and two jump hosts: real sshds, each with a key of its own. One login at the hop for all that go through
 * it; what cannot be reached, or is forbidden, says from where; a hop that is lost is logged in to again. */
#include "base/clock.h"
#include "lib/scratch.h"
#include "lib/session_call.h"
#include "lib/sshd.h"
#include "lib/test.h"
#include "ssh/relay.h"
#include "ssh/session_priv.h"
#include <arpa/inet.h>
#include <linux/sockios.h>
#include <netinet/in.h>
#include <poll.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/ioctl.h>
#include <sys/socket.h>

enum { MEBIBYTE = 1024 * 1024, FILLERS = 8 };

static struct test_sshd near_hop, far_hop, closed_hop, target;

/* The profile of SSHD behind HOP, which becomes its own. */
static struct cfs_profile *behind(struct cfs_profile *hop, const struct test_sshd *sshd)
{
    struct cfs_profile *profile = test_sshd_profile(sshd);
    profile->hop = hop;
    return profile;
}

static struct cfs_ssh_session *connect_to(const struct cfs_profile *profile)
{
    struct cfs_ssh_session *session = NULL;
    struct cfs_error error = {0};
    if (cfs_ssh_connect(profile, NULL, -1, NULL, &session, &error) < 0)
        fail_msg("%s", error.text);
    return session;
}

static void refuse(const struct cfs_profile *profile, int result, enum cfs_failure failure, const char *text)
{
    struct cfs_ssh_session *session = NULL;
    struct cfs_error error = {0};
    int rc = cfs_ssh_connect(profile, NULL, -1, NULL, &session, &error);
    if (rc != result || error.failure != failure || !strstr(error.text, text))
        fail_msg("%d, %s: %s", rc, cfs_failure_name(error.failure), error.text);
    assert_null(session);
}

/* How often somebody has logged in there. */
static int logins(const struct test_sshd *sshd)
{
    char *log CFS_AUTO_FREE = scratch_read(sshd->log_path, NULL);
    int count = 0;
    for (const char *at = log; (at = strstr(at, "Accepted publickey")); at++)
        count++;
    return count;
}

/* --- bytes --- */

struct echo {
    struct cfs_ssh_session *session;
    struct cfs_stream *stream;
    size_t total, sent, received;
    atomic_int done; /* 1: all came back, -1: they did not */
    uint8_t bytes[300 * 1024];
};

static uint8_t pattern_at(size_t position)
{
    return (uint8_t)(position ^ position >> 8 ^ position >> 17);
}

static void receive_all(struct echo *echo)
{
    ssize_t length;
    while (!echo->done && (length = cfs_stream_read(echo->stream, echo->bytes, sizeof(echo->bytes))) != -EAGAIN) {
        if (length <= 0)
            echo->done = -1;
        for (ssize_t i = 0; i < length; i++)
            if (echo->bytes[i] != pattern_at(echo->received++))
                echo->done = -1;
        if (echo->received == echo->total && !echo->done)
            echo->done = 1;
    }
}

static void send_all(struct echo *echo)
{
    while (!echo->done && echo->sent < echo->total) {
        size_t length = echo->total - echo->sent < sizeof(echo->bytes) ? echo->total - echo->sent : sizeof(echo->bytes);
        for (size_t i = 0; i < length; i++)
            echo->bytes[i] = pattern_at(echo->sent + i);
        const struct iovec piece = {.iov_base = echo->bytes, .iov_len = length};
        ssize_t sent = cfs_stream_write(echo->stream, &piece, 1);
        if (sent == -EAGAIN)
            return;
        if (sent <= 0)
            echo->done = -1;
        else
            echo->sent += (size_t)sent;
    }
}

static void echo_ready(struct cfs_stream *stream, void *context)
{
    receive_all(context);
    send_all(context);
}

static void open_echo(void *context)
{
    struct echo *echo = context;
    echo->stream = cfs_ssh_open_subsystem(echo->session, "echo", 0);
    assert_non_null(echo->stream);
    echo->stream->ready = echo_ready;
    echo->stream->context = echo;
}

static void close_echo(void *context)
{
    struct echo *echo = context;
    cfs_stream_close(echo->stream);
}

static struct echo *start_echo(struct cfs_ssh_session *session, size_t total)
{
    struct echo *echo = calloc(1, sizeof(*echo));
    assert_non_null(echo);
    echo->session = session;
    echo->total = total;
    test_call(cfs_ssh_session_loop(session), open_echo, echo);
    return echo;
}

static void end_echo(struct echo *echo)
{
    test_call(cfs_ssh_session_loop(echo->session), close_echo, echo);
    free(echo);
}

static void expect_echo(struct cfs_ssh_session *session, size_t total)
{
    struct echo *echo = start_echo(session, total);
    test_wait_until(echo->done);
    assert_int_equal(echo->done, 1);
    end_echo(echo);
}

/* --- what must hold --- */

static void a_session_goes_through_a_hop(void **state)
{
    struct cfs_profile *profile = behind(test_sshd_profile(&near_hop), &target);
    int before = logins(&near_hop);
    struct cfs_ssh_session *session = connect_to(profile), *beside = NULL;
    struct cfs_error error = {0};
    expect_echo(session, (size_t)16 * MEBIBYTE + 7);
    assert_int_equal(cfs_ssh_connect_beside(session, profile, -1, &beside, &error), 0);
    expect_echo(beside, MEBIBYTE);
    cfs_ssh_session_free(beside);
    expect_echo(session, MEBIBYTE);
    cfs_ssh_session_free(session);
    assert_int_equal(logins(&near_hop) - before, 1);
    test_profile_free(profile);
}

static void a_session_goes_through_two_hops(void **state)
{
    struct cfs_profile *profile = behind(behind(test_sshd_profile(&near_hop), &far_hop), &target);
    struct cfs_ssh_session *session = connect_to(profile);
    expect_echo(session, (size_t)4 * MEBIBYTE);
    cfs_ssh_session_free(session);
    assert_true(logins(&far_hop) > 0);
    test_profile_free(profile);
}

static void a_hop_that_forbids_forwarding_says_so(void **state)
{
    struct cfs_profile *profile = behind(test_sshd_profile(&closed_hop), &target);
    refuse(profile, -EACCES, CFS_FAILURE_CONNECT, "from the host 127.0.0.1: it does not allow forwarding");
    refuse(profile, -EACCES, CFS_FAILURE_CONNECT, "Cannot reach 127.0.0.1 port");
    test_profile_free(profile);
}

/* A port where nothing listens, as long as the descriptor lives. */
static int bind_port(uint16_t *ret_port)
{
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t length = sizeof(address);
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    assert_int_equal(bind(fd, (struct sockaddr *)&address, length), 0);
    assert_int_equal(getsockname(fd, (struct sockaddr *)&address, &length), 0);
    *ret_port = ntohs(address.sin_port);
    return fd;
}

static void what_the_hop_cannot_reach_is_told_with_both_names(void **state)
{
    struct cfs_profile *profile = behind(test_sshd_profile(&near_hop), &target);
    int fd = bind_port(&profile->port);
    refuse(profile, -EHOSTUNREACH, CFS_FAILURE_CONNECT, "from the host 127.0.0.1: it cannot reach it");
    free(profile->host);
    profile->host = strdup("nowhere.invalid");
    refuse(profile, -EHOSTUNREACH, CFS_FAILURE_CONNECT, "Cannot reach nowhere.invalid port");
    close(fd);
    test_profile_free(profile);
}

static void each_host_is_checked_by_its_own_profile(void **state)
{
    struct cfs_profile *profile = behind(test_sshd_profile(&near_hop), &target);
    char *own = profile->hop->identity_files[0];
    profile->hop->identity_files[0] = target.identity_path;
    refuse(profile, -EACCES, CFS_FAILURE_LOGIN, "is the host on the way to");
    profile->hop->identity_files[0] = own;
    own = profile->known_hosts[0];
    profile->known_hosts[0] = near_hop.known_hosts_path;
    refuse(profile, -ENOKEY, CFS_FAILURE_HOST_KEY, "");
    profile->known_hosts[0] = own;
    test_profile_free(profile);
}

static void a_lost_hop_is_logged_in_to_again(void **state)
{
    struct cfs_profile *profile = behind(test_sshd_profile(&near_hop), &target);
    struct cfs_ssh_session *session = connect_to(profile), *last = NULL;
    struct cfs_error error = {0};
    int before = logins(&near_hop);
    for (int round = 1; round <= 3; round++) {
        struct cfs_ssh_session *again = NULL;
        struct echo *echo = start_echo(last ? last : session, SIZE_MAX);
        assert_true(test_sshd_kill_sessions(&near_hop) > 0);
        test_wait_until(echo->done);
        assert_int_equal(echo->done, -1);
        end_echo(echo);
        assert_int_equal(cfs_ssh_connect_again(session, profile, NULL, -1, &again, &error), 0);
        expect_echo(again, MEBIBYTE);
        cfs_ssh_session_free(last);
        last = again;
        assert_int_equal(logins(&near_hop) - before, round);
    }
    cfs_ssh_session_free(last);
    cfs_ssh_session_free(session);
    test_profile_free(profile);
}

static void a_lost_target_needs_no_new_login_at_the_hop(void **state)
{
    struct cfs_profile *profile = behind(test_sshd_profile(&near_hop), &target);
    struct cfs_ssh_session *session = connect_to(profile), *again = NULL;
    struct cfs_error error = {0};
    int before = logins(&near_hop);
    struct echo *echo = start_echo(session, SIZE_MAX);
    assert_true(test_sshd_kill_sessions(&target) > 0);
    test_wait_until(echo->done);
    end_echo(echo);
    assert_int_equal(cfs_ssh_connect_again(session, profile, NULL, -1, &again, &error), 0);
    expect_echo(again, MEBIBYTE);
    assert_int_equal(logins(&near_hop), before);
    cfs_ssh_session_free(again);
    cfs_ssh_session_free(session);
    test_profile_free(profile);
}

static void abort_session(void *context)
{
    cfs_ssh_session_abort(context);
}

static void an_aborted_session_leaves_the_target(void **state)
{
    struct cfs_profile *profile = behind(test_sshd_profile(&near_hop), &target);
    test_wait_until(test_sshd_signal_sessions(&target, SIGCONT) == 0);
    struct cfs_ssh_session *session = connect_to(profile);
    struct echo *echo = start_echo(session, SIZE_MAX);
    assert_true(test_sshd_signal_sessions(&target, SIGCONT) > 0);
    test_call(cfs_ssh_session_loop(session), abort_session, session);
    test_wait_until(echo->done);
    test_wait_until(test_sshd_signal_sessions(&target, SIGCONT) == 0); /* while the session stands */
    end_echo(echo);
    cfs_ssh_session_free(session);
    test_profile_free(profile);
}

/* --- what was given up does not arrive later --- */

struct held {
    struct cfs_ssh_session *session;
    size_t bytes;
};

static void count_held(void *context)
{
    struct held *held = context;
    int queued = 0;
    held->bytes = 0;
    if (held->session->ended)
        return;
    assert_int_equal(ioctl(held->session->transport->fd, SIOCOUTQ, &queued), 0);
    held->bytes = held->session->transport->output.length + (size_t)queued;
}

/* What a session holds that the other machine has not acknowledged. */
static size_t held_by(struct cfs_ssh_session *session)
{
    struct held held = {.session = session};
    test_call(cfs_ssh_session_loop(session), count_held, &held);
    return held.bytes;
}

static void write_all(int fd, size_t length)
{
    uint8_t bytes[64 * 1024] = {0};
    struct pollfd room = {.fd = fd, .events = POLLOUT};
    while (length > 0) {
        assert_int_equal(poll(&room, 1, TEST_LIMIT_MS), 1);
        ssize_t count = write(fd, bytes, length < sizeof(bytes) ? length : sizeof(bytes));
        assert_true(count > 0);
        length -= (size_t)count;
    }
}

static size_t read_to_the_end(int fd)
{
    uint8_t bytes[64 * 1024];
    struct pollfd something = {.fd = fd, .events = POLLIN};
    for (size_t total = 0;;) {
        assert_int_equal(poll(&something, 1, TEST_LIMIT_MS), 1);
        ssize_t count = read(fd, bytes, sizeof(bytes));
        if (count <= 0)
            return total;
        total += (size_t)count;
    }
}

static void what_an_aborted_relay_holds_never_arrives(void **state)
{
    enum { WRITTEN = MEBIBYTE }; /* the session takes that much for a hop that stands still */
    struct cfs_profile *profile = test_sshd_profile(&near_hop);
    test_wait_until(test_sshd_signal_sessions(&near_hop, SIGCONT) == 0);
    struct cfs_ssh_session *session = connect_to(profile);
    struct cfs_ssh_line *line = NULL;
    struct cfs_error error = {0};
    uint16_t port = 0;
    int fd = -1, queued = -1, listener = bind_port(&port);
    assert_int_equal(listen(listener, 1), 0);
    assert_int_equal(cfs_ssh_relay_open(session, "hop", "127.0.0.1", port, -1,
                                        cfs_clock_ms(&cfs_system_clock) + TEST_LIMIT_MS, &fd, &line, &error),
                     0);
    int accepted = accept(listener, NULL, NULL);
    assert_true(accepted >= 0);
    assert_true(test_sshd_signal_sessions(&near_hop, SIGSTOP) > 0);
    write_all(fd, WRITTEN);
    test_wait_until(ioctl(fd, SIOCOUTQ, &queued) == 0 && queued == 0); /* the relay has taken all */
    size_t held = held_by(session);
    assert_true(held > WRITTEN / 2);
    line->operations->abort(line);
    close(fd);
    cfs_ssh_line_free(line);
    for (int turns = 0; turns < 2; turns++)
        (void)held_by(session); /* the hop's thread has seen the abort, and done what follows */
    test_sshd_signal_sessions(&near_hop, SIGCONT);
    assert_true(read_to_the_end(accepted) <= WRITTEN - held / 2); /* they are a little longer on the way */
    close(accepted);
    close(listener);
    cfs_ssh_session_free(session);
    test_profile_free(profile);
}

/* --- a relay that outlives its hop's session --- */

struct stall {
    struct cfs_ssh_session *session;
    bool is_ended; /* wanted: the other side has ended, and the relay was told so */
    bool is_stalled;
};

/* The relay has bytes that nobody takes, and asks its channel for no more. */
static void look_for_stall(void *context)
{
    struct stall *stall = context;
    const struct cfs_list *first = stall->session->channels.next;
    struct cfs_ssh_channel *channel = cfs_container_of(first, struct cfs_ssh_channel, link);
    assert_true(first != &stall->session->channels);
    stall->is_stalled =
        cfs_ssh_channel_readable(channel) && !channel->wants_read && channel->told_end == stall->is_ended;
}

static bool is_stalled(struct cfs_ssh_session *session, bool is_ended)
{
    enum { LOOKS = 20 }; /* a pump that pauses for others looks alike, once */
    for (int i = 0; i < LOOKS; i++) {
        struct stall stall = {.session = session, .is_ended = is_ended};
        test_call(cfs_ssh_session_loop(session), look_for_stall, &stall);
        if (!stall.is_stalled)
            return false;
    }
    return true;
}

static void lose_session_of_full_relay(struct cfs_ssh_session *session, const struct cfs_profile *profile,
                                       bool is_ended)
{
    struct cfs_ssh_session *guest = NULL;
    struct cfs_ssh_line *line = NULL;
    struct cfs_error error = {0};
    uint16_t port = 0;
    int fd = -1, listener = bind_port(&port);
    assert_int_equal(listen(listener, 1), 0);
    assert_int_equal(cfs_ssh_connect_again(session, profile, NULL, -1, &guest, &error), 0);
    assert_int_equal(cfs_ssh_relay_open(guest, "hop", "127.0.0.1", port, -1,
                                        cfs_clock_ms(&cfs_system_clock) + TEST_LIMIT_MS, &fd, &line, &error),
                     0);
    int accepted = accept(listener, NULL, NULL);
    assert_true(accepted >= 0);
    write_all(accepted, (size_t)2 * MEBIBYTE); /* less than the channel's window */
    if (is_ended)
        close(accepted);
    test_wait_until(is_stalled(guest, is_ended));
    test_call(cfs_ssh_session_loop(session), abort_session, guest);
    cfs_ssh_session_free(guest);
    assert_true(line->operations->is_cut(line, 0));
    assert_false(line->operations->holds_bytes(line));
    assert_true(read_to_the_end(fd) > 0);
    close(fd);
    cfs_ssh_line_free(line);
    if (!is_ended)
        close(accepted);
    close(listener);
}

/* The session is freed when a new login takes its place; whoever reads slowly still has the relay. */
static void a_full_relay_lets_go_of_a_lost_session(void **state)
{
    struct cfs_profile *profile = test_sshd_profile(&near_hop);
    struct cfs_ssh_session *session = connect_to(profile);
    lose_session_of_full_relay(session, profile, false);
    lose_session_of_full_relay(session, profile, true);
    cfs_ssh_session_free(session);
    test_profile_free(profile);
}

/* --- who had to answer --- */

static int answer_secret(struct cfs_prompter *prompter, const char *text, bool echo, char **ret_answer)
{
    *ret_answer = strdup("secret");
    return *ret_answer ? 0 : -ENOMEM;
}

static bool can_ask(struct cfs_prompter *prompter)
{
    return true;
}

static void tell_nobody(struct cfs_prompter *prompter, const char *text)
{
}

static struct cfs_ssh_facts facts_by(const struct cfs_profile *profile)
{
    struct cfs_prompter person = {.ask = answer_secret, .can_ask = can_ask, .tell = tell_nobody};
    struct cfs_ssh_session *session = NULL;
    struct cfs_ssh_facts facts;
    struct cfs_error error = {0};
    if (cfs_ssh_connect(profile, &person, -1, NULL, &session, &error) < 0)
        fail_msg("%s", error.text);
    cfs_ssh_session_facts(session, &facts);
    cfs_ssh_session_free(session);
    return facts;
}

/* Further sessions need nobody; a new login at the hop does. */
static void who_has_answered_for_a_hop_is_known_within(void **state)
{
    struct cfs_profile *profile = behind(behind(test_sshd_profile(&near_hop), &far_hop), &target);
    struct cfs_profile *nearest = profile->hop->hop;
    char *locked = scratch_path(near_hop.folder, "locked"), *own = nearest->identity_files[0];
    scratch_must_run("cp", own, locked, NULL);
    scratch_must_run("ssh-keygen", "-q", "-p", "-a", "1", "-N", "secret", "-f", locked, NULL);
    assert_false(facts_by(profile).by_person_on_way);
    nearest->identity_files[0] = locked;
    assert_true(facts_by(profile).by_person_on_way);
    assert_false(facts_by(profile).by_person);
    nearest->keep_keys = true;
    assert_false(facts_by(profile).by_person_on_way);
    nearest->identity_files[0] = own;
    free(locked);
    test_profile_free(profile);
}

/* A listener that answers nobody: its queue is full and nothing accepts. */
static void a_target_that_does_not_answer_holds_nothing_up(void **state)
{
    struct cfs_profile *profile = behind(test_sshd_profile(&near_hop), &target);
    struct cfs_ssh_session *session = connect_to(profile), *again = NULL;
    struct cfs_error error = {0};
    uint16_t port = profile->port;
    int fillers[FILLERS], listener = bind_port(&profile->port);
    const struct sockaddr_in address = {
        .sin_family = AF_INET, .sin_port = htons(profile->port), .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    assert_int_equal(listen(listener, 0), 0);
    for (int i = 0; i < FILLERS; i++) {
        fillers[i] = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
        (void)connect(fillers[i], (const struct sockaddr *)&address, sizeof(address));
    }
    profile->connect_timeout_ms = 500;
    assert_int_equal(cfs_ssh_connect_again(session, profile, NULL, -1, &again, &error), -ETIMEDOUT);
    assert_int_equal(error.failure, CFS_FAILURE_TIMEOUT);
    assert_non_null(strstr(error.text, "from the host 127.0.0.1: there was no answer"));
    expect_echo(session, 1000); /* which goes through the same hop */

    int cancel_fd = eventfd(1, EFD_CLOEXEC);
    assert_int_equal(cfs_ssh_connect_again(session, profile, NULL, cancel_fd, &again, &error), -ECANCELED);
    close(cancel_fd);

    cfs_ssh_session_free(session);
    profile->connect_timeout_ms = TEST_LIMIT_MS;
    profile->port = port;
    session = connect_to(profile);
    expect_echo(session, 1000);
    for (int i = 0; i < FILLERS; i++)
        close(fillers[i]);
    close(listener);
    cfs_ssh_session_free(session);
    test_profile_free(profile);
}

static int stop_sshds(void **state)
{
    test_sshd_stop(&near_hop);
    test_sshd_stop(&far_hop);
    test_sshd_stop(&closed_hop);
    test_sshd_stop(&target);
    cfs_ssh_library_fini();
    return 0;
}

static int start_sshds(void **state)
{
    test_sshd_start(&near_hop, "");
    test_sshd_start(&far_hop, "");
    test_sshd_start(&closed_hop, "AllowTcpForwarding no\n");
    test_sshd_start(&target, "Subsystem echo /bin/cat\n");
    return cfs_ssh_library_init();
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_session_goes_through_a_hop),
        cmocka_unit_test(a_session_goes_through_two_hops),
        cmocka_unit_test(a_hop_that_forbids_forwarding_says_so),
        cmocka_unit_test(what_the_hop_cannot_reach_is_told_with_both_names),
        cmocka_unit_test(each_host_is_checked_by_its_own_profile),
        cmocka_unit_test(a_lost_hop_is_logged_in_to_again),
        cmocka_unit_test(a_lost_target_needs_no_new_login_at_the_hop),
        cmocka_unit_test(an_aborted_session_leaves_the_target),
        cmocka_unit_test(what_an_aborted_relay_holds_never_arrives),
        cmocka_unit_test(a_full_relay_lets_go_of_a_lost_session),
        cmocka_unit_test(who_has_answered_for_a_hop_is_known_within),
        cmocka_unit_test(a_target_that_does_not_answer_holds_nothing_up),
    };
    if (!test_sshd_available()) {
        print_message("sshd or ssh-keygen is missing\n");
        return 77;
    }
    signal(SIGPIPE, SIG_IGN);
    return cmocka_run_group_tests(tests, start_sshds, stop_sshds);
}

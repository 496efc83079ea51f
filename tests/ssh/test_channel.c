/* Channels over a real sshd: bytes both ways in order, many at once, refusals with their kinds, and a lost connection.
 */
#include "lib/scratch.h"
#include "lib/session_call.h"
#include "lib/sshd.h"
#include "lib/test.h"
#include "ssh/session.h"
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

enum { MEBIBYTE = 1024 * 1024, LANES = 6 };

static const char subsystems[] = "Subsystem echo /bin/cat\n"
                                 "Subsystem quits exit 3\n"
                                 "MaxSessions 8\n";

static struct test_sshd sshd;

/* A user of a stream that sends a pattern and expects it back. */
struct echo {
    struct cfs_ssh_session *session;
    const char *subsystem;
    struct cfs_stream *stream;
    size_t total, sent;
    atomic_size_t received;
    size_t read_size;
    unsigned round; /* each try has another size than the one before it */
    uint32_t window;
    int error; /* of read or write; 1 for wrong bytes */
    int ends;  /* how often read gave 0 */
    atomic_int done;
    uint8_t *buffer;
    char reason[1024];
    struct cfs_error why;
};

static uint8_t pattern_at(size_t position)
{
    return (uint8_t)(position ^ position >> 8 ^ position >> 17);
}

static void finish(struct echo *echo, int error)
{
    if (echo->done)
        return;
    echo->error = error;
    const char *reason = cfs_stream_reason(echo->stream);
    const struct cfs_error *why = cfs_ssh_stream_error(echo->stream);
    snprintf(echo->reason, sizeof(echo->reason), "%s", reason ? reason : "");
    if (why)
        echo->why = *why;
    echo->done = 1;
}

/* Vectors of three pieces with odd borders, as an SFTP client makes them. */
static ssize_t send_some(struct echo *echo, uint8_t *bytes, size_t size)
{
    size_t length = echo->total - echo->sent < size ? echo->total - echo->sent : size;
    for (size_t i = 0; i < length; i++)
        bytes[i] = pattern_at(echo->sent + i);
    size_t head = length < 29 ? length : 29, middle = (length - head) / 3;
    const struct iovec vector[] = {
        {.iov_base = bytes, .iov_len = head},
        {.iov_base = bytes + head, .iov_len = middle},
        {.iov_base = bytes + head + middle, .iov_len = length - head - middle},
    };
    return cfs_stream_write(echo->stream, vector, 3);
}

static void send_all(struct echo *echo)
{
    static const size_t sizes[] = {100000, 5, 32700, 261120, 1};
    while (echo->sent < echo->total) {
        ssize_t sent = send_some(echo, echo->buffer, sizes[echo->round++ % CFS_COUNT(sizes)]);
        if (sent == -EAGAIN)
            return;
        if (sent <= 0) {
            finish(echo, (int)sent);
            return;
        }
        echo->sent += (size_t)sent;
    }
}

static void receive_all(struct echo *echo)
{
    for (;;) {
        ssize_t length = cfs_stream_read(echo->stream, echo->buffer, echo->read_size);
        if (length == -EAGAIN)
            return;
        if (length <= 0) {
            echo->ends += length == 0;
            finish(echo, (int)length);
            return;
        }
        for (ssize_t i = 0; i < length; i++)
            if (echo->buffer[i] != pattern_at(echo->received + (size_t)i)) {
                finish(echo, 1);
                return;
            }
        echo->received += (size_t)length;
        if (echo->total && echo->received == echo->total)
            finish(echo, 0);
    }
}

static void echo_ready(struct cfs_stream *stream, void *context)
{
    struct echo *echo = context;
    receive_all(echo);
    if (!echo->done)
        send_all(echo);
}

static void open_echo(void *context)
{
    struct echo *echo = context;
    echo->stream = cfs_ssh_open_subsystem(echo->session, echo->subsystem, echo->window);
    assert_non_null(echo->stream);
    echo->stream->ready = echo_ready;
    echo->stream->context = echo;
    send_all(echo);
}

static void close_echo(void *context)
{
    struct echo *echo = context;
    cfs_stream_close(echo->stream);
    echo->stream = NULL;
}

static void start_echo(struct echo *echo, struct cfs_ssh_session *session, const char *subsystem, size_t total,
                       size_t read_size)
{
    *echo = (struct echo){.session = session, .subsystem = subsystem, .total = total, .read_size = read_size};
    echo->buffer = malloc(MEBIBYTE);
    assert_non_null(echo->buffer);
    test_call(cfs_ssh_session_loop(session), open_echo, echo);
}

static void end_echo(struct echo *echo)
{
    test_call(cfs_ssh_session_loop(echo->session), close_echo, echo);
    free(echo->buffer);
}

static struct cfs_ssh_session *connect_patiently(const struct cfs_ssh_callbacks *callbacks, uint32_t op_timeout_ms)
{
    struct cfs_profile *profile = test_sshd_profile(&sshd);
    profile->op_timeout_ms = op_timeout_ms;
    struct cfs_error error = {0};
    struct cfs_ssh_session *session = NULL;
    int rc = cfs_ssh_connect(profile, NULL, -1, callbacks, &session, &error);
    test_profile_free(profile);
    if (rc < 0)
        fail_msg("%s", error.text);
    return session;
}

static struct cfs_ssh_session *connect_with(const struct cfs_ssh_callbacks *callbacks)
{
    return connect_patiently(callbacks, TEST_LIMIT_MS);
}

static void a_large_transfer_keeps_every_byte_both_ways(void **state)
{
    struct cfs_ssh_session *session = connect_with(NULL);
    struct echo echo;
    size_t length = getenv("CLUSTERFS_VALGRIND") ? 4 * MEBIBYTE : 64 * MEBIBYTE; /* a cipher under valgrind is slow */
    start_echo(&echo, session, "echo", length, 300 * 1024);
    test_wait_until(echo.done);
    assert_int_equal(echo.error, 0);
    assert_true(echo.received == length);
    end_echo(&echo);
    cfs_ssh_session_free(session);
}

static void many_channels_share_a_session(void **state)
{
    struct cfs_ssh_session *session = connect_with(NULL);
    struct echo echoes[LANES];
    for (int i = 0; i < LANES; i++) /* small reads, large reads */
        start_echo(&echoes[i], session, "echo", (size_t)4 * MEBIBYTE + (size_t)i, i % 2 ? MEBIBYTE : 1000 + (size_t)i);
    for (int i = 0; i < LANES; i++) {
        test_wait_until(echoes[i].done);
        assert_int_equal(echoes[i].error, 0);
    }
    for (int i = 0; i < LANES; i++)
        end_echo(&echoes[i]);

    /* Closed channels count no more: as many again. */
    for (int i = 0; i < LANES; i++) {
        struct echo again;
        start_echo(&again, session, "echo", 1000, 1000);
        test_wait_until(again.done);
        assert_int_equal(again.error, 0);
        end_echo(&again);
    }
    cfs_ssh_session_free(session);
}

static void the_channel_beyond_maxsessions_is_a_learned_cap(void **state)
{
    struct cfs_ssh_session *session = connect_with(NULL);
    enum { MOST = 8 };
    struct echo echoes[MOST], extra, after;
    for (int i = 0; i < MOST; i++)
        start_echo(&echoes[i], session, "echo", 10, 1000);
    start_echo(&extra, session, "echo", 10, 1000);
    test_wait_until(extra.done);
    assert_int_equal(extra.error, -EMFILE);
    assert_non_null(strstr(extra.why.text, "MaxSessions"));
    for (int i = 0; i < MOST; i++) {
        test_wait_until(echoes[i].done);
        assert_int_equal(echoes[i].error, 0);
    }
    end_echo(&extra);
    end_echo(&echoes[0]);
    /* The others work on, and there is room for one again as soon as the server has closed the one that was given up.
     */
    for (int tries = 0;; tries++) {
        start_echo(&after, session, "echo", 10, 1000);
        test_wait_until(after.done);
        end_echo(&after);
        if (after.error == 0)
            break;
        assert_int_equal(after.error, -EMFILE);
        assert_true(tries < 1000);
    }
    for (int i = 1; i < MOST; i++)
        end_echo(&echoes[i]);
    cfs_ssh_session_free(session);
}

static void a_missing_subsystem_has_its_own_kind(void **state)
{
    struct cfs_ssh_session *session = connect_with(NULL);
    struct echo echo;
    start_echo(&echo, session, "nonesuch", 10, 1000);
    test_wait_until(echo.done);
    assert_int_equal(echo.error, -EOPNOTSUPP);
    assert_int_equal(echo.why.failure, CFS_FAILURE_NO_SFTP);
    assert_non_null(strstr(echo.why.text, "nonesuch"));
    end_echo(&echo);
    start_echo(&echo, session, "echo", 10, 1000); /* the session is none the worse */
    test_wait_until(echo.done);
    assert_int_equal(echo.error, 0);
    end_echo(&echo);
    cfs_ssh_session_free(session);
}

static void a_subsystem_that_quits_at_once_is_no_sftp(void **state)
{
    struct cfs_ssh_session *session = connect_with(NULL);
    struct echo echo;
    start_echo(&echo, session, "quits", 0, 1000);
    test_wait_until(echo.done);
    assert_int_equal(echo.error, 0);
    assert_int_equal(echo.ends, 1);
    assert_int_equal(echo.why.failure, CFS_FAILURE_NO_SFTP);
    assert_non_null(strstr(echo.reason, "ended its \"quits\" subsystem"));
    end_echo(&echo);
    cfs_ssh_session_free(session);
}

struct losses {
    atomic_int count;
    char reason[512];
};

static void note_loss(struct cfs_ssh_session *session, const char *reason, void *context)
{
    struct losses *losses = context;
    snprintf(losses->reason, sizeof(losses->reason), "%s", reason);
    losses->count++;
}

static void a_killed_server_fails_the_streams_and_tells_the_loss(void **state)
{
    struct losses losses = {.count = 0};
    const struct cfs_ssh_callbacks callbacks = {.lost = note_loss, .context = &losses};
    struct cfs_ssh_session *session = connect_with(&callbacks);
    struct echo first, second;
    start_echo(&first, session, "echo", 0, 1000);
    start_echo(&second, session, "echo", 10, 1000);
    test_wait_until(second.done);
    assert_int_equal(second.error, 0);
    assert_true(test_sshd_kill_sessions(&sshd) > 0);
    test_wait_until(losses.count > 0);
    assert_int_equal(first.done, 1); /* streams fail before the loss is told */
    assert_int_equal(first.error, -ECONNRESET);
    assert_int_equal(first.why.failure, CFS_FAILURE_LOST);
    assert_non_null(strstr(losses.reason, "lost"));
    end_echo(&first);
    end_echo(&second);
    assert_int_equal(losses.count, 1);
    cfs_ssh_session_free(session);
}

static void open_after_loss(void *context)
{
    struct echo *echo = context;
    echo->stream = cfs_ssh_open_subsystem(echo->session, "echo", 0);
}

static void a_lost_session_opens_no_streams(void **state)
{
    struct losses losses = {.count = 0};
    const struct cfs_ssh_callbacks callbacks = {.lost = note_loss, .context = &losses};
    struct echo echo = {.session = connect_with(&callbacks)};
    assert_true(test_sshd_kill_sessions(&sshd) > 0); /* a session without any channel notices too */
    test_wait_until(losses.count > 0);
    test_call(cfs_ssh_session_loop(echo.session), open_after_loss, &echo);
    assert_null(echo.stream);
    cfs_ssh_session_free(echo.session);
}

static void read_cpu_time(void *context)
{
    assert_int_equal(clock_gettime(CLOCK_THREAD_CPUTIME_ID, context), 0);
}

/* Milliseconds of CPU that the session's thread uses in a third of a second in which nothing should happen. */
static int64_t cpu_while_idle(struct cfs_ssh_session *session)
{
    struct timespec before, after;
    test_call(cfs_ssh_session_loop(session), read_cpu_time, &before);
    usleep(333 * 1000);
    test_call(cfs_ssh_session_loop(session), read_cpu_time, &after);
    return (after.tv_sec - before.tv_sec) * 1000 + (after.tv_nsec - before.tv_nsec) / 1000000;
}

/* The whole way is full: the server's window, or the sockets, or both. */
static void a_stalled_server_costs_no_cpu_and_goes_on_later(void **state)
{
    if (getenv("CLUSTERFS_VALGRIND"))
        skip(); /* what the loop costs there says nothing */
    struct cfs_ssh_session *session = connect_with(NULL);
    struct echo idle, echo;
    start_echo(&idle, session, "echo", 10, 1000);
    test_wait_until(idle.done);
    assert_true(cpu_while_idle(session) < 100);
    start_echo(&echo, session, "echo", (size_t)16 * MEBIBYTE, 300 * 1024);
    test_wait_until(echo.received > 0);
    assert_true(test_sshd_signal_sessions(&sshd, SIGSTOP) > 0);
    assert_true(cpu_while_idle(session) < 300); /* it may still read what has been sent */
    assert_true(cpu_while_idle(session) < 100);
    assert_true(test_sshd_signal_sessions(&sshd, SIGCONT) > 0);
    test_wait_until(echo.done);
    assert_int_equal(echo.error, 0);
    end_echo(&idle);
    end_echo(&echo);
    cfs_ssh_session_free(session);
}

/* The one that is being opened and the one that waits for it; what the server answers late does no harm. */
static void channels_that_do_not_start_fail_in_time(void **state)
{
    struct cfs_ssh_session *session = connect_patiently(NULL, 300);
    struct echo first, second, later;
    assert_true(test_sshd_signal_sessions(&sshd, SIGSTOP) > 0);
    start_echo(&first, session, "echo", 10, 1000);
    start_echo(&second, session, "echo", 10, 1000);
    test_wait_until(first.done && second.done);
    assert_int_equal(first.error, -ETIMEDOUT);
    assert_int_equal(second.error, -ETIMEDOUT);
    assert_int_equal(first.why.failure, CFS_FAILURE_TIMEOUT);
    end_echo(&first);
    assert_true(test_sshd_signal_sessions(&sshd, SIGCONT) > 0);
    for (int tries = 0;; tries++) { /* on a busy machine 300 ms may not be enough at once */
        start_echo(&later, session, "echo", 10, 1000);
        test_wait_until(later.done);
        end_echo(&later);
        if (later.error == 0)
            break;
        assert_int_equal(later.error, -ETIMEDOUT);
        assert_true(tries < 100);
    }
    end_echo(&second);
    cfs_ssh_session_free(session);
}

/* The server asks for new keys after each megabyte, while both directions are busy. */
static void key_exchanges_under_way_lose_nothing(void **state)
{
    if (getenv("CLUSTERFS_VALGRIND"))
        skip(); /* libssh2 leaks at each: tests/lib/lsan.supp is for LeakSanitizer */
    struct test_sshd usual = sshd;
    test_sshd_start(&sshd, "Subsystem echo /bin/cat\nRekeyLimit 1M\nLogLevel DEBUG1\n");
    struct cfs_ssh_session *session = connect_with(NULL);
    struct echo echoes[3];
    for (size_t i = 0; i < CFS_COUNT(echoes); i++)
        start_echo(&echoes[i], session, "echo", (size_t)8 * MEBIBYTE, i ? MEBIBYTE : 5000);
    for (size_t i = 0; i < CFS_COUNT(echoes); i++) {
        test_wait_until(echoes[i].done);
        assert_int_equal(echoes[i].error, 0);
    }
    for (size_t i = 0; i < CFS_COUNT(echoes); i++)
        end_echo(&echoes[i]);
    cfs_ssh_session_free(session);
    char *log CFS_AUTO_FREE = scratch_read(sshd.log_path, NULL);
    int exchanges = 0;
    for (const char *line = log; (line = strstr(line, "SSH2_MSG_NEWKEYS received")); line++)
        exchanges++;
    assert_true(exchanges > 5);
    test_sshd_stop(&sshd);
    sshd = usual;
}

/* A stream closed while it is being opened, one closed with data under way, one never closed. */
static void streams_may_be_closed_at_any_time(void **state)
{
    struct cfs_ssh_session *session = connect_with(NULL);
    struct echo echo, left;
    for (int i = 0; i < 12; i++) {
        start_echo(&echo, session, "echo", i % 2 ? (size_t)8 * MEBIBYTE : 0, 5000);
        if (i % 3 == 0)
            test_wait_until(echo.done || echo.received > 0 || echo.total == 0);
        end_echo(&echo);
    }
    start_echo(&left, session, "echo", (size_t)1000 * MEBIBYTE, 5000);
    test_wait_until(left.done || left.received > 0);
    cfs_ssh_session_free(session);
    assert_int_equal(left.error, -ESHUTDOWN);
    free(left.buffer);
}

static int start_server(void **state)
{
    test_sshd_start(&sshd, subsystems);
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
        cmocka_unit_test(a_large_transfer_keeps_every_byte_both_ways),
        cmocka_unit_test(many_channels_share_a_session),
        cmocka_unit_test(the_channel_beyond_maxsessions_is_a_learned_cap),
        cmocka_unit_test(a_missing_subsystem_has_its_own_kind),
        cmocka_unit_test(a_subsystem_that_quits_at_once_is_no_sftp),
        cmocka_unit_test(a_killed_server_fails_the_streams_and_tells_the_loss),
        cmocka_unit_test(a_lost_session_opens_no_streams),
        cmocka_unit_test(a_stalled_server_costs_no_cpu_and_goes_on_later),
        cmocka_unit_test(channels_that_do_not_start_fail_in_time),
        cmocka_unit_test(key_exchanges_under_way_lose_nothing),
        cmocka_unit_test(streams_may_be_closed_at_any_time),
    };
    if (!test_sshd_available()) {
        printf("skipped: there is no sshd or ssh-keygen here\n");
        return 77;
    }
    return cmocka_run_group_tests(tests, start_server, stop_server);
}

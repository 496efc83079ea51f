/* A tunnel between a channel in memory, whose SSH side the test plays, and one end of a socketpair. */
#include "lib/memory_stream.h"
#include "lib/test.h"
#include "ssh/session.h"
#include "ssh/tunnel.h"
#include <stdlib.h>
#include <sys/socket.h>

enum { LARGE = 1024 * 1024, SAID = 50 * 1000 };

static struct {
    struct cfs_loop *loop;
    struct memory_stream channel;
    struct cfs_ssh_tunnel *tunnel;
    int fd; /* of the program; -1: it has gone */
    bool has_finished, is_closed;
    struct cfs_error error;
    int ends;
    char reason[100];
    uint8_t *bytes;
} it;

const struct cfs_error *__wrap_cfs_ssh_stream_error(const struct cfs_stream *stream);
const struct cfs_error *__wrap_cfs_ssh_stream_error(const struct cfs_stream *stream)
{
    (void)stream;
    return it.error.failure ? &it.error : NULL;
}

bool __wrap_cfs_ssh_stream_is_closed(const struct cfs_stream *stream);
bool __wrap_cfs_ssh_stream_is_closed(const struct cfs_stream *stream)
{
    (void)stream;
    return it.is_closed;
}

void __wrap_cfs_ssh_stream_finish(struct cfs_stream *stream);
void __wrap_cfs_ssh_stream_finish(struct cfs_stream *stream)
{
    (void)stream;
    assert_false(it.has_finished);
    it.has_finished = true;
}

static void ended(void *context, const char *reason)
{
    (void)context;
    it.ends++;
    it.tunnel = NULL;
    if (reason)
        snprintf(it.reason, sizeof(it.reason), "%s", reason);
}

static int setup(void **state)
{
    int pair[2];
    (void)state;
    memset(&it, 0, sizeof(it));
    it.loop = cfs_loop_new();
    it.bytes = malloc(LARGE);
    assert_non_null(it.loop);
    assert_non_null(it.bytes);
    for (size_t i = 0; i < LARGE; i++)
        it.bytes[i] = (uint8_t)(i ^ i >> 8 ^ i >> 16);
    memory_stream_init(&it.channel, it.loop);
    assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, pair), 0);
    it.fd = pair[0];
    it.tunnel = cfs_ssh_tunnel_new(&it.channel.stream, pair[1], ended, NULL);
    assert_non_null(it.tunnel);
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    if (it.tunnel)
        cfs_ssh_tunnel_abort(it.tunnel);
    if (it.fd >= 0)
        close(it.fd);
    cfs_loop_free(it.loop);
    memory_stream_fini(&it.channel);
    free(it.bytes);
    return 0;
}

/* The program says SAID bytes. */
static void say(void)
{
    assert_int_equal(send(it.fd, it.bytes, SAID, MSG_NOSIGNAL), SAID);
}

/* Without waiting: how much of the beginning of `bytes` has come, behind what came BEFORE. */
static size_t hear(size_t before)
{
    static uint8_t got[64 * 1024];
    ssize_t length = recv(it.fd, got, sizeof(got), 0);
    if (length < 0)
        return before;
    assert_memory_equal(got, it.bytes + before, (size_t)length);
    return before + (size_t)length;
}

static bool has_been_told_all(void)
{
    return it.channel.outgoing.length == SAID && memcmp(it.channel.outgoing.bytes, it.bytes, SAID) == 0;
}

static void each_way_ends_for_itself(void **state)
{
    size_t heard = 0;
    char byte;
    (void)state;
    cfs_ssh_tunnel_begin(it.tunnel);
    say();
    assert_int_equal(shutdown(it.fd, SHUT_WR), 0);
    test_run_until(it.loop, it.has_finished);
    assert_true(has_been_told_all());
    assert_int_equal(it.ends, 0);
    memory_stream_feed(&it.channel, it.bytes, LARGE);
    test_run_until(it.loop, (heard = hear(heard)) == LARGE);
    it.channel.ended = true;
    memory_stream_poke(&it.channel);
    assert_int_equal(it.ends, 1);
    assert_true(it.channel.closed);
    assert_int_equal(recv(it.fd, &byte, 1, 0), 0);
}

static void the_channel_may_end_first(void **state)
{
    char byte;
    (void)state;
    cfs_ssh_tunnel_begin(it.tunnel);
    it.channel.ended = true;
    memory_stream_poke(&it.channel);
    assert_int_equal(recv(it.fd, &byte, 1, 0), 0);
    assert_int_equal(it.ends, 0);
    say();
    test_run_until(it.loop, has_been_told_all());
    assert_int_equal(it.ends, 0);
    close(it.fd);
    it.fd = -1;
    test_run_until(it.loop, it.ends == 1);
    assert_true(it.has_finished);
}

/* It had not been sent yet when it turned out that nobody reads the answers any more. */
static void what_somebody_said_before_he_left_arrives(void **state)
{
    (void)state;
    it.channel.room = 0;
    cfs_ssh_tunnel_begin(it.tunnel);
    say();
    close(it.fd);
    it.fd = -1;
    memory_stream_feed(&it.channel, it.bytes, LARGE);
    test_run_until(it.loop, it.channel.incoming_read == LARGE);
    assert_int_equal(it.ends, 0);
    it.channel.room = SIZE_MAX;
    memory_stream_poke(&it.channel);
    test_run_until(it.loop, it.ends == 1);
    assert_true(has_been_told_all());
    assert_string_equal(it.reason, "");
}

static void who_reads_slowly_slows_the_writer_down(void **state)
{
    size_t heard = 0;
    (void)state;
    cfs_ssh_tunnel_begin(it.tunnel);
    memory_stream_feed(&it.channel, it.bytes, LARGE);
    for (int i = 0; i < 100; i++)
        cfs_loop_run_once(it.loop, 0);
    assert_true(it.channel.incoming_read < LARGE); /* the socket's buffer, and ours */
    test_run_until(it.loop, (heard = hear(heard)) == LARGE);
}

static void what_a_closed_channel_brought_is_passed_on(void **state)
{
    size_t heard = 0;
    (void)state;
    it.channel.write_error = -EPIPE;
    it.channel.ended = it.is_closed = true;
    memory_stream_feed(&it.channel, it.bytes, LARGE);
    cfs_ssh_tunnel_begin(it.tunnel);
    say();
    test_run_until(it.loop, (heard = hear(heard)) == LARGE);
    test_run_until(it.loop, it.ends == 1);
    assert_string_equal(it.reason, "");
}

static void a_lost_connection_is_no_end(void **state)
{
    (void)state;
    cfs_ssh_tunnel_begin(it.tunnel);
    it.channel.error = -ECONNRESET;
    (void)cfs_error_set(&it.error, ECONNRESET, CFS_FAILURE_LOST, "It is gone.");
    memory_stream_poke(&it.channel);
    assert_int_equal(it.ends, 1);
    assert_string_equal(it.reason, "It is gone.");
    assert_true(it.channel.closed);
}

static void what_is_aborted_does_not_tell(void **state)
{
    (void)state;
    cfs_ssh_tunnel_begin(it.tunnel);
    say();
    cfs_ssh_tunnel_abort(it.tunnel);
    it.tunnel = NULL;
    cfs_loop_run_once(it.loop, 0);
    assert_int_equal(it.ends, 0);
    assert_true(it.channel.closed);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(each_way_ends_for_itself, setup, teardown),
        cmocka_unit_test_setup_teardown(the_channel_may_end_first, setup, teardown),
        cmocka_unit_test_setup_teardown(what_somebody_said_before_he_left_arrives, setup, teardown),
        cmocka_unit_test_setup_teardown(who_reads_slowly_slows_the_writer_down, setup, teardown),
        cmocka_unit_test_setup_teardown(what_a_closed_channel_brought_is_passed_on, setup, teardown),
        cmocka_unit_test_setup_teardown(a_lost_connection_is_no_end, setup, teardown),
        cmocka_unit_test_setup_teardown(what_is_aborted_does_not_tell, setup, teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

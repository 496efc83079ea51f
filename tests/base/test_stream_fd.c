/* A stream over a socket: readiness, ends, failures. */
#include "lib/test.h"

#include "base/stream.h"
#include <fcntl.h>
#include <sys/socket.h>

struct end {
    struct cfs_stream *stream;
    int calls;
    bool close_when_ready;
};

static void count_ready(struct cfs_stream *stream, void *context)
{
    struct end *end = context;
    end->calls++;
    if (end->close_when_ready) {
        cfs_stream_close(end->stream);
        end->stream = NULL;
    }
}

struct fixture {
    struct cfs_loop *loop;
    struct end a, b;
};

static int set_up(void **state)
{
    static struct fixture fixture;
    int fds[2];
    fixture = (struct fixture){.loop = cfs_loop_new()};
    if (!fixture.loop || socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, fds) < 0)
        return -1;
    struct end *const ends[] = {&fixture.a, &fixture.b};
    for (int i = 0; i < 2; i++) {
        ends[i]->stream = cfs_stream_new_fd(fixture.loop, fds[i]);
        if (!ends[i]->stream)
            return -1;
        ends[i]->stream->ready = count_ready;
        ends[i]->stream->context = ends[i];
    }
    *state = &fixture;
    return 0;
}

static int tear_down(void **state)
{
    struct fixture *fixture = *state;
    cfs_stream_close(fixture->a.stream);
    cfs_stream_close(fixture->b.stream);
    cfs_loop_free(fixture->loop);
    return 0;
}

static ssize_t write_text(struct cfs_stream *stream, const char *text)
{
    struct iovec vector = {(void *)(uintptr_t)text, strlen(text)};
    return cfs_stream_write(stream, &vector, 1);
}

static void bytes_go_both_ways(void **state)
{
    struct fixture *fixture = *state;
    char buffer[16];
    struct iovec vector[] = {{(char[]){'o', 'n', 'e'}, 3}, {NULL, 0}, {(char[]){'t', 'w', 'o'}, 3}};
    assert_int_equal(cfs_stream_read(fixture->b.stream, buffer, sizeof(buffer)), -EAGAIN);
    assert_int_equal(cfs_stream_write(fixture->a.stream, vector, 3), 6);
    assert_int_equal(fixture->b.calls, 0); /* never from inside a call */
    test_run_until(fixture->loop, fixture->b.calls > 0);
    assert_int_equal(cfs_stream_read(fixture->b.stream, buffer, sizeof(buffer)), 6);
    assert_memory_equal(buffer, "onetwo", 6);
    assert_int_equal(cfs_stream_read(fixture->b.stream, buffer, sizeof(buffer)), -EAGAIN);
    assert_int_equal(write_text(fixture->b.stream, "back"), 4);
    test_run_until(fixture->loop, cfs_stream_read(fixture->a.stream, buffer, sizeof(buffer)) == 4);
    assert_null(cfs_stream_reason(fixture->a.stream));
}

/* Writes bytes that follow from their position, until there is no room or TOTAL have been written. */
static void write_pattern(struct cfs_stream *stream, size_t total, size_t *position)
{
    uint8_t chunk[5000];
    while (*position < total) {
        size_t length = sizeof(chunk) < total - *position ? sizeof(chunk) : total - *position;
        for (size_t i = 0; i < length; i++)
            chunk[i] = (uint8_t)((*position + i) * 2654435761U >> 24);
        struct iovec vector = {chunk, length};
        ssize_t written = cfs_stream_write(stream, &vector, 1);
        if (written == -EAGAIN)
            return;
        assert_true(written > 0);
        *position += (size_t)written;
    }
}

static void read_pattern(struct cfs_stream *stream, size_t *position)
{
    uint8_t chunk[3333];
    ssize_t count;
    while ((count = cfs_stream_read(stream, chunk, sizeof(chunk))) > 0) {
        for (ssize_t i = 0; i < count; i++)
            assert_int_equal(chunk[i], (uint8_t)((*position + (size_t)i) * 2654435761U >> 24));
        *position += (size_t)count;
    }
    assert_int_equal(count, -EAGAIN);
}

/* One side of a transfer: it does something only when `ready` has been called. */
struct side {
    struct end *end;
    int calls_seen;
    size_t written, read;
};

static void turn_side(struct side *side, size_t total)
{
    if (side->end->calls == side->calls_seen)
        return;
    side->calls_seen = side->end->calls;
    read_pattern(side->end->stream, &side->read);
    write_pattern(side->end->stream, total, &side->written);
}

static void much_goes_through_by_readiness_alone(void **state)
{
    enum { TOTAL = 4 << 20 };
    struct fixture *fixture = *state;
    struct side a = {.end = &fixture->a}, b = {.end = &fixture->b};
    write_pattern(fixture->a.stream, TOTAL, &a.written);
    write_pattern(fixture->b.stream, TOTAL, &b.written);
    assert_true(a.written < TOTAL && b.written < TOTAL); /* both have blocked */
    test_run_until(fixture->loop, ({
                       turn_side(&a, TOTAL);
                       turn_side(&b, TOTAL);
                       a.read == TOTAL &&b.read == TOTAL;
                   }));
}

static void a_blocked_writer_is_told_of_room(void **state)
{
    enum { TOTAL = 4 << 20 };
    struct fixture *fixture = *state;
    struct side a = {.end = &fixture->a};
    size_t b_read = 0;
    write_pattern(fixture->a.stream, TOTAL, &a.written);
    assert_true(a.written < TOTAL);
    /* b never writes: nothing but room can make a ready. */
    test_run_until(fixture->loop, ({
                       read_pattern(fixture->b.stream, &b_read);
                       turn_side(&a, TOTAL);
                       b_read == TOTAL;
                   }));
}

static void who_does_not_read_costs_no_turns(void **state)
{
    struct fixture *fixture = *state;
    assert_int_equal(write_text(fixture->a.stream, "unread"), 6);
    test_run_until(fixture->loop, fixture->b.calls > 0);
    int calls = fixture->b.calls;
    for (int i = 0; i < 20; i++)
        cfs_loop_run_once(fixture->loop, 0);
    assert_int_equal(fixture->b.calls, calls);
}

static void the_end_comes_after_all_that_was_written(void **state)
{
    struct fixture *fixture = *state;
    char buffer[16];
    assert_int_equal(write_text(fixture->a.stream, "last"), 4);
    cfs_stream_close(fixture->a.stream);
    fixture->a.stream = NULL;
    test_run_until(fixture->loop, fixture->b.calls > 0);
    assert_int_equal(cfs_stream_read(fixture->b.stream, buffer, sizeof(buffer)), 4);
    assert_int_equal(cfs_stream_read(fixture->b.stream, buffer, sizeof(buffer)), 0);
    assert_int_equal(cfs_stream_read(fixture->b.stream, buffer, sizeof(buffer)), 0);
    assert_null(cfs_stream_reason(fixture->b.stream));
}

static void a_waiting_reader_is_told_of_the_end(void **state)
{
    struct fixture *fixture = *state;
    char buffer[16];
    assert_int_equal(cfs_stream_read(fixture->b.stream, buffer, sizeof(buffer)), -EAGAIN);
    cfs_loop_run_once(fixture->loop, 0);
    int calls = fixture->b.calls;
    cfs_stream_close(fixture->a.stream);
    fixture->a.stream = NULL;
    test_run_until(fixture->loop, fixture->b.calls > calls);
    assert_int_equal(cfs_stream_read(fixture->b.stream, buffer, sizeof(buffer)), 0);
}

static void a_blocked_writer_is_told_of_the_end(void **state)
{
    struct fixture *fixture = *state;
    size_t written = 0;
    write_pattern(fixture->b.stream, 64 << 20, &written);
    cfs_loop_run_once(fixture->loop, 0);
    int calls = fixture->b.calls;
    cfs_stream_close(fixture->a.stream);
    fixture->a.stream = NULL;
    test_run_until(fixture->loop, fixture->b.calls > calls);
    assert_int_equal(write_text(fixture->b.stream, "x"), -EPIPE);
}

static void a_failure_stays_and_has_a_reason(void **state)
{
    struct fixture *fixture = *state;
    char buffer[16];
    assert_int_equal(write_text(fixture->b.stream, "never read"), 10);
    cfs_stream_close(fixture->a.stream); /* with unread bytes: a reset */
    fixture->a.stream = NULL;
    for (int i = 0; i < 3; i++)
        assert_int_equal(cfs_stream_read(fixture->b.stream, buffer, sizeof(buffer)), -ECONNRESET);
    assert_string_equal(cfs_stream_reason(fixture->b.stream), strerror(ECONNRESET));
}

static void writing_to_nobody_is_an_error_and_no_signal(void **state)
{
    struct fixture *fixture = *state;
    cfs_stream_close(fixture->a.stream);
    fixture->a.stream = NULL;
    assert_int_equal(write_text(fixture->b.stream, "x"), -EPIPE);
    assert_int_equal(write_text(fixture->b.stream, "x"), -EPIPE);
}

static void what_was_sent_can_be_read_after_a_failed_write(void **state)
{
    struct fixture *fixture = *state;
    char buffer[16];
    assert_int_equal(write_text(fixture->a.stream, "goodbye"), 7);
    cfs_stream_close(fixture->a.stream);
    fixture->a.stream = NULL;
    assert_int_equal(write_text(fixture->b.stream, "x"), -EPIPE);
    assert_int_equal(cfs_stream_read(fixture->b.stream, buffer, sizeof(buffer)), 7);
    assert_int_equal(cfs_stream_read(fixture->b.stream, buffer, sizeof(buffer)), 0);
    assert_int_equal(write_text(fixture->b.stream, "x"), -EPIPE);
    assert_string_equal(cfs_stream_reason(fixture->b.stream), strerror(EPIPE));
}

static void a_stream_may_be_closed_when_it_is_ready(void **state)
{
    struct fixture *fixture = *state;
    fixture->a.close_when_ready = fixture->b.close_when_ready = true;
    assert_int_equal(write_text(fixture->a.stream, "x"), 1);
    assert_int_equal(write_text(fixture->b.stream, "x"), 1);
    test_run_until(fixture->loop, !fixture->a.stream && !fixture->b.stream);
}

static void nothing_can_be_read_into_or_written_from_nothing(void **state)
{
    struct fixture *fixture = *state;
    char buffer[1];
    struct iovec vector = {NULL, 0};
    assert_int_equal(cfs_stream_read(fixture->a.stream, buffer, 0), -EINVAL);
    assert_int_equal(cfs_stream_write(fixture->a.stream, &vector, 1), -EINVAL);
    assert_int_equal(cfs_stream_write(fixture->a.stream, &vector, 0), -EINVAL);
    assert_int_equal(write_text(fixture->a.stream, "x"), 1); /* it has not failed */
}

static void a_descriptor_that_cannot_be_watched_stays_the_callers(void **state)
{
    struct fixture *fixture = *state;
    assert_null(cfs_stream_new_fd(fixture->loop, -1));
    int fd CFS_AUTO_CLOSE = open("/dev/null", O_RDWR | O_CLOEXEC); /* epoll refuses files */
    assert_null(cfs_stream_new_fd(fixture->loop, fd));
    assert_true(fcntl(fd, F_GETFD) >= 0);
    cfs_stream_close(NULL);
}

#define TEST(function) cmocka_unit_test_setup_teardown(function, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(bytes_go_both_ways),
        TEST(much_goes_through_by_readiness_alone),
        TEST(a_blocked_writer_is_told_of_room),
        TEST(who_does_not_read_costs_no_turns),
        TEST(the_end_comes_after_all_that_was_written),
        TEST(a_waiting_reader_is_told_of_the_end),
        TEST(a_blocked_writer_is_told_of_the_end),
        TEST(a_failure_stays_and_has_a_reason),
        TEST(writing_to_nobody_is_an_error_and_no_signal),
        TEST(what_was_sent_can_be_read_after_a_failed_write),
        TEST(a_stream_may_be_closed_when_it_is_ready),
        TEST(nothing_can_be_read_into_or_written_from_nothing),
        TEST(a_descriptor_that_cannot_be_watched_stays_the_callers),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

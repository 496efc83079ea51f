/* The ring: order is kept over wraps and growth, sockets fill and drain it, and a burst's memory is given back. */
#include "ssh/ring.h"
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <string.h>
#include <sys/socket.h>

#include <cmocka.h>

static uint8_t value_at(size_t position)
{
    return (uint8_t)(position * 7 + position / 256);
}

static void put_some(struct cfs_ssh_ring *ring, size_t from, size_t length)
{
    uint8_t bytes[4096];
    assert_true(length <= sizeof(bytes));
    for (size_t i = 0; i < length; i++)
        bytes[i] = value_at(from + i);
    assert_int_equal(cfs_ssh_ring_put(ring, bytes, length), 0);
}

static void take_some(struct cfs_ssh_ring *ring, size_t from, size_t length)
{
    uint8_t bytes[4096];
    assert_int_equal(cfs_ssh_ring_take(ring, bytes, length), length);
    for (size_t i = 0; i < length; i++)
        assert_int_equal(bytes[i], value_at(from + i));
}

static void order_is_kept_over_wraps_and_growth(void **state)
{
    struct cfs_ssh_ring ring;
    assert_int_equal(cfs_ssh_ring_init(&ring, 64), 0);
    size_t put = 0, taken = 0;
    unsigned seed = 1;
    for (int round = 0; round < 5000; round++) {
        seed = seed * 1103515245 + 12345;
        size_t length = (seed >> 16) % (round < 2500 ? 60 : 3000);
        if (seed & 0x40000000 || ring.length < length) {
            put_some(&ring, put, length);
            put += length;
        } else {
            take_some(&ring, taken, length);
            taken += length;
        }
        assert_int_equal(ring.length, put - taken);
    }
    while (ring.length > 0) {
        size_t length = ring.length > 1000 ? 1000 : ring.length;
        take_some(&ring, taken, length);
        taken += length;
    }
    uint8_t byte;
    assert_int_equal(cfs_ssh_ring_take(&ring, &byte, 1), 0);
    cfs_ssh_ring_fini(&ring);
}

static void a_wrapped_ring_grows_in_order(void **state)
{
    struct cfs_ssh_ring ring;
    assert_int_equal(cfs_ssh_ring_init(&ring, 16), 0);
    put_some(&ring, 0, 12);
    take_some(&ring, 0, 10);
    put_some(&ring, 12, 10); /* wraps */
    assert_int_equal(ring.capacity, 16);
    put_some(&ring, 22, 20); /* grows */
    assert_true(ring.capacity >= 32);
    take_some(&ring, 10, 32);
    cfs_ssh_ring_fini(&ring);
}

static void receiving_stops_when_full_and_tells_the_end(void **state)
{
    int ends[2];
    assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM, 0, ends), 0);
    struct cfs_ssh_ring ring;
    assert_int_equal(cfs_ssh_ring_init(&ring, 8), 0);
    assert_int_equal(cfs_ssh_ring_receive(&ring, ends[0]), -EAGAIN);
    assert_int_equal(send(ends[1], "0123456789", 10, 0), 10);
    assert_int_equal(cfs_ssh_ring_receive(&ring, ends[0]), 8);
    assert_int_equal(cfs_ssh_ring_receive(&ring, ends[0]), -ENOBUFS);
    char text[16] = "";
    assert_int_equal(cfs_ssh_ring_take(&ring, text, 5), 5);
    assert_int_equal(cfs_ssh_ring_receive(&ring, ends[0]), 2); /* into the wrapped part */
    assert_int_equal(cfs_ssh_ring_take(&ring, text + 5, 10), 5);
    assert_string_equal(text, "0123456789");
    close(ends[1]);
    assert_int_equal(cfs_ssh_ring_receive(&ring, ends[0]), 0);
    close(ends[0]);
    cfs_ssh_ring_fini(&ring);
}

static void sending_stops_when_the_socket_is_full_and_goes_on(void **state)
{
    enum { TOTAL = 3 * 1024 * 1024 };
    int ends[2];
    assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM, 0, ends), 0);
    struct cfs_ssh_ring ring;
    assert_int_equal(cfs_ssh_ring_init(&ring, 64), 0);
    for (size_t put = 0; put < TOTAL; put += 4096)
        put_some(&ring, put, 4096);
    assert_int_equal(cfs_ssh_ring_send(&ring, ends[0]), -EAGAIN);
    size_t received = 0;
    while (received < TOTAL) {
        uint8_t bytes[4096];
        ssize_t length = recv(ends[1], bytes, sizeof(bytes), 0);
        assert_true(length > 0);
        for (ssize_t i = 0; i < length; i++)
            assert_int_equal(bytes[i], value_at(received + (size_t)i));
        received += (size_t)length;
        int rc = cfs_ssh_ring_send(&ring, ends[0]);
        assert_true(rc == 0 || rc == -EAGAIN);
    }
    assert_int_equal(ring.length, 0);
    assert_true(ring.capacity <= 256 * 1024);
    close(ends[1]);
    put_some(&ring, 0, 10);
    assert_int_equal(cfs_ssh_ring_send(&ring, ends[0]), -EPIPE); /* and no SIGPIPE */
    close(ends[0]);
    cfs_ssh_ring_fini(&ring);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(order_is_kept_over_wraps_and_growth),
        cmocka_unit_test(a_wrapped_ring_grows_in_order),
        cmocka_unit_test(receiving_stops_when_full_and_tells_the_end),
        cmocka_unit_test(sending_stops_when_the_socket_is_full_and_goes_on),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

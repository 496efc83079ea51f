/* What the person who waits for the end of a mount is told: how much is left, and what is lost. */
#include "cli/drain.h"
#include "cli/losses.h"
#include "lib/test.h"
#include <errno.h>
#include <stdio.h>
#include <sys/socket.h>

static void what_is_left_is_told_with_the_rate_and_the_time(void **state)
{
    (void)state;
    char text[160];
    cfs_drain_describe(3 << 20, 12, 1 << 20, text, sizeof(text));
    assert_string_equal(text, "3.0 MiB and 12 changes to be written, 1.0 MiB/s, 3 s to go");
    cfs_drain_describe(3 << 20, 0, 0, text, sizeof(text));
    assert_string_equal(text, "3.0 MiB to be written");
    cfs_drain_describe(0, 1, 100, text, sizeof(text));
    assert_string_equal(text, "0 B and 1 change to be written");
    cfs_drain_describe(UINT64_MAX, UINT64_MAX, 1, text, sizeof(text));
    assert_true(strlen(text) < sizeof(text) - 1);
}

static void a_peer_that_says_nonsense_is_not_asked_again(void **state)
{
    (void)state;
    int end[2], asked[2];
    char request[64];
    assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, end), 0);
    assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, asked), 0);
    assert_int_equal(write(asked[1], "left -\n\n", 8), 8);
    assert_int_equal(cfs_drain_wait(end[0], asked[0], 1500, CFS_DRAIN_LINES), -ETIMEDOUT);
    assert_int_equal(read(asked[1], request, sizeof(request)), strlen("progress\n"));
    close(end[1]);
    assert_int_equal(cfs_drain_wait(end[0], -1, -1, CFS_DRAIN_REDRAW), 0);
    close(end[0]);
    close(asked[0]);
    close(asked[1]);
}

static void losses_are_listed_once_each_and_in_bounds(void **state)
{
    (void)state;
    struct cfs_losses losses;
    struct cfs_buffer out CFS_AUTO_BUFFER;
    char path[32];
    cfs_buffer_init(&out);
    cfs_losses_init(&losses);
    assert_int_equal(cfs_losses_tell(&losses, "/mnt", &out), 0);
    assert_int_equal(out.length, 0);
    cfs_losses_add(&losses, "a\nb", "it could not be made", -ENOSPC);
    cfs_losses_add(&losses, "a\nb", "its data is lost", -EIO);
    assert_int_equal(cfs_losses_tell(&losses, "/mnt", &out), 1);
    cfs_buffer_add_u8(&out, '\0');
    assert_string_equal(
        (char *)out.bytes,
        "1 change on /mnt could not be finished on the server:\n  a?b: it could not be made: No space left on device");
    for (unsigned i = 0; i < 5000; i++) {
        snprintf(path, sizeof(path), "file%u", i);
        cfs_losses_add(&losses, path, "it could not be made", -ENOSPC);
    }
    cfs_buffer_clear(&out);
    assert_int_equal(cfs_losses_tell(&losses, "/mnt", &out), 5001);
    cfs_buffer_add_u8(&out, '\0');
    assert_non_null(strstr((char *)out.bytes, "\n  and 4901 more, each with a line in the log"));
    assert_true(out.length < 70000);
    cfs_losses_fini(&losses);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_is_left_is_told_with_the_rate_and_the_time),
        cmocka_unit_test(a_peer_that_says_nonsense_is_not_asked_again),
        cmocka_unit_test(losses_are_listed_once_each_and_in_bounds),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

/* Messages of a login: they arrive whole, and what is too long, cut off or late is refused. */
#include "ctl/dialog.h"
#include "lib/test.h"
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

enum { HERE, THERE };

static int open_pair(void **state)
{
    static int fds[2];
    *state = fds;
    return socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, fds);
}

static int close_pair(void **state)
{
    const int *fds = *state;
    close(fds[HERE]);
    if (fds[THERE] >= 0)
        close(fds[THERE]);
    return 0;
}

static void a_message_arrives_as_it_was_sent(void **state)
{
    const int *fds = *state;
    static const char text[] = "a\nb\0c";
    enum cfs_dialog_type type;
    char *received = NULL;
    size_t length = 0;
    assert_int_equal(cfs_dialog_send(fds[HERE], CFS_DIALOG_ASK, text, sizeof(text)), 0);
    assert_int_equal(cfs_dialog_send(fds[HERE], CFS_DIALOG_GIVEN_UP, "", 0), 0);
    assert_int_equal(cfs_dialog_receive(fds[THERE], TEST_LIMIT_MS, &type, &received, &length), 0);
    assert_int_equal(type, CFS_DIALOG_ASK);
    assert_int_equal(length, sizeof(text));
    assert_memory_equal(received, text, sizeof(text));
    assert_int_equal(received[length], '\0');
    free(received);
    assert_int_equal(cfs_dialog_receive(fds[THERE], TEST_LIMIT_MS, &type, &received, &length), 0);
    assert_int_equal(type, CFS_DIALOG_GIVEN_UP);
    assert_int_equal(length, 0);
    free(received);
}

static int receive(int fd, int limit_ms)
{
    enum cfs_dialog_type type;
    char *text = NULL;
    size_t length = 0;
    return cfs_dialog_receive(fd, limit_ms, &type, &text, &length);
}

static void what_is_too_long_is_refused(void **state)
{
    const int *fds = *state;
    static char text[CFS_DIALOG_MOST + 1];
    assert_int_equal(cfs_dialog_send(fds[HERE], CFS_DIALOG_TELL, text, sizeof(text)), -EMSGSIZE);
    assert_int_equal(write(fds[HERE], "t\0\1\0\1", 5), 5);
    assert_int_equal(receive(fds[THERE], TEST_LIMIT_MS), -EMSGSIZE);
}

static void what_does_not_come_is_not_waited_for(void **state)
{
    int *fds = *state;
    assert_int_equal(receive(fds[HERE], 10), -ETIMEDOUT);
    assert_int_equal(write(fds[THERE], "a\0\0\0\5abc", 8), 8);
    close(fds[THERE]);
    fds[THERE] = -1;
    assert_int_equal(receive(fds[HERE], TEST_LIMIT_MS), -ECONNRESET);
}

#define CHECK(function) cmocka_unit_test_setup_teardown(function, open_pair, close_pair)

int main(void)
{
    const struct CMUnitTest tests[] = {
        CHECK(a_message_arrives_as_it_was_sent),
        CHECK(what_is_too_long_is_refused),
        CHECK(what_does_not_come_is_not_waited_for),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

/* The TCP socket of a child: found in it, or in what it has started; reset for all who have it. */
#include "remote/child_socket.h"

#include "base/cleanup.h"
#include "lib/test.h"
#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <poll.h>
#include <signal.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/wait.h>

enum { PATIENCE_MS = 60 * 1000 };

struct pair {
    pid_t child;
    int peer; /* the other end of the child's connection */
};

/* Connects, says so by a byte, and waits; DEPTH: the grandchild of that generation does. */
static void connect_and_wait(const struct sockaddr_in *address, int depth)
{
    while (depth > 0 && fork() == 0)
        depth--;
    if (depth == 0) {
        int fd = socket(AF_INET, SOCK_STREAM, 0);
        if (connect(fd, (const struct sockaddr *)address, sizeof(*address)) < 0 || write(fd, "x", 1) != 1)
            _exit(1);
    }
    for (;;)
        pause();
}

static struct pair make_pair(int depth)
{
    struct pair pair;
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t length = sizeof(address);
    int listener CFS_AUTO_CLOSE = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    assert_int_equal(bind(listener, (const struct sockaddr *)&address, sizeof(address)), 0);
    assert_int_equal(listen(listener, 1), 0);
    assert_int_equal(getsockname(listener, (struct sockaddr *)&address, &length), 0);
    pair.child = fork();
    assert_true(pair.child >= 0);
    if (pair.child == 0) {
        setsid();
        connect_and_wait(&address, depth);
    }
    pair.peer = accept(listener, NULL, NULL);
    assert_true(pair.peer >= 0);
    char byte;
    assert_int_equal(read(pair.peer, &byte, 1), 1);
    return pair;
}

static void end_pair(struct pair *pair)
{
    kill(-pair->child, SIGKILL);
    assert_int_equal(waitpid(pair->child, NULL, 0), pair->child);
    close(pair->peer);
}

static int find_or_skip(struct pair *pair)
{
    int fd = cfs_child_socket_find(pair->child);
    if (fd == -EPERM || fd == -ENOSYS) {
        end_pair(pair);
        print_message("this system does not let us look\n");
        skip();
    }
    return fd;
}

static void a_reset_reaches_the_other_end_while_the_child_lives(void **state)
{
    for (int depth = 0; depth < 3; depth++) {
        struct pair pair = make_pair(depth);
        int fd = find_or_skip(&pair);
        assert_true(fd >= 0);
        cfs_child_socket_reset(fd);
        struct pollfd watched = {.fd = pair.peer, .events = POLLIN};
        char byte;
        assert_int_equal(poll(&watched, 1, PATIENCE_MS), 1);
        assert_int_equal(read(pair.peer, &byte, 1), -1);
        assert_int_equal(errno, ECONNRESET);
        close(fd);
        end_pair(&pair);
    }
}

static void a_child_without_a_connection_has_none(void **state)
{
    pid_t child = fork();
    assert_true(child >= 0);
    if (child == 0) {
        for (int fd = 3; fd < 64; fd++)
            close(fd);
        for (;;)
            pause();
    }
    int fd = cfs_child_socket_find(child);
    kill(child, SIGKILL);
    assert_int_equal(waitpid(child, NULL, 0), child);
    assert_true(fd == -ENOENT || fd == -EPERM || fd == -ENOSYS);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_reset_reaches_the_other_end_while_the_child_lives),
        cmocka_unit_test(a_child_without_a_connection_has_none),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

/* Going into the background: a mount whose parent was killed does not appear later, and what the parent had open does
 * not stay open. */
#include "cli/daemon.h"
#include "lib/scratch.h"
#include "lib/test.h"
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

static int read_exactly(int fd, void *buffer, size_t size)
{
    struct pollfd polled = {.fd = fd, .events = POLLIN};
    assert_int_equal(poll(&polled, 1, TEST_LIMIT_MS), 1);
    return read(fd, buffer, size) == (ssize_t)size ? 0 : -1;
}

/* Forks a program that goes into the background and never is ready; its process number comes through STDOUT. */
static pid_t start_parent(int output)
{
    pid_t parent = fork();
    assert_true(parent >= 0);
    if (parent > 0)
        return parent;
    struct cfs_error error = {0};
    int code = 0;
    dup2(output, STDOUT_FILENO);
    if (cfs_daemon_fork(&code, &error) != 0)
        _exit(code);
    alarm(2 * TEST_LIMIT_MS / 1000);
    pid_t self = getpid();
    if (write(STDOUT_FILENO, &self, sizeof(self)) < 0)
        _exit(1);
    for (;;)
        pause();
}

static void a_child_that_is_not_ready_ends_with_its_parent(void **state)
{
    (void)state;
    int pipes[2], status = 0;
    pid_t child;
    assert_int_equal(pipe(pipes), 0);
    assert_int_equal(prctl(PR_SET_CHILD_SUBREAPER, 1), 0);
    pid_t parent = start_parent(pipes[1]);
    assert_int_equal(read_exactly(pipes[0], &child, sizeof(child)), 0);
    assert_int_equal(kill(parent, SIGKILL), 0);
    assert_int_equal(waitpid(parent, NULL, 0), parent);
    test_wait_until(waitpid(child, &status, WNOHANG) == child);
    assert_true(WIFSIGNALED(status));
    assert_int_equal(WTERMSIG(status), SIGTERM);
    close(pipes[0]);
    close(pipes[1]);
}

static _Noreturn void be_ready_and_wait(int output, int inherited)
{
    struct cfs_error error = {0};
    int code = 0;
    alarm(2 * TEST_LIMIT_MS / 1000); /* should the test fail before it ends us */
    dup2(output, STDOUT_FILENO);
    int result = cfs_daemon_fork(&code, &error);
    if (result != 0)
        _exit(result < 0 ? 9 : code);
    alarm(2 * TEST_LIMIT_MS / 1000);
    pid_t self = getpid();
    if (write(STDOUT_FILENO, &self, sizeof(self)) < 0 || fcntl(inherited, F_GETFD) >= 0)
        cfs_daemon_failed(3);
    cfs_daemon_ready();
    for (;;)
        pause(); /* until the test ends it */
}

static void a_child_that_is_ready_lives_on_and_keeps_nothing_open(void **state)
{
    (void)state;
    int inherited[2], pipes[2], status = 0;
    char byte;
    pid_t child;
    assert_int_equal(prctl(PR_SET_CHILD_SUBREAPER, 1), 0);
    assert_int_equal(pipe(inherited), 0);
    assert_int_equal(pipe(pipes), 0);
    pid_t parent = fork();
    assert_true(parent >= 0);
    if (parent == 0)
        be_ready_and_wait(pipes[1], inherited[1]);
    assert_int_equal(waitpid(parent, &status, 0), parent);
    assert_true(WIFEXITED(status));
    assert_int_equal(WEXITSTATUS(status), 0);
    close(inherited[1]);
    struct pollfd polled = {.fd = inherited[0], .events = POLLIN};
    assert_int_equal(poll(&polled, 1, TEST_LIMIT_MS), 1);
    assert_int_equal(read(inherited[0], &byte, 1), 0); /* the end: nobody else holds the pipe */
    assert_int_equal(read_exactly(pipes[0], &child, sizeof(child)), 0);
    assert_int_equal(waitpid(child, &status, WNOHANG), 0);
    assert_int_equal(kill(child, SIGKILL), 0);
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_int_equal(WTERMSIG(status), SIGKILL);
    close(inherited[0]);
    close(pipes[0]);
    close(pipes[1]);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_child_that_is_not_ready_ends_with_its_parent),
        cmocka_unit_test(a_child_that_is_ready_lives_on_and_keeps_nothing_open),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

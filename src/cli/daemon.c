/* Fork, and a pipe on which the child sends one byte: the parent's exit code. No byte, and the pipe at its end: the
 * child was killed. Until then a child whose parent is killed ends, too: nobody wants a mount that appears when whoever
 * asked for it has given up. */
#include "cli/daemon.h"
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>

static int ready_fd = -1;

/* In the parent. */
static int wait_for_child(pid_t child, int fd)
{
    unsigned char code;
    ssize_t length;
    while ((length = read(fd, &code, 1)) < 0 && errno == EINTR)
        continue;
    if (length == 1)
        return code;
    int status = 0;
    while (waitpid(child, &status, 0) < 0 && errno == EINTR)
        continue;
    if (WIFEXITED(status) && WEXITSTATUS(status) != 0)
        return WEXITSTATUS(status);
    if (WIFSIGNALED(status) && (WTERMSIG(status) == SIGINT || WTERMSIG(status) == SIGTERM))
        return cfs_failure_exit_code(CFS_FAILURE_CANCELLED);
    fprintf(stderr, "clusterfs: The process in the background ended without a word (%s).\n",
            WIFSIGNALED(status) ? strsignal(WTERMSIG(status)) : "exit code 0");
    return cfs_failure_exit_code(CFS_FAILURE_SYSTEM);
}

/* In the child, which must not keep what whoever started us left open (a lock, a pipe that somebody reads to its end).
 */
static void become_child(pid_t parent, int fd)
{
    ready_fd = fd;
    if (fd > STDERR_FILENO + 1)
        close_range(STDERR_FILENO + 1, (unsigned)fd - 1, 0);
    close_range((unsigned)fd + 1, ~0U, 0);
    prctl(PR_SET_PDEATHSIG, SIGTERM);
    if (getppid() != parent)
        raise(SIGTERM);
}

int cfs_daemon_fork(int *ret_exit_code, struct cfs_error *error)
{
    int pipes[2];
    if (pipe2(pipes, O_CLOEXEC))
        return cfs_error_set(error, errno, CFS_FAILURE_SYSTEM, "Cannot make a pipe: %s.", strerror(errno));
    fflush(NULL);
    pid_t parent = getpid(), child = fork();
    if (child < 0) {
        int number = errno;
        close(pipes[0]);
        close(pipes[1]);
        return cfs_error_set(error, number, CFS_FAILURE_SYSTEM, "Cannot start a process: %s.", strerror(number));
    }
    if (child == 0) {
        become_child(parent, pipes[1]);
        return 0;
    }
    close(pipes[1]);
    *ret_exit_code = wait_for_child(child, pipes[0]);
    close(pipes[0]);
    return 1;
}

static void send_code(int code)
{
    if (ready_fd < 0)
        return;
    unsigned char byte = (unsigned char)code;
    /* A parent that is gone (killed at its prompt) is told nothing; SIGPIPE is ignored. */
    while (write(ready_fd, &byte, 1) < 0 && errno == EINTR)
        continue;
    close(ready_fd);
    ready_fd = -1;
}

static void leave_terminal(void)
{
    setsid();
    if (chdir("/")) {
        /* The folder in which we were started stays busy; nothing else suffers. */
    }
    int null = open("/dev/null", O_RDWR | O_CLOEXEC);
    for (int fd = STDIN_FILENO; null >= 0 && fd <= STDERR_FILENO; fd++)
        dup2(null, fd);
    if (null > STDERR_FILENO)
        close(null);
}

void cfs_daemon_ready(void)
{
    if (ready_fd < 0)
        return;
    prctl(PR_SET_PDEATHSIG, 0);
    leave_terminal();
    send_code(0);
}

void cfs_daemon_failed(int code)
{
    send_code(code);
}

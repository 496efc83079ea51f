/* A child process on a socketpair. A thread of its own reads its stderr, so that it is never held up there, and waits
 * for its end. Two own the memory, the line and that thread; the pid is not touched once it was reaped (`lock`). */
#include "ssh/command.h"
#include "base/line_tail.h"
#include "base/list.h"
#include "base/log.h"
#include "base/spawn.h"
#include "base/thread.h"
#include "conf/command.h"
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <time.h>

enum { EXPLAIN_WAIT_S = 1 };

struct command {
    struct cfs_ssh_line line; /* first */
    int errors;               /* its stderr; the thread's */
    char name[64];
    pthread_mutex_t lock;
    pthread_cond_t ended; /* pid has become 0 */
    /* lock */
    unsigned owners;
    pid_t pid; /* 0: reaped */
    int status;
    struct cfs_line_tail tail;
};

static struct command *of(struct cfs_ssh_line *line)
{
    return cfs_container_of(line, struct command, line);
}

static void put(struct command *command)
{
    pthread_mutex_lock(&command->lock);
    bool is_last = --command->owners == 0;
    pthread_mutex_unlock(&command->lock);
    if (!is_last)
        return;
    if (command->errors >= 0)
        close(command->errors);
    pthread_cond_destroy(&command->ended);
    pthread_mutex_destroy(&command->lock);
    free(command);
}

static void reap(struct command *command)
{
    siginfo_t info;
    while (waitid(P_PID, (id_t)command->pid, &info, WEXITED | WNOWAIT) < 0 && errno == EINTR)
        ;
    pthread_mutex_lock(&command->lock);
    cfs_line_tail_finish(&command->tail, NULL, NULL);
    if (waitpid(command->pid, &command->status, WNOHANG) != command->pid)
        command->status = 0;
    command->pid = 0;
    pthread_cond_broadcast(&command->ended);
    pthread_mutex_unlock(&command->lock);
}

static void *attend(void *context)
{
    struct command *command = context;
    char bytes[1024];
    ssize_t count;
    while ((count = read(command->errors, bytes, sizeof(bytes))) != 0) {
        if (count < 0 && errno != EINTR)
            break;
        pthread_mutex_lock(&command->lock);
        if (count > 0)
            cfs_line_tail_add(&command->tail, bytes, (size_t)count, NULL, NULL);
        pthread_mutex_unlock(&command->lock);
    }
    reap(command);
    put(command);
    return NULL;
}

static void signal_child(struct command *command, int number)
{
    pthread_mutex_lock(&command->lock);
    if (command->pid > 0)
        kill(command->pid, number);
    pthread_mutex_unlock(&command->lock);
}

/* Nobody tells; silence does (ssh/transport.c). */
static bool is_cut(struct cfs_ssh_line *line, int64_t ms)
{
    return false;
}

static void abort_line(struct cfs_ssh_line *line)
{
    signal_child(of(line), SIGKILL);
}

static void explain(struct cfs_ssh_line *line, char *buffer, size_t size)
{
    struct command *command = of(line);
    struct timespec until;
    clock_gettime(CLOCK_MONOTONIC, &until);
    until.tv_sec += EXPLAIN_WAIT_S;
    pthread_mutex_lock(&command->lock);
    while (command->pid > 0 && pthread_cond_timedwait(&command->ended, &command->lock, &until) == 0)
        ;
    const char *text = command->tail.text;
    if (command->pid > 0)
        snprintf(buffer, size, "%s%s%s", command->name, *text ? " says: " : "", text);
    else if (WIFSIGNALED(command->status))
        snprintf(buffer, size, "%s was killed by signal %d%s%s", command->name, WTERMSIG(command->status),
                 *text ? ": " : "", text);
    else
        snprintf(buffer, size, "%s ended with exit status %d%s%s", command->name, WEXITSTATUS(command->status),
                 *text ? ": " : "", text);
    pthread_mutex_unlock(&command->lock);
}

static void free_line(struct cfs_ssh_line *line)
{
    signal_child(of(line), SIGTERM);
    put(of(line));
}

static const struct cfs_ssh_line_operations operations = {
    .is_cut = is_cut, .abort = abort_line, .explain = explain, .free = free_line};

static struct command *new_command(const char *program)
{
    struct command *command = calloc(1, sizeof(*command));
    pthread_condattr_t monotonic;
    const char *slash = strrchr(program, '/');
    if (!command)
        return NULL;
    command->line.operations = &operations;
    command->errors = -1;
    command->owners = 1;
    snprintf(command->name, sizeof(command->name), "%s", slash ? slash + 1 : program);
    pthread_mutex_init(&command->lock, NULL);
    pthread_condattr_init(&monotonic);
    pthread_condattr_setclock(&monotonic, CLOCK_MONOTONIC);
    pthread_cond_init(&command->ended, &monotonic);
    pthread_condattr_destroy(&monotonic);
    return command;
}

/* The child, and the thread that attends to it. Our end of the socketpair becomes RET_FD. */
static int start(struct command *command, char *const argv[], int *ret_fd)
{
    int io[2], errors[2];
    pthread_t thread;
    if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, io) < 0)
        return -errno;
    int ours CFS_AUTO_CLOSE = io[0], theirs CFS_AUTO_CLOSE = io[1];
    if (pipe2(errors, O_CLOEXEC) < 0)
        return -errno;
    command->errors = errors[0];
    int their_errors CFS_AUTO_CLOSE = errors[1];
    if (fcntl(ours, F_SETFL, O_NONBLOCK) < 0)
        return -errno;
    const struct cfs_spawn spawn = {.argv = argv, .streams = {theirs, theirs, their_errors}};
    int rc = cfs_spawn(&spawn, &command->pid);
    if (rc < 0)
        return rc;
    command->owners = 2;
    rc = cfs_thread_start(attend, command, &thread);
    if (rc < 0) {
        command->owners = 1;
        kill(command->pid, SIGKILL);
        reap(command);
        return rc;
    }
    pthread_detach(thread);
    *ret_fd = CFS_TAKE_FD(ours);
    return 0;
}

int cfs_ssh_command_start(const struct cfs_profile *profile, int *ret_fd, struct cfs_ssh_line **ret_line,
                          struct cfs_error *error)
{
    cfs_words words = NULL;
    int rc = cfs_command_expand(profile->proxy_command, profile->host, profile->port, profile->user, &words);
    if (rc < 0)
        return cfs_error_set(error, -rc, CFS_FAILURE_CONFIG, "proxy_command = %.200s cannot be read.",
                             profile->proxy_command);
    struct command *command = new_command(words[0]);
    rc = command ? start(command, words, ret_fd) : -ENOMEM;
    if (rc < 0) {
        rc = cfs_error_set(error, -rc, rc == -ENOENT || rc == -EACCES ? CFS_FAILURE_CONFIG : CFS_FAILURE_SYSTEM,
                           "Cannot run %.200s, the program of proxy_command: %s.", words[0], strerror(-rc));
        if (command)
            put(command);
    } else {
        *ret_line = &command->line;
    }
    cfs_words_free(words);
    return rc;
}

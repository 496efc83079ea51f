/* A child process whose stdout is a pipe, and whose stderr goes to memory (memfd_create(2)): it may write there as much
 * as it likes before it ends, and never has to be read beside the other. It has ended when its process has: what it
 * leaves running may keep the pipe open. The process is looked at by a timer, as in base/stream_child.c: a library has
 * no SIGCHLD to spend, and not every kernel has pidfd_open(2). */
#include "ssh/password_command.h"

#include "base/line_tail.h"
#include "base/spawn.h"
#include "conf/command.h"
#include "conf/words.h"
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/timerfd.h>
#include <sys/wait.h>

enum { LONGEST_PASSWORD = 1023, LAST_WORDS = 600, LOOK_EVERY_MS = 10, END_LIMIT_MS = 1000 };

struct command {
    const char *name; /* without its folder */
    pid_t pid;        /* 0: not started, or reaped */
    int status;       /* once reaped */
    int look;         /* timerfd_create(2) */
    int output, errors;
    size_t length; /* of the first line, so far */
    bool has_line;
    char line[LONGEST_PASSWORD + 2]; /* a secret */
};

static int start(struct command *command, char *const argv[])
{
    int pipes[2];
    if (pipe2(pipes, O_CLOEXEC) < 0)
        return -errno;
    command->output = pipes[0];
    int theirs CFS_AUTO_CLOSE = pipes[1];
    command->errors = memfd_create("stderr", MFD_CLOEXEC);
    command->look = timerfd_create(CLOCK_MONOTONIC, TFD_CLOEXEC);
    const struct timespec every = {.tv_nsec = LOOK_EVERY_MS * 1000000L};
    const struct itimerspec times = {.it_interval = every, .it_value = every};
    if (command->errors < 0 || command->look < 0 || timerfd_settime(command->look, 0, &times, NULL) < 0 ||
        fcntl(command->output, F_SETFL, O_NONBLOCK) < 0)
        return -errno;
    const struct cfs_spawn spawn = {.argv = argv, .streams = {CFS_SPAWN_NULL, theirs, command->errors}};
    return cfs_spawn(&spawn, &command->pid);
}

/* Takes what is there of the first line, and drops the rest. False at its end. */
static bool take_output(struct command *command)
{
    char rest[512];
    for (;;) {
        size_t room = command->has_line ? 0 : sizeof(command->line) - 1 - command->length;
        char *to = room > 0 ? command->line + command->length : rest;
        ssize_t got = read(command->output, to, room > 0 ? room : sizeof(rest));
        if (got < 0 && errno == EINTR)
            continue;
        if (got < 0)
            return errno == EAGAIN;
        if (got == 0)
            return false;
        if (room > 0)
            command->length += (size_t)got;
        if (memchr(command->line, '\n', command->length))
            command->has_line = true;
        explicit_bzero(rest, sizeof(rest));
    }
}

/* True once the process has ended. FLAGS: WNOHANG, or 0 to wait for it. */
static bool reap(struct command *command, int flags)
{
    pid_t reaped;
    do
        reaped = waitpid(command->pid, &command->status, flags);
    while (reaped < 0 && errno == EINTR);
    if (reaped != 0)
        command->pid = 0;
    return reaped != 0;
}

/* Until the process has ended. */
static int attend(struct command *command, struct cfs_ssh_waiter *waiter)
{
    for (;;) {
        uint64_t times;
        struct pollfd polls[3] = {{.fd = command->look, .events = POLLIN}, {.fd = command->output, .events = POLLIN}};
        int rc = waiter->wait_for(waiter, polls, 2);
        if (rc < 0)
            return rc;
        if (polls[1].revents && !take_output(command)) {
            close(command->output);
            command->output = -1; /* poll(2) passes it over */
        }
        if (polls[0].revents && read(command->look, &times, sizeof(times)) > 0 && reap(command, WNOHANG))
            break;
    }
    if (command->output >= 0)
        take_output(command);
    return 0;
}

static void stop(struct command *command)
{
    kill(command->pid, SIGTERM);
    for (int waited = 0; waited < END_LIMIT_MS; waited += LOOK_EVERY_MS) {
        if (reap(command, WNOHANG))
            return;
        (void)poll(NULL, 0, LOOK_EVERY_MS);
    }
    kill(command->pid, SIGKILL);
    (void)reap(command, 0);
}

static void end(struct command *command)
{
    if (command->pid > 0)
        stop(command);
    if (command->look >= 0)
        close(command->look);
    if (command->output >= 0)
        close(command->output);
    if (command->errors >= 0)
        close(command->errors);
    explicit_bzero(command->line, sizeof(command->line));
}

/* The end of what it has written to stderr, in one line. */
static void last_words(const struct command *command, char *words, size_t size)
{
    char bytes[LAST_WORDS];
    struct cfs_line_tail tail = {0};
    off_t length = lseek(command->errors, 0, SEEK_END);
    off_t from = length > LAST_WORDS ? length - LAST_WORDS : 0;
    ssize_t got = length > 0 ? pread(command->errors, bytes, sizeof(bytes), from) : 0;
    if (got > 0)
        cfs_line_tail_add(&tail, bytes, (size_t)got, NULL, NULL);
    cfs_line_tail_finish(&tail, NULL, NULL);
    snprintf(words, size, "%s%s", tail.text[0] ? ": " : "", tail.text);
    for (char *byte = words; *byte; byte++)
        if (*byte == '\n')
            *byte = ' ';
}

/* What the program has said, once it has ended. */
static int judge(struct command *command, char **ret_password, char *why, size_t why_size)
{
    int status = command->status;
    char words[CFS_LINE_TAIL_SIZE + 2];
    last_words(command, words, sizeof(words));
    size_t length = command->length;
    command->line[length] = '\0';
    command->line[strcspn(command->line, "\n")] = '\0';
    size_t line_length = strlen(command->line);
    if (line_length > 0 && command->line[line_length - 1] == '\r')
        command->line[--line_length] = '\0';
    if (WIFSIGNALED(status))
        snprintf(why, why_size, "password_command: %s was killed by signal %d%s", command->name, WTERMSIG(status),
                 words);
    else if (WEXITSTATUS(status) != 0)
        snprintf(why, why_size, "password_command: %s ended with exit status %d%s", command->name, WEXITSTATUS(status),
                 words);
    else if (line_length == 0)
        snprintf(why, why_size, "password_command: %s printed no password%s", command->name, words);
    else if (line_length > LONGEST_PASSWORD)
        snprintf(why, why_size, "password_command: what %s printed is longer than %d bytes", command->name,
                 LONGEST_PASSWORD);
    else
        return (*ret_password = strdup(command->line)) ? 0 : -ENOMEM;
    return -EACCES;
}

static int run(struct command *command, char *const argv[], struct cfs_ssh_waiter *waiter, char **ret_password,
               char *why, size_t why_size)
{
    int rc = start(command, argv);
    if (rc < 0) {
        snprintf(why, why_size, "password_command: cannot run %.200s: %s", argv[0], strerror(-rc));
        return -EACCES;
    }
    rc = attend(command, waiter);
    if (rc == -ETIMEDOUT) {
        snprintf(why, why_size, "password_command: %s had not ended when login_timeout was over", command->name);
        return -EACCES;
    }
    return rc < 0 ? rc : judge(command, ret_password, why, why_size);
}

int cfs_ssh_password_command(const struct cfs_profile *profile, struct cfs_ssh_waiter *waiter, char **ret_password,
                             char *why, size_t why_size)
{
    cfs_words words CFS_CLEANUP(cfs_words_free) = NULL;
    int rc = cfs_command_expand(profile->password_command, profile->host, profile->port, profile->user, &words);
    if (rc < 0) {
        snprintf(why, why_size, "password_command cannot be read");
        return rc == -ENOMEM ? rc : -EACCES;
    }
    const char *slash = strrchr(words[0], '/');
    struct command command = {.name = slash ? slash + 1 : words[0], .look = -1, .output = -1, .errors = -1};
    rc = run(&command, words, waiter, ret_password, why, why_size);
    end(&command);
    return rc;
}

/* Questions on the terminal, with the echo off for secrets, or by an askpass program (ssh(1), ENVIRONMENT). A signal at
 * the prompt gives the terminal its echo back before it has its effect. */
#include "cli/terminal.h"
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <spawn.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>
#include <sys/wait.h>
#include <termios.h>

enum { ANSWER_SIZE = 1024 };

static const int watched_signals[] = {SIGINT, SIGTERM, SIGHUP, SIGQUIT, SIGTSTP};
static volatile sig_atomic_t caught_signal;

static void catch_signal(int number)
{
    caught_signal = number;
}

static void catch_signals(struct sigaction *before)
{
    struct sigaction action = {.sa_handler = catch_signal}; /* no SA_RESTART: read must return */
    caught_signal = 0;
    for (size_t i = 0; i < CFS_COUNT(watched_signals); i++)
        sigaction(watched_signals[i], &action, &before[i]);
}

static void release_signals(const struct sigaction *before)
{
    for (size_t i = 0; i < CFS_COUNT(watched_signals); i++)
        sigaction(watched_signals[i], &before[i], NULL);
    if (caught_signal)
        raise(caught_signal);
}

/* A line into ANSWER, without its newline; the rest of a longer one is thrown away. */
static int read_line(int fd, char *answer, size_t size)
{
    size_t length = 0;
    for (;;) {
        char byte;
        ssize_t got = read(fd, &byte, 1);
        if (got < 0 && errno == EINTR && !caught_signal)
            continue;
        if (got <= 0)
            return got < 0 && errno != EINTR ? -errno : -ECANCELED;
        if (byte == '\n')
            break;
        if (length + 1 < size)
            answer[length++] = byte;
    }
    answer[length] = '\0';
    return 0;
}

static int write_text(int fd, const char *text)
{
    size_t length = strlen(text);
    return write(fd, text, length) == (ssize_t)length ? 0 : -EIO;
}

static int ask_terminal(int fd, const char *text, bool echo, char *answer, size_t size)
{
    struct sigaction before[CFS_COUNT(watched_signals)];
    struct termios shown, hidden;
    if (tcgetattr(fd, &shown))
        return -ENOTTY;
    hidden = shown;
    hidden.c_lflag &= ~(tcflag_t)ECHO;
    hidden.c_lflag |= ECHONL;
    catch_signals(before);
    if (!echo)
        tcsetattr(fd, TCSAFLUSH, &hidden);
    int error = write_text(fd, text);
    if (!error)
        error = read_line(fd, answer, size);
    if (!echo)
        tcsetattr(fd, TCSAFLUSH, &shown);
    release_signals(before);
    return error;
}

/* --- askpass --- */

static const char *askpass_program(void)
{
    const char *program = getenv("SSH_ASKPASS");
    const char *require = getenv("SSH_ASKPASS_REQUIRE");
    if (!program || !program[0] || (require && strcmp(require, "never") == 0))
        return NULL;
    bool forced = require && strcmp(require, "force") == 0;
    return forced || getenv("DISPLAY") || getenv("WAYLAND_DISPLAY") ? program : NULL;
}

static bool askpass_is_preferred(void)
{
    const char *require = getenv("SSH_ASKPASS_REQUIRE");
    return require && (strcmp(require, "force") == 0 || strcmp(require, "prefer") == 0) && askpass_program();
}

static int run_askpass(const char *program, const char *text, int output, pid_t *ret_child)
{
    posix_spawn_file_actions_t actions;
    char *arguments[] = {(char *)(uintptr_t)program, (char *)(uintptr_t)text, NULL};
    posix_spawn_file_actions_init(&actions);
    posix_spawn_file_actions_adddup2(&actions, output, STDOUT_FILENO);
    int error = posix_spawnp(ret_child, program, &actions, NULL, arguments, environ);
    posix_spawn_file_actions_destroy(&actions);
    return -error;
}

static int ask_program(const char *program, const char *text, char *answer, size_t size)
{
    int pipes[2];
    pid_t child;
    if (pipe2(pipes, O_CLOEXEC))
        return -errno;
    int error = run_askpass(program, text, pipes[1], &child);
    close(pipes[1]);
    if (!error) {
        int status = 0;
        error = read_line(pipes[0], answer, size);
        while (waitpid(child, &status, 0) < 0 && errno == EINTR)
            continue;
        if (!WIFEXITED(status) || WEXITSTATUS(status) != 0)
            error = -ECANCELED;
    }
    close(pipes[0]);
    return error;
}

/* --- the prompter --- */

static int open_terminal(void)
{
    return open("/dev/tty", O_RDWR | O_CLOEXEC | O_NOCTTY);
}

static int ask_into(const char *text, bool echo, char *answer, size_t size)
{
    int fd CFS_AUTO_CLOSE = askpass_is_preferred() ? -1 : open_terminal();
    if (fd >= 0)
        return ask_terminal(fd, text, echo, answer, size);
    const char *program = askpass_program();
    return program ? ask_program(program, text, answer, size) : -ENOTTY;
}

static int ask(struct cfs_prompter *prompter, const char *text, bool echo, char **ret_answer)
{
    (void)prompter;
    char answer[ANSWER_SIZE];
    int error = ask_into(text, echo, answer, sizeof(answer));
    char *copy = error ? NULL : strdup(answer);
    explicit_bzero(answer, sizeof(answer));
    if (error)
        return error;
    if (!copy)
        return -ENOMEM;
    *ret_answer = copy;
    return 0;
}

static int confirm(struct cfs_prompter *prompter, const char *text)
{
    (void)prompter;
    char answer[ANSWER_SIZE];
    const char *question = text;
    for (;;) {
        int error = ask_into(question, true, answer, sizeof(answer));
        if (error)
            return error;
        if (strcasecmp(answer, "yes") == 0)
            return 1;
        if (strcasecmp(answer, "no") == 0)
            return 0;
        question = "Please type \"yes\" or \"no\": ";
    }
}

static bool can_ask(struct cfs_prompter *prompter)
{
    (void)prompter;
    int fd CFS_AUTO_CLOSE = open_terminal();
    return fd >= 0 || askpass_program();
}

static void tell(struct cfs_prompter *prompter, const char *text)
{
    (void)prompter;
    fprintf(stderr, "%s\n", text);
}

struct cfs_prompter *cfs_terminal_prompter(void)
{
    static struct cfs_prompter prompter = {.ask = ask, .confirm = confirm, .can_ask = can_ask, .tell = tell};
    return &prompter;
}

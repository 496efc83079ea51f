/* Questions on the terminal, with the echo off for secrets, or by another program (asker.h). A signal at the prompt
 * gives the terminal its echo back before it has its effect. It may come to another thread than the one who asks: with
 * transport = openssh that is one which takes no signals (base/thread.h). */
#include "cli/terminal.h"
#include "cli/asker.h"
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>
#include <sys/eventfd.h>
#include <termios.h>

enum { ANSWER_SIZE = 1024, CONFIRM_TRIES = 5 };

/* --- signals --- */

static const int watched_signals[] = {SIGINT, SIGTERM, SIGHUP, SIGQUIT, SIGTSTP};
static atomic_int caught_signal;
static int wake_fd = -1; /* an eventfd; made once, and kept: a handler may still run when the question is over */

struct signals {
    struct sigaction actions[CFS_COUNT(watched_signals)];
    sigset_t mask;
};

static void catch_signal(int number)
{
    static const uint64_t one = 1;
    int saved = errno;
    atomic_store(&caught_signal, number);
    (void)!write(wake_fd, &one, sizeof(one));
    errno = saved;
}

/* From now on the watched signals are taken by wait_for_input alone: one that comes between two system calls is not
 * lost, and none interrupts the return of the echo. */
static void catch_signals(struct signals *before)
{
    struct sigaction action = {.sa_handler = catch_signal};
    sigset_t watched;
    uint64_t count;
    if (wake_fd < 0)
        wake_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    (void)!read(wake_fd, &count, sizeof(count));
    atomic_store(&caught_signal, 0);
    sigemptyset(&watched);
    for (size_t i = 0; i < CFS_COUNT(watched_signals); i++)
        sigaddset(&watched, watched_signals[i]);
    pthread_sigmask(SIG_BLOCK, &watched, &before->mask);
    for (size_t i = 0; i < CFS_COUNT(watched_signals); i++)
        sigaction(watched_signals[i], &action, &before->actions[i]);
}

static void release_signals(const struct signals *before)
{
    int number = atomic_load(&caught_signal);
    for (size_t i = 0; i < CFS_COUNT(watched_signals); i++)
        sigaction(watched_signals[i], &before->actions[i], NULL);
    pthread_sigmask(SIG_SETMASK, &before->mask, NULL);
    if (number && sigismember(&before->mask, number))
        kill(getpid(), number); /* a thread that takes none */
    else if (number)
        raise(number);
}

/* --- the terminal --- */

static int wait_for_input(int fd, const sigset_t *mask)
{
    struct pollfd polled[] = {{.fd = fd, .events = POLLIN}, {.fd = wake_fd, .events = POLLIN}};
    for (;;) {
        int count = ppoll(polled, CFS_COUNT(polled), NULL, mask);
        if (atomic_load(&caught_signal))
            return -ECANCELED;
        if (count < 0 && errno != EINTR)
            return -errno;
        if (count > 0 && polled[0].revents)
            return 0;
    }
}

/* A line into ANSWER, without its newline; the rest of a longer one is thrown away. */
static int read_line(int fd, const sigset_t *mask, char *answer, size_t size)
{
    size_t length = 0;
    for (;;) {
        char byte = 0;
        int error = wait_for_input(fd, mask);
        if (error)
            return error;
        ssize_t got = read(fd, &byte, 1);
        if (got < 0 && errno == EINTR)
            continue;
        if (got <= 0)
            return got < 0 ? -errno : -ECANCELED;
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

/* -EINTR: we were stopped (Ctrl-Z), and now go on. */
static int ask_once(int fd, const char *text, bool echo, char *answer, size_t size)
{
    struct signals before;
    struct termios shown, hidden;
    if (tcgetattr(fd, &shown))
        return -ENOTTY;
    hidden = shown;
    hidden.c_lflag &= ~(tcflag_t)ECHO;
    hidden.c_lflag |= ECHONL;
    catch_signals(&before);
    int error = !echo && tcsetattr(fd, TCSAFLUSH, &hidden) ? -EIO : 0;
    if (!error)
        error = write_text(fd, text);
    if (!error)
        error = read_line(fd, &before.mask, answer, size);
    if (!echo)
        tcsetattr(fd, TCSAFLUSH, &shown);
    bool stopped = atomic_load(&caught_signal) == SIGTSTP;
    release_signals(&before);
    return error && stopped ? -EINTR : error;
}

static int ask_terminal(int fd, const char *text, bool echo, char *answer, size_t size)
{
    int error;
    do
        error = ask_once(fd, text, echo, answer, size);
    while (error == -EINTR);
    return error;
}

/* --- the prompter --- */

static int open_terminal(void)
{
    return open("/dev/tty", O_RDWR | O_CLOEXEC | O_NOCTTY);
}

static int ask_into(const char *text, enum cfs_asker_kind kind, char *answer, size_t size)
{
    int fd CFS_AUTO_CLOSE = cfs_asker_is_preferred() ? -1 : open_terminal();
    if (fd >= 0)
        return ask_terminal(fd, text, kind != CFS_ASKER_SECRET, answer, size);
    return cfs_asker_ask(text, kind, answer, size);
}

static int ask(struct cfs_prompter *prompter, const char *text, bool echo, char **ret_answer)
{
    (void)prompter;
    char answer[ANSWER_SIZE];
    int error = ask_into(text, echo ? CFS_ASKER_SHOWN : CFS_ASKER_SECRET, answer, sizeof(answer));
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
    enum cfs_asker_kind kind = CFS_ASKER_CONFIRM;
    for (int i = 0; i < CONFIRM_TRIES; i++) {
        int error = ask_into(question, kind, answer, sizeof(answer));
        if (error)
            return error;
        if (strcasecmp(answer, "yes") == 0)
            return 1;
        if (strcasecmp(answer, "no") == 0)
            return 0;
        /* A button alone is no answer: an askpass program that is no more than true(1) presses it, too. */
        question = "Please type \"yes\" or \"no\": ";
        kind = CFS_ASKER_SHOWN;
    }
    return -ECANCELED; /* an askpass program that has one answer to everything */
}

static bool can_ask(struct cfs_prompter *prompter)
{
    (void)prompter;
    int fd CFS_AUTO_CLOSE = open_terminal();
    return fd >= 0 || cfs_asker_is_there();
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

/* One child for one question; its first line is the answer.
 *
 * systemd-ask-password puts the question to whichever of its agents run: the boot screen, systemctl on a terminal, a
 * desktop. That is for mounts of fstab: a user's own mount without a terminal must not ask strangers, so it takes
 * mount(8), root, and a machine that systemd has booted (sd_booted(3)). A host key is not confirmed in that way. */
#include "cli/asker.h"
#include "cli/run.h"
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>
#include <sys/wait.h>

/* posix_spawn(3) may learn only in the child that there is no such program, and a shell says so, too. */
enum { COULD_NOT_RUN = 127, MOST_ARGUMENTS = 8 };

#define SYSTEM_PROGRAM "/usr/bin/systemd-ask-password"
#define SYSTEM_BOOTED  "/run/systemd/system"

static bool system_is_allowed;

static const char *environment(const char *name)
{
    const char *value = getenv(name);
    return value && value[0] ? value : NULL;
}

static bool is_required(const char *how)
{
    const char *require = environment("SSH_ASKPASS_REQUIRE");
    return require && strcasecmp(require, how) == 0;
}

static const char *users_program(void)
{
    const char *program = environment("SSH_ASKPASS");
    if (!program || is_required("never"))
        return NULL;
    return is_required("force") || environment("DISPLAY") || environment("WAYLAND_DISPLAY") ? program : NULL;
}

static bool has_system_program(void)
{
    return system_is_allowed && geteuid() == 0 && access(SYSTEM_BOOTED, F_OK) == 0 && access(SYSTEM_PROGRAM, X_OK) == 0;
}

void cfs_asker_allow_system(void)
{
    system_is_allowed = true;
}

bool cfs_asker_is_preferred(void)
{
    return (is_required("force") || is_required("prefer")) && users_program();
}

bool cfs_asker_is_there(void)
{
    return users_program() || has_system_program();
}

/* The first line of what the program prints; its newline may be missing. */
static int read_answer(int fd, char *answer, size_t size)
{
    size_t length = 0;
    while (length + 1 < size) {
        ssize_t got = read(fd, answer + length, size - 1 - length);
        if (got < 0 && errno == EINTR)
            continue;
        if (got < 0)
            return -errno;
        if (got == 0)
            break;
        length += (size_t)got;
        if (memchr(answer, '\n', length))
            break;
    }
    answer[length] = '\0';
    answer[strcspn(answer, "\r\n")] = '\0';
    return length > 0 ? 0 : -ENODATA;
}

/* SETTING, of the child's environment, may be NULL. -ENODATA: it ended well, and said nothing. */
static int run_program(const char *const arguments[], const char *setting, char *answer, size_t size)
{
    int pipes[2], status = 0;
    pid_t child;
    if (pipe2(pipes, O_CLOEXEC))
        return -errno;
    int error = cfs_run_start(arguments, setting, pipes[1], STDOUT_FILENO, &child);
    close(pipes[1]);
    if (error) {
        close(pipes[0]);
        fprintf(stderr, "clusterfs: Cannot run %s: %s.\n", arguments[0], strerror(-error));
        return -ENOTTY;
    }
    error = read_answer(pipes[0], answer, size);
    close(pipes[0]); /* before its end is waited for: it may have more to print */
    while (waitpid(child, &status, 0) < 0 && errno == EINTR)
        continue;
    if (WIFEXITED(status) && WEXITSTATUS(status) == COULD_NOT_RUN) {
        fprintf(stderr, "clusterfs: Cannot run %s.\n", arguments[0]);
        return -ENOTTY;
    }
    return !WIFEXITED(status) || WEXITSTATUS(status) != 0 ? -ECANCELED : error;
}

/* The question becomes a line of a file: a server's words must not become others (Socket=). */
static int ask_system(const char *text, bool shown, char *answer, size_t size)
{
    char *line CFS_AUTO_FREE = strdup(text);
    if (!line)
        return -ENOMEM;
    for (char *byte = line; *byte; byte++)
        if (*byte == '\n')
            *byte = ' ';
    const char *arguments[MOST_ARGUMENTS] = {SYSTEM_PROGRAM, "--no-tty", "--id=clusterfs", "--icon=network-server"};
    size_t count = 4;
    if (shown)
        arguments[count++] = "--echo";
    arguments[count++] = "--";
    arguments[count++] = line;
    return run_program(arguments, NULL, answer, size);
}

int cfs_asker_ask(const char *text, enum cfs_asker_kind kind, char *answer, size_t size)
{
    const char *program = users_program();
    int error = -ENOTTY;
    if (program)
        error = run_program((const char *const[]){program, text, NULL},
                            kind == CFS_ASKER_CONFIRM ? "SSH_ASKPASS_PROMPT=confirm" : NULL, answer, size);
    else if (kind != CFS_ASKER_CONFIRM && has_system_program())
        error = ask_system(text, kind == CFS_ASKER_SHOWN, answer, size);
    if (error == -ENODATA) {
        answer[0] = '\0';
        error = kind == CFS_ASKER_CONFIRM ? 0 : -ECANCELED;
    }
    return error;
}

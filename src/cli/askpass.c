/* Hands a question of ssh's to the clusterfs that has started it, and the answer back. ssh says by SSH_ASKPASS_PROMPT
 * what kind of question it is: "confirm" wants an exit code, "none" something to be shown until it ends us.
 *
 * Where that clusterfs has gone (Ctrl-C), or goes before it has answered, ssh is ended: it would take our failure for
 * an empty answer, send that to the server, and ask again, until the site locks the account. */
#include "cli/askpass.h"

#include "remote/askpass.h"
#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>

static char kind_of_question(void)
{
    const char *kind = getenv("SSH_ASKPASS_PROMPT");
    if (kind && strcmp(kind, "confirm") == 0)
        return CFS_ASKPASS_CONFIRM;
    return kind && strcmp(kind, "none") == 0 ? CFS_ASKPASS_TELL : CFS_ASKPASS_ASK;
}

static int call(const char *name)
{
    struct sockaddr_un address;
    int length = cfs_askpass_address(name, &address);
    int fd CFS_AUTO_CLOSE = length < 0 ? -1 : socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0);
    if (fd < 0 || connect(fd, (const struct sockaddr *)&address, (socklen_t)length) < 0 || !cfs_askpass_is_ours(fd))
        return -1;
    return CFS_TAKE_FD(fd);
}

static bool print(const char *answer, size_t length)
{
    while (length > 0) {
        ssize_t count = write(STDOUT_FILENO, answer, length);
        if (count < 0 && errno == EINTR)
            continue;
        if (count <= 0)
            return false;
        answer += count;
        length -= (size_t)count;
    }
    return true;
}

/* Whether process PID has been given NAME as we have: our parent is another one when ssh has gone. */
static bool was_started_for(pid_t pid, const char *name)
{
    char path[64], *variable CFS_AUTO_FREE = NULL;
    size_t size = 0, length = strlen(CFS_ASKPASS_VARIABLE);
    bool is_found = false;
    snprintf(path, sizeof(path), "/proc/%d/environ", (int)pid);
    FILE *file CFS_AUTO_FCLOSE = fopen(path, "re");
    while (file && !is_found && getdelim(&variable, &size, '\0', file) > 0)
        is_found = strncmp(variable, CFS_ASKPASS_VARIABLE "=", length + 1) == 0 && !strcmp(variable + length + 1, name);
    return is_found;
}

/* What is only shown has no answer. */
static int end_ssh(pid_t ssh, const char *name)
{
    if (kind_of_question() != CFS_ASKPASS_TELL && was_started_for(ssh, name))
        kill(ssh, SIGTERM);
    return 1;
}

int cfs_askpass(const char *name, const char *question)
{
    char message[CFS_ASKPASS_MESSAGE];
    pid_t ssh = getppid();
    prctl(PR_SET_PDEATHSIG, SIGTERM); /* who has asked has gone */
    int fd CFS_AUTO_CLOSE = call(name);
    size_t room = sizeof(message) - 2, length = strlen(question);
    if (fd < 0)
        return end_ssh(ssh, name);
    message[0] = kind_of_question();
    memcpy(message + 1, question, length < room ? length : room);
    if (send(fd, message, 1 + (length < room ? length : room), MSG_NOSIGNAL) < 0)
        return end_ssh(ssh, name);
    ssize_t count = recv(fd, message, sizeof(message) - 1, 0);
    if (count <= 0)
        return end_ssh(ssh, name);
    bool is_yes = count > 0 && message[0] == CFS_ASKPASS_YES;
    if (is_yes) {
        message[count] = '\n';
        is_yes = print(message + 1, (size_t)count);
    }
    explicit_bzero(message, sizeof(message));
    return is_yes ? 0 : 1;
}

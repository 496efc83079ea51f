/* A pipe for stderr, waitpid. */
#include "cli/run.h"
#include "base/spawn.h"
#include "base/text.h"
#include <errno.h>
#include <fcntl.h>
#include <stdint.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

static void read_message(int fd, char *message, size_t size)
{
    char rest[512];
    size_t length = 0;
    ssize_t got;
    while ((got = read(fd, length + 1 < size ? message + length : rest,
                       length + 1 < size ? size - 1 - length : sizeof(rest))) != 0) {
        if (got < 0 && errno == EINTR)
            continue;
        if (got < 0)
            break;
        if (length + 1 < size)
            length += (size_t)got;
    }
    message[length] = '\0';
    message[strcspn(message, "\n")] = '\0';
    cfs_text_make_printable(message, false);
}

/* Our environment without what SETTING sets, behind it; NULL if memory is short. The caller frees the array alone. */
static const char **make_environment(const char *setting)
{
    size_t count = 0, kept = 0, name = strcspn(setting, "=") + 1;
    while (environ[count])
        count++;
    const char **made = calloc(count + 2, sizeof(*made));
    if (!made)
        return NULL;
    made[kept++] = setting;
    for (size_t i = 0; i < count; i++)
        if (strncmp(environ[i], setting, name) != 0)
            made[kept++] = environ[i];
    return made;
}

int cfs_run_start(const char *const argv[], const char *setting, int fd, int as, pid_t *ret_child)
{
    const char **made CFS_AUTO_FREE = setting ? make_environment(setting) : NULL;
    if (setting && !made)
        return -ENOMEM;
    struct cfs_spawn spawn = {.argv = (char *const *)(uintptr_t)argv,
                              .streams = {CFS_SPAWN_INHERIT, CFS_SPAWN_INHERIT, CFS_SPAWN_INHERIT},
                              .environment = (char *const *)(uintptr_t)made};
    spawn.streams[as] = fd;
    return cfs_spawn(&spawn, ret_child);
}

int cfs_run(const char *const argv[], char *message, size_t size)
{
    int pipes[2], status = 0;
    pid_t child;
    message[0] = '\0';
    if (pipe2(pipes, O_CLOEXEC))
        return -errno;
    int error = cfs_run_start(argv, NULL, pipes[1], STDERR_FILENO, &child);
    close(pipes[1]);
    if (!error) {
        read_message(pipes[0], message, size);
        while (waitpid(child, &status, 0) < 0 && errno == EINTR)
            continue;
    }
    close(pipes[0]);
    if (error)
        return error;
    return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
}

/* posix_spawn(3): after fork(2) alone a process with threads could not do much. */
#include "base/spawn.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <spawn.h>
#include <unistd.h>

enum { STREAMS = 3 };

/* Ours, where a child's must not be put upon one that is still needed: this process may have 0, 1 or 2 closed. */
struct raised {
    int fds[STREAMS];
};

static void lower(struct raised *raised)
{
    for (int i = 0; i < STREAMS; i++)
        if (raised->fds[i] >= 0)
            close(raised->fds[i]);
}

static int add_streams(const struct cfs_spawn *spawn, posix_spawn_file_actions_t *actions, struct raised *raised)
{
    for (int i = 0; i < STREAMS; i++) {
        int from = spawn->streams[i], error = 0;
        if (from >= 0 && from < STREAMS) {
            from = raised->fds[i] = fcntl(from, F_DUPFD_CLOEXEC, STREAMS);
            if (from < 0)
                return errno;
        }
        if (from >= 0)
            error = posix_spawn_file_actions_adddup2(actions, from, i);
        else if (from == CFS_SPAWN_NULL)
            error =
                posix_spawn_file_actions_addopen(actions, i, "/dev/null", i == STDIN_FILENO ? O_RDONLY : O_WRONLY, 0);
        if (error)
            return error;
    }
    return 0;
}

static int set_attributes(const struct cfs_spawn *spawn, posix_spawnattr_t *attributes)
{
    short flags = POSIX_SPAWN_SETSIGMASK | POSIX_SPAWN_SETSIGDEF;
    sigset_t blocked, defaults;
    sigemptyset(&blocked);
    sigemptyset(&defaults);
    sigaddset(&defaults, SIGPIPE);
    int error = posix_spawnattr_setsigmask(attributes, &blocked);
    if (!error)
        error = posix_spawnattr_setsigdefault(attributes, &defaults);
    if (!error)
        error = posix_spawnattr_setflags(attributes, spawn->is_apart ? flags | POSIX_SPAWN_SETSID : flags);
    return error;
}

static int start(const struct cfs_spawn *spawn, posix_spawn_file_actions_t *actions, pid_t *ret_pid)
{
    struct raised raised __attribute__((cleanup(lower))) = {{-1, -1, -1}};
    char *const *environment = spawn->environment ? spawn->environment : environ;
    posix_spawnattr_t attributes;
    int error = add_streams(spawn, actions, &raised);
    if (!error)
        error = posix_spawnattr_init(&attributes);
    if (error)
        return error;
    error = set_attributes(spawn, &attributes);
    if (!error)
        error = posix_spawnp(ret_pid, spawn->argv[0], actions, &attributes, spawn->argv, environment);
    posix_spawnattr_destroy(&attributes);
    return error;
}

int cfs_spawn(const struct cfs_spawn *spawn, pid_t *ret_pid)
{
    posix_spawn_file_actions_t actions;
    int error = posix_spawn_file_actions_init(&actions);
    if (error)
        return -error;
    error = start(spawn, &actions, ret_pid);
    posix_spawn_file_actions_destroy(&actions);
    return -error;
}

/* The program's entry: picks the subcommand. Called as mount.clusterfs it is mount(8)'s helper. */
#include "cli/askpass.h"
#include "cli/cli.h"
#include "remote/askpass.h"
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>

/* Descriptors 0 to 2 must be taken, or a socket would become stderr; without /dev/null (a bare chroot) by something
 * that can be neither read nor written. */
static void occupy_standard_descriptors(void)
{
    int fd;
    do {
        fd = open("/dev/null", O_RDWR);
        if (fd < 0)
            fd = open("/", O_PATH);
    } while (fd >= 0 && fd <= STDERR_FILENO);
    if (fd >= 0)
        close(fd);
}

/* What whoever started us had ignored must end us all the same; a broken pipe must not. */
static void reset_signals(void)
{
    static const int numbers[] = {SIGINT, SIGTERM, SIGHUP, SIGQUIT, SIGCHLD};
    sigset_t none;
    for (size_t i = 0; i < CFS_COUNT(numbers); i++)
        signal(numbers[i], SIG_DFL);
    signal(SIGPIPE, SIG_IGN);
    sigemptyset(&none);
    sigprocmask(SIG_SETMASK, &none, NULL);
}

static bool is_mount_helper(const char *program)
{
    const char *slash = strrchr(program, '/');
    const char *name = slash ? slash + 1 : program;
    return strcmp(name, "mount.clusterfs") == 0 || strcmp(name, "mount.fuse.clusterfs") == 0;
}

static const struct cfs_command *find_command(const char *name)
{
    if (strcmp(name, "--help") == 0 || strcmp(name, "-h") == 0)
        return &cfs_command_help;
    if (strcmp(name, "--version") == 0 || strcmp(name, "-V") == 0)
        return &cfs_command_version;
    for (size_t i = 0; cfs_commands[i]; i++) {
        if (strcmp(cfs_commands[i]->name, name) == 0)
            return cfs_commands[i];
    }
    return NULL;
}

/* What was printed must have arrived: `config show >FILE` on a full disk is no success. */
static int finish(int code)
{
    int error = fflush(stdout) ? errno : ferror(stdout) ? EIO : 0;
    if (!error || code)
        return code;
    fprintf(stderr, "clusterfs: Cannot write the output: %s.\n", strerror(error));
    return cfs_failure_exit_code(CFS_FAILURE_SYSTEM);
}

int main(int argc, char **argv)
{
    occupy_standard_descriptors();
    reset_signals();
    const char *asked_by = getenv(CFS_ASKPASS_VARIABLE);
    if (asked_by && argc <= 2)
        return cfs_askpass(asked_by, argc > 1 ? argv[1] : "");
    if (argc > 0 && is_mount_helper(argv[0]))
        return cfs_mount_helper(argc, argv);
    if (argc < 2)
        return cfs_usage_error(NULL, "A command is missing");
    const struct cfs_command *command = find_command(argv[1]);
    if (!command)
        return cfs_usage_error(NULL, "There is no command \"%s\"", argv[1]);
    return finish(command->run(argc - 1, argv + 1));
}

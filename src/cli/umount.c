/* `clusterfs umount`: unmounts, and waits until the process behind the mount has ended - then everything is where it
 * belongs, or has been told to be lost. With --force nothing waits for the server: the process gives up what is in
 * flight, and is killed if it does not even do that. */
#include "base/text.h"
#include "cli/cli.h"
#include "cli/drain.h"
#include "cli/mountpoint.h"
#include "ctl/control.h"
#include <errno.h>
#include <getopt.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>

enum { ASK_LIMIT_MS = 5000, FORCE_LIMIT_MS = 20000 };

struct options {
    bool lazy, force, verbose;
    int timeout_ms; /* -1: without end */
};

/* The process behind a mount: two connections to its control socket, -errno where there are none. */
struct process {
    int end_fd; /* whose end is the process's */
    int ask_fd;
};

static void watch_process(const char *mountpoint, uid_t uid, struct process *process)
{
    char *path CFS_AUTO_FREE = NULL;
    int error = cfs_control_path(mountpoint, uid, false, &path);
    process->end_fd = error ? error : cfs_control_connect(path, ASK_LIMIT_MS);
    process->ask_fd = error ? error : cfs_control_connect(path, ASK_LIMIT_MS);
}

static void forget_process(struct process *process)
{
    if (process->end_fd >= 0)
        close(process->end_fd);
    if (process->ask_fd >= 0)
        close(process->ask_fd);
}

/* What the mount could not finish: a list, longer than an error may be. */
static int tell_last_words(int fd, struct cfs_error *error)
{
    struct cfs_buffer words CFS_AUTO_BUFFER;
    cfs_buffer_init(&words);
    if (cfs_control_read_end(fd, &words) < 0 || words.length == 0)
        return 0;
    fprintf(stderr, "clusterfs: %s\n", (const char *)words.bytes);
    return cfs_error_set(error, EIO, CFS_FAILURE_DATA, "%s", ""); /* all has been said */
}

static int wait_for_end(const struct process *process, const char *mountpoint, const struct options *options,
                        struct cfs_error *error)
{
    enum cfs_drain_show show = options->verbose        ? CFS_DRAIN_LINES
                               : isatty(STDERR_FILENO) ? CFS_DRAIN_REDRAW
                                                       : CFS_DRAIN_SILENT;
    int result = cfs_drain_wait(process->end_fd, process->ask_fd, options->timeout_ms, show);
    if (result == -ETIMEDOUT)
        return cfs_error_set(error, ETIMEDOUT, CFS_FAILURE_TIMEOUT,
                             "%s is unmounted, but its process has not ended within %d s: it still works in the "
                             "background.",
                             mountpoint, options->timeout_ms / 1000);
    return tell_last_words(process->end_fd, error);
}

/* The connection is open: so the process that made its other end still is the one with that number. */
static void kill_process(int fd)
{
    pid_t pid = cfs_control_peer(fd);
    if (pid > 0 && cfs_control_wait_end(fd, 0) == -ETIMEDOUT)
        kill(pid, SIGKILL);
}

static int end_by_force(const struct process *process, const char *mountpoint, const struct options *options,
                        struct cfs_error *error)
{
    struct cfs_buffer answer CFS_AUTO_BUFFER;
    cfs_buffer_init(&answer);
    if (process->ask_fd >= 0)
        (void)!cfs_control_ask(process->ask_fd, "give up", &answer); /* deaf: it will be killed */
    int limit_ms = options->timeout_ms >= 0 ? options->timeout_ms : FORCE_LIMIT_MS;
    if (cfs_drain_wait(process->end_fd, -1, limit_ms, CFS_DRAIN_SILENT) != -ETIMEDOUT)
        return tell_last_words(process->end_fd, error);
    kill_process(process->end_fd);
    return cfs_error_set(error, ETIMEDOUT, CFS_FAILURE_DATA,
                         "%s is unmounted. Its process did not end within %d s and was killed: what it had not written "
                         "is lost.",
                         mountpoint, limit_ms / 1000);
}

static int unmount_living(const struct cfs_mounted *mounted, const struct process *process,
                          const struct options *options, struct cfs_error *error)
{
    int result = cfs_mountpoint_unmount(mounted->mountpoint, options->lazy || options->force, error);
    if (result == -EBUSY)
        cfs_error_append(error, "\n`fuser -vm %s` shows by whom; `clusterfs umount --lazy %s` lets go of it anyway.",
                         mounted->mountpoint, mounted->mountpoint);
    if (result || process->end_fd < 0)
        return result;
    if (options->force)
        return end_by_force(process, mounted->mountpoint, options, error);
    /* Detached while files are open, the process lives as long as they are: nobody wants to wait for that unasked. */
    if (options->lazy && options->timeout_ms < 0)
        return 0;
    return wait_for_end(process, mounted->mountpoint, options, error);
}

static int unmount(const struct cfs_mounted *mounted, const struct options *options, struct cfs_error *error)
{
    struct process process;
    int result;
    watch_process(mounted->mountpoint, mounted->uid, &process);
    if (process.end_fd < 0 && cfs_mountpoint_is_dead(mounted->mountpoint, mounted->uid))
        result = cfs_mountpoint_remove_dead(mounted->mountpoint, mounted->uid, error);
    else
        result = unmount_living(mounted, &process, options, error);
    forget_process(&process);
    return result;
}

/* Nothing is mounted there any more, but the process (after `fusermount3 -u`, say) may still be writing. */
static int wait_for_rest(const char *mountpoint, const struct options *options, bool *ret_is_there,
                         struct cfs_error *error)
{
    struct process process;
    int result = 0;
    watch_process(mountpoint, geteuid(), &process);
    *ret_is_there = process.end_fd >= 0;
    if (process.end_fd >= 0)
        result = options->force ? end_by_force(&process, mountpoint, options, error)
                                : wait_for_end(&process, mountpoint, options, error);
    forget_process(&process);
    return result;
}

static int nothing_mounted(const char *mountpoint, bool none_at_all, const struct options *options,
                           struct cfs_error *error)
{
    bool is_there;
    int result = wait_for_rest(mountpoint, options, &is_there, error);
    if (is_there)
        return result;
    cfs_error_set(error, EINVAL, CFS_FAILURE_MOUNT, "No clusterfs is mounted on %s.", mountpoint);
    cfs_error_append(error,
                     none_at_all ? "\nNone is mounted anywhere." : "\n`clusterfs status` lists what is mounted.");
    return -EINVAL;
}

static int find_and_unmount(const char *path, const struct options *options, struct cfs_error *error)
{
    char *mountpoint CFS_AUTO_FREE = cfs_mountpoint_resolve(path);
    if (!mountpoint)
        return cfs_error_set(error, ENOENT, CFS_FAILURE_MOUNT, "There is no folder %s.", path);
    struct cfs_mounted_list list;
    int result = cfs_mounted_read(NULL, &list);
    if (result)
        return cfs_error_set(error, -result, CFS_FAILURE_SYSTEM, "Cannot read /proc/self/mountinfo: %s.",
                             strerror(-result));
    const struct cfs_mounted *mounted = cfs_mounted_find(&list, mountpoint);
    result = mounted ? unmount(mounted, options, error) : nothing_mounted(mountpoint, list.count == 0, options, error);
    cfs_mounted_free(&list);
    return result;
}

/* What could not be written has been listed already. */
static int report(const struct cfs_error *error)
{
    return error->text[0] ? cfs_report(error) : cfs_failure_exit_code(error->failure);
}

static int run(int argc, char **argv)
{
    static const struct option long_options[] = {
        {"timeout", required_argument, NULL, 't'}, {"lazy", no_argument, NULL, 'l'}, {"force", no_argument, NULL, 'f'},
        {"verbose", no_argument, NULL, 'v'},       {"help", no_argument, NULL, 'h'}, {0},
    };
    struct options options = {.timeout_ms = -1};
    struct cfs_error error = {0};
    uint64_t timeout;
    int option;
    opterr = 0;
    while ((option = getopt_long(argc, argv, "t:lfvh", long_options, NULL)) != -1) {
        switch (option) {
        case 't':
            if (cfs_text_parse_duration(optarg, &timeout) || timeout > INT32_MAX)
                return cfs_usage_error(&cfs_command_umount, "\"%s\" is not a time, like 30 or 5m", optarg);
            options.timeout_ms = (int)timeout;
            break;
        case 'l':
            options.lazy = true;
            break;
        case 'f':
            options.force = true;
            break;
        case 'v':
            options.verbose = true;
            break;
        case 'h':
            return cfs_print_help(&cfs_command_umount);
        default:
            return cfs_option_error(&cfs_command_umount, argv);
        }
    }
    if (argc - optind != 1)
        return cfs_usage_error(&cfs_command_umount, "One MOUNTPOINT is needed");
    return find_and_unmount(argv[optind], &options, &error) ? report(&error) : 0;
}

const struct cfs_command cfs_command_umount = {
    .name = "umount",
    .arguments = "[--timeout S] [--lazy | --force] [--verbose] MOUNTPOINT",
    .summary = "Unmount, and wait until all is written",
    .help =
        "  -t, --timeout S  wait at most S seconds for the end of the mount's process\n"
        "  -l, --lazy       unmount even when files are open; they stay usable until they are closed. Waits only with\n"
        "                   --timeout\n"
        "  -f, --force      unmount even when files are open, and do not wait for the server; what is not on it by "
        "now\n"
        "                   is lost, and listed\n"
        "  -v, --verbose    tell each second how much is left to be written; a terminal is told anyway\n",
    .run = run,
};

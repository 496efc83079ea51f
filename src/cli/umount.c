/* `clusterfs umount`: unmounts, and waits until the process behind the mount has ended - then everything is where it
 * belongs. */
#include "base/text.h"
#include "cli/cli.h"
#include "cli/mountpoint.h"
#include "ctl/control.h"
#include <errno.h>
#include <getopt.h>
#include <stdio.h>
#include <string.h>

enum { ASK_LIMIT_MS = 5000 };

struct options {
    bool lazy;
    int timeout_ms; /* -1: without end */
};

/* A descriptor whose end is the end of the mount's process, or -errno. */
static int watch_process(const char *mountpoint, uid_t uid)
{
    char *path CFS_AUTO_FREE = NULL;
    int error = cfs_control_path(mountpoint, uid, false, &path);
    return error ? error : cfs_control_connect(path, ASK_LIMIT_MS);
}

/* What the mount could not finish. */
static int tell_last_words(int fd, struct cfs_error *error)
{
    struct cfs_buffer words CFS_AUTO_BUFFER;
    cfs_buffer_init(&words);
    if (cfs_control_read_end(fd, &words) < 0 || words.length == 0)
        return 0;
    return cfs_error_set(error, EIO, CFS_FAILURE_DATA, "%s", (const char *)words.bytes);
}

static int unmount(const struct cfs_mounted *mounted, const struct options *options, struct cfs_error *error)
{
    int fd CFS_AUTO_CLOSE = watch_process(mounted->mountpoint, mounted->uid);
    int result = cfs_mountpoint_unmount(mounted->mountpoint, options->lazy, error);
    if (result == -EBUSY)
        cfs_error_append(error, "\n`fuser -vm %s` shows by whom; `clusterfs umount --lazy %s` lets go of it anyway.",
                         mounted->mountpoint, mounted->mountpoint);
    /* Detached while files are open, the process lives as long as they are: nobody wants to wait for that unasked. */
    if (result || fd < 0 || (options->lazy && options->timeout_ms < 0))
        return result;
    result = cfs_control_wait_end(fd, options->timeout_ms);
    if (result == -ETIMEDOUT)
        return cfs_error_set(error, ETIMEDOUT, CFS_FAILURE_TIMEOUT,
                             "%s is unmounted, but its process has not ended within %d s: it still works in the "
                             "background.",
                             mounted->mountpoint, options->timeout_ms / 1000);
    return tell_last_words(fd, error);
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
    if (mounted) {
        result = unmount(mounted, options, error);
    } else {
        result = cfs_error_set(error, EINVAL, CFS_FAILURE_MOUNT, "No clusterfs is mounted on %s.", mountpoint);
        cfs_error_append(error,
                         list.count ? "\n`clusterfs status` lists what is mounted." : "\nNone is mounted anywhere.");
    }
    cfs_mounted_free(&list);
    return result;
}

static int run(int argc, char **argv)
{
    static const struct option long_options[] = {
        {"timeout", required_argument, NULL, 't'},
        {"lazy", no_argument, NULL, 'l'},
        {"help", no_argument, NULL, 'h'},
        {0},
    };
    struct options options = {.timeout_ms = -1};
    struct cfs_error error = {0};
    uint64_t timeout;
    int option;
    opterr = 0;
    while ((option = getopt_long(argc, argv, "t:lh", long_options, NULL)) != -1) {
        switch (option) {
        case 't':
            if (cfs_text_parse_duration(optarg, &timeout) || timeout > INT32_MAX)
                return cfs_usage_error(&cfs_command_umount, "\"%s\" is not a time, like 30 or 5m", optarg);
            options.timeout_ms = (int)timeout;
            break;
        case 'l':
            options.lazy = true;
            break;
        case 'h':
            return cfs_print_help(&cfs_command_umount);
        default:
            return cfs_option_error(&cfs_command_umount, argv);
        }
    }
    if (argc - optind != 1)
        return cfs_usage_error(&cfs_command_umount, "One MOUNTPOINT is needed");
    return find_and_unmount(argv[optind], &options, &error) ? cfs_report(&error) : 0;
}

const struct cfs_command cfs_command_umount = {
    .name = "umount",
    .arguments = "[--timeout S] [--lazy] MOUNTPOINT",
    .summary = "Unmount, and wait until all is written",
    .help =
        "  -t, --timeout S  wait at most S seconds for the end of the mount's process\n"
        "  -l, --lazy       unmount even when files are open; they stay usable until they are closed. Waits only with\n"
        "                   --timeout\n",
    .run = run,
};

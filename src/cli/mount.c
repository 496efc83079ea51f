/* `clusterfs mount`. What needs no connection (options, profile, mount point) is checked before the process splits in
 * two. */
#include "cli/mount.h"
#include "base/log.h"
#include "cli/cli.h"
#include "cli/daemon.h"
#include "cli/mountpoint.h"
#include "cli/predecessor.h"
#include "cli/serve.h"
#include <errno.h>
#include <getopt.h>
#include <stdio.h>

static int serve(struct cfs_profile *profile, const char *mountpoint, bool background)
{
    struct cfs_error error = {0};
    if (cfs_serve(profile, mountpoint, background, &error) == 0)
        return 0;
    int code = cfs_report(&error);
    cfs_daemon_failed(code);
    return code;
}

int cfs_mount(const struct cfs_mount_request *request, struct cfs_error *error)
{
    struct cfs_profile *profile CFS_CLEANUP(cfs_profile_free) = NULL;
    char *mountpoint CFS_AUTO_FREE = NULL;
    struct cfs_profile_request wanted = {
        .config_file = request->config_file,
        .source = request->source,
        .options = request->options,
    };
    if (cfs_profile_load(&wanted, &profile, error) || cfs_mountpoint_prepare(request->mountpoint, &mountpoint, error) ||
        cfs_predecessor_wait(mountpoint, profile->drain_timeout_ms, error))
        return cfs_failure_exit_code(error->failure);
    if (request->debug)
        profile->log_level = CFS_LOG_DEBUG;
    /* Until the mount is ready the log goes to stderr, next to the sentence. */
    cfs_log_set_level((enum cfs_log_level)profile->log_level);
    if (request->foreground)
        return serve(profile, mountpoint, false);

    int code;
    int result = cfs_daemon_fork(&code, error);
    if (result < 0)
        return cfs_failure_exit_code(error->failure);
    return result > 0 ? code : serve(profile, mountpoint, true);
}

static int run(int argc, char **argv)
{
    static const struct option long_options[] = {
        {"config", required_argument, NULL, 'c'}, {"foreground", no_argument, NULL, 'f'},
        {"debug", no_argument, NULL, 'd'},        {"options", required_argument, NULL, 'o'},
        {"help", no_argument, NULL, 'h'},         {0},
    };
    struct cfs_mount_request request = {0};
    struct cfs_error error = {0};
    char *options CFS_AUTO_FREE = NULL;
    int option, code;
    opterr = 0;
    while ((option = getopt_long(argc, argv, "c:fdo:h", long_options, NULL)) != -1) {
        switch (option) {
        case 'f':
            request.foreground = true;
            break;
        case 'd':
            request.foreground = request.debug = true;
            break;
        default:
            code = cfs_take_option(&cfs_command_mount, option, argv, &request.config_file, &options);
            if (code >= 0)
                return code;
        }
    }
    if (argc - optind != 2)
        return cfs_usage_error(&cfs_command_mount,
                               argc - optind < 2 ? "SOURCE and MOUNTPOINT are needed" : "There are too many arguments");
    request.source = argv[optind];
    request.mountpoint = argv[optind + 1];
    request.options = options;
    code = cfs_mount(&request, &error);
    if (error.failure)
        cfs_report(&error);
    return code;
}

const struct cfs_command cfs_command_mount = {
    .name = "mount",
    .arguments = "[-c FILE] [-f] [-d] [-o OPT,...] SOURCE MOUNTPOINT",
    .summary = "Mount a profile's work folder",
    .help = "  -c, --config FILE     read only this file of profiles\n"
            "  -f, --foreground      stay in the foreground; Ctrl-C unmounts\n"
            "  -d, --debug           in the foreground, with a detailed log\n"
            "  -o, --options OPT,... options; `clusterfs help options` lists them\n"
            "\n"
            "Returns when the mount can be used. If anything is wrong, nothing is mounted.\n",
    .run = run,
};

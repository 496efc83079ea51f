/* `clusterfs check`: the order of the steps, and the command line. A step that fails ends the way to the server, since
 * nothing behind it can be reached; what is to be seen on this machine is looked at all the same. */
#include "cli/check.h"
#include "base/log.h"
#include "cli/cli.h"
#include "remote/pool.h"
#include <getopt.h>
#include <stdio.h>

static bool read_configuration(struct cfs_check *check, const struct cfs_profile_request *request)
{
    struct cfs_error error = {0};
    if (cfs_profile_load(request, &check->profile, &error)) {
        cfs_check_fail(check, CFS_CHECK_CONFIGURATION, &error);
        return false;
    }
    const struct cfs_profile *profile = check->profile;
    cfs_check_say(check, CFS_CHECK_CONFIGURATION, CFS_CHECK_OK, "%s: %s@%s port %u, folder %s", profile->name,
                  profile->user, profile->host, (unsigned)profile->port,
                  profile->remote_dir && *profile->remote_dir ? profile->remote_dir : "~");
    return true;
}

static void go(struct cfs_check *check, const struct cfs_profile_request *request, bool debug)
{
    if (!read_configuration(check, request)) /* what it warns of goes to stderr, as for a mount */
        return;
    if (!debug)
        cfs_log_set_level(CFS_LOG_ERROR); /* from here on what the log would say is in the findings */
    cfs_check_mount_point(check);
    cfs_check_tell(check, CFS_CHECK_MOUNT_POINT);
    cfs_check_keys(check);
    struct cfs_remote *remote = cfs_check_connection(check);
    if (remote)
        cfs_check_folder(check, remote);
    cfs_pool_free(remote);
    cfs_check_tell(check, CFS_CHECK_SPEED);
    cfs_check_fuse(check);
}

static int check_all(struct cfs_check *check, const struct cfs_profile_request *request, bool debug)
{
    if (cfs_ssh_library_init())
        return cfs_failure_exit_code(CFS_FAILURE_SYSTEM);
    if (debug)
        cfs_log_set_level(CFS_LOG_DEBUG);
    go(check, request, debug);
    int code = cfs_check_conclude(check);
    cfs_check_fini(check);
    cfs_ssh_library_fini();
    return code;
}

static int run(int argc, char **argv)
{
    static const struct option long_options[] = {
        {"config", required_argument, NULL, 'c'},  {"debug", no_argument, NULL, 'd'}, {"json", no_argument, NULL, 'j'},
        {"options", required_argument, NULL, 'o'}, {"help", no_argument, NULL, 'h'},  {0},
    };
    struct cfs_profile_request request = {0};
    struct cfs_check check = {
        .measures = {.round_trip_us = -1, .written_per_s = -1, .read_per_s = -1, .free_bytes = -1}};
    char *options CFS_AUTO_FREE = NULL;
    bool debug = false;
    int option, code;
    opterr = 0;
    while ((option = getopt_long(argc, argv, "c:djo:h", long_options, NULL)) != -1) {
        switch (option) {
        case 'd':
            debug = true;
            break;
        case 'j':
            check.json = true;
            break;
        default:
            code = cfs_take_option(&cfs_command_check, option, argv, &request.config_file, &options);
            if (code >= 0)
                return code;
        }
    }
    if (argc - optind < 1 || argc - optind > 2)
        return cfs_usage_error(&cfs_command_check,
                               argc - optind < 1 ? "SOURCE is needed" : "There are too many arguments");
    request.options = options;
    request.source = check.source = argv[optind];
    check.mountpoint = argv[optind + 1]; /* NULL at the end of argv */
    return check_all(&check, &request, debug);
}

const struct cfs_command cfs_command_check = {
    .name = "check",
    .arguments = "[-c FILE] [-d] [--json] [-o OPT,...] SOURCE [MOUNTPOINT]",
    .summary = "Find out what keeps SOURCE from being mounted, step by step",
    .help = "  -c, --config FILE     read only this file of profiles\n"
            "  -d, --debug           with a detailed log on stderr\n"
            "      --json            as JSON\n"
            "  -o, --options OPT,... as `mount` would get them\n"
            "\n"
            "Goes the way of a mount: each step is ok, a warning, a FAILURE, or not reached, and what failed says why\n"
            "and what to do, in the words of `mount`. A temporary file is written to the work folder, and removed.\n"
            "With MOUNTPOINT that is looked at, too. Exit code: 0, or that of the first failure.\n",
    .run = run,
};

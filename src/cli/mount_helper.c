/* mount(8)'s helper, mount.clusterfs SOURCE MOUNTPOINT [-sfnv] [-N NAMESPACE] [-o OPTIONS] [-t TYPE] (mount(8),
 * EXTERNAL HELPERS), with mount(8)'s exit codes. */
#include "cli/asker.h"
#include "cli/cli.h"
#include "cli/mount.h"
#include <getopt.h>
#include <stdio.h>
#include <string.h>

enum { MOUNT_OK = 0, MOUNT_USAGE = 1, MOUNT_SYSTEM = 2, MOUNT_INTERRUPTED = 8, MOUNT_FAILED = 32 };

static int usage(void)
{
    fprintf(stderr, "usage: mount.clusterfs SOURCE MOUNTPOINT [-o OPT,...]\nSee mount.clusterfs(8).\n");
    return MOUNT_USAGE;
}

static int exit_code(int code)
{
    if (code == 0)
        return MOUNT_OK;
    if (code == cfs_failure_exit_code(CFS_FAILURE_USAGE) || code == cfs_failure_exit_code(CFS_FAILURE_CONFIG))
        return MOUNT_USAGE;
    if (code == cfs_failure_exit_code(CFS_FAILURE_SYSTEM))
        return MOUNT_SYSTEM;
    if (code == cfs_failure_exit_code(CFS_FAILURE_CANCELLED))
        return MOUNT_INTERRUPTED;
    return MOUNT_FAILED;
}

/* mount(8) takes a source for a path and makes it absolute: `mount -t clusterfs job1 DIR` arrives as
 * /the/current/folder/job1. Our sources never begin with a slash, so the last component is what was written. */
static const char *source_as_written(const char *source)
{
    if (source[0] != '/' || strchr(source, ':'))
        return source;
    const char *name = strrchr(source, '/') + 1;
    return name[0] ? name : source;
}

int cfs_mount_helper(int argc, char **argv)
{
    struct cfs_mount_request request = {0};
    struct cfs_error error = {0};
    char *options CFS_AUTO_FREE = NULL;
    bool fake = false;
    int option;
    opterr = 0;
    while ((option = getopt(argc, argv, "sfnvo:t:N:h")) != -1) {
        switch (option) {
        case 'f':
            fake = true;
            break;
        case 'o':
            if (cfs_add_options(&options, optarg))
                return MOUNT_SYSTEM;
            break;
        case 's': /* sloppy: unknown options would be borne; ours are told */
        case 'n': /* no mtab: there is none */
        case 'v':
        case 't':
            break;
        case 'N': /* mount(8) enters the namespace itself where it can */
            break;
        default:
            return usage();
        }
    }
    if (argc - optind != 2)
        return usage();
    if (fake)
        return MOUNT_OK;
    request.source = source_as_written(argv[optind]);
    request.mountpoint = argv[optind + 1];
    request.options = options;
    cfs_asker_allow_system();
    int code = cfs_mount(&request, &error);
    if (error.failure)
        fprintf(stderr, "mount.clusterfs: %s\n", error.text);
    return exit_code(code);
}

/* `clusterfs config show [PROFILE]`: the effective values and where each came from; without a profile, the names of
 * all. */
#include "cli/cli.h"
#include <getopt.h>
#include <stdio.h>
#include <string.h>

static int list_profiles(const struct cfs_profile_request *request, struct cfs_error *error)
{
    cfs_words names;
    int result = cfs_profile_names(request, &names, error);
    if (result)
        return result;
    for (size_t i = 0; names[i]; i++)
        puts(names[i]);
    if (!names[0])
        fprintf(stderr, "clusterfs: There is no profile yet; clusterfs.conf(5) shows how to write one.\n");
    cfs_words_free(names);
    return 0;
}

static int show_profile(const struct cfs_profile_request *request, struct cfs_error *error)
{
    struct cfs_profile *profile CFS_CLEANUP(cfs_profile_free) = NULL;
    int result = cfs_profile_load(request, &profile, error);
    if (!result)
        cfs_profile_show(profile, stdout);
    return result;
}

static int run(int argc, char **argv)
{
    static const struct option long_options[] = {{"config", required_argument, NULL, 'c'},
                                                 {"options", required_argument, NULL, 'o'},
                                                 {"help", no_argument, NULL, 'h'},
                                                 {0}};
    struct cfs_profile_request request = {0};
    struct cfs_error error = {0};
    char *options CFS_AUTO_FREE = NULL;
    int option;
    opterr = 0;
    while ((option = getopt_long(argc, argv, "c:o:h", long_options, NULL)) != -1) {
        if (option == 'c')
            request.config_file = optarg;
        else if (option == 'h')
            return cfs_print_help(&cfs_command_config);
        else if (option != 'o')
            return cfs_option_error(&cfs_command_config, argv);
        else if (cfs_add_options(&options, optarg))
            return cfs_failure_exit_code(CFS_FAILURE_SYSTEM);
    }
    if (argc - optind < 1 || argc - optind > 2 || strcmp(argv[optind], "show") != 0)
        return cfs_usage_error(&cfs_command_config, "Say `config show`, or `config show PROFILE`");
    request.options = options;
    request.source = argv[optind + 1]; /* NULL at the end of argv */
    int result = request.source ? show_profile(&request, &error) : list_profiles(&request, &error);
    return result ? cfs_report(&error) : 0;
}

const struct cfs_command cfs_command_config = {
    .name = "config",
    .arguments = "show [-c FILE] [-o OPT,...] [PROFILE]",
    .summary = "Show a profile's effective values and where each came from",
    .help = "  -c, --config FILE     read only this file of profiles\n"
            "  -o, --options OPT,... as `mount` would get them\n"
            "\n"
            "Without PROFILE the names of all profiles are listed.\n",
    .run = run,
};

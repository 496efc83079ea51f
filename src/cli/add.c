/* `clusterfs add NAME [USER@]HOST[:PORT]`, or the same out of the provider's message: a new profile. */
#include "base/text.h"
#include "cli/cli.h"
#include "cli/editing.h"
#include "conf/ini_edit.h"
#include "conf/login_text.h"
#include "conf/profile_edit.h"
#include <errno.h>
#include <getopt.h>
#include <stdio.h>
#include <string.h>

struct request {
    const char *name, *target, *message; /* one of the last two */
    const char *identity, *jump, *folder;
    const char *config_file;
};

enum { SETTINGS = 6 };

struct settings {
    struct cfs_ini_setting list[SETTINGS];
    size_t count;
};

static int find_login(const struct request *request, struct cfs_login *ret_login, struct cfs_error *error)
{
    if (request->target)
        return cfs_login_parse(request->target, ret_login, error);
    return cfs_editing_find_login(request->message, ret_login, error);
}

static int put(struct settings *settings, const char *key, const char *value, struct cfs_error *error)
{
    if (!value || !*value)
        return 0;
    int result = cfs_profile_check_setting(key, value, "command line", error);
    if (result == 0 && settings->count < SETTINGS)
        settings->list[settings->count++] = (struct cfs_ini_setting){key, value};
    return result;
}

static int write_profile(const struct request *request, const struct settings *settings, struct cfs_error *error)
{
    struct cfs_config_edit edit CFS_AUTO_CONFIG_EDIT = {.folder_fd = -1};
    int result = cfs_editing_open(request->config_file, true, &edit, error);
    if (result == 0)
        result = cfs_ini_edit_add(&edit.text, edit.path, request->name, NULL, settings->list, settings->count, error);
    if (result == 0)
        result = cfs_config_edit_write(&edit, error);
    char *given CFS_AUTO_FREE = cfs_given_config(request->config_file);
    if (result == 0)
        printf("%s was written into %s. To mount it: clusterfs mount%s %s MOUNTPOINT\n", request->name, edit.path,
               given ? given : "", request->name);
    return result;
}

static int fail_present(const struct request *request, struct cfs_error *error)
{
    char *given CFS_AUTO_FREE = cfs_given_config(request->config_file);
    return cfs_error_set(error, EEXIST, CFS_FAILURE_CONFIG,
                         "There is a profile %s already. To change it: clusterfs set%s %s host=... user=...",
                         request->name, given ? given : "", request->name);
}

static int add_profile(const struct request *request, struct cfs_error *error)
{
    struct cfs_login login = {0};
    char *identity CFS_AUTO_FREE = NULL;
    int result = cfs_profile_check_name(request->name, error);
    if (result == 0)
        result = cfs_editing_has_profile(request->config_file, request->name, error);
    if (result > 0)
        return fail_present(request, error);
    if (result == 0)
        result = find_login(request, &login, error);
    if (result == 0 && request->identity)
        result = cfs_editing_write_path("identity_file", request->identity, &identity, error);
    if (result < 0)
        return result;

    struct settings settings = {.count = 0};
    char port[8] = "";
    if (login.port)
        snprintf(port, sizeof(port), "%u", login.port);
    if ((result = put(&settings, "host", login.host, error)) < 0 ||
        (result = put(&settings, "port", port, error)) < 0 ||
        (result = put(&settings, "user", login.user, error)) < 0 ||
        (result = put(&settings, "identity_file", identity, error)) < 0 ||
        (result = put(&settings, "proxy_jump", request->jump ? request->jump : login.jump, error)) < 0 ||
        (result = put(&settings, "remote_dir", request->folder, error)) < 0)
        return result;
    if (request->identity && !cfs_editing_is_file(request->identity))
        fprintf(stderr, "clusterfs: %s is not there yet; it will be needed to mount.\n", request->identity);
    return write_profile(request, &settings, error);
}

static int run(int argc, char **argv)
{
    static const struct option long_options[] = {{"config", required_argument, NULL, 'c'},
                                                 {"identity", required_argument, NULL, 'i'},
                                                 {"jump", required_argument, NULL, 'J'},
                                                 {"dir", required_argument, NULL, 'd'},
                                                 {"from-clipboard-text", required_argument, NULL, 't'},
                                                 {"help", no_argument, NULL, 'h'},
                                                 {0}};
    struct request request = {0};
    struct cfs_error error = {0};
    int option;
    opterr = 0;
    while ((option = getopt_long(argc, argv, "c:i:J:h", long_options, NULL)) != -1) {
        if (option == 'c')
            request.config_file = optarg;
        else if (option == 'i')
            request.identity = optarg;
        else if (option == 'J')
            request.jump = optarg;
        else if (option == 'd')
            request.folder = optarg;
        else if (option == 't')
            request.message = optarg;
        else if (option == 'h')
            return cfs_print_help(&cfs_command_add);
        else
            return cfs_option_error(&cfs_command_add, argv);
    }
    if (argc - optind != (request.message ? 1 : 2))
        return cfs_usage_error(&cfs_command_add, "Say a name, and where to log in");
    request.name = argv[optind];
    request.target = request.message ? NULL : argv[optind + 1];
    int result = add_profile(&request, &error);
    return result < 0 ? cfs_report(&error) : 0;
}

const struct cfs_command cfs_command_add = {
    .name = "add",
    .arguments = "NAME {[USER@]HOST[:PORT] | --from-clipboard-text FILE} [OPTION...]",
    .summary = "Write a new profile into your file of profiles",
    .help = "      --from-clipboard-text FILE\n"
            "                        find user and address in the provider's message; - is the standard input\n"
            "  -i, --identity FILE   the private key\n"
            "  -J, --jump HOST       the jump host\n"
            "      --dir FOLDER      the remote folder to mount\n"
            "  -c, --config FILE     the file of profiles to write into\n",
    .run = run,
};

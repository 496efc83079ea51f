/* `clusterfs set NAME KEY=VALUE...` and `clusterfs remove NAME`: changes to a profile that leave the rest of the file
 * as it is. */
#include "cli/cli.h"
#include "cli/editing.h"
#include "conf/config.h"
#include "conf/ini_edit.h"
#include "conf/option.h"
#include "conf/profile.h"
#include "conf/profile_edit.h"
#include <errno.h>
#include <getopt.h>
#include <stdio.h>
#include <string.h>

/* -c FILE and --help, which both commands have, and --from-clipboard-text where RET_MESSAGE is not NULL. False: the
 * command has ended, with *RET_CODE. */
static bool read_options(const struct cfs_command *command, int argc, char **argv, const char **ret_config_file,
                         const char **ret_message, int *ret_code)
{
    static const struct option long_options[] = {{"config", required_argument, NULL, 'c'},
                                                 {"help", no_argument, NULL, 'h'},
                                                 {"from-clipboard-text", required_argument, NULL, 't'},
                                                 {0}};
    int option;
    opterr = 0;
    while ((option = getopt_long(argc, argv, "c:h", long_options, NULL)) != -1) {
        if (option == 'c') {
            *ret_config_file = optarg;
            continue;
        }
        if (option == 't' && ret_message) {
            *ret_message = optarg;
            continue;
        }
        *ret_code = option == 'h' ? cfs_print_help(command) : cfs_option_error(command, argv);
        return false;
    }
    return true;
}

struct change {
    const char *key;
    char *value; /* "": the key is taken away; ours */
};

static void fini_change(struct change *change)
{
    free(change->value);
}

/* "KEY=VALUE", split in place and checked. */
static int read_change(char *word, struct change *ret_change, struct cfs_error *error)
{
    char *equals = strchr(word, '=');
    if (!equals)
        return cfs_error_set(error, EINVAL, CFS_FAILURE_USAGE, "%.200s: say KEY=VALUE, or KEY= for the default", word);
    *equals = '\0';
    ret_change->key = word;
    if (equals[1])
        return cfs_editing_write_value(word, equals + 1, &ret_change->value, error);
    if (!cfs_option_find(word, CFS_OPTION_IN_FILE))
        return cfs_profile_check_setting(word, "-", "command line", error);
    ret_change->value = strdup("");
    return ret_change->value ? 0 : cfs_error_set(error, ENOMEM, CFS_FAILURE_SYSTEM, "There is not enough memory.");
}

struct setting {
    const char *config_file, *name;
    const char *message; /* of --from-clipboard-text; NULL */
    struct cfs_config_edit edit;
    bool for_all;    /* there is such a profile in the file for all users, too */
    bool overridden; /* and this file had none until now */
};

/* -ENOENT: the file gives the key no value. */
static int take_away(struct setting *setting, const char *key, struct cfs_error *error)
{
    struct cfs_config_edit *edit = &setting->edit;
    int result = cfs_ini_edit_unset(&edit->text, edit->path, setting->name, key, error);
    if (result > 0 || (result < 0 && result != -ENOENT))
        return result;
    cfs_error_set(error, ENOENT, CFS_FAILURE_CONFIG, "%s: %s has no %s", edit->path, setting->name, key);
    if (setting->for_all)
        cfs_error_append(error, ". To take it away for all users: clusterfs set -c " CFS_SYSTEM_CONFIG_FILE " %s %s=",
                         setting->name, key);
    return -ENOENT;
}

static int change(struct setting *setting, const struct cfs_ini_setting *wanted, struct cfs_error *error)
{
    struct cfs_config_edit *edit = &setting->edit;
    struct cfs_error cause = {0};
    if (!*wanted->value)
        return take_away(setting, wanted->key, error);
    int result = cfs_ini_edit_set(&edit->text, edit->path, setting->name, wanted->key, wanted->value, &cause);
    /* Its caller has seen to it that there is such a profile: for all users, if it is not in this file. */
    if (result == -ENOENT) {
        setting->overridden = setting->for_all;
        return cfs_ini_edit_add(&edit->text, edit->path, setting->name, NULL, wanted, 1, error);
    }
    if (result < 0 && error)
        *error = cause;
    return result;
}

static int no_profile(const char *config_file, const char *name, struct cfs_error *error)
{
    char *given CFS_AUTO_FREE = cfs_given_config(config_file);
    return cfs_error_set(error, ENOENT, CFS_FAILURE_CONFIG,
                         "There is no profile %.200s. To make one: clusterfs add%s %.200s USER@HOST", name,
                         given ? given : "", name);
}

static int change_one(struct setting *setting, const char *key, const char *value, struct cfs_error *error)
{
    struct cfs_ini_setting wanted = {key, value};
    int result = *value ? cfs_profile_check_setting(key, value, "message", error) : 1;
    return result == 0 ? change(setting, &wanted, error) : result;
}

/* What the message does not say stays as it is. */
static int change_login(struct setting *setting, const struct cfs_login *login, struct cfs_error *error)
{
    char port[8] = "";
    if (login->port)
        snprintf(port, sizeof(port), "%u", login->port);
    int result = change_one(setting, "host", login->host, error);
    if (result >= 0)
        result = change_one(setting, "port", port, error);
    if (result >= 0)
        result = change_one(setting, "user", login->user, error);
    return result >= 0 ? change_one(setting, "proxy_jump", login->jump, error) : result;
}

static int change_all(struct setting *setting, char **words, struct cfs_error *error)
{
    struct cfs_login login = {0};
    int result = setting->message ? cfs_editing_find_login(setting->message, &login, error) : 0;
    if (result == 0)
        result = cfs_editing_open(setting->config_file, true, &setting->edit, error);
    if (result == 0 && setting->message)
        result = change_login(setting, &login, error);
    for (; *words && result >= 0; words++) {
        struct change next __attribute__((cleanup(fini_change))) = {0};
        result = read_change(*words, &next, error);
        if (result == 0)
            result = change(setting, &(struct cfs_ini_setting){next.key, next.value}, error);
    }
    return result < 0 ? result : cfs_config_edit_write(&setting->edit, error);
}

static int set_values(const char *config_file, const char *name, const char *message, char **words,
                      struct cfs_error *error)
{
    bool defaults = strcmp(name, CFS_CONFIG_DEFAULTS) == 0;
    int known = defaults ? 1 : cfs_editing_has_profile(config_file, name, error);
    if (known <= 0)
        return known < 0 ? known : no_profile(config_file, name, error);
    struct setting setting = {.config_file = config_file,
                              .name = name,
                              .message = message,
                              .edit = {.folder_fd = -1},
                              .for_all = cfs_editing_has_profile_for_all(config_file, name)};
    int result = change_all(&setting, words, error);
    if (result == 0 && setting.overridden)
        printf("This overrides %s of " CFS_SYSTEM_CONFIG_FILE ", for you only; it was written into %s.\n", name,
               setting.edit.path);
    cfs_config_edit_fini(&setting.edit);
    return result;
}

static int run_set(int argc, char **argv)
{
    const char *config_file = NULL, *message = NULL;
    struct cfs_error error = {0};
    int code = 0;
    if (!read_options(&cfs_command_set, argc, argv, &config_file, &message, &code))
        return code;
    if (argc - optind < (message ? 1 : 2))
        return cfs_usage_error(&cfs_command_set, "Say a profile, and KEY=VALUE");
    return set_values(config_file, argv[optind], message, argv + optind + 1, &error) < 0 ? cfs_report(&error) : 0;
}

const struct cfs_command cfs_command_set = {
    .name = "set",
    .arguments = "[-c FILE] PROFILE {KEY=VALUE... | --from-clipboard-text FILE}",
    .summary = "Change values of a profile, a new address for instance",
    .help = "      --from-clipboard-text FILE\n"
            "                        find the new user and address in the provider's message; - is the standard input\n"
            "  -c, --config FILE     the file of profiles to change\n"
            "\n"
            "KEY= takes the key away, so that the default holds. PROFILE may be defaults. A mount that is there keeps\n"
            "what it was mounted with. `clusterfs help options` lists the keys.\n",
    .run = run_set,
};

static int remove_profile(const char *config_file, const char *name, struct cfs_error *error)
{
    struct cfs_config_edit edit CFS_AUTO_CONFIG_EDIT = {.folder_fd = -1};
    int known = cfs_editing_has_profile(config_file, name, error);
    if (known <= 0)
        return known < 0 ? known : no_profile(config_file, name, error);
    bool for_all = cfs_editing_has_profile_for_all(config_file, name);
    int result = cfs_editing_open(config_file, true, &edit, error);
    if (result == 0)
        result = cfs_ini_edit_remove(&edit.text, edit.path, name, error);
    if (result == -ENOENT && for_all)
        return cfs_error_set(error, ENOENT, CFS_FAILURE_CONFIG,
                             "%s is a profile for all users. To take it away for all: clusterfs remove -c %s %s", name,
                             CFS_SYSTEM_CONFIG_FILE, name);
    if (result == 0)
        result = cfs_config_edit_write(&edit, error);
    if (result == 0 && for_all)
        printf("What " CFS_SYSTEM_CONFIG_FILE " says of %s holds now.\n", name);
    return result;
}

static int run_remove(int argc, char **argv)
{
    const char *config_file = NULL;
    struct cfs_error error = {0};
    int code = 0;
    if (!read_options(&cfs_command_remove, argc, argv, &config_file, NULL, &code))
        return code;
    if (argc - optind != 1)
        return cfs_usage_error(&cfs_command_remove, "Say one profile");
    return remove_profile(config_file, argv[optind], &error) < 0 ? cfs_report(&error) : 0;
}

const struct cfs_command cfs_command_remove = {
    .name = "remove",
    .arguments = "[-c FILE] PROFILE",
    .summary = "Take a profile out of your file of profiles",
    .help = "  -c, --config FILE     the file of profiles to change\n",
    .run = run_remove,
};

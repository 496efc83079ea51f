/* What `clusterfs key install`, `list` and `remove` have in common. */
#include "base/text.h"
#include "cli/key.h"
#include "ssh/authorized_keys.h"
#include <errno.h>
#include <getopt.h>
#include <stdio.h>
#include <string.h>

enum { LONG_KEY = 1000, LONG_WITH_OPTIONS, LONG_FORCE, LONG_JSON };

static const struct option long_options[] = {
    {"config", required_argument, NULL, 'c'},   {"options", required_argument, NULL, 'o'},
    {"key", required_argument, NULL, LONG_KEY}, {"with-options", no_argument, NULL, LONG_WITH_OPTIONS},
    {"force", no_argument, NULL, LONG_FORCE},   {"json", no_argument, NULL, LONG_JSON},
    {"help", no_argument, NULL, 'h'},           {0}};

/* Which verbs have it; the others refuse it. */
static unsigned needs(int option)
{
    switch (option) {
    case LONG_KEY:
    case LONG_WITH_OPTIONS:
        return CFS_KEY_TAKES_OPTIONS;
    case LONG_FORCE:
        return CFS_KEY_TAKES_FORCE;
    case LONG_JSON:
        return CFS_KEY_TAKES_JSON;
    default:
        return 0;
    }
}

static int refuse(const struct cfs_command *command, int option, char *const argv[])
{
    for (const struct option *known = long_options; known->name; known++) {
        if (known->val == option) /* it has been read, with its value */
            return cfs_usage_error(command, "The option --%s is unknown or lacks its value", known->name);
    }
    return cfs_option_error(command, argv);
}

/* 0, or -errno for what cannot be taken. */
static int take(int option, struct cfs_key_arguments *arguments)
{
    switch (option) {
    case 'c':
        arguments->request.config_file = optarg;
        return 0;
    case 'o':
        return cfs_add_options(&arguments->options, optarg);
    case LONG_KEY:
        arguments->keys[arguments->key_count++] = optarg;
        return 0;
    case LONG_WITH_OPTIONS:
        arguments->may_have_options = true;
        return 0;
    case LONG_FORCE:
        arguments->force = true;
        return 0;
    case LONG_JSON:
        arguments->json = true;
        return 0;
    default:
        return -EINVAL;
    }
}

static int check_words(const struct cfs_command *command, unsigned takes, const struct cfs_key_arguments *arguments)
{
    if (!arguments->request.source)
        return cfs_usage_error(command, "A PROFILE is needed");
    if (arguments->key_count == 0 && takes & CFS_KEY_TAKES_KEYS)
        return cfs_usage_error(command, "A key is needed");
    if (arguments->key_count > 0 && !(takes & CFS_KEY_TAKES_KEYS))
        return cfs_usage_error(command, "There are too many arguments");
    return 0;
}

bool cfs_key_arguments_read(const struct cfs_command *command, unsigned takes, int argc, char **argv,
                            struct cfs_key_arguments *arguments, int *ret_code)
{
    int option;
    *arguments = (struct cfs_key_arguments){.keys = calloc((size_t)argc + 1, sizeof(*arguments->keys))};
    *ret_code = cfs_failure_exit_code(CFS_FAILURE_SYSTEM);
    if (!arguments->keys)
        return false;
    opterr = 0;
    while ((option = getopt_long(argc, argv, "c:o:h", long_options, NULL)) != -1) {
        if (option == 'h') {
            *ret_code = cfs_print_help(command);
            return false;
        }
        int result = (needs(option) & ~takes) ? -EINVAL : take(option, arguments);
        if (result == -EINVAL)
            *ret_code = refuse(command, option, argv);
        if (result < 0)
            return false;
    }
    if (optind < argc)
        arguments->request.source = argv[optind++];
    while (optind < argc)
        arguments->keys[arguments->key_count++] = argv[optind++];
    arguments->request.options = arguments->options;
    *ret_code = check_words(command, takes, arguments);
    return *ret_code == 0;
}

void cfs_key_arguments_fini(struct cfs_key_arguments *arguments)
{
    free(arguments->options);
    free(arguments->keys);
}

void cfs_key_print_options(const char *options)
{
    char *printable CFS_AUTO_FREE = strdup(options);
    if (printable)
        cfs_text_make_printable(printable, false);
    printf(", options: %s", printable ? printable : "?");
}

void cfs_key_print(const char *word, const struct cfs_authorized_key *key, const char *options)
{
    char *text CFS_AUTO_FREE = cfs_authorized_key_describe(key);
    printf("%s %s", word, text ? text : "?");
    if (options)
        cfs_key_print_options(options);
    putchar('\n');
}

int cfs_key_fail_memory(struct cfs_error *error)
{
    return cfs_error_set(error, ENOMEM, CFS_FAILURE_SYSTEM, "There is not enough memory.");
}

/* `clusterfs key VERB ...`. */
#include "cli/key.h"
#include <stdio.h>
#include <string.h>

static const struct cfs_command *const verbs[] = {&cfs_key_convert, &cfs_key_install, &cfs_key_list, &cfs_key_remove};

/* All that `clusterfs key VERB --help` would tell. */
static int help(void)
{
    printf("%s.\n", cfs_command_key.summary);
    for (size_t i = 0; i < CFS_COUNT(verbs); i++) {
        putchar('\n');
        cfs_print_help(verbs[i]);
    }
    return 0;
}

static const struct cfs_command *find(const char *verb)
{
    for (size_t i = 0; i < CFS_COUNT(verbs); i++) {
        if (strcmp(verbs[i]->name + strlen("key "), verb) == 0)
            return verbs[i];
    }
    return NULL;
}

static int run(int argc, char **argv)
{
    if (argc < 2)
        return cfs_usage_error(&cfs_command_key, "Say what is to be done");
    if (strcmp(argv[1], "--help") == 0 || strcmp(argv[1], "-h") == 0)
        return help();
    const struct cfs_command *verb = find(argv[1]);
    if (verb)
        return verb->run(argc - 1, argv + 1);
    return cfs_usage_error(&cfs_command_key, "There is no command \"key %s\"", argv[1]);
}

const struct cfs_command cfs_command_key = {
    .name = "key",
    .arguments = "convert | install | list | remove ...",
    .summary = "Convert a key; say whose keys a device lets in",
    .help = "  key convert IN [OUT]                   a PuTTY or PEM key in OpenSSH's form\n"
            "  key install PROFILE --key FILE.pub...  let somebody in\n"
            "  key list PROFILE                       who is let in\n"
            "  key remove PROFILE KEY...              let somebody in no more\n"
            "\n"
            "`clusterfs key --help` tells all of it.\n",
    .run = run,
    .find = find,
};

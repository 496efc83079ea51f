/* The list of subcommands, help, version, and how failures are told. */
#include "base/text.h"
#include "cli/cli.h"
#include <errno.h>
#include <getopt.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

/* A line each, so that two changes that add one do not meet. */
/* clang-format off */
const struct cfs_command *const cfs_commands[] = {
    &cfs_command_mount,
    &cfs_command_umount,
    &cfs_command_status,
    &cfs_command_login,
    &cfs_command_check,
    &cfs_command_config,
    &cfs_command_add,
    &cfs_command_set,
    &cfs_command_remove,
    &cfs_command_import,
    &cfs_command_key,
    &cfs_command_hostkey,
    &cfs_command_forward,
    &cfs_command_version,
    &cfs_command_help,
    NULL,
};
/* clang-format on */

int cfs_report(const struct cfs_error *error)
{
    fprintf(stderr, "clusterfs: %s\n", error->text);
    return cfs_failure_exit_code(error->failure);
}

static void print_usage(const struct cfs_command *command, FILE *out)
{
    if (command)
        fprintf(out, "usage: clusterfs %s %s\n", command->name, command->arguments);
    else
        fprintf(out, "usage: clusterfs COMMAND ...\n");
}

int cfs_usage_error(const struct cfs_command *command, const char *format, ...)
{
    va_list arguments;
    fprintf(stderr, "clusterfs: ");
    va_start(arguments, format);
    vfprintf(stderr, format, arguments);
    va_end(arguments);
    fprintf(stderr, ".\n");
    print_usage(command, stderr);
    if (command)
        fprintf(stderr, "`clusterfs help %s` tells more.\n", command->name);
    else
        fprintf(stderr, "`clusterfs help` lists the commands.\n");
    return cfs_failure_exit_code(CFS_FAILURE_USAGE);
}

int cfs_option_error(const struct cfs_command *command, char *const argv[])
{
    const char *word = argv[optind - 1];
    /* Within a group of letters getopt(3) still stands before the word. */
    if (strncmp(word, "--", 2) != 0 && optopt > 0 && optopt < 127)
        return cfs_usage_error(command, "The option -%c is unknown or lacks its value", optopt);
    return cfs_usage_error(command, "The option %s is unknown or lacks its value", word);
}

int cfs_print_help(const struct cfs_command *command)
{
    print_usage(command, stdout);
    printf("\n%s.\n", command->summary);
    if (command->help)
        printf("\n%s", command->help);
    return 0;
}

int cfs_add_options(char **list, const char *options)
{
    char *longer = *list ? cfs_text_format("%s,%s", *list, options) : strdup(options);
    if (!longer)
        return -ENOMEM;
    free(*list);
    *list = longer;
    return 0;
}

char *cfs_given_config(const char *file)
{
    char *quoted CFS_AUTO_FREE = file ? cfs_text_shell_quote(file) : NULL;
    return quoted ? cfs_text_format(" -c %s", quoted) : strdup("");
}

int cfs_take_option(const struct cfs_command *command, int option, char *const argv[], const char **config_file,
                    char **options)
{
    switch (option) {
    case 'c':
        *config_file = optarg;
        return -1;
    case 'o':
        return cfs_add_options(options, optarg) ? cfs_failure_exit_code(CFS_FAILURE_SYSTEM) : -1;
    case 'h':
        return cfs_print_help(command);
    default:
        return cfs_option_error(command, argv);
    }
}

static int print_commands(void)
{
    print_usage(NULL, stdout);
    printf("\nThe work folder of an HPC job or storage device, as a folder of this machine, over SSH.\n\n");
    for (size_t i = 0; cfs_commands[i]; i++)
        printf("  %-9s %s\n", cfs_commands[i]->name, cfs_commands[i]->summary);
    printf("\nSOURCE is PROFILE[:PATH], a profile of clusterfs.conf(5), or [USER@]HOST:[PATH];\n"
           "HOST may be a shortcut of ssh_config(5).\n"
           "`clusterfs help COMMAND` tells more, and so does clusterfs(1).\n");
    return 0;
}

static int help(int argc, char **argv)
{
    if (argc < 2)
        return print_commands();
    if (strcmp(argv[1], "options") == 0) {
        printf("Options for -o, and keys of a profile in clusterfs.conf(5):\n\n");
        cfs_options_write_help(stdout);
        return 0;
    }
    for (size_t i = 0; cfs_commands[i]; i++) {
        if (strcmp(cfs_commands[i]->name, argv[1]) != 0)
            continue;
        const struct cfs_command *verb = argc > 2 && cfs_commands[i]->find ? cfs_commands[i]->find(argv[2]) : NULL;
        return cfs_print_help(verb ? verb : cfs_commands[i]);
    }
    return cfs_usage_error(&cfs_command_help, "There is no command \"%s\"", argv[1]);
}

const struct cfs_command cfs_command_help = {
    .name = "help",
    .arguments = "[COMMAND [VERB] | options]",
    .summary = "Explain a command, or list the options",
    .run = help,
};

static int version(int argc, char **argv)
{
    (void)argc;
    (void)argv;
    puts(PACKAGE_STRING);
    return 0;
}

const struct cfs_command cfs_command_version = {
    .name = "version",
    .arguments = "",
    .summary = "Print the version",
    .run = version,
};

/* What the subcommands share. */
#ifndef CFS_CLI_CLI_H
#define CFS_CLI_CLI_H

#include "base/error.h"
#include "conf/profile.h"
#include <stdbool.h>

/* A subcommand: ARGV[0] is its name; returns the exit code. */
struct cfs_command {
    const char *name;
    const char *arguments; /* for the usage line */
    const char *summary;
    const char *help; /* more lines for --help; may be NULL */
    int (*run)(int argc, char **argv);
    /* The command that VERB behind this one stands for, NULL if it is none; NULL: it has no such commands. */
    const struct cfs_command *(*find)(const char *verb);
};

extern const struct cfs_command cfs_command_mount, cfs_command_umount, cfs_command_status, cfs_command_login,
    cfs_command_config, cfs_command_add, cfs_command_set, cfs_command_remove, cfs_command_import, cfs_command_version,
    cfs_command_help;
extern const struct cfs_command cfs_command_key;
extern const struct cfs_command cfs_command_check;
extern const struct cfs_command cfs_command_hostkey;
extern const struct cfs_command cfs_command_forward;

/* NULL-terminated, in the order in which help lists them. */
extern const struct cfs_command *const cfs_commands[];

/* mount(8)'s helper: mount.clusterfs SOURCE MOUNTPOINT [-o ...]; exit codes of mount(8). */
int cfs_mount_helper(int argc, char **argv);

/* Writes "clusterfs: TEXT" to stderr and returns the exit code for the failure. */
int cfs_report(const struct cfs_error *error);
/* A usage error: the sentence, the usage line of COMMAND, and where to read on. Returns the exit code. */
int cfs_usage_error(const struct cfs_command *command, const char *format, ...) CFS_PRINTF(2, 3);
/* The same for what getopt_long(3) has just refused. */
int cfs_option_error(const struct cfs_command *command, char *const argv[]);
/* The usage line and help of COMMAND, to stdout. Returns 0. */
int cfs_print_help(const struct cfs_command *command);

/* An option that `mount` and `check` take alike, of getopt_long(3): -c, -o, --help, and any that is not known. -1: go
 * on; else the exit code, and all is said. *OPTIONS is as in cfs_add_options; *CONFIG_FILE borrows from ARGV. */
CFS_CHECKED int cfs_take_option(const struct cfs_command *command, int option, char *const argv[],
                                const char **config_file, char **options);

/* What a sentence that says what to type must repeat of -c FILE (NULL: none), for "clusterfs set%s NAME": " -c 'FILE'".
 * NULL if memory is short. The caller frees. */
char *cfs_given_config(const char *file);

/* Appends OPTIONS to *LIST, separated by a comma. -ENOMEM. */
CFS_CHECKED int cfs_add_options(char **list, const char *options);

#endif

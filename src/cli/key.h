/* What the subcommands of `clusterfs key` share. */
#ifndef CFS_CLI_KEY_H
#define CFS_CLI_KEY_H

#include "base/error.h"
#include "cli/cli.h"
#include <stdbool.h>
#include <stddef.h>

/* `clusterfs key VERB`: ARGV[0] is the verb. */
extern const struct cfs_command cfs_key_convert, cfs_key_install, cfs_key_list, cfs_key_remove;

/* The command line of the verbs that work on a device. */
struct cfs_key_arguments {
    struct cfs_profile_request request;
    char *options;     /* of -o; owned */
    const char **keys; /* of --key, then what follows the profile; the array is owned */
    size_t key_count;
    bool may_have_options, force, json;
};

enum cfs_key_takes {
    CFS_KEY_TAKES_KEYS = 1,    /* at least one */
    CFS_KEY_TAKES_OPTIONS = 2, /* --with-options, --key */
    CFS_KEY_TAKES_FORCE = 4,
    CFS_KEY_TAKES_JSON = 8,
};

/* Reads it. False: *RET_CODE is the exit code, and all is said. The caller calls cfs_key_arguments_fini in any case. */
CFS_CHECKED bool cfs_key_arguments_read(const struct cfs_command *command, unsigned takes, int argc, char **argv,
                                        struct cfs_key_arguments *ret_arguments, int *ret_code);
void cfs_key_arguments_fini(struct cfs_key_arguments *arguments);
#define CFS_AUTO_KEY_ARGUMENTS __attribute__((cleanup(cfs_key_arguments_fini)))

/* Prints "WORD DESCRIPTION" for a key, with OPTIONS if they are not NULL. */
struct cfs_authorized_key;
void cfs_key_print(const char *word, const struct cfs_authorized_key *key, const char *options);
/* ", options: OPTIONS", printable. */
void cfs_key_print_options(const char *options);
int cfs_key_fail_memory(struct cfs_error *error);

/* Writes a whole file of its own, with mode MODE, in one step: there is the old one, or none, or all of it. Without
 * REPLACE one that is there stays as it is: -EEXIST, with a sentence. */
CFS_CHECKED int cfs_key_output_write(const char *path, const void *bytes, size_t length, unsigned mode, bool replace,
                                     struct cfs_error *error);
/* -EEXIST with that sentence, before there is anything to be written. */
CFS_CHECKED int cfs_key_output_check(const char *path, struct cfs_error *error);

#endif

/* `clusterfs key convert`: a private key in PuTTY's form or in PEM becomes one in OpenSSH's, with its public half
 * beside it. The new file belongs to its owner alone, and takes the place of nothing that is there. */
#include "base/text.h"
#include "cli/key.h"
#include "cli/terminal.h"
#include "ssh/key_write.h"
#include <errno.h>
#include <getopt.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>

enum { TRIES = 3 };

struct conversion {
    const char *from;
    char *to, *public_name;
    const char *comment; /* NULL: as it was */
    bool in_the_clear, replace;
    bool has_public; /* PUBLIC_NAME is there, and is this key's */
    struct cfs_error *error;
};

/* --- names --- */

/* job.ppk becomes job. */
static char *name_without_suffix(const char *from)
{
    static const char *const suffixes[] = {".ppk", ".pem", ".key", ".p8", ".der"};
    const char *dot = strrchr(from, '.');
    for (size_t i = 0; dot && dot > from && dot[-1] != '/' && i < CFS_COUNT(suffixes); i++) {
        if (strcasecmp(dot, suffixes[i]) == 0)
            return strndup(from, (size_t)(dot - from));
    }
    return NULL;
}

static int name_outputs(struct conversion *conversion, const char *to)
{
    conversion->to = to ? strdup(to) : name_without_suffix(conversion->from);
    if (!conversion->to)
        return cfs_error_set(conversion->error, EINVAL, CFS_FAILURE_USAGE,
                             "The name of the new file is missing: clusterfs key convert %s OUT", conversion->from);
    conversion->public_name = cfs_text_format("%s.pub", conversion->to);
    return conversion->public_name ? 0 : cfs_key_fail_memory(conversion->error);
}

/* Before somebody is asked for passphrases. A public key that is this one's may stay. */
static int check_outputs(struct conversion *conversion, const struct cfs_key_file *key)
{
    if (conversion->replace)
        return 0;
    int result = cfs_key_output_check(conversion->to, conversion->error);
    if (result < 0)
        return result;
    conversion->has_public = cfs_key_file_is_public_file_of(key, conversion->public_name);
    return conversion->has_public ? 0 : cfs_key_output_check(conversion->public_name, conversion->error);
}

/* --- the new passphrase --- */

static int fail_asking(int result, struct cfs_error *error)
{
    if (result == -ECANCELED)
        return cfs_error_set(error, ECANCELED, CFS_FAILURE_CANCELLED, "No new passphrase was given.");
    return cfs_error_set(error, EKEYREJECTED, CFS_FAILURE_KEY_FILE,
                         "Nobody can be asked for the new key's passphrase. Run this on a terminal, or say "
                         "--no-passphrase: then whoever gets the file has the key.");
}

static int ask_once(struct cfs_prompter *prompter, const char *text, char **ret_answer, struct cfs_error *error)
{
    char *printable CFS_AUTO_FREE = strdup(text);
    if (!printable)
        return cfs_key_fail_memory(error);
    cfs_text_make_printable(printable, false);
    int result = prompter->ask(prompter, printable, false, ret_answer);
    return result < 0 ? fail_asking(result, error) : 0;
}

/* Twice, until both are the same. */
static int ask_passphrase(const struct conversion *conversion, char **ret_passphrase)
{
    struct cfs_prompter *prompter = cfs_terminal_prompter();
    const char *why = "";
    if (!prompter->can_ask(prompter))
        return fail_asking(-ENOTTY, conversion->error);
    for (int try = 0; try < TRIES; try++) {
        char *text CFS_AUTO_FREE = cfs_text_format("%sNew passphrase of %s: ", why, conversion->to);
        char *first CFS_CLEANUP(cfs_secret_free) = NULL, *second CFS_CLEANUP(cfs_secret_free) = NULL;
        int result =
            text ? ask_once(prompter, text, &first, conversion->error) : cfs_key_fail_memory(conversion->error);
        if (result < 0)
            return result;
        if (!*first) {
            why = "It must not be empty (--no-passphrase makes a file that anybody can use). ";
            continue;
        }
        result = ask_once(prompter, "The same once more: ", &second, conversion->error);
        if (result < 0)
            return result;
        if (strcmp(first, second) == 0) {
            *ret_passphrase = CFS_TAKE(first);
            return 0;
        }
        why = "They differ. ";
    }
    return fail_asking(-ECANCELED, conversion->error);
}

/* --- the conversion --- */

static int write_key(const struct conversion *conversion, const struct cfs_key_file *key, const char *comment,
                     const char *passphrase)
{
    struct cfs_buffer text CFS_AUTO_BUFFER;
    cfs_buffer_init_secret(&text);
    int result = cfs_key_write_private(key, comment, passphrase, &text);
    if (result < 0)
        return cfs_error_set(conversion->error, -result, CFS_FAILURE_SYSTEM, "The key %s cannot be written anew: %s.",
                             conversion->from, strerror(-result));
    return cfs_key_output_write(conversion->to, text.bytes, text.length, 0600, conversion->replace, conversion->error);
}

static int write_public(const struct conversion *conversion, const char *line)
{
    char *text CFS_AUTO_FREE = cfs_text_format("%s\n", line);
    if (!text)
        return cfs_key_fail_memory(conversion->error);
    return conversion->has_public ? 0
                                  : cfs_key_output_write(conversion->public_name, text, strlen(text), 0644,
                                                         conversion->replace, conversion->error);
}

static int write_both(const struct conversion *conversion, const struct cfs_key_file *key, const char *passphrase)
{
    size_t length;
    const uint8_t *blob = cfs_key_file_public_blob(key, &length);
    char *comment CFS_AUTO_FREE = conversion->comment ? strdup(conversion->comment) : cfs_key_file_comment(key);
    char *line CFS_AUTO_FREE = comment ? cfs_key_write_public(blob, length, comment) : NULL;
    if (!line)
        return cfs_key_fail_memory(conversion->error);
    int result = write_key(conversion, key, comment, passphrase);
    if (result == 0)
        result = write_public(conversion, line);
    if (result == 0)
        puts(line);
    return result;
}

static int convert(struct conversion *conversion, const char *to)
{
    struct cfs_key_file *key CFS_CLEANUP(cfs_key_file_free) = NULL;
    char *passphrase CFS_CLEANUP(cfs_secret_free) = NULL;
    int result = cfs_key_file_open(conversion->from, &key, conversion->error);
    if (result == 0)
        result = name_outputs(conversion, to);
    if (result == 0)
        result = check_outputs(conversion, key);
    if (result == 0)
        result = cfs_key_file_unlock(key, NULL, cfs_terminal_prompter(), conversion->error);
    if (result == 0 && !conversion->in_the_clear)
        result = ask_passphrase(conversion, &passphrase);
    return result < 0 ? result : write_both(conversion, key, passphrase);
}

/* --- the command --- */

static int run(int argc, char **argv)
{
    static const struct option long_options[] = {{"no-passphrase", no_argument, NULL, 'n'},
                                                 {"comment", required_argument, NULL, 'C'},
                                                 {"force", no_argument, NULL, 'f'},
                                                 {"help", no_argument, NULL, 'h'},
                                                 {0}};
    struct cfs_error error = {0};
    struct conversion conversion = {.error = &error};
    int option;
    opterr = 0;
    while ((option = getopt_long(argc, argv, "C:fh", long_options, NULL)) != -1) {
        if (option == 'n')
            conversion.in_the_clear = true;
        else if (option == 'C')
            conversion.comment = optarg;
        else if (option == 'f')
            conversion.replace = true;
        else if (option == 'h')
            return cfs_print_help(&cfs_key_convert);
        else
            return cfs_option_error(&cfs_key_convert, argv);
    }
    if (argc - optind < 1 || argc - optind > 2)
        return cfs_usage_error(&cfs_key_convert, "One key to be converted is needed, and at most one name for the new");
    if (conversion.comment && strpbrk(conversion.comment, "\r\n"))
        return cfs_usage_error(&cfs_key_convert, "The comment is more than a line");
    conversion.from = argv[optind];
    int result = convert(&conversion, argv[optind + 1]); /* NULL at the end of argv */
    free(conversion.to);
    free(conversion.public_name);
    return result < 0 ? cfs_report(&error) : 0;
}

const struct cfs_command cfs_key_convert = {
    .name = "key convert",
    .arguments = "[--no-passphrase] [--comment TEXT] [--force] IN [OUT]",
    .summary = "Write a PuTTY or PEM key in OpenSSH's form, for ssh and others",
    .help = "      --no-passphrase   the new file is not encrypted; else its passphrase is asked for twice\n"
            "  -C, --comment TEXT    instead of the comment that the key has\n"
            "  -f, --force           replace what is there\n"
            "\n"
            "OUT is IN without .ppk, .pem or .key if it is not given. OUT.pub gets the public key, which is printed,\n"
            "too. IN stays as it is. (clusterfs itself uses such keys as they are: identity_file = IN.)\n",
    .run = run,
};

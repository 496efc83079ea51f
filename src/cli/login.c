/* `clusterfs login`: has a mount that has lost its connection log in now, also where it does not try by itself any
 * more: the mount's process asks, through its control socket, and the person here answers. */
#include "base/text.h"
#include "cli/cli.h"
#include "cli/mountpoint.h"
#include "cli/terminal.h"
#include "ctl/control.h"
#include "ctl/dialog.h"
#include <errno.h>
#include <getopt.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>

enum { CONNECT_LIMIT_MS = 5000, SILENCE_LIMIT_MS = 20 * 60 * 1000 };

static void free_secret(char *text, size_t length)
{
    if (text)
        explicit_bzero(text, length);
    free(text);
}

static int answer(int fd, enum cfs_dialog_type type, const char *text)
{
    struct cfs_prompter *prompter = cfs_terminal_prompter();
    char *answer CFS_CLEANUP(cfs_secret_free) = NULL;
    int result;
    if (type == CFS_DIALOG_CONFIRM) {
        result = prompter->confirm(prompter, text);
        const char *word = result > 0 ? "yes" : "no";
        return cfs_dialog_send(fd, result < 0 ? CFS_DIALOG_GIVEN_UP : CFS_DIALOG_ANSWER, word, strlen(word));
    }
    result = prompter->ask(prompter, text, type == CFS_DIALOG_ASK, &answer);
    if (result < 0)
        return cfs_dialog_send(fd, CFS_DIALOG_GIVEN_UP, "", 0);
    return cfs_dialog_send(fd, CFS_DIALOG_ANSWER, answer, strlen(answer));
}

/* The last message. */
static int finish(enum cfs_dialog_type type, const char *text, const char *mountpoint, struct cfs_error *error)
{
    if (type == CFS_DIALOG_DONE) {
        printf("%s is connected%s%s%s.\n", mountpoint, *text ? " (" : "", text, *text ? ")" : "");
        return 0;
    }
    if (type != CFS_DIALOG_FAILED || !*text)
        return cfs_error_set(error, EPROTO, CFS_FAILURE_SYSTEM, "The process of %s does not know how to log in.",
                             mountpoint);
    enum cfs_failure failure = (enum cfs_failure)(unsigned char)text[0];
    return cfs_error_set(error, EACCES, failure > CFS_FAILURE_DATA ? CFS_FAILURE_SYSTEM : failure, "%s", text + 1);
}

/* 1: it goes on. */
static int take_message(int fd, const char *mountpoint, struct cfs_error *error)
{
    enum cfs_dialog_type type;
    char *text = NULL;
    size_t length = 0;
    int result = cfs_dialog_receive(fd, SILENCE_LIMIT_MS, &type, &text, &length);
    if (result == -ETIMEDOUT)
        return cfs_error_set(error, ETIMEDOUT, CFS_FAILURE_TIMEOUT, "The process of %s does not answer.", mountpoint);
    if (result < 0)
        return cfs_error_set(error, -result, CFS_FAILURE_LOST, "The process of %s has gone.", mountpoint);
    cfs_text_make_printable(type == CFS_DIALOG_FAILED && length > 0 ? text + 1 : text, true);
    bool asks = type == CFS_DIALOG_ASK || type == CFS_DIALOG_ASK_SECRET || type == CFS_DIALOG_CONFIRM;
    if (asks && answer(fd, type, text) < 0)
        asks = false; /* it has gone: the next message is its end */
    if (type == CFS_DIALOG_TELL)
        fprintf(stderr, "%s\n", text);
    result = asks || type == CFS_DIALOG_TELL ? 1 : finish(type, text, mountpoint, error);
    free_secret(text, length);
    return result;
}

static int no_process(const char *mountpoint, int result, struct cfs_error *error)
{
    if (result == -EACCES || result == -EPERM)
        return cfs_error_set(error, EPERM, CFS_FAILURE_MOUNT, "%s is another user's mount.", mountpoint);
    return cfs_error_set(error, -result, CFS_FAILURE_MOUNT, "No process of clusterfs answers for %s: %s.", mountpoint,
                         strerror(-result));
}

/* Of what is not mounted any more, a process may still have something to write. */
static int log_in(const char *mountpoint, uid_t uid, bool is_mounted, struct cfs_error *error)
{
    struct cfs_prompter *prompter = cfs_terminal_prompter();
    const char *request = prompter->can_ask(prompter) ? "login ask\n" : "login\n";
    char *path CFS_AUTO_FREE = NULL;
    int result = cfs_control_path(mountpoint, uid, false, &path);
    int fd CFS_AUTO_CLOSE = result ? -1 : cfs_control_connect(path, CONNECT_LIMIT_MS);
    if (fd < 0 && !is_mounted)
        return cfs_error_set(error, EINVAL, CFS_FAILURE_MOUNT, "No clusterfs is mounted on %s.", mountpoint);
    if (fd < 0)
        return no_process(mountpoint, result ? result : fd, error);
    if (send(fd, request, strlen(request), MSG_NOSIGNAL) < 0)
        return no_process(mountpoint, -errno, error);
    do
        result = take_message(fd, mountpoint, error);
    while (result > 0);
    return result;
}

static int find_and_log_in(const char *path, struct cfs_error *error)
{
    char *mountpoint CFS_AUTO_FREE = cfs_mountpoint_resolve(path);
    struct cfs_mounted_list list;
    if (!mountpoint)
        return cfs_error_set(error, ENOENT, CFS_FAILURE_MOUNT, "There is no folder %s.", path);
    int result = cfs_mounted_read(NULL, &list);
    if (result)
        return cfs_error_set(error, -result, CFS_FAILURE_SYSTEM, "Cannot read /proc/self/mountinfo: %s.",
                             strerror(-result));
    const struct cfs_mounted *mounted = cfs_mounted_find(&list, mountpoint);
    result = log_in(mountpoint, mounted ? mounted->uid : geteuid(), mounted, error);
    cfs_mounted_free(&list);
    return result;
}

static int run(int argc, char **argv)
{
    static const struct option long_options[] = {{"help", no_argument, NULL, 'h'}, {0}};
    struct cfs_error error = {0};
    int option;
    opterr = 0;
    while ((option = getopt_long(argc, argv, "h", long_options, NULL)) != -1) {
        if (option == 'h')
            return cfs_print_help(&cfs_command_login);
        return cfs_option_error(&cfs_command_login, argv);
    }
    if (argc - optind != 1)
        return cfs_usage_error(&cfs_command_login, "One MOUNTPOINT is needed");
    return find_and_log_in(argv[optind], &error) ? cfs_report(&error) : 0;
}

const struct cfs_command cfs_command_login = {
    .name = "login",
    .arguments = "MOUNTPOINT",
    .summary = "Let a mount that has lost its connection log in now",
    .help =
        "It is for mounts whose server has refused the login, or asks for a password, a code or a passphrase: such\n"
        "a login is not repeated by itself. What is asked for is asked here, and the mount goes on where it was.\n"
        "Of any other mount that has lost its connection the next attempt is made at once.\n",
    .run = run,
};

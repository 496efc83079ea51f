/* `clusterfs status`: asks each of our mounts, through its control socket, and never touches the mount itself, which
 * may hang. */
#include "base/text.h"
#include "cli/cli.h"
#include "cli/mountpoint.h"
#include "ctl/control.h"
#include "ctl/json.h"
#include <errno.h>
#include <getopt.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>

enum { ASK_LIMIT_MS = 5000, WATCH_MS = 1000 };

/* What is wanted. A line is what is printed again and again where there is no terminal. */
enum form { FORM_TEXT, FORM_JSON, FORM_LINE };

static const char *const requests[] = {
    [FORM_TEXT] = "status",
    [FORM_JSON] = "status json",
    [FORM_LINE] = "status line",
};

static int ask(const struct cfs_mounted *mounted, enum form form, struct cfs_buffer *answer)
{
    char *path CFS_AUTO_FREE = NULL;
    int error = cfs_control_path(mounted->mountpoint, mounted->uid, false, &path);
    if (error)
        return error;
    int fd CFS_AUTO_CLOSE = cfs_control_connect(path, ASK_LIMIT_MS);
    return fd < 0 ? fd : cfs_control_ask(fd, requests[form], answer);
}

static bool is_foreign(int error)
{
    return error == -EACCES || error == -EPERM;
}

/* TEXT may be another user's choice. */
static void add_line(struct cfs_buffer *out, const char *label, const char *text)
{
    char *line CFS_AUTO_FREE = cfs_text_format("%s%s", label, text);
    if (!line) {
        out->failed = true;
        return;
    }
    cfs_text_make_printable(line, false);
    cfs_buffer_add(out, line, strlen(line));
    cfs_buffer_add_u8(out, '\n');
}

/* What can be said of a mount that does not answer. */
static void silent(const struct cfs_mounted *mounted, int error, enum form form, struct cfs_buffer *answer)
{
    const char *state = is_foreign(error)                                ? "not yours to ask"
                        : error == -ETIMEDOUT                            ? "does not answer"
                        : error == -ENOENT                               ? "not known: it has no control socket"
                        : error == -ECONNRESET || error == -ECONNREFUSED ? "its process is gone"
                                                                         : "cannot be asked";
    cfs_buffer_clear(answer);
    if (form == FORM_JSON) {
        struct cfs_json writer = cfs_json_over(answer);
        cfs_json_open_object(&writer, NULL);
        cfs_json_text(&writer, "mountpoint", mounted->mountpoint);
        cfs_json_text(&writer, "source", mounted->source);
        cfs_json_text(&writer, "state", state);
        cfs_json_close_object(&writer);
        cfs_buffer_add_u8(answer, '\n');
    } else if (form == FORM_LINE) {
        add_line(answer, "", mounted->mountpoint);
        if (!answer->failed)
            answer->length--;
        add_line(answer, ": ", state);
    } else {
        add_line(answer, "", mounted->mountpoint);
        add_line(answer, "  source        ", mounted->source);
        add_line(answer, "  state         ", state);
    }
}

/* 0 when it answered. */
static int show(const struct cfs_mounted *mounted, enum form form)
{
    struct cfs_buffer answer CFS_AUTO_BUFFER;
    cfs_buffer_init(&answer);
    int error = ask(mounted, form, &answer);
    if (error)
        silent(mounted, error, form, &answer);
    if (answer.failed)
        return -ENOMEM;
    fwrite(answer.bytes, 1, answer.length, stdout);
    return error;
}

static int show_all(const struct cfs_mounted_list *list, enum form form)
{
    bool json = form == FORM_JSON;
    int error = 0;
    if (json)
        printf("[");
    for (size_t i = 0; i < list->count; i++) {
        if (json && i > 0)
            printf(",");
        int result = show(&list->mounts[i], form);
        if (!error && !is_foreign(result)) /* other users' mounts are not our trouble */
            error = result;
    }
    if (json)
        printf("]\n");
    else if (list->count == 0)
        printf("No clusterfs is mounted.\n");
    return error ? cfs_failure_exit_code(CFS_FAILURE_LOST) : 0;
}

static int show_one(const struct cfs_mounted_list *list, const char *path, enum form form)
{
    struct cfs_error error = {0};
    char *mountpoint CFS_AUTO_FREE = cfs_mountpoint_resolve(path);
    const struct cfs_mounted *mounted = mountpoint ? cfs_mounted_find(list, mountpoint) : NULL;
    if (mounted)
        return show(mounted, form) ? cfs_failure_exit_code(CFS_FAILURE_LOST) : 0;
    cfs_error_set(&error, EINVAL, CFS_FAILURE_MOUNT, "No clusterfs is mounted on %s.", mountpoint ? mountpoint : path);
    return cfs_report(&error);
}

/* PATH: of one mount; NULL: all. Returns the exit code. */
static int show_wanted(const char *path, enum form form)
{
    struct cfs_mounted_list list;
    int result = cfs_mounted_read(NULL, &list);
    if (result) {
        struct cfs_error error = {0};
        cfs_error_set(&error, -result, CFS_FAILURE_SYSTEM, "Cannot read /proc/self/mountinfo: %s.", strerror(-result));
        return cfs_report(&error);
    }
    result = path ? show_one(&list, path, form) : show_all(&list, form);
    cfs_mounted_free(&list);
    return result;
}

/* Each second, until the one mount has gone, or nobody reads. */
static int watch(const char *path, enum form form)
{
    bool redraw = form == FORM_TEXT && isatty(STDOUT_FILENO);
    if (form == FORM_TEXT && !redraw)
        form = FORM_LINE;
    for (;;) {
        if (redraw)
            fputs("\033[H\033[2J", stdout);
        int code = show_wanted(path, form);
        if ((path && code) || fflush(stdout) == EOF)
            return code;
        (void)!poll(NULL, 0, WATCH_MS);
    }
}

static int run(int argc, char **argv)
{
    static const struct option long_options[] = {
        {"json", no_argument, NULL, 'j'}, {"watch", no_argument, NULL, 'w'}, {"help", no_argument, NULL, 'h'}, {0}};
    enum form form = FORM_TEXT;
    bool watches = false;
    int option;
    opterr = 0;
    while ((option = getopt_long(argc, argv, "jwh", long_options, NULL)) != -1) {
        switch (option) {
        case 'j':
            form = FORM_JSON;
            break;
        case 'w':
            watches = true;
            break;
        case 'h':
            return cfs_print_help(&cfs_command_status);
        default:
            return cfs_option_error(&cfs_command_status, argv);
        }
    }
    if (argc - optind > 1)
        return cfs_usage_error(&cfs_command_status, "At most one MOUNTPOINT can be given");
    const char *path = argc > optind ? argv[optind] : NULL;
    return watches ? watch(path, form) : show_wanted(path, form);
}

const struct cfs_command cfs_command_status = {
    .name = "status",
    .arguments = "[--json] [--watch] [MOUNTPOINT]",
    .summary = "Tell how a mount, or each, is doing",
    .help = "  -j, --json   for programs: an object for MOUNTPOINT, an array of them without\n"
            "  -w, --watch  again each second, until MOUNTPOINT is gone; a line each where there is no terminal\n",
    .run = run,
};

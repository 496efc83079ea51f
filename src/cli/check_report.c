/* What the doctor has found, as lines and as JSON. Text of the server's and of the system's is made printable where the
 * sentences are made (base/error.h) and once more here. */
#include "base/text.h"
#include "cli/check.h"
#include "ctl/json.h"
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

enum { MARK_WIDTH = 12, NAME_WIDTH = 14 };

static const struct {
    const char *name; /* in JSON */
    const char *title;
} steps[CFS_CHECK_STEPS] = {
    [CFS_CHECK_CONFIGURATION] = {"configuration", "configuration"},
    [CFS_CHECK_MOUNT_POINT] = {"mount-point", "mount point"},
    [CFS_CHECK_NAME] = {"name", "name lookup"},
    [CFS_CHECK_CONNECTION] = {"connection", "connection"},
    [CFS_CHECK_SERVER] = {"server", "SSH server"},
    [CFS_CHECK_ALGORITHMS] = {"algorithms", "algorithms"},
    [CFS_CHECK_HOST_KEY] = {"host-key", "host key"},
    [CFS_CHECK_KEY_FILES] = {"key-files", "key files"},
    [CFS_CHECK_AGENT] = {"agent", "agent"},
    [CFS_CHECK_LOGIN] = {"login", "login"},
    [CFS_CHECK_SFTP] = {"sftp", "SFTP"},
    [CFS_CHECK_EXTENSIONS] = {"extensions", "extensions"},
    [CFS_CHECK_FOLDER] = {"folder", "work folder"},
    [CFS_CHECK_READING] = {"reading", "reading"},
    [CFS_CHECK_SPACE] = {"space", "free space"},
    [CFS_CHECK_WRITING] = {"writing", "writing"},
    [CFS_CHECK_CLOCK] = {"clock", "clock"},
    [CFS_CHECK_SPEED] = {"speed", "speed"},
    [CFS_CHECK_FUSE] = {"fuse", "FUSE"},
};

static const char *const marks[] = {
    [CFS_CHECK_NOT_REACHED] = "not reached",
    [CFS_CHECK_OK] = "ok",
    [CFS_CHECK_WARNING] = "warning",
    [CFS_CHECK_FAILED] = "FAILURE",
};

static const char *const json_marks[] = {
    [CFS_CHECK_NOT_REACHED] = "not-reached",
    [CFS_CHECK_OK] = "ok",
    [CFS_CHECK_WARNING] = "warning",
    [CFS_CHECK_FAILED] = "failure",
};

/* --- keeping --- */

/* Without memory nothing is said; the mark stays. */
static char *format_text(const char *format, va_list arguments) CFS_PRINTF(1, 0);
static char *format_text(const char *format, va_list arguments)
{
    char *text = NULL;
    if (vasprintf(&text, format, arguments) < 0)
        return NULL;
    cfs_text_make_printable(text, true);
    return text;
}

static void set(struct cfs_check *check, enum cfs_check_step step, enum cfs_check_mark mark, enum cfs_failure failure,
                char *text)
{
    struct cfs_check_finding *finding = &check->findings[step];
    free(finding->text);
    finding->mark = mark;
    finding->failure = failure;
    finding->text = text;
}

void cfs_check_say(struct cfs_check *check, enum cfs_check_step step, enum cfs_check_mark mark, const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    set(check, step, mark, CFS_FAILURE_NONE, format_text(format, arguments));
    va_end(arguments);
}

void cfs_check_fail(struct cfs_check *check, enum cfs_check_step step, const struct cfs_error *error)
{
    set(check, step, CFS_CHECK_FAILED, error->failure, strdup(error->text));
}

void cfs_check_hint(struct cfs_check *check, enum cfs_check_step step, const char *format, ...)
{
    struct cfs_check_finding *finding = &check->findings[step];
    va_list arguments;
    va_start(arguments, format);
    char *hint = format_text(format, arguments);
    va_end(arguments);
    if (hint && finding->hint) {
        char *both = cfs_text_format("%s\n%s", finding->hint, hint);
        free(hint);
        hint = both;
    }
    if (!hint)
        return;
    free(finding->hint);
    finding->hint = hint;
}

void cfs_check_fini(struct cfs_check *check)
{
    for (size_t i = 0; i < CFS_CHECK_STEPS; i++) {
        free(check->findings[i].text);
        free(check->findings[i].hint);
    }
    free(check->prepared);
    free(check->public_lines);
    cfs_profile_free(check->profile);
}

/* --- lines --- */

/* Each line of TEXT below the first. */
static void print_below(const char *text)
{
    while (*text) {
        size_t length = strcspn(text, "\n");
        printf("%*s%.*s\n", MARK_WIDTH + NAME_WIDTH, "", (int)length, text);
        text += length + (text[length] == '\n');
    }
}

static void print_step(const struct cfs_check_finding *finding, const char *title)
{
    const char *text = finding->text ? finding->text : "";
    size_t length = strcspn(text, "\n");
    printf("%-*s%-*s%.*s\n", MARK_WIDTH, marks[finding->mark], length ? NAME_WIDTH : 0, title, (int)length, text);
    if (text[length] == '\n')
        print_below(text + length + 1);
    if (finding->hint)
        print_below(finding->hint);
}

static bool is_told(const struct cfs_check *check, enum cfs_check_step step)
{
    return step != CFS_CHECK_MOUNT_POINT || check->mountpoint;
}

void cfs_check_tell(struct cfs_check *check, enum cfs_check_step step)
{
    if (check->json)
        return;
    for (; check->told <= step; check->told++)
        if (is_told(check, check->told))
            print_step(&check->findings[check->told], steps[check->told].title);
    fflush(stdout);
}

/* --- JSON --- */

static void add_measures(struct cfs_json *json, const struct cfs_check_measures *measures)
{
    const struct {
        const char *key;
        int64_t value;
    } rows[] = {
        {"round_trip_us", measures->round_trip_us},
        {"written_bytes_per_s", measures->written_per_s},
        {"read_bytes_per_s", measures->read_per_s},
        {"free_bytes", measures->free_bytes},
    };
    cfs_json_open_object(json, "measured");
    for (size_t i = 0; i < CFS_COUNT(rows); i++)
        if (rows[i].value >= 0)
            cfs_json_number(json, rows[i].key, (uint64_t)rows[i].value);
    int64_t ahead_s = measures->clock_ahead_s;
    if (measures->clock_is_known)
        cfs_json_number(json, ahead_s < 0 ? "clock_behind_s" : "clock_ahead_s",
                        (uint64_t)(ahead_s < 0 ? -ahead_s : ahead_s));
    cfs_json_close_object(json);
}

static void add_step(struct cfs_json *json, const struct cfs_check_finding *finding, const char *name)
{
    cfs_json_open_object(json, NULL);
    cfs_json_text(json, "step", name);
    cfs_json_text(json, "mark", json_marks[finding->mark]);
    if (finding->failure)
        cfs_json_text(json, "failure", cfs_failure_name(finding->failure));
    if (finding->text)
        cfs_json_text(json, "text", finding->text);
    if (finding->hint)
        cfs_json_text(json, "hint", finding->hint);
    cfs_json_close_object(json);
}

static int print_json(const struct cfs_check *check, int code)
{
    struct cfs_buffer out CFS_AUTO_BUFFER;
    cfs_buffer_init(&out);
    struct cfs_json json = cfs_json_over(&out);
    cfs_json_open_object(&json, NULL);
    cfs_json_text(&json, "source", check->source);
    cfs_json_text(&json, "profile", check->profile ? check->profile->name : NULL);
    cfs_json_number(&json, "exit_code", (uint64_t)code);
    cfs_json_open_array(&json, "steps");
    for (size_t i = 0; i < CFS_CHECK_STEPS; i++)
        if (is_told(check, (enum cfs_check_step)i))
            add_step(&json, &check->findings[i], steps[i].name);
    cfs_json_close_array(&json);
    add_measures(&json, &check->measures);
    cfs_json_close_object(&json);
    cfs_buffer_add_u8(&out, '\n');
    if (out.failed)
        return cfs_failure_exit_code(CFS_FAILURE_SYSTEM);
    fwrite(out.bytes, 1, out.length, stdout);
    return code;
}

/* --- the end --- */

static unsigned count(const struct cfs_check *check, enum cfs_check_mark mark)
{
    unsigned number = 0;
    for (size_t i = 0; i < CFS_CHECK_STEPS; i++)
        number += is_told(check, (enum cfs_check_step)i) && check->findings[i].mark == mark;
    return number;
}

int cfs_check_conclude(struct cfs_check *check)
{
    enum cfs_failure first = CFS_FAILURE_NONE;
    for (size_t i = CFS_CHECK_STEPS; i-- > 0;)
        if (check->findings[i].mark == CFS_CHECK_FAILED)
            first = check->findings[i].failure;
    int code = cfs_failure_exit_code(first);
    if (check->json)
        return print_json(check, code);
    cfs_check_tell(check, CFS_CHECK_STEPS - 1);
    unsigned failed = count(check, CFS_CHECK_FAILED), warned = count(check, CFS_CHECK_WARNING);
    if (failed + warned == 0)
        printf("All is well.\n");
    else
        printf("%u failure%s, %u warning%s.\n", failed, failed == 1 ? "" : "s", warned, warned == 1 ? "" : "s");
    return code;
}

/* Failures for people. The text is formatted aside and then copied, so that an error may be wrapped with its own text
 * as an argument. What must always hold: the text ends within its buffer, holds no control character but newline, and
 * is not cut inside a UTF-8 character. */
#include "base/error.h"

#include "base/text.h"
#include <stdarg.h>
#include <stdint.h>
#include <string.h>

/* The exit codes are part of the command's interface: clusterfs(1) documents them, scripts test them. */
static const struct {
    int exit_code;
    const char *name;
} failures[] = {
    [CFS_FAILURE_NONE] = {0, "none"},
    [CFS_FAILURE_USAGE] = {2, "usage"},
    [CFS_FAILURE_SYSTEM] = {3, "system"},
    [CFS_FAILURE_CONFIG] = {10, "config"},
    [CFS_FAILURE_NAME] = {11, "name"},
    [CFS_FAILURE_CONNECT] = {12, "connect"},
    [CFS_FAILURE_TIMEOUT] = {13, "timeout"},
    [CFS_FAILURE_PROTOCOL] = {14, "protocol"},
    [CFS_FAILURE_HOST_KEY] = {15, "host-key"},
    [CFS_FAILURE_KEY_FILE] = {16, "key-file"},
    [CFS_FAILURE_LOGIN] = {17, "login"},
    [CFS_FAILURE_NO_SFTP] = {18, "no-sftp"},
    [CFS_FAILURE_REMOTE_PATH] = {19, "remote-path"},
    [CFS_FAILURE_MOUNT] = {20, "mount"},
    [CFS_FAILURE_BUSY] = {21, "busy"},
    [CFS_FAILURE_LOST] = {22, "lost"},
    [CFS_FAILURE_CANCELLED] = {23, "cancelled"},
    [CFS_FAILURE_DATA] = {24, "data"},
};

/* Takes the beginning of a UTF-8 character off the end of a text that was cut. */
static void drop_partial_character(char *text, size_t length)
{
    size_t continuation = 0;
    while (continuation < length && continuation < 3 && ((unsigned char)text[length - 1 - continuation] & 0xc0) == 0x80)
        continuation++;
    if (continuation >= length)
        return;
    unsigned char lead = (unsigned char)text[length - 1 - continuation];
    size_t wanted = lead >= 0xf0 ? 3 : lead >= 0xe0 ? 2 : lead >= 0xc0 ? 1 : 0;
    if (continuation < wanted)
        text[length - 1 - continuation] = '\0';
}

/* Formats into TEXT, SIZE bytes at most, by the rules of error.h. */
static void format_text(char *text, size_t size, const char *format, va_list arguments) CFS_PRINTF(3, 0);
static void format_text(char *text, size_t size, const char *format, va_list arguments)
{
    int length = vsnprintf(text, size, format, arguments);
    if (length < 0)
        text[0] = '\0';
    else if ((size_t)length >= size)
        drop_partial_character(text, size - 1);
    cfs_text_make_printable(text, true);
}

int cfs_error_set(struct cfs_error *error, int errno_value, enum cfs_failure failure, const char *format, ...)
{
    if (error) {
        char text[CFS_ERROR_TEXT];
        va_list arguments;
        va_start(arguments, format);
        format_text(text, sizeof(text), format, arguments);
        va_end(arguments);
        error->failure = failure;
        memcpy(error->text, text, strlen(text) + 1);
    }
    return -errno_value;
}

void cfs_error_append(struct cfs_error *error, const char *format, ...)
{
    if (!error)
        return;
    size_t length = strnlen(error->text, sizeof(error->text) - 1);
    char text[CFS_ERROR_TEXT];
    va_list arguments;
    va_start(arguments, format);
    format_text(text, sizeof(text) - length, format, arguments);
    va_end(arguments);
    memcpy(error->text + length, text, strlen(text) + 1);
}

int cfs_failure_exit_code(enum cfs_failure failure)
{
    return (size_t)failure < CFS_COUNT(failures) ? failures[failure].exit_code : failures[CFS_FAILURE_SYSTEM].exit_code;
}

const char *cfs_failure_name(enum cfs_failure failure)
{
    return (size_t)failure < CFS_COUNT(failures) ? failures[failure].name : failures[CFS_FAILURE_SYSTEM].name;
}

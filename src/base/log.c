/* The log. A line is put together in a buffer of its own and leaves with one write, so that lines of several threads
 * and processes do not mix. The sink and the profile's name are under one lock; the level is read without it, because
 * it is asked for far more often than anything is logged. */
#include "base/log.h"

#include "base/text.h"
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <string.h>
#include <syslog.h>
#include <time.h>

enum { LINE_SIZE = 4096, NAME_SIZE = 128 };
enum sink { SINK_STDERR, SINK_FILE, SINK_SYSLOG };

static const struct {
    const char *name;
    int priority; /* syslog(3) */
} levels[] = {
    [CFS_LOG_ERROR] = {"error", LOG_ERR},
    [CFS_LOG_WARNING] = {"warning", LOG_WARNING},
    [CFS_LOG_INFO] = {"info", LOG_INFO},
    [CFS_LOG_DEBUG] = {"debug", LOG_DEBUG},
};

static atomic_int current_level = CFS_LOG_WARNING;

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static enum sink sink = SINK_STDERR; /* lock */
static int file = -1;                /* lock; open while the sink is a file */
static char profile_name[NAME_SIZE]; /* lock */
static char syslog_ident[NAME_SIZE]; /* lock; openlog(3) keeps the pointer */

void cfs_log_set_level(enum cfs_log_level level)
{
    atomic_store_explicit(&current_level, (int)level, memory_order_relaxed);
}

int cfs_log_enabled(enum cfs_log_level level)
{
    return (int)level <= atomic_load_explicit(&current_level, memory_order_relaxed);
}

void cfs_log_set_profile(const char *profile)
{
    pthread_mutex_lock(&lock);
    snprintf(profile_name, sizeof(profile_name), "%s", profile ? profile : "");
    cfs_text_make_printable(profile_name, false);
    pthread_mutex_unlock(&lock);
}

/* With the lock held. NEW_FILE is the sink's, -1 if it is none. */
static void set_sink_locked(enum sink new_sink, int new_file)
{
    if (file >= 0)
        close(file);
    if (sink == SINK_SYSLOG && new_sink != SINK_SYSLOG)
        closelog();
    sink = new_sink;
    file = new_file;
}

void cfs_log_to_stderr(void)
{
    pthread_mutex_lock(&lock);
    set_sink_locked(SINK_STDERR, -1);
    pthread_mutex_unlock(&lock);
}

void cfs_log_to_syslog(const char *ident)
{
    pthread_mutex_lock(&lock);
    set_sink_locked(SINK_SYSLOG, -1);
    snprintf(syslog_ident, sizeof(syslog_ident), "%s", ident);
    openlog(syslog_ident, LOG_PID, LOG_DAEMON);
    pthread_mutex_unlock(&lock);
}

int cfs_log_to_file(const char *path)
{
    int opened = open(path, O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC | O_NOCTTY, 0600);
    if (opened < 0)
        return -errno;
    pthread_mutex_lock(&lock);
    set_sink_locked(SINK_FILE, opened);
    pthread_mutex_unlock(&lock);
    return 0;
}

/* Writes the whole line; what cannot be written is lost: there is nobody to tell. */
static void write_line(int fd, const char *line, size_t length)
{
    while (length > 0) {
        ssize_t written = write(fd, line, length);
        if (written < 0 && errno == EINTR)
            continue;
        if (written <= 0)
            return;
        line += written;
        length -= (size_t)written;
    }
}

/* "2026-11-21T13:40:00.123Z ": how many bytes. */
static size_t format_time(char *buffer, size_t size)
{
    struct timespec now = {0};
    struct tm utc = {0};
    clock_gettime(CLOCK_REALTIME, &now);
    gmtime_r(&now.tv_sec, &utc);
    size_t length = strftime(buffer, size, "%Y-%m-%dT%H:%M:%S", &utc);
    int rest = snprintf(buffer + length, size - length, ".%03ldZ ", now.tv_nsec / 1000000);
    return length + (size_t)rest;
}

/* With the lock held. */
static void emit_locked(enum cfs_log_level level, const char *source, const char *text)
{
    const char *opening = profile_name[0] ? "[" : "", *closing = profile_name[0] ? "]" : "";
    if (sink == SINK_SYSLOG) {
        syslog(levels[level].priority, "%s %s%s%s%s: %s", levels[level].name, source, opening, profile_name, closing,
               text);
        return;
    }
    char line[LINE_SIZE + NAME_SIZE * 2];
    size_t length = sink == SINK_FILE ? format_time(line, 64) : 0;
    int rest = snprintf(line + length, sizeof(line) - length, "%s %s%s%s%s: %s\n", levels[level].name, source, opening,
                        profile_name, closing, text);
    if (rest < 0)
        return;
    length += (size_t)rest;
    if (length >= sizeof(line)) {
        length = sizeof(line) - 1;
        line[length - 1] = '\n';
    }
    write_line(sink == SINK_FILE ? file : STDERR_FILENO, line, length);
}

void cfs_log(enum cfs_log_level level, const char *source, const char *format, ...)
{
    if ((size_t)level >= CFS_COUNT(levels) || !cfs_log_enabled(level))
        return;
    int saved_errno = errno;
    char text[LINE_SIZE];
    va_list arguments;
    va_start(arguments, format);
    int length = vsnprintf(text, sizeof(text), format, arguments);
    va_end(arguments);
    if (length >= 0) {
        if ((size_t)length >= sizeof(text))
            memcpy(text + sizeof(text) - 4, "...", 4);
        /* What a failure says to a person may have several lines; here it is one. */
        for (char *newline = text; (newline = strchr(newline, '\n'));)
            *newline = ' ';
        cfs_text_make_printable(text, false);
        pthread_mutex_lock(&lock);
        emit_locked(level, source, text);
        pthread_mutex_unlock(&lock);
    }
    errno = saved_errno;
}

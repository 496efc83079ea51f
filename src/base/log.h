/* The log: one line an event, `LEVEL source[profile]: text`, to stderr, syslog or a file (there with the time, UTC,
 * before it). One line for one failure, written where the decision is taken. Secrets are never formatted. Any thread
 * may log. */
#ifndef CFS_BASE_LOG_H
#define CFS_BASE_LOG_H

#include "base/cleanup.h"

enum cfs_log_level { CFS_LOG_ERROR, CFS_LOG_WARNING, CFS_LOG_INFO, CFS_LOG_DEBUG };

/* Lines above LEVEL are dropped. Default: warning, to stderr. */
void cfs_log_set_level(enum cfs_log_level level);
int cfs_log_enabled(enum cfs_log_level level);
/* The profile's name, shown in each line; copied; NULL for none. */
void cfs_log_set_profile(const char *profile);
void cfs_log_to_stderr(void);
void cfs_log_to_syslog(const char *ident);
/* Appends to a file (0600, created). -errno on failure, and the sink stays as it was. */
CFS_CHECKED int cfs_log_to_file(const char *path);

/* SOURCE is the room's name: "ssh", "sftp", "pool", "fuse". Control characters in the text become
 * '?', a newline a space; a line beyond 4 kB is cut. Keeps errno. */
void cfs_log(enum cfs_log_level level, const char *source, const char *format, ...) CFS_PRINTF(3, 4);

#define cfs_log_error(source, ...)   cfs_log(CFS_LOG_ERROR, source, __VA_ARGS__)
#define cfs_log_warning(source, ...) cfs_log(CFS_LOG_WARNING, source, __VA_ARGS__)
#define cfs_log_info(source, ...)    cfs_log(CFS_LOG_INFO, source, __VA_ARGS__)
#define cfs_log_debug(source, ...)                                                                                     \
    do {                                                                                                               \
        if (cfs_log_enabled(CFS_LOG_DEBUG))                                                                            \
            cfs_log(CFS_LOG_DEBUG, source, __VA_ARGS__);                                                               \
    } while (0)

#endif

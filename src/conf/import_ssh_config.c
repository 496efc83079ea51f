/* The shortcuts of ssh_config(5): a profile for each host that a Host line names in full. The profile says the shortcut
 * and, if it is not one of the usual files, the file; what the shortcut means is looked up there at each mount, so that
 * it is written in one place only. Names with wildcards are rules, not hosts, and are passed over. */
#include "conf/import_priv.h"

#include "conf/profile_edit.h"
#include "conf/ssh_config_line.h"
#include "conf/words.h"
#include <errno.h>
#include <string.h>

struct reading {
    struct cfs_import *import;
    size_t first; /* the sites before it are of other files */
    char *file;   /* the option ssh_config of each; NULL: its default */
};

static bool is_known(const struct reading *reading, const char *host)
{
    for (size_t i = reading->first; i < reading->import->count; i++)
        if (strcmp(reading->import->sites[i].title, host) == 0)
            return true;
    return false;
}

static void take_hosts(struct reading *reading, char *const *patterns)
{
    for (; *patterns; patterns++) {
        if (!**patterns || strpbrk(*patterns, "*?!") || is_known(reading, *patterns))
            continue;
        struct cfs_import_site *site = cfs_import_begin(reading->import, *patterns);
        cfs_import_set(reading->import, site, "host", *patterns);
        cfs_import_set(reading->import, site, "ssh_config", reading->file);
        cfs_import_end(reading->import, site);
    }
}

static void skip_included(struct reading *reading, char *const *files)
{
    for (; *files; files++) {
        struct cfs_import_site *site = cfs_import_begin(reading->import, *files);
        cfs_import_skip(reading->import, site, "only the hosts of one file are taken; name this file to take its own");
    }
}

static int take_line(struct reading *reading, const char *text, const char **ret_reason)
{
    struct cfs_ssh_config_line line CFS_AUTO_SSH_CONFIG_LINE = {0};
    int result = cfs_ssh_config_line_read(text, &line, ret_reason);
    if (result <= 0)
        return result;
    if (strcmp(line.keyword, "host") == 0)
        take_hosts(reading, line.words);
    else if (strcmp(line.keyword, "include") == 0)
        skip_included(reading, line.words);
    return 0;
}

static int take_lines(struct reading *reading, const char *bytes, size_t length, const char *name,
                      struct cfs_error *error)
{
    const char *end = bytes + length;
    for (unsigned number = 1; bytes < end && !reading->import->failed; number++) {
        const char *newline = memchr(bytes, '\n', (size_t)(end - bytes)), *reason = "it cannot be read";
        char *line CFS_AUTO_FREE = strndup(bytes, (size_t)((newline ? newline : end) - bytes));
        int result = line ? take_line(reading, line, &reason) : -ENOMEM;
        if (result == -ENOMEM)
            reading->import->failed = true;
        else if (result < 0)
            return cfs_error_set(error, EINVAL, CFS_FAILURE_CONFIG, "%s:%u: this is no ssh_config: %s", name, number,
                                 reason);
        bytes = newline ? newline + 1 : end;
    }
    return cfs_import_result(reading->import, name, error);
}

int cfs_import_ssh_config(const char *bytes, size_t length, const char *name, struct cfs_import *import,
                          struct cfs_error *error)
{
    struct reading reading = {.import = import, .first = import->count};
    if (length > 0 && memchr(bytes, '\0', length))
        return cfs_error_set(error, EINVAL, CFS_FAILURE_CONFIG, "%s: this is no ssh_config", name);
    int result = import->ssh_config ? cfs_profile_write_path("ssh_config", import->ssh_config, &reading.file) : 0;
    if (result == -EINVAL)
        return cfs_error_set(error, EINVAL, CFS_FAILURE_CONFIG,
                             "%s: the name cannot be written into a profile; rename the file", name);
    if (result < 0)
        import->failed = true;
    result = take_lines(&reading, bytes, length, name, error);
    free(reading.file);
    return result;
}

/* The shortcuts of ssh_config(5): a profile for each host that a Host line names in full. The profile says the shortcut
 * and nothing else: what it means is looked up in the file at each mount (the option ssh_config), so that it is written
 * in one place only. Names with wildcards are rules, not hosts, and are passed over. */
#include "conf/import_priv.h"

#include <errno.h>
#include <string.h>
#include <strings.h>

enum { LONGEST_LINE = 4096 };

/* The next word of the line, in place; quotes around it are taken off. NULL at its end. */
static char *next_word(char **line)
{
    char *word = *line + strspn(*line, " \t\r");
    if (!*word || *word == '#')
        return NULL;
    size_t length = *word == '"' ? strcspn(++word, "\"") : strcspn(word, " \t\r");
    *line = word + length;
    if (**line)
        *(*line)++ = '\0';
    return word;
}

static bool is_known(const struct cfs_import *import, size_t first, const char *host)
{
    for (size_t i = first; i < import->count; i++)
        if (strcmp(import->sites[i].title, host) == 0)
            return true;
    return false;
}

static void take_hosts(struct cfs_import *import, size_t first, char *patterns)
{
    char *host;
    while ((host = next_word(&patterns))) {
        if (strpbrk(host, "*?!") || is_known(import, first, host))
            continue;
        struct cfs_import_site *site = cfs_import_begin(import, host);
        cfs_import_set(import, site, "host", host);
        cfs_import_end(import, site);
    }
}

/* The keyword ends at a blank or at an equals sign, which may have blanks around it. */
static void take_line(struct cfs_import *import, size_t first, char *line)
{
    line += strspn(line, " \t\f");
    size_t length = strcspn(line, " \t=");
    char *arguments = line + length;
    arguments += strspn(arguments, " \t");
    arguments += *arguments == '=';
    if (length == 4 && strncasecmp(line, "Host", 4) == 0) {
        take_hosts(import, first, arguments);
    } else if (length == 7 && strncasecmp(line, "Include", 7) == 0) {
        char *file;
        while ((file = next_word(&arguments))) {
            struct cfs_import_site *site = cfs_import_begin(import, file);
            cfs_import_skip(import, site, "only the hosts of one file are taken; name this file to take its own");
        }
    }
}

int cfs_import_ssh_config(const char *bytes, size_t length, const char *name, struct cfs_import *import,
                          struct cfs_error *error)
{
    const char *end = bytes + length;
    size_t first = import->count;
    if (length > 0 && memchr(bytes, '\0', length))
        return cfs_error_set(error, EINVAL, CFS_FAILURE_CONFIG, "%s: this is no ssh_config", name);
    while (bytes < end && !import->failed) {
        const char *newline = memchr(bytes, '\n', (size_t)(end - bytes));
        const char *stop = newline ? newline : end;
        char line[LONGEST_LINE + 1];
        size_t used = (size_t)(stop - bytes);
        if (used > LONGEST_LINE)
            return cfs_error_set(error, EINVAL, CFS_FAILURE_CONFIG, "%s: a line is longer than %d bytes", name,
                                 LONGEST_LINE);
        memcpy(line, bytes, used);
        line[used] = '\0';
        take_line(import, first, line);
        bytes = newline ? newline + 1 : end;
    }
    return cfs_import_result(import, name, error);
}

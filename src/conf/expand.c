/* Expansion of paths: see expand.h. The tokens are those of ssh_config(5) with the same meaning. */
#include "conf/expand.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

/* What the token stands for; NULL if it is unknown. */
static const char *token_value(char token, const struct cfs_expansion *expansion, char *number, size_t size)
{
    switch (token) {
    case '%':
        return "%";
    case 'u':
        return expansion->local_user;
    case 'h':
        return expansion->host;
    case 'r':
        return expansion->remote_user;
    case 'p':
        snprintf(number, size, "%u", expansion->port);
        return number;
    default:
        return NULL;
    }
}

/* Writes what stands before a path that is not absolute. */
static const char *write_start(FILE *out, const char **text, const struct cfs_expansion *expansion)
{
    if (**text == '/')
        return NULL;
    if (**text == '~') {
        if ((*text)[1] != '/' && (*text)[1] != '\0')
            return "must not name another user's home folder with ~";
        if (!expansion->home)
            return "must be a path without ~, because your home folder is not known";
        fputs(expansion->home, out);
        ++*text;
        return NULL;
    }
    if (!expansion->folder)
        return "must be an absolute path or begin with ~/";
    fprintf(out, "%s/", expansion->folder);
    return NULL;
}

static const char *write_path(FILE *out, const char *text, const struct cfs_expansion *expansion)
{
    const char *reason = write_start(out, &text, expansion);
    for (; *text && !reason; text++) {
        if (*text != '%') {
            fputc(*text, out);
            continue;
        }
        char number[16];
        const char *value = token_value(*++text, expansion, number, sizeof(number));
        if (!value)
            return "must not contain % other than in %u, %h, %r, %p and %%";
        fputs(value, out);
    }
    return reason;
}

int cfs_expand_path(const char *text, const struct cfs_expansion *expansion, char **ret_path, const char **ret_reason)
{
    char *path CFS_AUTO_FREE = NULL;
    size_t length = 0;
    FILE *out = open_memstream(&path, &length);
    if (!out)
        return -ENOMEM;
    const char *reason = *text ? write_path(out, text, expansion) : "must not be empty";
    if (fclose(out) != 0)
        return -ENOMEM;
    if (reason) {
        *ret_reason = reason;
        return -EINVAL;
    }
    *ret_path = CFS_TAKE(path);
    return 0;
}

/* Expansion of paths in ssh_config files: see ssh_config_tokens.h. */
#include "conf/ssh_config_tokens.h"

#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>

enum { NAME_LENGTH = 256 };

/* What a token stands for; NULL if it is not known. BUFFER has NAME_LENGTH bytes. */
static const char *token_value(char token, const struct cfs_ssh_config_tokens *tokens, char *buffer)
{
    switch (token) {
    case '%':
        return "%";
    case 'd':
        return tokens->home;
    case 'h':
        return tokens->host;
    case 'i':
        snprintf(buffer, NAME_LENGTH, "%lu", (unsigned long)getuid());
        return buffer;
    case 'j': /* the jump hosts: such a host is refused */
        return "";
    case 'k':
        return tokens->host_key_name;
    case 'l':
    case 'L':
        if (gethostname(buffer, NAME_LENGTH) < 0)
            return NULL;
        buffer[token == 'L' ? strcspn(buffer, ".") : NAME_LENGTH - 1] = '\0';
        return buffer;
    case 'n':
        return tokens->original_host;
    case 'p':
        return tokens->port;
    case 'r':
        return tokens->user;
    case 'u':
        return tokens->local_user;
    default:
        return NULL;
    }
}

/* ${NAME} at *TEXT, which is then its last character. */
static const char *write_variable(FILE *out, const char **text)
{
    const char *name = *text + 2;
    size_t length = strcspn(name, "}");
    char copy[NAME_LENGTH];
    if (!name[length] || length == 0 || length >= sizeof(copy))
        return "must have a name in each ${...}";
    memcpy(copy, name, length);
    copy[length] = '\0';
    const char *value = getenv(copy);
    if (!value)
        return "must not use a variable that is not in the environment";
    fputs(value, out);
    *text = name + length;
    return NULL;
}

static const char *write_path(FILE *out, const char *text, const struct cfs_ssh_config_tokens *tokens)
{
    char buffer[NAME_LENGTH];
    if (*text == '~') {
        if (text[1] != '/' && text[1] != '\0')
            return "must not name another user's home folder with ~";
        if (!tokens->home)
            return "must be a path without ~, because your home folder is not known";
        fputs(tokens->home, out);
        text++;
    }
    for (; *text; text++) {
        const char *reason = NULL;
        if (tokens->only_home) {
            fputc(*text, out);
        } else if (text[0] == '$' && text[1] == '{') {
            reason = write_variable(out, &text);
        } else if (*text != '%') {
            fputc(*text, out);
        } else {
            const char *value = token_value(*++text, tokens, buffer);
            if (!value)
                return "must not contain % other than in %d, %h, %i, %k, %L, %l, %n, %p, %r, %u and %%";
            fputs(value, out);
        }
        if (reason)
            return reason;
    }
    return NULL;
}

int cfs_ssh_config_expand(const char *text, const struct cfs_ssh_config_tokens *tokens, char **ret_path,
                          const char **ret_reason)
{
    char *path CFS_AUTO_FREE = NULL;
    size_t length = 0;
    FILE *out = open_memstream(&path, &length);
    if (!out)
        return -ENOMEM;
    const char *reason = write_path(out, text, tokens);
    if (fclose(out) != 0)
        return -ENOMEM;
    if (reason) {
        *ret_reason = reason;
        return -EINVAL;
    }
    *ret_path = CFS_TAKE(path);
    return 0;
}

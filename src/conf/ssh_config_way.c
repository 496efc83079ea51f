/* Ways of ssh_config(5): see ssh_config_way.h. Of a command, %h, %p, %r and %% stay: the option has them, too. */
#include "conf/ssh_config_way.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>

static const char no_such_token[] = "there may be no % in it other than in %h, %n, %p, %r and %%.";

static const char *value_of(const struct cfs_ssh_config_tokens *tokens, char token)
{
    switch (token) {
    case 'h':
        return tokens->host;
    case 'n':
        return tokens->original_host;
    case 'p':
        return tokens->port;
    case 'r':
        return tokens->user;
    case '%':
        return "%";
    default:
        return NULL;
    }
}

/* Writes WORD; the tokens of KEPT as they are. -EINVAL for one that does not exist. */
static int expand(FILE *out, const char *word, const struct cfs_ssh_config_tokens *tokens, const char *kept)
{
    for (; *word; word++) {
        const char *value = *word == '%' ? value_of(tokens, word[1]) : NULL;
        if (*word == '%' && !value)
            return -EINVAL;
        if (!value) {
            fputc(*word, out);
        } else if (strchr(kept, *++word)) {
            fputc('%', out);
            fputc(*word, out);
        } else {
            fputs(value, out);
        }
    }
    return 0;
}

/* [ssh://]HOP: the option knows no URLs. */
static int expand_hop(FILE *out, const char *hop, const struct cfs_ssh_config_tokens *tokens)
{
    char copy[600];
    bool is_url = strncasecmp(hop, "ssh://", 6) == 0;
    snprintf(copy, sizeof(copy), "%s", hop + (is_url ? 6 : 0));
    if (is_url)
        copy[strcspn(copy, "/")] = '\0';
    return expand(out, copy, tokens, "");
}

int cfs_ssh_config_jump(const char *word, const struct cfs_ssh_config_tokens *tokens, char **ret_text,
                        const char **ret_reason)
{
    char *text = NULL, *copy CFS_AUTO_FREE = strdup(word), *rest = copy, *hop;
    size_t size = 0;
    int result = 0;
    FILE *out = copy ? open_memstream(&text, &size) : NULL;
    if (!out)
        return -ENOMEM;
    while (result == 0 && (hop = strsep(&rest, ","))) {
        result = expand_hop(out, hop + strspn(hop, " \t"), tokens);
        if (rest)
            fputc(',', out);
    }
    if (fclose(out) != 0)
        result = -ENOMEM;
    if (result == 0)
        *ret_text = text;
    else
        free(text);
    if (result == -EINVAL)
        *ret_reason = no_such_token;
    return result;
}

/* Words that a shell would read as our option does: quotes around whole words only, and nothing that it expands. */
static bool needs_shell(const char *command)
{
    bool is_quoted = false;
    if (strpbrk(command, "'`\\$;&|<>()*?[]{}~#!\n"))
        return true;
    for (const char *c = command; *c; c++) {
        if (*c != '"')
            continue;
        bool is_border = is_quoted ? !c[1] || strchr(" \t", c[1]) : c == command || strchr(" \t", c[-1]);
        if (!is_border)
            return true;
        is_quoted = !is_quoted;
    }
    size_t first = strcspn(command, " \t");
    return is_quoted || memchr(command, '=', first) != NULL; /* NAME=VALUE before the command */
}

int cfs_ssh_config_command(const char *word, const struct cfs_ssh_config_tokens *tokens, char **ret_text,
                           const char **ret_reason)
{
    char *text = NULL;
    size_t size = 0;
    word += strspn(word, " \t");
    if (strncmp(word, "exec ", 5) == 0)
        word += 5;
    if (needs_shell(word)) {
        *ret_reason = "it needs a shell, and clusterfs runs none by itself. In the profile, write: "
                      "proxy_command = sh -c \"...\".";
        return -EINVAL;
    }
    FILE *out = open_memstream(&text, &size);
    if (!out)
        return -ENOMEM;
    int result = expand(out, word, tokens, "hpr%");
    if (fclose(out) != 0)
        result = -ENOMEM;
    if (result == 0)
        *ret_text = text;
    else
        free(text);
    if (result == -EINVAL)
        *ret_reason = no_such_token;
    return result;
}

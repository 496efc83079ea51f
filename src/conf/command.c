/* Words and what stands in them: see command.h. */
#include "conf/command.h"

#include "conf/words.h"
#include <errno.h>
#include <string.h>

static const char *value_of(char token, const char *host, const char *port, const char *user)
{
    switch (token) {
    case 'h':
        return host;
    case 'p':
        return port;
    case 'r':
        return user;
    case '%':
        return "%";
    default:
        return NULL;
    }
}

static int expand_word(const char *word, const char *host, const char *port, const char *user, char **ret_word)
{
    char *expanded CFS_AUTO_FREE = NULL;
    size_t size = 0;
    FILE *out CFS_AUTO_FCLOSE = open_memstream(&expanded, &size);
    if (!out)
        return -ENOMEM;
    for (; *word; word++) {
        const char *value = *word == '%' ? value_of(word[1], host, port, user) : NULL;
        if (*word == '%' && !value)
            return -EINVAL;
        if (!value)
            fputc(*word, out);
        else if (fputs(value, out) >= 0)
            word++;
    }
    if (fflush(out) != 0)
        return -ENOMEM;
    *ret_word = strdup(expanded);
    return *ret_word ? 0 : -ENOMEM;
}

int cfs_command_expand(const char *text, const char *host, unsigned port, const char *user, cfs_words *ret_words)
{
    cfs_words words = NULL;
    char number[16];
    snprintf(number, sizeof(number), "%u", port);
    int result = cfs_words_split(text, &words);
    if (result == 0 && (!words[0] || !*words[0]))
        result = -EINVAL;
    for (size_t i = 0; result == 0 && words[i]; i++) {
        char *expanded = NULL;
        result = expand_word(words[i], host, number, user, &expanded);
        if (result == 0) {
            free(words[i]);
            words[i] = expanded;
        }
    }
    if (result < 0)
        cfs_words_free(words);
    else
        *ret_words = words;
    return result;
}

const char *cfs_command_check_text(const char *text)
{
    cfs_words words = NULL;
    if (cfs_command_expand(text, "h", 1, "r", &words) < 0)
        return "must be a program and its arguments, with no % other than in %h, %p, %r and %%, or none";
    cfs_words_free(words);
    return NULL;
}

/* Lines of ssh_config files: see ssh_config_line.h. */
#include "conf/ssh_config_line.h"

#include "conf/words.h"
#include <ctype.h>
#include <errno.h>
#include <stdbool.h>
#include <string.h>

#define BLANKS " \t\r\n"

void cfs_ssh_config_line_fini(struct cfs_ssh_config_line *line)
{
    free(line->keyword);
    free(line->rest);
    cfs_words_free(line->words);
    *line = (struct cfs_ssh_config_line){0};
}

char *cfs_ssh_config_next_word(char **text)
{
    char *word = *text;
    if (!word || !*word)
        return NULL;
    char *end = strpbrk(word, BLANKS "\"=");
    if (!end) {
        *text = word + strlen(word);
        return word;
    }
    bool equals = *end == '=';
    if (*end == '"') {
        memmove(end, end + 1, strlen(end));
        end = strchr(end, '"');
        if (!end)
            return NULL;
    }
    bool quoted = *end == '"';
    *end++ = '\0';
    end += strspn(end, BLANKS);
    if (!quoted && !equals && *end == '=') { /* one '=' is as good as a blank */
        end++;
        end += strspn(end, BLANKS);
    }
    *text = end;
    return word;
}

/* Whether the backslash at TEXT takes the character behind it literally. */
static bool escapes(const char *text, char quote)
{
    return text[1] == '\'' || text[1] == '"' || text[1] == '\\' || (!quote && text[1] == ' ');
}

/* Copies one argument to WORD, which has room for it. Where it ends; NULL for a quote without its end. */
static const char *copy_argument(const char *text, char *word)
{
    char quote = '\0';
    for (; *text && (quote || (*text != ' ' && *text != '\t')); text++) {
        if (*text == '\\' && escapes(text, quote))
            *word++ = *++text;
        else if (!quote && (*text == '"' || *text == '\''))
            quote = *text;
        else if (quote && *text == quote)
            quote = '\0';
        else
            *word++ = *text;
    }
    *word = '\0';
    return quote ? NULL : text;
}

static int split_arguments(const char *text, cfs_words *ret_words, const char **ret_reason)
{
    cfs_words words CFS_CLEANUP(cfs_words_free) = calloc(1, sizeof(*words));
    char *word CFS_AUTO_FREE = malloc(strlen(text) + 1);
    if (!words || !word)
        return -ENOMEM;
    for (;;) {
        text += strspn(text, " \t");
        if (!*text || *text == '#')
            break;
        text = copy_argument(text, word);
        if (!text) {
            *ret_reason = "there is a quote without its end";
            return -EINVAL;
        }
        int result = cfs_words_add(&words, word);
        if (result < 0)
            return result;
    }
    *ret_words = CFS_TAKE(words);
    return 0;
}

static void cut_end(char *text)
{
    size_t length = strlen(text);
    while (length > 0 && strchr(BLANKS "\f", text[length - 1]))
        text[--length] = '\0';
}

int cfs_ssh_config_line_read(const char *text, struct cfs_ssh_config_line *ret_line, const char **ret_reason)
{
    char *copy CFS_AUTO_FREE = strdup(text + strspn(text, BLANKS));
    if (!copy)
        return -ENOMEM;
    cut_end(copy);
    if (!*copy || *copy == '#')
        return 0;
    char *rest = copy;
    char *keyword = cfs_ssh_config_next_word(&rest);
    if (!keyword || !*keyword || !*rest) {
        *ret_reason = keyword && *keyword ? "there is no value behind the keyword" : "there is no keyword";
        return -EINVAL;
    }
    struct cfs_ssh_config_line line CFS_AUTO_SSH_CONFIG_LINE = {.keyword = strdup(keyword), .rest = strdup(rest)};
    if (!line.keyword || !line.rest)
        return -ENOMEM;
    for (char *c = line.keyword; *c; c++)
        *c = (char)tolower((unsigned char)*c);
    int result = split_arguments(line.rest, &line.words, ret_reason);
    if (result < 0)
        return result;
    *ret_line = line;
    line = (struct cfs_ssh_config_line){0};
    return 1;
}

/* Lists of words: see words.h. */
#include "conf/words.h"

#include <errno.h>
#include <stdbool.h>
#include <string.h>

void cfs_words_free(cfs_words words)
{
    if (!words)
        return;
    for (size_t i = 0; words[i]; i++)
        free(words[i]);
    free(words);
}

size_t cfs_words_count(char *const *words)
{
    size_t count = 0;
    while (words && words[count])
        count++;
    return count;
}

/* Takes WORD over, also on failure; NULL is a failed allocation. */
static int add_owned(cfs_words *words, char *word)
{
    size_t count = cfs_words_count(*words);
    char **grown = word ? reallocarray(*words, count + 2, sizeof(*grown)) : NULL;
    if (!grown) {
        free(word);
        return -ENOMEM;
    }
    grown[count] = word;
    grown[count + 1] = NULL;
    *words = grown;
    return 0;
}

int cfs_words_add(cfs_words *words, const char *word)
{
    return add_owned(words, strdup(word));
}

int cfs_words_split(const char *text, cfs_words *ret_words)
{
    cfs_words words CFS_CLEANUP(cfs_words_free) = calloc(1, sizeof(*words));
    if (!words)
        return -ENOMEM;
    for (;;) {
        text += strspn(text, " \t");
        if (!*text)
            break;
        bool quoted = *text == '"';
        if (quoted)
            text++;
        size_t length = strcspn(text, quoted ? "\"" : " \t");
        if (quoted && !text[length])
            return -EINVAL;
        int result = add_owned(&words, strndup(text, length));
        if (result < 0)
            return result;
        text += length + (quoted ? 1 : 0);
    }
    *ret_words = CFS_TAKE(words);
    return 0;
}

char *cfs_words_join(char *const *words)
{
    size_t length = 1;
    for (size_t i = 0; words && words[i]; i++)
        length += strlen(words[i]) + 3;
    char *text = malloc(length);
    if (!text)
        return NULL;
    char *end = text;
    *end = '\0';
    for (size_t i = 0; words && words[i]; i++) {
        const char *quote = strpbrk(words[i], " \t") ? "\"" : "";
        if (i)
            *end++ = ' ';
        end = stpcpy(stpcpy(stpcpy(end, quote), words[i]), quote);
    }
    return text;
}

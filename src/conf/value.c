/* Values of options: see value.h. Numbers of all kinds go through one path: a word of the option, or the type's own
 * notation, then the range. */
#include "conf/value.h"

#include "base/secret.h"
#include "base/text.h"
#include "conf/profile.h"
#include "conf/words.h"
#include <errno.h>
#include <inttypes.h>
#include <string.h>

static void *field_of(const struct cfs_option *option, void *record)
{
    return (char *)record + option->offset;
}

static bool has_field(const struct cfs_option *option)
{
    return option->offset != CFS_OPTION_NO_FIELD;
}

static bool owns_memory(const struct cfs_option *option)
{
    return option->type == CFS_OPTION_TEXT || option->type == CFS_OPTION_FILE || option->type == CFS_OPTION_FILES;
}

static void store_number(const struct cfs_option *option, uint64_t number, void *record)
{
    void *field = field_of(option, record);
    if (option->type == CFS_OPTION_BOOL)
        *(bool *)field = number != 0;
    else if (option->size == sizeof(uint16_t))
        *(uint16_t *)field = (uint16_t)number;
    else if (option->size == sizeof(uint32_t))
        *(uint32_t *)field = (uint32_t)number;
    else
        *(uint64_t *)field = number;
}

static uint64_t load_number(const struct cfs_option *option, const void *record)
{
    const void *field = (const char *)record + option->offset;
    if (option->type == CFS_OPTION_BOOL)
        return *(const bool *)field;
    if (option->size == sizeof(uint16_t))
        return *(const uint16_t *)field;
    if (option->size == sizeof(uint32_t))
        return *(const uint32_t *)field;
    return *(const uint64_t *)field;
}

void cfs_value_drop(const struct cfs_option *option, void *record)
{
    if (!has_field(option) || !owns_memory(option))
        return;
    if (option->type == CFS_OPTION_FILES) {
        cfs_words *words = field_of(option, record);
        cfs_words_free(*words);
        *words = NULL;
        return;
    }
    char **text = field_of(option, record);
    if (option->flags & CFS_OPTION_SECRET)
        cfs_secret_free(*text);
    else
        free(*text);
    *text = NULL;
}

/* ---- what values there are ---- */

static void format_unit(char *buffer, size_t size, uint64_t number, const uint64_t *units, const char *const *names)
{
    size_t i = 0;
    while (units[i] > 1 && (number == 0 || number % units[i] != 0))
        i++;
    snprintf(buffer, size, "%" PRIu64 "%s", number / units[i], names[i]);
}

static void format_number(enum cfs_option_type type, uint64_t number, char *buffer, size_t size)
{
    static const uint64_t times[] = {86400000, 3600000, 60000, 1000, 1};
    static const char *const time_names[] = {"d", "h", "m", "s", "ms"};
    static const uint64_t sizes[] = {1ull << 40, 1ull << 30, 1ull << 20, 1ull << 10, 1};
    static const char *const size_names[] = {"T", "G", "M", "K", ""};
    if (type == CFS_OPTION_DURATION && number == 0)
        snprintf(buffer, size, "0");
    else if (type == CFS_OPTION_DURATION)
        format_unit(buffer, size, number, times, time_names);
    else if (type == CFS_OPTION_SIZE)
        format_unit(buffer, size, number, sizes, size_names);
    else if (type == CFS_OPTION_OCTAL)
        snprintf(buffer, size, "%03" PRIo64, number);
    else
        snprintf(buffer, size, "%" PRIu64, number);
}

/* "a, b or c" */
static char *list_words(const struct cfs_option_word *words)
{
    char *list = strdup(words[0].word);
    for (size_t i = 1; list && words[i].word; i++) {
        char *longer = cfs_text_format("%s%s%s", list, words[i + 1].word ? ", " : " or ", words[i].word);
        free(list);
        list = longer;
    }
    return list;
}

static char *values_without_words(const struct cfs_option *option)
{
    char low[32], high[32];
    format_number(option->type, option->minimum, low, sizeof(low));
    format_number(option->type, option->maximum, high, sizeof(high));
    switch (option->type) {
    case CFS_OPTION_NUMBER:
        return cfs_text_format("a number from %s to %s", low, high);
    case CFS_OPTION_OCTAL:
        return cfs_text_format("an octal number from %s to %s", low, high);
    case CFS_OPTION_SIZE:
        return cfs_text_format("a size from %s to %s, such as 64M", low, high);
    case CFS_OPTION_DURATION:
        return cfs_text_format("a time from %s to %s, such as 500ms, 5s or 2m", low, high);
    case CFS_OPTION_BOOL:
        return strdup("yes or no");
    case CFS_OPTION_FILE:
        return strdup("a path");
    case CFS_OPTION_FILES:
        return strdup("paths");
    case CFS_OPTION_TEXT:
    case CFS_OPTION_CHOICE:
        break;
    }
    return strdup("a text");
}

char *cfs_option_values(const struct cfs_option *option)
{
    if (!option->words)
        return values_without_words(option);
    char *words CFS_AUTO_FREE = list_words(option->words);
    if (option->type == CFS_OPTION_CHOICE)
        return CFS_TAKE(words);
    char *others CFS_AUTO_FREE = values_without_words(option);
    return words && others ? cfs_text_format("%s, or %s", others, words) : NULL;
}

/* ---- from text ---- */

/* REASON is "must ...". */
static int refuse(const struct cfs_option *option, const char *text, const char *place, const char *reason,
                  struct cfs_error *error)
{
    if (option->flags & CFS_OPTION_SECRET)
        return cfs_error_set(error, EINVAL, CFS_FAILURE_CONFIG, "%s: %s %s", place, option->key, reason);
    return cfs_error_set(error, EINVAL, CFS_FAILURE_CONFIG, "%s: %s = %.200s: %s %s", place, option->key, text,
                         option->key, reason);
}

static int refuse_kind(const struct cfs_option *option, const char *text, const char *place, struct cfs_error *error)
{
    char *values CFS_AUTO_FREE = cfs_option_values(option);
    char *reason CFS_AUTO_FREE = values ? cfs_text_format("must be %s", values) : NULL;
    return refuse(option, text, place, reason ? reason : "is not valid", error);
}

static const struct cfs_option_word *find_word(const struct cfs_option *option, const char *text)
{
    for (const struct cfs_option_word *word = option->words; word && word->word; word++)
        if (strcmp(word->word, text) == 0)
            return word;
    return NULL;
}

static int parse_octal(const char *text, uint64_t *ret_number)
{
    size_t length = strlen(text);
    if (length == 0 || length > 8 || strspn(text, "01234567") != length)
        return -EINVAL;
    *ret_number = strtoull(text, NULL, 8);
    return 0;
}

static int parse_number(const struct cfs_option *option, const char *text, uint64_t *ret_number)
{
    switch (option->type) {
    case CFS_OPTION_NUMBER:
        return cfs_text_parse_number(text, 0, UINT64_MAX, ret_number);
    case CFS_OPTION_OCTAL:
        return parse_octal(text, ret_number);
    case CFS_OPTION_SIZE:
        return cfs_text_parse_size(text, ret_number);
    case CFS_OPTION_DURATION:
        return cfs_text_parse_duration(text, ret_number);
    default:
        return -EINVAL; /* a choice that is none of its words */
    }
}

static int read_number(const struct cfs_option *option, const char *text, uint64_t *ret_number)
{
    if (option->type == CFS_OPTION_BOOL) {
        bool value = false;
        int result = cfs_text_parse_bool(text, &value);
        if (result == 0)
            *ret_number = value;
        return result;
    }
    const struct cfs_option_word *word = find_word(option, text);
    if (word) {
        *ret_number = word->value;
        return 0;
    }
    uint64_t number = 0;
    int result = parse_number(option, text, &number);
    if (result < 0)
        return result;
    if (number < option->minimum || number > option->maximum)
        return -ERANGE;
    *ret_number = number;
    return 0;
}

/* A path, or a word that stands for one; NULL is stored for none. */
static int read_file(const struct cfs_option *option, const char *text, const struct cfs_expansion *expansion,
                     char **ret_path, const char **ret_reason)
{
    const struct cfs_option_word *word = find_word(option, text);
    if (!word)
        return cfs_expand_path(text, expansion, ret_path, ret_reason);
    const char *path = word->value == CFS_WORD_ENVIRONMENT ? getenv(word->word) : NULL;
    if (word->value == CFS_WORD_ITSELF)
        path = word->word;
    else if (!path || *path != '/')
        return 0;
    *ret_path = strdup(path);
    return *ret_path ? 0 : -ENOMEM;
}

/* Paths; a word that stands for none of them: an empty list. */
static int read_files(const struct cfs_option *option, const char *text, const struct cfs_expansion *expansion,
                      cfs_words *ret_paths, const char **ret_reason)
{
    cfs_words words CFS_CLEANUP(cfs_words_free) = NULL;
    int result = cfs_words_split(find_word(option, text) ? "" : text, &words);
    if (result == -EINVAL)
        *ret_reason = "must not contain a quote without its end";
    for (size_t i = 0; result == 0 && words[i]; i++) {
        char *path = NULL;
        result = cfs_expand_path(words[i], expansion, &path, ret_reason);
        if (result < 0)
            break;
        free(words[i]);
        words[i] = path;
    }
    if (result == 0)
        *ret_paths = CFS_TAKE(words);
    return result;
}

static int read_text(const struct cfs_option *option, const char *text, char **ret_text, const char **ret_reason)
{
    const char *reason = option->check ? option->check(text) : NULL;
    if (reason) {
        *ret_reason = reason;
        return -EINVAL;
    }
    *ret_text = strdup(text);
    return *ret_text ? 0 : -ENOMEM;
}

static int store_memory(const struct cfs_option *option, const char *text, const struct cfs_expansion *expansion,
                        void *record, const char **ret_reason)
{
    cfs_words words = NULL;
    char *single = NULL;
    int result = option->type == CFS_OPTION_FILES  ? read_files(option, text, expansion, &words, ret_reason)
                 : option->type == CFS_OPTION_FILE ? read_file(option, text, expansion, &single, ret_reason)
                                                   : read_text(option, text, &single, ret_reason);
    if (result < 0)
        return result;
    cfs_value_drop(option, record);
    if (option->type == CFS_OPTION_FILES)
        *(cfs_words *)field_of(option, record) = words;
    else
        *(char **)field_of(option, record) = single;
    return 0;
}

static bool has_control(const char *text)
{
    for (; *text; text++)
        if (((unsigned char)*text < ' ' && *text != '\t') || *text == 0x7f)
            return true;
    return false;
}

int cfs_value_store(const struct cfs_option *option, const char *text, const char *place,
                    const struct cfs_expansion *expansion, void *record, struct cfs_error *error)
{
    if (!*text)
        return cfs_error_set(error, EINVAL, CFS_FAILURE_CONFIG, "%s: %s has no value", place, option->key);
    if (has_control(text))
        return refuse(option, text, place, "must not contain control characters", error);
    if (!has_field(option))
        return 0;
    if (!owns_memory(option)) {
        uint64_t number = 0;
        if (read_number(option, text, &number) < 0)
            return refuse_kind(option, text, place, error);
        store_number(option, number, record);
        return 0;
    }
    const char *reason = NULL;
    int result = store_memory(option, text, expansion, record, &reason);
    if (result == -EINVAL)
        return refuse(option, text, place, reason ? reason : "is not valid", error);
    if (result < 0)
        return cfs_error_set(error, -result, CFS_FAILURE_SYSTEM, "There is not enough memory.");
    return 0;
}

/* ---- for people ---- */

char *cfs_value_format(const struct cfs_option *option, const void *record)
{
    if (!has_field(option))
        return strdup("");
    const void *field = (const char *)record + option->offset;
    if (option->type == CFS_OPTION_FILES) {
        const cfs_words words = *(const cfs_words *)field;
        return words && !words[0] && option->words ? strdup(option->words[0].word) : cfs_words_join(words);
    }
    if (owns_memory(option)) {
        const char *text = *(char *const *)field;
        return strdup(!text ? "" : option->flags & CFS_OPTION_SECRET ? "(set)" : text);
    }
    uint64_t number = load_number(option, record);
    if (option->type == CFS_OPTION_BOOL)
        return strdup(number ? "yes" : "no");
    for (const struct cfs_option_word *word = option->words; word && word->word; word++)
        if (word->value == number)
            return strdup(word->word);
    char buffer[32];
    format_number(option->type, number, buffer, sizeof(buffer));
    return strdup(buffer);
}

/* The parser of -o: see option_string.h. */
#include "conf/option_string.h"

#include <errno.h>
#include <stdbool.h>
#include <string.h>

/* The words of mount(8) (FILESYSTEM-INDEPENDENT MOUNT OPTIONS) and fstab(5), and of systemd, dracut and util-linux. */
static const struct mount_word {
    const char *word; /* a last '*' stands for any rest */
    const char *key;  /* the option of ours that it sets; NULL: none */
    const char *text; /* to this */
    bool kernel;      /* passed on */
} mount_words[] = {
    {"rw", "ro", "no", false},          {"suid", "nosuid", "no", false},
    {"dev", "nodev", "no", false},      {"exec", "noexec", "no", false},
    {"async", NULL, NULL, true},        {"sync", NULL, NULL, true},
    {"dirsync", NULL, NULL, true},      {"atime", NULL, NULL, true},
    {"noatime", NULL, NULL, true},      {"nodiratime", NULL, NULL, true},
    {"norelatime", NULL, NULL, true},   {"nostrictatime", NULL, NULL, true},
    {"diratime", NULL, NULL, false},    {"relatime", NULL, NULL, false},
    {"strictatime", NULL, NULL, false}, {"lazytime", NULL, NULL, false},
    {"nolazytime", NULL, NULL, false},  {"iversion", NULL, NULL, false},
    {"noiversion", NULL, NULL, false},  {"mand", NULL, NULL, false},
    {"nomand", NULL, NULL, false},      {"silent", NULL, NULL, false},
    {"loud", NULL, NULL, false},        {"defaults", NULL, NULL, false},
    {"auto", NULL, NULL, false},        {"noauto", NULL, NULL, false},
    {"user", NULL, NULL, false}, /* without a value: who may mount; with one it is the login name */
    {"nouser", NULL, NULL, false},      {"users", NULL, NULL, false},
    {"nousers", NULL, NULL, false},     {"owner", NULL, NULL, false},
    {"noowner", NULL, NULL, false},     {"group", NULL, NULL, false},
    {"nogroup", NULL, NULL, false},     {"_netdev", NULL, NULL, false},
    {"nofail", NULL, NULL, false},      {"comment=*", NULL, NULL, false},
    {"x-*", NULL, NULL, false},         {"X-*", NULL, NULL, false},
};

static const struct mount_word *find_mount_word(const char *item)
{
    for (size_t i = 0; i < CFS_COUNT(mount_words); i++) {
        const char *word = mount_words[i].word;
        size_t length = strlen(word);
        if (word[length - 1] == '*' ? strncmp(word, item, length - 1) == 0 : strcmp(word, item) == 0)
            return &mount_words[i];
    }
    return NULL;
}

static bool is_octal(char digit)
{
    return digit >= '0' && digit <= '7';
}

/* Takes the next item off *OPTIONS, unquoted into ITEM, which has room for all of it. */
static void take_item(const char **options, char *item)
{
    const char *next = *options;
    for (; *next && *next != ','; next++) {
        if (*next == '\\' && next[1])
            next++;
        else {
            *item++ = *next;
            continue;
        }
        if (next[0] >= '0' && next[0] <= '3' && is_octal(next[1]) && is_octal(next[2])) {
            *item++ = (char)((next[0] - '0') * 64 + (next[1] - '0') * 8 + (next[2] - '0'));
            next += 2;
        } else {
            *item++ = *next;
        }
    }
    *item = '\0';
    *options = *next ? next + 1 : next;
}

static int refuse_unknown(const char *key, struct cfs_error *error)
{
    const struct cfs_option *elsewhere = cfs_option_find(key, CFS_OPTION_IN_FILE);
    if (elsewhere && (elsewhere->flags & CFS_OPTION_SECRET))
        return cfs_error_set(error, EINVAL, CFS_FAILURE_CONFIG,
                             "-o: %s is a secret, and every user of this machine can see command lines; "
                             "put it into a configuration file with mode 0600",
                             key);
    if (elsewhere)
        return cfs_error_set(error, EINVAL, CFS_FAILURE_CONFIG,
                             "-o: %s can be set in a configuration file only (SOURCE gives it on the command line)",
                             key);
    if (find_mount_word(key))
        return cfs_error_set(error, EINVAL, CFS_FAILURE_CONFIG, "-o: %s takes no value", key);
    struct cfs_nearest nearest = {.word = key};
    cfs_nearest_offer_options(&nearest, CFS_OPTION_IN_MOUNT);
    for (size_t i = 0; i < CFS_COUNT(mount_words); i++)
        if (!strchr(mount_words[i].word, '*'))
            cfs_nearest_offer(&nearest, mount_words[i].word);
    cfs_error_set(error, EINVAL, CFS_FAILURE_CONFIG, "-o: there is no option %.64s", key);
    if (nearest.best)
        cfs_error_append(error, "; did you mean %s?", nearest.best);
    return -EINVAL;
}

static int take_option(char *item, const struct cfs_option_string_events *events, void *context,
                       struct cfs_error *error)
{
    char *value = strchr(item, '=');
    if (value)
        *value++ = '\0';
    const struct cfs_option *option = cfs_option_find(item, CFS_OPTION_IN_MOUNT);
    if (!option)
        return refuse_unknown(item, error);
    if (!value && option->type != CFS_OPTION_BOOL)
        return cfs_error_set(error, EINVAL, CFS_FAILURE_CONFIG, "-o: %s needs a value: %s=%s", item, item,
                             option->placeholder);
    return events->value(context, option, value ? value : "yes", error);
}

static int take(char *item, const struct cfs_option_string_events *events, void *context, struct cfs_error *error)
{
    if (!*item)
        return 0;
    const struct mount_word *word = find_mount_word(item);
    if (!word)
        return take_option(item, events, context, error);
    if (word->key)
        return events->value(context, cfs_option_find(word->key, CFS_OPTION_IN_MOUNT), word->text, error);
    return word->kernel ? events->kernel_flag(context, word->word, error) : 0;
}

int cfs_option_string_parse(const char *options, const struct cfs_option_string_events *events, void *context,
                            struct cfs_error *error)
{
    if (!options)
        return 0;
    char *item CFS_AUTO_FREE = malloc(strlen(options) + 1);
    if (!item)
        return cfs_error_set(error, ENOMEM, CFS_FAILURE_SYSTEM, "There is not enough memory.");
    int result = 0;
    while (*options && result == 0) {
        take_item(&options, item);
        result = take(item, events, context, error);
    }
    return result;
}

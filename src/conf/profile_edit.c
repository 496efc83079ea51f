/* Rules for what programs write into profiles: see profile_edit.h. */
#include "conf/profile_edit.h"

#include "base/text.h"
#include "conf/config.h"
#include "conf/environment.h"
#include "conf/ini.h"
#include "conf/option.h"
#include "conf/value.h"
#include <ctype.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>

static int no_memory(struct cfs_error *error)
{
    return cfs_error_set(error, ENOMEM, CFS_FAILURE_SYSTEM, "There is not enough memory.");
}

static int refuse_key(const char *key, const char *place, struct cfs_error *error)
{
    char lower[CFS_INI_KEY_LENGTH + 1];
    snprintf(lower, sizeof(lower), "%s", key);
    for (char *c = lower; *c; c++)
        *c = (char)tolower((unsigned char)*c);
    struct cfs_nearest nearest = {.word = lower};
    cfs_nearest_offer_options(&nearest, CFS_OPTION_IN_FILE);
    if (cfs_option_find(key, CFS_OPTION_IN_MOUNT))
        return cfs_error_set(error, EINVAL, CFS_FAILURE_CONFIG, "%s: %s can be set with -o only", place, key);
    cfs_error_set(error, EINVAL, CFS_FAILURE_CONFIG, "%s: there is no key %.64s", place, key);
    if (nearest.best)
        cfs_error_append(error, "; did you mean %s?", nearest.best);
    return -EINVAL;
}

/* Reads the value into a profile that is thrown away: what is right for a mount is right here. */
static int try_value(const struct cfs_option *option, const char *value, const char *place, struct cfs_error *error)
{
    struct cfs_profile *scratch CFS_CLEANUP(cfs_profile_free) = calloc(1, sizeof(*scratch));
    struct cfs_environment environment CFS_AUTO_ENVIRONMENT = {0};
    if (!scratch || cfs_environment_init(&environment, NULL) < 0)
        return no_memory(error);
    struct cfs_expansion expansion = {
        .home = environment.home,
        .local_user = environment.user ? environment.user : "user",
        .host = "host",
        .remote_user = "user",
        .port = 22,
    };
    return cfs_value_store(option, value, place, &expansion, scratch, error);
}

int cfs_profile_check_setting(const char *key, const char *value, const char *place, struct cfs_error *error)
{
    const struct cfs_option *option = cfs_option_find(key, CFS_OPTION_IN_FILE);
    if (!option)
        return refuse_key(key, place, error);
    if (option->flags & CFS_OPTION_SECRET)
        return cfs_error_set(error, EPERM, CFS_FAILURE_USAGE,
                             "%s: a %s is not taken from here, where others can see it; write it into the file with an "
                             "editor, or be asked for it",
                             place, key);
    size_t length = strlen(value);
    if (length > 0 && (strchr(" \t", value[0]) || strchr(" \t", value[length - 1])))
        return cfs_error_set(error, EINVAL, CFS_FAILURE_CONFIG, "%s: %s must not begin or end with a blank", place,
                             key);
    if (length > CFS_INI_LINE_LENGTH - CFS_INI_KEY_LENGTH - strlen(" = "))
        return cfs_error_set(error, EINVAL, CFS_FAILURE_CONFIG, "%s: %s is longer than a line may be", place, key);
    return try_value(option, value, place, error);
}

int cfs_profile_check_name(const char *name, struct cfs_error *error)
{
    if (strcmp(name, CFS_CONFIG_DEFAULTS) == 0)
        return cfs_error_set(error, EINVAL, CFS_FAILURE_USAGE,
                             "A profile cannot be called " CFS_CONFIG_DEFAULTS
                             ": that section holds for all profiles.");
    if (cfs_ini_is_section(name))
        return 0;
    return cfs_error_set(error, EINVAL, CFS_FAILURE_USAGE,
                         "A profile cannot be called \"%.64s\": a name has letters, digits and any of - _ . + @, does "
                         "not begin with -, and is not longer than %d characters.",
                         name, CFS_INI_SECTION_LENGTH);
}

int cfs_profile_write_path(const char *key, const char *path, char **ret_value)
{
    const struct cfs_option *option = cfs_option_find(key, CFS_OPTION_IN_FILE);
    size_t length = strlen(path);
    bool several = option && option->type == CFS_OPTION_FILES;
    bool quoted = several && strpbrk(path, " \t");
    if (length == 0 || (quoted && strchr(path, '"')) || (several && *path == '"'))
        return -EINVAL;
    char *value = malloc(2 * length + 3);
    if (!value)
        return -ENOMEM;
    char *end = value;
    if (quoted)
        *end++ = '"';
    for (; *path; path++) {
        if (((unsigned char)*path < ' ' && *path != '\t') || *path == 0x7f) {
            free(value);
            return -EINVAL;
        }
        if (*path == '%')
            *end++ = '%';
        *end++ = *path;
    }
    if (quoted)
        *end++ = '"';
    *end = '\0';
    *ret_value = value;
    return 0;
}

/* The configuration files: see config.h. */
#include "conf/config.h"

#include "base/log.h"
#include "base/secret.h"
#include "base/text.h"
#include "conf/config_file.h"
#include "conf/ini.h"
#include "conf/value.h"
#include "conf/words.h"
#include <errno.h>
#include <string.h>

/* One file while it is read. */
struct reading {
    struct cfs_config *config;
    const char *path;
    const struct cfs_config_file *file;
    size_t first_value; /* the values from here on are this file's */
    cfs_words sections; /* of this file */
};

static void fini_value(struct cfs_config_value *value)
{
    free(value->section);
    cfs_secret_free(value->text);
    free(value->place);
    *value = (struct cfs_config_value){0};
}

void cfs_config_fini(struct cfs_config *config)
{
    for (size_t i = 0; i < config->count; i++)
        fini_value(&config->values[i]);
    free(config->values);
    cfs_words_free(config->files);
    cfs_words_free(config->profiles);
    *config = (struct cfs_config){0};
}

static bool contains(char *const *words, const char *word)
{
    for (size_t i = 0; words && words[i]; i++)
        if (strcmp(words[i], word) == 0)
            return true;
    return false;
}

bool cfs_config_has_profile(const struct cfs_config *config, const char *name)
{
    return contains(config->profiles, name);
}

static int no_memory(struct cfs_error *error)
{
    return cfs_error_set(error, ENOMEM, CFS_FAILURE_SYSTEM, "There is not enough memory.");
}

static int take_section(void *context, const char *section, unsigned line, struct cfs_error *error)
{
    struct reading *reading = context;
    if (contains(reading->sections, section))
        cfs_log_warning("conf", "%s:%u: the section [%s] appears twice in this file; both are read", reading->path,
                        line, section);
    else if (cfs_words_add(&reading->sections, section) < 0)
        return no_memory(error);
    if (strcmp(section, CFS_CONFIG_DEFAULTS) == 0 || cfs_config_has_profile(reading->config, section))
        return 0;
    return cfs_words_add(&reading->config->profiles, section) < 0 ? no_memory(error) : 0;
}

static int refuse_key(const struct reading *reading, const char *key, unsigned line, struct cfs_error *error)
{
    struct cfs_nearest nearest = {.word = key};
    cfs_nearest_offer_options(&nearest, CFS_OPTION_IN_FILE);
    if (cfs_option_find(key, CFS_OPTION_IN_MOUNT))
        return cfs_error_set(error, EINVAL, CFS_FAILURE_CONFIG, "%s:%u: %s can be set with -o only", reading->path,
                             line, key);
    cfs_error_set(error, EINVAL, CFS_FAILURE_CONFIG, "%s:%u: there is no key %.64s", reading->path, line, key);
    if (nearest.best)
        cfs_error_append(error, "; did you mean %s?", nearest.best);
    return -EINVAL;
}

/* This file's earlier value of the same key in the same section; NULL if there is none. */
static struct cfs_config_value *find_earlier(const struct reading *reading, const char *section,
                                             const struct cfs_option *option)
{
    struct cfs_config *config = reading->config;
    for (size_t i = reading->first_value; i < config->count; i++)
        if (config->values[i].option == option && strcmp(config->values[i].section, section) == 0)
            return &config->values[i];
    return NULL;
}

static struct cfs_config_value *append_value(struct cfs_config *config)
{
    if (config->count == config->capacity) {
        size_t capacity = config->capacity ? config->capacity * 2 : 32;
        struct cfs_config_value *grown = reallocarray(config->values, capacity, sizeof(*grown));
        if (!grown)
            return NULL;
        config->values = grown;
        config->capacity = capacity;
    }
    struct cfs_config_value *value = &config->values[config->count++];
    *value = (struct cfs_config_value){0};
    return value;
}

static int take_value(void *context, const char *section, const char *key, const char *text, unsigned line,
                      struct cfs_error *error)
{
    struct reading *reading = context;
    const struct cfs_option *option = cfs_option_find(key, CFS_OPTION_IN_FILE);
    if (!option)
        return refuse_key(reading, key, line, error);
    char *place CFS_AUTO_FREE = cfs_text_format("%s:%u", reading->path, line);
    if (!place)
        return no_memory(error);
    if (option->flags & CFS_OPTION_SECRET) {
        int result = cfs_config_file_check_secret(reading->file, reading->path, place, key, error);
        if (result < 0)
            return result;
    }
    struct cfs_config_value *value = find_earlier(reading, section, option);
    if (value) {
        cfs_log_warning("conf", "%s: %s was already set at %s; this value holds", place, key, value->place);
        fini_value(value);
    } else {
        value = append_value(reading->config);
    }
    if (!value)
        return no_memory(error);
    *value = (struct cfs_config_value){
        .section = strdup(section), .option = option, .text = strdup(text), .place = CFS_TAKE(place)};
    return value->section && value->text ? 0 : no_memory(error);
}

static int read_file(struct cfs_config *config, const char *path, enum cfs_config_file_owner owner,
                     struct cfs_error *error)
{
    static const struct cfs_ini_events events = {.section = take_section, .value = take_value};
    struct cfs_config_file file CFS_AUTO_CONFIG_FILE = {0};
    int result = cfs_config_file_read(path, owner, &file, error);
    if (result < 0)
        return result;
    struct reading reading = {.config = config, .path = path, .file = &file, .first_value = config->count};
    result = cfs_ini_parse(file.bytes, file.length, path, &events, &reading, error);
    cfs_words_free(reading.sections);
    if (result < 0)
        return result;
    return cfs_words_add(&config->files, path) < 0 ? no_memory(error) : 0;
}

/* One of the usual files, which need not exist. */
static int read_usual_file(struct cfs_config *config, const char *path, struct cfs_error *error)
{
    struct cfs_error cause = {0};
    int result = path ? read_file(config, path, CFS_CONFIG_FILE_OWN, &cause) : 0;
    return cfs_config_file_forgive(result, &cause, error);
}

int cfs_config_read(const struct cfs_config_choice *choice, struct cfs_config *ret_config, struct cfs_error *error)
{
    struct cfs_config config CFS_AUTO_CONFIG = {0};
    int result = 0;
    if (choice->only_file) {
        result = read_file(&config, choice->only_file, CFS_CONFIG_FILE_NAMED, error);
    } else {
        result = read_usual_file(&config, choice->system_file, error);
        if (result == 0)
            result = read_usual_file(&config, choice->user_file, error);
    }
    if (result < 0)
        return result;
    *ret_config = config;
    config = (struct cfs_config){0};
    return 0;
}

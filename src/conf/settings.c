/* Settings: see settings.h. */
#include "conf/settings.h"

#include "conf/value.h"

#include "base/secret.h"
#include <errno.h>
#include <string.h>

struct cfs_settings {
    size_t count; /* cfs_option_count */
    struct cfs_setting of[];
};

void cfs_settings_drop_texts(struct cfs_settings *settings)
{
    for (size_t i = 0; i < settings->count; i++) {
        cfs_secret_free(settings->of[i].text);
        settings->of[i].text = NULL;
    }
}

void cfs_settings_free(struct cfs_settings *settings)
{
    if (!settings)
        return;
    cfs_settings_drop_texts(settings);
    for (size_t i = 0; i < settings->count; i++)
        free(settings->of[i].place);
    free(settings);
}

struct cfs_settings *cfs_settings_new(void)
{
    struct cfs_settings *settings CFS_CLEANUP(cfs_settings_free) =
        calloc(1, sizeof(*settings) + cfs_option_count * sizeof(struct cfs_setting));
    if (!settings)
        return NULL;
    settings->count = cfs_option_count;
    for (size_t i = 0; i < settings->count; i++) {
        const char *text = cfs_options[i].default_text;
        if (text && !(settings->of[i].text = strdup(text)))
            return NULL;
    }
    return CFS_TAKE(settings);
}

const struct cfs_setting *cfs_settings_get(const struct cfs_settings *settings, const struct cfs_option *option)
{
    return &settings->of[cfs_option_index(option)];
}

int cfs_settings_set(struct cfs_settings *settings, const struct cfs_option *option, const char *text,
                     const char *place, bool from_command_line)
{
    struct cfs_setting setting = {strdup(text), strdup(place), from_command_line};
    if (!setting.text || !setting.place) {
        cfs_secret_free(setting.text);
        free(setting.place);
        return -ENOMEM;
    }
    struct cfs_setting *old = &settings->of[cfs_option_index(option)];
    cfs_secret_free(old->text);
    free(old->place);
    *old = setting;
    return 0;
}

/* Looking things up in the option table, and guessing what a misspelt word meant. */
#include "conf/option.h"

#include "base/text.h"
#include <string.h>

const char *cfs_option_group_title(enum cfs_option_group group)
{
    static const char *const titles[CFS_OPTIONS_GROUPS] = {
        [CFS_OPTIONS_CONNECTION] = "Connection", [CFS_OPTIONS_LOGIN] = "Login",
        [CFS_OPTIONS_HOST_KEY] = "Host key",     [CFS_OPTIONS_MOUNT] = "Mount",
        [CFS_OPTIONS_OWNER] = "Owner mapping",   [CFS_OPTIONS_LIMITS] = "Limits",
        [CFS_OPTIONS_LOGGING] = "Logging",
    };
    return titles[group];
}

const struct cfs_option *cfs_option_find(const char *key, unsigned where)
{
    for (size_t i = 0; i < cfs_option_count; i++)
        if ((cfs_options[i].flags & where) && strcmp(cfs_options[i].key, key) == 0)
            return &cfs_options[i];
    return NULL;
}

size_t cfs_option_index(const struct cfs_option *option)
{
    return (size_t)(option - cfs_options);
}

const char *cfs_option_default(const struct cfs_option *option)
{
    if (option->default_note)
        return option->default_note;
    return option->default_text ? option->default_text : "none";
}

void cfs_nearest_offer(struct cfs_nearest *nearest, const char *candidate)
{
    size_t length = strlen(nearest->word);
    if (length > 64) /* the distance costs length x length, and nobody meant this */
        return;
    unsigned distance = cfs_text_distance(nearest->word, candidate);
    unsigned limit = length < 3 ? 1 : length < 6 ? 2 : (unsigned)length / 3;
    if (distance > limit || (nearest->best && distance >= nearest->distance))
        return;
    nearest->best = candidate;
    nearest->distance = distance;
}

void cfs_nearest_offer_options(struct cfs_nearest *nearest, unsigned where)
{
    for (size_t i = 0; i < cfs_option_count; i++)
        if (cfs_options[i].flags & where)
            cfs_nearest_offer(nearest, cfs_options[i].key);
}

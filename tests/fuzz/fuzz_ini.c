/* A configuration file: the notation alone. What is reported must lie within the promised lengths. */
#include "conf/ini.h"

#include <stdint.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static int check_section(void *context CFS_UNUSED, const char *section, unsigned line,
                         struct cfs_error *error CFS_UNUSED)
{
    if (!*section || strlen(section) > CFS_INI_SECTION_LENGTH || line == 0)
        __builtin_trap();
    return 0;
}

static int check_value(void *context, const char *section, const char *key, const char *value, unsigned line,
                       struct cfs_error *error)
{
    if (!*key || strlen(key) > CFS_INI_KEY_LENGTH || strlen(value) > CFS_INI_LINE_LENGTH)
        __builtin_trap();
    return check_section(context, section, line, error);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const struct cfs_ini_events events = {.section = check_section, .value = check_value};
    struct cfs_error error = {0};
    if (cfs_ini_parse((const char *)data, size, "f", &events, NULL, &error) < 0 && !error.text[0])
        __builtin_trap();
    return 0;
}

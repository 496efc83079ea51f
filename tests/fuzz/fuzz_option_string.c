/* The text of -o, and each value of it as its option reads it. */
#include "conf/option_string.h"
#include "conf/profile.h"
#include "conf/value.h"

#include <stdint.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static int store(void *context, const struct cfs_option *option, const char *text, struct cfs_error *error)
{
    static const struct cfs_expansion expansion = {
        .home = "/home/me", .local_user = "me", .host = "h", .remote_user = "r", .port = 22, .folder = "/tmp"};
    if (cfs_value_store(option, text, "here", &expansion, context, error) < 0)
        return error->text[0] ? 0 : (__builtin_trap(), -1);
    free(cfs_value_format(option, context));
    return 0;
}

static int take_flag(void *context CFS_UNUSED, const char *flag CFS_UNUSED, struct cfs_error *error CFS_UNUSED)
{
    return 0;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const struct cfs_option_string_events events = {.value = store, .kernel_flag = take_flag};
    char *text CFS_AUTO_FREE = calloc(1, size + 1);
    if (!text)
        return 0;
    memcpy(text, data, size);
    struct cfs_profile *profile CFS_CLEANUP(cfs_profile_free) = calloc(1, sizeof(*profile));
    struct cfs_error error = {0};
    if (profile && cfs_option_string_parse(text, &events, profile, &error) < 0 && !error.text[0])
        __builtin_trap();
    return 0;
}

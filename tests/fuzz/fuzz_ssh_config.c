/* An ssh_config file, read for one host as a first and as a second reading, with Includes that lead to the file itself.
 * A refusal has a sentence, and what is taken over has a place and words that could be written in a file. */
#include "conf/ssh_config.h"
#include "conf/ssh_config_tokens.h"

#include <errno.h>
#include <stdint.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

struct input {
    const char *bytes;
    size_t size;
    unsigned depth, files;
};

static int include(struct cfs_ssh_config_parser *parser, const char *pattern, const char *place CFS_UNUSED,
                   struct cfs_error *error)
{
    struct input *input = parser->context;
    if (!*pattern)
        __builtin_trap();
    if (input->depth == 2 || ++input->files > 8)
        return 0;
    input->depth++;
    int result = cfs_ssh_config_parse(parser, input->bytes, input->size, "g", error);
    input->depth--;
    return result;
}

static void check_expansion(const char *text)
{
    static const struct cfs_ssh_config_tokens tokens = {.home = "/home/me", .original_host = "alpha", .port = "22"};
    const char *reason = NULL;
    char *path CFS_AUTO_FREE = NULL;
    int result = cfs_ssh_config_expand(text, &tokens, &path, &reason);
    if ((result == 0) != (path != NULL) || (result == -EINVAL) != (reason != NULL))
        __builtin_trap();
}

static void check(const struct cfs_ssh_config *config)
{
    for (size_t key = 0; key < CFS_SSH_KEYS; key++) {
        const struct cfs_ssh_config_value *value = &config->of[key];
        if (!value->keyword)
            continue;
        if (!value->words || !value->words[0] || !value->place || !*value->place)
            __builtin_trap();
        for (size_t i = 0; value->words[i]; i++) {
            if (!*value->words[i] || strchr(value->words[i], '\n'))
                __builtin_trap();
            check_expansion(value->words[i]);
        }
    }
}

static void read_it(const uint8_t *data, size_t size, const char *final_host)
{
    struct input input = {.bytes = (const char *)data, .size = size};
    struct cfs_ssh_config config CFS_AUTO_SSH_CONFIG = {0};
    struct cfs_error error = {0};
    struct cfs_ssh_config_parser parser = {
        .original_host = "alpha",
        .local_user = final_host ? "me" : NULL,
        .final_host = final_host,
        .config = &config,
        .include = include,
        .context = &input,
        .active = true,
    };
    char *host CFS_AUTO_FREE = NULL;
    int result = cfs_ssh_config_parse(&parser, input.bytes, size, "f", &error);
    if (result == 0)
        result = cfs_ssh_config_host_name(&config, "alpha", &host, &error);
    if (result < 0 && !error.text[0])
        __builtin_trap();
    check(&config);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    read_it(data, size, NULL);
    read_it(data, size, "beta.x.org");
    return 0;
}

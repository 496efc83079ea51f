/* `clusterfs key install`: other people's public keys go to the device, so that it lets them in. All of them are
 * checked before anything is sent. */
#include "cli/device_keys.h"
#include "cli/key.h"
#include "ssh/authorized_keys.h"
#include <errno.h>
#include <stdio.h>
#include <string.h>

/* Of a key that is to be added. */
struct found {
    bool is_new;
    char *options; /* of the line that was there: they may keep its owner out, or from something; NULL */
};

struct installation {
    const struct cfs_key_arguments *arguments;
    struct cfs_authorized_keys keys;
    struct found *found; /* as many */
};

static int read_keys(struct installation *installation, struct cfs_error *error)
{
    const struct cfs_key_arguments *arguments = installation->arguments;
    for (size_t i = 0; i < arguments->key_count; i++) {
        struct cfs_authorized_keys keys CFS_AUTO_AUTHORIZED_KEYS = {0};
        int result = cfs_public_keys_read(arguments->keys[i], arguments->may_have_options, &keys, error);
        if (result < 0)
            return result;
        if (cfs_authorized_keys_append(&installation->keys, &keys) < 0)
            return cfs_key_fail_memory(error);
    }
    installation->found = calloc(installation->keys.count, sizeof(*installation->found));
    return installation->found ? 0 : cfs_key_fail_memory(error);
}

/* An editor of device_keys.h. */
static int add(void *context, const struct cfs_buffer *before, struct cfs_buffer *after, struct cfs_error *error)
{
    struct installation *installation = context;
    struct cfs_authorized_keys present CFS_AUTO_AUTHORIZED_KEYS = {0};
    size_t count;
    if (cfs_authorized_keys_parse(before->bytes, before->length, &present) < 0 ||
        cfs_authorized_keys_add(before, &installation->keys, after, &count) < 0)
        return cfs_key_fail_memory(error);
    for (size_t i = 0; i < installation->keys.count; i++) {
        const struct cfs_authorized_key *key = &installation->keys.entries[i];
        const struct cfs_authorized_key *line = cfs_authorized_keys_find(&present, key);
        struct found *found = &installation->found[i];
        free(CFS_TAKE(found->options));
        found->is_new = !line && cfs_authorized_keys_find(&installation->keys, key) == key;
        if (line && line->options && !(found->options = strdup(line->options)))
            return cfs_key_fail_memory(error);
    }
    return 0;
}

static void print(const struct found *found, const struct cfs_authorized_key *key)
{
    cfs_key_print(found->is_new ? "added:" : "was there:", key, found->is_new ? key->options : found->options);
}

static int install(struct installation *installation, struct cfs_error *error)
{
    struct cfs_device_keys *device CFS_CLEANUP(cfs_device_keys_free) = NULL;
    const struct cfs_key_arguments *arguments = installation->arguments;
    int result = read_keys(installation, error);
    if (result == 0)
        result = cfs_device_keys_open(&arguments->request, &device, error);
    if (result == 0)
        result = cfs_device_keys_edit(device, add, installation, arguments->force, error);
    for (size_t i = 0; result == 0 && i < installation->keys.count; i++)
        print(&installation->found[i], &installation->keys.entries[i]);
    return result;
}

static int run(int argc, char **argv)
{
    struct cfs_key_arguments arguments CFS_AUTO_KEY_ARGUMENTS;
    struct installation installation = {.arguments = &arguments};
    struct cfs_error error = {0};
    int code;
    if (!cfs_key_arguments_read(&cfs_key_install, CFS_KEY_TAKES_KEYS | CFS_KEY_TAKES_OPTIONS | CFS_KEY_TAKES_FORCE,
                                argc, argv, &arguments, &code))
        return code;
    int result = install(&installation, &error);
    for (size_t i = 0; installation.found && i < installation.keys.count; i++)
        free(installation.found[i].options);
    free(installation.found);
    cfs_authorized_keys_fini(&installation.keys);
    return result < 0 ? cfs_report(&error) : 0;
}

const struct cfs_command cfs_key_install = {
    .name = "key install",
    .arguments = "[-c FILE] [-o OPT,...] [--with-options] [--force] PROFILE --key FILE.pub...",
    .summary = "Let somebody in: add public keys to the device's authorized_keys",
    .help =
        "  -c, --config FILE     read only this file of profiles\n"
        "  -o, --options OPT,... as `mount` would get them\n"
        "      --key FILE.pub... public keys; also as PuTTYgen saves them\n"
        "      --with-options    they may have options in front (from=\"...\", command=\"...\")\n"
        "      --force           do not wait for another one that changes the keys, or was interrupted; also where\n"
        "                        the server cannot replace the file in one step\n"
        "\n"
        "Logs in as `mount` does. A key that is there already is not added again. All else stays as it is.\n",
    .run = run,
};

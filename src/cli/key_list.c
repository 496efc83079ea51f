/* `clusterfs key list`: whose keys the device lets in. */
#include "base/text.h"
#include "cli/device_keys.h"
#include "cli/key.h"
#include "ssh/authorized_keys.h"
#include "ssh/host_key.h"
#include <stdio.h>
#include <string.h>

static void print_options(const char *options)
{
    char *printable CFS_AUTO_FREE = strdup(options);
    if (printable)
        cfs_text_make_printable(printable, false);
    printf(", options: %s", printable ? printable : "?");
}

static void print_key(const struct cfs_authorized_key *key, const char *login_key)
{
    char *text CFS_AUTO_FREE = cfs_authorized_key_describe(key);
    char *fingerprint CFS_AUTO_FREE = cfs_host_key_fingerprint(key->blob, key->blob_length);
    bool is_authority = cfs_authorized_key_is_authority(key);
    printf("%s", text ? text : "?");
    if (fingerprint && !is_authority && strcmp(fingerprint, login_key) == 0)
        printf(", lets you in");
    if (is_authority)
        printf(", an authority for certificates");
    if (key->options)
        print_options(key->options);
    putchar('\n');
}

static int list(const struct cfs_key_arguments *arguments, struct cfs_error *error)
{
    struct cfs_device_keys *device CFS_CLEANUP(cfs_device_keys_free) = NULL;
    struct cfs_buffer text CFS_AUTO_BUFFER = {0};
    struct cfs_authorized_keys keys CFS_AUTO_AUTHORIZED_KEYS = {0};
    int result = cfs_device_keys_open(&arguments->request, &device, error);
    if (result == 0)
        result = cfs_device_keys_read(device, &text, error);
    if (result < 0)
        return result;
    if (cfs_authorized_keys_parse(text.bytes, text.length, &keys) < 0)
        return cfs_key_fail_memory(error);
    for (size_t i = 0; i < keys.count; i++)
        print_key(&keys.entries[i], cfs_device_keys_login_key(device));
    for (size_t i = 0; i < keys.odd_count; i++)
        fprintf(stderr, "clusterfs: Line %u of ~/.ssh/authorized_keys is not a key.\n", keys.odd[i]);
    if (keys.count == 0)
        fprintf(stderr, "clusterfs: There are no keys in ~/.ssh/authorized_keys of %s.\n",
                cfs_device_keys_name(device));
    return 0;
}

static int run(int argc, char **argv)
{
    struct cfs_key_arguments arguments CFS_AUTO_KEY_ARGUMENTS;
    struct cfs_error error = {0};
    int code;
    if (!cfs_key_arguments_read(&cfs_key_list, 0, argc, argv, &arguments, &code))
        return code;
    return list(&arguments, &error) < 0 ? cfs_report(&error) : 0;
}

const struct cfs_command cfs_key_list = {
    .name = "key list",
    .arguments = "[-c FILE] [-o OPT,...] PROFILE",
    .summary = "List the public keys that the device lets in",
    .help = "  -c, --config FILE     read only this file of profiles\n"
            "  -o OPT,...            options, as for `mount`\n"
            "\n"
            "A line each, as `ssh-keygen -l` writes it, with the key's options; and which one let you in.\n",
    .run = run,
};

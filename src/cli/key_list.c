/* `clusterfs key list`: whose keys the device lets in, as lines or as JSON. */
#include "cli/device_keys.h"
#include "cli/key.h"
#include "ctl/json.h"
#include "ssh/authorized_keys.h"
#include "ssh/host_key.h"
#include "ssh/public_key.h"
#include <errno.h>
#include <stdio.h>
#include <string.h>

static bool lets_you_in(const struct cfs_authorized_key *key, const char *fingerprint, const char *login_key)
{
    return fingerprint && strcmp(fingerprint, login_key) == 0 && !cfs_authorized_key_is_authority(key);
}

static void print_key(const struct cfs_authorized_key *key, const char *login_key)
{
    char *text CFS_AUTO_FREE = cfs_authorized_key_describe(key);
    char *fingerprint CFS_AUTO_FREE = cfs_host_key_fingerprint(key->blob, key->blob_length);
    printf("%s", text ? text : "?");
    if (lets_you_in(key, fingerprint, login_key))
        printf(", lets you in");
    if (cfs_authorized_key_is_authority(key))
        printf(", an authority for certificates");
    if (key->options)
        cfs_key_print_options(key->options);
    putchar('\n');
}

static int print_lines(const struct cfs_device_keys *device, const struct cfs_authorized_keys *keys)
{
    for (size_t i = 0; i < keys->count; i++)
        print_key(&keys->entries[i], cfs_device_keys_login_key(device));
    for (size_t i = 0; i < keys->odd_count; i++)
        fprintf(stderr, "clusterfs: Line %u of ~/.ssh/authorized_keys is not a key.\n", keys->odd[i]);
    if (keys->count == 0)
        fprintf(stderr, "clusterfs: There are no keys in ~/.ssh/authorized_keys of %s.\n",
                cfs_device_keys_name(device));
    return 0;
}

/* --- JSON --- */

static void add_key(struct cfs_json *json, const struct cfs_authorized_key *key, const char *login_key)
{
    char *fingerprint CFS_AUTO_FREE = cfs_host_key_fingerprint(key->blob, key->blob_length);
    struct cfs_public_key_facts facts = {0};
    char type[64];
    cfs_public_key_type(key->blob, key->blob_length, type, sizeof(type));
    bool is_known = cfs_public_key_check(key->blob, key->blob_length, &facts) == 0;
    cfs_json_open_object(json, NULL);
    cfs_json_number(json, "line", key->line);
    cfs_json_text(json, "type", type);
    if (is_known)
        cfs_json_number(json, "bits", facts.bits);
    cfs_json_text(json, "fingerprint", fingerprint);
    cfs_json_text(json, "comment", key->comment);
    cfs_json_text(json, "options", key->options);
    cfs_json_bool(json, "authority", cfs_authorized_key_is_authority(key));
    cfs_json_bool(json, "lets_you_in", lets_you_in(key, fingerprint, login_key));
    cfs_json_close_object(json);
}

static int print_json(const struct cfs_device_keys *device, const struct cfs_authorized_keys *keys)
{
    struct cfs_buffer out CFS_AUTO_BUFFER = {0};
    struct cfs_json json = cfs_json_over(&out);
    cfs_json_open_object(&json, NULL);
    cfs_json_text(&json, "login", cfs_device_keys_name(device));
    cfs_json_open_array(&json, "keys");
    for (size_t i = 0; i < keys->count; i++)
        add_key(&json, &keys->entries[i], cfs_device_keys_login_key(device));
    cfs_json_close_array(&json);
    cfs_json_open_array(&json, "odd_lines");
    for (size_t i = 0; i < keys->odd_count; i++)
        cfs_json_number(&json, NULL, keys->odd[i]);
    cfs_json_close_array(&json);
    cfs_json_close_object(&json);
    cfs_buffer_add_u8(&out, '\n');
    if (out.failed)
        return -ENOMEM;
    fwrite(out.bytes, 1, out.length, stdout);
    return 0;
}

/* --- the command --- */

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
    result = cfs_authorized_keys_parse(text.bytes, text.length, &keys);
    if (result == 0)
        result = arguments->json ? print_json(device, &keys) : print_lines(device, &keys);
    return result < 0 ? cfs_key_fail_memory(error) : 0;
}

static int run(int argc, char **argv)
{
    struct cfs_key_arguments arguments CFS_AUTO_KEY_ARGUMENTS;
    struct cfs_error error = {0};
    int code;
    if (!cfs_key_arguments_read(&cfs_key_list, CFS_KEY_TAKES_JSON, argc, argv, &arguments, &code))
        return code;
    return list(&arguments, &error) < 0 ? cfs_report(&error) : 0;
}

const struct cfs_command cfs_key_list = {
    .name = "key list",
    .arguments = "[-c FILE] [-o OPT,...] [--json] PROFILE",
    .summary = "List the public keys that the device lets in",
    .help = "  -c, --config FILE     read only this file of profiles\n"
            "  -o, --options OPT,... as `mount` would get them\n"
            "      --json            as JSON\n"
            "\n"
            "A line each, as `ssh-keygen -l` writes it, with the key's options; and which one let you in.\n",
    .run = run,
};

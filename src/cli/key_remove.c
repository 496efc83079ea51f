/* `clusterfs key remove`: the device lets somebody in no more. The key that this login was made with stays, unless
 * forced: whoever removes it has no way back. That another one works is shown by a login with it. Where the file does
 * not have the key of the login, that was one with a certificate perhaps: then authorities stay, too. */
#include "cli/device_keys.h"
#include "cli/key.h"
#include "ssh/authorized_keys.h"
#include "ssh/host_key.h"
#include <errno.h>
#include <stdio.h>
#include <string.h>

static const char fingerprint_begin[] = "SHA256:";

struct removal {
    const struct cfs_key_arguments *arguments;
    struct cfs_device_keys *device;
    struct cfs_authorized_keys named;  /* of files */
    struct cfs_authorized_keys *found; /* what is removed, of the last edit */
};

static bool is_fingerprint(const char *word)
{
    return strncmp(word, fingerprint_begin, strlen(fingerprint_begin)) == 0;
}

static int read_files(struct removal *removal, struct cfs_error *error)
{
    const struct cfs_key_arguments *arguments = removal->arguments;
    for (size_t i = 0; i < arguments->key_count; i++) {
        struct cfs_authorized_keys keys CFS_AUTO_AUTHORIZED_KEYS = {0};
        if (is_fingerprint(arguments->keys[i]))
            continue;
        int result = cfs_public_keys_read(arguments->keys[i], true, &keys, error);
        if (result < 0)
            return result;
        if (cfs_authorized_keys_append(&removal->named, &keys) < 0)
            return cfs_key_fail_memory(error);
    }
    return 0;
}

static bool has_fingerprint(const struct cfs_authorized_key *key, const char *wanted)
{
    char *fingerprint CFS_AUTO_FREE = cfs_host_key_fingerprint(key->blob, key->blob_length);
    return fingerprint && strcmp(fingerprint, wanted) == 0;
}

static bool is_same(const struct cfs_authorized_key *a, const struct cfs_authorized_key *b)
{
    return a->blob_length == b->blob_length && memcmp(a->blob, b->blob, a->blob_length) == 0;
}

static bool is_named(const struct removal *removal, const struct cfs_authorized_key *key)
{
    const struct cfs_key_arguments *arguments = removal->arguments;
    for (size_t i = 0; i < arguments->key_count; i++) {
        if (is_fingerprint(arguments->keys[i]) && has_fingerprint(key, arguments->keys[i]))
            return true;
    }
    for (size_t i = 0; i < removal->named.count; i++) {
        if (is_same(&removal->named.entries[i], key))
            return true;
    }
    return false;
}

/* --- what is not done --- */

static int fail_absent(const struct removal *removal, const char *what, struct cfs_error *error)
{
    char *given CFS_AUTO_FREE = cfs_given_config(removal->arguments->request.config_file);
    return cfs_error_set(error, ENOENT, CFS_FAILURE_KEY_FILE,
                         "The key %s is not among those of %s, and none was removed. `clusterfs key list%s %s` shows "
                         "those that are there.",
                         what, cfs_device_keys_name(removal->device), given ? given : "",
                         removal->arguments->request.source);
}

static int check_presence(const struct removal *removal, const struct cfs_authorized_keys *present,
                          struct cfs_error *error)
{
    const struct cfs_key_arguments *arguments = removal->arguments;
    for (size_t i = 0; i < arguments->key_count; i++) {
        bool is_there = !is_fingerprint(arguments->keys[i]);
        for (size_t j = 0; j < present->count; j++)
            is_there = is_there || has_fingerprint(&present->entries[j], arguments->keys[i]);
        if (!is_there)
            return fail_absent(removal, arguments->keys[i], error);
    }
    for (size_t i = 0; i < removal->named.count; i++) {
        bool is_there = false;
        for (size_t j = 0; j < present->count; j++)
            is_there = is_there || is_same(&present->entries[j], &removal->named.entries[i]);
        char *fingerprint CFS_AUTO_FREE =
            cfs_host_key_fingerprint(removal->named.entries[i].blob, removal->named.entries[i].blob_length);
        if (!is_there)
            return fail_absent(removal, fingerprint ? fingerprint : "", error);
    }
    return 0;
}

static const struct cfs_authorized_key *find_fingerprint(const struct cfs_authorized_keys *keys, const char *wanted,
                                                         bool is_authority)
{
    for (size_t i = 0; i < keys->count; i++) {
        const struct cfs_authorized_key *key = &keys->entries[i];
        if (cfs_authorized_key_is_authority(key) == is_authority && has_fingerprint(key, wanted))
            return key;
    }
    return NULL;
}

static bool has_authority(const struct cfs_authorized_keys *keys)
{
    for (size_t i = 0; i < keys->count; i++) {
        if (cfs_authorized_key_is_authority(&keys->entries[i]))
            return true;
    }
    return false;
}

static int fail_login_key(const char *login_key, struct cfs_error *error)
{
    return cfs_error_set(error, EPERM, CFS_FAILURE_USAGE,
                         "%s is the key that lets you in: without it you might not get in again. If another one "
                         "does, log in with that: -o identity_file=FILE,identities_only; or say --force.",
                         login_key);
}

static int fail_authority(const struct removal *removal, struct cfs_error *error)
{
    return cfs_error_set(error, EPERM, CFS_FAILURE_USAGE,
                         "The key that let you in is not among those of %s: an authority has signed its certificate "
                         "perhaps, and without that you might not get in again. If a key lets you in, log in with "
                         "that: -o identity_file=FILE,identities_only; or say --force.",
                         cfs_device_keys_name(removal->device));
}

static int fail_none_left(const struct removal *removal, struct cfs_error *error)
{
    return cfs_error_set(error, EPERM, CFS_FAILURE_USAGE,
                         "No key of %s would be left, and you might not get in again. Say --force if it shall be so.",
                         cfs_device_keys_name(removal->device));
}

/* KEPT stay, removal->found go. LEFT: of those that stay, how many let somebody in by themselves. */
static int check_way_back(const struct removal *removal, const struct cfs_authorized_keys *kept, size_t left,
                          struct cfs_error *error)
{
    const char *login_key = cfs_device_keys_login_key(removal->device);
    if (removal->arguments->force)
        return 0;
    if (*login_key && find_fingerprint(removal->found, login_key, false))
        return fail_login_key(login_key, error);
    if (*login_key && find_fingerprint(kept, login_key, false))
        return 0;
    if (*login_key && has_authority(removal->found))
        return fail_authority(removal, error);
    return left == 0 ? fail_none_left(removal, error) : 0;
}

/* --- the edit --- */

/* Moves the keys that are to go from PRESENT to removal->found. *RET_LEFT: how many keys that let somebody in stay. */
static int sort_out(struct removal *removal, struct cfs_authorized_keys *present, size_t *ret_left)
{
    size_t kept = 0, left = 0;
    cfs_authorized_keys_fini(removal->found);
    for (size_t i = 0; i < present->count; i++) {
        struct cfs_authorized_key key = present->entries[i];
        struct cfs_authorized_keys one = {.entries = &key, .count = 1};
        if (is_named(removal, &key) && cfs_authorized_keys_append(removal->found, &one) == 0)
            continue;
        left += !cfs_authorized_key_is_authority(&key);
        present->entries[kept++] = key;
    }
    size_t gone = present->count - kept;
    present->count = kept;
    *ret_left = left;
    return gone == removal->found->count ? 0 : -ENOMEM;
}

/* An editor of device_keys.h. */
static int take_away(void *context, const struct cfs_buffer *before, struct cfs_buffer *after, struct cfs_error *error)
{
    struct removal *removal = context;
    struct cfs_authorized_keys present CFS_AUTO_AUTHORIZED_KEYS = {0};
    size_t count, left;
    if (cfs_authorized_keys_parse(before->bytes, before->length, &present) < 0)
        return cfs_key_fail_memory(error);
    int result = check_presence(removal, &present, error);
    if (result < 0)
        return result;
    if (sort_out(removal, &present, &left) < 0)
        return cfs_key_fail_memory(error);
    result = check_way_back(removal, &present, left, error);
    if (result < 0)
        return result;
    return cfs_authorized_keys_remove(before, removal->found, after, &count) < 0 ? cfs_key_fail_memory(error) : 0;
}

static int remove_keys(struct removal *removal, struct cfs_error *error)
{
    const struct cfs_key_arguments *arguments = removal->arguments;
    int result = read_files(removal, error);
    if (result == 0)
        result = cfs_device_keys_open(&arguments->request, &removal->device, error);
    if (result == 0)
        result = cfs_device_keys_edit(removal->device, take_away, removal, arguments->force, error);
    for (size_t i = 0; result == 0 && i < removal->found->count; i++)
        cfs_key_print("removed:", &removal->found->entries[i], removal->found->entries[i].options);
    return result;
}

static int run(int argc, char **argv)
{
    struct cfs_key_arguments arguments CFS_AUTO_KEY_ARGUMENTS;
    struct cfs_authorized_keys found CFS_AUTO_AUTHORIZED_KEYS = {0};
    struct removal removal = {.arguments = &arguments, .found = &found};
    struct cfs_error error = {0};
    int code;
    if (!cfs_key_arguments_read(&cfs_key_remove, CFS_KEY_TAKES_KEYS | CFS_KEY_TAKES_FORCE, argc, argv, &arguments,
                                &code))
        return code;
    int result = remove_keys(&removal, &error);
    cfs_device_keys_free(removal.device);
    cfs_authorized_keys_fini(&removal.named);
    return result < 0 ? cfs_report(&error) : 0;
}

const struct cfs_command cfs_key_remove = {
    .name = "key remove",
    .arguments = "[-c FILE] [-o OPT,...] [--force] PROFILE {FINGERPRINT | FILE.pub}...",
    .summary = "Let somebody in no more: remove public keys from the device's authorized_keys",
    .help = "  -c, --config FILE     read only this file of profiles\n"
            "  -o, --options OPT,... as `mount` would get them\n"
            "      --force           also the key that lets you in; do not wait for others; also where the server\n"
            "                        cannot replace the file in one step\n"
            "\n"
            "`clusterfs key list PROFILE` shows the fingerprints. All else stays as it is.\n",
    .run = run,
};

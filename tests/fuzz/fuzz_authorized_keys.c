/* The device's authorized_keys, and what somebody gives as his public key. An edit that takes all keys away leaves the
 * rest of the lines as they are; one that adds them again makes each of them found. */
#include "ssh/authorized_keys.h"
#include "ssh/public_key.h"
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void must(bool holds)
{
    if (!holds)
        __builtin_trap();
}

static void check_places(const struct cfs_authorized_keys *keys, size_t size)
{
    size_t end = 0;
    for (size_t i = 0; i < keys->count; i++) {
        const struct cfs_authorized_key *key = &keys->entries[i];
        must(key->offset >= end && key->length > 0 && key->length <= size - key->offset);
        end = key->offset + key->length;
    }
}

static void take_away_and_add(const struct cfs_buffer *text, const struct cfs_authorized_keys *keys)
{
    struct cfs_authorized_keys left CFS_AUTO_AUTHORIZED_KEYS = {0}, again CFS_AUTO_AUTHORIZED_KEYS = {0};
    struct cfs_buffer without CFS_AUTO_BUFFER = {0}, with CFS_AUTO_BUFFER = {0};
    size_t count = 0, length = 0;
    must(cfs_authorized_keys_remove(text, keys, &without, &count) == 0 && count == keys->count);
    for (size_t i = 0; i < keys->count; i++)
        length += keys->entries[i].length;
    must(without.length == text->length - length);
    must(cfs_authorized_keys_parse(without.bytes, without.length, &left) == 0 && left.count == 0);
    must(left.odd_count == keys->odd_count);
    must(cfs_authorized_keys_add(&without, keys, &with, &count) == 0 && count <= keys->count);
    must(without.length == 0 || memcmp(with.bytes, without.bytes, without.length) == 0);
    must(cfs_authorized_keys_parse(with.bytes, with.length, &again) == 0);
    must(again.count == count && again.odd_count == keys->odd_count);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct cfs_authorized_keys keys CFS_AUTO_AUTHORIZED_KEYS = {0}, given CFS_AUTO_AUTHORIZED_KEYS = {0};
    struct cfs_buffer text CFS_AUTO_BUFFER = {0};
    struct cfs_error error = {0};
    cfs_buffer_add(&text, data, size);
    if (cfs_authorized_keys_parse(data, size, &keys) < 0)
        return 0;
    check_places(&keys, size);
    take_away_and_add(&text, &keys);
    if (cfs_public_keys_parse("fuzz", data, size, true, &given, &error) < 0)
        return 0;
    must(given.count > 0);
    for (size_t i = 0; i < given.count; i++) {
        struct cfs_public_key_facts facts;
        char *described CFS_AUTO_FREE = cfs_authorized_key_describe(&given.entries[i]);
        must(described && cfs_public_key_check(given.entries[i].blob, given.entries[i].blob_length, &facts) == 0);
    }
    return 0;
}

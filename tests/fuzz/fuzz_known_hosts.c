/* A known_hosts file: the first line of the input is the name that is looked up, and then forgotten. */
#include "ssh/known_hosts.h"

#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* Once is enough; nothing is made longer; who is forgotten is known by patterns only. */
static void forget(const char *text, size_t length, const char *name)
{
    struct cfs_known_hosts_change change CFS_AUTO_KNOWN_HOSTS_CHANGE = {0}, again CFS_AUTO_KNOWN_HOSTS_CHANGE = {0};
    struct cfs_known_hosts found CFS_AUTO_KNOWN_HOSTS = {0};
    if (cfs_known_hosts_forget(text, length, name, &change) < 0)
        return;
    if (change.text.length > length || (change.lines == 0 && change.text.length != length))
        __builtin_trap();
    if (change.text.length == 0)
        return;
    const char *left = (const char *)change.text.bytes;
    if (cfs_known_hosts_forget(left, change.text.length, name, &again) < 0 ||
        cfs_known_hosts_parse("fuzz", left, change.text.length, name, &found) < 0)
        return;
    if (again.lines > 0 || again.by_pattern != change.by_pattern)
        __builtin_trap();
    size_t plain = 0;
    for (size_t i = 0; i < found.count; i++)
        plain += found.entries[i].mark == CFS_KNOWN_HOST_PLAIN;
    if (plain > change.by_pattern)
        __builtin_trap();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    const uint8_t *end = size > 0 ? memchr(data, '\n', size) : NULL;
    if (!end)
        return 0;
    char *name CFS_AUTO_FREE = strndup((const char *)data, (size_t)(end - data));
    struct cfs_known_hosts found CFS_AUTO_KNOWN_HOSTS = {0};
    if (!name)
        return 0;
    size_t used = (size_t)(end + 1 - data);
    if (cfs_known_hosts_parse("fuzz", (const char *)end + 1, size - used, name, &found) < 0)
        return 0;
    for (size_t i = 0; i < found.count; i++)
        if (found.entries[i].blob_length < 4 + strlen(found.entries[i].type))
            __builtin_trap(); /* an entry whose key cannot say its type */
    forget((const char *)end + 1, size - used, name);
    return 0;
}

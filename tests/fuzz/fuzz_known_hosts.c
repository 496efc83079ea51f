/* A known_hosts file: the first line of the input is the name that is looked up. */
#include "ssh/known_hosts.h"

#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

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
    return 0;
}

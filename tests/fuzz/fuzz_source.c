/* SOURCE: what passes the check can become an argument, a line of known_hosts, a name to look up. */
#include "conf/source.h"

#include <stdint.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    char *text CFS_AUTO_FREE = calloc(1, size + 1);
    if (!text)
        return 0;
    memcpy(text, data, size);
    struct cfs_source source CFS_AUTO_SOURCE = {0};
    struct cfs_error error = {0};
    if (cfs_source_parse(text, &source, &error) < 0 || cfs_source_check(&source, text, &error) < 0)
        return 0;
    if (!*source.host || *source.host == '-' || strpbrk(source.host, " \t\n/[]@,*"))
        __builtin_trap();
    if (source.user && (!*source.user || *source.user == '-' || strpbrk(source.user, " \t\n/")))
        __builtin_trap();
    return 0;
}

/* proxy_jump: what is taken for a hop is a source that means the same host, and nothing more. */
#include "conf/hops.h"
#include "conf/source.h"

#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    char *text CFS_AUTO_FREE = calloc(1, size + 1);
    struct cfs_hop hops[CFS_HOPS_MOST];
    const char *reason = NULL;
    if (!text)
        return 0;
    memcpy(text, data, size);
    int count = cfs_hops_parse(text, hops, &reason);
    if (count < 0 && !reason)
        __builtin_trap();
    for (int i = 0; i < count; i++) {
        struct cfs_source source CFS_AUTO_SOURCE = {0};
        if (cfs_source_parse(hops[i].source, &source, NULL) < 0 ||
            cfs_source_check(&source, hops[i].source, NULL) < 0 || source.path || !source.colon)
            __builtin_trap();
    }
    return 0;
}

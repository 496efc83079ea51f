/* Sites of another program (ssh_config): see fuzz_import.h. */
#include "fuzz/fuzz_import.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    fuzz_import_run(cfs_import_ssh_config, data, size);
    return 0;
}

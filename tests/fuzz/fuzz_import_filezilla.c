/* Sites of another program (filezilla): see fuzz_import.h. */
#include "fuzz/fuzz_import.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    fuzz_import_run(cfs_import_filezilla, data, size);
    return 0;
}

/* A certificate's blob; and what would be said of it if a server refused it. */
#include "ssh/certificate.h"

#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct cfs_certificate certificate CFS_AUTO_CERTIFICATE = {0};
    char text[300];
    bool is_one = cfs_certificate_is_one(data, size);
    if (cfs_certificate_parse(data, size, &certificate) < 0)
        return 0;
    if (!is_one || certificate.blob.length != size || certificate.key.length >= size)
        __builtin_trap();
    cfs_certificate_describe(&certificate, text, sizeof(text));
    if (strlen(text) >= sizeof(text) || strpbrk(text, "\n\r\033"))
        __builtin_trap();
    cfs_certificate_explain(&certificate, "user", 1000000000, text, sizeof(text));
    if (strlen(text) >= sizeof(text) || strpbrk(text, "\n\r\033"))
        __builtin_trap(); /* it is written to a terminal */
    return 0;
}

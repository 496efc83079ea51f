/* Wiping that the compiler cannot leave out. */
#include "base/secret.h"
#include <string.h>

void cfs_secret_free(char *secret)
{
    if (!secret)
        return;
    explicit_bzero(secret, strlen(secret));
    free(secret);
}

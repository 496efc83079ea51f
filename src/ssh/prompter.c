/* What prompters and those who ask have in common. */
#include "ssh/prompter.h"

#include <string.h>

void cfs_secret_free(char *secret)
{
    if (!secret)
        return;
    explicit_bzero(secret, strlen(secret));
    free(secret);
}

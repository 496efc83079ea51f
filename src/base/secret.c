/* Wiping that the compiler cannot leave out. */
#include "base/secret.h"
#include <errno.h>
#include <string.h>
#include <sys/mman.h>

void cfs_secret_free(char *secret)
{
    if (!secret)
        return;
    explicit_bzero(secret, strlen(secret));
    free(secret);
}

int cfs_secret_map(size_t length, void **ret_memory)
{
    void *memory = mmap(NULL, length, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (memory == MAP_FAILED)
        return -errno;
    if (mlock(memory, length) < 0 || madvise(memory, length, MADV_DONTDUMP) < 0) {
        int error = -errno;
        munmap(memory, length);
        return error;
    }
    *ret_memory = memory;
    return 0;
}

void cfs_secret_unmap(void *memory, size_t length)
{
    if (!memory)
        return;
    explicit_bzero(memory, length);
    munmap(memory, length);
}

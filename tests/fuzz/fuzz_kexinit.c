/* How a server begins: lines, its version, its first packet. */
#include "ssh/kexinit.h"

#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct cfs_ssh_offer offer CFS_AUTO_OFFER = {.lists = {NULL}};
    if (cfs_ssh_offer_read(data, size, &offer) < 0)
        return 0;
    for (size_t i = 0; i < CFS_SSH_LISTS; i++) {
        if (!offer.lists[i] || strlen(offer.lists[i]) >= size)
            __builtin_trap();
        if (offer.lists[i][0] && offer.lists[i][0] != ',' && !cfs_ssh_lists_meet(offer.lists[i], offer.lists[i]))
            __builtin_trap(); /* a list has its own names */
    }
    return 0;
}

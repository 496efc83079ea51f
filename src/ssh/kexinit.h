/* Which algorithms a server offers: its SSH_MSG_KEXINIT (RFC 4253, 7.1), read from how it began, in the clear. libssh2
 * says only that there is no agreement, and not about what. */
#ifndef CFS_SSH_KEXINIT_H
#define CFS_SSH_KEXINIT_H

#include "base/cleanup.h"
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* The name-lists in the order of the packet. */
enum cfs_ssh_list {
    CFS_SSH_KEX,
    CFS_SSH_HOST_KEY,
    CFS_SSH_CIPHER_TO_SERVER,
    CFS_SSH_CIPHER_TO_CLIENT,
    CFS_SSH_MAC_TO_SERVER,
    CFS_SSH_MAC_TO_CLIENT,
    CFS_SSH_COMPRESSION_TO_SERVER,
    CFS_SSH_COMPRESSION_TO_CLIENT,
    CFS_SSH_LISTS,
};

struct cfs_ssh_offer {
    char *lists[CFS_SSH_LISTS]; /* names separated by commas, printable; may be empty */
};

/* BYTES: all that the server has sent from the beginning, or the beginning of that: lines, its version, the packet.
 * -ENOENT: no version or no complete packet is among them, -EBADMSG: the packet is not well formed, -ENOMEM. Then
 * RET_OFFER is untouched; else cfs_ssh_offer_fini. Any thread. */
CFS_CHECKED int cfs_ssh_offer_read(const void *bytes, size_t length, struct cfs_ssh_offer *ret_offer);
void cfs_ssh_offer_fini(struct cfs_ssh_offer *offer); /* leaves an empty one */
#define CFS_AUTO_OFFER __attribute__((cleanup(cfs_ssh_offer_fini)))

/* Whether two lists have a name in common. */
bool cfs_ssh_lists_meet(const char *ours, const char *theirs);

#endif

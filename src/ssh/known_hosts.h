/* Reads known_hosts files: which keys they hold for a host (sshd(8), "SSH_KNOWN_HOSTS FILE FORMAT"). Policy is
 * host_key.c's. */
#ifndef CFS_SSH_KNOWN_HOSTS_H
#define CFS_SSH_KNOWN_HOSTS_H

#include "base/cleanup.h"
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum cfs_known_host_mark {
    CFS_KNOWN_HOST_PLAIN,
    CFS_KNOWN_HOST_REVOKED,   /* @revoked */
    CFS_KNOWN_HOST_AUTHORITY, /* @cert-authority: the key signs host certificates; it is not the host's own */
};

/* One line that matches the name that was looked up. */
struct cfs_known_host {
    enum cfs_known_host_mark mark;
    char *type; /* "ssh-ed25519"; the blob says the same */
    uint8_t *blob;
    size_t blob_length;
    char *file;
    unsigned line; /* from 1 */
};

/* Initialise with {0}. In the order of the files and of their lines. */
struct cfs_known_hosts {
    struct cfs_known_host *entries;
    size_t count;
};

void cfs_known_hosts_fini(struct cfs_known_hosts *found); /* leaves an empty list */
#define CFS_AUTO_KNOWN_HOSTS __attribute__((cleanup(cfs_known_hosts_fini)))

/* Adds the lines of a text that match NAME: a host name or address, as "[name]:port" where the port is not 22; letters
 * match in either case. FILE_NAME is for messages and entries. Lines with bad content are skipped; how many is the
 * result. -ENOMEM (what was found so far stays in the list). Any thread. */
CFS_CHECKED int cfs_known_hosts_parse(const char *file_name, const char *text, size_t length, const char *name,
                                      struct cfs_known_hosts *found);

/* The same from a file. A missing file, and one that is no regular file (/dev/null), hold no lines. One warning is
 * logged for a file with bad lines, unless QUIET. 0, -EFBIG beyond 16 MiB, -EACCES and others of open(2) and read(2),
 * -ENOMEM. */
CFS_CHECKED int cfs_known_hosts_read(const char *path, const char *name, bool quiet, struct cfs_known_hosts *found);

#endif

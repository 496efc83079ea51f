/* Reads known_hosts files: which keys they hold for a host (sshd(8), "SSH_KNOWN_HOSTS FILE FORMAT"). Policy is
 * host_key.c's. */
#ifndef CFS_SSH_KNOWN_HOSTS_H
#define CFS_SSH_KNOWN_HOSTS_H

#include "base/bytes.h"
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

/* How a text changes when a name is forgotten. Initialise with {0}. */
struct cfs_known_hosts_change {
    struct cfs_buffer text; /* as it is then; lines of others are what they were, byte for byte */
    size_t lines;           /* how many lines named the host: they are gone, or name others only */
    size_t by_pattern;      /* how many lines still name it by a pattern, which other hosts may need */
    unsigned pattern_line;  /* the first of these, in the new text */
    unsigned lines_kept;
    char *hashed; /* the first hashed name of the host that was taken out; NULL: none */
};

void cfs_known_hosts_change_fini(struct cfs_known_hosts_change *change);
#define CFS_AUTO_KNOWN_HOSTS_CHANGE __attribute__((cleanup(cfs_known_hosts_change_fini)))

/* Takes NAME out of the text of a file: whole lines, or where a line names others, too, the name alone. Marked lines
 * (@revoked, @cert-authority), comments, and lines that are not understood stay. -ENOMEM. Any thread. */
CFS_CHECKED int cfs_known_hosts_forget(const char *text, size_t length, const char *name,
                                       struct cfs_known_hosts_change *ret_change);

#endif

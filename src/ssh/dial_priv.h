/* What dial.c and dial_error.c share. */
#ifndef CFS_SSH_DIAL_PRIV_H
#define CFS_SSH_DIAL_PRIV_H

#include "ssh/dial.h"

enum { CFS_SSH_MOST_ADDRESSES = 16 };

/* One address, and what became of it. */
struct cfs_ssh_attempt {
    const struct addrinfo *address;
    int fd;    /* -1 unless connecting */
    int error; /* an errno; 0: not tried, or still waiting for an answer */
};

/* The sentences. Each returns -errno for the caller to pass on. */
int cfs_ssh_lookup_error(const struct cfs_profile *profile, int rc, int problem, struct cfs_error *error);
int cfs_ssh_dial_error(const struct cfs_profile *profile, const struct cfs_ssh_attempt *attempts, unsigned count,
                       int rc, struct cfs_error *error);

#endif

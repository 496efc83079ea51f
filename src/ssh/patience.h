/* How a login waits: for the server, for programs, and for a person. */
#ifndef CFS_SSH_PATIENCE_H
#define CFS_SSH_PATIENCE_H

#include <poll.h>

/* How what logs in waits: libssh2 is non-blocking throughout. */
struct cfs_ssh_waiter {
    /* Waits until libssh2 may go on (data arrived, or the output ring has room). -ETIMEDOUT (login_timeout), -ECANCELED
     * (the cancel descriptor), -ECONNRESET. */
    int (*wait)(struct cfs_ssh_waiter *waiter);
    /* Waits, as long and with the same errors, for one of COUNT descriptors (poll(2)) instead of the server. There is
     * room for one more behind them, which it uses itself. */
    int (*wait_for)(struct cfs_ssh_waiter *waiter, struct pollfd *polls, unsigned count);
    /* The time that a person needs, at a prompt here or to approve the login elsewhere, does not count against the
     * server: between the two (which may be nested) the clock stands still, and `wait` has no time limit. */
    void (*pause)(struct cfs_ssh_waiter *waiter);
    void (*resume)(struct cfs_ssh_waiter *waiter);
};

/* What takes that long was not made without a person: a password that is checked by LDAP far away takes a second or
 * two; nobody reaches for his phone in less. */
enum { CFS_SSH_PERSONAL_MS = 5000 };

#endif

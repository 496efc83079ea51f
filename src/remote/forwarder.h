/* Connections of this machine's programs, forwarded to hosts that the server can reach, through one login (RFC 4254,
 * 7.2). Who listens has done so already; from then on all is on the thread of the transport's loop.
 *
 * A lost connection to the server is made again, as that of a mount: what went through it is reset; who comes meanwhile
 * waits, as long as calls of a mount would, and is refused then. A login that would fail again is not repeated: the
 * forwarder has ended then. */
#ifndef CFS_REMOTE_FORWARDER_H
#define CFS_REMOTE_FORWARDER_H

#include "base/error.h"
#include "conf/forward_rule.h"
#include "remote/transport.h"

struct cfs_forwarder;

/* Where it listens; what is forwarded to is the rule's. */
struct cfs_forward_listener {
    int fd;
    char place[96]; /* "127.0.0.1:8080" */
    const struct cfs_forward_rule *rule;
};

struct cfs_forwarder_options {
    struct cfs_transport *transport; /* with open_direct */
    const struct cfs_profile *profile;
    struct cfs_prompter *prompter; /* for logging in again; NULL: nobody is asked */
    /* A sentence that somebody should read. */
    void (*tell)(void *context, const char *sentence);
    /* It cannot go on: ERROR, gone when it returns, says why. Once; cfs_forwarder_free is still to be called. */
    void (*failed)(void *context, const struct cfs_error *error);
    void *context;
};

/* Begins to accept connections. OPTIONS are copied; what they point to, and the descriptors of LISTENERS, which stay
 * the caller's, must outlive it. NULL when memory is short. Not on the loop's thread. */
struct cfs_forwarder *cfs_forwarder_new(const struct cfs_forwarder_options *options,
                                        const struct cfs_forward_listener *listeners, size_t count);
/* Ends all connections, and frees OPTIONS' transport, too. Not on the loop's thread. NULL is fine. */
void cfs_forwarder_free(struct cfs_forwarder *forwarder);

#endif

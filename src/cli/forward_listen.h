/* The sockets of `clusterfs forward`. */
#ifndef CFS_CLI_FORWARD_LISTEN_H
#define CFS_CLI_FORWARD_LISTEN_H

#include "base/error.h"
#include "remote/forwarder.h"

/* Listens where RULE says. RULE must outlive RET_LISTENER, whose descriptor the caller closes. -errno with a sentence:
 * CFS_FAILURE_BUSY if the port is taken. */
CFS_CHECKED int cfs_forward_listen(const struct cfs_forward_rule *rule, struct cfs_forward_listener *ret_listener,
                                   struct cfs_error *error);

#endif

/* [BIND:]PORT:HOST:PORT: where `clusterfs forward` listens, and where that leads to as seen from the server. An IPv6
 * address stands in brackets. Pure. */
#ifndef CFS_CONF_FORWARD_RULE_H
#define CFS_CONF_FORWARD_RULE_H

#include "base/cleanup.h"
#include <stdint.h>

enum { CFS_FORWARD_HOST = 256, CFS_FORWARD_BIND = 64 };

struct cfs_forward_rule {
    char bind[CFS_FORWARD_BIND]; /* numeric address; "*": all of this machine's */
    uint16_t port;               /* 0: any that is free */
    char host[CFS_FORWARD_HOST]; /* without brackets */
    uint16_t host_port;
};

/* Without BIND, and with "localhost", it is 127.0.0.1. NULL, or how it must be ("must be ...", static). */
CFS_CHECKED const char *cfs_forward_rule_parse(const char *text, struct cfs_forward_rule *ret_rule);

#endif

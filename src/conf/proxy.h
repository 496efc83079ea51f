/* proxy: socks5://[USER@]HOST[:PORT] or http://[USER@]HOST[:PORT]. */
#ifndef CFS_CONF_PROXY_H
#define CFS_CONF_PROXY_H

#include "base/cleanup.h"
#include <stdint.h>

enum cfs_proxy_kind { CFS_PROXY_SOCKS5, CFS_PROXY_HTTP };

struct cfs_proxy {
    enum cfs_proxy_kind kind;
    char host[256]; /* without brackets */
    uint16_t port;
    char user[256]; /* "": none */
};

/* -EINVAL if TEXT is none. Pure. */
CFS_CHECKED int cfs_proxy_parse(const char *text, struct cfs_proxy *ret_proxy);
/* The rule of the option: NULL, or how it must be. "none" is fine. */
const char *cfs_proxy_check(const char *text);

#endif

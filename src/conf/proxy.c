/* A proxy's address: see proxy.h. Behind the scheme it is written as a hop is (hops.h). */
#include "conf/proxy.h"

#include "conf/hops.h"
#include "conf/source.h"
#include <errno.h>
#include <string.h>

static const struct scheme {
    const char *prefix;
    enum cfs_proxy_kind kind;
    uint16_t port;
} schemes[] = {{"socks5://", CFS_PROXY_SOCKS5, 1080}, {"http://", CFS_PROXY_HTTP, 3128}};

static int parse_address(const char *text, uint16_t usual_port, struct cfs_proxy *proxy)
{
    struct cfs_hop hops[CFS_HOPS_MOST];
    struct cfs_source source CFS_AUTO_SOURCE = {0};
    const char *reason;
    if (cfs_hops_parse(text, hops, &reason) != 1 || cfs_source_parse(hops[0].source, &source, NULL) < 0)
        return -EINVAL;
    proxy->port = hops[0].port ? hops[0].port : usual_port;
    snprintf(proxy->host, sizeof(proxy->host), "%s", source.host);
    snprintf(proxy->user, sizeof(proxy->user), "%s", source.user ? source.user : "");
    return 0;
}

int cfs_proxy_parse(const char *text, struct cfs_proxy *ret_proxy)
{
    struct cfs_proxy proxy = {0};
    for (size_t i = 0; i < CFS_COUNT(schemes); i++) {
        size_t length = strlen(schemes[i].prefix);
        if (strncmp(text, schemes[i].prefix, length) != 0)
            continue;
        proxy.kind = schemes[i].kind;
        int result = parse_address(text + length, schemes[i].port, &proxy);
        if (result == 0)
            *ret_proxy = proxy;
        return result;
    }
    return -EINVAL;
}

const char *cfs_proxy_check(const char *text)
{
    struct cfs_proxy proxy;
    if (strcmp(text, "none") == 0 || cfs_proxy_parse(text, &proxy) == 0)
        return NULL;
    return "must be socks5://[USER@]HOST[:PORT] or http://[USER@]HOST[:PORT] (an IPv6 address in brackets), or none";
}

/* When this machine's network changes, a connection may have died with it, and one that could not be made may be
 * possible now: so the one is asked for a sign of life (heartbeat.c), and the other tried at once (reconnect.c).
 *
 * The kernel tells of links, addresses and routes by a netlink socket (rtnetlink(7)). What it says is not looked at:
 * which route leads to the server is for the kernel to know, and a question for nothing costs a hundred bytes. Changes
 * come in bursts, and what comes first is often the end of the old network: they are gathered for a moment. */
#include "base/log.h"
#include "remote/network_priv.h"
#include "remote/pool_priv.h"
#include <errno.h>
#include <linux/netlink.h>
#include <linux/rtnetlink.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

enum { GATHER_MS = 500, READS_A_TURN = 64 };

static struct cfs_pool *pool_of(struct cfs_network *network)
{
    return cfs_container_of(network, struct cfs_pool, network);
}

static void on_gathered(struct cfs_timer *timer)
{
    struct cfs_pool *pool = pool_of(cfs_container_of(timer, struct cfs_network, gather));
    cfs_log_debug("pool", "the network of this machine has changed");
    (void)cfs_heartbeat_notice_sleep(pool);
    cfs_heartbeat_ask_if_silent(pool);
    cfs_reconnect_hurry(pool);
}

/* True: there was something, perhaps more than the kernel could keep for us. */
static bool read_once(int fd)
{
    char messages[8192];
    ssize_t length = recv(fd, messages, sizeof(messages), MSG_DONTWAIT);
    return length > 0 || (length < 0 && (errno == ENOBUFS || errno == EINTR));
}

static void on_message(struct cfs_watch *watch, uint32_t events)
{
    struct cfs_network *network = cfs_container_of(watch, struct cfs_network, watch);
    struct cfs_pool *pool = pool_of(network);
    unsigned reads = 0;
    while (reads < READS_A_TURN && read_once(watch->fd))
        reads++;
    if (reads == 0 && events & (EPOLLERR | EPOLLHUP))
        cfs_network_end(pool); /* it would be ready for ever */
    if (reads > 0 && !network->gather.active)
        cfs_loop_start_timer(pool->loop, &network->gather, GATHER_MS);
}

void cfs_network_begin(struct cfs_pool *pool)
{
    const struct sockaddr_nl address = {.nl_family = AF_NETLINK,
                                        .nl_groups = RTMGRP_LINK | RTMGRP_IPV4_IFADDR | RTMGRP_IPV6_IFADDR |
                                                     RTMGRP_IPV4_ROUTE | RTMGRP_IPV6_ROUTE};
    struct cfs_network *network = &pool->network;
    int fd CFS_AUTO_CLOSE = socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC | SOCK_NONBLOCK, NETLINK_ROUTE);
    network->gather.expired = on_gathered;
    network->watch = (struct cfs_watch){.fd = fd, .ready = on_message};
    if (fd < 0 || bind(fd, (const struct sockaddr *)&address, sizeof(address)) < 0 ||
        cfs_loop_watch(pool->loop, &network->watch, EPOLLIN) < 0)
        cfs_log_debug("pool", "changes of the network are not told to us: %s", strerror(errno));
    else
        fd = -1; /* the watch's */
}

void cfs_network_end(struct cfs_pool *pool)
{
    struct cfs_network *network = &pool->network;
    cfs_loop_stop_timer(pool->loop, &network->gather);
    if (!network->watch.active)
        return;
    cfs_loop_unwatch(pool->loop, &network->watch);
    close(network->watch.fd);
}

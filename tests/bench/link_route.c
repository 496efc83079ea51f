/* One RTM_NEWROUTE over netlink: rtnetlink(7). What iproute2 does for `ip route replace PEER dev X congctl NAME`. */
#include "bench/link_route.h"
#include <arpa/inet.h>
#include <errno.h>
#include <linux/rtnetlink.h>
#include <stdint.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

enum { CONGESTION_MOST = 16 }; /* TCP_CA_NAME_MAX, with its NUL */

struct request {
    struct nlmsghdr header;
    struct rtmsg route;
    uint8_t attributes[256];
};

/* The caller knows that all fits. */
static struct rtattr *add(struct request *request, unsigned short type, const void *value, size_t length)
{
    struct rtattr *attribute = (struct rtattr *)(void *)((uint8_t *)request + NLMSG_ALIGN(request->header.nlmsg_len));
    attribute->rta_type = type;
    attribute->rta_len = (unsigned short)RTA_LENGTH(length);
    if (length > 0)
        memcpy(RTA_DATA(attribute), value, length);
    request->header.nlmsg_len = NLMSG_ALIGN(request->header.nlmsg_len) + RTA_ALIGN(attribute->rta_len);
    return attribute;
}

static int ask(const struct request *request)
{
    struct {
        struct nlmsghdr header;
        struct nlmsgerr result;
        uint8_t rest[1024];
    } answer;
    int error = 0;
    int fd = socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, NETLINK_ROUTE);
    if (fd < 0)
        return -errno;
    if (send(fd, request, request->header.nlmsg_len, 0) < 0 || recv(fd, &answer, sizeof(answer), 0) < 0)
        error = -errno;
    else
        error = answer.header.nlmsg_type == NLMSG_ERROR ? answer.result.error : -EPROTO;
    close(fd);
    return error;
}

int link_route_set(unsigned int interface, const char *peer, const char *congestion)
{
    struct request request = {
        .header = {.nlmsg_len = NLMSG_LENGTH(sizeof(struct rtmsg)),
                   .nlmsg_type = RTM_NEWROUTE,
                   .nlmsg_flags = NLM_F_REQUEST | NLM_F_ACK | NLM_F_CREATE | NLM_F_REPLACE},
        .route = {.rtm_family = AF_INET,
                  .rtm_dst_len = 32,
                  .rtm_table = RT_TABLE_MAIN,
                  .rtm_protocol = RTPROT_KERNEL,
                  .rtm_scope = RT_SCOPE_LINK,
                  .rtm_type = RTN_UNICAST},
    };
    struct in_addr address;
    size_t length = strlen(congestion) + 1;
    if (inet_pton(AF_INET, peer, &address) != 1 || length > CONGESTION_MOST)
        return -EINVAL;
    add(&request, RTA_DST, &address, sizeof(address));
    add(&request, RTA_OIF, &interface, sizeof(interface));
    struct rtattr *metrics = add(&request, RTA_METRICS, NULL, 0);
    struct rtattr *algorithm = add(&request, RTAX_CC_ALGO, congestion, length);
    metrics->rta_len = (unsigned short)(metrics->rta_len + RTA_ALIGN(algorithm->rta_len));
    return ask(&request);
}

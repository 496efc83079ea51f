/* The kernel's own figures: what a busy process measures by its clock may be many times as long. (linux/tcp.h has more
 * of it than the C library's header, and cannot be included together with that.) */
#include "ssh/tcp.h"
#include <linux/tcp.h>
#include <netinet/in.h>
#include <stddef.h>
#include <sys/socket.h>

enum { US_PER_MS = 1000 };

int64_t cfs_ssh_round_trip_ms(int fd)
{
    struct tcp_info info = {0};
    socklen_t length = sizeof(info);
    if (getsockopt(fd, IPPROTO_TCP, TCP_INFO, &info, &length) < 0 ||
        length < offsetof(struct tcp_info, tcpi_min_rtt) + sizeof(info.tcpi_min_rtt) || info.tcpi_min_rtt == UINT32_MAX)
        return -1;
    return info.tcpi_min_rtt / US_PER_MS;
}

bool cfs_ssh_is_cut(int fd, int64_t ms)
{
    struct tcp_info info = {0};
    socklen_t length = sizeof(info);
    if (getsockopt(fd, IPPROTO_TCP, TCP_INFO, &info, &length) < 0)
        return false;
    return info.tcpi_unacked > 0 && info.tcpi_last_ack_recv >= ms;
}

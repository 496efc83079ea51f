/* Namespaces and TUN devices: Documentation/networking/tuntap.rst, and network_namespaces(7). */
#include "bench/link_end.h"
#include "bench/link_route.h"
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/if_tun.h>
#include <linux/virtio_net.h>
#include <net/if.h>
#include <netinet/in.h>
#include <sched.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

enum {
    ETHERNET_PER_PACKET = 8 + 14 + 4 + 12, /* preamble, header, checksum, gap */
    DEVICE_QUEUE = 10000,                  /* packets that wait for us; drops belong to the link's own queue */
};

static int failed(const char *what)
{
    int error = -errno;
    fprintf(stderr, "emulated_link: %s: %s\n", what, strerror(-error));
    return error;
}

static int change(int socket, unsigned long request, struct ifreq *interface, const char *what)
{
    return ioctl(socket, request, interface) < 0 ? failed(what) : 0;
}

static int set_address(int socket, struct ifreq *interface, unsigned long request, const char *address)
{
    struct sockaddr_in in = {.sin_family = AF_INET};
    if (inet_pton(AF_INET, address, &in.sin_addr) != 1) {
        errno = EINVAL;
        return failed(address);
    }
    memcpy(&interface->ifr_addr, &in, sizeof(in));
    return change(socket, request, interface, "setting an address");
}

static int bring_up(int socket, const char *name)
{
    struct ifreq interface = {0};
    snprintf(interface.ifr_name, sizeof(interface.ifr_name), "%s", name);
    interface.ifr_flags = IFF_UP | IFF_RUNNING;
    return change(socket, SIOCSIFFLAGS, &interface, "bringing an interface up");
}

static int set_up_interface(const struct link_end_settings *settings)
{
    struct ifreq interface = {0};
    int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    if (fd < 0)
        return failed("socket");
    snprintf(interface.ifr_name, sizeof(interface.ifr_name), "%s", settings->name);
    int result = set_address(fd, &interface, SIOCSIFADDR, settings->address);
    if (!result)
        result = set_address(fd, &interface, SIOCSIFDSTADDR, settings->peer);
    interface.ifr_mtu = settings->mtu;
    if (!result)
        result = change(fd, SIOCSIFMTU, &interface, "setting the MTU");
    interface.ifr_qlen = DEVICE_QUEUE;
    if (!result)
        result = change(fd, SIOCSIFTXQLEN, &interface, "setting the queue's length");
    if (!result)
        result = bring_up(fd, settings->name);
    if (!result)
        result = bring_up(fd, "lo");
    close(fd);
    if (!result) {
        result = link_route_set(if_nametoindex(settings->name), settings->peer, settings->congestion);
        errno = -result;
        result = result ? failed(settings->congestion) : 0;
    }
    return result;
}

/* Not every kernel has every setting: a missing one is said, and is no failure. */
static void set_kernel(const char *path, const char *value)
{
    int fd = open(path, O_WRONLY | O_CLOEXEC);
    if (fd < 0 || write(fd, value, strlen(value)) < 0)
        fprintf(stderr, "emulated_link: cannot set %s to %s: %s\n", path, value, strerror(errno));
    if (fd >= 0)
        close(fd);
}

/* Linux's own defaults, whatever this machine's are, so that figures compare; and no memory of earlier connections. */
static void set_tcp(void)
{
    set_kernel("/proc/sys/net/ipv4/tcp_wmem", "4096 16384 4194304");
    set_kernel("/proc/sys/net/ipv4/tcp_rmem", "4096 131072 6291456");
    set_kernel("/proc/sys/net/ipv4/tcp_no_metrics_save", "1");
    if (access("/proc/sys/net/ipv6/conf/all/disable_ipv6", F_OK) == 0)
        set_kernel("/proc/sys/net/ipv6/conf/all/disable_ipv6", "1");
}

static int open_tun(const char *name)
{
    struct ifreq interface = {.ifr_flags = IFF_TUN | IFF_NO_PI | IFF_VNET_HDR};
    int header = sizeof(struct virtio_net_hdr);
    snprintf(interface.ifr_name, sizeof(interface.ifr_name), "%s", name);
    int tun = open("/dev/net/tun", O_RDWR | O_NONBLOCK | O_CLOEXEC);
    if (tun < 0)
        return failed("/dev/net/tun");
    int result = change(tun, TUNSETIFF, &interface, "making the TUN device");
    if (!result && ioctl(tun, TUNSETVNETHDRSZ, &header) < 0)
        result = failed("TUNSETVNETHDRSZ");
    if (result) {
        close(tun);
        return result;
    }
    return tun;
}

static int open_namespace(void)
{
    if (unshare(CLONE_NEWNET) < 0)
        return failed("making a network namespace");
    int fd = open("/proc/self/ns/net", O_RDONLY | O_CLOEXEC);
    return fd < 0 ? failed("/proc/self/ns/net") : fd;
}

int link_end_open(struct link_end *end, const struct link_end_settings *settings)
{
    int namespace = open_namespace();
    if (namespace < 0)
        return namespace;
    set_tcp();
    int tun = open_tun(settings->name);
    int result = tun < 0 ? tun : set_up_interface(settings);
    if (result) {
        if (tun >= 0)
            close(tun);
        close(namespace);
        return result;
    }
    *end = (struct link_end){.tun = tun, .namespace = namespace};
    return 0;
}

int link_end_allow_trains(const struct link_end *end, bool allow)
{
    unsigned int offloads = allow ? TUN_F_CSUM | TUN_F_TSO4 | TUN_F_TSO6 : 0;
    return ioctl(end->tun, TUNSETOFFLOAD, (unsigned long)offloads) < 0 ? failed("TUNSETOFFLOAD") : 0;
}

/* The IP and TCP headers of PACKET, which is repeated in each segment of a train; 0 if this is no TCP that we know. */
static size_t headers_length(const uint8_t *packet, size_t length)
{
    size_t ip = length > 0 && packet[0] >> 4 == 4 ? (size_t)(packet[0] & 15) * 4 : 40;
    if (length < ip + 20)
        return 0;
    return ip + (size_t)(packet[ip + 12] >> 4) * 4;
}

uint64_t link_end_wire_bytes(const void *bytes, size_t length)
{
    struct virtio_net_hdr header;
    if (length < sizeof(header))
        return 0;
    memcpy(&header, bytes, sizeof(header));
    const uint8_t *packet = (const uint8_t *)bytes + sizeof(header);
    length -= sizeof(header);
    size_t headers = header.gso_type != VIRTIO_NET_HDR_GSO_NONE ? headers_length(packet, length) : 0;
    if (headers == 0 || header.gso_size == 0 || length <= headers)
        return length + ETHERNET_PER_PACKET;
    uint64_t segments = (length - headers + header.gso_size - 1) / header.gso_size;
    return length + (segments - 1) * headers + segments * ETHERNET_PER_PACKET;
}

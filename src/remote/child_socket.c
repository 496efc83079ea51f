/* What a killed program has sent, its kernel goes on sending: minutes later, when the network is there again, a request
 * that was given up could arrive after what was sent instead. Only who has the socket can have it forgotten. A parent
 * may take a descriptor out of its child by pidfd_getfd(2), Linux 5.6 and later; Yama's ptrace_scope, unless it is 2 or
 * 3, lets it.
 *
 * connect(2) to AF_UNSPEC drops what waits in the socket and sends a reset at once, however many hold it. */
#include "remote/child_socket.h"

#include "base/cleanup.h"
#include <errno.h>
#include <stdbool.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/syscall.h>

enum { GENERATIONS = 4, CHILDREN = 16 };

static bool is_connected_tcp(int fd)
{
    struct sockaddr_storage peer;
    int family = 0, type = 0;
    socklen_t family_size = sizeof(family), type_size = sizeof(type), peer_size = sizeof(peer);
    return getsockopt(fd, SOL_SOCKET, SO_DOMAIN, &family, &family_size) == 0 &&
           (family == AF_INET || family == AF_INET6) && getsockopt(fd, SOL_SOCKET, SO_TYPE, &type, &type_size) == 0 &&
           type == SOCK_STREAM && getpeername(fd, (struct sockaddr *)&peer, &peer_size) == 0;
}

/* Whether descriptor NAME of the process whose folder of descriptors is FOLDER is a socket: others are not touched. */
static bool is_socket(DIR *folder, const char *name)
{
    char target[64];
    ssize_t length = readlinkat(dirfd(folder), name, target, sizeof(target));
    return length > 8 && memcmp(target, "socket:[", 8) == 0;
}

static int find_in(pid_t pid)
{
    char path[64];
    int result = -ENOENT;
    snprintf(path, sizeof(path), "/proc/%d/fd", (int)pid);
    DIR *folder CFS_AUTO_CLOSEDIR = opendir(path);
    int process CFS_AUTO_CLOSE = (int)syscall(SYS_pidfd_open, pid, 0);
    if (!folder || process < 0)
        return -errno;
    const struct dirent *entry;
    while ((entry = readdir(folder))) {
        if (!is_socket(folder, entry->d_name))
            continue;
        int fd CFS_AUTO_CLOSE = (int)syscall(SYS_pidfd_getfd, process, atoi(entry->d_name), 0);
        if (fd < 0)
            result = -errno;
        else if (is_connected_tcp(fd))
            return CFS_TAKE_FD(fd);
    }
    return result;
}

/* The processes that PID has started, as far as the kernel lists them. */
static unsigned children_of(pid_t pid, pid_t children[CHILDREN])
{
    char path[80];
    unsigned count = 0;
    int child;
    snprintf(path, sizeof(path), "/proc/%d/task/%d/children", (int)pid, (int)pid);
    FILE *list CFS_AUTO_FCLOSE = fopen(path, "re");
    while (list && count < CHILDREN && fscanf(list, "%d", &child) == 1)
        children[count++] = child;
    return count;
}

static int find(pid_t pid, int generation)
{
    pid_t children[CHILDREN];
    int result = find_in(pid);
    if (result != -ENOENT || generation == GENERATIONS)
        return result;
    unsigned count = children_of(pid, children);
    for (unsigned i = 0; i < count && result == -ENOENT; i++)
        result = find(children[i], generation + 1);
    return result;
}

int cfs_child_socket_find(pid_t pid)
{
    return find(pid, 0);
}

void cfs_child_socket_reset(int fd)
{
    const struct linger at_once = {.l_onoff = 1, .l_linger = 0};
    const struct sockaddr nobody = {.sa_family = AF_UNSPEC};
    (void)setsockopt(fd, SOL_SOCKET, SO_LINGER, &at_once, sizeof(at_once));
    (void)!connect(fd, &nobody, sizeof(nobody));
}

/* Messages of a login over the control socket. */
#include "ctl/dialog.h"
#include "base/bytes.h"
#include "base/clock.h"
#include <errno.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

static int wait_for(int fd, short events, int64_t until_ms)
{
    for (;;) {
        int64_t left_ms = until_ms - cfs_clock_ms(&cfs_system_clock);
        struct pollfd polled = {.fd = fd, .events = events};
        int ready = poll(&polled, 1, until_ms == INT64_MAX ? -1 : left_ms > 0 ? (int)left_ms : 0);
        if (ready > 0)
            return 0;
        if (ready == 0)
            return -ETIMEDOUT;
        if (errno != EINTR)
            return -errno;
    }
}

int cfs_dialog_send(int fd, enum cfs_dialog_type type, const void *text, size_t length)
{
    enum { SEND_LIMIT_MS = 30 * 1000 };
    struct cfs_buffer message CFS_AUTO_BUFFER;
    cfs_buffer_init_secret(&message);
    if (length > CFS_DIALOG_MOST)
        return -EMSGSIZE;
    cfs_buffer_add_u8(&message, (uint8_t)type);
    cfs_buffer_add_string(&message, text, length);
    if (message.failed)
        return -ENOMEM;
    int64_t until_ms = cfs_clock_ms(&cfs_system_clock) + SEND_LIMIT_MS;
    for (size_t sent = 0; sent < message.length;) {
        ssize_t count = send(fd, message.bytes + sent, message.length - sent, MSG_NOSIGNAL | MSG_DONTWAIT);
        if (count > 0) {
            sent += (size_t)count;
            continue;
        }
        int error = errno == EAGAIN ? wait_for(fd, POLLOUT, until_ms) : errno == EINTR ? 0 : -errno;
        if (error)
            return error;
    }
    return 0;
}

static int receive_all(int fd, void *bytes, size_t length, int64_t until_ms)
{
    uint8_t *next = bytes;
    while (length > 0) {
        int error = wait_for(fd, POLLIN, until_ms);
        if (error)
            return error;
        ssize_t count = recv(fd, next, length, MSG_DONTWAIT);
        if (count == 0)
            return -ECONNRESET;
        if (count < 0 && errno != EAGAIN && errno != EINTR)
            return -errno;
        if (count > 0) {
            next += count;
            length -= (size_t)count;
        }
    }
    return 0;
}

int cfs_dialog_receive(int fd, int limit_ms, enum cfs_dialog_type *ret_type, char **ret_text, size_t *ret_length)
{
    int64_t until_ms = limit_ms < 0 ? INT64_MAX : cfs_clock_ms(&cfs_system_clock) + limit_ms;
    uint8_t head[5];
    int error = receive_all(fd, head, sizeof(head), until_ms);
    if (error)
        return error;
    struct cfs_reader reader = cfs_reader_over(head, sizeof(head));
    enum cfs_dialog_type type = (enum cfs_dialog_type)cfs_read_u8(&reader);
    size_t length = cfs_read_u32(&reader);
    if (length > CFS_DIALOG_MOST)
        return -EMSGSIZE;
    char *text = calloc(1, length + 1);
    if (!text)
        return -ENOMEM;
    error = receive_all(fd, text, length, until_ms);
    if (error) {
        explicit_bzero(text, length);
        free(text);
        return error;
    }
    *ret_type = type;
    *ret_text = text;
    *ret_length = length;
    return 0;
}

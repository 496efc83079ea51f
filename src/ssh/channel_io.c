/* Bytes of a channel, between the stream's user and libssh2.
 *
 * Every libssh2 read is CFS_SSH_READ_SIZE long: libssh2 adjusts the window by the length of the read, and gets it wrong
 * when the length changes between two tries of a read that a key exchange has interrupted. Who reads less gets its
 * bytes from a staging buffer, who reads as much gets them without a copy.
 *
 * A write makes whole packets of the vector. libssh2 says EAGAIN to a write for two reasons: no window, which is asked
 * for beforehand; or a key exchange, and then it has already promised the packet's length, so the packet's bytes are
 * kept here until it takes them. */
#include "ssh/session_priv.h"
#include <errno.h>
#include <string.h>

static size_t take_staged(struct cfs_ssh_channel *channel, void *buffer, size_t length)
{
    if (length > channel->staged_length)
        length = channel->staged_length;
    memcpy(buffer, channel->staging + channel->staged_from, length);
    channel->staged_from += length;
    channel->staged_length -= length;
    return length;
}

/* One libssh2 read of the full size. 0 at the end, -EAGAIN, or the session is failed. */
static ssize_t read_channel(struct cfs_ssh_channel *channel, void *buffer)
{
    ssize_t length = libssh2_channel_read(channel->channel, buffer, CFS_SSH_READ_SIZE);
    /* It may have opened the window: a turn tells the server so, also when the user reads outside of one. Else both
     * would wait for each other. */
    if (channel->session->transport->output.length > 0)
        cfs_ssh_session_schedule(channel->session);
    if (length >= 0) {
        channel->bytes_read += (uint64_t)length;
        return length;
    }
    if (length == LIBSSH2_ERROR_EAGAIN)
        return -EAGAIN;
    cfs_ssh_session_fail_libssh2(channel->session, (int)length);
    return -ECONNRESET;
}

static ssize_t read_staged(struct cfs_ssh_channel *channel, void *buffer, size_t length)
{
    if (!channel->staging)
        channel->staging = malloc(CFS_SSH_READ_SIZE);
    if (!channel->staging)
        return -ENOMEM;
    ssize_t staged = read_channel(channel, channel->staging);
    if (staged <= 0)
        return staged;
    channel->staged_from = 0;
    channel->staged_length = (size_t)staged;
    return (ssize_t)take_staged(channel, buffer, length);
}

ssize_t cfs_ssh_channel_read(struct cfs_ssh_channel *channel, void *buffer, size_t length)
{
    if (length == 0)
        return 0;
    if (channel->staged_length > 0)
        return (ssize_t)take_staged(channel, buffer, length);
    if (channel->error_number)
        return -channel->error_number;
    ssize_t rc = -EAGAIN;
    if (channel->phase == CFS_SSH_RUNNING)
        rc = length >= CFS_SSH_READ_SIZE ? read_channel(channel, buffer) : read_staged(channel, buffer, length);
    if (rc == -EAGAIN)
        channel->wants_read = true;
    if (rc == 0)
        channel->ended = true;
    return rc;
}

bool cfs_ssh_channel_readable(struct cfs_ssh_channel *channel)
{
    if (channel->staged_length > 0 || channel->error_number)
        return true;
    if (channel->phase != CFS_SSH_RUNNING)
        return false;
    unsigned long available = 0;
    libssh2_channel_window_read_ex(channel->channel, &available, NULL);
    return available > 0 || channel->ended;
}

static bool has_room(const struct cfs_ssh_channel *channel)
{
    const struct cfs_ssh_session *session = channel->session;
    return !channel->held_length && session->transport->output.length < CFS_SSH_OUTPUT_ENOUGH &&
           libssh2_channel_window_write(channel->channel) > 0;
}

/* Also before the subsystem has been granted: a server that opens its window with the channel gets the first bytes
 * together with the request. (OpenSSH's opens it with the subsystem.) */
static bool accepts_bytes(const struct cfs_ssh_channel *channel)
{
    return channel->phase == CFS_SSH_RUNNING || (channel->phase == CFS_SSH_STARTING && channel->channel);
}

/* The other end of one that leads to another host may have said all, and still listen. */
static bool takes_no_more(const struct cfs_ssh_channel *channel)
{
    return channel->wants_finish || (channel->is_direct ? channel->closed : channel->ended);
}

bool cfs_ssh_channel_writable(struct cfs_ssh_channel *channel)
{
    return channel->error_number || takes_no_more(channel) || (accepts_bytes(channel) && has_room(channel));
}

/* Keeps LENGTH bytes that libssh2 has begun to send. */
static ssize_t hold(struct cfs_ssh_channel *channel, const void *bytes, size_t length)
{
    if (!channel->held)
        channel->held = malloc(CFS_SSH_WRITE_SIZE);
    if (!channel->held) {
        cfs_ssh_session_fail(channel->session, ENOMEM, "Out of memory in the middle of a packet.");
        return -ENOMEM;
    }
    memcpy(channel->held, bytes, length);
    channel->held_from = 0;
    channel->held_length = length;
    return (ssize_t)length;
}

/* One packet of at most CFS_SSH_WRITE_SIZE bytes: how many were taken, or -errno. */
static ssize_t write_packet(struct cfs_ssh_channel *channel, const void *bytes, size_t length)
{
    ssize_t written = libssh2_channel_write(channel->channel, bytes, length);
    if (written == LIBSSH2_ERROR_EAGAIN)
        return hold(channel, bytes, length);
    if (written >= 0)
        return written;
    if (written == LIBSSH2_ERROR_CHANNEL_CLOSED || written == LIBSSH2_ERROR_CHANNEL_EOF_SENT)
        return -EPIPE;
    cfs_ssh_session_fail_libssh2(channel->session, (int)written);
    return -ECONNRESET;
}

bool cfs_ssh_channel_finish_held(struct cfs_ssh_channel *channel)
{
    while (channel->held_length > 0) {
        ssize_t written =
            libssh2_channel_write(channel->channel, (char *)channel->held + channel->held_from, channel->held_length);
        if (written == 0 || written == LIBSSH2_ERROR_EAGAIN)
            return false;
        if (written < 0) {
            cfs_ssh_session_fail_libssh2(channel->session, (int)written);
            return false;
        }
        channel->held_from += (size_t)written;
        channel->held_length -= (size_t)written;
    }
    return true;
}

/* Where a vector is being read. */
struct cursor {
    const struct iovec *piece;
    int left;
    size_t offset;
};

static void skip_bytes(struct cursor *cursor, size_t length)
{
    cursor->offset += length;
    while (cursor->left > 0 && cursor->offset >= cursor->piece->iov_len) {
        cursor->offset -= cursor->piece->iov_len;
        cursor->piece++;
        cursor->left--;
    }
}

/* The next packet's bytes: in place when one piece fills it or is the last, else gathered. 0 at the end. */
static size_t next_packet(struct cfs_ssh_session *session, struct cursor cursor, const void **ret_bytes)
{
    skip_bytes(&cursor, 0);
    if (cursor.left == 0)
        return 0;
    size_t length = cursor.piece->iov_len - cursor.offset;
    if (length >= CFS_SSH_WRITE_SIZE || cursor.left == 1) {
        *ret_bytes = (const char *)cursor.piece->iov_base + cursor.offset;
        return length < CFS_SSH_WRITE_SIZE ? length : CFS_SSH_WRITE_SIZE;
    }
    size_t gathered = 0;
    while (cursor.left > 0 && gathered < CFS_SSH_WRITE_SIZE) {
        length = cursor.piece->iov_len - cursor.offset;
        if (length > CFS_SSH_WRITE_SIZE - gathered)
            length = CFS_SSH_WRITE_SIZE - gathered;
        memcpy(session->gather + gathered, (const char *)cursor.piece->iov_base + cursor.offset, length);
        gathered += length;
        skip_bytes(&cursor, length);
    }
    *ret_bytes = session->gather;
    return gathered;
}

ssize_t cfs_ssh_channel_write(struct cfs_ssh_channel *channel, const struct iovec *vector, int count)
{
    struct cfs_ssh_session *session = channel->session;
    if (channel->error_number)
        return -channel->error_number;
    if (takes_no_more(channel))
        return -EPIPE;
    struct cursor cursor = {.piece = vector, .left = count};
    size_t taken = 0;
    ssize_t rc = 0;
    while (accepts_bytes(channel) && has_room(channel)) {
        const void *bytes = NULL;
        size_t length = next_packet(session, cursor, &bytes);
        if (length == 0)
            break;
        rc = write_packet(channel, bytes, length);
        if (rc <= 0)
            break;
        skip_bytes(&cursor, (size_t)rc);
        taken += (size_t)rc;
        cfs_ssh_session_flush_early(session);
    }
    /* What was taken lies in the output ring: a turn sends it, also when the user wrote outside of one. */
    cfs_ssh_session_schedule(session);
    if (taken > 0 || cursor.left == 0)
        return (ssize_t)taken;
    if (rc < 0)
        return rc;
    channel->wants_write = true;
    return -EAGAIN;
}

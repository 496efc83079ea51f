/* Channels that lead to another host, as seen from the server (RFC 4254, 7.2: direct-tcpip). */
#include "ssh/session_priv.h"
#include <errno.h>
#include <stdio.h>
#include <string.h>

/* What libssh2 makes of the reason codes of RFC 4254, 5.1; the server's own words it drops. */
static const struct refusal {
    const char *text;
    int problem;
    const char *what;
} refusals[] = {
    {"administratively prohibited", EACCES,
     "it does not allow forwarding to there (AllowTcpForwarding, PermitOpen). Ask its administrator, or go by another "
     "host"},
    {"connect failed", EHOSTUNREACH,
     "it cannot reach it from there: its name is not known there, the address or the port is wrong, or the machine or "
     "the job is not up"},
    {"unknown channel type", EOPNOTSUPP, "it does not know how to forward connections"},
    {"resource shortage", EAGAIN, "it has no room for another connection"},
};

void cfs_ssh_channel_direct_refused(struct cfs_ssh_channel *channel)
{
    char text[256];
    cfs_ssh_transport_explain(channel->session->transport, text, sizeof(text));
    for (size_t i = 0; i < CFS_COUNT(refusals); i++) {
        if (!strstr(text, refusals[i].text))
            continue;
        cfs_ssh_channel_fail(channel, refusals[i].problem, CFS_FAILURE_CONNECT, "Cannot reach %s from the host %s: %s.",
                             channel->name, channel->session->host, refusals[i].what);
        return;
    }
    cfs_ssh_channel_fail(channel, EHOSTUNREACH, CFS_FAILURE_CONNECT, "Cannot reach %s from the host %s: %s.",
                         channel->name, channel->session->host, text);
}

/* A packet that libssh2 has begun comes first. */
bool cfs_ssh_channel_send_finish(struct cfs_ssh_channel *channel)
{
    if (!channel->wants_finish || channel->finished)
        return true;
    if (!cfs_ssh_channel_finish_held(channel))
        return false;
    int rc = libssh2_channel_send_eof(channel->channel);
    if (rc == LIBSSH2_ERROR_EAGAIN)
        return false;
    channel->finished = true;
    if (rc < 0)
        cfs_ssh_session_fail_libssh2(channel->session, rc);
    return true;
}

void cfs_ssh_stream_finish(struct cfs_stream *stream)
{
    struct cfs_ssh_channel *channel = cfs_container_of(stream, struct cfs_ssh_channel, stream);
    channel->wants_finish = true;
    cfs_ssh_session_schedule(channel->session);
}

/* All that has arrived is parsed: libssh2 finds nothing more, and would wait if it had not come. */
void cfs_ssh_channel_note_closed(struct cfs_ssh_channel *channel)
{
    if (channel->is_direct && channel->ended && !channel->closed && channel->phase == CFS_SSH_RUNNING)
        channel->closed = libssh2_channel_wait_closed(channel->channel) == 0;
}

bool cfs_ssh_stream_is_closed(const struct cfs_stream *stream)
{
    return cfs_container_of(stream, const struct cfs_ssh_channel, stream)->closed;
}

static size_t put_number(uint8_t *message, uint32_t number)
{
    for (int i = 0; i < 4; i++)
        message[i] = (uint8_t)(number >> (24 - 8 * i));
    return 4;
}

static size_t put_text(uint8_t *message, const char *text, size_t length)
{
    size_t head = put_number(message, (uint32_t)length);
    memcpy(message + head, text, length);
    return head + length;
}

struct cfs_stream *cfs_ssh_open_direct(struct cfs_ssh_session *session, const char *host, uint16_t port,
                                       uint32_t window)
{
    /* Where the connection comes from is asked for, too; nobody listens here. */
    static const char origin[] = "127.0.0.1";
    size_t length = strlen(host), size = 0;
    if (length > CFS_SSH_LONGEST_HOST)
        return NULL;
    struct cfs_ssh_channel *channel = cfs_ssh_channel_new(session, window);
    if (!channel)
        return NULL;
    channel->is_direct = true;
    snprintf(channel->name, sizeof(channel->name), "%s port %u", host, (unsigned)port);
    size += put_text(channel->target, host, length);
    size += put_number(channel->target + size, port);
    size += put_text(channel->target + size, origin, sizeof(origin) - 1);
    size += put_number(channel->target + size, 0);
    channel->target_length = size;
    cfs_ssh_channel_begin(channel);
    return &channel->stream;
}

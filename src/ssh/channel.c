/* A channel's life (session_priv.h tells its phases) and its face as a stream.
 *
 * Users are called from cfs_ssh_channels_tell and cfs_ssh_channels_fail alone, which look for the next channel from the
 * beginning of the list each time: a user may close any stream and open new ones. */
#include "base/log.h"
#include "base/text.h"
#include "ssh/session_priv.h"
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

/* What libssh2 may hold for a channel: its window in packets of a usual size, with their overhead. */
static ssize_t memory_for(const struct cfs_ssh_channel *channel)
{
    return 3 * ((ssize_t)channel->window + CFS_SSH_READ_SIZE);
}

static void free_channel(struct cfs_ssh_channel *channel)
{
    cfs_loop_stop_timer(channel->session->loop, &channel->start_timer);
    cfs_list_remove(&channel->link);
    free(channel->staging);
    free(channel->held);
    free(channel);
}

void cfs_ssh_channel_fail(struct cfs_ssh_channel *channel, int errno_value, enum cfs_failure failure,
                          const char *format, ...)
{
    if (channel->error_number || !channel->has_user)
        return;
    char text[CFS_ERROR_TEXT];
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(text, sizeof(text), format, arguments);
    va_end(arguments);
    channel->error_number = errno_value;
    cfs_error_set(&channel->error, errno_value, failure, "%s", text);
    channel->phase = CFS_SSH_FAILED;
    cfs_loop_stop_timer(channel->session->loop, &channel->start_timer);
}

/* What the server's process has written to stderr, as one line; "" when nothing. */
static void describe_stderr(const struct cfs_ssh_channel *channel, char *line, size_t size)
{
    snprintf(line, size, "%.*s", (int)channel->stderr_length, channel->stderr_text);
    for (size_t length = strlen(line); length > 0 && strchr("\r\n ", line[length - 1]); length--)
        line[length - 1] = '\0';
    for (char *newline = line; (newline = strpbrk(newline, "\r\n")); newline++)
        *newline = ' ';
    cfs_text_make_printable(line, false);
}

/* Composed when asked: the exit status comes after the end of the data. */
static void describe_end(struct cfs_ssh_channel *channel)
{
    char line[CFS_SSH_STDERR_KEPT + 1];
    describe_stderr(channel, line, sizeof(line));
    int status = channel->channel ? libssh2_channel_get_exit_status(channel->channel) : 0;
    size_t length = (size_t)snprintf(
        channel->reason, sizeof(channel->reason),
        channel->is_direct ? "The connection to %s ended" : "The server ended its \"%s\" subsystem", channel->name);
    if (status != 0)
        length +=
            (size_t)snprintf(channel->reason + length, sizeof(channel->reason) - length, " with status %d", status);
    snprintf(channel->reason + length, sizeof(channel->reason) - length, "%s%s.", line[0] ? ": " : "", line);
    if (!channel->error.failure)
        cfs_error_set(&channel->error, EPIPE, channel->bytes_read ? CFS_FAILURE_LOST : CFS_FAILURE_NO_SFTP, "%s",
                      channel->reason);
}

/* --- the stream --- */

static struct cfs_ssh_channel *channel_of(const struct cfs_stream *stream)
{
    return cfs_container_of(stream, struct cfs_ssh_channel, stream);
}

static ssize_t read_stream(struct cfs_stream *stream, void *buffer, size_t length)
{
    return cfs_ssh_channel_read(channel_of(stream), buffer, length);
}

static ssize_t write_stream(struct cfs_stream *stream, const struct iovec *vector, int count)
{
    return cfs_ssh_channel_write(channel_of(stream), vector, count);
}

static const char *reason_of_stream(const struct cfs_stream *stream)
{
    struct cfs_ssh_channel *channel = channel_of(stream);
    if (channel->error_number)
        return channel->error.text;
    if (!channel->ended)
        return NULL;
    describe_end(channel);
    return channel->reason;
}

static void close_stream(struct cfs_stream *stream)
{
    struct cfs_ssh_channel *channel = channel_of(stream);
    struct cfs_ssh_session *session = channel->session;
    channel->has_user = false;
    cfs_loop_stop_timer(session->loop, &channel->start_timer);
    if (!channel->channel && session->opening != channel) {
        free_channel(channel);
        return;
    }
    free(CFS_TAKE(channel->staging));
    channel->staged_length = 0;
    channel->phase = CFS_SSH_CLOSING;
    cfs_ssh_session_schedule(session);
}

static const struct cfs_stream_operations channel_operations = {
    .read = read_stream,
    .write = write_stream,
    .reason = reason_of_stream,
    .close = close_stream,
};

const struct cfs_error *cfs_ssh_stream_error(const struct cfs_stream *stream)
{
    if (stream->operations != &channel_operations)
        return NULL;
    struct cfs_ssh_channel *channel = channel_of(stream);
    if (channel->ended && !channel->error_number)
        describe_end(channel);
    return channel->error.failure ? &channel->error : NULL;
}

static void give_up_starting(struct cfs_timer *timer)
{
    struct cfs_ssh_channel *channel = cfs_container_of(timer, struct cfs_ssh_channel, start_timer);
    cfs_ssh_channel_fail(channel, ETIMEDOUT, CFS_FAILURE_TIMEOUT,
                         "The SSH server of %s did not start its \"%s\" subsystem in time.", channel->session->host,
                         channel->name);
    cfs_ssh_session_schedule(channel->session);
}

bool cfs_ssh_stream_is_running(const struct cfs_stream *stream)
{
    return channel_of(stream)->phase == CFS_SSH_RUNNING;
}

bool cfs_ssh_stream_is_queued(const struct cfs_stream *stream)
{
    return channel_of(stream)->phase == CFS_SSH_QUEUED;
}

struct cfs_ssh_channel *cfs_ssh_channel_new(struct cfs_ssh_session *session, uint32_t window)
{
    if (session->ended || session->stopping)
        return NULL;
    struct cfs_ssh_channel *channel = calloc(1, sizeof(*channel));
    if (!channel)
        return NULL;
    channel->stream.operations = &channel_operations;
    channel->stream.loop = session->loop;
    channel->session = session;
    channel->phase = CFS_SSH_QUEUED;
    channel->window = window ? window : CFS_SSH_DEFAULT_WINDOW;
    channel->has_user = true;
    channel->wants_read = channel->wants_write = true;
    channel->start_timer.expired = give_up_starting;
    return channel;
}

void cfs_ssh_channel_begin(struct cfs_ssh_channel *channel)
{
    cfs_list_push_back(&channel->session->channels, &channel->link);
    cfs_ssh_session_schedule(channel->session);
}

struct cfs_stream *cfs_ssh_open_subsystem(struct cfs_ssh_session *session, const char *name, uint32_t window)
{
    struct cfs_ssh_channel *channel = cfs_ssh_channel_new(session, window);
    if (!channel)
        return NULL;
    snprintf(channel->name, sizeof(channel->name), "%s", name);
    if (session->start_timeout_ms > 0)
        cfs_loop_start_timer(session->loop, &channel->start_timer, session->start_timeout_ms);
    cfs_ssh_channel_begin(channel);
    return &channel->stream;
}

/* A channel without a user is closed as soon as it is open, and CLOSED is kept as long as it is the last. */
void cfs_ssh_session_keep_awake(struct cfs_ssh_session *session)
{
    struct cfs_ssh_channel *channel = cfs_ssh_channel_new(session, 0);
    if (!channel)
        return;
    channel->has_user = false;
    cfs_ssh_channel_begin(channel);
}

/* --- opening and closing --- */

static void opening_refused(struct cfs_ssh_session *session, struct cfs_ssh_channel *channel, int rc)
{
    if (rc != LIBSSH2_ERROR_CHANNEL_FAILURE) {
        cfs_ssh_session_fail_libssh2(session, rc);
        return;
    }
    session->opening = NULL;
    if (!channel->has_user) {
        free_channel(channel);
        return;
    }
    if (channel->is_direct) {
        cfs_ssh_channel_direct_refused(channel);
        return;
    }
    char reason[256];
    cfs_ssh_transport_explain(session->transport, reason, sizeof(reason));
    cfs_ssh_channel_fail(channel, EMFILE, CFS_FAILURE_CONNECT,
                         "The SSH server of %s opens no further channel on this connection (MaxSessions): %s.",
                         session->host, reason);
}

static void opened(struct cfs_ssh_session *session, struct cfs_ssh_channel *channel, LIBSSH2_CHANNEL *handle)
{
    session->opening = NULL;
    channel->channel = handle;
    cfs_ssh_transport_allow_memory(session->transport, memory_for(channel));
    if (!channel->has_user)
        channel->phase = CFS_SSH_CLOSING;
    else if (channel->phase == CFS_SSH_OPENING)
        channel->phase = channel->is_direct ? CFS_SSH_RUNNING : CFS_SSH_STARTING;
}

/* One channel is opened at a time. */
static bool advance_opening(struct cfs_ssh_session *session)
{
    struct cfs_list *link;
    if (!session->opening) {
        cfs_list_each (link, &session->channels) {
            struct cfs_ssh_channel *queued = cfs_container_of(link, struct cfs_ssh_channel, link);
            if (queued->phase == CFS_SSH_QUEUED) {
                queued->phase = CFS_SSH_OPENING;
                session->opening = queued;
                break;
            }
        }
    }
    struct cfs_ssh_channel *channel = session->opening;
    if (!channel)
        return false;
    const char *type = channel->is_direct ? "direct-tcpip" : "session";
    LIBSSH2_CHANNEL *handle = libssh2_channel_open_ex(
        session->transport->session, type, (unsigned)strlen(type), channel->window, LIBSSH2_CHANNEL_PACKET_DEFAULT,
        channel->is_direct ? (const char *)channel->target : NULL, (unsigned)channel->target_length);
    int rc = handle ? 0 : libssh2_session_last_errno(session->transport->session);
    if (rc == LIBSSH2_ERROR_EAGAIN)
        return false;
    if (handle)
        opened(session, channel, handle);
    else
        opening_refused(session, channel, rc);
    return true;
}

/* Asks for the subsystem. Safe with several channels at this point only because everything that has arrived is parsed:
 * while libssh2 reads on for one channel's answer, it takes another channel's answer for a fault. */
static bool advance_starting(struct cfs_ssh_channel *channel)
{
    struct cfs_ssh_session *session = channel->session;
    int rc = libssh2_channel_process_startup(channel->channel, "subsystem", sizeof("subsystem") - 1, channel->name,
                                             (unsigned)strlen(channel->name));
    if (rc == 0) {
        channel->phase = CFS_SSH_RUNNING;
        cfs_loop_stop_timer(session->loop, &channel->start_timer);
    } else if (rc == LIBSSH2_ERROR_CHANNEL_REQUEST_DENIED) {
        cfs_ssh_channel_fail(
            channel, EOPNOTSUPP, CFS_FAILURE_NO_SFTP,
            "The SSH server of %s lets us log in but has no \"%s\" subsystem. Ask its administrator to "
            "enable it, or check that the account may use it.",
            session->host, channel->name);
    } else if (rc != LIBSSH2_ERROR_EAGAIN) {
        cfs_ssh_session_fail_libssh2(session, rc);
    } else if (channel->ended) {
        cfs_ssh_channel_fail(channel, EOPNOTSUPP, CFS_FAILURE_NO_SFTP,
                             "The SSH server of %s closed the channel instead of starting its \"%s\" subsystem.",
                             session->host, channel->name);
    } else {
        return false;
    }
    return true;
}

static bool advance_closing(struct cfs_ssh_channel *channel)
{
    if (!channel->channel || !cfs_ssh_channel_send_finish(channel) ||
        libssh2_channel_close(channel->channel) == LIBSSH2_ERROR_EAGAIN)
        return false; /* still opening, or the server has not closed yet; a lost connection shows elsewhere */
    channel->phase = CFS_SSH_CLOSED;
    return true;
}

static bool is_last(const struct cfs_ssh_session *session, const struct cfs_ssh_channel *channel)
{
    const struct cfs_list *link;
    cfs_list_each (link, &session->channels) {
        const struct cfs_ssh_channel *other = cfs_container_of(link, struct cfs_ssh_channel, link);
        if (other != channel && other->channel)
            return false;
    }
    return true;
}

static bool advance_closed(struct cfs_ssh_channel *channel)
{
    struct cfs_ssh_session *session = channel->session;
    if (is_last(session, channel) || libssh2_channel_free(channel->channel) == LIBSSH2_ERROR_EAGAIN)
        return false;
    cfs_ssh_transport_allow_memory(session->transport, -memory_for(channel));
    free_channel(channel);
    return true;
}

static bool advance(struct cfs_ssh_channel *channel)
{
    switch (channel->phase) {
    case CFS_SSH_STARTING:
        return advance_starting(channel);
    case CFS_SSH_CLOSING:
        return advance_closing(channel);
    case CFS_SSH_CLOSED:
        return advance_closed(channel);
    case CFS_SSH_RUNNING:
        (void)cfs_ssh_channel_finish_held(channel);
        (void)cfs_ssh_channel_send_finish(channel);
        return false;
    case CFS_SSH_QUEUED:
    case CFS_SSH_OPENING:
    case CFS_SSH_FAILED:
        break;
    }
    return false;
}

bool cfs_ssh_channels_advance(struct cfs_ssh_session *session)
{
    bool done_something = advance_opening(session);
    struct cfs_list *link, *following;
    cfs_list_each_safe (link, following, &session->channels) {
        if (session->failure_number)
            return false;
        if (advance(cfs_container_of(link, struct cfs_ssh_channel, link)))
            done_something = true;
    }
    return done_something;
}

/* --- what arrives --- */

/* Keeps the last bytes: the end of a complaint says more than its beginning. */
static void keep_stderr(struct cfs_ssh_channel *channel, const uint8_t *bytes, size_t length)
{
    if (length > CFS_SSH_STDERR_KEPT) {
        bytes += length - CFS_SSH_STDERR_KEPT;
        length = CFS_SSH_STDERR_KEPT;
    }
    size_t excess = channel->stderr_length + length > CFS_SSH_STDERR_KEPT
                        ? channel->stderr_length + length - CFS_SSH_STDERR_KEPT
                        : 0;
    memmove(channel->stderr_text, channel->stderr_text + excess, channel->stderr_length - excess);
    channel->stderr_length -= excess;
    memcpy(channel->stderr_text + channel->stderr_length, bytes, length);
    channel->stderr_length += length;
}

static void parse_for(struct cfs_ssh_channel *channel)
{
    struct cfs_ssh_session *session = channel->session;
    for (;;) {
        ssize_t length = libssh2_channel_read_stderr(channel->channel, (char *)session->scratch, CFS_SSH_READ_SIZE);
        if (length > 0) {
            keep_stderr(channel, session->scratch, (size_t)length);
            continue;
        }
        if (length == 0)
            channel->ended = true;
        else if (length != LIBSSH2_ERROR_EAGAIN)
            cfs_ssh_session_fail_libssh2(session, (int)length);
        return;
    }
}

void cfs_ssh_channels_parse(struct cfs_ssh_session *session)
{
    struct cfs_list *link;
    cfs_list_each (link, &session->channels) {
        struct cfs_ssh_channel *channel = cfs_container_of(link, struct cfs_ssh_channel, link);
        if (channel->channel && !session->failure_number)
            parse_for(channel);
        if (channel->channel && !session->failure_number)
            cfs_ssh_channel_note_closed(channel);
    }
}

static bool has_news(struct cfs_ssh_channel *channel)
{
    if (!channel->has_user || !channel->stream.ready)
        return false;
    return ((channel->ended || channel->error_number) && !channel->told_end) ||
           (channel->closed && !channel->told_closed) || (channel->wants_read && cfs_ssh_channel_readable(channel)) ||
           (channel->wants_write && cfs_ssh_channel_writable(channel));
}

bool cfs_ssh_channels_want_write(struct cfs_ssh_session *session)
{
    struct cfs_list *link;
    cfs_list_each (link, &session->channels) {
        struct cfs_ssh_channel *channel = cfs_container_of(link, struct cfs_ssh_channel, link);
        if (channel->has_user && channel->stream.ready && channel->wants_write && cfs_ssh_channel_writable(channel))
            return true;
    }
    return false;
}

/* The pending channel that has waited longest since it was last told: who goes first may fill the output ring alone. */
static struct cfs_ssh_channel *next_pending(const struct cfs_ssh_session *session)
{
    struct cfs_ssh_channel *next = NULL;
    const struct cfs_list *link;
    cfs_list_each (link, &session->channels) {
        struct cfs_ssh_channel *channel = cfs_container_of(link, struct cfs_ssh_channel, link);
        if (channel->pending && (!next || channel->told_at < next->told_at))
            next = channel;
    }
    return next;
}

/* Calls the users of all channels that are pending, whatever they do to the list. */
static void tell_pending(struct cfs_ssh_session *session)
{
    struct cfs_ssh_channel *channel;
    while ((channel = next_pending(session))) {
        channel->told_at = ++session->tellings;
        channel->pending = false;
        if (!channel->has_user || !channel->stream.ready)
            continue;
        channel->told_end = channel->ended || channel->error_number;
        channel->told_closed = channel->closed;
        channel->wants_read = channel->wants_write = false;
        channel->stream.ready(&channel->stream, channel->stream.context);
    }
}

void cfs_ssh_channels_tell(struct cfs_ssh_session *session)
{
    struct cfs_list *link;
    cfs_list_each (link, &session->channels) {
        struct cfs_ssh_channel *channel = cfs_container_of(link, struct cfs_ssh_channel, link);
        channel->pending = has_news(channel);
    }
    tell_pending(session);
}

void cfs_ssh_channels_fail(struct cfs_ssh_session *session, int errno_value, enum cfs_failure failure,
                           const char *reason)
{
    struct cfs_list *link, *following;
    session->opening = NULL;
    cfs_list_each_safe (link, following, &session->channels) {
        struct cfs_ssh_channel *channel = cfs_container_of(link, struct cfs_ssh_channel, link);
        /* Who was told of the end of the data, and has not read them all, is told that there is no more to be had. */
        bool knows = channel->told_end && channel->error_number;
        channel->channel = NULL;
        cfs_ssh_channel_fail(channel, errno_value, failure, "%s", reason);
        channel->pending = channel->has_user && !knows;
        if (!channel->has_user)
            free_channel(channel);
    }
    tell_pending(session);
}

void cfs_ssh_channels_free(struct cfs_ssh_session *session)
{
    struct cfs_list *link, *following;
    cfs_list_each_safe (link, following, &session->channels) {
        struct cfs_ssh_channel *channel = cfs_container_of(link, struct cfs_ssh_channel, link);
        cfs_log_debug("ssh", "a stream was left open when its session was freed");
        free_channel(channel);
    }
}

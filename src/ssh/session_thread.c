/* The session's thread: one loop, worked in turns (session_priv.h). It wakes for the socket, for tasks that others
 * post, and for timers; it never polls, so a silent or stalled server costs nothing. */
#include "base/doing.h"
#include "base/log.h"
#include "base/thread.h"
#include "ssh/session_priv.h"
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/epoll.h>

enum { FLUSH_EARLY = 128 * 1024 };

void cfs_ssh_session_fail(struct cfs_ssh_session *session, int errno_value, const char *format, ...)
{
    if (session->failure_number)
        return;
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(session->failure, sizeof(session->failure), format, arguments);
    va_end(arguments);
    session->failure_number = errno_value;
    cfs_ssh_session_schedule(session);
}

void cfs_ssh_session_fail_libssh2(struct cfs_ssh_session *session, int rc)
{
    char reason[300];
    cfs_ssh_transport_explain(session->transport, reason, sizeof(reason));
    cfs_ssh_session_fail(session, rc == LIBSSH2_ERROR_ALLOC ? ENOMEM : ECONNRESET,
                         "The connection to %s was lost: %s (libssh2 %d).", session->host, reason, rc);
}

static void fail_socket(struct cfs_ssh_session *session, int errno_value)
{
    if (errno_value == 0)
        cfs_ssh_session_fail(session, ECONNRESET, "The connection to %s was lost: the server closed it.",
                             session->host);
    else
        cfs_ssh_session_fail(session, ECONNRESET, "The connection to %s was lost: %s.", session->host,
                             strerror(errno_value));
}

static void flush(struct cfs_ssh_session *session)
{
    int rc = cfs_ssh_transport_flush(session->transport);
    if (rc == 0 || rc == -EAGAIN)
        return;
    /* A server that says why it disconnects does so before it closes: that is the reason to tell. */
    if (cfs_ssh_transport_receive(session->transport) > 0)
        cfs_ssh_channels_parse(session);
    fail_socket(session, -rc);
}

void cfs_ssh_session_flush_early(struct cfs_ssh_session *session)
{
    if (session->transport->output.length >= FLUSH_EARLY)
        flush(session);
}

/* Watches for room to write only while something waits, and for input only while there is room for it: a descriptor
 * that is ready and not served would make the loop spin. */
static void update_watch(struct cfs_ssh_session *session)
{
    const struct cfs_ssh_transport *transport = session->transport;
    uint32_t events = 0;
    if (transport->input.length < transport->input.capacity)
        events |= EPOLLIN;
    if (transport->output.length > 0)
        events |= EPOLLOUT;
    if (events == 0)
        cfs_loop_unwatch(session->loop, &session->watch);
    else if ((!session->watch.active || session->watch.events != events) &&
             cfs_loop_watch(session->loop, &session->watch, events) < 0)
        cfs_ssh_session_fail(session, ENOMEM, "The system cannot watch the connection to %s.", session->host);
}

/* The session is over: streams fail, then `lost` is told. */
static void end(struct cfs_ssh_session *session)
{
    session->ended = true;
    cfs_loop_unwatch(session->loop, &session->watch);
    /* Streams still stand, libssh2 does not: what is told to them now comes from their error alone. */
    struct cfs_ssh_transport *transport = CFS_TAKE(session->transport);
    struct cfs_list *link;
    cfs_list_each (link, &session->channels)
        cfs_container_of(link, struct cfs_ssh_channel, link)->channel = NULL;
    if (!session->stopping)
        cfs_ssh_transport_abort(transport); /* requests are sent again by another connection, before these arrive */
    cfs_ssh_transport_close(transport);
    cfs_ssh_channels_fail(session, session->failure_number, CFS_FAILURE_LOST, session->failure);
    if (session->stopping)
        return;
    cfs_log_info("ssh", "%s", session->failure);
    if (session->callbacks.lost)
        session->callbacks.lost(session, session->failure, session->callbacks.context);
}

bool cfs_ssh_session_holds_bytes(const struct cfs_ssh_session *session)
{
    return !session->ended && cfs_ssh_transport_holds_bytes(session->transport);
}

void cfs_ssh_session_abort(struct cfs_ssh_session *session)
{
    if (session->ended)
        return;
    cfs_ssh_session_fail(session, ECONNRESET, "The connection to %s was given up.", session->host);
    cfs_ssh_transport_abort(session->transport);
}

static void forsake(struct cfs_task *task)
{
    struct cfs_ssh_session *session = cfs_container_of(task, struct cfs_ssh_session, forsake_task);
    const struct cfs_list *link;
    cfs_list_each (link, &session->channels)
        if (cfs_container_of(link, struct cfs_ssh_channel, link)->phase == CFS_SSH_RUNNING)
            return;
    cfs_ssh_session_abort(session);
}

void cfs_ssh_session_forsake(struct cfs_ssh_session *session)
{
    session->forsake_task.run = forsake;
    (void)!cfs_loop_post(session->loop, &session->forsake_task);
}

static void take_turn(struct cfs_ssh_session *session)
{
    if (session->ended)
        return;
    session->in_turn = true; /* what users ask for within the turn is done by this turn */
    do
        cfs_ssh_channels_parse(session);
    while (cfs_ssh_channels_advance(session));
    if (!session->failure_number)
        cfs_ssh_channels_tell(session);
    bool more = !session->failure_number && cfs_ssh_channels_advance(session);
    flush(session);
    if (!session->failure_number && cfs_ssh_channels_want_write(session))
        more = true; /* what was sent just now has made the room that they wait for */
    session->in_turn = false;
    if (!session->failure_number)
        update_watch(session);
    if (session->failure_number)
        end(session);
    else if (more)
        cfs_ssh_session_schedule(session);
}

static void run_turn(struct cfs_task *task)
{
    struct cfs_ssh_session *session = cfs_container_of(task, struct cfs_ssh_session, turn_task);
    session->turn_posted = false;
    take_turn(session);
}

void cfs_ssh_session_schedule(struct cfs_ssh_session *session)
{
    if (!session->in_turn && !session->turn_posted && !session->ended &&
        cfs_loop_post(session->loop, &session->turn_task) == 0)
        session->turn_posted = true;
}

/* What came before the end of the connection is parsed and told before the session ends. */
static void socket_ready(struct cfs_watch *watch, uint32_t events)
{
    struct cfs_ssh_session *session = cfs_container_of(watch, struct cfs_ssh_session, watch);
    ssize_t received = cfs_ssh_transport_receive(session->transport);
    bool ended = received <= 0 && received != -EAGAIN && received != -ENOBUFS;
    if (ended) {
        cfs_loop_unwatch(session->loop, &session->watch);
        fail_socket(session, (int)-received);
    }
    take_turn(session);
}

/* The loop goes on without a guest: its last turn, which may be queued, must have been before its memory goes. */
static void leave(struct cfs_ssh_session *session)
{
    if (!session->turn_posted || cfs_loop_post(session->loop, &session->stop_task) < 0)
        cfs_ssh_session_left(session);
}

static void stop(struct cfs_task *task)
{
    struct cfs_ssh_session *session = cfs_container_of(task, struct cfs_ssh_session, stop_task);
    session->stopping = true;
    if (!session->ended) {
        cfs_ssh_session_fail(session, ESHUTDOWN, "The connection to %s was closed.", session->host);
        session->failure_number = ESHUTDOWN;
        end(session);
    }
    if (session->is_guest)
        leave(session);
    else
        cfs_loop_stop(session->loop);
}

static void begin(struct cfs_task *task)
{
    struct cfs_ssh_session *session = cfs_container_of(task, struct cfs_ssh_session, turn_task);
    session->turn_task.run = run_turn;
    session->turn_posted = false;
    take_turn(session);
}

static void *run_thread(void *argument)
{
    struct cfs_ssh_session *session = argument;
    cfs_doing_begin("session", false);
    cfs_loop_run(session->loop);
    cfs_doing_end();
    return NULL;
}

int cfs_ssh_session_start(struct cfs_ssh_session *session)
{
    session->watch = (struct cfs_watch){.fd = session->transport->fd, .ready = socket_ready};
    session->turn_task.run = begin;
    session->turn_posted = true;
    session->stop_task.run = stop;
    int rc = cfs_loop_post(session->loop, &session->turn_task);
    if (rc < 0 || session->is_guest)
        return rc;
    return cfs_thread_start(run_thread, session, &session->thread);
}

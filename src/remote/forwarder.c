/* Forwarding. A connection that was accepted
 *
 *   WAITING -> OPENING -> RUNNING -> gone
 *      ^----------'  (the connection to the server was lost meanwhile: nothing of it was read yet)
 *
 * One channel is opened at a time, since libssh2 does no more; the others wait in the order in which they came. A
 * channel that the server does not answer within connect_timeout (a machine behind it that drops what is sent to it) is
 * given up, but holds up the others until the server does answer: if nothing runs, and nobody would have to answer for
 * it, a new login is faster.
 *
 * CONNECTED is a matter of a look each second, and of each opening: a session that has ended, or that the network has
 * cut off, is lost. Then everything that runs is reset, and after a pause one attempt follows the other (0.2 to 10 s;
 * as in reconnect.c). What would fail again is not tried again, and ends it all: a refused login, a key that cannot be
 * used, another host key, a person who has given up. */
#include "remote/forwarder.h"
#include "base/list.h"
#include "base/log.h"
#include "ssh/tunnel.h"
#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <semaphore.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/random.h>
#include <sys/socket.h>

enum {
    MOST_CONNECTIONS = 512,
    ACCEPTED_AT_ONCE = 64,
    LOOK_EVERY_MS = 1000,
    CUT_MS = 15 * 1000,      /* programs see a reset: not for a short gap */
    CUT_IDLE_MS = 3000,      /* nothing runs */
    CUT_LONG_MS = 60 * 1000, /* somebody would have to answer for another login */
    LEAST_DELAY_MS = 200,
    MOST_DELAY_MS = 10 * 1000,
    LASTING_MS = 10 * 1000,
};

struct listener {
    struct cfs_watch watch;
    struct cfs_forwarder *forwarder;
    struct cfs_forward_listener place;
};

struct connection {
    struct cfs_list link; /* in forwarder->connections, in the order in which they came */
    struct cfs_forwarder *forwarder;
    const struct listener *listener;
    enum { WAITING, OPENING, RUNNING } phase;
    int fd;                     /* until the tunnel has it; -1 */
    struct cfs_stream *channel; /* while OPENING */
    struct cfs_ssh_tunnel *tunnel;
};

struct cfs_forwarder {
    struct cfs_forwarder_options options;
    const struct cfs_transport_operations *transport;
    struct cfs_loop *loop;
    struct listener *listeners;
    size_t listener_count;
    struct cfs_list connections;
    size_t connection_count, running;
    struct connection *opening;
    bool connected, is_underway, waits_no_more, is_closing;
    bool is_paused, told_pause; /* without descriptors */
    int64_t since_ms;           /* of `connected` */
    uint32_t delay_ms;
    struct cfs_timer look, patience, retry, limit;
    struct cfs_task begin_task, end_task;
    sem_t has_ended;
};

static const char *host_of(const struct cfs_forwarder *self)
{
    return self->options.profile->host;
}

static void CFS_PRINTF(2, 3) tell(const struct cfs_forwarder *self, const char *format, ...)
{
    char text[CFS_ERROR_TEXT];
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(text, sizeof(text), format, arguments);
    va_end(arguments);
    self->options.tell(self->options.context, text);
}

static bool by_person(const struct cfs_forwarder *self)
{
    struct cfs_ssh_facts facts;
    self->transport->facts(self->options.transport, &facts);
    return facts.by_person || facts.by_person_on_way;
}

/* --- connections --- */

static void watch_listeners(struct cfs_forwarder *self)
{
    bool is_full = self->connection_count >= MOST_CONNECTIONS;
    for (size_t i = 0; i < self->listener_count; i++) {
        struct cfs_watch *watch = &self->listeners[i].watch;
        if (is_full || self->is_closing || self->is_paused)
            cfs_loop_unwatch(self->loop, watch);
        else if (!watch->active && cfs_loop_watch(self->loop, watch, EPOLLIN) < 0)
            tell(self, "The system cannot watch %s: nobody can connect there any more.",
                 self->listeners[i].place.place);
    }
}

/* Its socket must have gone, or be reset here. */
static void drop(struct connection *connection)
{
    struct cfs_forwarder *self = connection->forwarder;
    if (self->opening == connection) {
        self->opening = NULL;
        cfs_loop_stop_timer(self->loop, &self->patience);
    }
    if (connection->phase == RUNNING)
        self->running--;
    cfs_stream_close(CFS_TAKE(connection->channel));
    if (connection->fd >= 0)
        cfs_ssh_reset_socket(connection->fd);
    cfs_list_remove(&connection->link);
    free(connection);
    self->connection_count--;
    watch_listeners(self);
}

/* Those that wait; their number. */
static size_t refuse_waiting(struct cfs_forwarder *self)
{
    struct cfs_list *link, *following;
    size_t count = 0;
    cfs_list_each_safe (link, following, &self->connections) {
        struct connection *connection = cfs_container_of(link, struct connection, link);
        if (connection->phase != WAITING)
            continue;
        drop(connection);
        count++;
    }
    return count;
}

static void lose(struct cfs_forwarder *self, const char *reason);
static void open_next(struct cfs_forwarder *self);

static void on_tunnel_ended(void *context, const char *reason)
{
    struct connection *connection = context;
    struct cfs_forwarder *self = connection->forwarder;
    connection->tunnel = NULL;
    drop(connection);
    if (reason)
        lose(self, reason);
}

static void run(struct connection *connection)
{
    struct cfs_forwarder *self = connection->forwarder;
    cfs_loop_stop_timer(self->loop, &self->patience);
    self->opening = NULL;
    connection->tunnel = cfs_ssh_tunnel_new(connection->channel, connection->fd, on_tunnel_ended, connection);
    if (!connection->tunnel) {
        tell(self, "Out of memory: a connection to %s was closed.", connection->listener->place.place);
        drop(connection);
        return;
    }
    connection->channel = NULL;
    connection->fd = -1;
    connection->phase = RUNNING;
    self->running++;
    cfs_ssh_tunnel_begin(connection->tunnel);
}

static void channel_ready(struct cfs_stream *stream, void *context)
{
    struct connection *connection = context;
    struct cfs_forwarder *self = connection->forwarder;
    const struct cfs_error *error = cfs_ssh_stream_error(stream);
    if (cfs_ssh_stream_is_running(stream)) {
        run(connection);
        open_next(self);
    } else if (error && error->failure == CFS_FAILURE_CONNECT) {
        tell(self, "A connection to %s was closed: %s", connection->listener->place.place, error->text);
        drop(connection);
        open_next(self);
    } else if (error) {
        lose(self, error->text);
    }
}

static void tell_no_answer(const struct cfs_forwarder *self, const struct connection *connection)
{
    const struct cfs_forward_rule *rule = connection->listener->place.rule;
    const char *place = connection->listener->place.place;
    unsigned seconds = self->options.profile->connect_timeout_ms / 1000;
    if (cfs_ssh_stream_is_queued(connection->channel))
        tell(self,
             "A connection to %s was closed: the host %s still has not answered for one that came before it, and opens "
             "one at a time.",
             place, host_of(self));
    else
        tell(
            self,
            "A connection to %s was closed: cannot reach %s port %u from the host %s: there was no answer within %u s. "
            "The machine may be down, or a firewall there may drop it. Connections to other hosts wait for it, too.",
            place, rule->host, (unsigned)rule->host_port, host_of(self), seconds);
}

/* The opening goes on below, without a user. */
static void on_patience(struct cfs_timer *timer)
{
    struct cfs_forwarder *self = cfs_container_of(timer, struct cfs_forwarder, patience);
    tell_no_answer(self, self->opening);
    drop(self->opening);
    if (self->running == 0 && !by_person(self))
        lose(self, "The connection to the server is left, since it opens no others before that.");
    else
        open_next(self);
}

static struct connection *first_waiting(const struct cfs_forwarder *self)
{
    struct cfs_list *link;
    cfs_list_each (link, &self->connections) {
        struct connection *connection = cfs_container_of(link, struct connection, link);
        if (connection->phase == WAITING)
            return connection;
    }
    return NULL;
}

static void open_next(struct cfs_forwarder *self)
{
    struct connection *connection = first_waiting(self);
    if (!connection || self->opening || !self->connected || self->is_closing)
        return;
    const struct cfs_forward_rule *rule = connection->listener->place.rule;
    connection->channel = self->transport->open_direct(self->options.transport, rule->host, rule->host_port);
    if (!connection->channel) {
        lose(self, "The connection was lost.");
        return;
    }
    connection->channel->ready = channel_ready;
    connection->channel->context = connection;
    connection->phase = OPENING;
    self->opening = connection;
    if (self->options.profile->connect_timeout_ms > 0)
        cfs_loop_start_timer(self->loop, &self->patience, self->options.profile->connect_timeout_ms);
}

/* --- who comes --- */

/* What a program says goes on at once, and one that has gone without a word is noticed. */
static void tune(int fd)
{
    const int on = 1;
    (void)setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
    (void)setsockopt(fd, SOL_SOCKET, SO_KEEPALIVE, &on, sizeof(on));
}

static void take(const struct listener *listener, int fd)
{
    struct cfs_forwarder *self = listener->forwarder;
    struct connection *connection = self->waits_no_more ? NULL : calloc(1, sizeof(*connection));
    if (!connection) {
        tell(self, "A connection to %s was closed: %s", listener->place.place,
             self->waits_no_more ? "the server cannot be reached." : "out of memory.");
        cfs_ssh_reset_socket(fd);
        return;
    }
    connection->forwarder = self;
    connection->listener = listener;
    connection->fd = fd;
    tune(fd);
    cfs_list_push_back(&self->connections, &connection->link);
    self->connection_count++;
}

/* Without descriptors nobody is accepted until the next look. */
static void pause_if_full(struct cfs_forwarder *self, int problem)
{
    if (problem == EAGAIN)
        self->told_pause = false; /* nobody waits there */
    if (problem != EMFILE && problem != ENFILE && problem != ENOBUFS && problem != ENOMEM)
        return;
    if (!self->told_pause)
        tell(self, "Who connects now waits until another connection has ended: %s.", strerror(problem));
    self->is_paused = self->told_pause = true;
}

static void on_listener(struct cfs_watch *watch, uint32_t events)
{
    struct listener *listener = cfs_container_of(watch, struct listener, watch);
    struct cfs_forwarder *self = listener->forwarder;
    (void)events;
    for (int i = 0; i < ACCEPTED_AT_ONCE && self->connection_count < MOST_CONNECTIONS; i++) {
        int fd = accept4(watch->fd, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);
        if (fd < 0) {
            pause_if_full(self, errno);
            break;
        }
        take(listener, fd);
    }
    watch_listeners(self);
    open_next(self);
}

/* --- the connection to the server --- */

/* Also while nobody has connected yet the server may ask for a sign of life, or for new keys. */
static void keep_awake(const struct cfs_forwarder *self)
{
    if (self->transport->keep_awake)
        self->transport->keep_awake(self->options.transport);
}

static void try_later(struct cfs_forwarder *self)
{
    uint32_t random = 0, delay = self->delay_ms;
    if (getrandom(&random, sizeof(random), GRND_NONBLOCK) < 0)
        random = 0;
    cfs_loop_start_timer(self->loop, &self->retry, delay + random % (delay / 2 + 1));
    self->delay_ms = 2 * delay < MOST_DELAY_MS ? 2 * delay : MOST_DELAY_MS;
}

/* What the connection carried is reset; what had not begun waits. */
static void lose(struct cfs_forwarder *self, const char *reason)
{
    struct cfs_list *link, *following;
    size_t before = self->running;
    if (!self->connected || self->is_closing)
        return;
    self->connected = false;
    cfs_loop_stop_timer(self->loop, &self->patience);
    self->opening = NULL;
    cfs_list_each_safe (link, following, &self->connections) {
        struct connection *connection = cfs_container_of(link, struct connection, link);
        cfs_stream_close(CFS_TAKE(connection->channel));
        if (connection->phase != RUNNING) {
            connection->phase = WAITING;
            continue;
        }
        cfs_ssh_tunnel_abort(CFS_TAKE(connection->tunnel));
        drop(connection);
    }
    tell(self, "%s%s It is made again; who connects meanwhile waits.", reason,
         before > 0 ? " What went through it was closed." : "");
    if (self->delay_ms == 0 || cfs_loop_now_ms(self->loop) - self->since_ms >= LASTING_MS)
        self->delay_ms = LEAST_DELAY_MS;
    if (self->options.profile->reconnect_timeout_ms > 0)
        cfs_loop_start_timer(self->loop, &self->limit, self->options.profile->reconnect_timeout_ms);
    self->transport->abort_session(self->options.transport, 0);
    try_later(self);
}

static void on_limit(struct cfs_timer *timer)
{
    struct cfs_forwarder *self = cfs_container_of(timer, struct cfs_forwarder, limit);
    size_t count = refuse_waiting(self);
    self->waits_no_more = true;
    tell(self,
         "The server %s cannot be reached for too long (reconnect_timeout): %zu connections that waited were closed, "
         "and who connects now is refused. It is still tried.",
         host_of(self), count);
}

static bool would_fail_again(const struct cfs_error *error)
{
    return error->failure == CFS_FAILURE_LOGIN || error->failure == CFS_FAILURE_KEY_FILE ||
           error->failure == CFS_FAILURE_HOST_KEY || error->failure == CFS_FAILURE_CANCELLED;
}

static void on_connected(void *context, int result, const struct cfs_error *error)
{
    struct cfs_forwarder *self = context;
    self->is_underway = false;
    if (self->is_closing)
        return;
    if (result == 0) {
        self->connected = true;
        self->waits_no_more = false;
        self->since_ms = cfs_loop_now_ms(self->loop);
        cfs_loop_stop_timer(self->loop, &self->limit);
        tell(self, "The connection to %s is there again.", host_of(self));
        open_next(self);
        keep_awake(self);
    } else if (would_fail_again(error)) {
        struct cfs_error final = *error;
        cfs_error_append(&final, " The login is not tried again by itself: start the forwarding again.");
        self->options.failed(self->options.context, &final);
    } else {
        cfs_log_info("forward", "the connection could not be made again: %s", error->text);
        try_later(self);
    }
}

static void on_retry(struct cfs_timer *timer)
{
    struct cfs_forwarder *self = cfs_container_of(timer, struct cfs_forwarder, retry);
    if (!self->transport->is_lost(self->options.transport)) {
        try_later(self); /* it was aborted, and has not ended yet */
        return;
    }
    self->is_underway =
        self->transport->reconnect(self->options.transport, self->options.prompter, on_connected, self) == 0;
    if (!self->is_underway)
        try_later(self);
}

static void on_look(struct cfs_timer *timer)
{
    struct cfs_forwarder *self = cfs_container_of(timer, struct cfs_forwarder, look);
    struct cfs_transport *transport = self->options.transport;
    cfs_loop_start_timer(self->loop, &self->look, LOOK_EVERY_MS);
    if (self->is_paused) {
        self->is_paused = false;
        watch_listeners(self);
    }
    if (!self->connected)
        return;
    if (self->transport->is_lost(transport))
        lose(self, "The connection to the server was lost.");
    else if (self->transport->is_cut(transport, by_person(self)     ? CUT_LONG_MS
                                                : self->running > 0 ? CUT_MS
                                                                    : CUT_IDLE_MS))
        lose(self, "The connection to the server was lost: the network does not carry anything.");
}

/* --- beginning and end --- */

static void begin(struct cfs_task *task)
{
    struct cfs_forwarder *self = cfs_container_of(task, struct cfs_forwarder, begin_task);
    self->since_ms = cfs_loop_now_ms(self->loop);
    cfs_loop_start_timer(self->loop, &self->look, LOOK_EVERY_MS);
    keep_awake(self);
    watch_listeners(self);
}

static void end(struct cfs_task *task)
{
    struct cfs_forwarder *self = cfs_container_of(task, struct cfs_forwarder, end_task);
    struct cfs_list *link, *following;
    self->is_closing = true;
    watch_listeners(self);
    cfs_list_each_safe (link, following, &self->connections) {
        struct connection *connection = cfs_container_of(link, struct connection, link);
        if (connection->tunnel)
            cfs_ssh_tunnel_abort(CFS_TAKE(connection->tunnel));
        drop(connection);
    }
    cfs_loop_stop_timer(self->loop, &self->look);
    cfs_loop_stop_timer(self->loop, &self->patience);
    cfs_loop_stop_timer(self->loop, &self->retry);
    cfs_loop_stop_timer(self->loop, &self->limit);
    if (self->is_underway)
        self->transport->interrupt(self->options.transport);
    sem_post(&self->has_ended);
}

struct cfs_forwarder *cfs_forwarder_new(const struct cfs_forwarder_options *options,
                                        const struct cfs_forward_listener *listeners, size_t count)
{
    struct cfs_forwarder *self = calloc(1, sizeof(*self));
    if (!self)
        return NULL;
    self->listeners = calloc(count, sizeof(*self->listeners));
    if (!self->listeners) {
        free(self);
        return NULL;
    }
    self->options = *options;
    self->transport = options->transport->operations;
    self->loop = self->transport->loop(options->transport);
    self->connected = true;
    self->listener_count = count;
    for (size_t i = 0; i < count; i++)
        self->listeners[i] = (struct listener){
            .watch = {.fd = listeners[i].fd, .ready = on_listener}, .forwarder = self, .place = listeners[i]};
    cfs_list_init(&self->connections);
    self->look.expired = on_look;
    self->patience.expired = on_patience;
    self->retry.expired = on_retry;
    self->limit.expired = on_limit;
    self->begin_task.run = begin;
    self->end_task.run = end;
    sem_init(&self->has_ended, 0, 0);
    (void)!cfs_loop_post(self->loop, &self->begin_task); /* fails when the loop has stopped: the transport is there */
    return self;
}

void cfs_forwarder_free(struct cfs_forwarder *forwarder)
{
    if (!forwarder)
        return;
    if (cfs_loop_post(forwarder->loop, &forwarder->end_task) == 0)
        while (sem_wait(&forwarder->has_ended) < 0 && errno == EINTR)
            ;
    forwarder->transport->free(forwarder->options.transport);
    sem_destroy(&forwarder->has_ended);
    free(forwarder->listeners);
    free(forwarder);
}

/* Pumps bytes between two streams, the channel and our end of the socketpair, a buffer each way.
 *
 *   OPENING -> RUNNING -> OVER       (or OPENING -> OVER)
 *
 * When the channel has ended it is closed at once, since its session may go; what it has brought is still passed on.
 *
 * The phase, and all that is not said otherwise, is the hop's thread's. OVER frees the streams; the memory goes with
 * the last owner. The end of either side ends the other, when what had come before is through; an abort at once.
 *
 * While the channel opens, the hop's connection is looked at: a laptop that has changed its network would wait for it
 * in vain, until the hop is known to be lost. */
#include "ssh/relay.h"
#include "base/clock.h"
#include "base/pump.h"
#include "ssh/wait.h"
#include <errno.h>
#include <semaphore.h>
#include <stdatomic.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/socket.h>

enum {
    DOWN_SIZE = 256 * 1024, /* what the channel gives without a copy more */
    UP_SIZE = 64 * 1024,
    WINDOW = 4 * 1024 * 1024, /* as the channel within has */
    ROUNDS = 16,              /* of a pump, before others get their turn */
    LOOK_EVERY_MS = 1000,
    CUT_MS = 3000,
    CUT_LONG_MS = 60 * 1000, /* where somebody would have to answer for another login */
};

struct relay {
    struct cfs_ssh_line line;        /* first: what the other owner has */
    _Atomic unsigned owners;         /* of the memory */
    struct cfs_loop *loop;           /* const */
    struct cfs_ssh_session *session; /* valid while the channel is */
    enum { OPENING, RUNNING, OVER } phase;
    struct cfs_stream *channel, *socket;
    struct cfs_pump down, up;
    struct cfs_task task; /* opens; then goes on with a pump */
    bool task_posted;
    struct cfs_task abort_task;
    atomic_bool aborted;
    struct cfs_timer look;
    char host[256];
    uint16_t port;
    int fd; /* our end of the socketpair, until the stream has it */
    /* of the opening; the dialling thread's once `settled_fd` is readable, and is_settled says so */
    int settled_fd; /* an eventfd */
    atomic_bool is_settled;
    int result;
    struct cfs_error error;
};

static struct relay *of(struct cfs_ssh_line *line)
{
    return cfs_container_of(line, struct relay, line);
}

static void put(struct relay *relay)
{
    if (atomic_fetch_sub(&relay->owners, 1) > 1)
        return;
    if (relay->fd >= 0)
        close(relay->fd);
    if (relay->settled_fd >= 0)
        close(relay->settled_fd);
    free(relay->down.bytes);
    free(relay->up.bytes);
    free(relay);
}

/* --- on the hop's thread --- */

static void settle(struct relay *relay, int result)
{
    relay->result = result;
    atomic_store(&relay->is_settled, true);
    (void)!eventfd_write(relay->settled_fd, 1);
}

/* The last thing that is done here. */
static void finish(struct relay *relay)
{
    if (relay->phase == OVER)
        return;
    relay->phase = OVER;
    cfs_loop_stop_timer(relay->loop, &relay->look);
    cfs_stream_close(CFS_TAKE(relay->channel));
    cfs_stream_close(CFS_TAKE(relay->socket));
    relay->session = NULL;
    if (!relay->task_posted)
        put(relay);
}

static void close_channel(struct relay *relay)
{
    cfs_stream_close(CFS_TAKE(relay->channel));
    relay->session = NULL;
}

/* What the channel has taken and the hop's machine has not acknowledged would still go there, and from there to the
 * server, perhaps behind what is sent again by another channel: the hop's connection is reset together with it. Not if
 * the server's side has ended: then the hop drops what comes. */
static void abort_now(struct relay *relay)
{
    struct cfs_ssh_session *session = relay->phase == RUNNING ? relay->session : NULL;
    if (session && cfs_ssh_session_holds_bytes(session))
        cfs_ssh_session_abort(session);
    finish(relay);
}

/* A channel that has failed goes at once, also while what it has brought waits for a reader: its session is freed
 * soon. What it has not brought is gone with the connection. */
static void drop_failed_channel(struct relay *relay)
{
    if (!relay->channel || cfs_ssh_stream_is_running(relay->channel))
        return;
    relay->down.ended = true;
    close_channel(relay);
}

static void pump(struct relay *relay)
{
    int up = 1, down = 1;
    drop_failed_channel(relay);
    for (int round = 0; round < ROUNDS && (up > 0 || down > 0); round++) {
        up = relay->channel ? cfs_pump_move(&relay->up) : 0;
        down = cfs_pump_move(&relay->down);
        if (relay->down.ended && relay->channel)
            close_channel(relay);
        if (atomic_load(&relay->aborted)) {
            abort_now(relay);
            return;
        }
        if (up < 0 || down < 0 || cfs_pump_is_through(&relay->up) || cfs_pump_is_through(&relay->down)) {
            finish(relay);
            return;
        }
    }
    if ((up > 0 || down > 0) && !relay->task_posted)
        relay->task_posted = cfs_loop_post(relay->loop, &relay->task) == 0;
}

static void pump_again(struct cfs_task *task)
{
    struct relay *relay = cfs_container_of(task, struct relay, task);
    relay->task_posted = false;
    if (relay->phase == OVER)
        put(relay);
    else
        pump(relay);
}

static void fail(struct relay *relay, int result)
{
    settle(relay, result); /* the memory may go with finish */
    finish(relay);
}

/* The channel is open, or has failed. */
static void opened(struct relay *relay)
{
    const struct cfs_error *error = cfs_ssh_stream_error(relay->channel);
    bool is_running = cfs_ssh_stream_is_running(relay->channel);
    if (!is_running && error) {
        char byte;
        ssize_t result = cfs_stream_read(relay->channel, &byte, 1);
        relay->error = *error;
        fail(relay, result < 0 ? (int)result : -ECONNRESET);
        return;
    }
    if (!is_running)
        return;
    cfs_loop_stop_timer(relay->loop, &relay->look);
    relay->phase = RUNNING;
    settle(relay, 0);
    pump(relay);
}

static void stream_ready(struct cfs_stream *stream, void *context)
{
    struct relay *relay = context;
    atomic_fetch_add(&relay->owners, 1);
    if (relay->phase == OPENING && stream == relay->channel)
        opened(relay);
    else if (relay->phase == RUNNING)
        pump(relay);
    put(relay);
}

static void look(struct cfs_timer *timer)
{
    struct relay *relay = cfs_container_of(timer, struct relay, look);
    struct cfs_ssh_facts facts;
    cfs_ssh_session_facts(relay->session, &facts);
    if (cfs_ssh_session_is_cut(relay->session, facts.by_person || facts.by_person_on_way ? CUT_LONG_MS : CUT_MS))
        cfs_ssh_session_abort(relay->session);
    else
        cfs_loop_start_timer(relay->loop, &relay->look, LOOK_EVERY_MS);
}

static void begin(struct cfs_task *task)
{
    struct relay *relay = cfs_container_of(task, struct relay, task);
    relay->task.run = pump_again;
    relay->task_posted = false;
    if (atomic_load(&relay->aborted)) {
        fail(relay, -ECANCELED);
        return;
    }
    relay->channel = cfs_ssh_open_direct(relay->session, relay->host, relay->port, WINDOW);
    if (!relay->channel) {
        fail(relay, cfs_error_set(&relay->error, ENOTCONN, CFS_FAILURE_LOST, "The connection was lost."));
        return;
    }
    relay->socket = cfs_stream_new_fd(relay->loop, relay->fd);
    if (!relay->socket) {
        fail(relay, cfs_error_set(&relay->error, ENOMEM, CFS_FAILURE_SYSTEM, "Out of memory."));
        return;
    }
    relay->fd = -1;
    relay->down.from = relay->up.to = relay->channel;
    relay->down.to = relay->up.from = relay->socket;
    relay->channel->ready = relay->socket->ready = stream_ready;
    relay->channel->context = relay->socket->context = relay;
    relay->look.expired = look;
    cfs_loop_start_timer(relay->loop, &relay->look, LOOK_EVERY_MS);
}

static void run_abort(struct cfs_task *task)
{
    struct relay *relay = cfs_container_of(task, struct relay, abort_task);
    abort_now(relay);
    put(relay);
}

/* --- on the other owner's --- */

static void abort_line(struct cfs_ssh_line *line)
{
    struct relay *relay = of(line);
    if (atomic_exchange(&relay->aborted, true))
        return;
    atomic_fetch_add(&relay->owners, 1);
    relay->abort_task.run = run_abort;
    if (cfs_loop_post(relay->loop, &relay->abort_task) < 0)
        put(relay);
}

/* Asked on the hop's thread, which waits for nobody that could ask it something. */
struct question {
    struct cfs_task task;
    struct relay *relay;
    int64_t ms; /* -1: whether it holds bytes; else whether it is cut */
    bool answer;
    sem_t answered;
};

static void answer(struct cfs_task *task)
{
    struct question *question = cfs_container_of(task, struct question, task);
    const struct relay *relay = question->relay;
    if (question->ms >= 0)
        question->answer = !relay->session || cfs_ssh_session_is_cut(relay->session, question->ms);
    else
        question->answer = relay->session && (relay->up.length > 0 || cfs_ssh_session_holds_bytes(relay->session));
    sem_post(&question->answered);
}

static bool ask(struct cfs_ssh_line *line, int64_t ms)
{
    struct question question = {.task.run = answer, .relay = of(line), .ms = ms};
    sem_init(&question.answered, 0, 0);
    if (cfs_loop_post(of(line)->loop, &question.task) == 0)
        while (sem_wait(&question.answered) < 0 && errno == EINTR)
            ;
    sem_destroy(&question.answered);
    return question.answer;
}

static bool is_cut(struct cfs_ssh_line *line, int64_t ms)
{
    return ask(line, ms);
}

static bool holds_bytes(struct cfs_ssh_line *line)
{
    return ask(line, -1);
}

static void free_line(struct cfs_ssh_line *line)
{
    put(of(line));
}

static const struct cfs_ssh_line_operations operations = {
    .is_cut = is_cut, .holds_bytes = holds_bytes, .abort = abort_line, .free = free_line};

static struct relay *new_relay(struct cfs_ssh_session *hop, const char *host, uint16_t port, int *ret_fd)
{
    int pair[2];
    struct relay *relay = calloc(1, sizeof(*relay));
    if (!relay)
        return NULL;
    relay->line.operations = &operations;
    relay->owners = 1;
    relay->session = hop;
    relay->loop = cfs_ssh_session_loop(hop);
    relay->port = port;
    relay->fd = -1;
    snprintf(relay->host, sizeof(relay->host), "%s", host);
    relay->down = (struct cfs_pump){.capacity = DOWN_SIZE, .bytes = malloc(DOWN_SIZE)};
    relay->up = (struct cfs_pump){.capacity = UP_SIZE, .bytes = malloc(UP_SIZE)};
    relay->settled_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    if (!relay->down.bytes || !relay->up.bytes || relay->settled_fd < 0 ||
        socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, pair) < 0) {
        put(relay);
        return NULL;
    }
    relay->fd = pair[0];
    *ret_fd = pair[1];
    return relay;
}

static int gave_up(const struct relay *relay, const char *hop_name, int rc, struct cfs_error *error)
{
    if (rc == -ECANCELED)
        return cfs_error_set(error, ECANCELED, CFS_FAILURE_CANCELLED, "Connecting to %s was given up.", relay->host);
    if (rc != -ETIMEDOUT)
        return cfs_error_set(error, -rc, CFS_FAILURE_SYSTEM, "Cannot wait for %s: %s.", hop_name, strerror(-rc));
    return cfs_error_set(error, ETIMEDOUT, CFS_FAILURE_TIMEOUT,
                         "Cannot reach %s port %u from the host %s: there was no answer. The address may have changed, "
                         "the machine or job may be down, or a firewall there may drop it.",
                         relay->host, (unsigned)relay->port, hop_name);
}

int cfs_ssh_relay_open(struct cfs_ssh_session *hop, const char *hop_name, const char *host, uint16_t port,
                       int cancel_fd, int64_t deadline_ms, int *ret_fd, struct cfs_ssh_line **ret_line,
                       struct cfs_error *error)
{
    int fd CFS_AUTO_CLOSE = -1;
    struct relay *relay = new_relay(hop, host, port, &fd);
    if (!relay)
        return cfs_error_set(error, ENOMEM, CFS_FAILURE_SYSTEM, "Out of memory or descriptors.");
    relay->owners = 2;
    relay->task.run = begin;
    relay->task_posted = true;
    int rc = cfs_loop_post(relay->loop, &relay->task);
    if (rc < 0) {
        put(relay);
        put(relay);
        return cfs_error_set(error, ENOTCONN, CFS_FAILURE_LOST, "The connection to %s is closed.", hop_name);
    }
    rc = cfs_ssh_wait_readable(relay->settled_fd, cancel_fd, deadline_ms);
    if (rc < 0) {
        rc = gave_up(relay, hop_name, rc, error);
        abort_line(&relay->line);
    } else {
        rc = atomic_load(&relay->is_settled) ? relay->result : -EIO; /* never; it orders the two threads */
        if (rc < 0 && error)
            *error = relay->error;
    }
    if (rc < 0) {
        put(relay);
        return rc;
    }
    *ret_fd = CFS_TAKE_FD(fd);
    *ret_line = &relay->line;
    return 0;
}

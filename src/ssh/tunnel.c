/* Pumps bytes between a channel and a socket, a buffer each way.
 *
 * A way that is through is finished: the channel's EOF, or the socket's shutdown, tells the other end. When both are
 * through, or the server has closed the channel and what it brought is passed on, the tunnel is over. A socket that
 * takes no more has lost its reader: what still comes for him is thrown away, until what he had said is passed on; a
 * channel that fails is a connection that was lost.
 *
 * OVER frees the streams; the memory goes with the task, if that is in the queue. */
#include "ssh/tunnel.h"
#include "base/pump.h"
#include "ssh/session.h"
#include <errno.h>
#include <string.h>
#include <sys/socket.h>

enum {
    DOWN_SIZE = 256 * 1024, /* what the channel gives without a copy more */
    UP_SIZE = 64 * 1024,
    ROUNDS = 16, /* of a pump, before others get their turn */
};

struct cfs_ssh_tunnel {
    struct cfs_loop *loop;
    struct cfs_stream *channel, *socket;
    int fd; /* the socket's, which has it */
    struct cfs_pump down, up;
    bool down_finished, up_finished; /* its end was passed on, or cannot be */
    bool has_no_reader;              /* nobody takes what comes down */
    bool is_over, is_busy;
    struct cfs_task task; /* goes on with a pump */
    bool task_posted;
    cfs_ssh_tunnel_ended *ended;
    void *context;
};

static void free_tunnel(struct cfs_ssh_tunnel *tunnel)
{
    free(tunnel->down.bytes);
    free(tunnel->up.bytes);
    free(tunnel);
}

static void free_if_idle(struct cfs_ssh_tunnel *tunnel)
{
    if (tunnel->is_over && !tunnel->task_posted && !tunnel->is_busy)
        free_tunnel(tunnel);
}

static void let_reset(int fd)
{
    const struct linger at_once = {.l_onoff = 1, .l_linger = 0};
    (void)setsockopt(fd, SOL_SOCKET, SO_LINGER, &at_once, sizeof(at_once));
}

void cfs_ssh_reset_socket(int fd)
{
    let_reset(fd);
    close(fd);
}

static void close_both(struct cfs_ssh_tunnel *tunnel, bool resets)
{
    tunnel->is_over = true;
    if (resets)
        let_reset(tunnel->fd);
    cfs_stream_close(CFS_TAKE(tunnel->channel));
    cfs_stream_close(CFS_TAKE(tunnel->socket));
}

static void finish(struct cfs_ssh_tunnel *tunnel)
{
    close_both(tunnel, false);
    tunnel->ended(tunnel->context, NULL);
}

static void lose(struct cfs_ssh_tunnel *tunnel)
{
    char reason[CFS_ERROR_TEXT];
    const struct cfs_error *error = cfs_ssh_stream_error(tunnel->channel);
    snprintf(reason, sizeof(reason), "%s", error ? error->text : "The connection was lost.");
    close_both(tunnel, true);
    tunnel->ended(tunnel->context, reason);
}

static void pass_ends_on(struct cfs_ssh_tunnel *tunnel)
{
    if (!tunnel->up_finished && cfs_pump_is_through(&tunnel->up)) {
        tunnel->up_finished = true;
        cfs_ssh_stream_finish(tunnel->channel);
    }
    if (!tunnel->down_finished && cfs_pump_is_through(&tunnel->down)) {
        tunnel->down_finished = true;
        (void)shutdown(tunnel->fd, SHUT_WR);
    }
}

/* As cfs_pump_move, but never -1. */
static int move_down(struct cfs_ssh_tunnel *tunnel)
{
    int moved = cfs_pump_move(&tunnel->down);
    if (moved < 0)
        tunnel->has_no_reader = true;
    if (tunnel->has_no_reader)
        tunnel->down.length = 0;
    return moved < 0 ? 1 : moved;
}

/* What there is to be done, once. False: it is over. RET_MORE: something moved. */
static bool step(struct cfs_ssh_tunnel *tunnel, bool *ret_more)
{
    int down = move_down(tunnel);
    int up = tunnel->up_finished ? 0 : cfs_pump_move(&tunnel->up);
    if (tunnel->down.failure && tunnel->down.length == 0) {
        lose(tunnel);
        return false;
    }
    if (up < 0 || cfs_ssh_stream_is_closed(tunnel->channel)) {
        tunnel->up_finished = true; /* nobody takes it; what is still to be read says why */
        up = 0;
    }
    pass_ends_on(tunnel);
    bool nobody_is_left = tunnel->up.failure || (tunnel->has_no_reader && tunnel->up_finished);
    if (nobody_is_left || (tunnel->up_finished && tunnel->down_finished)) {
        finish(tunnel);
        return false;
    }
    *ret_more = down > 0 || up > 0;
    return true;
}

static void pump(struct cfs_ssh_tunnel *tunnel)
{
    bool more = true;
    tunnel->is_busy = true;
    for (int round = 0; round < ROUNDS && more && !tunnel->is_over; round++)
        more = step(tunnel, &more) && more;
    tunnel->is_busy = false;
    if (more && !tunnel->is_over && !tunnel->task_posted)
        tunnel->task_posted = cfs_loop_post(tunnel->loop, &tunnel->task) == 0;
    free_if_idle(tunnel);
}

static void pump_again(struct cfs_task *task)
{
    struct cfs_ssh_tunnel *tunnel = cfs_container_of(task, struct cfs_ssh_tunnel, task);
    tunnel->task_posted = false;
    if (tunnel->is_over)
        free_if_idle(tunnel);
    else
        pump(tunnel);
}

static void stream_ready(struct cfs_stream *stream, void *context)
{
    struct cfs_ssh_tunnel *tunnel = context;
    (void)stream;
    if (!tunnel->is_busy && !tunnel->is_over)
        pump(tunnel);
}

struct cfs_ssh_tunnel *cfs_ssh_tunnel_new(struct cfs_stream *channel, int fd, cfs_ssh_tunnel_ended *ended,
                                          void *context)
{
    struct cfs_ssh_tunnel *tunnel = calloc(1, sizeof(*tunnel));
    if (!tunnel)
        return NULL;
    tunnel->loop = channel->loop;
    tunnel->fd = fd;
    tunnel->task.run = pump_again;
    tunnel->ended = ended;
    tunnel->context = context;
    tunnel->down = (struct cfs_pump){.capacity = DOWN_SIZE, .bytes = malloc(DOWN_SIZE)};
    tunnel->up = (struct cfs_pump){.capacity = UP_SIZE, .bytes = malloc(UP_SIZE)};
    if (tunnel->down.bytes && tunnel->up.bytes)
        tunnel->socket = cfs_stream_new_fd(tunnel->loop, fd);
    if (!tunnel->socket) {
        free_tunnel(tunnel);
        return NULL;
    }
    tunnel->channel = channel;
    tunnel->down.from = tunnel->up.to = channel;
    tunnel->down.to = tunnel->up.from = tunnel->socket;
    channel->ready = tunnel->socket->ready = stream_ready;
    channel->context = tunnel->socket->context = tunnel;
    return tunnel;
}

void cfs_ssh_tunnel_begin(struct cfs_ssh_tunnel *tunnel)
{
    pump(tunnel);
}

void cfs_ssh_tunnel_abort(struct cfs_ssh_tunnel *tunnel)
{
    close_both(tunnel, true);
    free_if_idle(tunnel);
}

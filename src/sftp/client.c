/* The life of a client.
 *
 *   waits for VERSION -> waits for limits -> ready -> lost -> freed
 *
 * (without limits@openssh.com the second is left out; every state may go to lost, or be freed). An eager client asks
 * for the limits, and whatever its user asks, together with INIT.
 *
 * Work is done in turns: receive what is there, run the completions, flush what they submitted. A turn runs when the
 * stream is ready, or as a posted task when something was submitted outside a turn: requests that are submitted
 * together leave together, in this turn of the loop. A turn is bounded, so that one busy stream does not starve the
 * others on its loop; then the next one is posted.
 *
 * A posted task cannot be called back. A client that is freed while its task is queued closes everything at once and
 * leaves its bare memory to the task. */
#include "sftp/client_priv.h"
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

enum {
    READS_IN_A_TURN = 16,
};

int cfs_sftp_protocol_error(struct cfs_sftp_client *client, const char *format, ...)
{
    va_list arguments;

    va_start(arguments, format);
    vsnprintf(client->reason, sizeof(client->reason), format, arguments);
    va_end(arguments);
    return -EPROTO;
}

void cfs_sftp_complete(struct cfs_sftp_client *client, struct cfs_sftp_pending *pending,
                       const struct cfs_sftp_reply *reply)
{
    struct cfs_sftp_request *request = pending->request;

    cfs_sftp_pending_remove(&client->pending, pending);
    if (reply->from_server)
        atomic_fetch_add_explicit(&client->replies, 1, memory_order_relaxed);
    if (!request)
        return;
    request->pending = NULL;
    request->done(request, reply);
}

static void complete_all(struct cfs_sftp_client *client, int error)
{
    const struct cfs_sftp_reply reply = {.error = error};

    client->input.payload = NULL;
    while (!cfs_list_empty(&client->pending.order))
        cfs_sftp_complete(client, cfs_container_of(client->pending.order.next, struct cfs_sftp_pending, link), &reply);
}

/* --- losing --- */

/* The stream knows better why it ended than we do, unless it was we who found fault. */
static const char *reason_for(const struct cfs_sftp_client *client, int error)
{
    const char *reason = error == -EPROTO && client->reason[0] ? NULL : cfs_stream_reason(client->stream);

    if (reason)
        return reason;
    if (client->reason[0])
        return client->reason;
    return error == -ECONNRESET ? "the server closed the channel" : strerror(-error);
}

static void lose(struct cfs_sftp_client *client, int error)
{
    const char *reason = reason_for(client, error);

    client->state = CFS_SFTP_LOST;
    client->stream->ready = NULL;
    cfs_sftp_output_fini(client);
    complete_all(client, error == -EPROTO || error == -ENOMEM ? error : -ECONNRESET);
    if (client->callbacks.lost)
        client->callbacks.lost(client, error, reason, client->callbacks.context);
}

/* --- turns of work --- */

/* One read's worth, and what it made others ask. */
static int receive_some(struct cfs_sftp_client *client)
{
    int result = cfs_sftp_receive(client);

    if (result < 0)
        return result;
    client->may_receive = result > 0;
    return cfs_sftp_flush(client);
}

static void turn(struct cfs_sftp_client *client)
{
    int error;

    client->in_turn = true;
    error = cfs_sftp_flush(client);
    for (int i = 0; i < READS_IN_A_TURN && !error && client->may_receive; i++)
        error = receive_some(client);
    client->in_turn = false;
    if (error)
        lose(client, error);
    else if (client->may_receive)
        cfs_sftp_post_work(client);
}

static void on_ready(struct cfs_stream *stream, void *context)
{
    struct cfs_sftp_client *client = context;

    client->output_blocked = false;
    client->may_receive = true;
    turn(client);
}

static void on_work(struct cfs_task *task)
{
    struct cfs_sftp_client *client = cfs_container_of(task, struct cfs_sftp_client, work);

    client->work_posted = false;
    if (client->state == CFS_SFTP_FREED)
        free(client);
    else if (client->state != CFS_SFTP_LOST)
        turn(client);
}

void cfs_sftp_post_work(struct cfs_sftp_client *client)
{
    if (client->in_turn || client->work_posted)
        return;
    /* It fails only when the loop has ended: then what is queued stays, and ends with the client. */
    client->work_posted = cfs_loop_post(client->stream->loop, &client->work) == 0;
}

void cfs_sftp_become_ready(struct cfs_sftp_client *client)
{
    client->state = CFS_SFTP_READY;
    if (client->callbacks.ready)
        client->callbacks.ready(client, client->callbacks.context);
}

/* --- life --- */

static void fini(struct cfs_sftp_client *client)
{
    cfs_sftp_output_fini(client);
    cfs_sftp_input_fini(&client->input);
    cfs_sftp_pending_fini(&client->pending);
    free(client->names);
}

struct cfs_sftp_client *cfs_sftp_client_new(struct cfs_stream *stream, const struct cfs_sftp_callbacks *callbacks)
{
    struct cfs_sftp_client *client = calloc(1, sizeof(*client));

    if (!client)
        return NULL;
    client->stream = stream;
    client->callbacks = *callbacks;
    client->work.run = on_work;
    cfs_list_init(&client->work.link);
    cfs_list_init(&client->output);
    cfs_sftp_limits_default(&client->limits);
    if (callbacks->limits)
        client->limits = *callbacks->limits;
    client->callbacks.limits = NULL;
    if (cfs_sftp_pending_init(&client->pending) || cfs_sftp_input_init(&client->input) || cfs_sftp_send_init(client))
        goto failed;
    if (callbacks->is_eager && !client->limits.told && cfs_sftp_ask_limits(client))
        goto failed;
    client->may_receive = true;
    /* The task sends INIT, and reads for the first time: only then does the stream tell when there is more. */
    cfs_sftp_post_work(client);
    if (!client->work_posted) {
        complete_all(client, -ECANCELED);
        goto failed;
    }
    stream->ready = on_ready;
    stream->context = client;
    return client;

failed:
    fini(client);
    free(client);
    return NULL;
}

void cfs_sftp_client_free(struct cfs_sftp_client *client)
{
    if (!client)
        return;
    client->state = CFS_SFTP_FREED;
    complete_all(client, -ECANCELED);
    cfs_stream_close(client->stream);
    fini(client);
    if (!client->work_posted)
        free(client);
}

void cfs_sftp_cancel(struct cfs_sftp_client *client, struct cfs_sftp_request *request)
{
    if (!request->pending)
        return;
    request->pending->request = NULL;
    request->pending = NULL;
}

/* --- what may be asked --- */

bool cfs_sftp_client_is_ready(const struct cfs_sftp_client *client)
{
    return client->state == CFS_SFTP_READY;
}

uint32_t cfs_sftp_client_extensions(const struct cfs_sftp_client *client)
{
    return client->extensions;
}

const struct cfs_sftp_limits *cfs_sftp_client_limits(const struct cfs_sftp_client *client)
{
    return &client->limits;
}

size_t cfs_sftp_client_in_flight(const struct cfs_sftp_client *client)
{
    return client->pending.count;
}

size_t cfs_sftp_client_queued(const struct cfs_sftp_client *client)
{
    return client->output_bytes;
}

void cfs_sftp_client_counters(const struct cfs_sftp_client *client, struct cfs_sftp_counters *ret_counters)
{
    ret_counters->requests = atomic_load_explicit(&client->requests, memory_order_relaxed);
    ret_counters->replies = atomic_load_explicit(&client->replies, memory_order_relaxed);
    ret_counters->bytes_sent = atomic_load_explicit(&client->bytes_sent, memory_order_relaxed);
    ret_counters->bytes_received = atomic_load_explicit(&client->bytes_received, memory_order_relaxed);
}

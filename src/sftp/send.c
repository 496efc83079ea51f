/* Sending. Packets are built in place in the chunks of an output queue: small requests share a chunk, and so one write
 * and one SSH packet, and a WRITE's data is copied once, into a chunk of its own. The queue goes out as one vector,
 * once a turn of work; what the stream does not take stays, and the stream tells when to go on.
 *
 * Nothing here bounds the queue: callers look at cfs_sftp_client_queued and stop producing. */
#include "sftp/client_priv.h"
#include <errno.h>

enum {
    CHUNK_SIZE = 64 * 1024,
    VECTOR_COUNT = 16,
    /* Fixed fields of any request, an extension's name, two lengths of handles. */
    FIXED_FIELDS = 128,
};

struct chunk {
    struct cfs_list link;
    struct cfs_buffer buffer;
    size_t sent;
};

static void free_chunk(struct chunk *chunk)
{
    cfs_list_remove(&chunk->link);
    cfs_buffer_fini(&chunk->buffer);
    free(chunk);
}

void cfs_sftp_output_fini(struct cfs_sftp_client *client)
{
    while (!cfs_list_empty(&client->output))
        free_chunk(cfs_container_of(client->output.next, struct chunk, link));
    client->output_bytes = 0;
}

static struct cfs_buffer *add_chunk(struct cfs_sftp_client *client, size_t size)
{
    struct chunk *chunk = calloc(1, sizeof(*chunk));

    if (!chunk)
        return NULL;
    cfs_list_init(&chunk->link);
    cfs_buffer_init(&chunk->buffer);
    cfs_list_push_back(&client->output, &chunk->link);
    if (!cfs_buffer_reserve(&chunk->buffer, size)) {
        free_chunk(chunk);
        return NULL;
    }
    return &chunk->buffer;
}

/* The buffer at the end of the queue, with room for SIZE bytes: what is added does not move what is there. */
static struct cfs_buffer *buffer_with_room(struct cfs_sftp_client *client, size_t size)
{
    if (!cfs_list_empty(&client->output)) {
        struct chunk *last = cfs_container_of(client->output.prev, struct chunk, link);

        if (last->buffer.capacity - last->buffer.length >= size)
            return &last->buffer;
    }
    return add_chunk(client, size > CHUNK_SIZE ? size : CHUNK_SIZE);
}

static bool may_submit(const struct cfs_sftp_client *client, enum cfs_sftp_expected expected)
{
    switch (client->state) {
    case CFS_SFTP_READY:
        return true;
    case CFS_SFTP_WAITS_FOR_VERSION:
        return client->callbacks.is_eager;
    case CFS_SFTP_WAITS_FOR_LIMITS:
        return client->callbacks.is_eager || expected == CFS_SFTP_EXPECT_LIMITS;
    case CFS_SFTP_LOST:
    case CFS_SFTP_FREED:
        break;
    }
    return false;
}

int cfs_sftp_packet_begin(struct cfs_sftp_client *client, struct cfs_sftp_request *request, uint8_t type,
                          enum cfs_sftp_expected expected, size_t size, struct cfs_sftp_packet *ret_packet)
{
    struct cfs_sftp_packet packet = {.client = client};

    if (!may_submit(client, expected))
        return -ENOTCONN;
    if (request && request->pending)
        return -EINVAL;
    if (size > client->limits.packet_size - FIXED_FIELDS)
        return -EMSGSIZE;
    packet.buffer = buffer_with_room(client, size + FIXED_FIELDS);
    if (!packet.buffer)
        return -ENOMEM;
    packet.pending = cfs_sftp_pending_add(&client->pending);
    if (!packet.pending)
        return -ENOMEM;
    packet.pending->request = request;
    packet.pending->expected = expected;
    if (request)
        request->pending = packet.pending;
    packet.start = packet.buffer->length;
    cfs_buffer_add_u32(packet.buffer, 0);
    cfs_buffer_add_u8(packet.buffer, type);
    cfs_buffer_add_u32(packet.buffer, packet.pending->id);
    *ret_packet = packet;
    return 0;
}

static void take_back(struct cfs_sftp_packet *packet)
{
    packet->buffer->length = packet->start;
    packet->buffer->failed = false;
    if (packet->pending->request)
        packet->pending->request->pending = NULL;
    cfs_sftp_pending_remove(&packet->client->pending, packet->pending);
}

static void queued(struct cfs_sftp_client *client, struct cfs_buffer *buffer, size_t start)
{
    size_t length = buffer->length - start;

    cfs_buffer_set_u32(buffer, start, (uint32_t)(length - 4));
    client->output_bytes += length;
}

int cfs_sftp_packet_send(struct cfs_sftp_packet *packet)
{
    struct cfs_sftp_client *client = packet->client;

    if (packet->buffer->failed) {
        take_back(packet);
        return -ENOMEM;
    }
    queued(client, packet->buffer, packet->start);
    atomic_fetch_add_explicit(&client->requests, 1, memory_order_relaxed);
    cfs_sftp_post_work(client);
    return 0;
}

int cfs_sftp_send_init(struct cfs_sftp_client *client)
{
    struct cfs_buffer *buffer = buffer_with_room(client, FIXED_FIELDS);

    if (!buffer)
        return -ENOMEM;
    cfs_buffer_add_u32(buffer, 0);
    cfs_buffer_add_u8(buffer, SSH_FXP_INIT);
    cfs_buffer_add_u32(buffer, CFS_SFTP_VERSION);
    if (buffer->failed)
        return -ENOMEM;
    queued(client, buffer, 0);
    return 0;
}

static int collect(struct cfs_sftp_client *client, struct iovec *vector)
{
    struct cfs_list *link;
    int count = 0;

    cfs_list_each (link, &client->output) {
        struct chunk *chunk = cfs_container_of(link, struct chunk, link);

        if (chunk->sent == chunk->buffer.length)
            continue;
        vector[count].iov_base = chunk->buffer.bytes + chunk->sent;
        vector[count].iov_len = chunk->buffer.length - chunk->sent;
        if (++count == VECTOR_COUNT)
            break;
    }
    return count;
}

/* Forgets what the stream has taken. The last chunk is kept for what comes next, unless it was made for a WRITE. */
static void drop_sent(struct cfs_sftp_client *client, size_t count)
{
    client->output_bytes -= count;
    while (!cfs_list_empty(&client->output)) {
        struct chunk *chunk = cfs_container_of(client->output.next, struct chunk, link);
        size_t left = chunk->buffer.length - chunk->sent;

        if (count < left) {
            chunk->sent += count;
            return;
        }
        count -= left;
        if (client->output_bytes == 0 && chunk->link.next == &client->output && chunk->buffer.capacity <= CHUNK_SIZE) {
            cfs_buffer_clear(&chunk->buffer);
            chunk->sent = 0;
            return;
        }
        free_chunk(chunk);
    }
}

int cfs_sftp_flush(struct cfs_sftp_client *client)
{
    while (client->output_bytes > 0 && !client->output_blocked) {
        struct iovec vector[VECTOR_COUNT];
        int count = collect(client, vector);
        ssize_t taken = cfs_stream_write(client->stream, vector, count);

        if (taken == -EAGAIN) {
            client->output_blocked = true;
            return 0;
        }
        if (taken <= 0)
            return taken == 0 ? -EPIPE : (int)taken;
        atomic_fetch_add_explicit(&client->bytes_sent, (uint64_t)taken, memory_order_relaxed);
        drop_sent(client, (size_t)taken);
    }
    return 0;
}

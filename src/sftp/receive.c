/* Receiving: frames out of the stream. A frame is a length and that many bytes. The stream is read into one buffer, in
 * large reads, and every frame that lies whole in it is handled from there, without copying.
 *
 * The exception is the payload of a READ that has a destination: when its frame is only begun in the buffer, what
 * is there is copied, and the rest is read from the stream straight to the destination. A request that is cancelled
 * meanwhile takes its destination away; the rest of the payload is then read and dropped.
 *
 * Always: start <= end <= capacity; while a payload is under way, the buffer is empty. A frame longer than the bound is
 * fatal before any of it is stored, so the buffer never grows beyond the bound. */
#include "base/text.h"
#include "sftp/client_priv.h"
#include <errno.h>
#include <string.h>

enum {
    LENGTH_FIELD = 4,
    CAPACITY = LENGTH_FIELD + CFS_SFTP_RECEIVE_BOUND,
    /* Length, type, id, length of the string. */
    DATA_HEADER = 4 + 1 + 4 + 4,
};

int cfs_sftp_input_init(struct cfs_sftp_input *input)
{
    *input = (struct cfs_sftp_input){.bytes = malloc(CAPACITY), .capacity = CAPACITY};
    return input->bytes ? 0 : -ENOMEM;
}

void cfs_sftp_input_fini(struct cfs_sftp_input *input)
{
    free(input->bytes);
    *input = (struct cfs_sftp_input){0};
}

static size_t receive_bound(const struct cfs_sftp_client *client)
{
    return client->limits.packet_size > CFS_SFTP_RECEIVE_BOUND ? client->limits.packet_size : CFS_SFTP_RECEIVE_BOUND;
}

static size_t buffered(const struct cfs_sftp_input *input)
{
    return input->end - input->start;
}

/* --- a payload on its way to its destination --- */

/* Where the rest of the payload goes; NULL: it is dropped. */
static uint8_t *payload_position(const struct cfs_sftp_input *input)
{
    const struct cfs_sftp_request *request = input->payload->request;

    return request && request->destination ? (uint8_t *)request->destination + input->payload_got : NULL;
}

static void advance_payload(struct cfs_sftp_client *client, size_t count)
{
    struct cfs_sftp_input *input = &client->input;
    struct cfs_sftp_pending *pending = input->payload;

    input->payload_got += count;
    if (input->payload_got < input->payload_length)
        return;
    input->payload = NULL;
    cfs_sftp_complete_read(client, pending, pending->request ? pending->request->destination : NULL,
                           input->payload_length);
}

/* True if the frame that has begun is the answer to a READ with a destination; then its payload is under way. What does
 * not add up is left to the ordinary path, which finds the fault when the frame is whole. */
static bool begin_payload(struct cfs_sftp_client *client, size_t frame_length)
{
    struct cfs_sftp_input *input = &client->input;
    struct cfs_reader reader =
        cfs_reader_over(input->bytes + input->start + LENGTH_FIELD, buffered(input) - LENGTH_FIELD);
    struct cfs_sftp_pending *pending;
    uint8_t type = cfs_read_u8(&reader);
    uint32_t id = cfs_read_u32(&reader);
    uint32_t length = cfs_read_u32(&reader);
    size_t count;

    if (reader.failed || type != SSH_FXP_DATA || length != frame_length - (DATA_HEADER - LENGTH_FIELD))
        return false;
    pending = cfs_sftp_pending_find(&client->pending, id);
    if (!pending || pending->expected != CFS_SFTP_EXPECT_DATA || length > pending->read_length || !pending->request ||
        !pending->request->destination)
        return false;
    count = reader.left;
    input->payload = pending;
    input->payload_length = length;
    input->payload_got = 0;
    memcpy(payload_position(input), reader.next, count);
    input->start = input->end = 0;
    advance_payload(client, count);
    return true;
}

/* --- whole frames --- */

static int check_length(struct cfs_sftp_client *client, const uint8_t *field, uint32_t length)
{
    if (length > 0 && length <= receive_bound(client))
        return 0;
    if (client->state == CFS_SFTP_WAITS_FOR_VERSION) {
        /* The classic: a shell's start-up file prints something, and its first four letters are taken as a length. */
        char text[LENGTH_FIELD + 1];

        memcpy(text, field, LENGTH_FIELD);
        text[LENGTH_FIELD] = '\0';
        cfs_text_make_printable(text, false);
        return cfs_sftp_protocol_error(
            client,
            "the server did not begin with SFTP but with \"%s\": does a start-up file of the remote shell "
            "(.bashrc, .cshrc, ...) print something, or is there no SFTP server?",
            text);
    }
    return cfs_sftp_protocol_error(client, "the server sent a packet of %u bytes", (unsigned)length);
}

/* Handles every whole frame in the buffer, and makes sure that the buffer can take the one that has begun. */
static int parse_frames(struct cfs_sftp_client *client)
{
    struct cfs_sftp_input *input = &client->input;

    while (buffered(input) >= LENGTH_FIELD) {
        const uint8_t *field = input->bytes + input->start;
        struct cfs_reader reader = cfs_reader_over(field, LENGTH_FIELD);
        uint32_t length = cfs_read_u32(&reader);
        int error = check_length(client, field, length);

        if (error)
            return error;
        if (buffered(input) - LENGTH_FIELD < length) {
            if (buffered(input) >= DATA_HEADER)
                (void)begin_payload(client, length);
            break;
        }
        input->start += LENGTH_FIELD + length;
        error = cfs_sftp_handle_packet(client, field + LENGTH_FIELD, length);
        if (error)
            return error;
    }
    return 0;
}

/* Moves what is left to the front and makes room for a frame as long as the bound allows. */
static int make_room(struct cfs_sftp_client *client)
{
    struct cfs_sftp_input *input = &client->input;
    size_t capacity = LENGTH_FIELD + receive_bound(client);
    uint8_t *bytes;

    if (input->start > 0) {
        memmove(input->bytes, input->bytes + input->start, buffered(input));
        input->end -= input->start;
        input->start = 0;
    }
    if (capacity <= input->capacity)
        return 0;
    bytes = realloc(input->bytes, capacity);
    if (!bytes)
        return -ENOMEM;
    input->bytes = bytes;
    input->capacity = capacity;
    return 0;
}

static int lost_by(struct cfs_sftp_client *client, ssize_t result)
{
    const struct cfs_sftp_input *input = &client->input;

    if (result == 0 && (input->payload || buffered(input) > 0))
        snprintf(client->reason, sizeof(client->reason), "the server closed the channel in the middle of a packet");
    return result == 0 ? -ECONNRESET : (int)result;
}

static int receive_payload(struct cfs_sftp_client *client)
{
    struct cfs_sftp_input *input = &client->input;
    size_t wanted = input->payload_length - input->payload_got;
    uint8_t *position = payload_position(input);
    ssize_t count;

    if (!position) {
        position = input->bytes;
        wanted = wanted < input->capacity ? wanted : input->capacity;
    }
    count = cfs_stream_read(client->stream, position, wanted);
    if (count == -EAGAIN)
        return 0;
    if (count <= 0)
        return lost_by(client, count);
    atomic_fetch_add_explicit(&client->bytes_received, (uint64_t)count, memory_order_relaxed);
    advance_payload(client, (size_t)count);
    return 1;
}

int cfs_sftp_receive(struct cfs_sftp_client *client)
{
    struct cfs_sftp_input *input = &client->input;
    ssize_t count;
    int error;

    if (input->payload)
        return receive_payload(client);
    error = make_room(client);
    if (error)
        return error;
    count = cfs_stream_read(client->stream, input->bytes + input->end, input->capacity - input->end);
    if (count == -EAGAIN)
        return 0;
    if (count <= 0)
        return lost_by(client, count);
    atomic_fetch_add_explicit(&client->bytes_received, (uint64_t)count, memory_order_relaxed);
    input->end += (size_t)count;
    error = parse_frames(client);
    return error ? error : 1;
}

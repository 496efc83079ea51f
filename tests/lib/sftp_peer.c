/* A scripted SFTP server in memory. */
#include "lib/test.h"

#include "lib/sftp_peer.h"
#include <stdio.h>

const char *const peer_openssh_extensions[] = {
    "posix-rename@openssh.com",
    "1",
    "statvfs@openssh.com",
    "2",
    "fstatvfs@openssh.com",
    "2",
    "hardlink@openssh.com",
    "1",
    "fsync@openssh.com",
    "1",
    "lsetstat@openssh.com",
    "1",
    "limits@openssh.com",
    "1",
    "expand-path@openssh.com",
    "1",
    "copy-data",
    "1",
    "home-directory",
    "1",
    "users-groups-by-id@openssh.com",
    "1",
    NULL,
};

static void on_ready(struct cfs_sftp_client *client, void *context)
{
    struct sftp_peer *peer = context;

    assert_false(peer->ready);
    assert_true(cfs_sftp_client_is_ready(client));
    peer->ready = true;
}

static void on_lost(struct cfs_sftp_client *client, int error, const char *reason, void *context)
{
    struct sftp_peer *peer = context;

    assert_int_equal(cfs_sftp_client_in_flight(client), 0);
    peer->lost++;
    peer->lost_error = error;
    snprintf(peer->lost_reason, sizeof(peer->lost_reason), "%s", reason);
}

static void start(struct sftp_peer *peer, bool is_eager)
{
    struct cfs_sftp_callbacks callbacks = {.ready = on_ready, .lost = on_lost, .context = peer, .is_eager = is_eager};
    struct peer_request init;

    *peer = (struct sftp_peer){.loop = cfs_loop_new()};
    assert_non_null(peer->loop);
    memory_stream_init(&peer->memory, peer->loop);
    peer->client = cfs_sftp_client_new(&peer->memory.stream, &callbacks);
    assert_non_null(peer->client);
    init = peer_expect(peer, SSH_FXP_INIT);
    assert_int_equal(init.id, 3); /* where others have the id, INIT has the version */
}

void peer_start(struct sftp_peer *peer)
{
    start(peer, false);
}

void peer_start_eager(struct sftp_peer *peer)
{
    start(peer, true);
}

void peer_start_ready(struct sftp_peer *peer)
{
    struct cfs_buffer buffer CFS_AUTO_BUFFER = {0};
    struct peer_request limits;

    peer_start(peer);
    peer_put_version(&buffer, 3, peer_openssh_extensions);
    peer_send(peer, &buffer);
    assert_false(peer->ready);
    limits = peer_expect_extended(peer, "limits@openssh.com");
    peer_put_limits(&buffer, limits.id, 262144, 261120, 261120, 1019);
    peer_send(peer, &buffer);
    assert_true(peer->ready);
}

void peer_stop(struct sftp_peer *peer)
{
    cfs_sftp_client_free(peer->client);
    assert_true(peer->memory.closed);
    cfs_loop_free(peer->loop);
    memory_stream_fini(&peer->memory);
}

void peer_turn(struct sftp_peer *peer)
{
    cfs_loop_run_once(peer->loop, 0);
}

struct peer_request peer_expect(struct sftp_peer *peer, uint8_t type)
{
    struct peer_request request = {0};
    struct cfs_reader reader;
    uint32_t length;

    peer_turn(peer);
    reader = cfs_reader_over(peer->memory.outgoing.bytes + peer->requests_read,
                             peer->memory.outgoing.length - peer->requests_read);
    length = cfs_read_u32(&reader);
    assert_false(reader.failed);
    assert_true(length <= reader.left);
    request.fields = cfs_reader_over(reader.next, length);
    request.type = cfs_read_u8(&request.fields);
    request.id = cfs_read_u32(&request.fields);
    assert_false(request.fields.failed);
    assert_int_equal(request.type, type);
    peer->requests_read += 4 + length;
    return request;
}

void peer_expect_nothing(struct sftp_peer *peer)
{
    peer_turn(peer);
    assert_int_equal(peer->requests_read, peer->memory.outgoing.length);
}

struct peer_request peer_expect_extended(struct sftp_peer *peer, const char *name)
{
    struct peer_request request = peer_expect(peer, SSH_FXP_EXTENDED);
    size_t length;
    const uint8_t *bytes = cfs_read_string(&request.fields, &length);

    assert_int_equal(length, strlen(name));
    assert_memory_equal(bytes, name, length);
    return request;
}

/* --- packets --- */

size_t peer_begin(struct cfs_buffer *buffer, uint8_t type)
{
    size_t begun = buffer->length;

    cfs_buffer_add_u32(buffer, 0);
    cfs_buffer_add_u8(buffer, type);
    return begun;
}

void peer_end(struct cfs_buffer *buffer, size_t begun)
{
    cfs_buffer_set_u32(buffer, begun, (uint32_t)(buffer->length - begun - 4));
}

void peer_put_status(struct cfs_buffer *buffer, uint32_t id, uint32_t status)
{
    size_t begun = peer_begin(buffer, SSH_FXP_STATUS);

    cfs_buffer_add_u32(buffer, id);
    cfs_buffer_add_u32(buffer, status);
    cfs_buffer_add_text(buffer, "a message");
    cfs_buffer_add_text(buffer, "");
    peer_end(buffer, begun);
}

void peer_put_handle(struct cfs_buffer *buffer, uint32_t id, const char *handle)
{
    size_t begun = peer_begin(buffer, SSH_FXP_HANDLE);

    cfs_buffer_add_u32(buffer, id);
    cfs_buffer_add_text(buffer, handle);
    peer_end(buffer, begun);
}

void peer_put_data(struct cfs_buffer *buffer, uint32_t id, const void *data, size_t length)
{
    size_t begun = peer_begin(buffer, SSH_FXP_DATA);

    cfs_buffer_add_u32(buffer, id);
    cfs_buffer_add_string(buffer, data, length);
    peer_end(buffer, begun);
}

void peer_put_version(struct cfs_buffer *buffer, uint32_t version, const char *const *extensions)
{
    size_t begun = peer_begin(buffer, SSH_FXP_VERSION);

    cfs_buffer_add_u32(buffer, version);
    while (*extensions)
        cfs_buffer_add_text(buffer, *extensions++);
    peer_end(buffer, begun);
}

void peer_put_limits(struct cfs_buffer *buffer, uint32_t id, uint64_t packet, uint64_t most_read, uint64_t most_written,
                     uint64_t handles)
{
    size_t begun = peer_begin(buffer, SSH_FXP_EXTENDED_REPLY);

    cfs_buffer_add_u32(buffer, id);
    cfs_buffer_add_u64(buffer, packet);
    cfs_buffer_add_u64(buffer, most_read);
    cfs_buffer_add_u64(buffer, most_written);
    cfs_buffer_add_u64(buffer, handles);
    peer_end(buffer, begun);
}

void peer_send(struct sftp_peer *peer, struct cfs_buffer *buffer)
{
    assert_false(buffer->failed);
    memory_stream_feed(&peer->memory, buffer->bytes, buffer->length);
    cfs_buffer_clear(buffer);
    peer_turn(peer);
}

void peer_reply_status(struct sftp_peer *peer, uint32_t id, uint32_t status)
{
    struct cfs_buffer buffer CFS_AUTO_BUFFER = {0};

    peer_put_status(&buffer, id, status);
    peer_send(peer, &buffer);
}

void peer_reply_handle(struct sftp_peer *peer, uint32_t id, const char *handle)
{
    struct cfs_buffer buffer CFS_AUTO_BUFFER = {0};

    peer_put_handle(&buffer, id, handle);
    peer_send(peer, &buffer);
}

void peer_reply_data(struct sftp_peer *peer, uint32_t id, const void *data, size_t length)
{
    struct cfs_buffer buffer CFS_AUTO_BUFFER = {0};

    peer_put_data(&buffer, id, data, length);
    peer_send(peer, &buffer);
}

/* --- answers --- */

static void copy_start(uint8_t *to, size_t size, const uint8_t *bytes, size_t length)
{
    memcpy(to, bytes, length < size ? length : size);
}

static void copy_parts(struct peer_answer *answer, const struct cfs_sftp_reply *reply)
{
    if (reply->handle)
        answer->handle = *reply->handle;
    if (reply->attributes)
        answer->attributes = *reply->attributes;
    if (reply->statvfs)
        answer->statvfs = *reply->statvfs;
    if (reply->name_count > 0)
        answer->first_attributes = reply->names[0].attributes;
    if (reply->name_count > 0)
        snprintf(answer->first_name, sizeof(answer->first_name), "%.*s", (int)reply->names[0].name_length,
                 reply->names[0].name);
    if (reply->extended) {
        struct cfs_reader reader = *reply->extended;
        const uint8_t *bytes = cfs_read_string(&reader, &answer->extended_length);

        assert_false(reader.failed);
        copy_start(answer->extended, sizeof(answer->extended), bytes, answer->extended_length);
    }
    if (reply->data)
        copy_start(answer->data, sizeof(answer->data), reply->data, reply->data_length);
}

static void on_done(struct cfs_sftp_request *request, const struct cfs_sftp_reply *reply)
{
    struct peer_answer *answer = cfs_container_of(request, struct peer_answer, request);

    answer->done++;
    answer->error = reply->error;
    answer->status = reply->status;
    answer->from_server = reply->from_server;
    answer->name_count = reply->name_count;
    answer->data_at = reply->data;
    answer->data_length = reply->data_length;
    copy_parts(answer, reply);
}

struct peer_answer peer_answer(void)
{
    return (struct peer_answer){.request = {.done = on_done}};
}

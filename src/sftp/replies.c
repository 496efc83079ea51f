/* A frame becomes the reply of its request. The request says which type it expects; a STATUS is always allowed, but OK
 * only where nothing else was expected, so that a completion with error 0 finds what it asked for. Whatever does not
 * fit is -EPROTO, and ends the client. Bytes after the fields that we know are let pass. */
#include "sftp/client_priv.h"
#include <errno.h>
#include <string.h>

enum {
    /* Two empty strings and the flags of the attributes. */
    SHORTEST_NAME = 4 + 4 + 4,
};

/* What a reply points at while its completion runs. */
struct parts {
    struct cfs_sftp_reply reply;
    struct cfs_sftp_handle handle;
    struct cfs_sftp_attributes attributes;
    struct cfs_sftp_statvfs statvfs;
};

static const uint8_t reply_types[] = {
    [CFS_SFTP_EXPECT_STATUS] = SSH_FXP_STATUS,
    [CFS_SFTP_EXPECT_HANDLE] = SSH_FXP_HANDLE,
    [CFS_SFTP_EXPECT_DATA] = SSH_FXP_DATA,
    [CFS_SFTP_EXPECT_NAMES] = SSH_FXP_NAME,
    [CFS_SFTP_EXPECT_ONE_NAME] = SSH_FXP_NAME,
    [CFS_SFTP_EXPECT_ATTRIBUTES] = SSH_FXP_ATTRS,
    [CFS_SFTP_EXPECT_STATVFS] = SSH_FXP_EXTENDED_REPLY,
    [CFS_SFTP_EXPECT_EXTENDED] = SSH_FXP_EXTENDED_REPLY,
    [CFS_SFTP_EXPECT_LIMITS] = SSH_FXP_EXTENDED_REPLY,
};

static int malformed(struct cfs_sftp_client *client, const char *what)
{
    return cfs_sftp_protocol_error(client, "the server sent a malformed %s", what);
}

static int decode_status(struct cfs_sftp_client *client, const struct cfs_sftp_pending *pending,
                         struct cfs_reader *body, struct parts *parts)
{
    uint32_t status = cfs_read_u32(body);

    /* The message and its language may be missing in old servers, and are for people: nobody reads them. */
    if (body->failed)
        return malformed(client, "STATUS");
    if (status == SSH_FX_OK && pending->expected != CFS_SFTP_EXPECT_STATUS)
        return cfs_sftp_protocol_error(client, "the server said OK where it had to answer with packet type %u",
                                       reply_types[pending->expected]);
    parts->reply.status = status;
    parts->reply.error = cfs_sftp_status_to_errno(status);
    return 0;
}

static int decode_handle(struct cfs_sftp_client *client, struct cfs_reader *body, struct parts *parts)
{
    size_t length;
    const uint8_t *bytes = cfs_read_string(body, &length);

    if (body->failed || length == 0 || length > sizeof(parts->handle.bytes))
        return malformed(client, "HANDLE");
    parts->handle.length = (uint32_t)length;
    memcpy(parts->handle.bytes, bytes, length);
    parts->reply.handle = &parts->handle;
    return 0;
}

/* No data at all is how some servers say that the file has ended. */
static void set_data(struct cfs_sftp_reply *reply, const uint8_t *data, size_t length)
{
    if (length == 0) {
        reply->status = SSH_FX_EOF;
        reply->error = cfs_sftp_status_to_errno(SSH_FX_EOF);
        return;
    }
    reply->data = data;
    reply->data_length = length;
}

static int decode_data(struct cfs_sftp_client *client, const struct cfs_sftp_pending *pending, struct cfs_reader *body,
                       struct parts *parts)
{
    size_t length;
    const uint8_t *data = cfs_read_string(body, &length);

    if (body->failed)
        return malformed(client, "DATA");
    if (length > pending->read_length)
        return cfs_sftp_protocol_error(client, "the server sent %zu bytes where %u were asked for", length,
                                       (unsigned)pending->read_length);
    if (length > 0 && pending->request && pending->request->destination) {
        memcpy(pending->request->destination, data, length);
        data = pending->request->destination;
    }
    set_data(&parts->reply, data, length);
    return 0;
}

static int reserve_names(struct cfs_sftp_client *client, size_t count)
{
    struct cfs_sftp_name *names;

    if (count <= client->name_capacity)
        return 0;
    names = reallocarray(client->names, count, sizeof(*names));
    if (!names)
        return -ENOMEM;
    client->names = names;
    client->name_capacity = count;
    return 0;
}

static int decode_names(struct cfs_sftp_client *client, const struct cfs_sftp_pending *pending, struct cfs_reader *body,
                        struct parts *parts)
{
    uint32_t count = cfs_read_u32(body);
    int error;

    if (body->failed || count > body->left / SHORTEST_NAME)
        return malformed(client, "NAME");
    if (pending->expected == CFS_SFTP_EXPECT_ONE_NAME && count != 1)
        return cfs_sftp_protocol_error(client, "the server sent %u names where one was asked for", (unsigned)count);
    error = reserve_names(client, count);
    if (error)
        return error;
    for (uint32_t i = 0; i < count; i++) {
        struct cfs_sftp_name *name = &client->names[i];

        *name = (struct cfs_sftp_name){0};
        name->name = (const char *)cfs_read_string(body, &name->name_length);
        name->long_name = (const char *)cfs_read_string(body, &name->long_name_length);
        cfs_sftp_attributes_read(body, &name->attributes);
    }
    if (body->failed)
        return malformed(client, "NAME");
    parts->reply.names = client->names;
    parts->reply.name_count = count;
    return 0;
}

static int decode_attributes(struct cfs_sftp_client *client, struct cfs_reader *body, struct parts *parts)
{
    cfs_sftp_attributes_read(body, &parts->attributes);
    if (body->failed)
        return malformed(client, "ATTRS");
    parts->reply.attributes = &parts->attributes;
    return 0;
}

static int decode_statvfs(struct cfs_sftp_client *client, struct cfs_reader *body, struct parts *parts)
{
    struct cfs_sftp_statvfs *statvfs = &parts->statvfs;
    uint64_t *const fields[] = {
        &statvfs->bsize, &statvfs->frsize, &statvfs->blocks, &statvfs->bfree, &statvfs->bavail,  &statvfs->files,
        &statvfs->ffree, &statvfs->favail, &statvfs->fsid,   &statvfs->flag,  &statvfs->namemax,
    };

    for (size_t i = 0; i < CFS_COUNT(fields); i++)
        *fields[i] = cfs_read_u64(body);
    if (body->failed)
        return malformed(client, "answer to statvfs");
    parts->reply.statvfs = statvfs;
    return 0;
}

static int decode(struct cfs_sftp_client *client, const struct cfs_sftp_pending *pending, struct cfs_reader *body,
                  struct parts *parts)
{
    switch (pending->expected) {
    case CFS_SFTP_EXPECT_HANDLE:
        return decode_handle(client, body, parts);
    case CFS_SFTP_EXPECT_DATA:
        return decode_data(client, pending, body, parts);
    case CFS_SFTP_EXPECT_NAMES:
    case CFS_SFTP_EXPECT_ONE_NAME:
        return decode_names(client, pending, body, parts);
    case CFS_SFTP_EXPECT_ATTRIBUTES:
        return decode_attributes(client, body, parts);
    case CFS_SFTP_EXPECT_STATVFS:
        return decode_statvfs(client, body, parts);
    case CFS_SFTP_EXPECT_EXTENDED:
        parts->reply.extended = body;
        return 0;
    case CFS_SFTP_EXPECT_STATUS:
    case CFS_SFTP_EXPECT_LIMITS:
        break;
    }
    return 0;
}

/* A handle that nobody waits for any more would stay open on the server, of which each session has but so many. */
static void close_unwanted(struct cfs_sftp_client *client, const struct cfs_sftp_reply *reply, bool wanted)
{
    /* Without memory it stays open until the stream ends. */
    if (!wanted && reply->handle)
        (void)!cfs_sftp_close(client, NULL, reply->handle);
}

static int handle_reply(struct cfs_sftp_client *client, struct cfs_sftp_pending *pending, uint8_t type,
                        struct cfs_reader *body)
{
    struct parts parts = {.reply = {.from_server = true}};
    bool wanted = pending->request;
    int error;

    if (type != SSH_FXP_STATUS && type != reply_types[pending->expected])
        return cfs_sftp_protocol_error(client, "the server answered with packet type %u where %u was expected", type,
                                       reply_types[pending->expected]);
    if (pending->expected == CFS_SFTP_EXPECT_LIMITS) {
        cfs_sftp_complete(client, pending, &parts.reply);
        return cfs_sftp_handle_limits(client, type == SSH_FXP_STATUS ? NULL : body);
    }
    error =
        type == SSH_FXP_STATUS ? decode_status(client, pending, body, &parts) : decode(client, pending, body, &parts);
    if (error)
        return error;
    cfs_sftp_complete(client, pending, &parts.reply);
    close_unwanted(client, &parts.reply, wanted);
    return 0;
}

int cfs_sftp_handle_packet(struct cfs_sftp_client *client, const uint8_t *bytes, size_t length)
{
    struct cfs_reader body = cfs_reader_over(bytes, length);
    uint8_t type = cfs_read_u8(&body);
    struct cfs_sftp_pending *pending;
    uint32_t id;

    if (client->state == CFS_SFTP_WAITS_FOR_VERSION) {
        if (type != SSH_FXP_VERSION)
            return cfs_sftp_protocol_error(client, "the server began with packet type %u instead of its version", type);
        return cfs_sftp_handle_version(client, &body);
    }
    id = cfs_read_u32(&body);
    if (body.failed)
        return malformed(client, "packet");
    pending = cfs_sftp_pending_find(&client->pending, id);
    if (!pending)
        return cfs_sftp_protocol_error(client, "the server answered request %u, which was not asked (packet type %u)",
                                       (unsigned)id, type);
    return handle_reply(client, pending, type, &body);
}

void cfs_sftp_complete_read(struct cfs_sftp_client *client, struct cfs_sftp_pending *pending, const uint8_t *data,
                            size_t length)
{
    struct cfs_sftp_reply reply = {.from_server = true};

    set_data(&reply, data, length);
    cfs_sftp_complete(client, pending, &reply);
}

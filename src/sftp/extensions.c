/* What the server offers (the VERSION packet; draft-ietf-secsh-filexfer-02, section 4; OpenSSH's PROTOCOL, section 4)
 * and how much it takes at once (limits@openssh.com; PROTOCOL, section 4.8). Neither is believed beyond reason. */
#include "base/log.h"
#include "sftp/client_priv.h"
#include <errno.h>
#include <inttypes.h>
#include <string.h>

enum {
    /* Less than this would keep us from sending a path. */
    LEAST_PACKET = 4096,
    LEAST_TRANSFER = 1024,
};

static const struct {
    const char *name;
    const char *version;
    enum cfs_sftp_extension bit;
} known_extensions[] = {
    {"posix-rename@openssh.com", "1", CFS_SFTP_POSIX_RENAME},
    {"statvfs@openssh.com", "2", CFS_SFTP_STATVFS},
    {"fstatvfs@openssh.com", "2", CFS_SFTP_FSTATVFS},
    {"hardlink@openssh.com", "1", CFS_SFTP_HARDLINK},
    {"fsync@openssh.com", "1", CFS_SFTP_FSYNC},
    {"lsetstat@openssh.com", "1", CFS_SFTP_LSETSTAT},
    {"limits@openssh.com", "1", CFS_SFTP_LIMITS},
    {"expand-path@openssh.com", "1", CFS_SFTP_EXPAND_PATH},
    {"copy-data", "1", CFS_SFTP_COPY_DATA},
    {"home-directory", "1", CFS_SFTP_HOME_DIRECTORY},
    {"users-groups-by-id@openssh.com", "1", CFS_SFTP_USERS_GROUPS_BY_ID},
};

static bool equals(const uint8_t *bytes, size_t length, const char *text)
{
    return length == strlen(text) && memcmp(bytes, text, length) == 0;
}

/* One pair of name and data. An extension in a version that we do not know is one that we do not know. */
static uint32_t read_extension(struct cfs_reader *body)
{
    size_t name_length, version_length;
    const uint8_t *name = cfs_read_string(body, &name_length);
    const uint8_t *version = cfs_read_string(body, &version_length);

    if (body->failed)
        return 0;
    for (size_t i = 0; i < CFS_COUNT(known_extensions); i++)
        if (equals(name, name_length, known_extensions[i].name) &&
            equals(version, version_length, known_extensions[i].version))
            return known_extensions[i].bit;
    return 0;
}

void cfs_sftp_limits_default(struct cfs_sftp_limits *limits)
{
    *limits = (struct cfs_sftp_limits){
        .packet_size = CFS_SFTP_PACKET_DEFAULT,
        .read_size = CFS_SFTP_TRANSFER_DEFAULT,
        .write_size = CFS_SFTP_TRANSFER_DEFAULT,
    };
}

int cfs_sftp_ask_limits(struct cfs_sftp_client *client)
{
    struct cfs_sftp_packet packet;
    int error = cfs_sftp_packet_begin(client, NULL, SSH_FXP_EXTENDED, CFS_SFTP_EXPECT_LIMITS, 0, &packet);

    if (error)
        return error;
    cfs_buffer_add_text(packet.buffer, "limits@openssh.com");
    return cfs_sftp_packet_send(&packet);
}

int cfs_sftp_handle_version(struct cfs_sftp_client *client, struct cfs_reader *body)
{
    uint32_t version = cfs_read_u32(body);

    if (body->failed)
        return cfs_sftp_protocol_error(client, "the server sent a malformed VERSION");
    if (version != CFS_SFTP_VERSION)
        return cfs_sftp_protocol_error(client, "the server speaks version %u of SFTP, and version 3 is needed",
                                       (unsigned)version);
    while (body->left > 0 && !body->failed)
        client->extensions |= read_extension(body);
    if (body->failed)
        return cfs_sftp_protocol_error(client, "the server sent a malformed VERSION");
    cfs_log_debug("sftp", "version 3, extensions 0x%x", (unsigned)client->extensions);
    if (client->limits.told || !(client->callbacks.is_eager || (client->extensions & CFS_SFTP_LIMITS))) {
        cfs_sftp_become_ready(client);
        return 0;
    }
    client->state = CFS_SFTP_WAITS_FOR_LIMITS;
    return client->callbacks.is_eager ? 0 : cfs_sftp_ask_limits(client); /* an eager one has asked already */
}

/* 0 means that the server has no such limit, or does not tell it. */
static uint32_t clamp(uint64_t told, uint32_t if_zero, uint32_t least, uint32_t most)
{
    if (told == 0)
        told = if_zero;
    if (told < least)
        return least;
    return told > most ? most : (uint32_t)told;
}

int cfs_sftp_handle_limits(struct cfs_sftp_client *client, struct cfs_reader *body)
{
    struct cfs_sftp_limits *limits = &client->limits;
    uint64_t packet_size, read_size, write_size, open_handles;
    uint32_t most;

    if (!body) {
        cfs_sftp_become_ready(client);
        return 0;
    }
    packet_size = cfs_read_u64(body);
    read_size = cfs_read_u64(body);
    write_size = cfs_read_u64(body);
    open_handles = cfs_read_u64(body);
    if (body->failed)
        return cfs_sftp_protocol_error(client, "the server sent a malformed answer to limits@openssh.com");
    limits->packet_size = clamp(packet_size, CFS_SFTP_PACKET_DEFAULT, LEAST_PACKET, CFS_SFTP_PACKET_MAX);
    most = limits->packet_size - CFS_SFTP_PACKET_OVERHEAD;
    limits->read_size = clamp(read_size, CFS_SFTP_TRANSFER_DEFAULT, LEAST_TRANSFER, most);
    limits->write_size = clamp(write_size, CFS_SFTP_TRANSFER_DEFAULT, LEAST_TRANSFER, most);
    limits->open_handles = open_handles;
    limits->told = true;
    cfs_log_debug("sftp", "limits: packet %u, read %u, write %u, handles %" PRIu64, (unsigned)limits->packet_size,
                  (unsigned)limits->read_size, (unsigned)limits->write_size, open_handles);
    cfs_sftp_become_ready(client);
    return 0;
}

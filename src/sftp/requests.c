/* The requests: one function each, its fields in the order of draft-ietf-secsh-filexfer-02, section 6, or of OpenSSH's
 * PROTOCOL, section 4. Each follows the same steps: begin the packet, add the fields, send. */
#include "sftp/client_priv.h"
#include <errno.h>
#include <string.h>

static void add_handle(struct cfs_buffer *buffer, const struct cfs_sftp_handle *handle)
{
    cfs_buffer_add_string(buffer, handle->bytes, handle->length);
}

static const struct cfs_sftp_attributes no_attributes;

static void add_attributes(struct cfs_buffer *buffer, const struct cfs_sftp_attributes *attributes)
{
    cfs_sftp_attributes_write(buffer, attributes ? attributes : &no_attributes);
}

/* --- shapes that several requests share --- */

static int submit_path(struct cfs_sftp_client *client, struct cfs_sftp_request *request, uint8_t type,
                       enum cfs_sftp_expected expected, const char *path)
{
    struct cfs_sftp_packet packet;
    int error = cfs_sftp_packet_begin(client, request, type, expected, strlen(path), &packet);

    if (error)
        return error;
    cfs_buffer_add_text(packet.buffer, path);
    return cfs_sftp_packet_send(&packet);
}

static int submit_two_paths(struct cfs_sftp_client *client, struct cfs_sftp_request *request, uint8_t type,
                            const char *first, const char *second)
{
    struct cfs_sftp_packet packet;
    int error =
        cfs_sftp_packet_begin(client, request, type, CFS_SFTP_EXPECT_STATUS, strlen(first) + strlen(second), &packet);

    if (error)
        return error;
    cfs_buffer_add_text(packet.buffer, first);
    cfs_buffer_add_text(packet.buffer, second);
    return cfs_sftp_packet_send(&packet);
}

static int submit_path_with_attributes(struct cfs_sftp_client *client, struct cfs_sftp_request *request, uint8_t type,
                                       const char *path, const struct cfs_sftp_attributes *attributes)
{
    struct cfs_sftp_packet packet;
    int error = cfs_sftp_packet_begin(client, request, type, CFS_SFTP_EXPECT_STATUS, strlen(path), &packet);

    if (error)
        return error;
    cfs_buffer_add_text(packet.buffer, path);
    add_attributes(packet.buffer, attributes);
    return cfs_sftp_packet_send(&packet);
}

static int submit_handle(struct cfs_sftp_client *client, struct cfs_sftp_request *request, uint8_t type,
                         enum cfs_sftp_expected expected, const struct cfs_sftp_handle *handle)
{
    struct cfs_sftp_packet packet;
    int error = cfs_sftp_packet_begin(client, request, type, expected, handle->length, &packet);

    if (error)
        return error;
    add_handle(packet.buffer, handle);
    return cfs_sftp_packet_send(&packet);
}

/* Begins SSH_FXP_EXTENDED for an extension, if the server offers it. */
static int begin_extended(struct cfs_sftp_client *client, struct cfs_sftp_request *request,
                          enum cfs_sftp_extension extension, const char *name, enum cfs_sftp_expected expected,
                          size_t size, struct cfs_sftp_packet *ret_packet)
{
    int error;

    if (client->state == CFS_SFTP_READY && !(client->extensions & extension))
        return -EOPNOTSUPP;
    error = cfs_sftp_packet_begin(client, request, SSH_FXP_EXTENDED, expected, size, ret_packet);
    if (error)
        return error;
    cfs_buffer_add_text(ret_packet->buffer, name);
    return 0;
}

static int submit_extended_path(struct cfs_sftp_client *client, struct cfs_sftp_request *request,
                                enum cfs_sftp_extension extension, const char *name, enum cfs_sftp_expected expected,
                                const char *path)
{
    struct cfs_sftp_packet packet;
    int error = begin_extended(client, request, extension, name, expected, strlen(path), &packet);

    if (error)
        return error;
    cfs_buffer_add_text(packet.buffer, path);
    return cfs_sftp_packet_send(&packet);
}

static int submit_extended_two_paths(struct cfs_sftp_client *client, struct cfs_sftp_request *request,
                                     enum cfs_sftp_extension extension, const char *name, const char *first,
                                     const char *second)
{
    struct cfs_sftp_packet packet;
    int error = begin_extended(client, request, extension, name, CFS_SFTP_EXPECT_STATUS, strlen(first) + strlen(second),
                               &packet);

    if (error)
        return error;
    cfs_buffer_add_text(packet.buffer, first);
    cfs_buffer_add_text(packet.buffer, second);
    return cfs_sftp_packet_send(&packet);
}

static int submit_extended_handle(struct cfs_sftp_client *client, struct cfs_sftp_request *request,
                                  enum cfs_sftp_extension extension, const char *name, enum cfs_sftp_expected expected,
                                  const struct cfs_sftp_handle *handle)
{
    struct cfs_sftp_packet packet;
    int error = begin_extended(client, request, extension, name, expected, handle->length, &packet);

    if (error)
        return error;
    add_handle(packet.buffer, handle);
    return cfs_sftp_packet_send(&packet);
}

/* --- handles --- */

int cfs_sftp_open(struct cfs_sftp_client *client, struct cfs_sftp_request *request, const char *path, uint32_t flags,
                  const struct cfs_sftp_attributes *attributes)
{
    struct cfs_sftp_packet packet;
    int error = cfs_sftp_packet_begin(client, request, SSH_FXP_OPEN, CFS_SFTP_EXPECT_HANDLE, strlen(path), &packet);

    if (error)
        return error;
    cfs_buffer_add_text(packet.buffer, path);
    cfs_buffer_add_u32(packet.buffer, flags);
    add_attributes(packet.buffer, attributes);
    return cfs_sftp_packet_send(&packet);
}

int cfs_sftp_close(struct cfs_sftp_client *client, struct cfs_sftp_request *request,
                   const struct cfs_sftp_handle *handle)
{
    return submit_handle(client, request, SSH_FXP_CLOSE, CFS_SFTP_EXPECT_STATUS, handle);
}

int cfs_sftp_read(struct cfs_sftp_client *client, struct cfs_sftp_request *request,
                  const struct cfs_sftp_handle *handle, uint64_t offset, uint32_t length)
{
    struct cfs_sftp_packet packet;
    int error;

    if (length == 0)
        return -EINVAL;
    if (length > client->limits.read_size)
        length = client->limits.read_size;
    error = cfs_sftp_packet_begin(client, request, SSH_FXP_READ, CFS_SFTP_EXPECT_DATA, handle->length, &packet);
    if (error)
        return error;
    packet.pending->read_length = length;
    add_handle(packet.buffer, handle);
    cfs_buffer_add_u64(packet.buffer, offset);
    cfs_buffer_add_u32(packet.buffer, length);
    return cfs_sftp_packet_send(&packet);
}

int cfs_sftp_write(struct cfs_sftp_client *client, struct cfs_sftp_request *request,
                   const struct cfs_sftp_handle *handle, uint64_t offset, const void *data, uint32_t length)
{
    struct cfs_sftp_packet packet;
    int error;

    if (length > client->limits.write_size)
        return -EMSGSIZE;
    error = cfs_sftp_packet_begin(client, request, SSH_FXP_WRITE, CFS_SFTP_EXPECT_STATUS,
                                  (size_t)handle->length + length, &packet);
    if (error)
        return error;
    add_handle(packet.buffer, handle);
    cfs_buffer_add_u64(packet.buffer, offset);
    cfs_buffer_add_string(packet.buffer, data, length);
    return cfs_sftp_packet_send(&packet);
}

int cfs_sftp_fstat(struct cfs_sftp_client *client, struct cfs_sftp_request *request,
                   const struct cfs_sftp_handle *handle)
{
    return submit_handle(client, request, SSH_FXP_FSTAT, CFS_SFTP_EXPECT_ATTRIBUTES, handle);
}

int cfs_sftp_fsetstat(struct cfs_sftp_client *client, struct cfs_sftp_request *request,
                      const struct cfs_sftp_handle *handle, const struct cfs_sftp_attributes *attributes)
{
    struct cfs_sftp_packet packet;
    int error =
        cfs_sftp_packet_begin(client, request, SSH_FXP_FSETSTAT, CFS_SFTP_EXPECT_STATUS, handle->length, &packet);

    if (error)
        return error;
    add_handle(packet.buffer, handle);
    add_attributes(packet.buffer, attributes);
    return cfs_sftp_packet_send(&packet);
}

int cfs_sftp_opendir(struct cfs_sftp_client *client, struct cfs_sftp_request *request, const char *path)
{
    return submit_path(client, request, SSH_FXP_OPENDIR, CFS_SFTP_EXPECT_HANDLE, path);
}

int cfs_sftp_readdir(struct cfs_sftp_client *client, struct cfs_sftp_request *request,
                     const struct cfs_sftp_handle *handle)
{
    return submit_handle(client, request, SSH_FXP_READDIR, CFS_SFTP_EXPECT_NAMES, handle);
}

/* --- paths --- */

int cfs_sftp_lstat(struct cfs_sftp_client *client, struct cfs_sftp_request *request, const char *path)
{
    return submit_path(client, request, SSH_FXP_LSTAT, CFS_SFTP_EXPECT_ATTRIBUTES, path);
}

int cfs_sftp_stat(struct cfs_sftp_client *client, struct cfs_sftp_request *request, const char *path)
{
    return submit_path(client, request, SSH_FXP_STAT, CFS_SFTP_EXPECT_ATTRIBUTES, path);
}

int cfs_sftp_setstat(struct cfs_sftp_client *client, struct cfs_sftp_request *request, const char *path,
                     const struct cfs_sftp_attributes *attributes)
{
    return submit_path_with_attributes(client, request, SSH_FXP_SETSTAT, path, attributes);
}

int cfs_sftp_remove(struct cfs_sftp_client *client, struct cfs_sftp_request *request, const char *path)
{
    return submit_path(client, request, SSH_FXP_REMOVE, CFS_SFTP_EXPECT_STATUS, path);
}

int cfs_sftp_mkdir(struct cfs_sftp_client *client, struct cfs_sftp_request *request, const char *path,
                   const struct cfs_sftp_attributes *attributes)
{
    return submit_path_with_attributes(client, request, SSH_FXP_MKDIR, path, attributes);
}

int cfs_sftp_rmdir(struct cfs_sftp_client *client, struct cfs_sftp_request *request, const char *path)
{
    return submit_path(client, request, SSH_FXP_RMDIR, CFS_SFTP_EXPECT_STATUS, path);
}

int cfs_sftp_realpath(struct cfs_sftp_client *client, struct cfs_sftp_request *request, const char *path)
{
    return submit_path(client, request, SSH_FXP_REALPATH, CFS_SFTP_EXPECT_ONE_NAME, path);
}

int cfs_sftp_rename(struct cfs_sftp_client *client, struct cfs_sftp_request *request, const char *from, const char *to)
{
    return submit_two_paths(client, request, SSH_FXP_RENAME, from, to);
}

int cfs_sftp_readlink(struct cfs_sftp_client *client, struct cfs_sftp_request *request, const char *path)
{
    return submit_path(client, request, SSH_FXP_READLINK, CFS_SFTP_EXPECT_ONE_NAME, path);
}

int cfs_sftp_symlink(struct cfs_sftp_client *client, struct cfs_sftp_request *request, const char *target,
                     const char *path)
{
    return submit_two_paths(client, request, SSH_FXP_SYMLINK, target, path);
}

/* --- extensions --- */

int cfs_sftp_lsetstat(struct cfs_sftp_client *client, struct cfs_sftp_request *request, const char *path,
                      const struct cfs_sftp_attributes *attributes)
{
    struct cfs_sftp_packet packet;
    int error = begin_extended(client, request, CFS_SFTP_LSETSTAT, "lsetstat@openssh.com", CFS_SFTP_EXPECT_STATUS,
                               strlen(path), &packet);

    if (error)
        return error;
    cfs_buffer_add_text(packet.buffer, path);
    add_attributes(packet.buffer, attributes);
    return cfs_sftp_packet_send(&packet);
}

int cfs_sftp_posix_rename(struct cfs_sftp_client *client, struct cfs_sftp_request *request, const char *from,
                          const char *to)
{
    return submit_extended_two_paths(client, request, CFS_SFTP_POSIX_RENAME, "posix-rename@openssh.com", from, to);
}

int cfs_sftp_hardlink(struct cfs_sftp_client *client, struct cfs_sftp_request *request, const char *from,
                      const char *to)
{
    return submit_extended_two_paths(client, request, CFS_SFTP_HARDLINK, "hardlink@openssh.com", from, to);
}

int cfs_sftp_fsync(struct cfs_sftp_client *client, struct cfs_sftp_request *request,
                   const struct cfs_sftp_handle *handle)
{
    return submit_extended_handle(client, request, CFS_SFTP_FSYNC, "fsync@openssh.com", CFS_SFTP_EXPECT_STATUS, handle);
}

int cfs_sftp_statvfs(struct cfs_sftp_client *client, struct cfs_sftp_request *request, const char *path)
{
    return submit_extended_path(client, request, CFS_SFTP_STATVFS, "statvfs@openssh.com", CFS_SFTP_EXPECT_STATVFS,
                                path);
}

int cfs_sftp_fstatvfs(struct cfs_sftp_client *client, struct cfs_sftp_request *request,
                      const struct cfs_sftp_handle *handle)
{
    return submit_extended_handle(client, request, CFS_SFTP_FSTATVFS, "fstatvfs@openssh.com", CFS_SFTP_EXPECT_STATVFS,
                                  handle);
}

int cfs_sftp_copy_data(struct cfs_sftp_client *client, struct cfs_sftp_request *request,
                       const struct cfs_sftp_handle *from, uint64_t from_offset, uint64_t length,
                       const struct cfs_sftp_handle *to, uint64_t to_offset)
{
    struct cfs_sftp_packet packet;
    int error = begin_extended(client, request, CFS_SFTP_COPY_DATA, "copy-data", CFS_SFTP_EXPECT_STATUS,
                               (size_t)from->length + to->length, &packet);

    if (error)
        return error;
    add_handle(packet.buffer, from);
    cfs_buffer_add_u64(packet.buffer, from_offset);
    cfs_buffer_add_u64(packet.buffer, length);
    add_handle(packet.buffer, to);
    cfs_buffer_add_u64(packet.buffer, to_offset);
    return cfs_sftp_packet_send(&packet);
}

int cfs_sftp_expand_path(struct cfs_sftp_client *client, struct cfs_sftp_request *request, const char *path)
{
    return submit_extended_path(client, request, CFS_SFTP_EXPAND_PATH, "expand-path@openssh.com",
                                CFS_SFTP_EXPECT_ONE_NAME, path);
}

/* A string that holds numbers. */
static void add_ids(struct cfs_buffer *buffer, const uint32_t *ids, size_t count)
{
    cfs_buffer_add_u32(buffer, (uint32_t)(count * sizeof(*ids)));
    for (size_t i = 0; i < count; i++)
        cfs_buffer_add_u32(buffer, ids[i]);
}

int cfs_sftp_users_groups_by_id(struct cfs_sftp_client *client, struct cfs_sftp_request *request, const uint32_t *uids,
                                size_t uid_count, const uint32_t *gids, size_t gid_count)
{
    struct cfs_sftp_packet packet;
    size_t most = client->limits.packet_size / sizeof(*uids);
    int error;

    if (uid_count > most || gid_count > most)
        return -EMSGSIZE;
    error = begin_extended(client, request, CFS_SFTP_USERS_GROUPS_BY_ID, "users-groups-by-id@openssh.com",
                           CFS_SFTP_EXPECT_EXTENDED, (uid_count + gid_count) * sizeof(*uids), &packet);
    if (error)
        return error;
    add_ids(packet.buffer, uids, uid_count);
    add_ids(packet.buffer, gids, gid_count);
    return cfs_sftp_packet_send(&packet);
}

/* File attributes, to and from the wire. */
#include "sftp/attributes.h"

enum {
    KNOWN_FLAGS =
        SSH_FILEXFER_ATTR_SIZE | SSH_FILEXFER_ATTR_UIDGID | SSH_FILEXFER_ATTR_PERMISSIONS | SSH_FILEXFER_ATTR_ACMODTIME,
};

/* Pairs of strings that mean nothing to us. A lying count ends with the packet: a failed reader stops the loop. */
static void skip_extended(struct cfs_reader *reader)
{
    uint32_t count = cfs_read_u32(reader);

    for (uint32_t i = 0; i < count && !reader->failed; i++) {
        size_t length;

        (void)cfs_read_string(reader, &length);
        (void)cfs_read_string(reader, &length);
    }
}

void cfs_sftp_attributes_read(struct cfs_reader *reader, struct cfs_sftp_attributes *ret_attributes)
{
    struct cfs_sftp_attributes attributes = {0};
    uint32_t flags = cfs_read_u32(reader);

    if (flags & SSH_FILEXFER_ATTR_SIZE)
        attributes.size = cfs_read_u64(reader);
    if (flags & SSH_FILEXFER_ATTR_UIDGID) {
        attributes.uid = cfs_read_u32(reader);
        attributes.gid = cfs_read_u32(reader);
    }
    if (flags & SSH_FILEXFER_ATTR_PERMISSIONS)
        attributes.permissions = cfs_read_u32(reader);
    if (flags & SSH_FILEXFER_ATTR_ACMODTIME) {
        attributes.atime = cfs_read_u32(reader);
        attributes.mtime = cfs_read_u32(reader);
    }
    if (flags & SSH_FILEXFER_ATTR_EXTENDED)
        skip_extended(reader);
    if (reader->failed)
        return;
    attributes.flags = flags & KNOWN_FLAGS;
    *ret_attributes = attributes;
}

void cfs_sftp_attributes_write(struct cfs_buffer *buffer, const struct cfs_sftp_attributes *attributes)
{
    uint32_t flags = attributes->flags & KNOWN_FLAGS;

    cfs_buffer_add_u32(buffer, flags);
    if (flags & SSH_FILEXFER_ATTR_SIZE)
        cfs_buffer_add_u64(buffer, attributes->size);
    if (flags & SSH_FILEXFER_ATTR_UIDGID) {
        cfs_buffer_add_u32(buffer, attributes->uid);
        cfs_buffer_add_u32(buffer, attributes->gid);
    }
    if (flags & SSH_FILEXFER_ATTR_PERMISSIONS)
        cfs_buffer_add_u32(buffer, attributes->permissions);
    if (flags & SSH_FILEXFER_ATTR_ACMODTIME) {
        cfs_buffer_add_u32(buffer, attributes->atime);
        cfs_buffer_add_u32(buffer, attributes->mtime);
    }
}

/* Attributes of the wire and of the contract. */
#include "remote/pool_priv.h"
#include "sftp/protocol.h"

void cfs_attributes_from_wire(const struct cfs_sftp_attributes *wire, struct cfs_remote_attributes *ret_attributes)
{
    struct cfs_remote_attributes attributes = {0};
    if (wire->flags & SSH_FILEXFER_ATTR_SIZE) {
        attributes.valid |= CFS_REMOTE_SIZE;
        attributes.size = wire->size;
    }
    if (wire->flags & SSH_FILEXFER_ATTR_UIDGID) {
        attributes.valid |= CFS_REMOTE_OWNER;
        attributes.uid = wire->uid;
        attributes.gid = wire->gid;
    }
    if (wire->flags & SSH_FILEXFER_ATTR_PERMISSIONS) {
        attributes.valid |= CFS_REMOTE_MODE;
        attributes.mode = wire->permissions;
    }
    if (wire->flags & SSH_FILEXFER_ATTR_ACMODTIME) {
        attributes.valid |= CFS_REMOTE_TIMES;
        attributes.atime = wire->atime;
        attributes.mtime = wire->mtime;
    }
    *ret_attributes = attributes;
}

static uint32_t clamp_time(int64_t seconds)
{
    if (seconds < 0)
        return 0;
    return seconds > UINT32_MAX ? UINT32_MAX : (uint32_t)seconds;
}

void cfs_attributes_to_wire(const struct cfs_remote_attributes *attributes, struct cfs_sftp_attributes *ret_wire)
{
    struct cfs_sftp_attributes wire = {0};
    if (attributes->valid & CFS_REMOTE_SIZE) {
        wire.flags |= SSH_FILEXFER_ATTR_SIZE;
        wire.size = attributes->size;
    }
    if (attributes->valid & CFS_REMOTE_OWNER) {
        wire.flags |= SSH_FILEXFER_ATTR_UIDGID;
        wire.uid = attributes->uid;
        wire.gid = attributes->gid;
    }
    if (attributes->valid & CFS_REMOTE_MODE) {
        wire.flags |= SSH_FILEXFER_ATTR_PERMISSIONS;
        wire.permissions = attributes->mode & 07777;
    }
    if (attributes->valid & CFS_REMOTE_TIMES) {
        wire.flags |= SSH_FILEXFER_ATTR_ACMODTIME;
        wire.atime = clamp_time(attributes->atime);
        wire.mtime = clamp_time(attributes->mtime);
    }
    *ret_wire = wire;
}

/* File attributes on the wire (draft-ietf-secsh-filexfer-02, section 5). No inode, no link count, no ctime; times in
 * whole seconds, 32 bits. */
#ifndef CFS_SFTP_ATTRIBUTES_H
#define CFS_SFTP_ATTRIBUTES_H

#include "base/bytes.h"
#include "sftp/protocol.h"

struct cfs_sftp_attributes {
    uint32_t flags; /* which of the fields below are there */
    uint64_t size;
    uint32_t uid, gid;
    uint32_t permissions; /* with the file type, as in st_mode */
    uint32_t atime, mtime;
};

/* Reads one; extended pairs are skipped; marks the reader as failed on anything malformed. */
void cfs_sftp_attributes_read(struct cfs_reader *reader, struct cfs_sftp_attributes *ret_attributes);
void cfs_sftp_attributes_write(struct cfs_buffer *buffer, const struct cfs_sftp_attributes *attributes);

#endif

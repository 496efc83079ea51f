/* Status codes (draft-ietf-secsh-filexfer-02, section 7): one table for what they mean and what they are called. */
#include "sftp/status.h"
#include "base/cleanup.h"
#include "sftp/protocol.h"
#include <errno.h>

static const struct {
    int error;
    const char *name;
} statuses[] = {
    [SSH_FX_OK] = {0, "OK"},
    [SSH_FX_EOF] = {-ENODATA, "EOF"},
    [SSH_FX_NO_SUCH_FILE] = {-ENOENT, "NO_SUCH_FILE"},
    [SSH_FX_PERMISSION_DENIED] = {-EACCES, "PERMISSION_DENIED"},
    [SSH_FX_FAILURE] = {-EIO, "FAILURE"},
    [SSH_FX_BAD_MESSAGE] = {-EIO, "BAD_MESSAGE"},
    [SSH_FX_NO_CONNECTION] = {-EIO, "NO_CONNECTION"},
    [SSH_FX_CONNECTION_LOST] = {-EIO, "CONNECTION_LOST"},
    [SSH_FX_OP_UNSUPPORTED] = {-EOPNOTSUPP, "OP_UNSUPPORTED"},
};

int cfs_sftp_status_to_errno(uint32_t status)
{
    return status < CFS_COUNT(statuses) ? statuses[status].error : -EIO;
}

const char *cfs_sftp_status_name(uint32_t status)
{
    return status < CFS_COUNT(statuses) ? statuses[status].name : "unknown status";
}

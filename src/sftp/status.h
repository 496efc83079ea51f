/* Status codes to errno: one pure table. */
#ifndef CFS_SFTP_STATUS_H
#define CFS_SFTP_STATUS_H

#include <stdint.h>

/* A status of the server as negative errno: 0 for OK. FAILURE becomes -EIO here: what it really was (EEXIST, ENOTEMPTY,
 * ENOSPC, ...) is found out by probes above (remote/diagnose.h). EOF is -ENODATA. Unknown codes are -EIO. */
int cfs_sftp_status_to_errno(uint32_t status);
const char *cfs_sftp_status_name(uint32_t status);

#endif

/* The authorized_keys of a profile's login, on the device: read, and replaced. */
#ifndef CFS_CLI_DEVICE_KEYS_H
#define CFS_CLI_DEVICE_KEYS_H

#include "base/bytes.h"
#include "base/error.h"
#include "conf/profile.h"
#include <stdbool.h>

struct cfs_device_keys; /* a login; one thread */

/* Logs in, as a mount of the profile would. The request's strings are borrowed during the call. */
CFS_CHECKED int cfs_device_keys_open(const struct cfs_profile_request *request, struct cfs_device_keys **ret_device,
                                     struct cfs_error *error);
void cfs_device_keys_free(struct cfs_device_keys *device); /* NULL is fine */
CFS_DEFINE_CLEANUP(struct cfs_device_keys, cfs_device_keys_free)

/* "alice on 203.0.113.5", for sentences. */
const char *cfs_device_keys_name(const struct cfs_device_keys *device);
/* The fingerprint of the key that this login was made with; "" if it was made otherwise, or is not known. */
const char *cfs_device_keys_login_key(const struct cfs_device_keys *device);

/* Appends what the file holds; nothing if there is none. */
CFS_CHECKED int cfs_device_keys_read(struct cfs_device_keys *device, struct cfs_buffer *text, struct cfs_error *error);

/* What an edit makes of BEFORE is appended to AFTER. May be called several times, each time with a newer BEFORE.
 * -errno with a sentence: nothing is changed. */
typedef int cfs_device_keys_editor(void *context, const struct cfs_buffer *before, struct cfs_buffer *after,
                                   struct cfs_error *error);

/* Edits the file. It is replaced at once, by one of mode 0600 in a folder of mode 0700, which are made if there are
 * none; and not touched if the edit changes nothing. Two edits at the same time wait for each other, and what others
 * have changed meanwhile is edited anew. A symbolic link is declined, and so is a server that cannot replace a file in
 * one step. IS_FORCED: neither waits for others nor declines the latter. */
CFS_CHECKED int cfs_device_keys_edit(struct cfs_device_keys *device, cfs_device_keys_editor *editor, void *context,
                                     bool is_forced, struct cfs_error *error);

#endif

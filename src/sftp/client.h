/* The SFTP engine: version 3, pipelined without limit, over any stream.
 *
 * One client lives on one stream and its loop; every call and every completion is on the loop's thread. A request is
 * submitted and leaves in the same turn of the loop, together with what else was submitted in it; replies are matched
 * by id, in whatever order they come. A completion may submit, cancel, or drop the last reference to what it belongs
 * to, but must not free the client (post a task for that); nor may `ready` and `lost`. Completions and callbacks are
 * never called from inside the call that submits.
 *
 * Nothing that the server sends is trusted: a packet beyond its bounds, an unknown id, a reply of the wrong type, more
 * data than was asked for: each is fatal to the client. A fatal error, like the end of the stream, completes every
 * request in flight with -ECONNRESET (or -EPROTO), then calls `lost` once.
 *
 * Paths are bytes without NUL, as the server sees them. */
#ifndef CFS_SFTP_CLIENT_H
#define CFS_SFTP_CLIENT_H

#include "base/error.h"
#include "base/stream.h"
#include "sftp/attributes.h"
#include "sftp/status.h"
#include <stdbool.h>

struct cfs_sftp_client;

/* What the server offers (the VERSION reply), and its limits. */
enum cfs_sftp_extension {
    CFS_SFTP_POSIX_RENAME = 1 << 0,
    CFS_SFTP_STATVFS = 1 << 1,
    CFS_SFTP_FSTATVFS = 1 << 2,
    CFS_SFTP_HARDLINK = 1 << 3,
    CFS_SFTP_FSYNC = 1 << 4,
    CFS_SFTP_LSETSTAT = 1 << 5,
    CFS_SFTP_LIMITS = 1 << 6,
    CFS_SFTP_EXPAND_PATH = 1 << 7,
    CFS_SFTP_COPY_DATA = 1 << 8,
    CFS_SFTP_HOME_DIRECTORY = 1 << 9,
    CFS_SFTP_USERS_GROUPS_BY_ID = 1 << 10,
};

struct cfs_sftp_limits {
    uint32_t packet_size;  /* of one packet, without its length field; clamped to 4 KiB - 1 MiB */
    uint32_t read_size;    /* bytes in one READ */
    uint32_t write_size;   /* bytes in one WRITE */
    uint64_t open_handles; /* 0: no limit known */
    bool told;             /* false: the server did not say; reads and writes are 32 KiB then */
};

/* A handle, opaque to us (at most 256 bytes by the draft, section 6.3). It belongs to the client that opened it. */
struct cfs_sftp_handle {
    uint32_t length;
    uint8_t bytes[256];
};

/* One name of a NAME reply. The strings lie in the packet: copy what shall stay. `name` is not checked for '/', "." or
 * NUL: that is the caller's (remote floor's) business. */
struct cfs_sftp_name {
    const char *name;
    size_t name_length;
    const char *long_name; /* "ls -l" line: for people only */
    size_t long_name_length;
    struct cfs_sftp_attributes attributes;
};

struct cfs_sftp_statvfs {
    uint64_t bsize, frsize, blocks, bfree, bavail, files, ffree, favail, fsid, flag, namemax;
};

/* Handed to a completion; all of it is the client's and gone when the completion returns. */
struct cfs_sftp_reply {
    int error;        /* 0 or -errno: of the status, or -ECONNRESET, -EPROTO, -ECANCELED, -ENOMEM of our own */
    uint32_t status;  /* SSH_FX_*, when the server sent a STATUS; SSH_FX_OK otherwise */
    bool from_server; /* false: the error is our own (lost connection, ...) */
    const struct cfs_sftp_handle *handle;         /* OPEN, OPENDIR */
    const struct cfs_sftp_attributes *attributes; /* LSTAT, STAT, FSTAT */
    const struct cfs_sftp_name *names;            /* READDIR, REALPATH, READLINK, expand-path, home-directory */
    size_t name_count;                            /* exactly one for all but READDIR, where there may be none */
    const uint8_t
        *data; /* READ: the payload (also copied nowhere else); at least one byte; may be shorter than asked for */
    size_t data_length;
    const struct cfs_sftp_statvfs *statvfs;
    const struct cfs_reader *extended; /* the body of an EXTENDED_REPLY that is not statvfs */
};

/* A request in flight: embedded in what the caller keeps, valid until its completion has been called or it was
 * cancelled. Initialise with {0} and `done`. */
struct cfs_sftp_request {
    void (*done)(struct cfs_sftp_request *request, const struct cfs_sftp_reply *reply);
    void *destination; /* READ: when set, the payload is put here (room for `length` bytes) and reply->data points at it
                        */
    struct cfs_sftp_pending *pending; /* the client's */
};

struct cfs_sftp_callbacks {
    /* INIT, VERSION and limits are through: requests may be submitted. */
    void (*ready)(struct cfs_sftp_client *client, void *context);
    /* The stream ended or the server misbehaved; called once, after every request was completed; REASON is a sentence
     * for the log, gone when the callback returns. Also called when the start failed; then `ready` never comes. */
    void (*lost)(struct cfs_sftp_client *client, int error, const char *reason, void *context);
    void *context;
    /* What the same server has told another client: copied, and not asked for again. NULL: is asked for. */
    const struct cfs_sftp_limits *limits;
    /* The server is known to work off, in order, what stands behind INIT: nothing waits for VERSION. Requests may be
     * submitted before `ready`, but for those that are extensions; a server that turns out to be none of ours ends them
     * with -EPROTO. */
    bool is_eager;
};

/* Starts a client on STREAM, which becomes the client's. INIT is sent at once, limits@openssh.com together with it if
 * the client is eager, else as soon as VERSION has offered it. NULL if memory is short (then the stream stays the
 * caller's). */
struct cfs_sftp_client *cfs_sftp_client_new(struct cfs_stream *stream, const struct cfs_sftp_callbacks *callbacks);
/* Completes what is in flight with -ECANCELED (from_server false), closes the stream, no further callbacks. NULL is
 * fine. */
void cfs_sftp_client_free(struct cfs_sftp_client *client);

bool cfs_sftp_client_is_ready(const struct cfs_sftp_client *client);
uint32_t cfs_sftp_client_extensions(const struct cfs_sftp_client *client);
const struct cfs_sftp_limits *cfs_sftp_client_limits(const struct cfs_sftp_client *client);
/* Requests submitted and not yet answered. */
size_t cfs_sftp_client_in_flight(const struct cfs_sftp_client *client);
/* Bytes waiting to be written to the stream. */
size_t cfs_sftp_client_queued(const struct cfs_sftp_client *client);

struct cfs_sftp_counters {
    uint64_t requests, replies, bytes_sent, bytes_received;
};
/* Counters since the start; may be read from any thread. */
void cfs_sftp_client_counters(const struct cfs_sftp_client *client, struct cfs_sftp_counters *ret_counters);

/* Gives a request up: its completion is not called, its memory is free at once. The reply is discarded when it comes; a
 * handle that comes back then is closed. Does nothing if the request is not in flight. */
void cfs_sftp_cancel(struct cfs_sftp_client *client, struct cfs_sftp_request *request);

/* Requests. Each copies its arguments (WRITE's data too) before it returns. 0, or -errno when nothing was sent and
 * the completion will not be called: -ENOTCONN (lost or not ready), -ENOMEM, -EMSGSIZE (a path or a write beyond the
 * limits), -EOPNOTSUPP (an extension that the server does not offer), -EINVAL (REQUEST is in flight already). REQUEST
 * may be NULL where nobody wants to know. ATTRIBUTES may be NULL for none. */
CFS_CHECKED int cfs_sftp_open(struct cfs_sftp_client *client, struct cfs_sftp_request *request, const char *path,
                              uint32_t flags, const struct cfs_sftp_attributes *attributes);
CFS_CHECKED int cfs_sftp_close(struct cfs_sftp_client *client, struct cfs_sftp_request *request,
                               const struct cfs_sftp_handle *handle);
/* A LENGTH beyond the limits is cut to them; 0 is -EINVAL. -ENODATA with SSH_FX_EOF at or beyond the end of the file.
 */
CFS_CHECKED int cfs_sftp_read(struct cfs_sftp_client *client, struct cfs_sftp_request *request,
                              const struct cfs_sftp_handle *handle, uint64_t offset, uint32_t length);
CFS_CHECKED int cfs_sftp_write(struct cfs_sftp_client *client, struct cfs_sftp_request *request,
                               const struct cfs_sftp_handle *handle, uint64_t offset, const void *data,
                               uint32_t length);
CFS_CHECKED int cfs_sftp_lstat(struct cfs_sftp_client *client, struct cfs_sftp_request *request, const char *path);
CFS_CHECKED int cfs_sftp_stat(struct cfs_sftp_client *client, struct cfs_sftp_request *request, const char *path);
CFS_CHECKED int cfs_sftp_fstat(struct cfs_sftp_client *client, struct cfs_sftp_request *request,
                               const struct cfs_sftp_handle *handle);
CFS_CHECKED int cfs_sftp_setstat(struct cfs_sftp_client *client, struct cfs_sftp_request *request, const char *path,
                                 const struct cfs_sftp_attributes *attributes);
CFS_CHECKED int cfs_sftp_fsetstat(struct cfs_sftp_client *client, struct cfs_sftp_request *request,
                                  const struct cfs_sftp_handle *handle, const struct cfs_sftp_attributes *attributes);
/* lsetstat@openssh.com */
CFS_CHECKED int cfs_sftp_lsetstat(struct cfs_sftp_client *client, struct cfs_sftp_request *request, const char *path,
                                  const struct cfs_sftp_attributes *attributes);
CFS_CHECKED int cfs_sftp_opendir(struct cfs_sftp_client *client, struct cfs_sftp_request *request, const char *path);
/* -ENODATA with SSH_FX_EOF at the end. */
CFS_CHECKED int cfs_sftp_readdir(struct cfs_sftp_client *client, struct cfs_sftp_request *request,
                                 const struct cfs_sftp_handle *handle);
CFS_CHECKED int cfs_sftp_remove(struct cfs_sftp_client *client, struct cfs_sftp_request *request, const char *path);
CFS_CHECKED int cfs_sftp_mkdir(struct cfs_sftp_client *client, struct cfs_sftp_request *request, const char *path,
                               const struct cfs_sftp_attributes *attributes);
CFS_CHECKED int cfs_sftp_rmdir(struct cfs_sftp_client *client, struct cfs_sftp_request *request, const char *path);
CFS_CHECKED int cfs_sftp_realpath(struct cfs_sftp_client *client, struct cfs_sftp_request *request, const char *path);
/* The draft's RENAME: refuses an existing target (in OpenSSH, by link(2) and unlink(2)). */
CFS_CHECKED int cfs_sftp_rename(struct cfs_sftp_client *client, struct cfs_sftp_request *request, const char *from,
                                const char *to);
/* posix-rename@openssh.com: rename(2). */
CFS_CHECKED int cfs_sftp_posix_rename(struct cfs_sftp_client *client, struct cfs_sftp_request *request,
                                      const char *from, const char *to);
CFS_CHECKED int cfs_sftp_readlink(struct cfs_sftp_client *client, struct cfs_sftp_request *request, const char *path);
/* Sent in OpenSSH's order (target, then the link's path). */
CFS_CHECKED int cfs_sftp_symlink(struct cfs_sftp_client *client, struct cfs_sftp_request *request, const char *target,
                                 const char *path);
/* hardlink@openssh.com */
CFS_CHECKED int cfs_sftp_hardlink(struct cfs_sftp_client *client, struct cfs_sftp_request *request, const char *from,
                                  const char *to);
/* fsync@openssh.com */
CFS_CHECKED int cfs_sftp_fsync(struct cfs_sftp_client *client, struct cfs_sftp_request *request,
                               const struct cfs_sftp_handle *handle);
/* statvfs@openssh.com, fstatvfs@openssh.com */
CFS_CHECKED int cfs_sftp_statvfs(struct cfs_sftp_client *client, struct cfs_sftp_request *request, const char *path);
CFS_CHECKED int cfs_sftp_fstatvfs(struct cfs_sftp_client *client, struct cfs_sftp_request *request,
                                  const struct cfs_sftp_handle *handle);
/* copy-data: LENGTH 0 copies to the end of the file. */
CFS_CHECKED int cfs_sftp_copy_data(struct cfs_sftp_client *client, struct cfs_sftp_request *request,
                                   const struct cfs_sftp_handle *from, uint64_t from_offset, uint64_t length,
                                   const struct cfs_sftp_handle *to, uint64_t to_offset);
/* expand-path@openssh.com: "~", "~user/x". */
CFS_CHECKED int cfs_sftp_expand_path(struct cfs_sftp_client *client, struct cfs_sftp_request *request,
                                     const char *path);
/* users-groups-by-id@openssh.com: reply->extended holds two strings, the names' list of the users and of the groups. */
CFS_CHECKED int cfs_sftp_users_groups_by_id(struct cfs_sftp_client *client, struct cfs_sftp_request *request,
                                            const uint32_t *uids, size_t uid_count, const uint32_t *gids,
                                            size_t gid_count);

#endif

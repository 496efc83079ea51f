/* The pool: cfs_remote over lanes, each one SFTP channel. Lane 0 carries metadata, the others data; a handle belongs to
 * its lane. Large files are moved by further handles on lanes of further sessions (stripes.c, sessions.c). */
#ifndef CFS_REMOTE_POOL_H
#define CFS_REMOTE_POOL_H

#include "base/error.h"
#include "remote/remote.h"
#include "remote/transport.h"

struct cfs_pool_options {
    unsigned lanes;                /* wanted, >= 1; the server may allow fewer (learned, logged) */
    unsigned sessions;             /* at most, for bulk data; 0: as many as make sense (4, over distance) */
    size_t bulk_piece;             /* a read or write of so many bytes is bulk data; 0: 64 KiB. (For tests: 1) */
    uint32_t idle_ms;              /* a further session without bulk data is closed after so long; 0: 5 minutes */
    uint32_t op_timeout_ms;        /* one call */
    const char *remote_dir;        /* as in the profile: "", "~/x", "/abs", "rel" (to the login folder) */
    bool reconnects;               /* a lost connection is made again: see enum cfs_pool_state */
    uint32_t reconnect_timeout_ms; /* for so long calls wait for it; 0: without end */
    uint32_t heartbeat_ms;         /* of silence, before the server is asked for a sign of life; 0: never */
    const char *login_hint;        /* what to do where the server refuses the login: a sentence for the log; NULL */
    /* Called once when the connection is lost for good, on a thread of the pool's. (With `reconnects`: never.) */
    void (*lost)(const char *reason, void *context);
    void *context;
};

/* Opens the lanes on TRANSPORT (which becomes the pool's, also on failure), finds the work folder and checks that it is
 * a folder. Blocking, before the mount exists. Usable when the metadata lane is up; further lanes come in the
 * background. On failure -errno and a sentence. */
CFS_CHECKED int cfs_pool_open(struct cfs_transport *transport, const struct cfs_pool_options *options,
                              struct cfs_remote **ret_remote, struct cfs_error *error);

/* Completes what is in flight with -ENOTCONN, closes all. Files and listings must have been closed. Not on a thread of
 * the pool's. */
void cfs_pool_free(struct cfs_remote *remote);

/* Gives the connection up, for good: what is in flight, and all that comes, ends with -ENOTCONN, without a word of the
 * server's. REASON (static) is logged. Any thread; does not wait. */
void cfs_pool_give_up(struct cfs_remote *remote, const char *reason);
/* Asks the server for its free space, without waiting for the answer, so that statfs has one when the connection is
 * lost. Any thread. */
void cfs_pool_learn_space(struct cfs_remote *remote);

/* Of the connection. Calls wait while it is RECONNECTING (statfs gives what it gave last); as NEEDS_LOGIN, too. After
 * reconnect_timeout the pool is OFFLINE: calls end with -ENOTCONN at once. In all states but CLOSED and REFUSED it goes
 * on trying; NEEDS_LOGIN only when it is told to. */
enum cfs_pool_state {
    CFS_POOL_CONNECTED,
    CFS_POOL_RECONNECTING,
    CFS_POOL_NEEDS_LOGIN, /* the server has refused our login: that is never repeated by itself */
    CFS_POOL_REFUSED,     /* it shows another host key */
    CFS_POOL_OFFLINE,
    CFS_POOL_CLOSED, /* lost for good: nothing reconnects, or it was given up */
};
/* In a word or two. */
const char *cfs_pool_state_name(enum cfs_pool_state state);

/* Makes the connection now if it is lost, also where the login was refused; PROMPTER (NULL: nobody) is asked for what
 * that needs, on another thread, during the call. Blocks until the connection is there, or the attempt has failed: 0
 * (also if nothing was lost), or -errno and a sentence. -EBUSY: somebody else does so. Not on a thread of the pool's;
 * must have returned before cfs_pool_free. */
CFS_CHECKED int cfs_pool_login(struct cfs_remote *remote, struct cfs_prompter *prompter, struct cfs_error *error);
/* Such a call is to end soon. Any thread. */
void cfs_pool_login_cancel(struct cfs_remote *remote);

/* For status and check. Any thread. */
struct cfs_pool_status {
    bool connected;
    enum cfs_pool_state state;
    int64_t state_ms;    /* for how long */
    unsigned attempts;   /* to connect again, since the connection was lost */
    unsigned reconnects; /* how often it was made again */
    unsigned sessions, lanes;
    size_t in_flight;
    int64_t oldest_ms;     /* age of the oldest call in flight, 0 if none */
    int64_t round_trip_ms; /* smoothed; -1 unknown */
    uint64_t requests, bytes_sent, bytes_received;
    uint64_t heartbeats; /* questions for a sign of life, which do not count as requests */
    uint64_t open_files;
    uint32_t extensions; /* enum cfs_sftp_extension */
    char last_error[1024];
    struct cfs_ssh_facts ssh;
};
void cfs_pool_status(struct cfs_remote *remote, struct cfs_pool_status *ret_status);

/* The name of one extension of `extensions` ("statvfs@openssh.com"); NULL for a bit that is none. */
const char *cfs_pool_extension_name(uint32_t bit);

#endif

/* A libssh2 session over a socket, with rings of our own behind its SEND and RECV callbacks.
 *
 * libssh2 cannot stop in the middle of a packet: whoever sends next after a partial send is refused, or wedges the
 * session (libssh2 #2110). So SEND takes every packet whole into a ring that grows, and RECV serves from a ring alone
 * and never touches the socket: what libssh2 sees changes only when cfs_ssh_transport_receive was called.
 *
 * One thread at a time. */
#ifndef CFS_SSH_TRANSPORT_H
#define CFS_SSH_TRANSPORT_H

#include "base/cleanup.h"
#include "ssh/line.h"
#include "ssh/ring.h"
#include <libssh2.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum {
    CFS_SSH_OUTPUT_ENOUGH = 1024 * 1024, /* who produces data stops above this */
    CFS_SSH_GREETING = 4096,             /* enough for the first packet of most servers (kexinit.h) */
};

struct cfs_ssh_transport {
    LIBSSH2_SESSION *session;
    int fd;
    struct cfs_ssh_line *line; /* NULL: the descriptor is a TCP connection to the server itself */
    struct cfs_ssh_ring input, output;
    bool silenced;                   /* see cfs_ssh_transport_silence */
    char greeting[CFS_SSH_GREETING]; /* how the other end began: raw bytes, NUL-terminated */
    size_t greeting_length;
    bool is_led;                    /* somebody between acknowledges our bytes: a hop, a proxy */
    uint64_t received;              /* bytes, ever */
    int64_t unanswered_since_ms;    /* if it is led: when the first bytes were sent since any were received; 0: none */
    unsigned disconnect_code;       /* RFC 4253, 11.1; 0: the server has not disconnected */
    char disconnect_text[256];      /* printable */
    size_t allocated, memory_limit; /* of libssh2's heap: a server must not fill our memory */
    bool keys_sent;                 /* our NEWKEYS (RFC 4253, 7.3): what follows is under the new keys */
    bool service_asked;             /* a packet was sent under them: the request for the service to log in */
    bool handshake_unfinished;      /* libssh2_session_handshake waits for the answer to that request */
    void *auth_context;             /* for authentication's keyboard-interactive callback; NULL otherwise */
};

/* FD and LINE, which may be NULL, become the transport's, also on failure. The libssh2 session is made non-blocking,
 * and its abstract pointer is the transport: nobody else may set it (libssh2_session_abstract). -ENOMEM. */
CFS_CHECKED int cfs_ssh_transport_open(int fd, struct cfs_ssh_line *line, struct cfs_ssh_transport **ret_transport);
/* Says goodbye (never blocking) unless silenced, frees libssh2's session with its channels, closes the descriptor. NULL
 * is fine. */
void cfs_ssh_transport_close(struct cfs_ssh_transport *transport);
CFS_DEFINE_CLEANUP(struct cfs_ssh_transport, cfs_ssh_transport_close)

/* The transport of a libssh2 session, for callbacks that are given the session alone. */
struct cfs_ssh_transport *cfs_ssh_transport_of(LIBSSH2_SESSION *session);

/* One read from the socket into the ring, as cfs_ssh_ring_receive. */
CFS_CHECKED ssize_t cfs_ssh_transport_receive(struct cfs_ssh_transport *transport);
/* Sends what waits: 0 when all is gone, -EAGAIN, or -errno. */
CFS_CHECKED int cfs_ssh_transport_flush(struct cfs_ssh_transport *transport);

/* The connection is lost: from now on RECV fails and SEND swallows, so that libssh2 can be freed without waiting for
 * anybody. */
void cfs_ssh_transport_silence(struct cfs_ssh_transport *transport);
/* The same, and what was sent and has not arrived never will (as far as this machine can see to that): to close the
 * descriptor resets the connection (RFC 9293, 3.10.5, ABORT) instead of sending the rest of it for minutes. */
void cfs_ssh_transport_abort(struct cfs_ssh_transport *transport);

/* Bytes wait in the output ring, or were sent and not acknowledged (through a hop: by the first host on the way). */
bool cfs_ssh_transport_holds_bytes(const struct cfs_ssh_transport *transport);
/* As cfs_ssh_session_is_cut. */
bool cfs_ssh_transport_is_cut(const struct cfs_ssh_transport *transport, int64_t ms);

/* Memory that libssh2 will free, for its callbacks; NULL if memory is short. */
void *cfs_ssh_transport_allocate(struct cfs_ssh_transport *transport, size_t size);

/* Lets libssh2 hold BYTES more (or less, negative). */
void cfs_ssh_transport_allow_memory(struct cfs_ssh_transport *transport, ssize_t bytes);

/* One sentence for libssh2's last error: its message, and what the server said when it disconnected. Printable. */
void cfs_ssh_transport_explain(struct cfs_ssh_transport *transport, char *buffer, size_t size);

#endif

/* What the files of the engine share and nobody else may see. All of it is on the loop's thread.
 *
 * client.c      life of a client, losing it, cancelling, the turn of work
 * pending.c     the requests in flight, by id
 * send.c        building packets, the output queue
 * receive.c     frames out of the stream
 * replies.c     a frame becomes the reply of its request
 * extensions.c  VERSION and limits@openssh.com
 * requests.c    one function a request
 *
 * Completions run from the receive turn, from losing the client and from freeing it; never from inside a submit. Hence
 * nothing here that calls a completion is called again from within one. */
#ifndef CFS_SFTP_CLIENT_PRIV_H
#define CFS_SFTP_CLIENT_PRIV_H

#include "sftp/client.h"
#include <stdatomic.h>

enum {
    /* What OpenSSH sends at most, with some slack: its SFTP_MAX_MSG_LENGTH. */
    CFS_SFTP_RECEIVE_BOUND = 256 * 1024 + 1024,
    /* A server that announces more than this is not believed. */
    CFS_SFTP_PACKET_MAX = 1024 * 1024,
    /* The draft, section 3: what every server should take. */
    CFS_SFTP_PACKET_DEFAULT = 34000,
    CFS_SFTP_TRANSFER_DEFAULT = 32768,
    /* Between the size of a packet and the most data in it: type, id, handle, offset, lengths. */
    CFS_SFTP_PACKET_OVERHEAD = 1024,
};

/* The one type of reply, beside STATUS, that a request may get. */
enum cfs_sftp_expected {
    CFS_SFTP_EXPECT_STATUS,
    CFS_SFTP_EXPECT_HANDLE,
    CFS_SFTP_EXPECT_DATA,
    CFS_SFTP_EXPECT_NAMES,
    CFS_SFTP_EXPECT_ONE_NAME,
    CFS_SFTP_EXPECT_ATTRIBUTES,
    CFS_SFTP_EXPECT_STATVFS,
    CFS_SFTP_EXPECT_EXTENDED,
    CFS_SFTP_EXPECT_LIMITS, /* the engine's own question; its answer goes to extensions.c */
};

/* A request in flight. It stays until the server has answered, whether or not anybody waits for it any more. */
struct cfs_sftp_pending {
    struct cfs_sftp_request *request; /* NULL: cancelled, or nobody has asked to be told */
    struct cfs_sftp_pending *next;    /* in its bucket, or among the free ones */
    struct cfs_list link;             /* in the order of submission */
    uint32_t id;
    uint32_t read_length; /* READ: the most that may come back */
    enum cfs_sftp_expected expected;
};

/* Ids count up, so that the low bits alone make a fine hash. Embedded; in `order` they stand as they were submitted. */
struct cfs_sftp_pending_table {
    struct cfs_sftp_pending **buckets;
    size_t bucket_count; /* a power of two */
    size_t count;
    struct cfs_list order;
    struct cfs_sftp_pending *spare;
    size_t spare_count;
    uint32_t next_id;
};

CFS_CHECKED int cfs_sftp_pending_init(struct cfs_sftp_pending_table *table);
/* The table must be empty. */
void cfs_sftp_pending_fini(struct cfs_sftp_pending_table *table);
/* A new entry with an id of its own; NULL if memory is short. */
struct cfs_sftp_pending *cfs_sftp_pending_add(struct cfs_sftp_pending_table *table);
struct cfs_sftp_pending *cfs_sftp_pending_find(const struct cfs_sftp_pending_table *table, uint32_t id);
/* Takes the entry out and keeps its memory for the next one. */
void cfs_sftp_pending_remove(struct cfs_sftp_pending_table *table, struct cfs_sftp_pending *pending);

enum cfs_sftp_state {
    CFS_SFTP_WAITS_FOR_VERSION,
    CFS_SFTP_WAITS_FOR_LIMITS,
    CFS_SFTP_READY,
    CFS_SFTP_LOST,
    CFS_SFTP_FREED, /* the memory is given back when the posted task has run */
};

/* Bytes out of the stream; see receive.c. */
struct cfs_sftp_input {
    uint8_t *bytes;
    size_t capacity;
    size_t start, end; /* what has been read and not yet been parsed */
    /* A DATA packet whose payload is read straight to its destination. NULL: between packets. */
    struct cfs_sftp_pending *payload;
    size_t payload_length, payload_got;
};

struct cfs_sftp_client {
    struct cfs_stream *stream;
    struct cfs_sftp_callbacks callbacks;
    enum cfs_sftp_state state;
    uint32_t extensions;
    struct cfs_sftp_limits limits;
    struct cfs_sftp_pending_table pending;

    struct cfs_task work; /* one turn: receive and flush */
    bool work_posted;
    bool in_turn;     /* a flush follows: no need to post one */
    bool may_receive; /* the stream has not said -EAGAIN since it was last ready */

    struct cfs_list output; /* of chunks, see send.c */
    size_t output_bytes;
    bool output_blocked; /* the stream took no more; it will say when it does */

    struct cfs_sftp_input input;
    struct cfs_sftp_name *names; /* of the NAME reply at hand */
    size_t name_capacity;

    char reason[512]; /* why the client was lost */
    atomic_uint_least64_t requests, replies, bytes_sent, bytes_received;
};

/* --- client.c --- */

/* Notes what the server did wrong, for the log, and returns -EPROTO for the caller to hand up to where the client is
 * lost. */
int cfs_sftp_protocol_error(struct cfs_sftp_client *client, const char *format, ...) CFS_PRINTF(2, 3);
/* A turn of work soon, on this loop; nothing when one is under way or has been posted. */
void cfs_sftp_post_work(struct cfs_sftp_client *client);
/* Takes the request out of the table, then calls its completion. */
void cfs_sftp_complete(struct cfs_sftp_client *client, struct cfs_sftp_pending *pending,
                       const struct cfs_sftp_reply *reply);
/* The start is through: requests may come. */
void cfs_sftp_become_ready(struct cfs_sftp_client *client);

/* --- send.c --- */

/* A packet being built, in place, at the end of the output queue. */
struct cfs_sftp_packet {
    struct cfs_sftp_client *client;
    struct cfs_buffer *buffer;
    size_t start;
    struct cfs_sftp_pending *pending;
};

/* Begins the packet of a request: its length, type and id. SIZE is an upper bound of the bytes of all strings in it.
 * REQUEST may be NULL. -ENOTCONN, -EMSGSIZE, -EINVAL (already in flight), -ENOMEM. After success, the packet's fields
 * are added to `buffer`, and cfs_sftp_packet_send must follow. */
CFS_CHECKED int cfs_sftp_packet_begin(struct cfs_sftp_client *client, struct cfs_sftp_request *request, uint8_t type,
                                      enum cfs_sftp_expected expected, size_t size, struct cfs_sftp_packet *ret_packet);
/* Queues it. -ENOMEM: then nothing was queued, and the request is not in flight. */
CFS_CHECKED int cfs_sftp_packet_send(struct cfs_sftp_packet *packet);
/* INIT, the only packet without an id. */
CFS_CHECKED int cfs_sftp_send_init(struct cfs_sftp_client *client);
/* Writes what the stream takes. 0, or the stream's -errno: then the client is to be lost. */
CFS_CHECKED int cfs_sftp_flush(struct cfs_sftp_client *client);
void cfs_sftp_output_fini(struct cfs_sftp_client *client);

/* --- receive.c --- */

CFS_CHECKED int cfs_sftp_input_init(struct cfs_sftp_input *input);
void cfs_sftp_input_fini(struct cfs_sftp_input *input);
/* One read from the stream, and every packet that it completes. 1: there may be more; 0: nothing more for now; -errno:
 * the client is to be lost. */
CFS_CHECKED int cfs_sftp_receive(struct cfs_sftp_client *client);

/* --- replies.c --- */

/* One whole packet, without its length. 0 or -errno: then the client is to be lost. */
CFS_CHECKED int cfs_sftp_handle_packet(struct cfs_sftp_client *client, const uint8_t *bytes, size_t length);
/* A READ's answer of LENGTH bytes at DATA. */
void cfs_sftp_complete_read(struct cfs_sftp_client *client, struct cfs_sftp_pending *pending, const uint8_t *data,
                            size_t length);

/* --- extensions.c --- */

CFS_CHECKED int cfs_sftp_handle_version(struct cfs_sftp_client *client, struct cfs_reader *body);
/* Asks for limits@openssh.com. */
CFS_CHECKED int cfs_sftp_ask_limits(struct cfs_sftp_client *client);
/* The answer to our question for limits: BODY is NULL when the server had none. */
CFS_CHECKED int cfs_sftp_handle_limits(struct cfs_sftp_client *client, struct cfs_reader *body);
void cfs_sftp_limits_default(struct cfs_sftp_limits *limits);

#endif

/* A scripted SFTP server: a test reads the requests of a client one by one and sends the replies that it likes, right
 * or wrong. Over a memory_stream, on the test's own thread. A failed expectation fails the test (cmocka). */
#ifndef CFS_TESTS_SFTP_PEER_H
#define CFS_TESTS_SFTP_PEER_H

#include "lib/memory_stream.h"
#include "sftp/client.h"

struct sftp_peer {
    struct cfs_loop *loop;
    struct memory_stream memory;
    struct cfs_sftp_client *client;
    size_t requests_read; /* bytes of memory.outgoing */
    bool ready;
    unsigned lost;
    int lost_error;
    char lost_reason[512];
};

/* A request as it came: `fields` stands behind the id. Valid until the next call. */
struct peer_request {
    uint8_t type;
    uint32_t id;
    struct cfs_reader fields;
};

/* A client that has sent INIT, and nothing has been answered yet. */
void peer_start(struct sftp_peer *peer);
/* The same, of an eager client. */
void peer_start_eager(struct sftp_peer *peer);
/* As peer_start, and VERSION with every extension of OpenSSH and its limits answered: the client is ready. */
void peer_start_ready(struct sftp_peer *peer);
/* Frees the client if the test has not. */
void peer_stop(struct sftp_peer *peer);

/* Runs what is posted on the loop, the flush of the requests for instance. */
void peer_turn(struct sftp_peer *peer);
/* The next request, which must be there and of this type. */
struct peer_request peer_expect(struct sftp_peer *peer, uint8_t type);
/* No request waits. */
void peer_expect_nothing(struct sftp_peer *peer);
/* The next request must be an EXTENDED of this name; `fields` stands behind the name. */
struct peer_request peer_expect_extended(struct sftp_peer *peer, const char *name);

/* Packets. Begin, add fields to the buffer, and end; then send one or more of them with memory_stream_feed. */
size_t peer_begin(struct cfs_buffer *buffer, uint8_t type);
void peer_end(struct cfs_buffer *buffer, size_t begun);
void peer_put_status(struct cfs_buffer *buffer, uint32_t id, uint32_t status);
void peer_put_handle(struct cfs_buffer *buffer, uint32_t id, const char *handle);
void peer_put_data(struct cfs_buffer *buffer, uint32_t id, const void *data, size_t length);
void peer_put_version(struct cfs_buffer *buffer, uint32_t version, const char *const *extensions);
void peer_put_limits(struct cfs_buffer *buffer, uint32_t id, uint64_t packet, uint64_t most_read, uint64_t most_written,
                     uint64_t handles);

/* Sends what is in the buffer, and empties it. */
void peer_send(struct sftp_peer *peer, struct cfs_buffer *buffer);
void peer_reply_status(struct sftp_peer *peer, uint32_t id, uint32_t status);
void peer_reply_handle(struct sftp_peer *peer, uint32_t id, const char *handle);
void peer_reply_data(struct sftp_peer *peer, uint32_t id, const void *data, size_t length);

/* Names and versions in turn, NULL at the end: what OpenSSH 9 offers. */
extern const char *const peer_openssh_extensions[];

/* A request that keeps what its completion was told. */
struct peer_answer {
    struct cfs_sftp_request request;
    unsigned done; /* how often the completion was called */
    int error;
    uint32_t status;
    bool from_server;
    struct cfs_sftp_handle handle;
    struct cfs_sftp_attributes attributes;
    size_t name_count;
    char first_name[64];
    struct cfs_sftp_attributes first_attributes;
    uint8_t data[64]; /* the beginning of it */
    const void *data_at;
    size_t data_length;
    struct cfs_sftp_statvfs statvfs;
    uint8_t extended[64]; /* the first string of an EXTENDED_REPLY */
    size_t extended_length;
};
/* {0} with the completion set. */
struct peer_answer peer_answer(void);

#endif

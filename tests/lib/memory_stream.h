/* A stream in memory: a test plays the other end, and says how the bytes are cut. Nothing waits, so that every order of
 * events can be made to happen. The test owns the memory; closing the stream only marks it. */
#ifndef CFS_TESTS_MEMORY_STREAM_H
#define CFS_TESTS_MEMORY_STREAM_H

#include "base/bytes.h"
#include "base/stream.h"

struct memory_stream {
    struct cfs_stream stream;
    struct cfs_buffer incoming; /* what the user of the stream will read */
    size_t incoming_read;
    struct cfs_buffer outgoing; /* what the user of the stream has written */
    size_t most_read;           /* of one read call; SIZE_MAX at first */
    size_t most_written;        /* of one write call; SIZE_MAX at first */
    size_t room;                /* then writes are -EAGAIN; SIZE_MAX at first */
    bool ended;                 /* after what is there, the stream ends */
    int error;                  /* or fails with this */
    int write_error;            /* writes fail with this */
    const char *reason;
    bool closed;
    unsigned reads, writes; /* calls so far */
};

void memory_stream_init(struct memory_stream *memory, struct cfs_loop *loop);
void memory_stream_fini(struct memory_stream *memory);
/* Adds what is to be read, and calls `ready`. */
void memory_stream_feed(struct memory_stream *memory, const void *bytes, size_t length);
/* Calls `ready`: after a change of the fields above. */
void memory_stream_poke(struct memory_stream *memory);

#endif

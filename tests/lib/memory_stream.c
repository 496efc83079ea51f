/* A stream in memory, cut as the test wants it. */
#include "lib/memory_stream.h"
#include <errno.h>
#include <string.h>

static struct memory_stream *memory_of(struct cfs_stream *stream)
{
    return cfs_container_of(stream, struct memory_stream, stream);
}

static size_t least(size_t a, size_t b)
{
    return a < b ? a : b;
}

static ssize_t read_memory(struct cfs_stream *stream, void *buffer, size_t length)
{
    struct memory_stream *memory = memory_of(stream);
    size_t count = least(least(length, memory->most_read), memory->incoming.length - memory->incoming_read);

    memory->reads++;
    if (count > 0) {
        memcpy(buffer, memory->incoming.bytes + memory->incoming_read, count);
        memory->incoming_read += count;
        return (ssize_t)count;
    }
    if (memory->error)
        return memory->error;
    return memory->ended ? 0 : -EAGAIN;
}

static ssize_t write_memory(struct cfs_stream *stream, const struct iovec *vector, int count)
{
    struct memory_stream *memory = memory_of(stream);
    size_t left = least(memory->most_written, memory->room);
    size_t taken = 0;

    memory->writes++;
    if (memory->write_error)
        return memory->write_error;
    if (left == 0)
        return -EAGAIN;
    for (int i = 0; i < count && left > 0; i++) {
        size_t part = least(vector[i].iov_len, left);

        cfs_buffer_add(&memory->outgoing, vector[i].iov_base, part);
        taken += part;
        left -= part;
    }
    if (memory->room != SIZE_MAX)
        memory->room -= taken;
    return (ssize_t)taken;
}

static const char *reason_of(const struct cfs_stream *stream)
{
    const struct memory_stream *memory = (const void *)((const char *)stream - offsetof(struct memory_stream, stream));

    return memory->reason;
}

static void close_memory(struct cfs_stream *stream)
{
    memory_of(stream)->closed = true;
}

static const struct cfs_stream_operations operations = {
    .read = read_memory,
    .write = write_memory,
    .reason = reason_of,
    .close = close_memory,
};

void memory_stream_init(struct memory_stream *memory, struct cfs_loop *loop)
{
    *memory = (struct memory_stream){
        .stream = {.operations = &operations, .loop = loop},
        .most_read = SIZE_MAX,
        .most_written = SIZE_MAX,
        .room = SIZE_MAX,
    };
    cfs_buffer_init(&memory->incoming);
    cfs_buffer_init(&memory->outgoing);
}

void memory_stream_fini(struct memory_stream *memory)
{
    cfs_buffer_fini(&memory->incoming);
    cfs_buffer_fini(&memory->outgoing);
}

void memory_stream_poke(struct memory_stream *memory)
{
    if (!memory->closed && memory->stream.ready)
        memory->stream.ready(&memory->stream, memory->stream.context);
}

void memory_stream_feed(struct memory_stream *memory, const void *bytes, size_t length)
{
    if (memory->incoming_read == memory->incoming.length) {
        cfs_buffer_clear(&memory->incoming);
        memory->incoming_read = 0;
    }
    cfs_buffer_add(&memory->incoming, bytes, length);
    memory_stream_poke(memory);
}

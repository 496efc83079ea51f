/* A stream: anything that moves bytes both ways without blocking - a channel of an SSH session, a child process's
 * pipes, a socket. The SFTP engine knows no other.
 *
 * A stream lives on the loop of its owner; every call and every callback is on that loop's thread. Reading and
 * writing are by readiness: read until -EAGAIN, write until -EAGAIN, then wait for `ready`. `ready` may come
 * spuriously; it comes at least once after each -EAGAIN when there is something to read, or room to write, again,
 * and once when the stream ends or fails. It is never called from inside a call on the same stream. */
#ifndef CFS_BASE_STREAM_H
#define CFS_BASE_STREAM_H

#include "base/cleanup.h"
#include "base/loop.h"
#include <stddef.h>
#include <sys/types.h>
#include <sys/uio.h>

struct cfs_stream;

struct cfs_stream_operations {
    /* Bytes read (> 0), 0 at the end of the stream, -EAGAIN, or another -errno when the stream has failed (and again at
     * each later call). */
    ssize_t (*read)(struct cfs_stream *stream, void *buffer, size_t length);
    /* Takes bytes from the vector, in order: how many were taken (> 0), -EAGAIN or another -errno (and again at each
     * later call). What was taken will be sent without further calls. After a failed write, read on: the other end may
     * have said why it left. */
    ssize_t (*write)(struct cfs_stream *stream, const struct iovec *vector, int count);
    /* One sentence why the stream ended or failed (a child's stderr, the session's error); NULL if nothing is known.
     * Owned by the stream. */
    const char *(*reason)(const struct cfs_stream *stream);
    /* Ends and frees the stream; no callback afterwards. */
    void (*close)(struct cfs_stream *stream);
};

/* The head of every stream: implementations embed it. */
struct cfs_stream {
    const struct cfs_stream_operations *operations;
    struct cfs_loop *loop;
    void (*ready)(struct cfs_stream *stream, void *context); /* set by the user; may be NULL */
    void *context;
};

static inline ssize_t cfs_stream_read(struct cfs_stream *stream, void *buffer, size_t length)
{
    return stream->operations->read(stream, buffer, length);
}

static inline ssize_t cfs_stream_write(struct cfs_stream *stream, const struct iovec *vector, int count)
{
    return stream->operations->write(stream, vector, count);
}

static inline const char *cfs_stream_reason(const struct cfs_stream *stream)
{
    return stream->operations->reason ? stream->operations->reason(stream) : NULL;
}

static inline void cfs_stream_close(struct cfs_stream *stream)
{
    if (stream)
        stream->operations->close(stream);
}
CFS_DEFINE_CLEANUP(struct cfs_stream, cfs_stream_close)

/* A stream over a socket (or one end of a socketpair); FD is made non-blocking and becomes the stream's. LOOP must
 * outlive the stream. NULL when memory or epoll fails: then FD is still the caller's. */
struct cfs_stream *cfs_stream_new_fd(struct cfs_loop *loop, int fd);

/* A stream over a child process: ARGV is executed (no shell) with a socketpair as its stdin and stdout; its stderr is
 * kept (the last lines, control characters replaced) for `reason` and logged at debug level. Closing the stream closes
 * the socket, and ends the child with SIGTERM, then SIGKILL, if it does not leave by itself within a second or so
 * (never blocking the loop for longer than that). The end of the stream is told when the child has been reaped, so that
 * `reason` has its exit status; a child that only closes its output is given two seconds for it. Fork no daemon while a
 * child lives: it would not be the daemon's child. 0 or -errno, -ENOENT for a program that does not exist. */
CFS_CHECKED int cfs_stream_spawn(struct cfs_loop *loop, char *const argv[], struct cfs_stream **ret_stream);

struct cfs_child_options {
    char *const *environment; /* NULL: ours */
    /* A session of its own, as by setsid(2): no terminal, and nothing of what is typed there (Ctrl-C) reaches it. */
    bool is_apart;
    /* Told each line of its stderr, on the loop's thread, until the stream is closed, and within its close; must not
     * close the stream. False: it is not worth to be kept for `reason`. NULL: all are. */
    bool (*line)(const char *line, void *context);
    void *context;
};
/* The same with options, which may be NULL. */
CFS_CHECKED int cfs_stream_spawn_with(struct cfs_loop *loop, char *const argv[],
                                      const struct cfs_child_options *options, struct cfs_stream **ret_stream);
/* Of a stream that one of these two made. Its process; 0 when it has been reaped. */
pid_t cfs_stream_child_pid(const struct cfs_stream *stream);
/* SIGKILL, also to what it has started in its session, if that is its own. The stream ends soon. */
void cfs_stream_child_kill(struct cfs_stream *stream);
/* What it has said on stderr so far and was kept; "" for nothing. The stream's. */
const char *cfs_stream_child_words(const struct cfs_stream *stream);

#endif

/* A stream over a child process: the fd stream of a socketpair, and beside it the child's stderr, of which the last
 * lines are kept, and its exit status.
 *
 * The end of the stream is held back until the child has been reaped (SETTLE_MS at most: a child may close its output
 * and live on), so that `reason` is complete when the owner learns of the end. The child is looked at by a timer and
 * not by SIGCHLD or a pidfd: a library has no signal handlers to spend, and not every kernel has the other.
 *
 * What must always hold: the pid is not touched once it has been reaped. */
#include "base/stream.h"

#include "base/line_tail.h"
#include "base/log.h"
#include "base/spawn.h"
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <time.h>

enum { SETTLE_MS = 2000, LOOK_EVERY_MS = 5, REASON_SIZE = CFS_LINE_TAIL_SIZE + 256 };
enum { UNKNOWN = -1 };

enum phase {
    PHASE_OPEN,
    PHASE_SETTLING, /* ended or failed; the owner has not been told */
    PHASE_SETTLED,  /* the owner may know */
};

struct child_stream {
    struct cfs_stream stream;
    struct cfs_stream *socket;
    struct cfs_watch errors; /* the child's stderr; not active once it has ended */
    struct cfs_line_tail tail;
    struct cfs_timer look; /* at the child, while settling */
    int64_t settle_until_ms;
    enum phase phase;
    pid_t pid; /* 0 once reaped */
    bool is_apart;
    bool (*line)(const char *line, void *context);
    void *line_context;
    char *name;
    char reason[REASON_SIZE];
};

static struct child_stream *of(struct cfs_stream *stream)
{
    return cfs_container_of(stream, struct child_stream, stream);
}

/* --- the child's stderr --- */

static bool take_line(const char *line, void *context)
{
    const struct child_stream *self = context;
    cfs_log_debug("child", "%s: %s", self->name, line);
    return !self->line || self->line(line, self->line_context);
}

/* Reads what is there. */
static void read_errors(struct child_stream *self)
{
    char bytes[1024];
    while (self->errors.active) {
        ssize_t count = read(self->errors.fd, bytes, sizeof(bytes));
        if (count > 0) {
            cfs_line_tail_add(&self->tail, bytes, (size_t)count, take_line, self);
        } else if (count == 0 || (errno != EAGAIN && errno != EINTR)) {
            cfs_line_tail_finish(&self->tail, take_line, self);
            cfs_loop_unwatch(self->stream.loop, &self->errors);
        } else if (errno == EAGAIN) {
            return;
        }
    }
}

static void errors_ready(struct cfs_watch *watch, uint32_t events)
{
    read_errors(cfs_container_of(watch, struct child_stream, errors));
}

/* --- the child's end --- */

/* STATUS is that of waitpid(2), or UNKNOWN. */
static void describe_end(struct child_stream *self, int status)
{
    int length;
    size_t size = sizeof(self->reason);
    read_errors(self);
    cfs_line_tail_finish(&self->tail, take_line, self);
    if (status == UNKNOWN)
        length = snprintf(self->reason, size, "%s closed its output", self->name);
    else if (WIFSIGNALED(status))
        length = snprintf(self->reason, size, "%s was killed by signal %d", self->name, WTERMSIG(status));
    else
        length = snprintf(self->reason, size, "%s ended with exit status %d", self->name, WEXITSTATUS(status));
    if (self->tail.text[0] && length >= 0 && (size_t)length < size)
        snprintf(self->reason + length, size - (size_t)length, ": %s", self->tail.text);
}

/* True if the child has ended; with an unknown status if somebody else has waited for it. */
static bool reap(struct child_stream *self, int *ret_status)
{
    pid_t pid;
    int status = 0;
    do {
        pid = waitpid(self->pid, &status, WNOHANG);
    } while (pid < 0 && errno == EINTR);
    if (pid == 0)
        return false;
    self->pid = 0;
    *ret_status = pid > 0 ? status : UNKNOWN;
    return true;
}

/* Looks if the child has ended, and settles the stream if it has, or if it has had its time. */
static void try_to_settle(struct child_stream *self)
{
    int status = UNKNOWN;
    if (!reap(self, &status) && cfs_clock_ms(&cfs_system_clock) < self->settle_until_ms) {
        cfs_loop_start_timer(self->stream.loop, &self->look, LOOK_EVERY_MS);
        return;
    }
    describe_end(self, status);
    self->phase = PHASE_SETTLED;
}

static void notify(struct child_stream *self)
{
    if (self->stream.ready)
        self->stream.ready(&self->stream, self->stream.context); /* which may close the stream */
}

static void look_again(struct cfs_timer *timer)
{
    struct child_stream *self = cfs_container_of(timer, struct child_stream, look);
    try_to_settle(self);
    if (self->phase == PHASE_SETTLED)
        notify(self);
}

/* What the owner is told of RESULT, an end or a failure: -EAGAIN until it has been settled. */
static ssize_t settle(struct child_stream *self, ssize_t result)
{
    if (self->phase == PHASE_OPEN) {
        self->phase = PHASE_SETTLING;
        self->settle_until_ms = cfs_clock_ms(&cfs_system_clock) + SETTLE_MS;
        try_to_settle(self);
    }
    return self->phase == PHASE_SETTLED ? result : -EAGAIN;
}

/* --- the stream --- */

static void socket_ready(struct cfs_stream *socket, void *context)
{
    notify(context);
}

static ssize_t child_read(struct cfs_stream *stream, void *buffer, size_t length)
{
    struct child_stream *self = of(stream);
    if (length == 0)
        return -EINVAL;
    ssize_t count = cfs_stream_read(self->socket, buffer, length);
    if (count == -ECONNRESET) /* the child left without reading all that it was sent: an end like any other */
        count = 0;
    return count > 0 || count == -EAGAIN ? count : settle(self, count);
}

static ssize_t child_write(struct cfs_stream *stream, const struct iovec *vector, int count)
{
    struct child_stream *self = of(stream);
    ssize_t written = cfs_stream_write(self->socket, vector, count);
    return written > 0 || written == -EAGAIN || written == -EINVAL ? written : settle(self, written);
}

static const char *child_reason(const struct cfs_stream *stream)
{
    const struct child_stream *self = cfs_container_of(stream, const struct child_stream, stream);
    if (self->reason[0])
        return self->reason;
    return self->tail.text[0] ? self->tail.text : NULL;
}

/* Waits for the child, without the loop: true if it has ended in time. */
static bool wait_for_child(struct child_stream *self, int64_t limit_ms)
{
    int64_t until_ms = cfs_clock_ms(&cfs_system_clock) + limit_ms;
    int status;
    for (long pause_ms = 1; !reap(self, &status); pause_ms = pause_ms < 16 ? pause_ms * 2 : pause_ms) {
        if (cfs_clock_ms(&cfs_system_clock) >= until_ms)
            return false;
        struct timespec pause = {.tv_nsec = pause_ms * 1000000};
        nanosleep(&pause, NULL);
    }
    return true;
}

/* With its input closed, a child leaves by itself. One that does not is helped, in a second altogether. */
static void end_child(struct child_stream *self)
{
    static const struct {
        int signal;
        int64_t limit_ms;
    } steps[] = {{0, 250}, {SIGTERM, 500}, {SIGKILL, 250}};
    for (size_t i = 0; i < CFS_COUNT(steps) && self->pid > 0; i++) {
        if (steps[i].signal == SIGKILL)
            cfs_stream_child_kill(&self->stream);
        else if (steps[i].signal)
            kill(self->pid, steps[i].signal);
        if (wait_for_child(self, steps[i].limit_ms))
            return;
    }
    if (self->pid > 0)
        cfs_log_warning("child", "%s (process %d) does not end, not even by SIGKILL", self->name, (int)self->pid);
}

static void child_close(struct cfs_stream *stream)
{
    struct child_stream *self = of(stream);
    cfs_stream_close(self->socket);
    cfs_loop_stop_timer(stream->loop, &self->look);
    end_child(self);
    read_errors(self);
    cfs_loop_unwatch(stream->loop, &self->errors);
    if (self->errors.fd >= 0)
        close(self->errors.fd);
    free(self->name);
    free(self);
}

static const struct cfs_stream_operations child_operations = {
    .read = child_read,
    .write = child_write,
    .reason = child_reason,
    .close = child_close,
};

/* --- spawning --- */

/* A socketpair and a pipe: [0] is ours, [1] the child's. */
struct plumbing {
    int io[2], errors[2];
};

static void close_plumbing(struct plumbing *plumbing)
{
    int *const fds[] = {&plumbing->io[0], &plumbing->io[1], &plumbing->errors[0], &plumbing->errors[1]};
    for (size_t i = 0; i < CFS_COUNT(fds); i++) {
        if (*fds[i] >= 0)
            close(*fds[i]);
        *fds[i] = -1;
    }
}
#define AUTO_PLUMBING __attribute__((cleanup(close_plumbing)))

static int open_plumbing(struct plumbing *plumbing)
{
    if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, plumbing->io) < 0 ||
        pipe2(plumbing->errors, O_CLOEXEC) < 0 || fcntl(plumbing->errors[0], F_SETFL, O_NONBLOCK) < 0)
        return -errno;
    return 0;
}

/* Watches our ends, which become the stream's. */
static int attach(struct child_stream *self, struct cfs_loop *loop, struct plumbing *plumbing)
{
    self->errors.fd = CFS_TAKE_FD(plumbing->errors[0]);
    int rc = cfs_loop_watch(loop, &self->errors, EPOLLIN);
    if (rc < 0)
        return rc;
    self->socket = cfs_stream_new_fd(loop, plumbing->io[0]);
    if (!self->socket)
        return -ENOMEM;
    plumbing->io[0] = -1;
    self->socket->ready = socket_ready;
    self->socket->context = self;
    return 0;
}

int cfs_stream_spawn_with(struct cfs_loop *loop, char *const argv[], const struct cfs_child_options *options,
                          struct cfs_stream **ret_stream)
{
    static const struct cfs_child_options none;
    struct plumbing plumbing AUTO_PLUMBING = {{-1, -1}, {-1, -1}};
    int rc = open_plumbing(&plumbing);
    if (rc < 0)
        return rc;
    struct child_stream *self = calloc(1, sizeof(*self));
    if (!self)
        return -ENOMEM;
    self->stream = (struct cfs_stream){.operations = &child_operations, .loop = loop};
    self->errors = (struct cfs_watch){.fd = -1, .ready = errors_ready};
    self->look.expired = look_again;
    if (!options)
        options = &none;
    self->is_apart = options->is_apart;
    self->line = options->line;
    self->line_context = options->context;
    const char *slash = strrchr(argv[0], '/');
    self->name = strdup(slash ? slash + 1 : argv[0]);
    rc = self->name ? attach(self, loop, &plumbing) : -ENOMEM;
    const struct cfs_spawn spawn = {.argv = argv,
                                    .streams = {plumbing.io[1], plumbing.io[1], plumbing.errors[1]},
                                    .environment = options->environment,
                                    .is_apart = options->is_apart};
    if (rc == 0)
        rc = cfs_spawn(&spawn, &self->pid);
    if (rc < 0) {
        child_close(&self->stream);
        return rc;
    }
    *ret_stream = &self->stream;
    return 0;
}

int cfs_stream_spawn(struct cfs_loop *loop, char *const argv[], struct cfs_stream **ret_stream)
{
    return cfs_stream_spawn_with(loop, argv, NULL, ret_stream);
}

pid_t cfs_stream_child_pid(const struct cfs_stream *stream)
{
    return cfs_container_of(stream, const struct child_stream, stream)->pid;
}

void cfs_stream_child_kill(struct cfs_stream *stream)
{
    const struct child_stream *self = of(stream);
    if (self->pid > 0 && (!self->is_apart || kill(-self->pid, SIGKILL) < 0))
        kill(self->pid, SIGKILL);
}

const char *cfs_stream_child_words(const struct cfs_stream *stream)
{
    return cfs_container_of(stream, const struct child_stream, stream)->tail.text;
}

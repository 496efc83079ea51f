/* The agent client: one request, one answer, each a length and a message. What must always hold: an answer that comes
 * late is never taken for that of a later request, which is why the connection ends with the first failure. */
#include "ssh/agent.h"

#include "base/bytes.h"
#include "base/clock.h"
#include "base/text.h"
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdbool.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>

enum message {
    SSH_AGENT_FAILURE = 5,
    SSH_AGENTC_REQUEST_IDENTITIES = 11,
    SSH_AGENT_IDENTITIES_ANSWER = 12,
    SSH_AGENTC_SIGN_REQUEST = 13,
    SSH_AGENT_SIGN_RESPONSE = 14,
};

enum {
    MAX_MESSAGE = 256 << 10, /* what OpenSSH's agent and client hold to */
    NAP_MS = 10,
};

struct cfs_agent {
    int fd; /* -1 once it has failed */
};

/* --- waiting --- */

static int64_t deadline_after(int limit_ms)
{
    return cfs_clock_ms(&cfs_system_clock) + limit_ms;
}

/* Until the descriptor has EVENTS, or for NAP_MS if there is none. -ETIMEDOUT. */
static int wait_for(int fd, short events, int64_t deadline_ms)
{
    for (;;) {
        int64_t left = deadline_ms - cfs_clock_ms(&cfs_system_clock);
        if (left <= 0)
            return -ETIMEDOUT;
        struct pollfd entry = {.fd = fd, .events = events};
        int count = poll(&entry, 1, fd < 0 && left > NAP_MS ? NAP_MS : (int)left);
        if (count > 0 || (count == 0 && fd < 0))
            return 0;
        if (count < 0 && errno != EINTR)
            return -errno;
    }
}

static int send_all(int fd, const struct cfs_buffer *request, int64_t deadline_ms)
{
    size_t sent = 0;
    while (sent < request->length) {
        ssize_t count = send(fd, request->bytes + sent, request->length - sent, MSG_NOSIGNAL | MSG_DONTWAIT);
        if (count >= 0) {
            sent += (size_t)count;
            continue;
        }
        if (errno == EPIPE)
            return -ECONNRESET;
        int result = errno == EAGAIN ? wait_for(fd, POLLOUT, deadline_ms) : errno == EINTR ? 0 : -errno;
        if (result < 0)
            return result;
    }
    return 0;
}

static int receive_all(int fd, uint8_t *bytes, size_t length, int64_t deadline_ms)
{
    size_t received = 0;
    while (received < length) {
        ssize_t count = recv(fd, bytes + received, length - received, MSG_DONTWAIT);
        if (count == 0)
            return -ECONNRESET;
        if (count > 0) {
            received += (size_t)count;
            continue;
        }
        int result = errno == EAGAIN ? wait_for(fd, POLLIN, deadline_ms) : errno == EINTR ? 0 : -errno;
        if (result < 0)
            return result;
    }
    return 0;
}

/* --- connecting --- */

struct cfs_agent *cfs_agent_new(int fd)
{
    struct cfs_agent *agent = malloc(sizeof(*agent));
    if (!agent) {
        close(fd);
        return NULL;
    }
    agent->fd = fd;
    return agent;
}

void cfs_agent_free(struct cfs_agent *agent)
{
    if (!agent)
        return;
    if (agent->fd >= 0)
        close(agent->fd);
    free(agent);
}

int cfs_agent_open(const char *socket_path, int limit_ms, struct cfs_agent **ret_agent)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    if (strlen(socket_path) >= sizeof(address.sun_path))
        return -ENAMETOOLONG;
    memcpy(address.sun_path, socket_path, strlen(socket_path));
    int fd CFS_AUTO_CLOSE = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (fd < 0)
        return -errno;
    int64_t deadline_ms = deadline_after(limit_ms);
    /* A Unix socket whose queue is full says EAGAIN and cannot be polled for room. */
    while (connect(fd, (const struct sockaddr *)&address, sizeof(address)) < 0) {
        int result = errno == EAGAIN ? wait_for(-1, 0, deadline_ms) : errno == EINTR ? 0 : -errno;
        if (result < 0)
            return result;
    }
    *ret_agent = cfs_agent_new(CFS_TAKE_FD(fd));
    return *ret_agent ? 0 : -ENOMEM;
}

/* --- requests --- */

/* Sends REQUEST, whose first four bytes are kept for its length, and receives the answer, without the length. */
static int exchange(int fd, struct cfs_buffer *request, int limit_ms, struct cfs_buffer *answer)
{
    if (request->failed)
        return -ENOMEM;
    if (request->length - 4 > MAX_MESSAGE)
        return -EMSGSIZE;
    cfs_buffer_set_u32(request, 0, (uint32_t)request->length - 4);
    int64_t deadline_ms = deadline_after(limit_ms);
    int result = send_all(fd, request, deadline_ms);
    uint8_t head[4];
    if (result == 0)
        result = receive_all(fd, head, sizeof(head), deadline_ms);
    if (result < 0)
        return result;
    struct cfs_reader reader = cfs_reader_over(head, sizeof(head));
    uint32_t length = cfs_read_u32(&reader);
    if (length == 0 || length > MAX_MESSAGE)
        return -EBADMSG;
    uint8_t *room = cfs_buffer_reserve(answer, length);
    if (!room)
        return -ENOMEM;
    result = receive_all(fd, room, length, deadline_ms);
    if (result == 0)
        answer->length += length;
    return result;
}

/* Gives the connection up unless RESULT says that the agent has answered properly. */
static int settle(struct cfs_agent *agent, int result)
{
    if (result < 0 && result != -EPERM) {
        close(agent->fd);
        agent->fd = -1;
    }
    return result;
}

/* The answer's type: 0, -EPERM for a refusal, -EBADMSG for anything else than EXPECTED. */
static int check_type(struct cfs_reader *answer, enum message expected)
{
    uint8_t type = cfs_read_u8(answer);
    if (type == SSH_AGENT_FAILURE)
        return -EPERM;
    return type == expected ? 0 : -EBADMSG;
}

/* --- listing --- */

void cfs_agent_identities_fini(struct cfs_agent_identities *identities)
{
    for (size_t i = 0; i < identities->count; i++) {
        free(identities->entries[i].blob);
        free(identities->entries[i].comment);
    }
    free(identities->entries);
    *identities = (struct cfs_agent_identities){0};
}

static int read_identity(struct cfs_reader *reader, struct cfs_agent_identity *ret_identity)
{
    size_t blob_length, comment_length;
    const uint8_t *blob = cfs_read_string(reader, &blob_length);
    const uint8_t *comment = cfs_read_string(reader, &comment_length);
    if (reader->failed || blob_length == 0)
        return -EBADMSG;
    struct cfs_agent_identity identity = {.blob = malloc(blob_length),
                                          .blob_length = blob_length,
                                          .comment = strndup((const char *)comment, comment_length)};
    if (!identity.blob || !identity.comment) {
        free(identity.blob);
        free(identity.comment);
        return -ENOMEM;
    }
    memcpy(identity.blob, blob, blob_length);
    cfs_text_make_printable(identity.comment, false);
    *ret_identity = identity;
    return 0;
}

static int read_identities(const struct cfs_buffer *answer, struct cfs_agent_identities *identities)
{
    enum { SMALLEST = 4 + 1 + 4 };
    struct cfs_reader reader = cfs_reader_over(answer->bytes, answer->length);
    int result = check_type(&reader, SSH_AGENT_IDENTITIES_ANSWER);
    if (result < 0)
        return result;
    uint32_t count = cfs_read_u32(&reader);
    if (reader.failed || count > reader.left / SMALLEST)
        return -EBADMSG;
    identities->entries = calloc(count + 1, sizeof(*identities->entries));
    if (!identities->entries)
        return -ENOMEM;
    for (; identities->count < count; identities->count++) {
        result = read_identity(&reader, &identities->entries[identities->count]);
        if (result < 0)
            return result;
    }
    return 0;
}

int cfs_agent_list(struct cfs_agent *agent, int limit_ms, struct cfs_agent_identities *ret_identities)
{
    if (agent->fd < 0)
        return -EPIPE;
    struct cfs_buffer request CFS_AUTO_BUFFER = {0}, answer CFS_AUTO_BUFFER = {0};
    struct cfs_agent_identities identities CFS_AUTO_AGENT_IDENTITIES = {0};
    cfs_buffer_add_u32(&request, 0);
    cfs_buffer_add_u8(&request, SSH_AGENTC_REQUEST_IDENTITIES);
    int result = exchange(agent->fd, &request, limit_ms, &answer);
    if (result == 0)
        result = read_identities(&answer, &identities);
    if (result == 0) {
        *ret_identities = identities;
        identities = (struct cfs_agent_identities){0};
    }
    return settle(agent, result);
}

/* --- signing --- */

static int read_signature(const struct cfs_buffer *answer, uint8_t **ret_signature, size_t *ret_length)
{
    struct cfs_reader reader = cfs_reader_over(answer->bytes, answer->length);
    int result = check_type(&reader, SSH_AGENT_SIGN_RESPONSE);
    if (result < 0)
        return result;
    size_t length;
    const uint8_t *bytes = cfs_read_string(&reader, &length);
    if (!bytes || length == 0)
        return -EBADMSG;
    uint8_t *signature = malloc(length);
    if (!signature)
        return -ENOMEM;
    memcpy(signature, bytes, length);
    *ret_signature = signature;
    *ret_length = length;
    return 0;
}

int cfs_agent_sign(struct cfs_agent *agent, const uint8_t *blob, size_t blob_length, const void *data, size_t length,
                   uint32_t flags, int limit_ms, uint8_t **ret_signature, size_t *ret_length)
{
    if (agent->fd < 0)
        return -EPIPE;
    struct cfs_buffer request CFS_AUTO_BUFFER = {0}, answer CFS_AUTO_BUFFER = {0};
    cfs_buffer_add_u32(&request, 0);
    cfs_buffer_add_u8(&request, SSH_AGENTC_SIGN_REQUEST);
    cfs_buffer_add_string(&request, blob, blob_length);
    cfs_buffer_add_string(&request, data, length);
    cfs_buffer_add_u32(&request, flags);
    int result = exchange(agent->fd, &request, limit_ms, &answer);
    if (result == 0)
        result = read_signature(&answer, ret_signature, ret_length);
    return settle(agent, result);
}

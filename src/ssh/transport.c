/* The callbacks between libssh2 and a socket: SEND into a ring that grows, RECV from a ring that is filled elsewhere,
 * and an allocator that counts, because libssh2 queues without bound what a server sends and nobody asked for.
 *
 * The output ring is bounded too: a server that makes libssh2 answer (global requests, channel requests) and never
 * reads the answers is cut off.
 *
 * The callbacks are also called for the authentication agent's socket: those go straight to that socket. */
#include "ssh/transport.h"
#include "base/clock.h"
#include "base/text.h"
#include "ssh/tcp.h"
#include <errno.h>
#include <linux/sockios.h>
#include <malloc.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>

enum {
    INPUT_SIZE = 256 * 1024,
    OUTPUT_SIZE = 64 * 1024,
    OUTPUT_MOST = 16 * 1024 * 1024,
    MEMORY_LIMIT = 32 * 1024 * 1024,
    FREE_TRIES = 1000,
    LED_PATIENCE_MS = 60 * 1000,
    LOGIN_SIZE = 64 * 1024, /* what comes until a first channel runs is less */
};

static void *allocate(size_t size, void **abstract)
{
    struct cfs_ssh_transport *transport = *abstract;
    if (size > transport->memory_limit || transport->allocated > transport->memory_limit - size)
        return NULL;
    void *memory = malloc(size ? size : 1);
    if (memory)
        transport->allocated += malloc_usable_size(memory);
    return memory;
}

void *cfs_ssh_transport_allocate(struct cfs_ssh_transport *transport, size_t size)
{
    void *abstract = transport;
    return allocate(size, &abstract);
}

static void release(void *memory, void **abstract)
{
    struct cfs_ssh_transport *transport = *abstract;
    if (!memory)
        return;
    size_t size = malloc_usable_size(memory);
    transport->allocated -= size;
    if (transport->auth_context)
        explicit_bzero(memory, size); /* answers to questions: libssh2 itself would leave them in memory */
    free(memory);
}

static void *reallocate(void *memory, size_t size, void **abstract)
{
    struct cfs_ssh_transport *transport = *abstract;
    size_t before = memory ? malloc_usable_size(memory) : 0;
    if (size > transport->memory_limit || transport->allocated - before > transport->memory_limit - size)
        return NULL;
    void *moved = realloc(memory, size ? size : 1);
    if (moved)
        transport->allocated += malloc_usable_size(moved) - before;
    return moved;
}

/* libssh2 does not tell how far its handshake is. Packets in the clear: length (4 bytes), padding's length, type. */
static void note_keys(struct cfs_ssh_transport *transport, const uint8_t *packet, size_t length)
{
    enum { TYPE_AT = 5, NEWKEYS = 21 };
    if (transport->keys_sent)
        transport->service_asked = true;
    else
        transport->keys_sent = length > TYPE_AT && packet[TYPE_AT] == NEWKEYS;
}

static ssize_t send_packet(libssh2_socket_t fd, const void *bytes, size_t length, int flags, void **abstract)
{
    struct cfs_ssh_transport *transport = *abstract;
    if (fd != transport->fd) {
        ssize_t sent = send(fd, bytes, length, flags | MSG_NOSIGNAL);
        return sent < 0 ? -errno : sent;
    }
    if (transport->silenced)
        return (ssize_t)length;
    if (transport->output.length > OUTPUT_MOST)
        return -ENOBUFS;
    if (!transport->service_asked)
        note_keys(transport, bytes, length);
    int rc = cfs_ssh_ring_put(&transport->output, bytes, length);
    return rc < 0 ? rc : (ssize_t)length;
}

static ssize_t receive_bytes(libssh2_socket_t fd, void *buffer, size_t length, int flags, void **abstract)
{
    struct cfs_ssh_transport *transport = *abstract;
    if (fd != transport->fd) {
        ssize_t received = recv(fd, buffer, length, flags);
        return received < 0 ? -errno : received;
    }
    if (transport->silenced)
        return -ECONNRESET;
    size_t taken = cfs_ssh_ring_take(&transport->input, buffer, length);
    return taken > 0 ? (ssize_t)taken : -EAGAIN;
}

static void note_disconnect(LIBSSH2_SESSION *session, int reason, const char *message, int message_length,
                            const char *language, int language_length, void **abstract)
{
    struct cfs_ssh_transport *transport = *abstract;
    transport->disconnect_code = (unsigned)reason;
    if (!message || message_length < 0)
        message_length = 0;
    if ((size_t)message_length >= sizeof(transport->disconnect_text))
        message_length = sizeof(transport->disconnect_text) - 1;
    memcpy(transport->disconnect_text, message ? message : "", (size_t)message_length);
    transport->disconnect_text[message_length] = '\0';
    cfs_text_make_printable(transport->disconnect_text, false);
}

static int open_session(struct cfs_ssh_transport *transport)
{
    transport->session = libssh2_session_init_ex(allocate, release, reallocate, transport);
    if (!transport->session)
        return -ENOMEM;
    libssh2_session_set_blocking(transport->session, 0);
    libssh2_session_callback_set2(transport->session, LIBSSH2_CALLBACK_SEND, (libssh2_cb_generic *)send_packet);
    libssh2_session_callback_set2(transport->session, LIBSSH2_CALLBACK_RECV, (libssh2_cb_generic *)receive_bytes);
    libssh2_session_callback_set2(transport->session, LIBSSH2_CALLBACK_DISCONNECT,
                                  (libssh2_cb_generic *)note_disconnect);
    return 0;
}

int cfs_ssh_transport_open(int fd, struct cfs_ssh_line *line, struct cfs_ssh_transport **ret_transport)
{
    struct cfs_ssh_line *owned_line CFS_CLEANUP(cfs_ssh_line_free) = line;
    int owned_fd CFS_AUTO_CLOSE = fd; /* goes first */
    struct cfs_ssh_transport *transport = calloc(1, sizeof(*transport));
    if (!transport)
        return -ENOMEM;
    transport->fd = CFS_TAKE_FD(owned_fd);
    transport->line = CFS_TAKE(owned_line);
    transport->memory_limit = MEMORY_LIMIT;
    if (cfs_ssh_ring_init(&transport->input, INPUT_SIZE) < 0 ||
        cfs_ssh_ring_init(&transport->output, OUTPUT_SIZE) < 0 || open_session(transport) < 0) {
        cfs_ssh_transport_close(transport);
        return -ENOMEM;
    }
    *ret_transport = transport;
    return 0;
}

static void free_session(struct cfs_ssh_transport *transport)
{
    if (!transport->silenced && transport->received > 0) {
        (void)libssh2_session_disconnect(transport->session, "goodbye");
        if (cfs_ssh_transport_flush(transport) < 0)
            transport->output.length = 0; /* nobody waits for a goodbye */
    }
    cfs_ssh_transport_silence(transport);
    /* Each step of it fails at once now; the bound is for a libssh2 that would not agree. */
    for (int tries = 0; tries < FREE_TRIES; tries++)
        if (libssh2_session_free(transport->session) != LIBSSH2_ERROR_EAGAIN)
            return;
}

void cfs_ssh_transport_close(struct cfs_ssh_transport *transport)
{
    if (!transport)
        return;
    if (transport->session)
        free_session(transport);
    if (transport->fd >= 0)
        close(transport->fd);
    cfs_ssh_line_free(transport->line);
    cfs_ssh_ring_fini(&transport->input);
    cfs_ssh_ring_fini(&transport->output);
    free(transport);
}

struct cfs_ssh_transport *cfs_ssh_transport_of(LIBSSH2_SESSION *session)
{
    return *libssh2_session_abstract(session);
}

/* Keeps how the other end begins: it tells what stands there when it is no SSH server. */
static void note_greeting(struct cfs_ssh_transport *transport, size_t old_length)
{
    const struct cfs_ssh_ring *input = &transport->input;
    for (size_t i = old_length; i < input->length && transport->greeting_length < CFS_SSH_GREETING - 1; i++)
        transport->greeting[transport->greeting_length++] = (char)input->bytes[(input->start + i) % input->capacity];
}

/* Until a subsystem runs, sshd leaves Nagle's algorithm on (RFC 896): of two small packets the second waits until the
 * first is acknowledged, with which the kernel here would take its time, 40 ms, when there is nothing to send. */
static void acknowledge(const struct cfs_ssh_transport *transport)
{
    const int on = 1;
    if (transport->received < LOGIN_SIZE)
        (void)setsockopt(transport->fd, IPPROTO_TCP, TCP_QUICKACK, &on, sizeof(on)); /* comfort */
}

ssize_t cfs_ssh_transport_receive(struct cfs_ssh_transport *transport)
{
    size_t old_length = transport->input.length;
    ssize_t received = cfs_ssh_ring_receive(&transport->input, transport->fd);
    if (received > 0) {
        acknowledge(transport);
        transport->unanswered_since_ms = 0;
        transport->received += (uint64_t)received;
        note_greeting(transport, old_length);
    }
    return received;
}

int cfs_ssh_transport_flush(struct cfs_ssh_transport *transport)
{
    if (transport->silenced)
        return 0;
    if (transport->is_led && transport->output.length > 0 && !transport->unanswered_since_ms)
        transport->unanswered_since_ms = cfs_clock_ms(&cfs_system_clock);
    return cfs_ssh_ring_send(&transport->output, transport->fd);
}

void cfs_ssh_transport_silence(struct cfs_ssh_transport *transport)
{
    transport->silenced = true;
}

void cfs_ssh_transport_abort(struct cfs_ssh_transport *transport)
{
    const struct linger at_once = {.l_onoff = 1, .l_linger = 0};
    cfs_ssh_transport_silence(transport);
    if (transport->line)
        transport->line->operations->abort(transport->line);
    else
        (void)setsockopt(transport->fd, SOL_SOCKET, SO_LINGER, &at_once, sizeof(at_once)); /* tests have socketpairs */
}

bool cfs_ssh_transport_holds_bytes(const struct cfs_ssh_transport *transport)
{
    struct cfs_ssh_line *line = transport->line;
    int queued = 0;
    if (transport->output.length > 0)
        return true;
    if (ioctl(transport->fd, SIOCOUTQ, &queued) == 0 && queued > 0)
        return true;
    return line && line->operations->holds_bytes && line->operations->holds_bytes(line);
}

/* Of what is behind the first host nobody tells whether it acknowledges: there silence has to be enough. */
bool cfs_ssh_transport_is_cut(const struct cfs_ssh_transport *transport, int64_t ms)
{
    struct cfs_ssh_line *line = transport->line;
    int64_t patience_ms = ms > LED_PATIENCE_MS ? ms : LED_PATIENCE_MS;
    if (transport->unanswered_since_ms &&
        cfs_clock_ms(&cfs_system_clock) - transport->unanswered_since_ms >= patience_ms)
        return true;
    return line ? line->operations->is_cut(line, ms) : cfs_ssh_is_cut(transport->fd, ms);
}

void cfs_ssh_transport_allow_memory(struct cfs_ssh_transport *transport, ssize_t bytes)
{
    transport->memory_limit = (size_t)((ssize_t)transport->memory_limit + bytes);
}

void cfs_ssh_transport_explain(struct cfs_ssh_transport *transport, char *buffer, size_t size)
{
    if (size == 0)
        return;
    char *message = NULL;
    libssh2_session_last_error(transport->session, &message, NULL, 0);
    const char *text = message && *message ? message : "no reason known";
    if (transport->disconnect_code && transport->disconnect_text[0])
        snprintf(buffer, size, "the server disconnected: %s", transport->disconnect_text);
    else if (transport->disconnect_code)
        snprintf(buffer, size, "the server disconnected (reason %u)", transport->disconnect_code);
    else
        snprintf(buffer, size, "%s", text);
    cfs_text_make_printable(buffer, false);
}

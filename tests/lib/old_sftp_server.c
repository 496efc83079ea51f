/* Makes an old, poor or slow SFTP server out of OpenSSH's: a filter in front of sftp-server that rewrites what passes.
 * For unit tests as a child process, and for mounts as sshd's `Subsystem sftp PATH/old_sftp_server -x -r 65536`.
 *
 *   -x       VERSION offers no extension (so no limits either)
 *   -r N     a READ gives at most N bytes
 *   -a       names come without attributes
 *   -f N     the Nth request after INIT is not passed on and fails with SSH_FX_FAILURE (out of order)
 *   -F N     the same, counted from the first OPEN that creates
 *   -c       each CLOSE fails with SSH_FX_FAILURE, and is not passed on
 *   -d MS    each reply comes MS later (all of them: that is distance, not slowness)
 *   -h N     the handles of files are the server's own until N have been opened, later ones never come again; not with
 *            -f and -F
 *   -H       handles are long
 *   -w N     the answer to the Nth OPEN that creates, and to those after it, waits until a CLOSE has been asked for
 *   -s PATH  the sftp-server; what follows the options is given to it
 *
 * One loop over poll(2): each direction takes whole packets from one side, changes them, and queues them for a side.
 * Nothing is refused and nothing is bounded: both ends are trusted, as a test's are. */
#include "base/bytes.h"
#include "base/clock.h"
#include "base/list.h"
#include "lib/find_sftp_server.h"
#include "sftp/attributes.h"
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <poll.h>
#include <signal.h>
#include <string.h>
#include <sys/wait.h>

enum {
    LENGTH_FIELD = 4,
    HEADER = LENGTH_FIELD + 1 + 4, /* length, type, id */
    READ_AT_ONCE = 256 * 1024,
    MOST_QUEUED = 4 * 1024 * 1024, /* then no more is read from the other side */
};

static struct {
    bool no_extensions, no_attributes, failing_closes;
    uint32_t most_read;
    unsigned long failing_request, failing_since_creation;
    int64_t delay_ms;
    unsigned long own_handles, answered_creations;
    bool long_handles;
    const char *server;
} options = {.most_read = UINT32_MAX, .own_handles = ULONG_MAX, .answered_creations = ULONG_MAX};

struct packet {
    struct cfs_list link;
    struct cfs_buffer buffer;
    size_t sent;
    int64_t due_ms;
};

/* One side, the client or the server: what comes from it, and what waits to go to it. */
struct side {
    int in, out;
    struct cfs_buffer input;
    struct cfs_list queue;
    size_t queued;
    bool ended;
};

static struct side client = {.in = STDIN_FILENO, .out = STDOUT_FILENO};
static struct side server;
static unsigned long requests, since_creation, handles, creations;

static void die(const char *what)
{
    perror(what);
    exit(1);
}

static struct packet *new_packet(void)
{
    struct packet *packet = calloc(1, sizeof(*packet));

    if (!packet)
        die("old_sftp_server");
    return packet;
}

static void enqueue(struct side *to, struct packet *packet)
{
    if (packet->buffer.failed)
        die("old_sftp_server: memory");
    if (to == &client)
        packet->due_ms = cfs_clock_ms(&cfs_system_clock) + options.delay_ms;
    cfs_list_push_back(&to->queue, &packet->link);
    to->queued += packet->buffer.length;
}

static uint32_t peek_u32(const struct packet *packet, size_t offset)
{
    struct cfs_reader reader = cfs_reader_over(packet->buffer.bytes, packet->buffer.length);

    (void)cfs_read_bytes(&reader, offset);
    return cfs_read_u32(&reader);
}

/* --- handles: those that the client knows, and what they are on the server --- */

enum { MOST_HANDLES = 1024, MOST_HANDLE = 64 };

struct known_handle {
    bool used;
    char here[MOST_HANDLE], there[MOST_HANDLE]; /* as hexadecimal digits */
};
static struct known_handle known[MOST_HANDLES];

static bool changes_handles(void)
{
    return options.long_handles || options.own_handles < ULONG_MAX;
}

static void to_text(const uint8_t *bytes, size_t length, char *text)
{
    for (size_t i = 0; i < length && 2 * i + 2 < MOST_HANDLE; i++)
        snprintf(text + 2 * i, 3, "%02x", bytes[i]);
}

/* Puts the handle that TEXT means into the place of the one at OFFSET. */
static void replace_handle(struct packet *packet, size_t offset, const char *text)
{
    struct cfs_reader reader = cfs_reader_over(packet->buffer.bytes, packet->buffer.length);
    struct cfs_buffer replaced = {0};
    uint8_t bytes[MOST_HANDLE];
    size_t length = 0;
    unsigned value;

    cfs_buffer_add(&replaced, cfs_read_bytes(&reader, offset), offset);
    (void)cfs_read_string(&reader, &length);
    for (length = 0; sscanf(text + 2 * length, "%2x", &value) == 1; length++)
        bytes[length] = (uint8_t)value;
    cfs_buffer_add_string(&replaced, bytes, length);
    offset = packet->buffer.length - reader.left;
    cfs_buffer_add(&replaced, packet->buffer.bytes + offset, packet->buffer.length - offset);
    cfs_buffer_set_u32(&replaced, 0, (uint32_t)(replaced.length - LENGTH_FIELD));
    cfs_buffer_fini(&packet->buffer);
    packet->buffer = replaced;
}

static void read_handle(const struct packet *packet, char *text)
{
    struct cfs_reader reader = cfs_reader_over(packet->buffer.bytes, packet->buffer.length);
    size_t length = 0;

    (void)cfs_read_bytes(&reader, HEADER);
    const uint8_t *bytes = cfs_read_string(&reader, &length);
    to_text(bytes, bytes ? length : 0, text);
}

/* The server has opened something. */
static void give_handle(struct packet *packet)
{
    struct known_handle *given = known;

    while (given < known + MOST_HANDLES && given->used)
        given++;
    if (given == known + MOST_HANDLES)
        die("old_sftp_server: handles");
    *given = (struct known_handle){.used = true};
    read_handle(packet, given->there);
    handles++;
    if (options.long_handles)
        snprintf(given->here, sizeof(given->here), "%032lx", handles);
    else if (handles > options.own_handles)
        snprintf(given->here, sizeof(given->here), "%08lx", 0x40000000 + handles);
    else
        memcpy(given->here, given->there, sizeof(given->here));
    replace_handle(packet, HEADER, given->here);
}

/* A request with a handle: what the server knows it by. */
static void take_handle(struct packet *packet, bool closes)
{
    char text[MOST_HANDLE] = "";
    size_t i = 0;

    read_handle(packet, text);
    while (i < MOST_HANDLES && !(known[i].used && strcmp(known[i].here, text) == 0))
        i++;
    replace_handle(packet, HEADER, i < MOST_HANDLES ? known[i].there : "7fffffff");
    if (i < MOST_HANDLES && closes)
        known[i].used = false;
}

/* --- requests --- */

/* Turns the request into the reply that it fails. */
static void make_failure(struct packet *packet)
{
    uint32_t id = peek_u32(packet, LENGTH_FIELD + 1);

    cfs_buffer_clear(&packet->buffer);
    cfs_buffer_add_u32(&packet->buffer, 1 + 4 + 4 + 4 + 7 + 4);
    cfs_buffer_add_u8(&packet->buffer, SSH_FXP_STATUS);
    cfs_buffer_add_u32(&packet->buffer, id);
    cfs_buffer_add_u32(&packet->buffer, SSH_FX_FAILURE);
    cfs_buffer_add_text(&packet->buffer, "Failure");
    cfs_buffer_add_text(&packet->buffer, "");
}

static bool creates(const struct packet *packet)
{
    struct cfs_reader reader = cfs_reader_over(packet->buffer.bytes, packet->buffer.length);
    size_t length;

    (void)cfs_read_bytes(&reader, HEADER);
    (void)cfs_read_string(&reader, &length);
    return cfs_read_u32(&reader) & SSH_FXF_CREAT;
}

static struct cfs_list held; /* answers that wait for a CLOSE */
static bool awaits_close;

static void let_answers_go(void)
{
    struct cfs_list *link;

    awaits_close = false;
    while ((link = cfs_list_pop_front(&held)))
        enqueue(&client, cfs_container_of(link, struct packet, link));
}

static void pass_request(struct packet *packet)
{
    uint8_t type = packet->buffer.bytes[LENGTH_FIELD];
    size_t length_at = packet->buffer.length - 4; /* of a READ: the last field */

    if (since_creation > 0 || (type == SSH_FXP_OPEN && creates(packet)))
        since_creation++;
    if ((type != SSH_FXP_INIT && ++requests == options.failing_request) ||
        (type == SSH_FXP_CLOSE && options.failing_closes) ||
        (since_creation > 0 && since_creation == options.failing_since_creation)) {
        make_failure(packet);
        enqueue(&client, packet);
        return;
    }
    bool by_handle = type == SSH_FXP_CLOSE || type == SSH_FXP_READ || type == SSH_FXP_WRITE || type == SSH_FXP_FSTAT ||
                     type == SSH_FXP_FSETSTAT || type == SSH_FXP_READDIR;
    if (by_handle && changes_handles())
        take_handle(packet, type == SSH_FXP_CLOSE);
    if (type == SSH_FXP_OPEN && creates(packet))
        awaits_close = ++creations > options.answered_creations;
    if (type == SSH_FXP_CLOSE)
        let_answers_go();
    if (type == SSH_FXP_READ && peek_u32(packet, length_at) > options.most_read)
        cfs_buffer_set_u32(&packet->buffer, length_at, options.most_read);
    enqueue(&server, packet);
}

/* What a handle means is known when the server has answered: then one request after another is passed on. */
static struct cfs_list waiting;
static bool is_busy;

static void take_request(struct packet *packet)
{
    if (is_busy) {
        cfs_list_push_back(&waiting, &packet->link);
        return;
    }
    is_busy = changes_handles();
    pass_request(packet);
}

static void let_request_go(void)
{
    struct cfs_list *link = cfs_list_pop_front(&waiting);

    is_busy = link != NULL;
    if (link)
        pass_request(cfs_container_of(link, struct packet, link));
}

/* --- replies --- */

static void strip_extensions(struct packet *packet)
{
    packet->buffer.length = LENGTH_FIELD + 1 + 4;
    cfs_buffer_set_u32(&packet->buffer, 0, 1 + 4);
}

static void copy_string(struct cfs_reader *from, struct cfs_buffer *to)
{
    size_t length;
    const uint8_t *bytes = cfs_read_string(from, &length);

    cfs_buffer_add_string(to, bytes, length);
}

static void strip_attributes(struct packet *packet)
{
    const struct cfs_sftp_attributes none = {0};
    struct cfs_reader reader = cfs_reader_over(packet->buffer.bytes, packet->buffer.length);
    struct cfs_buffer stripped = {0};
    uint32_t count;

    cfs_buffer_add(&stripped, cfs_read_bytes(&reader, HEADER), HEADER);
    count = cfs_read_u32(&reader);
    cfs_buffer_add_u32(&stripped, count);
    for (uint32_t i = 0; i < count && !reader.failed; i++) {
        struct cfs_sftp_attributes dropped;

        copy_string(&reader, &stripped);
        copy_string(&reader, &stripped);
        cfs_sftp_attributes_read(&reader, &dropped);
        cfs_sftp_attributes_write(&stripped, &none);
    }
    cfs_buffer_set_u32(&stripped, 0, (uint32_t)(stripped.length - LENGTH_FIELD));
    cfs_buffer_fini(&packet->buffer);
    packet->buffer = stripped;
}

static void take_reply(struct packet *packet)
{
    uint8_t type = packet->buffer.bytes[LENGTH_FIELD];

    if (type == SSH_FXP_VERSION && options.no_extensions)
        strip_extensions(packet);
    if (type == SSH_FXP_NAME && options.no_attributes)
        strip_attributes(packet);
    if (type == SSH_FXP_HANDLE && changes_handles())
        give_handle(packet);
    if ((type == SSH_FXP_HANDLE && awaits_close) || !cfs_list_empty(&held))
        cfs_list_push_back(&held, &packet->link);
    else
        enqueue(&client, packet);
    if (changes_handles())
        let_request_go();
}

/* --- bytes --- */

static void take_packets(struct side *from, void (*take)(struct packet *packet))
{
    struct cfs_reader reader = cfs_reader_over(from->input.bytes, from->input.length);
    size_t used = 0;

    for (;;) {
        uint32_t length = cfs_read_u32(&reader);
        const uint8_t *bytes = cfs_read_bytes(&reader, length);
        struct packet *packet;

        if (!bytes)
            break;
        if (length < 1 + 4) {
            fprintf(stderr, "old_sftp_server: a packet of %u bytes\n", (unsigned)length);
            exit(1);
        }
        packet = new_packet();
        cfs_buffer_add_string(&packet->buffer, bytes, length);
        used += LENGTH_FIELD + length;
        take(packet);
    }
    if (used > 0) {
        memmove(from->input.bytes, from->input.bytes + used, from->input.length - used);
        from->input.length -= used;
    }
}

static void read_side(struct side *from, void (*take)(struct packet *packet))
{
    uint8_t *room = cfs_buffer_reserve(&from->input, READ_AT_ONCE);
    ssize_t count;

    if (!room)
        die("old_sftp_server: memory");
    count = read(from->in, room, READ_AT_ONCE);
    if (count < 0 && (errno == EAGAIN || errno == EINTR))
        return;
    if (count <= 0) {
        from->ended = true;
        return;
    }
    from->input.length += (size_t)count;
    take_packets(from, take);
}

static struct packet *due_packet(const struct side *to, int64_t now_ms)
{
    struct packet *packet;

    if (cfs_list_empty(&to->queue))
        return NULL;
    packet = cfs_container_of(to->queue.next, struct packet, link);
    return packet->due_ms <= now_ms ? packet : NULL;
}

static void write_side(struct side *to)
{
    struct packet *packet;

    while ((packet = due_packet(to, cfs_clock_ms(&cfs_system_clock)))) {
        ssize_t count = write(to->out, packet->buffer.bytes + packet->sent, packet->buffer.length - packet->sent);

        if (count < 0 && (errno == EAGAIN || errno == EINTR))
            return;
        if (count < 0)
            exit(0); /* the other end has gone */
        packet->sent += (size_t)count;
        to->queued -= (size_t)count;
        if (packet->sent < packet->buffer.length)
            return;
        cfs_list_remove(&packet->link);
        cfs_buffer_fini(&packet->buffer);
        free(packet);
    }
}

/* --- life --- */

static void set_nonblocking(int fd)
{
    int flags = fcntl(fd, F_GETFL);

    if (flags < 0 || fcntl(fd, F_SETFL, flags | O_NONBLOCK) < 0)
        die("old_sftp_server: fcntl");
}

static void start_server(char **arguments)
{
    int to_server[2], from_server[2];

    if (pipe2(to_server, O_CLOEXEC) < 0 || pipe2(from_server, O_CLOEXEC) < 0)
        die("old_sftp_server: pipe");
    switch (fork()) {
    case -1:
        die("old_sftp_server: fork");
        break;
    case 0:
        if (dup2(to_server[0], STDIN_FILENO) < 0 || dup2(from_server[1], STDOUT_FILENO) < 0)
            _exit(127);
        execv(options.server, arguments);
        perror(options.server);
        _exit(127);
    default:
        close(to_server[0]);
        close(from_server[1]);
        server.out = to_server[1];
        server.in = from_server[0];
    }
}

static int poll_timeout(void)
{
    int64_t left;

    if (cfs_list_empty(&client.queue))
        return -1;
    left = cfs_container_of(client.queue.next, struct packet, link)->due_ms - cfs_clock_ms(&cfs_system_clock);
    return left > 0 ? (int)(left < INT_MAX ? left : INT_MAX) : -1;
}

static void turn(void)
{
    int64_t now_ms = cfs_clock_ms(&cfs_system_clock);
    struct pollfd polls[] = {
        {.fd = client.ended || server.queued > MOST_QUEUED ? -1 : client.in, .events = POLLIN},
        {.fd = server.ended || client.queued > MOST_QUEUED ? -1 : server.in, .events = POLLIN},
        {.fd = due_packet(&client, now_ms) ? client.out : -1, .events = POLLOUT},
        {.fd = due_packet(&server, now_ms) ? server.out : -1, .events = POLLOUT},
    };

    if (poll(polls, CFS_COUNT(polls), poll_timeout()) < 0 && errno != EINTR)
        die("old_sftp_server: poll");
    if (polls[0].revents)
        read_side(&client, take_request);
    if (polls[1].revents)
        read_side(&server, take_reply);
    write_side(&client);
    write_side(&server);
}

static void run(void)
{
    bool told_server = false;

    while (!server.ended || !cfs_list_empty(&client.queue)) {
        turn();
        if (client.ended && !told_server && cfs_list_empty(&server.queue)) {
            close(server.out);
            told_server = true;
        }
    }
}

int main(int argc, char **argv)
{
    int option, status = 0;

    options.server = find_sftp_server();
    while ((option = getopt(argc, argv, "+xr:acf:F:d:h:Hw:s:")) != -1) {
        switch (option) {
        case 'x':
            options.no_extensions = true;
            break;
        case 'r':
            options.most_read = (uint32_t)strtoul(optarg, NULL, 10);
            break;
        case 'a':
            options.no_attributes = true;
            break;
        case 'c':
            options.failing_closes = true;
            break;
        case 'f':
            options.failing_request = strtoul(optarg, NULL, 10);
            break;
        case 'F':
            options.failing_since_creation = strtoul(optarg, NULL, 10);
            break;
        case 'd':
            options.delay_ms = (int64_t)strtol(optarg, NULL, 10);
            break;
        case 'h':
            options.own_handles = strtoul(optarg, NULL, 10);
            break;
        case 'H':
            options.long_handles = true;
            break;
        case 'w':
            options.answered_creations = strtoul(optarg, NULL, 10) - 1;
            break;
        case 's':
            options.server = optarg;
            break;
        default:
            return 2;
        }
    }
    if (!options.server) {
        fprintf(stderr, "old_sftp_server: there is no sftp-server\n");
        return 1;
    }
    signal(SIGPIPE, SIG_IGN);
    cfs_list_init(&client.queue);
    cfs_list_init(&server.queue);
    cfs_list_init(&held);
    cfs_list_init(&waiting);
    argv[optind - 1] = argv[0]; /* before what follows the options stands the name */
    start_server(argv + optind - 1);
    set_nonblocking(client.in);
    set_nonblocking(client.out);
    set_nonblocking(server.in);
    set_nonblocking(server.out);
    run();
    while (wait(&status) < 0 && errno == EINTR)
        ;
    return WIFEXITED(status) ? WEXITSTATUS(status) : 1;
}

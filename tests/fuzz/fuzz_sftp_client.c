/* Whatever a server may send, into a client with every kind of request in flight. Checked: no memory fault, every
 * request is completed exactly once (never after it was cancelled), `lost` comes at most once and leaves nothing in
 * flight.
 *
 * The first byte says how the rest is cut (0: in one piece), the second whether the server begins by itself (bit 0) or
 * after an orderly start, and which request is cancelled half-way through the input (the other bits). */
#include "lib/memory_stream.h"
#include "sftp/client.h"
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum { REQUESTS = 14, READ_LENGTH = 512 };

struct probe {
    struct cfs_sftp_request request;
    bool submitted, cancelled, done;
    unsigned again; /* asks once more from its completion */
};

static struct {
    struct cfs_sftp_client *client;
    struct probe probes[REQUESTS];
    bool lost;
    unsigned sum; /* so that what a reply points at is really read */
} fuzz;

static const struct cfs_sftp_handle handle = {.length = 4, .bytes = "abcd"};

static void require(bool condition)
{
    if (!condition)
        __builtin_trap();
}

static void add_up(const void *bytes, size_t length)
{
    for (size_t i = 0; i < length; i++)
        fuzz.sum += ((const uint8_t *)bytes)[i];
}

static void look_at(const struct cfs_sftp_reply *reply)
{
    if (reply->handle)
        add_up(reply->handle->bytes, reply->handle->length);
    if (reply->attributes)
        fuzz.sum += reply->attributes->flags;
    for (size_t i = 0; i < reply->name_count; i++) {
        add_up(reply->names[i].name, reply->names[i].name_length);
        add_up(reply->names[i].long_name, reply->names[i].long_name_length);
        fuzz.sum += reply->names[i].attributes.flags;
    }
    if (reply->data)
        add_up(reply->data, reply->data_length);
    if (reply->statvfs)
        fuzz.sum += (unsigned)reply->statvfs->blocks;
    if (reply->extended)
        add_up(reply->extended->next, reply->extended->left);
}

static void on_done(struct cfs_sftp_request *request, const struct cfs_sftp_reply *reply)
{
    struct probe *probe = cfs_container_of(request, struct probe, request);

    require(probe->submitted && !probe->cancelled && !probe->done);
    look_at(reply);
    probe->done = true;
    if (probe->again > 0 && cfs_sftp_lstat(fuzz.client, request, "/again") == 0) {
        probe->again--;
        probe->done = false;
    }
}

static void on_lost(struct cfs_sftp_client *client, int error, const char *reason, void *context)
{
    require(!fuzz.lost && error < 0 && cfs_sftp_client_in_flight(client) == 0);
    add_up(reason, strlen(reason));
    fuzz.lost = true;
}

/* The ids are 2 to 15 after an orderly start (1 asked for the limits), so the fuzzer can name them. */
static void submit_all(struct cfs_sftp_client *client)
{
    struct probe *probes = fuzz.probes;
    const uint32_t root = 0;
    int results[REQUESTS];
    int i = 0;

    results[i] = cfs_sftp_open(client, &probes[i].request, "/", SSH_FXF_READ, NULL), i++;
    results[i] = cfs_sftp_read(client, &probes[i].request, &handle, 0, READ_LENGTH), i++;
    results[i] = cfs_sftp_read(client, &probes[i].request, &handle, 0, READ_LENGTH), i++;
    results[i] = cfs_sftp_read(client, &probes[i].request, &handle, 0, READ_LENGTH), i++;
    results[i] = cfs_sftp_write(client, &probes[i].request, &handle, 0, "data", 4), i++;
    results[i] = cfs_sftp_lstat(client, &probes[i].request, "/"), i++;
    results[i] = cfs_sftp_opendir(client, &probes[i].request, "/"), i++;
    results[i] = cfs_sftp_readdir(client, &probes[i].request, &handle), i++;
    results[i] = cfs_sftp_readdir(client, &probes[i].request, &handle), i++;
    results[i] = cfs_sftp_realpath(client, &probes[i].request, "."), i++;
    results[i] = cfs_sftp_remove(client, &probes[i].request, "/"), i++;
    results[i] = cfs_sftp_statvfs(client, &probes[i].request, "/"), i++;
    results[i] = cfs_sftp_users_groups_by_id(client, &probes[i].request, &root, 1, &root, 1), i++;
    results[i] = cfs_sftp_readlink(client, &probes[i].request, "/"), i++;
    for (i = 0; i < REQUESTS; i++)
        probes[i].submitted = results[i] == 0;
}

static void on_ready(struct cfs_sftp_client *client, void *context)
{
    submit_all(client);
}

static void cancel(unsigned which)
{
    struct probe *probe = &fuzz.probes[which % REQUESTS];

    if (!probe->submitted || probe->done)
        return;
    probe->cancelled = true;
    cfs_sftp_cancel(fuzz.client, &probe->request);
    /* Its memory is the caller's again: a read must not write there any more. */
    free(probe->request.destination);
    probe->request.destination = NULL;
}

static void begin_orderly(struct memory_stream *memory)
{
    static const char *const extensions[] = {
        "limits@openssh.com", "1", "statvfs@openssh.com", "2", "users-groups-by-id@openssh.com", "1"};
    struct cfs_buffer buffer CFS_AUTO_BUFFER = {0};

    cfs_buffer_add_u32(&buffer, 0);
    cfs_buffer_add_u8(&buffer, SSH_FXP_VERSION);
    cfs_buffer_add_u32(&buffer, 3);
    for (size_t i = 0; i < CFS_COUNT(extensions); i++)
        cfs_buffer_add_text(&buffer, extensions[i]);
    cfs_buffer_set_u32(&buffer, 0, (uint32_t)(buffer.length - 4));
    cfs_buffer_add_u32(&buffer, 1 + 4 + 4 * 8);
    cfs_buffer_add_u8(&buffer, SSH_FXP_EXTENDED_REPLY);
    cfs_buffer_add_u32(&buffer, 1);
    cfs_buffer_add_u64(&buffer, 262144);
    cfs_buffer_add_u64(&buffer, 261120);
    cfs_buffer_add_u64(&buffer, 261120);
    cfs_buffer_add_u64(&buffer, 100);
    memory_stream_feed(memory, buffer.bytes, buffer.length);
    require(cfs_sftp_client_is_ready(fuzz.client));
}

static void feed(struct memory_stream *memory, struct cfs_loop *loop, const uint8_t *data, size_t size, size_t piece,
                 unsigned cancelled)
{
    bool cancel_is_due = true;

    for (size_t at = 0; at < size; at += piece) {
        size_t left = size - at;

        if (cancel_is_due && at >= size / 2) {
            cancel(cancelled);
            cancel_is_due = false;
        }
        memory_stream_feed(memory, data + at, left < piece ? left : piece);
        cfs_loop_run_once(loop, 0);
    }
}

static void check_end(void)
{
    for (int i = 0; i < REQUESTS; i++) {
        struct probe *probe = &fuzz.probes[i];

        require(!probe->submitted || probe->done != probe->cancelled);
        free(probe->request.destination);
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    const struct cfs_sftp_callbacks callbacks = {.ready = on_ready, .lost = on_lost};
    struct memory_stream memory;
    struct cfs_loop *loop;

    if (size < 2 || !(loop = cfs_loop_new()))
        return 0;
    memset(&fuzz, 0, sizeof(fuzz));
    for (int i = 0; i < REQUESTS; i++)
        fuzz.probes[i] = (struct probe){.request = {.done = on_done}, .again = i % 2};
    /* Two of the three reads have a place of their own. */
    fuzz.probes[1].request.destination = malloc(READ_LENGTH);
    fuzz.probes[2].request.destination = malloc(READ_LENGTH);
    memory_stream_init(&memory, loop);
    fuzz.client = cfs_sftp_client_new(&memory.stream, &callbacks);
    require(fuzz.client);
    cfs_loop_run_once(loop, 0);
    if (!(data[1] & 1))
        begin_orderly(&memory);
    feed(&memory, loop, data + 2, size - 2, data[0] > 0 ? data[0] : size, data[1] >> 1);
    memory.ended = true;
    memory_stream_poke(&memory);
    for (int i = 0; i < 1000 && !fuzz.lost; i++)
        cfs_loop_run_once(loop, 0);
    require(fuzz.lost);
    cfs_sftp_client_free(fuzz.client);
    check_end();
    cfs_loop_free(loop);
    memory_stream_fini(&memory);
    return 0;
}

/* How long the server takes to answer, and how much goes to it and back in a second or so. Several pieces are under way
 * at once, as when a program copies a file; what is read back is compared with what was written. */
#include "cli/check.h"
#include "cli/waited.h"
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

enum { QUESTIONS = 5, PIECE = 512 * 1024, PIECES = 8, MOST_PIECES = 64 };
static const int64_t patience_us = 1000 * 1000;

struct piece {
    struct cfs_waited waited;
    uint64_t offset;
    uint8_t *bytes;
};

struct transfer {
    struct cfs_remote *remote;
    struct cfs_remote_file *file;
    bool is_write;
    unsigned most; /* pieces */
    struct piece pieces[PIECES];
    uint8_t *expected; /* of a piece */
};

static int64_t now_us(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (int64_t)now.tv_sec * 1000000 + now.tv_nsec / 1000;
}

int cfs_check_round_trip(struct cfs_check *check, struct cfs_remote *remote)
{
    for (int i = 0; i < QUESTIONS; i++) {
        struct cfs_waited waited;
        int64_t begun_us = now_us();
        int error = cfs_waited_run(remote, &waited, lstat, "");
        int64_t taken_us = now_us() - begun_us, *best_us = &check->measures.round_trip_us;
        if (error)
            return error;
        if (*best_us < 0 || taken_us < *best_us)
            *best_us = taken_us;
    }
    return 0;
}

/* Bytes that no compression makes small, and that belong to this place of the file (xorshift64). */
static void fill(uint8_t *bytes, uint64_t offset)
{
    uint64_t state = offset + 0x9e3779b97f4a7c15u;
    for (size_t i = 0; i < PIECE; i += sizeof(state)) {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        memcpy(bytes + i, &state, sizeof(state));
    }
}

static void submit(struct transfer *transfer, struct piece *piece, unsigned number)
{
    const struct cfs_remote_operations *operations = transfer->remote->operations;
    piece->offset = (uint64_t)number * PIECE;
    cfs_waited_begin(&piece->waited);
    if (transfer->is_write) {
        fill(piece->bytes, piece->offset);
        operations->write(transfer->remote, &piece->waited.call, transfer->file, piece->offset, PIECE, piece->bytes);
    } else {
        operations->read(transfer->remote, &piece->waited.call, transfer->file, piece->offset, PIECE, piece->bytes);
    }
}

static int finish(struct transfer *transfer, struct piece *piece)
{
    int error = cfs_waited_end(&piece->waited);
    if (error || transfer->is_write)
        return error;
    fill(transfer->expected, piece->offset);
    bool is_same = piece->waited.call.result.length == PIECE && memcmp(piece->bytes, transfer->expected, PIECE) == 0;
    return is_same ? 0 : -EBADMSG;
}

static bool may_submit(const struct transfer *transfer, unsigned begun, unsigned ended, int64_t begun_us)
{
    return begun < transfer->most && begun - ended < PIECES && now_us() - begun_us < patience_us;
}

/* Until the time is over, or all is moved. One piece first, and two for each that has ended: so a slow link is not
 * given more than it carries in time. The number of pieces that were moved, or -errno. */
static int move(struct transfer *transfer, int64_t *ret_taken_us)
{
    unsigned begun = 0, ended = 0;
    int error = 0;
    int64_t begun_us = now_us();
    if (transfer->most > 0)
        submit(transfer, &transfer->pieces[0], begun++);
    while (ended < begun) {
        int result = finish(transfer, &transfer->pieces[ended++ % PIECES]);
        error = error ? error : result;
        for (int i = 0; i < 2 && !error && may_submit(transfer, begun, ended, begun_us); i++) {
            submit(transfer, &transfer->pieces[begun % PIECES], begun);
            begun++;
        }
    }
    *ret_taken_us = now_us() - begun_us;
    return error ? error : (int)ended;
}

static int64_t rate(int pieces, int64_t taken_us)
{
    return (int64_t)pieces * PIECE * 1000000 / (taken_us > 0 ? taken_us : 1);
}

static int both_ways(struct cfs_check *check, struct transfer *transfer)
{
    int64_t taken_us = 0;
    transfer->is_write = true;
    int moved = move(transfer, &taken_us);
    if (moved <= 0)
        return moved;
    check->measures.written_per_s = rate(moved, taken_us);
    transfer->is_write = false;
    transfer->most = (unsigned)moved;
    moved = move(transfer, &taken_us);
    if (moved > 0)
        check->measures.read_per_s = rate(moved, taken_us);
    return moved < 0 ? moved : 0;
}

int cfs_check_throughput(struct cfs_check *check, struct cfs_remote *remote, struct cfs_remote_file *file,
                         uint64_t room)
{
    struct transfer transfer = {.remote = remote, .file = file, .most = MOST_PIECES};
    uint8_t *memory CFS_AUTO_FREE = malloc((size_t)PIECE * (PIECES + 1));
    if (!memory)
        return -ENOMEM;
    for (unsigned i = 0; i < PIECES; i++)
        transfer.pieces[i].bytes = memory + (size_t)PIECE * i;
    transfer.expected = memory + (size_t)PIECE * PIECES;
    if (room / PIECE < transfer.most)
        transfer.most = (unsigned)(room / PIECE);
    return both_ways(check, &transfer);
}

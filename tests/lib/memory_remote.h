/* The contract remote/remote.h in memory: deterministic, from a seed, on a clock that the test turns.
 *
 * Each call has two events: it takes effect ("the server"), later it completes. Both wait in a run queue until the test
 * turns it with the memory_remote_run functions; `done` is called from there and nowhere else. Each event has its time:
 * the call takes effect half a latency after it was submitted and completes at the full latency, both with jitter; the
 * clock moves forward to the event that is run. Where times are equal (always, without latency) the seed decides who is
 * first, so that whatever the contract does not order gets reordered. What it does order is kept: calls on one file
 * take effect as submitted, close completes last.
 *
 * Breaking the contract (a call submitted while in flight, a file used after close, a listing read twice at once,
 * a bad path, files left open at the end) ends the test: a message on stderr, then abort().
 *
 * Calls may be submitted and cancelled on any thread; everything else is for one thread at a time. */
#ifndef CFS_TESTS_LIB_MEMORY_REMOTE_H
#define CFS_TESTS_LIB_MEMORY_REMOTE_H

#include "base/clock.h"
#include "lib/memory_tree.h"
#include "remote/remote.h"

enum memory_operation {
    MEMORY_LSTAT,
    MEMORY_SETATTR,
    MEMORY_READLINK,
    MEMORY_MKDIR,
    MEMORY_RMDIR,
    MEMORY_UNLINK,
    MEMORY_SYMLINK,
    MEMORY_LINK,
    MEMORY_RENAME,
    MEMORY_STATFS,
    MEMORY_OPEN,
    MEMORY_OPEN_KNOWN,
    MEMORY_READ,
    MEMORY_WRITE,
    MEMORY_FSTAT,
    MEMORY_FSETATTR,
    MEMORY_FLUSH,
    MEMORY_FSYNC,
    MEMORY_COPY,
    MEMORY_CLOSE,
    MEMORY_PUT, /* fails as OPEN and WRITE do, too, where all of those fail */
    MEMORY_OPEN_LISTING,
    MEMORY_READ_LISTING,
    MEMORY_CLOSE_LISTING,
    MEMORY_ID_NAMES,
    MEMORY_OPERATIONS, /* how many; also "any of them" */
};

struct memory_remote;

/* Zero is the default of each. */
struct memory_remote_options {
    uint64_t seed;
    uint32_t latency_ms;
    uint32_t jitter_ms;       /* up to so much more, at each of the two events */
    uint32_t op_timeout_ms;   /* default 30,000 */
    unsigned no_capabilities; /* enum cfs_remote_capability: what this server cannot */
    uint32_t listing_batch;   /* entries in one read_listing; default 100 */
    bool tells_changes;       /* mkdir, symlink, link, setattr, fsetattr, and unlink, rmdir of the
                               * folder, give the attributes that came of it */
    uint32_t listing_ahead;   /* batches fetched ahead: at most CFS_REMOTE_LISTING_AHEAD */
};

/* OPTIONS may be NULL. Never NULL. */
struct memory_remote *memory_remote_new(const struct memory_remote_options *options);
/* No call may be in flight, no file and no listing open. NULL is fine. */
void memory_remote_free(struct memory_remote *memory);

/* What the code under test gets. */
struct cfs_remote *memory_remote_as_remote(struct memory_remote *memory);
const struct cfs_clock *memory_remote_clock(struct memory_remote *memory);

/* --- turning --- */

/* Runs the next event, moving the clock to it if it lies ahead. False when nothing is left to run. */
bool memory_remote_step(struct memory_remote *memory);
/* Until nothing is left (what is held stays). The number of events. */
size_t memory_remote_run(struct memory_remote *memory);
/* Until DONE says true; false if nothing was left before that. */
bool memory_remote_run_until(struct memory_remote *memory, bool (*done)(void *context), void *context);
/* Until CALL has completed (its `implementation` is NULL). */
bool memory_remote_run_call(struct memory_remote *memory, const struct cfs_remote_call *call);
/* Moves the clock forward by MS, running what falls due on the way. */
void memory_remote_advance(struct memory_remote *memory, int64_t ms);

/* Calls of this kind submitted from now on (and those in flight) make no progress until they are released. */
void memory_remote_hold(struct memory_remote *memory, enum memory_operation operation);
void memory_remote_release(struct memory_remote *memory, enum memory_operation operation);

/* CAME is called for each call of this kind, on the thread that submits it and before that goes on; PATH is that of its
 * file. For one kind at a time; NULL: no more. */
void memory_remote_when_asked(struct memory_remote *memory, enum memory_operation operation,
                              void (*came)(void *context, const char *path), void *context);

/* --- counting --- */

size_t memory_remote_in_flight(const struct memory_remote *memory);
/* Calls of a kind submitted so far; MEMORY_OPERATIONS: of all kinds. */
uint64_t memory_remote_count(const struct memory_remote *memory, enum memory_operation operation);
uint64_t memory_remote_bytes_read(const struct memory_remote *memory);
uint64_t memory_remote_bytes_written(const struct memory_remote *memory);
size_t memory_remote_open_files(const struct memory_remote *memory);

/* --- faults --- */

/* The NTH call of this kind (1: the next one submitted) ends with ERROR (negative), without effect. 8 faults may be set
 * at once; each strikes once. */
void memory_remote_fail(struct memory_remote *memory, enum memory_operation operation, unsigned nth, int error);
/* Takes effect, then ends with ERROR: what a lost connection looks like. */
void memory_remote_fail_after(struct memory_remote *memory, enum memory_operation operation, unsigned nth, int error);
/* Takes effect, is never answered: -ETIMEDOUT after op_timeout. */
void memory_remote_lose_reply(struct memory_remote *memory, enum memory_operation operation, unsigned nth);
/* Every call of this kind fails, until ERROR is 0 again. */
void memory_remote_fail_all(struct memory_remote *memory, enum memory_operation operation, int error);
/* Those that have not struck yet do not strike any more. */
void memory_remote_forget_faults(struct memory_remote *memory);
/* Loses the connection: what is in flight ends with -ENOTCONN, having taken effect or not as the seed decides; so does
 * every later call, until memory_remote_reconnect. Handles survive a reconnect. */
void memory_remote_disconnect(struct memory_remote *memory);
void memory_remote_reconnect(struct memory_remote *memory);

/* Loses the connection as a remote does that makes it again: what is in flight, and what comes, waits until
 * memory_remote_find, but what would rather fail ends with -ENOTCONN, without effect. close and open_known go on. */
void memory_remote_lose(struct memory_remote *memory);
void memory_remote_find(struct memory_remote *memory);

/* What is open under PATH is another file's from now on, as after a lost connection: -ESTALE. */
void memory_remote_make_stale(struct memory_remote *memory, const char *path);

/* --- behind the back: another program on the server --- */

/* The tree itself: memory_tree_mkdir(memory_remote_tree(m), ...) and so on take effect at once, without a call. */
struct memory_tree *memory_remote_tree(struct memory_remote *memory);
/* Creates or replaces the content of a file (same node if it exists). The functions below end the test if they fail. */
void memory_remote_poke_file(struct memory_remote *memory, const char *path, const void *data, size_t length);
/* Adds to its end. */
void memory_remote_poke_append(struct memory_remote *memory, const char *path, const void *data, size_t length);
void memory_remote_poke_write(struct memory_remote *memory, const char *path, uint64_t offset, const void *data,
                              size_t length);
void memory_remote_poke_truncate(struct memory_remote *memory, const char *path, uint64_t size);
void memory_remote_poke_mtime(struct memory_remote *memory, const char *path, int64_t mtime);
void memory_remote_poke_mkdir(struct memory_remote *memory, const char *path);
/* A folder that was last changed AGE_S seconds ago is what the facts tell of the root, learned now. */
void memory_remote_tell_root(struct memory_remote *memory, int64_t age_s);
void memory_remote_poke_symlink(struct memory_remote *memory, const char *target, const char *path);
/* A file or an empty folder. */
void memory_remote_poke_remove(struct memory_remote *memory, const char *path);
void memory_remote_poke_rename(struct memory_remote *memory, const char *from, const char *to);
/* The content of a file: bytes read (at most LENGTH from OFFSET), or -errno. */
ssize_t memory_remote_peek(struct memory_remote *memory, const char *path, uint64_t offset, void *buffer,
                           size_t length);

#endif

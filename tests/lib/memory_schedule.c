/* The in-memory remote: the run queue.
 *
 * A call is in memory->pending from its submission to its completion. Its next event is "takes effect" at effect_at,
 * then "completes" at done_at. The earliest event whose turn it may be is run; among equals the random numbers choose.
 * A call on a file may not take effect before an earlier one on that file has, and close may not complete before they
 * have. */
#include "lib/memory_remote_priv.h"
#include <errno.h>
#include <string.h>

static int64_t some_jitter(struct memory_remote *memory)
{
    return memory->options.jitter_ms ? (int64_t)memory_random(memory, memory->options.jitter_ms + UINT64_C(1)) : 0;
}

static bool uses(const struct pending *pending, const struct cfs_remote_file *file)
{
    return file && (pending->file == file || pending->to == file);
}

static void pending_free(struct pending *pending)
{
    for (size_t i = 0; pending->entry_names && i < pending->result.count; i++)
        free(pending->entry_names[i]);
    free(pending->entry_names);
    free(pending->entries);
    free(pending->id_names);
    free(pending->id_texts);
    free(pending->target);
    free(pending->path);
    free(pending->other);
    free(pending->data);
    free(pending->ids);
    free(pending);
}

/* Which fault strikes this call. */
static struct fault take_fault(struct memory_remote *memory, enum memory_operation operation)
{
    struct fault struck = {.kind = FAULT_NONE};
    if (memory->fail_all[operation])
        struck = (struct fault){.kind = FAULT_BEFORE, .error = memory->fail_all[operation]};
    for (size_t i = 0; i < CFS_COUNT(memory->faults); i++) {
        struct fault *fault = &memory->faults[i];
        if (fault->kind == FAULT_NONE || (fault->operation != operation && fault->operation != MEMORY_OPERATIONS))
            continue;
        if (--fault->left > 0)
            continue;
        struck = *fault;
        fault->kind = FAULT_NONE;
    }
    return struck;
}

/* Goes on without a connection. */
static bool needs_nothing(const struct pending *pending)
{
    return pending->operation == MEMORY_CLOSE || pending->operation == MEMORY_CLOSE_LISTING ||
           pending->operation == MEMORY_OPEN_KNOWN;
}

void memory_submit(struct memory_remote *memory, struct pending *pending)
{
    pthread_mutex_lock(&memory->lock);
    struct cfs_remote_call *call = pending->call;
    int64_t now = memory->clock.ms;
    if (call->implementation)
        memory_fault("a call was submitted while it was in flight");
    call->implementation = pending;
    call->error = 0;
    memset(&call->result, 0, sizeof(call->result));
    memory->counts[pending->operation]++;
    pending->fault = take_fault(memory, pending->operation);
    bool fails = memory->is_lost && call->when_lost == CFS_REMOTE_FAIL && !needs_nothing(pending);
    if (!memory->connected || fails)
        pending->fault = (struct fault){.kind = FAULT_BEFORE, .error = -ENOTCONN};
    pending->effect_at = now + memory->options.latency_ms / 2 + some_jitter(memory);
    pending->timeout_at = now + memory->options.op_timeout_ms;
    cfs_list_push_back(&memory->pending, &pending->link);
    memory_trace(memory, pending, "comes");
    void (*came)(void *context, const char *path) = memory->watched == pending->operation ? memory->came : NULL;
    void *context = memory->came_context;
    const char *path = pending->file ? pending->file->path : pending->path;
    pthread_mutex_unlock(&memory->lock);
    if (came)
        came(context, path);
}

/* Lets it take effect now, or what its fault makes of that. */
static void take_effect(struct memory_remote *memory, struct pending *pending)
{
    int64_t now = memory->clock.ms;
    pending->effected = true;
    pending->done_at = now + (memory->options.latency_ms + 1) / 2 + some_jitter(memory);
    if (pending->fault.kind == FAULT_BEFORE) {
        pending->error = pending->fault.error;
        return;
    }
    memory_effect(memory, pending);
    if (pending->fault.kind == FAULT_AFTER)
        pending->error = pending->fault.error;
    if (pending->fault.kind == FAULT_SILENT) {
        pending->error = -ETIMEDOUT;
        pending->done_at = pending->timeout_at;
    }
    memory_trace(memory, pending, "has its effect");
}

/* What an error leaves behind must not leak, and must not be told. */
static void drop_result(struct pending *pending)
{
    if (pending->result.file)
        memory_file_free(pending->result.file);
    if (pending->result.listing)
        memory_listing_free(pending->result.listing);
    for (size_t i = 0; pending->entry_names && i < pending->result.count; i++)
        free(pending->entry_names[i]);
    free(pending->entry_names);
    pending->entry_names = NULL;
    memset(&pending->result, 0, sizeof(pending->result));
}

/* The lock is held; it is given up while `done` runs. */
static void complete(struct memory_remote *memory, struct pending *pending)
{
    struct cfs_remote_call *call = pending->call;
    memory_trace(memory, pending, "completes");
    cfs_list_remove(&pending->link);
    if (pending->error)
        drop_result(pending);
    if (pending->operation == MEMORY_CLOSE)
        memory_file_free(pending->file);
    if (pending->operation == MEMORY_CLOSE_LISTING)
        memory_listing_free(pending->listing);
    if (pending->operation == MEMORY_READ_LISTING)
        pending->listing->reading = false;
    call->implementation = NULL;
    call->error = pending->error;
    call->result = pending->result;
    pthread_mutex_unlock(&memory->lock);
    call->done(call);
    pthread_mutex_lock(&memory->lock);
    pending_free(pending);
}

/* Whether a call submitted before PENDING on one of its files stands in its way. */
static bool must_wait(struct memory_remote *memory, const struct pending *pending)
{
    struct cfs_list *link;
    cfs_list_each (link, &memory->pending) {
        const struct pending *earlier = cfs_container_of(link, struct pending, link);
        if (earlier == pending)
            break;
        if (!uses(pending, earlier->file) && !uses(pending, earlier->to))
            continue;
        if (pending->effected ? pending->operation == MEMORY_CLOSE : !earlier->effected)
            return true;
    }
    return false;
}

static int64_t next_time(const struct pending *pending)
{
    return pending->effected ? pending->done_at : pending->effect_at;
}

/* The next event: NULL if there is none, or none before LIMIT. */
static struct pending *choose(struct memory_remote *memory, int64_t limit)
{
    struct pending *chosen = NULL;
    uint64_t equals = 0;
    struct cfs_list *link;
    cfs_list_each (link, &memory->pending) {
        struct pending *pending = cfs_container_of(link, struct pending, link);
        int64_t at = next_time(pending);
        if (at < memory->clock.ms)
            at = memory->clock.ms;
        bool waits = memory->is_lost && !needs_nothing(pending) && pending->call->when_lost != CFS_REMOTE_FAIL &&
                     pending->error != -EINTR;
        if (memory->held[pending->operation] || at > limit || waits)
            continue;
        int64_t best = chosen ? next_time(chosen) : INT64_MAX;
        if (best < memory->clock.ms)
            best = memory->clock.ms;
        if (at > best || must_wait(memory, pending))
            continue;
        equals = at < best ? 1 : equals + 1;
        if (memory_random(memory, equals) == 0)
            chosen = pending;
    }
    return chosen;
}

/* Runs one event that lies not after LIMIT. */
static bool step_until(struct memory_remote *memory, int64_t limit)
{
    pthread_mutex_lock(&memory->lock);
    struct pending *pending = choose(memory, limit);
    if (pending) {
        if (next_time(pending) > memory->clock.ms)
            memory->clock.ms = next_time(pending);
        if (pending->effected)
            complete(memory, pending);
        else
            take_effect(memory, pending);
    }
    pthread_mutex_unlock(&memory->lock);
    return pending != NULL;
}

bool memory_remote_step(struct memory_remote *memory)
{
    return step_until(memory, INT64_MAX);
}

size_t memory_remote_run(struct memory_remote *memory)
{
    size_t events = 0;
    while (memory_remote_step(memory))
        events++;
    return events;
}

bool memory_remote_run_until(struct memory_remote *memory, bool (*done)(void *context), void *context)
{
    while (!done(context)) {
        if (!memory_remote_step(memory))
            return false;
    }
    return true;
}

bool memory_remote_run_call(struct memory_remote *memory, const struct cfs_remote_call *call)
{
    while (call->implementation) {
        if (!memory_remote_step(memory))
            return false;
    }
    return true;
}

void memory_remote_advance(struct memory_remote *memory, int64_t ms)
{
    int64_t limit = memory->clock.ms + ms;
    while (step_until(memory, limit))
        ;
    if (memory->clock.ms < limit)
        memory->clock.ms = limit;
}

/* Ends a call early with ERROR: whether it takes effect, the seed decides (never out of order). */
static void end_early(struct memory_remote *memory, struct pending *pending, int error)
{
    if (!pending->effected && memory_random(memory, 2) && !must_wait(memory, pending)) {
        pending->fault.kind = FAULT_NONE;
        take_effect(memory, pending);
    }
    pending->effected = true;
    pending->error = error;
    pending->done_at = memory->clock.ms;
    memory_trace(memory, pending, "is ended early");
}

void memory_cancel(struct memory_remote *memory, struct cfs_remote_call *call)
{
    pthread_mutex_lock(&memory->lock);
    struct pending *pending = call->implementation;
    if (pending && pending->operation != MEMORY_PUT && pending->operation != MEMORY_CLOSE &&
        pending->operation != MEMORY_CLOSE_LISTING)
        end_early(memory, pending, -EINTR);
    pthread_mutex_unlock(&memory->lock);
}

void memory_remote_disconnect(struct memory_remote *memory)
{
    pthread_mutex_lock(&memory->lock);
    memory->connected = false;
    struct cfs_list *link;
    cfs_list_each (link, &memory->pending)
        end_early(memory, cfs_container_of(link, struct pending, link), -ENOTCONN);
    pthread_mutex_unlock(&memory->lock);
}

void memory_remote_lose(struct memory_remote *memory)
{
    pthread_mutex_lock(&memory->lock);
    memory->is_lost = true;
    struct cfs_list *link;
    cfs_list_each (link, &memory->pending) {
        struct pending *pending = cfs_container_of(link, struct pending, link);
        if (pending->call->when_lost != CFS_REMOTE_FAIL || pending->effected || needs_nothing(pending))
            continue;
        pending->effected = true;
        pending->error = -ENOTCONN;
        pending->done_at = memory->clock.ms;
    }
    pthread_mutex_unlock(&memory->lock);
}

void memory_remote_find(struct memory_remote *memory)
{
    pthread_mutex_lock(&memory->lock);
    memory->is_lost = false;
    pthread_mutex_unlock(&memory->lock);
}

/* A cache over the memory remote, turned by hand. */
#include "lib/cache_fixture.h"
#include "base/text.h"
#include "lib/memory_remote_priv.h"
#include <errno.h>
#include <fcntl.h>
#include <string.h>

/* Files that the cache opened ahead, and nobody took, are closed by then. */
enum { OPEN_AHEAD_SECONDS = 4 };
/* From room to room by way of the loop, before the remote below has something to do again. */
enum { MOST_TURNS = 8 };

void cache_fixture_init(struct cache_fixture *fixture, const struct memory_remote_options *options)
{
    memset(fixture, 0, sizeof(*fixture));
    fixture->memory = memory_remote_new(options);
    fixture->loop = memory_need(cfs_loop_new_with_clock(memory_remote_clock(fixture->memory)));
    fixture->options = (struct cfs_cache_options){
        .clock = memory_remote_clock(fixture->memory),
        .attr_ttl_ms = -1,
        .prefetch = true,
        .loop = fixture->loop,
    };
}

void cache_fixture_start(struct cache_fixture *fixture)
{
    if (cfs_cache_new(memory_remote_as_remote(fixture->memory), &fixture->options, &fixture->cache) < 0)
        memory_fault("no cache");
    fixture->operations = fixture->cache->operations;
}

void cache_turn(struct cache_fixture *fixture)
{
    cfs_loop_run_once(fixture->loop, 0);
}

void cache_run(struct cache_fixture *fixture)
{
    for (unsigned idle = 0; idle < MOST_TURNS; idle++) {
        if (memory_remote_run(fixture->memory) > 0)
            idle = 0;
        cache_turn(fixture);
    }
}

void cache_fixture_fini(struct cache_fixture *fixture)
{
    cache_run(fixture);
    for (int second = 0; second < OPEN_AHEAD_SECONDS; second++) {
        memory_remote_advance(fixture->memory, 1000);
        cache_turn(fixture);
        cache_run(fixture);
    }
    (void)cache_sync(fixture);
    cfs_cache_free(fixture->cache);
    cfs_loop_free(fixture->loop);
    memory_remote_free(fixture->memory);
}

/* --- calls --- */

static void copy_entries(struct cache_call *call)
{
    const struct cfs_remote_result *result = &call->call.result;
    size_t total = 1;
    for (size_t i = 0; i < result->count; i++)
        total += result->entries[i].name_length + 1;
    call->names = memory_need(calloc(1, total));
    call->entry_names = memory_need(calloc(1, total));
    call->entries = memory_need(calloc(result->count + 1, sizeof(*call->entries)));
    char *end = call->names, *name = call->entry_names;
    for (size_t i = 0; i < result->count; i++) {
        call->entries[i] = result->entries[i];
        call->entries[i].name = name;
        if (strlen(result->entries[i].name) != result->entries[i].name_length)
            memory_fault("a name's length is wrong");
        name = stpcpy(name, result->entries[i].name) + 1;
        end = stpcpy(stpcpy(end, result->entries[i].name), " ");
    }
}

static void done(struct cfs_remote_call *remote_call)
{
    struct cache_call *call = cfs_container_of(remote_call, struct cache_call, call);
    if (call->completed++)
        memory_fault("a call has completed twice");
    if (remote_call->implementation)
        memory_fault("a completed call still has an implementation");
    if (remote_call->error == 0 && remote_call->result.target)
        call->target = memory_need(strdup(remote_call->result.target));
    if (remote_call->error == 0 && remote_call->result.entries)
        copy_entries(call);
}

void cache_call_init(struct cache_call *call)
{
    memset(call, 0, sizeof(*call));
    call->call.done = done;
}

void cache_call_fini(struct cache_call *call)
{
    free(call->target);
    free(call->names);
    free(call->entries);
    free(call->entry_names);
}

int cache_wait(struct cache_fixture *fixture, struct cache_call *call)
{
    for (unsigned idle = 0; !call->completed; idle++) {
        cache_turn(fixture);
        if (call->completed)
            break;
        if (memory_remote_step(fixture->memory))
            idle = 0;
        else if (idle > MOST_TURNS)
            memory_fault("a call does not complete");
    }
    return call->call.error;
}

uint64_t cache_cost(struct cache_fixture *fixture)
{
    uint64_t now = memory_remote_count(fixture->memory, MEMORY_OPERATIONS), cost = now - fixture->told;
    fixture->told = now;
    return cost;
}

/* --- operations --- */

#define run_call(operation, to_run, ...)                                                                               \
    ({                                                                                                                 \
        struct cache_call *cache_call_ = (to_run);                                                                     \
        cache_call_init(cache_call_);                                                                                  \
        cache_call_->call.when_lost = fixture->when_lost;                                                              \
        fixture->operations->operation(fixture->cache, &cache_call_->call, __VA_ARGS__);                               \
        if (cache_call_->completed)                                                                                    \
            memory_fault("a call has completed while it was being submitted");                                         \
        cache_wait(fixture, cache_call_);                                                                              \
    })

static int end(struct cache_call *call)
{
    cache_call_fini(call);
    return call->call.error;
}

int cache_lstat(struct cache_fixture *fixture, const char *path, struct cfs_remote_attributes *ret_attributes)
{
    struct cache_call call;
    if (run_call(lstat, &call, path) == 0 && ret_attributes)
        *ret_attributes = call.call.result.attributes;
    return end(&call);
}

int cache_setattr(struct cache_fixture *fixture, const char *path, const struct cfs_remote_attributes *attributes)
{
    struct cache_call call;
    run_call(setattr, &call, path, 0, attributes);
    return end(&call);
}

int cache_readlink(struct cache_fixture *fixture, const char *path, char *target, size_t size)
{
    struct cache_call call;
    if (run_call(readlink, &call, path) == 0)
        snprintf(target, size, "%s", call.target);
    return end(&call);
}

int cache_mkdir(struct cache_fixture *fixture, const char *path)
{
    struct cache_call call;
    run_call(mkdir, &call, path, 0755);
    return end(&call);
}

int cache_rmdir(struct cache_fixture *fixture, const char *path)
{
    struct cache_call call;
    run_call(rmdir, &call, path);
    return end(&call);
}

int cache_unlink(struct cache_fixture *fixture, const char *path)
{
    struct cache_call call;
    run_call(unlink, &call, path);
    return end(&call);
}

int cache_symlink(struct cache_fixture *fixture, const char *target, const char *path)
{
    struct cache_call call;
    run_call(symlink, &call, target, path);
    return end(&call);
}

int cache_link(struct cache_fixture *fixture, const char *from, const char *to)
{
    struct cache_call call;
    run_call(link, &call, from, to);
    return end(&call);
}

int cache_rename(struct cache_fixture *fixture, const char *from, const char *to, enum cfs_remote_rename how)
{
    struct cache_call call;
    run_call(rename, &call, from, to, how);
    return end(&call);
}

int cache_open(struct cache_fixture *fixture, const char *path, int flags, struct cfs_remote_file **ret_file)
{
    struct cache_call call;
    if (run_call(open, &call, path, flags, 0644) == 0)
        *ret_file = call.call.result.file;
    return end(&call);
}

int cache_flush(struct cache_fixture *fixture, struct cfs_remote_file *file)
{
    struct cache_call call;
    run_call(flush, &call, file);
    return end(&call);
}

int cache_close(struct cache_fixture *fixture, struct cfs_remote_file *file)
{
    struct cache_call call;
    run_call(close, &call, file);
    return end(&call);
}

ssize_t cache_read(struct cache_fixture *fixture, struct cfs_remote_file *file, uint64_t offset, size_t length,
                   void *buffer)
{
    struct cache_call call;
    ssize_t result = run_call(read, &call, file, offset, length, buffer);
    if (result == 0)
        result = (ssize_t)call.call.result.length;
    cache_call_fini(&call);
    return result;
}

int cache_write(struct cache_fixture *fixture, struct cfs_remote_file *file, uint64_t offset, size_t length,
                const void *data)
{
    struct cache_call call;
    run_call(write, &call, file, offset, length, data);
    return end(&call);
}

int cache_sync(struct cache_fixture *fixture)
{
    struct cache_call call;
    cache_call_init(&call);
    fixture->operations->sync(fixture->cache, &call.call);
    cache_wait(fixture, &call);
    cache_run(fixture); /* closes */
    return end(&call);
}

int cache_fstat(struct cache_fixture *fixture, struct cfs_remote_file *file,
                struct cfs_remote_attributes *ret_attributes)
{
    struct cache_call call;
    if (run_call(fstat, &call, file) == 0 && ret_attributes)
        *ret_attributes = call.call.result.attributes;
    return end(&call);
}

int cache_fsetattr(struct cache_fixture *fixture, struct cfs_remote_file *file,
                   const struct cfs_remote_attributes *attributes)
{
    struct cache_call call;
    run_call(fsetattr, &call, file, attributes);
    return end(&call);
}

int cache_create(struct cache_fixture *fixture, const char *path, const char *content)
{
    struct cfs_remote_file *file;
    int error = cache_open(fixture, path, O_CREAT | O_TRUNC | O_RDWR, &file);
    if (error < 0)
        return error;
    error = cache_write(fixture, file, 0, strlen(content), content);
    int closing = cache_close(fixture, file);
    return error ? error : closing;
}

static char *read_all(struct cache_fixture *fixture, struct cfs_remote_listing *listing, int *ret_error)
{
    char *all = memory_need(strdup(""));
    for (bool ended = false; !ended;) {
        struct cache_call call;
        int error = run_call(read_listing, &call, listing);
        if (error == 0 && call.call.result.count > 0) {
            char *longer = memory_need(cfs_text_format("%s%s", all, call.names));
            free(all);
            all = longer;
        } else {
            ended = true;
        }
        cache_call_fini(&call);
        if (error < 0) {
            *ret_error = error;
            free(CFS_TAKE(all));
        }
    }
    return all;
}

char *cache_list(struct cache_fixture *fixture, const char *path, int *ret_error)
{
    struct cache_call call;
    *ret_error = run_call(open_listing, &call, path);
    struct cfs_remote_listing *listing = call.call.result.listing;
    cache_call_fini(&call);
    if (*ret_error < 0)
        return NULL;
    char *all = read_all(fixture, listing, ret_error);
    run_call(close_listing, &call, listing);
    cache_call_fini(&call);
    return all;
}

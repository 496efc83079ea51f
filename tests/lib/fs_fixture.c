/* Each function submits, waits and forgets what it does not hand out. Replies may come from the file system's own
 * thread: where nothing is left to turn, the wait yields until the reply is there. */
#include "lib/fs_fixture.h"

#include "lib/test.h"
#include <errno.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* From room to room of the cache by way of its loop, before the remote has something to do again. */
enum { TURNS_BETWEEN_ROOMS = 8, OPEN_AHEAD_SECONDS = 4 };

static void node_changed(void *context, uint64_t node, int64_t offset, int64_t length)
{
    struct fs_fixture *fixture = context;
    (void)length;
    fixture->nodes_changed++;
    fixture->changed_node = node;
    fixture->changed_offset = offset;
}

static void entry_changed(void *context, uint64_t parent, const char *name)
{
    (void)context;
    (void)parent;
    (void)name;
}

void fs_fixture_init(struct fs_fixture *fixture, const struct memory_remote_options *options)
{
    memset(fixture, 0, sizeof(*fixture));
    fixture->memory = memory_remote_new(options);
    fixture->profile = (struct cfs_profile){
        .attr_ttl_ms = 1000, .uid = 1000, .gid = 1000, .idmap = CFS_IDMAP_NONE, .symlinks = CFS_SYMLINKS_SAFE};
}

static void remote_changed(void *context, const char *path, bool is_another)
{
    struct fs_fixture *fixture = context;
    if (fixture->fs)
        cfs_fs_remote_changed(fixture->fs, path, is_another);
}

static struct cfs_remote *put_cache_in_between(struct fs_fixture *fixture)
{
    struct cfs_cache_options *options = &fixture->cache_options;
    fixture->loop = cfs_loop_new_with_clock(memory_remote_clock(fixture->memory));
    assert_non_null(fixture->loop);
    options->clock = memory_remote_clock(fixture->memory);
    options->loop = fixture->loop;
    options->number = cfs_fs_usual_number;
    options->changed = remote_changed;
    options->context = fixture;
    assert_int_equal(cfs_cache_new(memory_remote_as_remote(fixture->memory), options, &fixture->cache), 0);
    return fixture->cache;
}

void fs_fixture_start(struct fs_fixture *fixture)
{
    struct cfs_fs_options options = {
        .profile = &fixture->profile,
        .clock = memory_remote_clock(fixture->memory),
        .notifier = {.node_changed = node_changed, .entry_changed = entry_changed, .context = fixture},
        .lost = fixture->lost,
        .context = fixture->lost_context,
    };
    struct cfs_remote *remote =
        fixture->is_cached ? put_cache_in_between(fixture) : memory_remote_as_remote(fixture->memory);
    assert_int_equal(cfs_fs_new(remote, &options, &fixture->fs), 0);
}

bool fs_fixture_turn(struct fs_fixture *fixture)
{
    if (!fixture->loop)
        return memory_remote_step(fixture->memory);
    cfs_loop_run_once(fixture->loop, 0);
    bool stepped = memory_remote_step(fixture->memory);
    cfs_loop_run_once(fixture->loop, 0);
    fixture->idle = stepped ? 0 : fixture->idle + 1;
    if (fixture->idle < TURNS_BETWEEN_ROOMS)
        return true;
    memory_remote_advance(fixture->memory, 10);
    return false;
}

void fs_fixture_run(struct fs_fixture *fixture)
{
    while (fs_fixture_turn(fixture))
        ;
}

/* What was opened ahead and not used is closed after a while; what is done behind ends. */
static void end_cache(struct fs_fixture *fixture)
{
    for (int second = 0; second < OPEN_AHEAD_SECONDS; second++) {
        memory_remote_advance(fixture->memory, 1000);
        fs_fixture_run(fixture);
    }
    cfs_cache_free(fixture->cache);
    cfs_loop_free(fixture->loop);
}

void fs_fixture_fini(struct fs_fixture *fixture)
{
    struct cfs_fs_status status;
    fs_fixture_run(fixture);
    cfs_fs_status(fixture->fs, &status);
    assert_int_equal(status.requests_in_flight, 0);
    assert_int_equal(status.open_files, 0);
    assert_int_equal(status.nodes, 1);
    cfs_fs_free(CFS_TAKE(fixture->fs));
    if (fixture->is_cached)
        end_cache(fixture);
    memory_remote_free(fixture->memory);
}

/* --- waiting --- */

static void replied(struct cfs_request *request)
{
    struct fs_call *call = cfs_container_of(request, struct fs_call, request);
    call->replies++;
    if (request->error == 0 && request->result.target)
        snprintf(call->target, sizeof(call->target), "%s", request->result.target);
    atomic_store(&call->replied, true);
}

void fs_call_init(struct fs_call *call)
{
    memset(call, 0, sizeof(*call));
    call->request.reply = replied;
    call->name_limit = SIZE_MAX;
}

int fs_call_wait(struct fs_fixture *fixture, struct fs_call *call)
{
    while (!atomic_load(&call->replied)) {
        if (!fs_fixture_turn(fixture))
            sched_yield();
    }
    assert_int_equal(call->replies, 1);
    return call->request.error;
}

/* --- nodes and names --- */

static int give_entry(struct fs_fixture *fixture, struct fs_call *call, struct cfs_entry *ret_entry)
{
    int error = fs_call_wait(fixture, call);
    if (error == 0 && ret_entry)
        *ret_entry = call->request.result.entry;
    else if (error == 0)
        fs_forget(fixture, call->request.result.entry.node);
    return error;
}

int fs_lookup(struct fs_fixture *fixture, uint64_t parent, const char *name, struct cfs_entry *ret_entry)
{
    struct fs_call call;
    struct cfs_entry entry;
    fs_call_init(&call);
    cfs_fs_lookup(fixture->fs, &call.request, parent, name);
    int error = give_entry(fixture, &call, &entry);
    if (error == 0 && entry.node == 0)
        error = -ENOENT;
    if (error == 0 && ret_entry)
        *ret_entry = entry;
    else if (error == 0)
        fs_forget(fixture, entry.node);
    return error;
}

uint64_t fs_walk(struct fs_fixture *fixture, const char *path)
{
    uint64_t node = CFS_ROOT_NODE;
    char *copy = strdup(path);
    char *rest = copy, *part;
    while ((part = strsep(&rest, "/"))) {
        struct cfs_entry entry;
        assert_int_equal(fs_lookup(fixture, node, part, &entry), 0);
        if (node != CFS_ROOT_NODE)
            fs_forget(fixture, node);
        node = entry.node;
    }
    free(copy);
    return node;
}

void fs_forget(struct fs_fixture *fixture, uint64_t node)
{
    cfs_fs_forget(fixture->fs, node, 1);
}

static int give_attributes(struct fs_fixture *fixture, struct fs_call *call, struct stat *ret_attributes,
                           uint32_t *ret_ttl_ms)
{
    int error = fs_call_wait(fixture, call);
    if (error == 0 && ret_attributes)
        *ret_attributes = call->request.result.attributes;
    if (error == 0 && ret_ttl_ms)
        *ret_ttl_ms = call->request.result.attributes_ttl_ms;
    return error;
}

int fs_getattr(struct fs_fixture *fixture, uint64_t node, struct cfs_open_file *file, struct stat *ret_attributes,
               uint32_t *ret_ttl_ms)
{
    struct fs_call call;
    fs_call_init(&call);
    cfs_fs_getattr(fixture->fs, &call.request, node, file);
    return give_attributes(fixture, &call, ret_attributes, ret_ttl_ms);
}

int fs_setattr(struct fs_fixture *fixture, uint64_t node, struct cfs_open_file *file, const struct stat *attributes,
               unsigned set, struct stat *ret_attributes)
{
    struct fs_call call;
    fs_call_init(&call);
    cfs_fs_setattr(fixture->fs, &call.request, node, file, attributes, set);
    return give_attributes(fixture, &call, ret_attributes, NULL);
}

int fs_mkdir(struct fs_fixture *fixture, uint64_t parent, const char *name, mode_t mode, struct cfs_entry *ret_entry)
{
    struct fs_call call;
    fs_call_init(&call);
    cfs_fs_mkdir(fixture->fs, &call.request, parent, name, mode);
    return give_entry(fixture, &call, ret_entry);
}

int fs_mknod(struct fs_fixture *fixture, uint64_t parent, const char *name, mode_t mode, struct cfs_entry *ret_entry)
{
    struct fs_call call;
    fs_call_init(&call);
    cfs_fs_mknod(fixture->fs, &call.request, parent, name, mode, 0);
    return give_entry(fixture, &call, ret_entry);
}

int fs_symlink(struct fs_fixture *fixture, const char *target, uint64_t parent, const char *name,
               struct cfs_entry *ret_entry)
{
    struct fs_call call;
    fs_call_init(&call);
    cfs_fs_symlink(fixture->fs, &call.request, target, parent, name);
    return give_entry(fixture, &call, ret_entry);
}

int fs_link(struct fs_fixture *fixture, uint64_t node, uint64_t parent, const char *name, struct cfs_entry *ret_entry)
{
    struct fs_call call;
    fs_call_init(&call);
    cfs_fs_link(fixture->fs, &call.request, node, parent, name);
    return give_entry(fixture, &call, ret_entry);
}

int fs_unlink(struct fs_fixture *fixture, uint64_t parent, const char *name)
{
    struct fs_call call;
    fs_call_init(&call);
    cfs_fs_unlink(fixture->fs, &call.request, parent, name);
    return fs_call_wait(fixture, &call);
}

int fs_rmdir(struct fs_fixture *fixture, uint64_t parent, const char *name)
{
    struct fs_call call;
    fs_call_init(&call);
    cfs_fs_rmdir(fixture->fs, &call.request, parent, name);
    return fs_call_wait(fixture, &call);
}

int fs_rename(struct fs_fixture *fixture, uint64_t parent, const char *name, uint64_t new_parent, const char *new_name,
              unsigned flags)
{
    struct fs_call call;
    fs_call_init(&call);
    cfs_fs_rename(fixture->fs, &call.request, parent, name, new_parent, new_name, flags);
    return fs_call_wait(fixture, &call);
}

int fs_readlink(struct fs_fixture *fixture, uint64_t node, char *target, size_t size)
{
    struct fs_call call;
    fs_call_init(&call);
    cfs_fs_readlink(fixture->fs, &call.request, node);
    int error = fs_call_wait(fixture, &call);
    if (error == 0)
        snprintf(target, size, "%s", call.target);
    return error;
}

/* --- files --- */

int fs_open(struct fs_fixture *fixture, uint64_t node, int flags, struct cfs_open_file **ret_file)
{
    struct fs_call call;
    fs_call_init(&call);
    cfs_fs_open(fixture->fs, &call.request, node, flags);
    int error = fs_call_wait(fixture, &call);
    if (error == 0)
        *ret_file = call.request.result.file;
    return error;
}

int fs_create(struct fs_fixture *fixture, uint64_t parent, const char *name, mode_t mode, int flags,
              struct cfs_open_file **ret_file, struct cfs_entry *ret_entry)
{
    struct fs_call call;
    fs_call_init(&call);
    cfs_fs_create(fixture->fs, &call.request, parent, name, mode, flags);
    int error = give_entry(fixture, &call, ret_entry);
    if (error == 0)
        *ret_file = call.request.result.file;
    return error;
}

ssize_t fs_read(struct fs_fixture *fixture, struct cfs_open_file *file, uint64_t offset, void *buffer, size_t length)
{
    struct fs_call call;
    fs_call_init(&call);
    cfs_fs_read(fixture->fs, &call.request, file, offset, length, buffer);
    int error = fs_call_wait(fixture, &call);
    return error < 0 ? error : (ssize_t)call.request.result.length;
}

ssize_t fs_write(struct fs_fixture *fixture, struct cfs_open_file *file, uint64_t offset, const void *data,
                 size_t length)
{
    struct fs_call call;
    fs_call_init(&call);
    cfs_fs_write(fixture->fs, &call.request, file, offset, length, data);
    int error = fs_call_wait(fixture, &call);
    return error < 0 ? error : (ssize_t)call.request.result.length;
}

void fs_release(struct fs_fixture *fixture, struct cfs_open_file *file)
{
    struct fs_call call;
    fs_call_init(&call);
    cfs_fs_release(fixture->fs, &call.request, file);
    fs_call_wait(fixture, &call);
}

/* --- folders --- */

int fs_open_folder(struct fs_fixture *fixture, uint64_t node, struct cfs_open_folder **ret_folder)
{
    struct fs_call call;
    fs_call_init(&call);
    cfs_fs_open_folder(fixture->fs, &call.request, node);
    int error = fs_call_wait(fixture, &call);
    if (error == 0)
        *ret_folder = call.request.result.folder;
    return error;
}

void fs_release_folder(struct fs_fixture *fixture, struct cfs_open_folder *folder)
{
    struct fs_call call;
    fs_call_init(&call);
    cfs_fs_release_folder(fixture->fs, &call.request, folder);
    assert_int_equal(fs_call_wait(fixture, &call), 0);
}

bool fs_add_entry(struct cfs_request *request, const char *name, const struct cfs_entry *entry, uint64_t next)
{
    struct fs_call *call = cfs_container_of(request, struct fs_call, request);
    if (call->name_count == call->name_limit)
        return false;
    char *longer = NULL;
    assert_true(asprintf(&longer, "%s%s ", call->names ? call->names : "", name) > 0);
    free(call->names);
    call->names = longer;
    call->next = next;
    call->last_entry = *entry;
    if (call->name_count < CFS_COUNT(call->looked_up))
        call->looked_up[call->name_count] = entry->node;
    else
        assert_int_equal(entry->node, 0);
    call->name_count++;
    return true;
}

int fs_read_folder(struct fs_fixture *fixture, struct cfs_open_folder *folder, uint64_t offset, bool plus, size_t limit,
                   char **ret_names, uint64_t *ret_next)
{
    struct fs_call call;
    fs_call_init(&call);
    call.name_limit = limit;
    call.next = offset;
    cfs_fs_read_folder(fixture->fs, &call.request, folder, offset, plus, fs_add_entry);
    int error = fs_call_wait(fixture, &call);
    for (size_t i = 0; i < call.name_count && i < CFS_COUNT(call.looked_up); i++) {
        if (call.looked_up[i])
            fs_forget(fixture, call.looked_up[i]);
    }
    if (error < 0) {
        free(call.names);
        return error;
    }
    *ret_names = call.names ? call.names : strdup("");
    *ret_next = call.next;
    return 0;
}

/* The in-memory remote: its life, the table of operations, faults and pokes. See the header for what it is;
 * memory_schedule.c runs the calls, memory_effects.c does what they say, memory_tree.c holds the files. */
#include "lib/memory_remote_priv.h"
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdarg.h>
#include <string.h>
#include <sys/stat.h>

void memory_fault(const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    fputs("memory_remote: ", stderr);
    vfprintf(stderr, format, arguments);
    fputs("\n", stderr);
    va_end(arguments);
    abort();
}

void *memory_need(void *memory)
{
    if (!memory)
        memory_fault("out of memory");
    return memory;
}

/* splitmix64 */
uint64_t memory_random(struct memory_remote *memory, uint64_t below)
{
    uint64_t z = (memory->random += UINT64_C(0x9e3779b97f4a7c15));
    z = (z ^ (z >> 30)) * UINT64_C(0xbf58476d1ce4e5b9);
    z = (z ^ (z >> 27)) * UINT64_C(0x94d049bb133111eb);
    return (z ^ (z >> 31)) % below;
}

static struct memory_remote *memory_of(struct cfs_remote *remote)
{
    return cfs_container_of(remote, struct memory_remote, remote);
}

/* --- life --- */

struct memory_remote *memory_remote_new(const struct memory_remote_options *options)
{
    struct memory_remote *memory = memory_need(calloc(1, sizeof(*memory)));
    memory->remote.operations = &memory_operations;
    if (options)
        memory->options = *options;
    if (!memory->options.op_timeout_ms)
        memory->options.op_timeout_ms = 30000;
    if (!memory->options.listing_batch)
        memory->options.listing_batch = 100;
    memory->random = memory->options.seed;
    memory->connected = true;
    memory->facts = (struct cfs_remote_facts){
        .capabilities = (CFS_REMOTE_CAN_LINK | CFS_REMOTE_CAN_RENAME_OVER | CFS_REMOTE_CAN_COPY | CFS_REMOTE_CAN_FSYNC |
                         CFS_REMOTE_CAN_STATFS | CFS_REMOTE_CAN_LSETSTAT | CFS_REMOTE_CAN_NAME_IDS |
                         CFS_REMOTE_CAN_PUT | CFS_REMOTE_CAN_SET_AND_RENAME) &
                        ~memory->options.no_capabilities,
        .read_size = 261120,
        .write_size = 261120,
        .root = MEMORY_ROOT,
    };
    cfs_list_init(&memory->pending);
    cfs_list_init(&memory->files);
    cfs_list_init(&memory->listings);
    pthread_mutexattr_t recursive;
    pthread_mutexattr_init(&recursive);
    pthread_mutexattr_settype(&recursive, PTHREAD_MUTEX_RECURSIVE);
    pthread_mutex_init(&memory->lock, &recursive);
    pthread_mutexattr_destroy(&recursive);
    fake_clock_init(&memory->clock);
    memory->tree = memory_tree_new(&memory->clock.clock);
    return memory;
}

void memory_remote_free(struct memory_remote *memory)
{
    if (!memory)
        return;
    if (!cfs_list_empty(&memory->pending))
        memory_fault("%zu calls are still in flight", memory_remote_in_flight(memory));
    if (!cfs_list_empty(&memory->files))
        memory_fault("%zu files are still open, first \"%s\"", memory_remote_open_files(memory),
                     cfs_list_first(&memory->files, struct cfs_remote_file, link)->path);
    if (!cfs_list_empty(&memory->listings))
        memory_fault("a listing is still open: \"%s\"",
                     cfs_list_first(&memory->listings, struct cfs_remote_listing, link)->path);
    memory_tree_free(memory->tree);
    pthread_mutex_destroy(&memory->lock);
    free(memory);
}

struct cfs_remote *memory_remote_as_remote(struct memory_remote *memory)
{
    return &memory->remote;
}

const struct cfs_clock *memory_remote_clock(struct memory_remote *memory)
{
    return &memory->clock.clock;
}

struct memory_tree *memory_remote_tree(struct memory_remote *memory)
{
    return memory->tree;
}

/* --- submitting --- */

/* A path as the contract wants it; a copy. */
static char *copy_path(const char *path)
{
    if (path[0] == '/')
        memory_fault("a path begins with '/': \"%s\"", path);
    for (const char *part = path; *part;) {
        size_t length = strcspn(part, "/");
        if (length == 0 || (length == 1 && part[0] == '.') || (length == 2 && part[0] == '.' && part[1] == '.'))
            memory_fault("a bad component in \"%s\"", path);
        part += length;
        if (*part == '/' && *++part == '\0')
            memory_fault("a path ends with '/': \"%s\"", path);
    }
    return memory_need(strdup(path));
}

static struct pending *pending_new(struct cfs_remote_call *call, enum memory_operation operation, const char *path)
{
    struct pending *pending = memory_need(calloc(1, sizeof(*pending)));
    pending->call = call;
    pending->operation = operation;
    pending->path = path ? copy_path(path) : NULL;
    return pending;
}

static struct pending *pending_on_file(struct cfs_remote_call *call, enum memory_operation operation,
                                       struct cfs_remote_file *file)
{
    if (file->closing)
        memory_fault("\"%s\" is used after close", file->path);
    struct pending *pending = pending_new(call, operation, NULL);
    pending->file = file;
    return pending;
}

static void *copy_bytes(const void *bytes, size_t length)
{
    void *copy = memory_need(malloc(length ? length : 1));
    if (length)
        memcpy(copy, bytes, length);
    return copy;
}

static const struct cfs_remote_facts *facts(struct cfs_remote *remote)
{
    return &memory_of(remote)->facts;
}

static void cancel(struct cfs_remote *remote, struct cfs_remote_call *call)
{
    memory_cancel(memory_of(remote), call);
}

static void submit_lstat(struct cfs_remote *remote, struct cfs_remote_call *call, const char *path)
{
    memory_submit(memory_of(remote), pending_new(call, MEMORY_LSTAT, path));
}

static void submit_setattr(struct cfs_remote *remote, struct cfs_remote_call *call, const char *path,
                           mode_t expected_type, const struct cfs_remote_attributes *attributes)
{
    struct pending *pending = pending_new(call, MEMORY_SETATTR, path);
    pending->mode = expected_type;
    pending->attributes = *attributes;
    memory_submit(memory_of(remote), pending);
}

static void submit_readlink(struct cfs_remote *remote, struct cfs_remote_call *call, const char *path)
{
    memory_submit(memory_of(remote), pending_new(call, MEMORY_READLINK, path));
}

static void submit_mkdir(struct cfs_remote *remote, struct cfs_remote_call *call, const char *path, mode_t mode)
{
    struct pending *pending = pending_new(call, MEMORY_MKDIR, path);
    pending->mode = mode;
    memory_submit(memory_of(remote), pending);
}

static void submit_rmdir(struct cfs_remote *remote, struct cfs_remote_call *call, const char *path)
{
    memory_submit(memory_of(remote), pending_new(call, MEMORY_RMDIR, path));
}

static void submit_unlink(struct cfs_remote *remote, struct cfs_remote_call *call, const char *path)
{
    memory_submit(memory_of(remote), pending_new(call, MEMORY_UNLINK, path));
}

static void submit_symlink(struct cfs_remote *remote, struct cfs_remote_call *call, const char *target,
                           const char *path)
{
    struct pending *pending = pending_new(call, MEMORY_SYMLINK, path);
    pending->other = memory_need(strdup(target));
    memory_submit(memory_of(remote), pending);
}

static void submit_link(struct cfs_remote *remote, struct cfs_remote_call *call, const char *from, const char *to)
{
    struct pending *pending = pending_new(call, MEMORY_LINK, from);
    pending->other = copy_path(to);
    memory_submit(memory_of(remote), pending);
}

static void submit_rename(struct cfs_remote *remote, struct cfs_remote_call *call, const char *from, const char *to,
                          enum cfs_remote_rename how)
{
    struct pending *pending = pending_new(call, MEMORY_RENAME, from);
    pending->other = copy_path(to);
    pending->how = how;
    memory_submit(memory_of(remote), pending);
}

static void submit_set_and_rename(struct cfs_remote *remote, struct cfs_remote_call *call, const char *from,
                                  const char *to, const struct cfs_remote_attributes *attributes)
{
    struct pending *pending = pending_new(call, MEMORY_RENAME, from);
    pending->other = copy_path(to);
    pending->how = CFS_REMOTE_RENAME_REPLACE;
    pending->attributes = *attributes;
    memory_submit(memory_of(remote), pending);
}

static void submit_statfs(struct cfs_remote *remote, struct cfs_remote_call *call)
{
    memory_submit(memory_of(remote), pending_new(call, MEMORY_STATFS, NULL));
}

static void submit_open(struct cfs_remote *remote, struct cfs_remote_call *call, const char *path, int flags,
                        mode_t mode)
{
    struct pending *pending = pending_new(call, MEMORY_OPEN, path);
    pending->flags = flags;
    pending->mode = mode;
    memory_submit(memory_of(remote), pending);
}

static void submit_open_known(struct cfs_remote *remote, struct cfs_remote_call *call, const char *path,
                              const struct cfs_remote_attributes *attributes)
{
    struct pending *pending = pending_new(call, MEMORY_OPEN_KNOWN, path);
    pending->attributes = *attributes;
    memory_submit(memory_of(remote), pending);
}

static bool is_lost(struct cfs_remote *remote)
{
    struct memory_remote *memory = memory_of(remote);
    pthread_mutex_lock(&memory->lock);
    bool lost = memory->is_lost;
    pthread_mutex_unlock(&memory->lock);
    return lost;
}

static void submit_read(struct cfs_remote *remote, struct cfs_remote_call *call, struct cfs_remote_file *file,
                        uint64_t offset, size_t length, void *destination)
{
    struct pending *pending = pending_on_file(call, MEMORY_READ, file);
    pending->offset = offset;
    pending->length = length;
    pending->destination = destination;
    memory_submit(memory_of(remote), pending);
}

static void submit_write(struct cfs_remote *remote, struct cfs_remote_call *call, struct cfs_remote_file *file,
                         uint64_t offset, size_t length, const void *data)
{
    struct pending *pending = pending_on_file(call, MEMORY_WRITE, file);
    pending->offset = offset;
    pending->length = length;
    pending->data = copy_bytes(data, length);
    memory_submit(memory_of(remote), pending);
}

static void submit_fstat(struct cfs_remote *remote, struct cfs_remote_call *call, struct cfs_remote_file *file)
{
    memory_submit(memory_of(remote), pending_on_file(call, MEMORY_FSTAT, file));
}

static void submit_fsetattr(struct cfs_remote *remote, struct cfs_remote_call *call, struct cfs_remote_file *file,
                            const struct cfs_remote_attributes *attributes)
{
    struct pending *pending = pending_on_file(call, MEMORY_FSETATTR, file);
    pending->attributes = *attributes;
    memory_submit(memory_of(remote), pending);
}

static void submit_flush(struct cfs_remote *remote, struct cfs_remote_call *call, struct cfs_remote_file *file)
{
    memory_submit(memory_of(remote), pending_on_file(call, MEMORY_FLUSH, file));
}

static void submit_fsync(struct cfs_remote *remote, struct cfs_remote_call *call, struct cfs_remote_file *file)
{
    memory_submit(memory_of(remote), pending_on_file(call, MEMORY_FSYNC, file));
}

static void submit_copy(struct cfs_remote *remote, struct cfs_remote_call *call, struct cfs_remote_file *from,
                        uint64_t from_offset, struct cfs_remote_file *to, uint64_t to_offset, size_t length)
{
    struct pending *pending = pending_on_file(call, MEMORY_COPY, from);
    if (to->closing)
        memory_fault("\"%s\" is used after close", to->path);
    pending->to = to;
    pending->offset = from_offset;
    pending->to_offset = to_offset;
    pending->length = length;
    memory_submit(memory_of(remote), pending);
}

static void submit_close(struct cfs_remote *remote, struct cfs_remote_call *call, struct cfs_remote_file *file)
{
    struct pending *pending = pending_on_file(call, MEMORY_CLOSE, file);
    file->closing = true;
    memory_submit(memory_of(remote), pending);
}

static void submit_put(struct cfs_remote *remote, struct cfs_remote_call *call, const char *path, int flags,
                       mode_t mode, size_t length, const void *data, const struct cfs_remote_attributes *attributes)
{
    struct pending *pending = pending_new(call, MEMORY_PUT, path);
    if (!(flags & O_CREAT) || attributes->valid & CFS_REMOTE_SIZE)
        memory_fault("\"%s\" is put with flags 0%o and attributes 0x%x", path, flags, attributes->valid);
    pending->flags = flags;
    pending->mode = mode;
    pending->length = length;
    pending->put_data = data;
    pending->attributes = *attributes;
    memory_submit(memory_of(remote), pending);
}

static void submit_open_listing(struct cfs_remote *remote, struct cfs_remote_call *call, const char *path)
{
    memory_submit(memory_of(remote), pending_new(call, MEMORY_OPEN_LISTING, path));
}

static void submit_read_listing(struct cfs_remote *remote, struct cfs_remote_call *call,
                                struct cfs_remote_listing *listing)
{
    if (listing->closing || listing->reading)
        memory_fault("the listing of \"%s\" is read %s", listing->path,
                     listing->closing ? "after close" : "twice at once");
    listing->reading = true;
    struct pending *pending = pending_new(call, MEMORY_READ_LISTING, NULL);
    pending->listing = listing;
    memory_submit(memory_of(remote), pending);
}

static void submit_close_listing(struct cfs_remote *remote, struct cfs_remote_call *call,
                                 struct cfs_remote_listing *listing)
{
    if (listing->closing || listing->reading)
        memory_fault("the listing of \"%s\" is closed %s", listing->path,
                     listing->closing ? "twice" : "while it is read");
    listing->closing = true;
    struct pending *pending = pending_new(call, MEMORY_CLOSE_LISTING, NULL);
    pending->listing = listing;
    memory_submit(memory_of(remote), pending);
}

static void submit_id_names(struct cfs_remote *remote, struct cfs_remote_call *call, const uint32_t *uids,
                            size_t uid_count, const uint32_t *gids, size_t gid_count)
{
    struct pending *pending = pending_new(call, MEMORY_ID_NAMES, NULL);
    pending->ids = memory_need(calloc(uid_count + gid_count + 1, sizeof(*pending->ids)));
    for (size_t i = 0; i < uid_count; i++)
        pending->ids[i] = uids[i];
    for (size_t i = 0; i < gid_count; i++)
        pending->ids[uid_count + i] = gids[i];
    pending->uid_count = uid_count;
    pending->gid_count = gid_count;
    memory_submit(memory_of(remote), pending);
}

const struct cfs_remote_operations memory_operations = {
    .facts = facts,
    .cancel = cancel,
    .lstat = submit_lstat,
    .setattr = submit_setattr,
    .readlink = submit_readlink,
    .mkdir = submit_mkdir,
    .rmdir = submit_rmdir,
    .unlink = submit_unlink,
    .symlink = submit_symlink,
    .link = submit_link,
    .rename = submit_rename,
    .set_and_rename = submit_set_and_rename,
    .statfs = submit_statfs,
    .open = submit_open,
    .open_known = submit_open_known,
    .is_lost = is_lost,
    .read = submit_read,
    .write = submit_write,
    .fstat = submit_fstat,
    .fsetattr = submit_fsetattr,
    .flush = submit_flush,
    .fsync = submit_fsync,
    .copy = submit_copy,
    .close = submit_close,
    .put = submit_put,
    .open_listing = submit_open_listing,
    .read_listing = submit_read_listing,
    .close_listing = submit_close_listing,
    .id_names = submit_id_names,
};

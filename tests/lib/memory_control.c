/* The in-memory remote: what a test does to it: faults, counts, holding, and changes behind the back. */
#include "lib/memory_remote_priv.h"
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>

void memory_remote_hold(struct memory_remote *memory, enum memory_operation operation)
{
    memory->held[operation] = true;
}

void memory_remote_release(struct memory_remote *memory, enum memory_operation operation)
{
    memory->held[operation] = false;
}

void memory_remote_when_asked(struct memory_remote *memory, enum memory_operation operation,
                              void (*came)(void *context, const char *path), void *context)
{
    pthread_mutex_lock(&memory->lock);
    memory->watched = operation;
    memory->came = came;
    memory->came_context = context;
    pthread_mutex_unlock(&memory->lock);
}

static size_t count_links(const struct cfs_list *list)
{
    size_t count = 0;
    const struct cfs_list *link;
    cfs_list_each (link, list)
        count++;
    return count;
}

size_t memory_remote_in_flight(const struct memory_remote *memory)
{
    return count_links(&memory->pending);
}

size_t memory_remote_open_files(const struct memory_remote *memory)
{
    return count_links(&memory->files);
}

uint64_t memory_remote_count(const struct memory_remote *memory, enum memory_operation operation)
{
    uint64_t count = 0;
    for (size_t i = 0; i < MEMORY_OPERATIONS; i++)
        count += operation == MEMORY_OPERATIONS || operation == i ? memory->counts[i] : 0;
    return count;
}

uint64_t memory_remote_bytes_read(const struct memory_remote *memory)
{
    return memory->bytes_read;
}

uint64_t memory_remote_bytes_written(const struct memory_remote *memory)
{
    return memory->bytes_written;
}

static void add_fault(struct memory_remote *memory, struct fault fault)
{
    for (size_t i = 0; i < CFS_COUNT(memory->faults); i++) {
        if (memory->faults[i].kind == FAULT_NONE) {
            memory->faults[i] = fault;
            return;
        }
    }
    memory_fault("too many faults are set");
}

void memory_remote_fail(struct memory_remote *memory, enum memory_operation operation, unsigned nth, int error)
{
    add_fault(memory, (struct fault){FAULT_BEFORE, operation, nth, error});
}

void memory_remote_fail_after(struct memory_remote *memory, enum memory_operation operation, unsigned nth, int error)
{
    add_fault(memory, (struct fault){FAULT_AFTER, operation, nth, error});
}

void memory_remote_lose_reply(struct memory_remote *memory, enum memory_operation operation, unsigned nth)
{
    add_fault(memory, (struct fault){FAULT_SILENT, operation, nth, -ETIMEDOUT});
}

void memory_remote_fail_all(struct memory_remote *memory, enum memory_operation operation, int error)
{
    for (size_t i = 0; i < MEMORY_OPERATIONS; i++) {
        if (operation == MEMORY_OPERATIONS || operation == i)
            memory->fail_all[i] = error;
    }
}

void memory_remote_forget_faults(struct memory_remote *memory)
{
    memset(memory->faults, 0, sizeof(memory->faults));
    memory_remote_fail_all(memory, MEMORY_OPERATIONS, 0);
}

void memory_remote_reconnect(struct memory_remote *memory)
{
    memory->connected = true;
}

void memory_remote_make_stale(struct memory_remote *memory, const char *path)
{
    struct cfs_list *link;
    pthread_mutex_lock(&memory->lock);
    cfs_list_each (link, &memory->files) {
        struct cfs_remote_file *file = cfs_container_of(link, struct cfs_remote_file, link);
        file->stale |= strcmp(file->path, path) == 0;
    }
    pthread_mutex_unlock(&memory->lock);
}

static void must(int error, const char *what, const char *path)
{
    if (error)
        memory_fault("cannot %s \"%s\": %s", what, path, strerror(-error));
}

static struct memory_node *open_node(struct memory_remote *memory, const char *path, int flags)
{
    struct memory_node *node = NULL;
    must(memory_tree_open(memory->tree, path, flags, 0644, &node), "open", path);
    return node;
}

void memory_remote_poke_file(struct memory_remote *memory, const char *path, const void *data, size_t length)
{
    struct memory_node *node = open_node(memory, path, O_CREAT | O_TRUNC);
    must(memory_node_write(memory->tree, node, 0, length, data), "write", path);
    memory_node_put(memory->tree, node);
}

void memory_remote_poke_append(struct memory_remote *memory, const char *path, const void *data, size_t length)
{
    struct cfs_remote_attributes attributes;
    struct memory_node *node = open_node(memory, path, O_CREAT);
    memory_node_attributes(node, &attributes);
    must(memory_node_write(memory->tree, node, attributes.size, length, data), "write", path);
    memory_node_put(memory->tree, node);
}

void memory_remote_poke_write(struct memory_remote *memory, const char *path, uint64_t offset, const void *data,
                              size_t length)
{
    struct memory_node *node = open_node(memory, path, 0);
    must(memory_node_write(memory->tree, node, offset, length, data), "write", path);
    memory_node_put(memory->tree, node);
}

void memory_remote_poke_truncate(struct memory_remote *memory, const char *path, uint64_t size)
{
    struct cfs_remote_attributes attributes = {.valid = CFS_REMOTE_SIZE, .size = size};
    must(memory_tree_setattr(memory->tree, path, &attributes), "truncate", path);
}

void memory_remote_poke_mtime(struct memory_remote *memory, const char *path, int64_t mtime)
{
    struct cfs_remote_attributes attributes = {.valid = CFS_REMOTE_TIMES, .atime = mtime, .mtime = mtime};
    must(memory_tree_setattr(memory->tree, path, &attributes), "set the times of", path);
}

void memory_remote_tell_root(struct memory_remote *memory, int64_t age_s)
{
    const struct cfs_clock *clock = &memory->clock.clock;
    int64_t mtime = clock->wall(clock).tv_sec - age_s;
    memory->facts.root_attributes = (struct cfs_remote_attributes){
        .valid = CFS_REMOTE_MODE | CFS_REMOTE_TIMES, .mode = S_IFDIR | 0755, .atime = mtime, .mtime = mtime};
    memory->facts.root_asked_ms = cfs_clock_ms(clock);
}

void memory_remote_poke_mkdir(struct memory_remote *memory, const char *path)
{
    must(memory_tree_mkdir(memory->tree, path, 0755), "make", path);
}

void memory_remote_poke_symlink(struct memory_remote *memory, const char *target, const char *path)
{
    must(memory_tree_symlink(memory->tree, target, path), "link", path);
}

void memory_remote_poke_remove(struct memory_remote *memory, const char *path)
{
    int error = memory_tree_unlink(memory->tree, path);
    must(error == -EISDIR ? memory_tree_rmdir(memory->tree, path) : error, "remove", path);
}

void memory_remote_poke_rename(struct memory_remote *memory, const char *from, const char *to)
{
    must(memory_tree_rename(memory->tree, from, to, CFS_REMOTE_RENAME_REPLACE), "rename", from);
}

ssize_t memory_remote_peek(struct memory_remote *memory, const char *path, uint64_t offset, void *buffer, size_t length)
{
    struct memory_node *node;
    int error = memory_tree_open(memory->tree, path, O_RDONLY, 0, &node);
    if (error)
        return error;
    ssize_t count = (ssize_t)memory_node_read(node, offset, length, buffer);
    memory_node_put(memory->tree, node);
    return count;
}

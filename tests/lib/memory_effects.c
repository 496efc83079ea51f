/* The in-memory remote: what each operation does to the tree. */
#include "lib/memory_remote_priv.h"
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>

void memory_file_free(struct cfs_remote_file *file)
{
    cfs_list_remove(&file->link);
    if (file->node)
        memory_node_put(file->memory->tree, file->node);
    free(file->path);
    free(file);
}

void memory_listing_free(struct cfs_remote_listing *listing)
{
    cfs_list_remove(&listing->link);
    memory_node_put(listing->memory->tree, listing->folder);
    memory_names_free(listing->names);
    for (size_t i = 0; i < CFS_REMOTE_LISTING_AHEAD; i++) {
        free(listing->ahead[i].entries);
        memory_names_free(listing->ahead[i].names);
    }
    free(listing->path);
    free(listing);
}

static bool can(const struct memory_remote *memory, enum cfs_remote_capability capability)
{
    return memory->facts.capabilities & capability;
}

static int do_lstat(struct memory_remote *memory, struct pending *pending)
{
    return memory_tree_lstat(memory->tree, pending->path, &pending->result.attributes);
}

static int do_setattr(struct memory_remote *memory, struct pending *pending)
{
    if (S_ISLNK(pending->mode) && !can(memory, CFS_REMOTE_CAN_LSETSTAT))
        return -EOPNOTSUPP;
    return memory_tree_setattr(memory->tree, pending->path, &pending->attributes);
}

static int do_readlink(struct memory_remote *memory, struct pending *pending)
{
    const char *target;
    int error = memory_tree_readlink(memory->tree, pending->path, &target);
    if (error)
        return error;
    pending->target = memory_need(strdup(target));
    pending->result.target = pending->target;
    return 0;
}

static int do_mkdir(struct memory_remote *memory, struct pending *pending)
{
    int error = memory_tree_mkdir(memory->tree, pending->path, pending->mode);
    if (error)
        return error;
    struct cfs_remote_attributes mode = {.valid = CFS_REMOTE_MODE, .mode = pending->mode};
    return memory_tree_setattr(memory->tree, pending->path, &mode);
}

/* What came of the folder at PATH, which is something's in it. */
static void look_at_folder(struct memory_remote *memory, struct pending *pending)
{
    char *folder = memory_need(strdup(pending->path)), *slash = strrchr(folder, '/');
    *(slash ? slash : folder) = '\0';
    if (memory->options.tells_changes)
        (void)!memory_tree_lstat(memory->tree, folder, &pending->result.folder);
    free(folder);
}

static int do_rmdir(struct memory_remote *memory, struct pending *pending)
{
    int error = memory_tree_rmdir(memory->tree, pending->path);
    if (!error)
        look_at_folder(memory, pending);
    return error;
}

static int do_unlink(struct memory_remote *memory, struct pending *pending)
{
    int error = memory_tree_unlink(memory->tree, pending->path);
    if (!error)
        look_at_folder(memory, pending);
    return error;
}

static int do_symlink(struct memory_remote *memory, struct pending *pending)
{
    return memory_tree_symlink(memory->tree, pending->other, pending->path);
}

static int do_link(struct memory_remote *memory, struct pending *pending)
{
    if (!can(memory, CFS_REMOTE_CAN_LINK))
        return -EOPNOTSUPP;
    return memory_tree_link(memory->tree, pending->path, pending->other);
}

static int do_rename(struct memory_remote *memory, struct pending *pending)
{
    if (pending->attributes.valid && memory->fail_all[MEMORY_SETATTR])
        pending->result.set_error = memory->fail_all[MEMORY_SETATTR];
    else if (pending->attributes.valid)
        pending->result.set_error = memory_tree_setattr(memory->tree, pending->path, &pending->attributes);
    return memory_tree_rename(memory->tree, pending->path, pending->other, pending->how);
}

static int do_statfs(struct memory_remote *memory, struct pending *pending)
{
    if (!can(memory, CFS_REMOTE_CAN_STATFS))
        return -EOPNOTSUPP;
    memory_tree_statfs(memory->tree, &pending->result.statfs);
    return 0;
}

static int do_open(struct memory_remote *memory, struct pending *pending)
{
    struct memory_node *node;
    struct cfs_remote_attributes before;
    bool existed = memory_tree_lstat(memory->tree, pending->path, &before) == 0;
    int error = memory_tree_open(memory->tree, pending->path, pending->flags, pending->mode, &node);
    if (error)
        return error;
    if (!existed) {
        struct cfs_remote_attributes mode = {.valid = CFS_REMOTE_MODE, .mode = pending->mode};
        error = memory_node_setattr(memory->tree, node, &mode);
    }
    struct cfs_remote_file *file = memory_need(calloc(1, sizeof(*file)));
    file->memory = memory;
    file->node = node;
    file->flags = pending->flags;
    file->path = memory_need(strdup(pending->path));
    cfs_list_push_back(&memory->files, &file->link);
    pending->result.file = file;
    /* Learned on the way or not: users must cope with both. */
    if (memory_random(memory, 2))
        memory_node_attributes(node, &pending->result.attributes);
    return error;
}

static int do_open_known(struct memory_remote *memory, struct pending *pending)
{
    struct cfs_remote_file *file = memory_need(calloc(1, sizeof(*file)));
    file->memory = memory;
    file->known = pending->attributes;
    file->path = memory_need(strdup(pending->path));
    cfs_list_push_back(&memory->files, &file->link);
    pending->result.file = file;
    pending->result.attributes = pending->attributes;
    return 0;
}

/* A file that was opened without asking is used: as the pool opens it again. */
static int open_at_last(struct memory_remote *memory, struct cfs_remote_file *file)
{
    struct cfs_remote_attributes now;
    if (file->stale)
        return -ESTALE;
    if (file->node)
        return 0;
    file->stale = true;
    if (memory_tree_open(memory->tree, file->path, O_RDONLY, 0, &file->node) < 0)
        return -ESTALE;
    memory_node_attributes(file->node, &now);
    file->stale = now.size < file->known.size || now.mtime < file->known.mtime;
    return file->stale ? -ESTALE : 0;
}

static int do_read(struct memory_remote *memory, struct pending *pending)
{
    if ((pending->file->flags & O_ACCMODE) == O_WRONLY)
        return -EBADF;
    pending->result.length =
        memory_node_read(pending->file->node, pending->offset, pending->length, pending->destination);
    memory->bytes_read += pending->result.length;
    return 0;
}

static int do_write(struct memory_remote *memory, struct pending *pending)
{
    if ((pending->file->flags & O_ACCMODE) == O_RDONLY)
        return -EBADF;
    int error = memory_node_write(memory->tree, pending->file->node, pending->offset, pending->length, pending->data);
    if (!error)
        memory->bytes_written += pending->length;
    return error;
}

static int do_fstat(struct memory_remote *memory, struct pending *pending)
{
    memory_node_attributes(pending->file->node, &pending->result.attributes);
    return 0;
}

static int do_fsetattr(struct memory_remote *memory, struct pending *pending)
{
    if ((pending->attributes.valid & CFS_REMOTE_SIZE) && (pending->file->flags & O_ACCMODE) == O_RDONLY)
        return -EINVAL;
    return memory_node_setattr(memory->tree, pending->file->node, &pending->attributes);
}

static int do_nothing(struct memory_remote *memory, struct pending *pending)
{
    return 0;
}

static int do_copy(struct memory_remote *memory, struct pending *pending)
{
    if (!can(memory, CFS_REMOTE_CAN_COPY) || pending->file->node == pending->to->node)
        return -EOPNOTSUPP;
    if ((pending->file->flags & O_ACCMODE) == O_WRONLY || (pending->to->flags & O_ACCMODE) == O_RDONLY)
        return -EBADF;
    struct cfs_remote_attributes from;
    memory_node_attributes(pending->file->node, &from);
    size_t length = pending->offset < from.size ? from.size - pending->offset : 0;
    if (length > pending->length)
        length = pending->length;
    uint8_t *bytes CFS_AUTO_FREE = memory_need(malloc(length ? length : 1));
    memory_node_read(pending->file->node, pending->offset, length, bytes);
    int error = memory_node_write(memory->tree, pending->to->node, pending->to_offset, length, bytes);
    if (!error)
        pending->result.length = length;
    return error;
}

static int do_put(struct memory_remote *memory, struct pending *pending)
{
    struct memory_node *node;
    struct cfs_remote_attributes before, mode = {.valid = CFS_REMOTE_MODE, .mode = pending->mode};
    bool existed = memory_tree_lstat(memory->tree, pending->path, &before) == 0;
    int error = memory->fail_all[MEMORY_OPEN];
    if (!error)
        error = memory_tree_open(memory->tree, pending->path, pending->flags, pending->mode, &node);
    if (error)
        return error;
    if (!existed)
        error = memory_node_setattr(memory->tree, node, &mode);
    if (!error)
        error = memory->fail_all[MEMORY_WRITE];
    if (!error)
        error = memory_node_write(memory->tree, node, 0, pending->length, pending->put_data);
    if (!error) {
        memory->bytes_written += pending->length;
        error = memory_node_setattr(memory->tree, node, &pending->attributes);
    }
    if (!error && (memory->options.tells_changes || memory_random(memory, 2)))
        memory_node_attributes(node, &pending->result.attributes);
    memory_node_put(memory->tree, node);
    return error;
}

/* The names are those at the time of opening, the attributes those of now; names that are gone by now are skipped: as
 * sftp-server does. */
static struct memory_batch fetch_batch(struct cfs_remote_listing *listing)
{
    size_t most = listing->memory->options.listing_batch;
    struct memory_batch batch = {.entries = memory_need(calloc(most, sizeof(*batch.entries))),
                                 .names = memory_need(calloc(most + 1, sizeof(*batch.names)))};
    for (; batch.count < most && listing->names[listing->next]; listing->next++) {
        struct cfs_remote_entry *entry = &batch.entries[batch.count];
        if (memory_node_child(listing->folder, listing->names[listing->next], &entry->attributes))
            continue;
        batch.names[batch.count] = memory_need(strdup(listing->names[listing->next]));
        entry->name = batch.names[batch.count++];
        entry->name_length = strlen(entry->name);
    }
    return batch;
}

static int do_open_listing(struct memory_remote *memory, struct pending *pending)
{
    struct memory_node *folder;
    int error = memory_tree_open_folder(memory->tree, pending->path, &folder);
    if (error)
        return error;
    struct cfs_remote_listing *listing = memory_need(calloc(1, sizeof(*listing)));
    listing->memory = memory;
    listing->folder = folder;
    listing->names = memory_node_names(folder);
    listing->path = memory_need(strdup(pending->path));
    cfs_list_push_back(&memory->listings, &listing->link);
    for (size_t i = 0; i < memory->options.listing_ahead; i++)
        listing->ahead[i] = fetch_batch(listing);
    pending->result.listing = listing;
    return 0;
}

static int do_read_listing(struct memory_remote *memory, struct pending *pending)
{
    struct cfs_remote_listing *listing = pending->listing;
    struct memory_batch batch;
    if (memory->options.listing_ahead) {
        batch = listing->ahead[0];
        memmove(listing->ahead, listing->ahead + 1, (memory->options.listing_ahead - 1) * sizeof(batch));
        listing->ahead[memory->options.listing_ahead - 1] = fetch_batch(listing);
    } else {
        batch = fetch_batch(listing);
    }
    pending->entries = batch.entries;
    pending->entry_names = batch.names;
    pending->result.entries = batch.entries;
    pending->result.count = batch.count;
    return 0;
}

/* Even ids have a name: "user1000", "group1000"; odd ones have none. */
static int do_id_names(struct memory_remote *memory, struct pending *pending)
{
    if (!can(memory, CFS_REMOTE_CAN_NAME_IDS))
        return -EOPNOTSUPP;
    size_t count = pending->uid_count + pending->gid_count;
    pending->id_names = memory_need(calloc(count + 1, sizeof(*pending->id_names)));
    pending->id_texts = memory_need(calloc(count + 1, sizeof(*pending->id_texts)));
    for (size_t i = 0; i < count; i++) {
        bool is_group = i >= pending->uid_count;
        uint32_t id = pending->ids[i];
        if (id % 2 == 0)
            snprintf(pending->id_texts[i], sizeof(pending->id_texts[i]), "%s%u", is_group ? "group" : "user", id);
        pending->id_names[i] =
            (struct cfs_remote_id_name){.id = id, .is_group = is_group, .name = pending->id_texts[i]};
    }
    pending->result.names = pending->id_names;
    pending->result.count = count;
    return 0;
}

static int (*const effects[MEMORY_OPERATIONS])(struct memory_remote *memory, struct pending *pending) = {
    [MEMORY_LSTAT] = do_lstat,
    [MEMORY_SETATTR] = do_setattr,
    [MEMORY_READLINK] = do_readlink,
    [MEMORY_MKDIR] = do_mkdir,
    [MEMORY_RMDIR] = do_rmdir,
    [MEMORY_UNLINK] = do_unlink,
    [MEMORY_SYMLINK] = do_symlink,
    [MEMORY_LINK] = do_link,
    [MEMORY_RENAME] = do_rename,
    [MEMORY_STATFS] = do_statfs,
    [MEMORY_OPEN] = do_open,
    [MEMORY_OPEN_KNOWN] = do_open_known,
    [MEMORY_READ] = do_read,
    [MEMORY_WRITE] = do_write,
    [MEMORY_FSTAT] = do_fstat,
    [MEMORY_FSETATTR] = do_fsetattr,
    [MEMORY_FLUSH] = do_nothing,
    [MEMORY_FSYNC] = do_nothing,
    [MEMORY_COPY] = do_copy,
    [MEMORY_CLOSE] = do_nothing, /* the file is freed on completion */
    [MEMORY_PUT] = do_put,
    [MEMORY_OPEN_LISTING] = do_open_listing,
    [MEMORY_READ_LISTING] = do_read_listing,
    [MEMORY_CLOSE_LISTING] = do_nothing,
    [MEMORY_ID_NAMES] = do_id_names,
};

/* What a remote that looks behind a change finds. */
static void look_behind(struct memory_remote *memory, struct pending *pending)
{
    struct cfs_remote_attributes *attributes = &pending->result.attributes;
    switch (pending->operation) {
    case MEMORY_FSETATTR:
        memory_node_attributes(pending->file->node, attributes);
        break;
    case MEMORY_LINK:
        (void)!memory_tree_lstat(memory->tree, pending->other, attributes);
        break;
    case MEMORY_MKDIR:
    case MEMORY_SYMLINK:
    case MEMORY_SETATTR:
        (void)!memory_tree_lstat(memory->tree, pending->path, attributes);
        break;
    default:
        break;
    }
}

void memory_effect(struct memory_remote *memory, struct pending *pending)
{
    pending->error = 0;
    if (pending->file && pending->operation != MEMORY_CLOSE)
        pending->error = open_at_last(memory, pending->file);
    if (!pending->error)
        pending->error = effects[pending->operation](memory, pending);
    if (!pending->error && memory->options.tells_changes)
        look_behind(memory, pending);
}

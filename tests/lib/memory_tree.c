/* A POSIX-like tree of files in memory (see the header).
 *
 * A node is a file, a folder or a link; a folder's names are a list of entries, each holding a reference to its node.
 * What must always hold: node->references = entries that name it + references handed out (+ 1 for the root); tree->used
 * = the sum of the sizes of the contents that are kept. A file's content is kept up to its last byte written; the rest
 * of `size` are zeros. */
#include "lib/memory_tree.h"
#include "base/list.h"
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <string.h>
#include <sys/stat.h>

enum { LINKS_MAX = 40 };

struct memory_node {
    unsigned references;
    mode_t mode;
    uid_t uid;
    gid_t gid;
    int64_t atime, mtime;
    uint64_t size;
    uint8_t *content; /* files: KEPT bytes */
    size_t kept;
    char *target;               /* links */
    struct cfs_list entries;    /* folders */
    struct memory_node *parent; /* folders; NULL once removed, and for the root */
};

struct entry {
    struct cfs_list link;
    struct memory_node *node;
    char name[NAME_MAX + 1];
};

struct memory_tree {
    const struct cfs_clock *clock;
    struct memory_node *root;
    uint64_t capacity, used;
    mode_t mask;
};

static void *need(void *memory)
{
    if (!memory)
        abort();
    return memory;
}

static int64_t now(const struct memory_tree *tree)
{
    return tree->clock->wall(tree->clock).tv_sec;
}

static struct memory_node *node_new(struct memory_tree *tree, mode_t mode)
{
    struct memory_node *node = need(calloc(1, sizeof(*node)));
    node->references = 1;
    node->mode = S_ISLNK(mode) ? mode : (mode & ~tree->mask);
    node->uid = 1000;
    node->gid = 1000;
    node->atime = node->mtime = now(tree);
    cfs_list_init(&node->entries);
    return node;
}

void memory_node_get(struct memory_node *node)
{
    node->references++;
}

void memory_node_put(struct memory_tree *tree, struct memory_node *node)
{
    if (--node->references > 0)
        return;
    struct cfs_list *link;
    while ((link = cfs_list_pop_front(&node->entries))) {
        struct entry *entry = cfs_container_of(link, struct entry, link);
        memory_node_put(tree, entry->node);
        free(entry);
    }
    tree->used -= node->kept;
    free(node->content);
    free(node->target);
    free(node);
}

struct memory_tree *memory_tree_new(const struct cfs_clock *clock)
{
    struct memory_tree *tree = need(calloc(1, sizeof(*tree)));
    tree->clock = clock;
    tree->capacity = UINT64_C(1) << 30;
    tree->root = node_new(tree, S_IFDIR | 0755);
    return tree;
}

void memory_tree_free(struct memory_tree *tree)
{
    if (!tree)
        return;
    memory_node_put(tree, tree->root);
    free(tree);
}

void memory_tree_set_capacity(struct memory_tree *tree, uint64_t bytes)
{
    tree->capacity = bytes;
}

void memory_tree_set_umask(struct memory_tree *tree, mode_t mask)
{
    tree->mask = mask;
}

void memory_tree_statfs(const struct memory_tree *tree, struct cfs_remote_statfs *ret_statfs)
{
    uint64_t blocks_free = tree->capacity > tree->used ? (tree->capacity - tree->used) / 4096 : 0;
    *ret_statfs = (struct cfs_remote_statfs){.block_size = 4096,
                                             .fragment_size = 4096,
                                             .blocks = tree->capacity / 4096,
                                             .blocks_free = blocks_free,
                                             .blocks_available = blocks_free,
                                             .files = 1000000,
                                             .files_free = 900000,
                                             .name_max = NAME_MAX};
}

/* --- walking --- */

static struct entry *find_entry(const struct memory_node *folder, const char *name)
{
    struct cfs_list *link;
    cfs_list_each (link, &folder->entries) {
        struct entry *entry = cfs_container_of(link, struct entry, link);
        if (strcmp(entry->name, name) == 0)
            return entry;
    }
    return NULL;
}

/* Where a path leads: the folder, the last component's name ("" for the root itself), and the node (NULL: no such
 * name). */
struct place {
    struct memory_node *folder;
    char name[NAME_MAX + 1];
    struct memory_node *node;
};

/* Cuts the next component off *PATH into NAME. 0, 1 at the end of the path, or -ENAMETOOLONG. */
static int next_component(const char **path, char *name)
{
    while (**path == '/')
        (*path)++;
    size_t length = strcspn(*path, "/");
    if (length == 0)
        return 1;
    if (length > NAME_MAX)
        return -ENAMETOOLONG;
    memcpy(name, *path, length);
    name[length] = '\0';
    *path += length;
    return 0;
}

/* What follows a link's target that begins at the root of the mount; the target itself if it is relative; NULL if it
 * leads out. */
static const char *target_inside(const char *target, bool *ret_from_root)
{
    size_t length = strlen(MEMORY_ROOT);
    *ret_from_root = target[0] == '/';
    if (target[0] != '/')
        return target;
    if (strncmp(target, MEMORY_ROOT, length) == 0 && (target[length] == '/' || target[length] == '\0'))
        return target + length;
    return NULL;
}

static int walk_from(struct memory_tree *tree, struct memory_node *folder, const char *path, bool follow, int *links,
                     struct place *ret_place);

/* Goes on at the link PLACE->node with what is left of the path. */
static int walk_link(struct memory_tree *tree, const struct place *place, const char *rest, bool follow, int *links,
                     struct place *ret_place)
{
    if (++*links > LINKS_MAX)
        return -ELOOP;
    bool from_root;
    const char *inside = target_inside(place->node->target, &from_root);
    if (!inside || place->node->target[0] == '\0')
        return -ENOENT;
    char joined[2 * PATH_MAX];
    snprintf(joined, sizeof(joined), "%s/%s", inside, rest);
    return walk_from(tree, from_root ? tree->root : place->folder, joined, follow || *rest, links, ret_place);
}

static int walk_from(struct memory_tree *tree, struct memory_node *folder, const char *path, bool follow, int *links,
                     struct place *ret_place)
{
    struct place place = {.folder = folder, .node = folder};
    for (;;) {
        char name[NAME_MAX + 1];
        int error = next_component(&path, name);
        if (error < 0)
            return error;
        if (error > 0)
            break;
        if (!place.node)
            return -ENOENT;
        if (!S_ISDIR(place.node->mode))
            return -ENOTDIR;
        if (strcmp(name, ".") == 0)
            continue;
        if (strcmp(name, "..") == 0) {
            place.node = place.node->parent ? place.node->parent : place.node;
            place.folder = place.node;
            place.name[0] = '\0';
            continue;
        }
        place.folder = place.node;
        memcpy(place.name, name, sizeof(name));
        struct entry *entry = find_entry(place.folder, name);
        place.node = entry ? entry->node : NULL;
        while (*path == '/')
            path++;
        if (place.node && S_ISLNK(place.node->mode) && (follow || *path))
            return walk_link(tree, &place, path, follow, links, ret_place);
    }
    *ret_place = place;
    return 0;
}

/* 0 also when the last component does not exist (place.node is NULL then). */
static int walk(struct memory_tree *tree, const char *path, bool follow, struct place *ret_place)
{
    int links = 0;
    if (strlen(path) >= PATH_MAX)
        return -ENAMETOOLONG;
    return walk_from(tree, tree->root, path, follow, &links, ret_place);
}

/* As walk, and the last component must exist. */
static int find(struct memory_tree *tree, const char *path, bool follow, struct place *ret_place)
{
    struct place place;
    int error = walk(tree, path, follow, &place);
    if (error)
        return error;
    if (!place.node)
        return -ENOENT;
    *ret_place = place;
    return 0;
}

/* Takes over the caller's reference to NODE. */
static void add_entry(struct memory_tree *tree, struct memory_node *folder, const char *name, struct memory_node *node)
{
    struct entry *entry = need(calloc(1, sizeof(*entry)));
    snprintf(entry->name, sizeof(entry->name), "%s", name);
    entry->node = node;
    cfs_list_push_back(&folder->entries, &entry->link);
    if (S_ISDIR(node->mode))
        node->parent = folder;
    folder->mtime = now(tree);
}

static void remove_entry(struct memory_tree *tree, struct memory_node *folder, const char *name)
{
    struct entry *entry = find_entry(folder, name);
    cfs_list_remove(&entry->link);
    if (S_ISDIR(entry->node->mode))
        entry->node->parent = NULL;
    folder->mtime = now(tree);
    memory_node_put(tree, entry->node);
    free(entry);
}

/* Whether a name may still be made in it. */
static bool is_removed(const struct memory_tree *tree, const struct memory_node *folder)
{
    return folder != tree->root && !folder->parent;
}

/* Finds the place for a new name: -EEXIST if it is taken. */
static int find_free(struct memory_tree *tree, const char *path, struct place *ret_place)
{
    int error = walk(tree, path, false, ret_place);
    if (error)
        return error;
    if (ret_place->node)
        return -EEXIST;
    return is_removed(tree, ret_place->folder) ? -ENOENT : 0;
}

/* --- operations on nodes --- */

void memory_node_attributes(const struct memory_node *node, struct cfs_remote_attributes *ret_attributes)
{
    *ret_attributes = (struct cfs_remote_attributes){
        .valid = CFS_REMOTE_SIZE | CFS_REMOTE_OWNER | CFS_REMOTE_MODE | CFS_REMOTE_TIMES,
        .mode = node->mode,
        .uid = node->uid,
        .gid = node->gid,
        .size = S_ISDIR(node->mode) ? 4096 : node->size,
        .atime = node->atime,
        .mtime = node->mtime,
    };
}

/* Makes room for KEPT bytes of content. */
static int keep(struct memory_tree *tree, struct memory_node *node, uint64_t kept)
{
    if (kept <= node->kept)
        return 0;
    if (tree->used + (kept - node->kept) > tree->capacity)
        return -ENOSPC;
    node->content = need(realloc(node->content, kept));
    memset(node->content + node->kept, 0, kept - node->kept);
    tree->used += kept - node->kept;
    node->kept = kept;
    return 0;
}

static void truncate_node(struct memory_tree *tree, struct memory_node *node, uint64_t size)
{
    if (size < node->kept) {
        tree->used -= node->kept - size;
        node->kept = size;
        if (size == 0) {
            free(node->content);
            node->content = NULL;
        } else {
            node->content = need(realloc(node->content, size));
        }
    }
    node->size = size;
    node->mtime = now(tree);
}

int memory_node_setattr(struct memory_tree *tree, struct memory_node *node,
                        const struct cfs_remote_attributes *attributes)
{
    if (attributes->valid & CFS_REMOTE_SIZE) {
        if (!S_ISREG(node->mode))
            return S_ISDIR(node->mode) ? -EISDIR : -EINVAL;
        truncate_node(tree, node, attributes->size);
    }
    if (attributes->valid & CFS_REMOTE_MODE) {
        if (S_ISLNK(node->mode))
            return -EOPNOTSUPP;
        node->mode = (node->mode & S_IFMT) | (attributes->mode & 07777);
    }
    if (attributes->valid & CFS_REMOTE_OWNER) {
        node->uid = attributes->uid;
        node->gid = attributes->gid;
    }
    if (attributes->valid & CFS_REMOTE_TIMES) {
        node->atime = attributes->atime;
        node->mtime = attributes->mtime;
    }
    return 0;
}

size_t memory_node_read(const struct memory_node *node, uint64_t offset, size_t length, void *destination)
{
    if (offset >= node->size)
        return 0;
    if (length > node->size - offset)
        length = node->size - offset;
    size_t stored = offset < node->kept ? node->kept - offset : 0;
    if (stored > length)
        stored = length;
    if (stored > 0)
        memcpy(destination, node->content + offset, stored);
    memset((uint8_t *)destination + stored, 0, length - stored);
    return length;
}

int memory_node_write(struct memory_tree *tree, struct memory_node *node, uint64_t offset, size_t length,
                      const void *data)
{
    if (offset + length < offset || offset + length > INT64_MAX)
        return -EFBIG;
    if (length == 0)
        return 0;
    int error = keep(tree, node, offset + length);
    if (error)
        return error;
    memcpy(node->content + offset, data, length);
    if (offset + length > node->size)
        node->size = offset + length;
    node->mtime = now(tree);
    return 0;
}

char **memory_node_names(const struct memory_node *folder)
{
    size_t count = 0;
    struct cfs_list *link;
    cfs_list_each (link, &folder->entries)
        count++;
    char **names = need(calloc(count + 1, sizeof(*names)));
    count = 0;
    cfs_list_each (link, &folder->entries) {
        names[count++] = need(strdup(cfs_container_of(link, struct entry, link)->name));
    }
    return names;
}

void memory_names_free(char **names)
{
    for (size_t i = 0; names && names[i]; i++)
        free(names[i]);
    free(names);
}

int memory_node_child(const struct memory_node *folder, const char *name, struct cfs_remote_attributes *ret_attributes)
{
    struct entry *entry = find_entry(folder, name);
    if (!entry)
        return -ENOENT;
    memory_node_attributes(entry->node, ret_attributes);
    return 0;
}

/* --- operations on paths --- */

int memory_tree_lstat(struct memory_tree *tree, const char *path, struct cfs_remote_attributes *ret_attributes)
{
    struct place place;
    int error = find(tree, path, false, &place);
    if (error)
        return error;
    memory_node_attributes(place.node, ret_attributes);
    return 0;
}

int memory_tree_setattr(struct memory_tree *tree, const char *path, const struct cfs_remote_attributes *attributes)
{
    struct place place;
    int error = find(tree, path, false, &place);
    return error ? error : memory_node_setattr(tree, place.node, attributes);
}

int memory_tree_readlink(struct memory_tree *tree, const char *path, const char **ret_target)
{
    struct place place;
    int error = find(tree, path, false, &place);
    if (error)
        return error;
    if (!S_ISLNK(place.node->mode))
        return -EINVAL;
    *ret_target = place.node->target;
    return 0;
}

int memory_tree_mkdir(struct memory_tree *tree, const char *path, mode_t mode)
{
    struct place place;
    int error = find_free(tree, path, &place);
    if (error)
        return error;
    add_entry(tree, place.folder, place.name, node_new(tree, S_IFDIR | (mode & 07777)));
    return 0;
}

int memory_tree_rmdir(struct memory_tree *tree, const char *path)
{
    struct place place;
    int error = find(tree, path, false, &place);
    if (error)
        return error;
    if (place.node == tree->root)
        return -EBUSY;
    if (!S_ISDIR(place.node->mode))
        return -ENOTDIR;
    if (!cfs_list_empty(&place.node->entries))
        return -ENOTEMPTY;
    remove_entry(tree, place.folder, place.name);
    return 0;
}

int memory_tree_unlink(struct memory_tree *tree, const char *path)
{
    struct place place;
    int error = find(tree, path, false, &place);
    if (error)
        return error;
    if (S_ISDIR(place.node->mode))
        return -EISDIR;
    remove_entry(tree, place.folder, place.name);
    return 0;
}

int memory_tree_symlink(struct memory_tree *tree, const char *target, const char *path)
{
    struct place place;
    int error = find_free(tree, path, &place);
    if (error)
        return error;
    struct memory_node *node = node_new(tree, S_IFLNK | 0777);
    node->target = need(strdup(target));
    node->size = strlen(target);
    add_entry(tree, place.folder, place.name, node);
    return 0;
}

int memory_tree_link(struct memory_tree *tree, const char *from, const char *to)
{
    struct place source, place;
    int error = find(tree, from, false, &source);
    if (!error)
        error = find_free(tree, to, &place);
    if (error)
        return error;
    if (S_ISDIR(source.node->mode))
        return -EPERM;
    memory_node_get(source.node);
    add_entry(tree, place.folder, place.name, source.node);
    return 0;
}

static bool is_inside(const struct memory_node *folder, const struct memory_node *ancestor)
{
    for (; folder; folder = folder->parent) {
        if (folder == ancestor)
            return true;
    }
    return false;
}

/* Whether SOURCE may take the place of TARGET, which exists. */
static int check_replace(const struct place *source, const struct place *target, enum cfs_remote_rename how)
{
    if (how == CFS_REMOTE_RENAME_NOREPLACE)
        return -EEXIST;
    if (S_ISDIR(source->node->mode) && !S_ISDIR(target->node->mode))
        return -ENOTDIR;
    if (!S_ISDIR(source->node->mode) && S_ISDIR(target->node->mode))
        return -EISDIR;
    if (S_ISDIR(target->node->mode) && !cfs_list_empty(&target->node->entries))
        return -ENOTEMPTY;
    return 0;
}

int memory_tree_rename(struct memory_tree *tree, const char *from, const char *to, enum cfs_remote_rename how)
{
    struct place source, target;
    int error = find(tree, from, false, &source);
    if (!error)
        error = walk(tree, to, false, &target);
    if (error)
        return error;
    if (source.node == tree->root || target.node == tree->root)
        return -EBUSY;
    if (is_removed(tree, target.folder))
        return -ENOENT;
    if (S_ISDIR(source.node->mode) && is_inside(target.folder, source.node))
        return -EINVAL;
    if (target.node) {
        error =
            how == CFS_REMOTE_RENAME_REPLACE && source.node == target.node ? 0 : check_replace(&source, &target, how);
        if (error || source.node == target.node)
            return error;
        remove_entry(tree, target.folder, target.name);
    }
    memory_node_get(source.node);
    remove_entry(tree, source.folder, source.name);
    add_entry(tree, target.folder, target.name, source.node);
    return 0;
}

int memory_tree_open(struct memory_tree *tree, const char *path, int flags, mode_t mode, struct memory_node **ret_node)
{
    struct place place;
    bool exclusive = (flags & O_CREAT) && (flags & O_EXCL);
    int error = walk(tree, path, !exclusive, &place);
    if (error)
        return error;
    if (place.node && exclusive)
        return -EEXIST;
    if (!place.node) {
        if (!(flags & O_CREAT) || is_removed(tree, place.folder))
            return -ENOENT;
        place.node = node_new(tree, S_IFREG | (mode & 07777));
        add_entry(tree, place.folder, place.name, place.node);
    }
    if (S_ISDIR(place.node->mode))
        return -EISDIR;
    if ((flags & O_TRUNC) && place.node->size > 0)
        truncate_node(tree, place.node, 0);
    memory_node_get(place.node);
    *ret_node = place.node;
    return 0;
}

int memory_tree_open_folder(struct memory_tree *tree, const char *path, struct memory_node **ret_node)
{
    struct place place;
    int error = find(tree, path, true, &place);
    if (error)
        return error;
    if (!S_ISDIR(place.node->mode))
        return -ENOTDIR;
    memory_node_get(place.node);
    *ret_node = place.node;
    return 0;
}

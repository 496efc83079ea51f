/* Three hash tables over the same nodes: by number, by (parent, name), by inode number. A child refers to its parent,
 * so a chain of parents is always whole.
 *
 * Inode numbers are SipHash-2-4 of the path at first sight under a key that is the same in every run: backups and build
 * tools compare them over remounts. A number that another living node has (a renamed node keeps its own, a new file at
 * the old path gets another; or the hashes really collide) is hashed on until it is free. */
#include "fs/node.h"
#include "fs/fs.h"

#include <errno.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

enum {
    ROOT_ID = 1,
    STABLE_MS = 2000,          /* the server's times have one second of grain */
    SURELY_OLD_SECONDS = 86400 /* whatever the difference between the two clocks */
};

struct name_key {
    const struct cfs_node *parent;
    const char *name;
};

static uint64_t name_hash(const struct cfs_node *parent, const char *name)
{
    return cfs_hash_number(parent->id) ^ cfs_hash_bytes(name, strlen(name));
}

static bool has_id(const struct cfs_hash_link *link, const void *key)
{
    return cfs_container_of(link, const struct cfs_node, by_id)->id == *(const uint64_t *)key;
}

static bool has_ino(const struct cfs_hash_link *link, const void *key)
{
    return cfs_container_of(link, const struct cfs_node, by_ino)->ino == *(const uint64_t *)key;
}

static bool has_name(const struct cfs_hash_link *link, const void *key)
{
    const struct cfs_node *node = cfs_container_of(link, const struct cfs_node, by_name);
    const struct name_key *wanted = key;
    return node->parent == wanted->parent && strcmp(node->name, wanted->name) == 0;
}

static void free_node(struct cfs_node *node)
{
    free(node->name);
    free(node);
}

static struct cfs_node *new_node(struct cfs_tree *tree, mode_t type)
{
    struct cfs_node *node = calloc(1, sizeof(*node));
    if (!node)
        return NULL;
    node->type = type;
    node->id = tree->next_id++;
    node->linked = true;
    cfs_list_init(&node->files);
    cfs_list_init(&node->ends.waiting);
    cfs_list_init(&node->pages.reads);
    cfs_list_init(&node->pages.writes);
    cfs_list_init(&node->pages.waiting);
    return node;
}

static void insert_ids(struct cfs_tree *tree, struct cfs_node *node)
{
    cfs_hash_insert(&tree->by_id, cfs_hash_number(node->id), &node->by_id);
    cfs_hash_insert(&tree->by_ino, cfs_hash_number(node->ino), &node->by_ino);
}

int cfs_tree_init(struct cfs_tree *tree)
{
    memset(tree, 0, sizeof(*tree));
    tree->next_id = ROOT_ID;
    if (cfs_hash_init(&tree->by_id) < 0 || cfs_hash_init(&tree->by_name) < 0 || cfs_hash_init(&tree->by_ino) < 0 ||
        !(tree->root = new_node(tree, S_IFDIR))) {
        cfs_tree_fini(tree);
        return -ENOMEM;
    }
    tree->root->ino = ROOT_ID;
    insert_ids(tree, tree->root);
    return 0;
}

static void free_visited(struct cfs_hash_link *link, void *context)
{
    (void)context;
    free_node(cfs_container_of(link, struct cfs_node, by_id));
}

void cfs_tree_fini(struct cfs_tree *tree)
{
    cfs_hash_fini(&tree->by_name);
    cfs_hash_fini(&tree->by_ino);
    if (tree->by_id.buckets)
        cfs_hash_each(&tree->by_id, free_visited, NULL);
    cfs_hash_fini(&tree->by_id);
    tree->root = NULL;
}

struct cfs_node *cfs_tree_find(const struct cfs_tree *tree, uint64_t id)
{
    struct cfs_hash_link *link = cfs_hash_find(&tree->by_id, cfs_hash_number(id), has_id, &id);
    return link ? cfs_container_of(link, struct cfs_node, by_id) : NULL;
}

struct cfs_node *cfs_tree_child(const struct cfs_tree *tree, const struct cfs_node *parent, const char *name)
{
    struct name_key key = {parent, name};
    struct cfs_hash_link *link = cfs_hash_find(&tree->by_name, name_hash(parent, name), has_name, &key);
    return link ? cfs_container_of(link, struct cfs_node, by_name) : NULL;
}

static uint64_t hash_of_ino(const void *bytes, size_t length)
{
    /* Arbitrary, and never to change. */
    const uint64_t key[2] = {0x636c757374657266, 0x73696e6f64657321};
    return cfs_siphash(key[0], key[1], bytes, length);
}

uint64_t cfs_fs_usual_number(const char *path)
{
    return hash_of_ino(path, strlen(path));
}

static uint64_t free_ino(const struct cfs_tree *tree, const char *path)
{
    uint64_t ino = cfs_fs_usual_number(path);
    while (ino <= ROOT_ID || cfs_hash_find(&tree->by_ino, cfs_hash_number(ino), has_ino, &ino))
        ino = hash_of_ino(&ino, sizeof(ino));
    return ino;
}

uint64_t cfs_tree_ino(struct cfs_tree *tree, const struct cfs_node *parent, const char *name)
{
    const struct cfs_node *node = cfs_tree_child(tree, parent, name);
    char *path CFS_AUTO_FREE = NULL;
    if (node)
        return node->ino;
    return cfs_node_path(parent, name, &path) < 0 ? 0 : free_ino(tree, path);
}

void cfs_tree_share_ino(struct cfs_tree *tree, struct cfs_node *node, const struct cfs_node *of)
{
    cfs_hash_remove(&tree->by_ino, &node->by_ino);
    node->ino = of->ino;
    cfs_hash_insert(&tree->by_ino, cfs_hash_number(node->ino), &node->by_ino);
}

static void insert_name(struct cfs_tree *tree, struct cfs_node *node)
{
    cfs_hash_insert(&tree->by_name, name_hash(node->parent, node->name), &node->by_name);
    node->linked = true;
}

int cfs_tree_enter(struct cfs_tree *tree, struct cfs_node *parent, const char *name, mode_t type,
                   struct cfs_node **ret_node)
{
    struct cfs_node *node = cfs_tree_child(tree, parent, name);
    if (node && node->type == type) {
        *ret_node = node;
        return 0;
    }
    char *path CFS_AUTO_FREE = NULL;
    char *copy CFS_AUTO_FREE = strdup(name);
    int result = copy ? cfs_node_path(parent, name, &path) : -ENOMEM;
    if (result < 0)
        return result;
    if (node)
        cfs_node_detach(tree, node);
    node = new_node(tree, type);
    if (!node)
        return -ENOMEM;
    node->name = CFS_TAKE(copy);
    node->parent = parent;
    cfs_node_get(parent);
    node->ino = free_ino(tree, path);
    insert_ids(tree, node);
    insert_name(tree, node);
    *ret_node = node;
    return 0;
}

void cfs_node_get(struct cfs_node *node)
{
    node->references++;
}

void cfs_node_settle(struct cfs_tree *tree, struct cfs_node *node)
{
    while (node->lookups == 0 && node->references == 0 && node != tree->root) {
        struct cfs_node *parent = node->parent;
        cfs_node_detach(tree, node);
        cfs_hash_remove(&tree->by_id, &node->by_id);
        cfs_hash_remove(&tree->by_ino, &node->by_ino);
        free_node(node);
        parent->references--;
        node = parent;
    }
}

void cfs_node_put(struct cfs_tree *tree, struct cfs_node *node)
{
    if (!node)
        return;
    node->references--;
    cfs_node_settle(tree, node);
}

void cfs_node_forget(struct cfs_tree *tree, struct cfs_node *node, uint64_t count)
{
    node->lookups -= count < node->lookups ? count : node->lookups;
    cfs_node_settle(tree, node);
}

void cfs_node_detach(struct cfs_tree *tree, struct cfs_node *node)
{
    if (!node->linked || node == tree->root)
        return;
    cfs_hash_remove(&tree->by_name, &node->by_name);
    node->linked = false;
}

int cfs_node_move(struct cfs_tree *tree, struct cfs_node *node, struct cfs_node *new_parent, const char *new_name)
{
    struct cfs_node *replaced = cfs_tree_child(tree, new_parent, new_name);
    if (replaced == node)
        return 0;
    if (replaced)
        cfs_node_detach(tree, replaced);
    cfs_node_detach(tree, node);
    char *name = strdup(new_name);
    if (!name)
        return -ENOMEM;
    free(node->name);
    node->name = name;
    struct cfs_node *old_parent = node->parent;
    cfs_node_get(new_parent);
    node->parent = new_parent;
    insert_name(tree, node);
    cfs_node_put(tree, old_parent);
    return 0;
}

bool cfs_node_is_below(const struct cfs_node *node, const struct cfs_node *folder)
{
    while (node && node != folder)
        node = node->parent;
    return node != NULL;
}

size_t cfs_node_depth(const struct cfs_node *node)
{
    size_t depth = 0;
    for (; node->parent; node = node->parent)
        depth += node->parent->parent != NULL;
    return depth;
}

int cfs_node_path(const struct cfs_node *node, const char *name, char **ret_path)
{
    size_t length = name ? strlen(name) : 0;
    for (const struct cfs_node *above = node; above->parent; above = above->parent) {
        if (!above->linked)
            return -ENOENT;
        length += strlen(above->name) + (length ? 1 : 0);
        if (length >= PATH_MAX)
            return -ENAMETOOLONG;
    }
    if (length >= PATH_MAX)
        return -ENAMETOOLONG;
    char *path = malloc(length + 1);
    if (!path)
        return -ENOMEM;
    size_t at = length;
    path[at] = '\0';
    for (; name || node->parent; node = name ? node : node->parent, name = NULL) {
        const char *part = name ? name : node->name;
        if (at != length)
            path[--at] = '/';
        at -= strlen(part);
        memcpy(path + at, part, strlen(part));
    }
    *ret_path = path;
    return 0;
}

void cfs_node_saw(struct cfs_node *node, const struct cfs_remote_attributes *attributes, int64_t now_ms)
{
    struct cfs_sight *sight = &node->sight;
    unsigned needed = CFS_REMOTE_SIZE | CFS_REMOTE_TIMES;
    if ((attributes->valid & needed) != needed)
        return;
    if (sight->valid && sight->size == attributes->size && sight->mtime == attributes->mtime)
        return;
    *sight =
        (struct cfs_sight){.valid = true, .size = attributes->size, .mtime = attributes->mtime, .since_ms = now_ms};
}

bool cfs_node_opened(struct cfs_node *node, const struct cfs_remote_attributes *attributes, int64_t now_ms,
                     int64_t wall)
{
    unsigned needed = CFS_REMOTE_SIZE | CFS_REMOTE_TIMES;
    struct cfs_sight *sight = &node->sight;
    bool known = (attributes->valid & needed) == needed;
    if (known)
        cfs_node_saw(node, attributes, now_ms);
    bool keep = known && sight->stable_at_open;
    sight->stable_at_open =
        sight->valid && (now_ms - sight->since_ms >= STABLE_MS || sight->mtime < wall - SURELY_OLD_SECONDS);
    return keep;
}

/* What the remote found changed by itself is told to the kernel. */
#include "fs/fs_priv.h"
#include "fs/pages.h"
#include <string.h>

/* The node of a name in FOLDER, LENGTH bytes long; NULL. */
static struct cfs_node *child(const struct cfs_fs *fs, const struct cfs_node *folder, const char *name, size_t length)
{
    char copy[CFS_NAME_LIMIT + 1];
    if (length > CFS_NAME_LIMIT)
        return NULL;
    memcpy(copy, name, length);
    copy[length] = '\0';
    return cfs_tree_child(&fs->tree, folder, copy);
}

void cfs_fs_remote_changed(struct cfs_fs *fs, const char *path, bool is_another)
{
    const struct cfs_fs_notifier *notifier = &fs->notifier;
    uint64_t id = 0, parent_id = 0;
    const char *name = path;
    pthread_mutex_lock(&fs->lock);
    struct cfs_node *node = fs->tree.root;
    while (node && *name) {
        size_t length = strcspn(name, "/");
        parent_id = node->id;
        node = child(fs, node, name, length);
        if (!name[length])
            break;
        name += length + 1;
    }
    if (node) {
        id = node->id;
        cfs_pages_dropped(fs, &node->pages);
    }
    pthread_mutex_unlock(&fs->lock);
    if (id && notifier->node_changed)
        notifier->node_changed(notifier->context, id, 0, 0);
    if (id && parent_id && is_another && notifier->entry_changed)
        notifier->entry_changed(notifier->context, parent_id, name);
}

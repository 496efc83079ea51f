/* Own changes and the attributes that they overtake. Between a path operation and a write, the server may answer in any
 * order: attributes that were asked for before a change of ours ended, or while one was on its way, may be those from
 * before it. They still answer the question that was asked then, but the kernel must not keep them. */
#include "fs/fs_priv.h"

uint64_t cfs_stamp(struct cfs_fs *fs)
{
    pthread_mutex_lock(&fs->lock);
    uint64_t stamp = fs->stamp;
    pthread_mutex_unlock(&fs->lock);
    return stamp;
}

uint64_t cfs_node_change_begin(struct cfs_fs *fs, struct cfs_node *node)
{
    if (!node)
        return 0;
    pthread_mutex_lock(&fs->lock);
    node->changing++;
    uint64_t begun = node->changed_at = ++fs->stamp;
    pthread_mutex_unlock(&fs->lock);
    return begun;
}

uint64_t cfs_node_change_end(struct cfs_fs *fs, struct cfs_node *node, uint64_t begun)
{
    if (!node)
        return 0;
    pthread_mutex_lock(&fs->lock);
    bool alone = node->changing == 1 && node->changed_at == begun;
    node->changing--;
    uint64_t ended = node->changed_at = ++fs->stamp;
    pthread_mutex_unlock(&fs->lock);
    return alone ? ended : 0;
}

bool cfs_changed_since(const struct cfs_node *node, uint64_t stamp)
{
    return node->changing > 0 || node->changed_at > stamp;
}

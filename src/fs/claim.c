/* A node counts the claims on paths through it (`users`), so that an exclusive claim is possible when it counts none;
 * it then refuses others until it is given back. Nobody starves: a scan in the order of arrival marks what an earlier
 * one waits for, and a later one does not pass there. */
#include "fs/claim.h"

#include "fs/fs_priv.h"
#include "fs/step.h"
#include <errno.h>

static bool is_blocked(const struct cfs_node *node, uint64_t scan)
{
    return node->exclusive || node->wanted_scan == scan;
}

static bool is_chain_blocked(const struct cfs_node *node, uint64_t scan)
{
    for (; node; node = node->parent) {
        if (is_blocked(node, scan))
            return true;
    }
    return false;
}

static void find_children(const struct cfs_fs *fs, struct cfs_claim *claim)
{
    for (int i = 0; i < 2; i++)
        claim->child[i] = claim->node[i] && claim->name[i] && claim->node[i]->linked
                              ? cfs_tree_child(&fs->tree, claim->node[i], claim->name[i])
                              : NULL;
    if (claim->child[1] == claim->child[0])
        claim->child[1] = NULL;
}

static bool can_be_held(const struct cfs_claim *claim, uint64_t scan)
{
    for (int i = 0; i < 2; i++) {
        const struct cfs_node *child = claim->child[i];
        if (is_chain_blocked(claim->node[i], scan))
            return false;
        if (child && (is_blocked(child, scan) || (claim->exclusive && child->users > 0)))
            return false;
    }
    return true;
}

static void count_users(struct cfs_claim *claim, int difference)
{
    for (int i = 0; i < 2; i++) {
        for (struct cfs_node *node = claim->node[i]; node; node = node->parent)
            node->users = (unsigned)((int)node->users + difference);
        struct cfs_node *child = claim->child[i];
        if (child && claim->exclusive)
            child->exclusive = difference > 0;
        else if (child)
            child->users = (unsigned)((int)child->users + difference);
    }
}

static bool try_to_hold(struct cfs_fs *fs, struct cfs_claim *claim, uint64_t scan)
{
    find_children(fs, claim);
    if (!can_be_held(claim, scan)) {
        for (int i = 0; i < 2; i++) {
            if (claim->exclusive && claim->child[i])
                claim->child[i]->wanted_scan = scan;
            claim->child[i] = NULL;
        }
        return false;
    }
    for (int i = 0; i < 2; i++) {
        if (claim->child[i])
            cfs_node_get(claim->child[i]);
    }
    count_users(claim, 1);
    claim->held = true;
    return true;
}

void cfs_claim_scan(struct cfs_fs *fs)
{
    if (cfs_list_empty(&fs->claims))
        return;
    uint64_t scan = ++fs->scan;
    struct cfs_list *link, *following;
    cfs_list_each_safe (link, following, &fs->claims) {
        struct cfs_step *step = cfs_container_of(link, struct cfs_step, waiting);
        if (try_to_hold(fs, &step->claim, scan))
            cfs_step_ready(step);
    }
}

void cfs_claim_take(struct cfs_step *step, void (*then)(struct cfs_step *step, int error))
{
    struct cfs_fs *fs = step->fs;
    struct cfs_claim *claim = &step->claim;
    int error = 0;
    pthread_mutex_lock(&fs->lock);
    for (int i = 0; i < 2; i++) {
        if (claim->node[i])
            cfs_node_get(claim->node[i]);
    }
    bool waits = !cfs_list_empty(&fs->claims) || !try_to_hold(fs, claim, ++fs->scan);
    if (waits && !cfs_step_wait(step, &fs->claims, then)) {
        waits = false;
        error = -EINTR;
    }
    if (waits) {
        cfs_claim_scan(fs);
        cfs_step_unlock_and_run(fs);
        return;
    }
    pthread_mutex_unlock(&fs->lock);
    then(step, error);
}

void cfs_claim_drop(struct cfs_step *step)
{
    struct cfs_fs *fs = step->fs;
    struct cfs_claim *claim = &step->claim;
    if (!claim->node[0])
        return;
    pthread_mutex_lock(&fs->lock);
    if (claim->held)
        count_users(claim, -1);
    claim->held = false;
    for (int i = 0; i < 2; i++) {
        cfs_node_put(&fs->tree, claim->child[i]);
        cfs_node_put(&fs->tree, claim->node[i]);
        claim->child[i] = claim->node[i] = NULL;
    }
    cfs_claim_scan(fs);
    cfs_step_unlock_and_run(fs);
}

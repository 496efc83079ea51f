/* The name was looked at, then the handle is asked, and when they differ the name is looked at once more. A file that
 * is being written looks different each time, but its size and time only grow: of one file, the three looks never go
 * back. If another file has the name, they do, unless it grows at that very moment from less to more than what the
 * handle's file is. A file that is cut between two looks is taken for another: it then goes on by its handle, which is
 * right for its readers, too. Whatever fails is no proof, and the next look tries again. */
#include "fs/identity.h"
#include <errno.h>

static bool can_be_compared(const struct cfs_remote_attributes *attributes)
{
    unsigned needed = CFS_REMOTE_SIZE | CFS_REMOTE_TIMES;
    return (attributes->valid & needed) == needed;
}

static bool look_alike(const struct cfs_remote_attributes *a, const struct cfs_remote_attributes *b)
{
    return a->size == b->size && a->mtime == b->mtime;
}

static bool grew(const struct cfs_remote_attributes *before, const struct cfs_remote_attributes *after)
{
    return before->size <= after->size && before->mtime <= after->mtime;
}

static void conclude(struct cfs_step *step, bool is_another)
{
    struct cfs_identity *identity = CFS_TAKE(step->identity);
    struct cfs_fs *fs = step->fs;
    if (is_another) {
        pthread_mutex_lock(&fs->lock);
        is_another = !cfs_changed_since(identity->node, identity->started);
        if (is_another)
            cfs_node_detach(&fs->tree, identity->node);
        pthread_mutex_unlock(&fs->lock);
    }
    cfs_file_put(CFS_TAKE(identity->file));
    identity->then(step, is_another ? -ESTALE : 0);
}

void cfs_identity_seen_again(struct cfs_step *step, int error)
{
    struct cfs_identity *identity = step->identity;
    const struct cfs_remote_attributes *again = &step->call.result.attributes;
    if (error < 0 || !can_be_compared(again)) {
        conclude(step, false);
        return;
    }
    bool is_one = grew(&identity->seen, &identity->held) && grew(&identity->held, again);
    identity->seen = *again;
    conclude(step, !is_one);
}

static void held_seen(struct cfs_step *step, int error)
{
    struct cfs_identity *identity = step->identity;
    if (error == 0)
        identity->held = step->call.result.attributes;
    if (error < 0 || !can_be_compared(&identity->held) || look_alike(&identity->seen, &identity->held))
        conclude(step, false);
    else
        identity->look_again(step);
}

void cfs_identity_check(struct cfs_step *step, struct cfs_identity *identity, bool only_if_changed)
{
    struct cfs_fs *fs = step->fs;
    struct cfs_node *node = identity->node;
    const struct cfs_remote_attributes *seen = &identity->seen;
    pthread_mutex_lock(&fs->lock);
    bool unchanged = node->sight.valid && node->sight.size == seen->size && node->sight.mtime == seen->mtime;
    if (can_be_compared(seen) && node->linked && !cfs_changed_since(node, identity->started) &&
        !(only_if_changed && unchanged))
        identity->file = cfs_file_find_open(node, false);
    pthread_mutex_unlock(&fs->lock);
    if (!identity->file) {
        identity->then(step, 0);
        return;
    }
    step->identity = identity;
    cfs_step_call(step, held_seen, fstat, identity->file->remote);
}

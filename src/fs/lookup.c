/* Operations that look: lookup, getattr, readlink, statfs. */
#include "fs/fs_priv.h"
#include "fs/identity.h"
#include "fs/symlinks.h"
#include <errno.h>
#include <stdlib.h>
#include <string.h>

/* A name that we give to something may overtake a lookup of it, again and again. */
enum { LOOKUP_TRIES = 4 };

struct look {
    struct cfs_step step;
    struct cfs_node *node;      /* getattr, readlink: referenced */
    struct cfs_open_file *file; /* getattr: referenced, or NULL */
    struct cfs_remote_attributes attributes;
    struct cfs_identity identity;
    uint64_t started;
    unsigned tries;
    char name[CFS_NAME_LIMIT + 1];
};

static struct look *look_of(struct cfs_step *step)
{
    return cfs_container_of(step, struct look, step);
}

static void release_look(struct cfs_step *step)
{
    struct look *look = look_of(step);
    if (look->file)
        cfs_file_put(look->file);
    cfs_fs_put_node(step->fs, look->node);
}

static bool is_type(mode_t mode)
{
    return S_ISREG(mode) || S_ISDIR(mode) || S_ISLNK(mode) || S_ISCHR(mode) || S_ISBLK(mode) || S_ISFIFO(mode) ||
           S_ISSOCK(mode);
}

int cfs_entry_make(struct cfs_fs *fs, struct cfs_node *parent, const char *name,
                   const struct cfs_remote_attributes *attributes, uint64_t started, bool made,
                   struct cfs_entry *ret_entry)
{
    struct cfs_node *node;
    if (!(attributes->valid & CFS_REMOTE_MODE) || !is_type(attributes->mode))
        return -EIO;
    pthread_mutex_lock(&fs->lock);
    struct cfs_node *before = cfs_tree_child(&fs->tree, parent, name);
    int result = cfs_tree_enter(&fs->tree, parent, name, attributes->mode & S_IFMT, &node);
    if (result < 0) {
        pthread_mutex_unlock(&fs->lock);
        return result;
    }
    node->lookups++;
    struct cfs_entry entry = {.node = node->id, .generation = 1};
    entry.attributes_ttl_ms = cfs_attributes_tell(fs, node, attributes, started);
    if (made)
        node->named_at = ++fs->stamp;
    /* A name that had no node may be one that we took away in the meantime. */
    bool certain = made || node == before || !cfs_changed_since(parent, started);
    entry.entry_ttl_ms = certain ? cfs_attributes_ttl_ms(fs, attributes) : 0;
    pthread_mutex_unlock(&fs->lock);
    cfs_attributes_show(fs, node, attributes, &entry.attributes); /* the lookup keeps the node */
    *ret_entry = entry;
    return 0;
}

/* --- is it still the file that is open? --- */

static void look_at_name_again(struct cfs_step *step)
{
    char *path CFS_AUTO_FREE = NULL;
    int error = cfs_step_path(step, 0, &path);
    if (error < 0) {
        cfs_identity_seen_again(step, error);
        return;
    }
    cfs_step_call(step, cfs_identity_seen_again, lstat, path);
}

static void identify(struct look *look, struct cfs_node *node, cfs_step_function *then)
{
    look->identity = (struct cfs_identity){.node = node,
                                           .seen = look->attributes,
                                           .started = look->started,
                                           .look_again = look_at_name_again,
                                           .then = then};
    cfs_identity_check(&look->step, &look->identity, true);
}

/* --- lookup --- */

static void look_up(struct cfs_step *step, int error);

static void lookup_prepared(struct cfs_step *step, int error)
{
    (void)error;
    struct look *look = look_of(step);
    int result = cfs_entry_make(step->fs, step->claim.node[0], look->name, &look->attributes, look->started, false,
                                &step->request->result.entry);
    cfs_step_reply(step, result);
}

/* The name was given to something of ours after the server was asked. */
static bool is_overtaken(struct look *look)
{
    struct cfs_fs *fs = look->step.fs;
    pthread_mutex_lock(&fs->lock);
    const struct cfs_node *child = cfs_tree_child(&fs->tree, look->node, look->name);
    bool overtaken = child && child->named_at > look->started;
    pthread_mutex_unlock(&fs->lock);
    return overtaken;
}

static void lookup_found_nothing(struct look *look)
{
    struct cfs_fs *fs = look->step.fs;
    pthread_mutex_lock(&fs->lock);
    struct cfs_node *child = cfs_tree_child(&fs->tree, look->node, look->name);
    if (child)
        cfs_node_detach(&fs->tree, child);
    pthread_mutex_unlock(&fs->lock);
    look->step.request->result.entry = (struct cfs_entry){.node = 0};
    cfs_step_reply(&look->step, 0);
}

/* If it is another file than the one that was open under the name, the entry will be a new node. */
static void lookup_identified(struct cfs_step *step, int error)
{
    (void)error;
    struct look *look = look_of(step);
    look->attributes = look->identity.seen;
    look->started = look->identity.started;
    cfs_attributes_prepare(step, &look->attributes, 1, lookup_prepared);
}

static void lookup_done(struct cfs_step *step, int error)
{
    struct look *look = look_of(step);
    if ((error == 0 || error == -ENOENT) && is_overtaken(look) && ++look->tries < LOOKUP_TRIES) {
        look_up(step, 0);
        return;
    }
    if (error == -ENOENT) {
        lookup_found_nothing(look);
        return;
    }
    if (error < 0) {
        cfs_step_reply(step, error);
        return;
    }
    look->attributes = step->call.result.attributes;
    struct cfs_node *child = step->claim.child[0];
    if (child && S_ISREG(child->type) && S_ISREG(look->attributes.mode))
        identify(look, child, lookup_identified);
    else
        cfs_attributes_prepare(step, &look->attributes, 1, lookup_prepared);
}

static void look_up(struct cfs_step *step, int error)
{
    char *path CFS_AUTO_FREE = NULL;
    if (error == 0)
        error = cfs_step_path(step, 0, &path);
    if (error < 0) {
        cfs_step_reply(step, error);
        return;
    }
    look_of(step)->started = cfs_stamp(step->fs);
    cfs_step_call(step, lookup_done, lstat, path);
}

void cfs_fs_lookup(struct cfs_fs *fs, struct cfs_request *request, uint64_t parent, const char *name)
{
    struct look *look = cfs_step_new(fs, request, sizeof(*look), release_look);
    if (!look)
        return;
    cfs_step_may_be_old(&look->step);
    int result = cfs_check_name(name);
    if (result == 0 && !(look->node = cfs_fs_node(fs, parent)))
        result = -ESTALE;
    if (result < 0) {
        cfs_step_reply(&look->step, result);
        return;
    }
    strcpy(look->name, name);
    look->step.claim = (struct cfs_claim){.node = {look->node}, .name = {look->name}};
    cfs_claim_take(&look->step, look_up);
}

/* --- getattr --- */

static void getattr_prepared(struct cfs_step *step, int error)
{
    (void)error;
    struct look *look = look_of(step);
    struct cfs_fs *fs = step->fs;
    struct cfs_result *result = &step->request->result;
    pthread_mutex_lock(&fs->lock);
    result->attributes_ttl_ms = cfs_attributes_tell(fs, look->node, &look->attributes, look->started);
    pthread_mutex_unlock(&fs->lock);
    cfs_attributes_show(fs, look->node, &look->attributes, &result->attributes);
    cfs_step_reply(step, 0);
}

/* The node is the file that is open, wherever its name leads now. */
static void getattr_identified(struct cfs_step *step, int error)
{
    struct look *look = look_of(step);
    look->attributes = error < 0 ? look->identity.held : look->identity.seen;
    cfs_attributes_prepare(step, &look->attributes, 1, getattr_prepared);
}

static void getattr_done(struct cfs_step *step, int error)
{
    struct look *look = look_of(step);
    const struct cfs_remote_attributes *attributes = &step->call.result.attributes;
    if (error == -ENOENT && !look->file &&
        (look->file = cfs_file_of_vanished_node(step->fs, look->node, false)) != NULL) {
        cfs_step_call(step, getattr_done, fstat, look->file->remote);
        return;
    }
    /* Something else has the name now: the kernel looks it up again when it is told so. */
    if (error == 0 && attributes->valid & CFS_REMOTE_MODE && (attributes->mode & S_IFMT) != look->node->type)
        error = -ESTALE;
    if (error < 0) {
        cfs_step_reply(step, error);
        return;
    }
    look->attributes = *attributes;
    if (look->node->id == CFS_ROOT_NODE)
        cfs_owners_saw_root(step->fs->owners, attributes);
    if (!look->file && S_ISREG(look->node->type))
        identify(look, look->node, getattr_identified);
    else
        cfs_attributes_prepare(step, &look->attributes, 1, getattr_prepared);
}

static void get_attributes(struct cfs_step *step, int error)
{
    struct look *look = look_of(step);
    char *path CFS_AUTO_FREE = NULL;
    if (!look->file)
        look->file = cfs_file_of_lost_node(step->fs, look->node, false);
    if (error == 0 && !look->file)
        error = cfs_step_path(step, 0, &path);
    if (error < 0) {
        cfs_step_reply(step, error);
        return;
    }
    look->started = cfs_stamp(step->fs);
    if (look->file)
        cfs_step_call(step, getattr_done, fstat, look->file->remote);
    else
        cfs_step_call(step, getattr_done, lstat, path);
}

void cfs_fs_getattr(struct cfs_fs *fs, struct cfs_request *request, uint64_t node, struct cfs_open_file *file)
{
    struct look *look = cfs_step_new(fs, request, sizeof(*look), release_look);
    if (!look)
        return;
    cfs_step_may_be_old(&look->step);
    if (!(look->node = cfs_fs_node(fs, node))) {
        cfs_step_reply(&look->step, -ESTALE);
        return;
    }
    if (file && cfs_file_get(file)) {
        look->file = file;
        get_attributes(&look->step, 0);
        return;
    }
    look->step.claim.node[0] = look->node;
    cfs_claim_take(&look->step, get_attributes);
}

/* --- readlink --- */

static void readlink_done(struct cfs_step *step, int error)
{
    const struct look *look = look_of(step);
    struct cfs_fs *fs = step->fs;
    char *target CFS_AUTO_FREE = NULL;
    if (error == 0) {
        pthread_mutex_lock(&fs->lock);
        size_t depth = cfs_node_depth(look->node);
        pthread_mutex_unlock(&fs->lock);
        error = cfs_symlink_target(fs->profile->symlinks, fs->facts->root, depth, step->call.result.target, &target);
    }
    step->request->result.target = target; /* lives until the reply has returned */
    cfs_step_reply(step, error);
}

static void read_link(struct cfs_step *step, int error)
{
    char *path CFS_AUTO_FREE = NULL;
    if (error == 0)
        error = cfs_step_path(step, 0, &path);
    if (error < 0) {
        cfs_step_reply(step, error);
        return;
    }
    cfs_step_call(step, readlink_done, readlink, path);
}

void cfs_fs_readlink(struct cfs_fs *fs, struct cfs_request *request, uint64_t node)
{
    struct look *look = cfs_step_new(fs, request, sizeof(*look), release_look);
    if (!look)
        return;
    cfs_step_may_be_old(&look->step);
    if (!(look->node = cfs_fs_node(fs, node))) {
        cfs_step_reply(&look->step, -ESTALE);
        return;
    }
    look->step.claim.node[0] = look->node;
    cfs_claim_take(&look->step, read_link);
}

/* --- statfs --- */

/* For a server that cannot say: room enough, so that no program refuses to write. */
static struct statvfs made_up_statfs(void)
{
    enum { BLOCK_SIZE = 4096 };
    const fsblkcnt_t blocks = (fsblkcnt_t)1 << 28; /* 1 TiB */
    return (struct statvfs){.f_bsize = BLOCK_SIZE,
                            .f_frsize = BLOCK_SIZE,
                            .f_blocks = blocks,
                            .f_bfree = blocks,
                            .f_bavail = blocks,
                            .f_namemax = CFS_NAME_LIMIT};
}

static void statfs_done(struct cfs_step *step, int error)
{
    const struct cfs_remote_statfs *statfs = &step->call.result.statfs;
    struct statvfs *result = &step->request->result.statvfs;
    if (error == -EOPNOTSUPP) {
        *result = made_up_statfs();
        error = 0;
    } else if (error == 0) {
        *result = (struct statvfs){
            .f_bsize = statfs->block_size,
            .f_frsize = statfs->fragment_size ? statfs->fragment_size : statfs->block_size,
            .f_blocks = statfs->blocks,
            .f_bfree = statfs->blocks_free,
            .f_bavail = statfs->blocks_available,
            .f_files = statfs->files,
            .f_ffree = statfs->files_free,
            .f_favail = statfs->files_free,
            .f_flag = statfs->read_only ? ST_RDONLY : 0,
            .f_namemax = statfs->name_max > 0 && statfs->name_max < CFS_NAME_LIMIT ? statfs->name_max : CFS_NAME_LIMIT,
        };
    }
    cfs_step_reply(step, error);
}

void cfs_fs_statfs(struct cfs_fs *fs, struct cfs_request *request)
{
    struct cfs_step *step = cfs_step_new(fs, request, sizeof(*step), NULL);
    if (!step)
        return;
    if (!(fs->facts->capabilities & CFS_REMOTE_CAN_STATFS)) {
        request->result.statvfs = made_up_statfs();
        cfs_step_reply(step, 0);
        return;
    }
    cfs_step_call(step, statfs_done, statfs);
}

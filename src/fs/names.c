/* Operations that make names and take them away: mknod, mkdir, symlink, link, unlink, rmdir, rename.
 *
 * What makes a name shares a claim on the folder, and looks at what it made, for the kernel wants the attributes,
 * unless they came with the answer. By then it is done: neither an interrupt nor a failing look makes a success into a
 * failure.
 *
 * What takes a name away claims the child that has it. On the server an open file lives on without a name (its handle
 * is a descriptor there), so nothing is renamed to a hidden name as NFS does. */
#include "fs/fs_priv.h"
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct naming {
    struct cfs_step step;
    struct cfs_node *folder[2]; /* referenced */
    struct cfs_node *source;    /* link: referenced */
    struct cfs_remote_attributes attributes;
    mode_t mode; /* with the type */
    uint64_t started;
    char *target;
    struct cfs_open_file *file; /* mknod, until it is closed */
    enum cfs_remote_rename how;
    bool changing;
    char name[2][CFS_NAME_LIMIT + 1];
};

static struct naming *naming_of(struct cfs_step *step)
{
    return cfs_container_of(step, struct naming, step);
}

static void begin_change(struct naming *naming)
{
    for (int i = 0; i < 2; i++) {
        cfs_node_change_begin(naming->step.fs, naming->folder[i]);
        cfs_node_change_begin(naming->step.fs, naming->step.claim.child[i]);
    }
    naming->changing = true;
}

static void end_change(struct naming *naming)
{
    for (int i = 0; i < 2 && naming->changing; i++) {
        cfs_node_change_end(naming->step.fs, naming->folder[i], 0);
        cfs_node_change_end(naming->step.fs, naming->step.claim.child[i], 0);
    }
    naming->changing = false;
}

static void release_naming(struct cfs_step *step)
{
    struct naming *naming = naming_of(step);
    end_change(naming);
    cfs_fs_put_node(step->fs, naming->folder[0]);
    cfs_fs_put_node(step->fs, naming->folder[1]);
    cfs_fs_put_node(step->fs, naming->source);
    cfs_file_discard(naming->file);
    free(naming->target);
}

/* A step for NAME in the folder PARENT; NULL: it has been answered. */
static struct naming *new_naming(struct cfs_fs *fs, struct cfs_request *request, uint64_t parent, const char *name)
{
    struct naming *naming = cfs_step_new(fs, request, sizeof(*naming), release_naming);
    if (!naming)
        return NULL;
    int result = fs->profile->read_only ? -EROFS : cfs_check_name(name);
    if (result == 0 && !(naming->folder[0] = cfs_fs_node(fs, parent)))
        result = -ESTALE;
    if (result < 0) {
        cfs_step_reply(&naming->step, result);
        return NULL;
    }
    strcpy(naming->name[0], name);
    naming->step.claim = (struct cfs_claim){.node = {naming->folder[0]}, .name = {naming->name[0]}};
    return naming;
}

/* --- making --- */

/* `git clone` links, and fails if what it made has another inode number than what it linked. */
static void show_as_one_file(struct naming *naming, struct cfs_entry *entry)
{
    struct cfs_fs *fs = naming->step.fs;
    pthread_mutex_lock(&fs->lock);
    struct cfs_node *made = cfs_tree_find(&fs->tree, entry->node);
    if (made && made->lookups == 1) { /* nobody has been told another number */
        cfs_tree_share_ino(&fs->tree, made, naming->source);
        entry->attributes.st_ino = made->ino;
    }
    pthread_mutex_unlock(&fs->lock);
}

static void made_prepared(struct cfs_step *step, int error)
{
    (void)error;
    struct naming *naming = naming_of(step);
    struct cfs_entry *entry = &step->request->result.entry;
    int result =
        cfs_entry_make(step->fs, naming->folder[0], naming->name[0], &naming->attributes, naming->started, true, entry);
    if (result == 0 && naming->source)
        show_as_one_file(naming, entry);
    cfs_step_reply(step, result);
}

static void made_seen(struct cfs_step *step, int error)
{
    struct naming *naming = naming_of(step);
    const struct cfs_remote_attributes *attributes = &step->call.result.attributes;
    if (error < 0 && naming->source) {
        cfs_step_reply(step, error); /* a link: we do not know what it looks like */
        return;
    }
    bool seen = error == 0 && attributes->valid & CFS_REMOTE_MODE;
    if (seen)
        naming->attributes = *attributes;
    else
        cfs_attributes_make_up(naming->mode, &naming->attributes);
    if (seen && !naming->source)
        cfs_owners_saw_own(step->fs->owners, &naming->attributes);
    cfs_attributes_prepare(step, &naming->attributes, 1, made_prepared);
}

/* The remote looked by itself, and it is what we made. */
static bool has_looked(const struct naming *naming)
{
    const struct cfs_remote_attributes *attributes = &naming->step.call.result.attributes;
    unsigned all = CFS_REMOTE_MODE | CFS_REMOTE_OWNER | CFS_REMOTE_SIZE | CFS_REMOTE_TIMES;
    mode_t type = naming->source ? naming->source->type : naming->mode & S_IFMT;
    return (attributes->valid & all) == all && (attributes->mode & S_IFMT) == type;
}

static void made(struct cfs_step *step, int error)
{
    struct naming *naming = naming_of(step);
    struct cfs_fs *fs = step->fs;
    char *path CFS_AUTO_FREE = NULL;
    /* What the node stood for was gone, or we could not have made this. */
    if (error == 0 && step->claim.child[0]) {
        pthread_mutex_lock(&fs->lock);
        cfs_node_detach(&fs->tree, step->claim.child[0]);
        pthread_mutex_unlock(&fs->lock);
    }
    end_change(naming);
    if (error == 0)
        error = cfs_step_path(step, 0, &path);
    if (error < 0) {
        cfs_step_reply(step, error);
        return;
    }
    cfs_step_shield(step);
    naming->started = cfs_stamp(fs);
    if (has_looked(naming))
        made_seen(step, 0);
    else
        cfs_step_call(step, made_seen, lstat, path);
}

static void make_folder(struct cfs_step *step, int error)
{
    struct naming *naming = naming_of(step);
    char *path CFS_AUTO_FREE = NULL;
    if (error == 0)
        error = cfs_step_path(step, 0, &path);
    if (error < 0) {
        cfs_step_reply(step, error);
        return;
    }
    begin_change(naming);
    cfs_step_call(step, made, mkdir, path, naming->mode & 07777);
}

void cfs_fs_mkdir(struct cfs_fs *fs, struct cfs_request *request, uint64_t parent, const char *name, mode_t mode)
{
    struct naming *naming = new_naming(fs, request, parent, name);
    if (!naming)
        return;
    naming->mode = S_IFDIR | (mode & 07777 & ~request->caller.umask);
    cfs_claim_take(&naming->step, make_folder);
}

static void make_symlink(struct cfs_step *step, int error)
{
    struct naming *naming = naming_of(step);
    char *path CFS_AUTO_FREE = NULL;
    if (error == 0)
        error = cfs_step_path(step, 0, &path);
    if (error < 0) {
        cfs_step_reply(step, error);
        return;
    }
    begin_change(naming);
    cfs_step_call(step, made, symlink, naming->target, path);
}

void cfs_fs_symlink(struct cfs_fs *fs, struct cfs_request *request, const char *target, uint64_t parent,
                    const char *name)
{
    struct naming *naming = new_naming(fs, request, parent, name);
    if (!naming)
        return;
    naming->mode = S_IFLNK | 0777;
    naming->target = strdup(target);
    if (!naming->target)
        cfs_step_reply(&naming->step, -ENOMEM);
    else
        cfs_claim_take(&naming->step, make_symlink);
}

/* mknod of a file is an open that is closed at once; flush tells what became of it. */
static void node_flushed(struct cfs_step *step, int error)
{
    struct naming *naming = naming_of(step);
    cfs_file_discard(CFS_TAKE(naming->file));
    step->call.result.attributes = naming->attributes; /* the open's */
    made(step, error);
}

static void node_opened(struct cfs_step *step, int error)
{
    struct naming *naming = naming_of(step);
    if (error < 0) {
        node_flushed(step, error);
        return;
    }
    naming->file->remote = step->call.result.file;
    naming->attributes = step->call.result.attributes;
    cfs_step_shield(step);
    cfs_step_call(step, node_flushed, flush, naming->file->remote);
}

static void make_node(struct cfs_step *step, int error)
{
    struct naming *naming = naming_of(step);
    char *path CFS_AUTO_FREE = NULL;
    if (error == 0)
        error = cfs_step_path(step, 0, &path);
    if (error == 0 && !(naming->file = cfs_open_file_new(step->fs, NULL, O_WRONLY)))
        error = -ENOMEM;
    if (error < 0) {
        cfs_step_reply(step, error);
        return;
    }
    begin_change(naming);
    cfs_step_call(step, node_opened, open, path, O_CREAT | O_EXCL | O_WRONLY, naming->mode & 07777);
}

void cfs_fs_mknod(struct cfs_fs *fs, struct cfs_request *request, uint64_t parent, const char *name, mode_t mode,
                  dev_t device)
{
    (void)device;
    struct naming *naming = new_naming(fs, request, parent, name);
    if (!naming)
        return;
    naming->mode = S_IFREG | (mode & 07777 & ~request->caller.umask);
    if ((mode & S_IFMT) != S_IFREG && (mode & S_IFMT) != 0)
        cfs_step_reply(&naming->step, -EPERM); /* SFTP makes no devices, pipes and sockets */
    else
        cfs_claim_take(&naming->step, make_node);
}

static void make_link(struct cfs_step *step, int error)
{
    struct naming *naming = naming_of(step);
    char *path CFS_AUTO_FREE = NULL;
    char *from CFS_AUTO_FREE = NULL;
    if (error == 0)
        error = cfs_step_path(step, 0, &path);
    if (error == 0)
        error = cfs_step_path(step, 1, &from);
    if (error < 0) {
        cfs_step_reply(step, error);
        return;
    }
    begin_change(naming);
    cfs_step_call(step, made, link, from, path);
}

void cfs_fs_link(struct cfs_fs *fs, struct cfs_request *request, uint64_t node, uint64_t new_parent,
                 const char *new_name)
{
    struct naming *naming = new_naming(fs, request, new_parent, new_name);
    if (!naming)
        return;
    int result = fs->facts->capabilities & CFS_REMOTE_CAN_LINK ? 0 : -EPERM; /* as link(2) says it */
    if (result == 0 && !(naming->source = cfs_fs_node(fs, node)))
        result = -ESTALE;
    if (result < 0) {
        cfs_step_reply(&naming->step, result);
        return;
    }
    naming->step.claim.node[1] = naming->source;
    cfs_claim_take(&naming->step, make_link);
}

/* --- taking away --- */

/* The remote does not know whether the names changed: what is open goes on by its handle, since its name may be another
 * file's by now, and the kernel looks the names up again. */
static void leave_uncertain(struct naming *naming, int error)
{
    struct cfs_fs *fs = naming->step.fs;
    const struct cfs_fs_notifier *notifier = &fs->notifier;
    if (error != -ETIMEDOUT && error != -EINTR && error != -EIO && error != -ENOTCONN)
        return;
    for (int i = 0; i < 2; i++) {
        struct cfs_node *child = naming->step.claim.child[i];
        if (!child)
            continue;
        pthread_mutex_lock(&fs->lock);
        if (!cfs_list_empty(&child->files))
            cfs_node_detach(&fs->tree, child);
        pthread_mutex_unlock(&fs->lock);
        if (notifier->entry_changed)
            notifier->entry_changed(notifier->context, naming->folder[i]->id, naming->name[i]);
    }
}

static void taken_away(struct cfs_step *step, int error)
{
    struct cfs_fs *fs = step->fs;
    if ((error == 0 || error == -ENOENT) && step->claim.child[0]) {
        pthread_mutex_lock(&fs->lock);
        cfs_node_detach(&fs->tree, step->claim.child[0]);
        pthread_mutex_unlock(&fs->lock);
    }
    leave_uncertain(naming_of(step), error);
    cfs_step_reply(step, error);
}

static void take_away(struct cfs_step *step, int error)
{
    struct naming *naming = naming_of(step);
    char *path CFS_AUTO_FREE = NULL;
    if (error == 0)
        error = cfs_step_path(step, 0, &path);
    if (error < 0) {
        cfs_step_reply(step, error);
        return;
    }
    begin_change(naming);
    if (S_ISDIR(naming->mode))
        cfs_step_call(step, taken_away, rmdir, path);
    else
        cfs_step_call(step, taken_away, unlink, path);
}

static void remove_name(struct cfs_fs *fs, struct cfs_request *request, uint64_t parent, const char *name, mode_t type)
{
    struct naming *naming = new_naming(fs, request, parent, name);
    if (!naming)
        return;
    naming->mode = type;
    naming->step.claim.exclusive = true;
    cfs_claim_take(&naming->step, take_away);
}

void cfs_fs_unlink(struct cfs_fs *fs, struct cfs_request *request, uint64_t parent, const char *name)
{
    remove_name(fs, request, parent, name, S_IFREG);
}

void cfs_fs_rmdir(struct cfs_fs *fs, struct cfs_request *request, uint64_t parent, const char *name)
{
    remove_name(fs, request, parent, name, S_IFDIR);
}

/* --- rename ---
 *
 * POSIX lets a rename between two names of one file do nothing, and so does the server. We cannot see that it is one
 * file: here the old name is gone then, until it is looked up again. */

static void renamed(struct cfs_step *step, int error)
{
    struct naming *naming = naming_of(step);
    struct cfs_fs *fs = step->fs;
    if (error == 0) {
        pthread_mutex_lock(&fs->lock);
        struct cfs_node *moved = step->claim.child[0];
        struct cfs_node *replaced = cfs_tree_child(&fs->tree, naming->folder[1], naming->name[1]);
        if (moved) {
            moved->named_at = ++fs->stamp;
            /* Without memory the node is without a name, and the kernel looks the new one up. */
            (void)cfs_node_move(&fs->tree, moved, naming->folder[1], naming->name[1]);
        } else if (replaced) {
            cfs_node_detach(&fs->tree, replaced);
        }
        pthread_mutex_unlock(&fs->lock);
    }
    leave_uncertain(naming, error);
    cfs_step_reply(step, error);
}

static void rename_claimed(struct cfs_step *step, int error)
{
    struct naming *naming = naming_of(step);
    char *from CFS_AUTO_FREE = NULL;
    char *to CFS_AUTO_FREE = NULL;
    if (error == 0)
        error = cfs_step_path(step, 0, &from);
    if (error == 0)
        error = cfs_step_path(step, 1, &to);
    if (error == 0) {
        /* Before the server is asked, or a lie of its could make the tree a ring. */
        pthread_mutex_lock(&step->fs->lock);
        if (step->claim.child[0] && cfs_node_is_below(naming->folder[1], step->claim.child[0]))
            error = -EINVAL;
        pthread_mutex_unlock(&step->fs->lock);
    }
    if (error < 0) {
        cfs_step_reply(step, error);
        return;
    }
    begin_change(naming);
    cfs_step_call(step, renamed, rename, from, to, naming->how);
}

void cfs_fs_rename(struct cfs_fs *fs, struct cfs_request *request, uint64_t parent, const char *name,
                   uint64_t new_parent, const char *new_name, unsigned flags)
{
    struct naming *naming = new_naming(fs, request, parent, name);
    if (!naming)
        return;
    int result = flags & ~(unsigned)RENAME_NOREPLACE ? -EINVAL : cfs_check_name(new_name);
    if (result == 0 && !(naming->folder[1] = cfs_fs_node(fs, new_parent)))
        result = -ESTALE;
    if (result < 0) {
        cfs_step_reply(&naming->step, result);
        return;
    }
    strcpy(naming->name[1], new_name);
    naming->how = flags & RENAME_NOREPLACE ? CFS_REMOTE_RENAME_NOREPLACE : CFS_REMOTE_RENAME_REPLACE;
    naming->step.claim.node[1] = naming->folder[1];
    naming->step.claim.name[1] = naming->name[1];
    naming->step.claim.exclusive = true;
    cfs_claim_take(&naming->step, rename_claimed);
}

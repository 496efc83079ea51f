/* Open files: their life, and the operations open, create, flush, fsync and release.
 *
 * A file is made before the remote is asked to open it, so that a handle that arrives always has a home. It is open
 * from cfs_file_opened on. Each request that uses it holds a reference. release waits until the others are gone, then
 * closes. A file that never got to a program, or that is left over, is discarded: closed with no request waiting. */
#include "base/log.h"
#include "fs/fs_priv.h"
#include "fs/identity.h"
#include "fs/pages.h"
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>

/* --- life --- */

struct cfs_open_file *cfs_open_file_new(struct cfs_fs *fs, struct cfs_node *node, int flags)
{
    struct cfs_open_file *file = calloc(1, sizeof(*file));
    if (!file)
        return NULL;
    file->fs = fs;
    file->flags = flags;
    file->references = 1;
    file->node = node;
    cfs_list_init(&file->of_fs);
    cfs_list_init(&file->of_node);
    if (node) {
        pthread_mutex_lock(&fs->lock);
        cfs_node_get(node);
        pthread_mutex_unlock(&fs->lock);
    }
    return file;
}

void cfs_file_opened(struct cfs_open_file *file, struct cfs_remote_file *remote)
{
    struct cfs_fs *fs = file->fs;
    file->remote = remote;
    pthread_mutex_lock(&fs->lock);
    cfs_list_push_back(&fs->files, &file->of_fs);
    cfs_list_push_back(&file->node->files, &file->of_node);
    fs->open_files++;
    pthread_mutex_unlock(&fs->lock);
}

static void free_file(struct cfs_open_file *file)
{
    struct cfs_fs *fs = file->fs;
    if (file->node)
        cfs_fs_put_node(fs, file->node);
    free(file);
}

static void discarded_closed(struct cfs_remote_call *call)
{
    struct cfs_open_file *file = cfs_container_of(call, struct cfs_open_file, close);
    struct cfs_fs *fs = file->fs;
    free_file(file);
    pthread_mutex_lock(&fs->lock);
    fs->closing--;
    pthread_cond_broadcast(&fs->idle);
    pthread_mutex_unlock(&fs->lock);
}

/* Under the lock. */
static void unlist(struct cfs_open_file *file)
{
    if (cfs_list_empty(&file->of_fs))
        return;
    cfs_list_remove(&file->of_fs);
    cfs_list_remove(&file->of_node);
    file->fs->open_files--;
}

void cfs_file_discard(struct cfs_open_file *file)
{
    if (!file)
        return;
    struct cfs_fs *fs = file->fs;
    pthread_mutex_lock(&fs->lock);
    unlist(file);
    fs->closing += file->remote != NULL;
    pthread_mutex_unlock(&fs->lock);
    if (!file->remote) {
        free_file(file);
        return;
    }
    file->close.done = discarded_closed;
    fs->remote->operations->close(fs->remote, &file->close, file->remote);
}

static void tell_loss(struct cfs_open_file *file, int error)
{
    struct cfs_fs *fs = file->fs;
    char *path CFS_AUTO_FREE = NULL;
    pthread_mutex_lock(&fs->lock);
    int lost = cfs_node_path(file->node, NULL, &path);
    pthread_mutex_unlock(&fs->lock);
    const char *name = lost < 0 ? "a file without a name" : path;
    cfs_log_error("fs", "%s: what was written to it until the mount ended is lost: %s", name, strerror(-error));
    if (fs->lost)
        fs->lost(fs->context, name, error);
}

static void ended_flushed(struct cfs_remote_call *call)
{
    struct cfs_open_file *file = cfs_container_of(call, struct cfs_open_file, close);
    struct cfs_fs *fs = file->fs;
    if (call->error < 0)
        tell_loss(file, call->error);
    file->close.done = discarded_closed;
    fs->remote->operations->close(fs->remote, &file->close, file->remote);
}

void cfs_file_end(struct cfs_open_file *file)
{
    struct cfs_fs *fs = file->fs;
    if (!file->remote || (file->flags & O_ACCMODE) == O_RDONLY) {
        cfs_file_discard(file);
        return;
    }
    pthread_mutex_lock(&fs->lock);
    unlist(file);
    fs->closing++;
    pthread_mutex_unlock(&fs->lock);
    file->close.done = ended_flushed;
    fs->remote->operations->flush(fs->remote, &file->close, file->remote);
}

bool cfs_file_get(struct cfs_open_file *file)
{
    pthread_mutex_lock(&file->fs->lock);
    bool usable = !cfs_list_empty(&file->of_fs);
    file->references += usable;
    pthread_mutex_unlock(&file->fs->lock);
    return usable;
}

static void released_closed(struct cfs_step *step, int error)
{
    if (error < 0)
        cfs_log_debug("fs", "closing a file: %s", strerror(-error));
    cfs_step_reply(step, error);
}

void cfs_file_put(struct cfs_open_file *file)
{
    struct cfs_fs *fs = file->fs;
    pthread_mutex_lock(&fs->lock);
    bool last = --file->references == 0;
    pthread_mutex_unlock(&fs->lock);
    if (!last)
        return;
    struct cfs_step *release = file->release;
    struct cfs_remote_file *remote = file->remote;
    if (!release) {
        cfs_file_discard(file);
        return;
    }
    free_file(file);
    cfs_step_shield(release);
    cfs_step_call(release, released_closed, close, remote);
}

struct cfs_open_file *cfs_file_find_open(struct cfs_node *node, bool writing)
{
    struct cfs_list *link;
    cfs_list_each (link, &node->files) {
        struct cfs_open_file *file = cfs_container_of(link, struct cfs_open_file, of_node);
        if (!writing || (file->flags & O_ACCMODE) != O_RDONLY) {
            file->references++;
            return file;
        }
    }
    return NULL;
}

struct cfs_open_file *cfs_file_of_lost_node(struct cfs_fs *fs, struct cfs_node *node, bool writing)
{
    pthread_mutex_lock(&fs->lock);
    struct cfs_open_file *found = node->linked ? NULL : cfs_file_find_open(node, writing);
    pthread_mutex_unlock(&fs->lock);
    return found;
}

struct cfs_open_file *cfs_file_of_vanished_node(struct cfs_fs *fs, struct cfs_node *node, bool writing)
{
    pthread_mutex_lock(&fs->lock);
    struct cfs_open_file *found = cfs_file_find_open(node, writing);
    if (found)
        cfs_node_detach(&fs->tree, node);
    pthread_mutex_unlock(&fs->lock);
    return found;
}

/* --- open, create --- */

struct opening {
    struct cfs_step step;
    struct cfs_node *node;      /* open: the file; create: the folder. Referenced */
    struct cfs_open_file *file; /* until it is the program's */
    struct cfs_remote_attributes attributes;
    struct cfs_entry entry;       /* create */
    struct cfs_identity identity; /* open */
    int flags;
    mode_t mode;
    uint64_t started;
    bool changing;
    bool is_old;                   /* open: it was answered without a connection, and shows nothing new */
    char name[CFS_NAME_LIMIT + 1]; /* create */
};

static struct opening *opening_of(struct cfs_step *step)
{
    return cfs_container_of(step, struct opening, step);
}

static void end_change(struct opening *opening)
{
    if (opening->changing)
        cfs_node_change_end(opening->step.fs, opening->node, 0);
    opening->changing = false;
}

static void release_opening(struct cfs_step *step)
{
    struct opening *opening = opening_of(step);
    end_change(opening);
    cfs_file_discard(opening->file);
    cfs_fs_put_node(step->fs, opening->node);
}

static bool for_writing(int flags)
{
    return (flags & O_ACCMODE) != O_RDONLY || flags & O_TRUNC;
}

/* The kernel's pages, and what it was told, compared with what the file is now: close-to-open. */
static void compare(struct opening *opening, const struct cfs_remote_attributes *attributes)
{
    struct cfs_fs *fs = opening->step.fs;
    struct cfs_node *node = opening->node;
    struct cfs_result *result = &opening->step.request->result;
    unsigned needed = CFS_REMOTE_SIZE | CFS_REMOTE_TIMES;
    bool known = (attributes->valid & needed) == needed;
    pthread_mutex_lock(&fs->lock);
    bool keep = opening->is_old ||
                cfs_node_opened(node, attributes, cfs_clock_ms(fs->clock), fs->clock->wall(fs->clock).tv_sec);
    result->keep_cache = keep && !(opening->flags & O_TRUNC);
    if (!result->keep_cache)
        cfs_pages_dropped(fs, &node->pages);
    struct cfs_told *told = &node->told;
    if ((!known && !opening->is_old) ||
        (told->valid && known && (told->size != attributes->size || told->mtime != attributes->mtime))) {
        result->attributes_changed = true;
        told->valid = false;
    }
    pthread_mutex_unlock(&fs->lock);
}

static void look_at_opened_again(struct cfs_step *step)
{
    cfs_step_call(step, cfs_identity_seen_again, fstat, opening_of(step)->file->remote);
}

/* When another file was open under the name, the kernel is sent to look the name up again. */
static void open_identified(struct cfs_step *step, int error)
{
    struct opening *opening = opening_of(step);
    if (error < 0) {
        cfs_step_reply(step, error);
        return;
    }
    cfs_file_opened(opening->file, opening->file->remote);
    compare(opening, &opening->identity.seen);
    step->request->result.file = CFS_TAKE(opening->file);
    cfs_step_reply(step, 0);
}

/* The kernel knew the name, perhaps from a while ago: on ESTALE it looks it up again, and finds what is there now, or
 * creates it for O_CREAT, or says ENOENT by itself. */
static void open_failed(struct cfs_step *step, int error)
{
    cfs_step_reply(step, error == -ENOENT ? -ESTALE : error);
}

static void open_done(struct cfs_step *step, int error)
{
    struct opening *opening = opening_of(step);
    struct cfs_identity *identity = &opening->identity;
    if (error < 0) {
        open_failed(step, error);
        return;
    }
    opening->file->remote = step->call.result.file;
    if (opening->changing) {
        end_change(opening);
        opening->started = cfs_stamp(step->fs);
    }
    *identity = (struct cfs_identity){.node = opening->node,
                                      .seen = step->call.result.attributes,
                                      .started = opening->started,
                                      .look_again = look_at_opened_again,
                                      .then = open_identified};
    opening->is_old = step->call.result.is_old;
    if (opening->is_old) {
        open_identified(step, 0);
        return;
    }
    if (!S_ISREG(identity->seen.mode))
        identity->seen.valid = 0; /* of something else that has the name by now */
    cfs_identity_check(step, identity, false);
}

static void open_claimed(struct cfs_step *step, int error)
{
    struct opening *opening = opening_of(step);
    char *path CFS_AUTO_FREE = NULL;
    if (error == 0)
        error = cfs_step_path(step, 0, &path);
    if (error == 0 && !(opening->file = cfs_open_file_new(step->fs, opening->node, opening->flags)))
        error = -ENOMEM;
    if (error < 0) {
        open_failed(step, error);
        return;
    }
    if (opening->flags & O_TRUNC) {
        cfs_node_change_begin(step->fs, opening->node);
        opening->changing = true;
    }
    opening->started = cfs_stamp(step->fs);
    cfs_step_call(step, open_done, open, path, opening->flags & (O_ACCMODE | O_TRUNC), 0);
}

void cfs_fs_open(struct cfs_fs *fs, struct cfs_request *request, uint64_t node, int flags)
{
    struct opening *opening = cfs_step_new(fs, request, sizeof(*opening), release_opening);
    if (!opening)
        return;
    int result = fs->profile->read_only && for_writing(flags) ? -EROFS : 0;
    if (result == 0 && !(opening->node = cfs_fs_node(fs, node)))
        result = -ESTALE;
    /* The kernel opens no other; and a server that opens a pipe waits for its other end. */
    if (result == 0 && !S_ISREG(opening->node->type))
        result = S_ISDIR(opening->node->type) ? -EISDIR : S_ISLNK(opening->node->type) ? -ELOOP : -ENXIO;
    if (result < 0) {
        cfs_step_reply(&opening->step, result);
        return;
    }
    opening->flags = flags;
    if (!for_writing(flags))
        cfs_step_may_be_old(&opening->step);
    opening->step.claim.node[0] = opening->node;
    cfs_claim_take(&opening->step, open_claimed);
}

static void create_prepared(struct cfs_step *step, int error)
{
    struct opening *opening = opening_of(step);
    struct cfs_fs *fs = step->fs;
    struct cfs_result *result = &step->request->result;
    error =
        cfs_entry_make(fs, opening->node, opening->name, &opening->attributes, opening->started, true, &result->entry);
    if (error < 0) {
        cfs_step_reply(step, error);
        return;
    }
    pthread_mutex_lock(&fs->lock);
    struct cfs_node *node = cfs_tree_find(&fs->tree, result->entry.node);
    cfs_node_get(node);
    opening->file->node = node;
    (void)cfs_node_opened(node, &opening->attributes, cfs_clock_ms(fs->clock), fs->clock->wall(fs->clock).tv_sec);
    pthread_mutex_unlock(&fs->lock);
    cfs_file_opened(opening->file, opening->file->remote);
    result->file = CFS_TAKE(opening->file);
    cfs_step_reply(step, 0);
}

static void create_prepare(struct opening *opening)
{
    struct cfs_step *step = &opening->step;
    if (opening->flags & O_EXCL)
        cfs_owners_saw_own(step->fs->owners, &opening->attributes);
    cfs_attributes_prepare(step, &opening->attributes, 1, create_prepared);
}

static void create_seen(struct cfs_step *step, int error)
{
    struct opening *opening = opening_of(step);
    if (error == 0)
        opening->attributes = step->call.result.attributes;
    if (error < 0 || !(opening->attributes.valid & CFS_REMOTE_MODE))
        cfs_attributes_make_up(S_IFREG | opening->mode, &opening->attributes);
    create_prepare(opening);
}

static void create_done(struct cfs_step *step, int error)
{
    struct opening *opening = opening_of(step);
    struct cfs_fs *fs = step->fs;
    if (error == 0 && opening->flags & O_EXCL && step->claim.child[0]) {
        pthread_mutex_lock(&fs->lock);
        cfs_node_detach(&fs->tree, step->claim.child[0]); /* was another file */
        pthread_mutex_unlock(&fs->lock);
    }
    if (error < 0) {
        cfs_step_reply(step, error);
        return;
    }
    opening->file->remote = step->call.result.file;
    opening->attributes = step->call.result.attributes;
    end_change(opening);
    opening->started = cfs_stamp(fs);
    cfs_step_shield(step);
    unsigned all = CFS_REMOTE_MODE | CFS_REMOTE_OWNER | CFS_REMOTE_SIZE | CFS_REMOTE_TIMES;
    if ((opening->attributes.valid & all) == all && S_ISREG(opening->attributes.mode))
        create_prepare(opening);
    else
        cfs_step_call(step, create_seen, fstat, opening->file->remote);
}

static void create_claimed(struct cfs_step *step, int error)
{
    struct opening *opening = opening_of(step);
    char *path CFS_AUTO_FREE = NULL;
    if (error == 0)
        error = cfs_step_path(step, 0, &path);
    if (error == 0 && !(opening->file = cfs_open_file_new(step->fs, NULL, opening->flags)))
        error = -ENOMEM;
    if (error < 0) {
        cfs_step_reply(step, error);
        return;
    }
    cfs_node_change_begin(step->fs, opening->node);
    opening->changing = true;
    int flags = O_CREAT | (opening->flags & (O_ACCMODE | O_TRUNC | O_EXCL));
    cfs_step_call(step, create_done, open, path, flags, opening->mode);
}

void cfs_fs_create(struct cfs_fs *fs, struct cfs_request *request, uint64_t parent, const char *name, mode_t mode,
                   int flags)
{
    struct opening *opening = cfs_step_new(fs, request, sizeof(*opening), release_opening);
    if (!opening)
        return;
    int result = fs->profile->read_only ? -EROFS : cfs_check_name(name);
    if (result == 0 && !(opening->node = cfs_fs_node(fs, parent)))
        result = -ESTALE;
    if (result < 0) {
        cfs_step_reply(&opening->step, result);
        return;
    }
    strcpy(opening->name, name);
    opening->flags = flags;
    opening->mode = mode & 07777 & ~request->caller.umask;
    opening->step.claim = (struct cfs_claim){.node = {opening->node}, .name = {opening->name}};
    cfs_claim_take(&opening->step, create_claimed);
}

/* --- flush, fsync, release --- */

struct syncing {
    struct cfs_step step;
    struct cfs_open_file *file;
};

static void release_syncing(struct cfs_step *step)
{
    struct syncing *syncing = cfs_container_of(step, struct syncing, step);
    if (syncing->file)
        cfs_file_put(syncing->file);
}

/* NULL: it has been answered. */
static struct syncing *new_syncing(struct cfs_fs *fs, struct cfs_request *request, struct cfs_open_file *file)
{
    struct syncing *syncing = cfs_step_new(fs, request, sizeof(*syncing), release_syncing);
    if (syncing && !cfs_file_get(file)) {
        cfs_step_reply(&syncing->step, -EBADF);
        return NULL;
    }
    if (syncing)
        syncing->file = file;
    return syncing;
}

/* A close(2): with what was written all is well, or the program is told now. */
void cfs_fs_flush(struct cfs_fs *fs, struct cfs_request *request, struct cfs_open_file *file)
{
    struct syncing *syncing = new_syncing(fs, request, file);
    if (!syncing)
        return;
    if ((file->flags & O_ACCMODE) == O_RDONLY)
        cfs_step_reply(&syncing->step, 0);
    else
        cfs_step_call(&syncing->step, cfs_step_reply, flush, file->remote);
}

void cfs_fs_fsync(struct cfs_fs *fs, struct cfs_request *request, struct cfs_open_file *file, bool data_only)
{
    (void)data_only; /* fsync@openssh.com knows no other */
    struct syncing *syncing = new_syncing(fs, request, file);
    if (syncing)
        cfs_step_call(&syncing->step, cfs_step_reply, fsync, file->remote);
}

void cfs_fs_release(struct cfs_fs *fs, struct cfs_request *request, struct cfs_open_file *file)
{
    struct cfs_step *step = cfs_step_new(fs, request, sizeof(*step), NULL);
    pthread_mutex_lock(&fs->lock);
    unlist(file);
    file->release = step;
    pthread_mutex_unlock(&fs->lock);
    cfs_file_put(file);
}

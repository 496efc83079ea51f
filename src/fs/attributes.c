/* Attributes: from what SFTP tells to what stat(2) shows.
 *
 * There is no link count on the wire: 1, and 0 for a file that lives by its open handles alone (find(1) takes 1 on a
 * folder for "not counted"). There is no change time: the modification time stands in. A block is 512 bytes that the
 * file has, holes or not. st_blksize is what stdio buffers: each write(2) of a program is a round trip. */
#include "fs/fs_priv.h"
#include <errno.h>
#include <stdlib.h>
#include <string.h>

/* attr_ttl = auto, of a remote that does not say: the grain of times on the wire. */
enum { BLOCK = 512, BUFFER_SIZE = 131072, UNKNOWN_AGE_TTL_MS = 1000 };

static bool is_unlinked(struct cfs_fs *fs, const struct cfs_node *node)
{
    pthread_mutex_lock(&fs->lock);
    bool unlinked = !node->linked;
    pthread_mutex_unlock(&fs->lock);
    return unlinked;
}

void cfs_attributes_show(struct cfs_fs *fs, const struct cfs_node *node, const struct cfs_remote_attributes *attributes,
                         struct stat *ret_stat)
{
    struct stat shown = {.st_ino = node->ino, .st_nlink = is_unlinked(fs, node) ? 0 : 1, .st_blksize = BUFFER_SIZE};
    shown.st_mode = attributes->valid & CFS_REMOTE_MODE ? attributes->mode : node->type;
    if (fs->profile->umask_set && !S_ISLNK(shown.st_mode))
        shown.st_mode &= ~(fs->profile->umask & 07777);
    shown.st_uid = (uid_t)-2; /* nobody, where the server does not say */
    shown.st_gid = (gid_t)-2;
    if (attributes->valid & CFS_REMOTE_OWNER)
        cfs_owners_to_local(fs->owners, attributes, &shown.st_uid, &shown.st_gid);
    if (attributes->valid & CFS_REMOTE_SIZE && attributes->size <= INT64_MAX)
        shown.st_size = (off_t)attributes->size;
    shown.st_blocks = shown.st_size / BLOCK + (shown.st_size % BLOCK != 0);
    if (attributes->valid & CFS_REMOTE_TIMES) {
        shown.st_atim.tv_sec = attributes->atime;
        shown.st_mtim.tv_sec = attributes->mtime;
        shown.st_ctim.tv_sec = attributes->mtime;
    }
    *ret_stat = shown;
}

void cfs_attributes_make_up(mode_t mode, struct cfs_remote_attributes *ret_attributes)
{
    *ret_attributes = (struct cfs_remote_attributes){.valid = CFS_REMOTE_MODE | CFS_REMOTE_SIZE, .mode = mode};
}

uint32_t cfs_attributes_ttl_ms(const struct cfs_fs *fs, const struct cfs_remote_attributes *attributes)
{
    if (attributes->keep_ms == CFS_REMOTE_KEEP_DEFAULT)
        return fs->profile->attr_ttl_ms == CFS_ATTR_TTL_AUTO ? UNKNOWN_AGE_TTL_MS : fs->profile->attr_ttl_ms;
    return attributes->keep_ms == CFS_REMOTE_KEEP_NOT ? 0 : attributes->keep_ms;
}

uint32_t cfs_attributes_tell(struct cfs_fs *fs, struct cfs_node *node, const struct cfs_remote_attributes *attributes,
                             uint64_t started)
{
    unsigned all = CFS_REMOTE_SIZE | CFS_REMOTE_OWNER | CFS_REMOTE_MODE | CFS_REMOTE_TIMES;
    if (cfs_changed_since(node, started) || (attributes->valid & all) != all)
        return 0;
    cfs_node_saw(node, attributes, cfs_clock_ms(fs->clock));
    node->told = (struct cfs_told){.valid = true, .size = attributes->size, .mtime = attributes->mtime};
    return cfs_attributes_ttl_ms(fs, attributes);
}

/* --- names of ids --- */

/* A copy of what the remote told, for the worker: the local user database may be slow. */
struct names {
    size_t count;
    struct name {
        uint32_t id;
        bool is_group;
        char name[64];
    } name[];
};

/* What a step keeps between asking and going on. */
struct cfs_asking {
    cfs_step_function *then;
    struct names *names;
};

static void go_on(struct cfs_step *step)
{
    struct cfs_asking *asking = CFS_TAKE(step->asking);
    cfs_step_function *then = asking->then;
    free(asking->names);
    free(asking);
    then(step, 0);
}

static void learn(struct cfs_step *step, int error)
{
    (void)error;
    const struct names *names = step->asking->names;
    for (size_t i = 0; i < names->count; i++)
        cfs_owners_learn_name(step->fs->owners, names->name[i].is_group, names->name[i].id, names->name[i].name);
    go_on(step);
}

static void asked(struct cfs_step *step, int error)
{
    const struct cfs_remote_result *result = &step->call.result;
    struct names *names = NULL;
    if (error == 0 && (names = calloc(1, sizeof(*names) + result->count * sizeof(names->name[0])))) {
        names->count = result->count;
        for (size_t i = 0; i < names->count; i++) {
            struct name *name = &names->name[i];
            name->id = result->names[i].id;
            name->is_group = result->names[i].is_group;
            if (strlen(result->names[i].name) < sizeof(name->name))
                strcpy(name->name, result->names[i].name);
        }
    }
    step->asking->names = names;
    if (names)
        cfs_step_run_on_worker(step, learn);
    else
        go_on(step);
}

void cfs_attributes_prepare(struct cfs_step *step, const struct cfs_remote_attributes *attributes, size_t count,
                            cfs_step_function *then)
{
    struct cfs_unknown_ids ids = {.uid_count = 0, .gid_count = 0};
    for (size_t i = 0; i < count; i++) {
        if (!cfs_owners_ask(step->fs->owners, &attributes[i], &ids))
            break; /* the rest is shown by number this time */
    }
    struct cfs_asking *asking = ids.uid_count + ids.gid_count > 0 ? calloc(1, sizeof(*asking)) : NULL;
    if (!asking) {
        then(step, 0);
        return;
    }
    asking->then = then;
    step->asking = asking;
    cfs_step_call(step, asked, id_names, ids.uids, ids.uid_count, ids.gids, ids.gid_count);
}

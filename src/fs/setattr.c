/* setattr: chmod, chown, truncate, utimensat.
 *
 * SFTP sets owner and group only together, and the two times only together: what the caller does not set is asked for
 * first. Times have whole seconds. "Now" is this machine's time. The kernel wants the new attributes: they mostly come
 * with the change's own answer, else they are asked for; when the change was made and the look fails, that is the
 * answer's only error. By the caller's open file where there is one, or by any open file when the name is gone; by path
 * otherwise. */
#include "fs/fs_priv.h"
#include <errno.h>
#include <fcntl.h>

struct setting {
    struct cfs_step step;
    struct cfs_node *node;      /* referenced */
    struct cfs_open_file *file; /* referenced, or NULL */
    struct stat wanted;
    unsigned set;
    struct cfs_remote_attributes attributes; /* as they are now */
    uint64_t started;
    uint64_t begun; /* the change's stamp */
    bool changing;
};

static struct setting *setting_of(struct cfs_step *step)
{
    return cfs_container_of(step, struct setting, step);
}

/* As cfs_node_change_end. */
static uint64_t end_change(struct setting *setting)
{
    bool changing = setting->changing;
    setting->changing = false;
    return changing ? cfs_node_change_end(setting->step.fs, setting->node, setting->begun) : 0;
}

static void release_setting(struct cfs_step *step)
{
    struct setting *setting = setting_of(step);
    end_change(setting);
    if (setting->file)
        cfs_file_put(setting->file);
    cfs_fs_put_node(step->fs, setting->node);
}

/* Asks for the attributes; THEN gets them in the call's result. */
static void look(struct setting *setting, cfs_step_function *then)
{
    struct cfs_step *step = &setting->step;
    char *path CFS_AUTO_FREE = NULL;
    int error = setting->file ? 0 : cfs_step_path(step, 0, &path);
    if (error < 0) {
        cfs_step_reply(step, error);
        return;
    }
    setting->started = cfs_stamp(step->fs);
    if (setting->file)
        cfs_step_call(step, then, fstat, setting->file->remote);
    else
        cfs_step_call(step, then, lstat, path);
}

/* --- what to ask for --- */

static bool sets_one_of(unsigned set, unsigned first, unsigned second)
{
    return ((set & first) != 0) != ((set & second) != 0);
}

enum {
    SETS_ATIME = CFS_SET_ATIME | CFS_SET_ATIME_NOW,
    SETS_MTIME = CFS_SET_MTIME | CFS_SET_MTIME_NOW,
    SETS_OWNER = CFS_SET_UID | CFS_SET_GID,
};

/* An owner is translated in the light of the one that the file has. */
static bool must_look_first(unsigned set)
{
    return (set & SETS_OWNER) || sets_one_of(set, SETS_ATIME, SETS_MTIME);
}

static int64_t clamp_time(int64_t seconds)
{
    return seconds < 0 ? 0 : seconds > UINT32_MAX ? UINT32_MAX : seconds;
}

static void translate_times(const struct setting *setting, struct cfs_remote_attributes *remote)
{
    const struct cfs_clock *clock = setting->step.fs->clock;
    int64_t now = clock->wall(clock).tv_sec;
    if (!(setting->set & (SETS_ATIME | SETS_MTIME)))
        return;
    remote->valid |= CFS_REMOTE_TIMES;
    remote->atime = setting->set & CFS_SET_ATIME_NOW ? now
                    : setting->set & CFS_SET_ATIME   ? clamp_time(setting->wanted.st_atim.tv_sec)
                                                     : setting->attributes.atime;
    remote->mtime = setting->set & CFS_SET_MTIME_NOW ? now
                    : setting->set & CFS_SET_MTIME   ? clamp_time(setting->wanted.st_mtim.tv_sec)
                                                     : setting->attributes.mtime;
}

static int translate(const struct setting *setting, struct cfs_remote_attributes *ret_remote)
{
    struct cfs_remote_attributes remote = {.valid = 0};
    const struct stat *wanted = &setting->wanted;
    if (setting->set & CFS_SET_SIZE) {
        remote.valid |= CFS_REMOTE_SIZE;
        remote.size = (uint64_t)wanted->st_size;
    }
    if (setting->set & CFS_SET_MODE) {
        remote.valid |= CFS_REMOTE_MODE;
        remote.mode = wanted->st_mode & 07777;
    }
    translate_times(setting, &remote);
    if (setting->set & SETS_OWNER) {
        remote.valid |= CFS_REMOTE_OWNER;
        int result = cfs_owners_to_remote(
            setting->step.fs->owners, &setting->attributes, setting->set & CFS_SET_UID ? &wanted->st_uid : NULL,
            setting->set & CFS_SET_GID ? &wanted->st_gid : NULL, &remote.uid, &remote.gid);
        if (result < 0)
            return result;
        /* Nothing changes: many servers let nobody but root say even that. */
        if (remote.uid == setting->attributes.uid && remote.gid == setting->attributes.gid)
            remote.valid &= ~(unsigned)CFS_REMOTE_OWNER;
    }
    *ret_remote = remote;
    return 0;
}

/* --- the steps --- */

/* True: no path led to the file, but it is open: the step is to be done again, by its handle. */
static bool goes_on_by_handle(struct setting *setting, int error)
{
    bool writing = (setting->set & CFS_SET_SIZE) != 0;
    if (error == -ENOENT && !setting->file)
        setting->file = cfs_file_of_vanished_node(setting->step.fs, setting->node, writing);
    else
        return false;
    return setting->file != NULL;
}

static void set_prepared(struct cfs_step *step, int error)
{
    (void)error;
    struct setting *setting = setting_of(step);
    struct cfs_fs *fs = step->fs;
    struct cfs_result *result = &step->request->result;
    pthread_mutex_lock(&fs->lock);
    result->attributes_ttl_ms = cfs_attributes_tell(fs, setting->node, &setting->attributes, setting->started);
    pthread_mutex_unlock(&fs->lock);
    cfs_attributes_show(fs, setting->node, &setting->attributes, &result->attributes);
    cfs_step_reply(step, 0);
}

static void set_seen(struct cfs_step *step, int error)
{
    struct setting *setting = setting_of(step);
    if (goes_on_by_handle(setting, error)) {
        look(setting, set_seen);
        return;
    }
    if (error < 0) {
        cfs_step_reply(step, error);
        return;
    }
    setting->attributes = step->call.result.attributes;
    cfs_attributes_prepare(step, &setting->attributes, 1, set_prepared);
}

/* cp, rsync and tar take ENOSYS for "links have no times here", and end with an error for EOPNOTSUPP. */
static bool is_about_times_of_a_link(const struct setting *setting)
{
    return S_ISLNK(setting->node->type) && !(setting->set & ~(unsigned)(SETS_ATIME | SETS_MTIME));
}

static void set_attributes(struct cfs_step *step, int error);

static void was_set(struct cfs_step *step, int error)
{
    struct setting *setting = setting_of(step);
    const struct cfs_remote_attributes *attributes = &step->call.result.attributes;
    unsigned all = CFS_REMOTE_MODE | CFS_REMOTE_OWNER | CFS_REMOTE_SIZE | CFS_REMOTE_TIMES;
    uint64_t holds_from = end_change(setting);
    if (goes_on_by_handle(setting, error)) {
        set_attributes(step, 0);
        return;
    }
    if (error == -EOPNOTSUPP && is_about_times_of_a_link(setting))
        error = -ENOSYS;
    if (error < 0) {
        cfs_step_reply(step, error);
        return;
    }
    cfs_step_shield(step);
    if (holds_from && (attributes->valid & all) == all) {
        setting->started = holds_from;
        set_seen(step, 0);
    } else {
        look(setting, set_seen);
    }
}

static void set_attributes(struct cfs_step *step, int error)
{
    struct setting *setting = setting_of(step);
    struct cfs_remote_attributes remote;
    char *path CFS_AUTO_FREE = NULL;
    if (error == 0)
        error = translate(setting, &remote);
    if (error == 0 && remote.valid == 0) {
        was_set(step, 0);
        return;
    }
    if (error == 0 && !setting->file)
        error = cfs_step_path(step, 0, &path);
    if (error < 0) {
        cfs_step_reply(step, error);
        return;
    }
    setting->begun = cfs_node_change_begin(step->fs, setting->node);
    setting->changing = true;
    if (setting->file)
        cfs_step_call(step, was_set, fsetattr, setting->file->remote, &remote);
    else
        cfs_step_call(step, was_set, setattr, path, setting->node->type, &remote);
}

static void looked_first(struct cfs_step *step, int error)
{
    struct setting *setting = setting_of(step);
    unsigned needed = (setting->set & SETS_OWNER ? CFS_REMOTE_OWNER : 0) |
                      (setting->set & (SETS_ATIME | SETS_MTIME) ? CFS_REMOTE_TIMES : 0);
    if (goes_on_by_handle(setting, error)) {
        look(setting, looked_first);
        return;
    }
    if (error == 0) {
        setting->attributes = step->call.result.attributes;
        if ((setting->attributes.valid & needed) != needed)
            error = -EOPNOTSUPP; /* a server that does not tell what cannot be set by halves */
    }
    set_attributes(step, error);
}

static void setattr_claimed(struct cfs_step *step, int error)
{
    struct setting *setting = setting_of(step);
    if (!setting->file)
        setting->file = cfs_file_of_lost_node(step->fs, setting->node, (setting->set & CFS_SET_SIZE) != 0);
    if (error < 0)
        cfs_step_reply(step, error);
    else if (must_look_first(setting->set))
        look(setting, looked_first);
    else
        set_attributes(step, 0);
}

void cfs_fs_setattr(struct cfs_fs *fs, struct cfs_request *request, uint64_t node, struct cfs_open_file *file,
                    const struct stat *attributes, unsigned set)
{
    struct setting *setting = cfs_step_new(fs, request, sizeof(*setting), release_setting);
    if (!setting)
        return;
    int result = fs->profile->read_only ? -EROFS : 0;
    if (result == 0 && set & CFS_SET_SIZE && attributes->st_size < 0)
        result = -EINVAL;
    if (result == 0 && !(setting->node = cfs_fs_node(fs, node)))
        result = -ESTALE;
    if (result < 0) {
        cfs_step_reply(&setting->step, result);
        return;
    }
    setting->wanted = *attributes;
    setting->set = set;
    /* A file that is open for reading cannot be truncated by its handle. */
    bool usable = file && (!(set & CFS_SET_SIZE) || (file->flags & O_ACCMODE) != O_RDONLY);
    if (usable && cfs_file_get(file)) {
        setting->file = file;
        setattr_claimed(&setting->step, 0);
        return;
    }
    setting->step.claim.node[0] = setting->node;
    cfs_claim_take(&setting->step, setattr_claimed);
}

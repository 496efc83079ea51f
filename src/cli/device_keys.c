/* The authorized_keys of a login is edited as follows. The new contents are written to one name beside it, which is
 * made exclusively: whoever has made it has the lock, as with git's index.lock, and others wait. Then the file is read
 * once more, and only if it is still what was edited, the new one is renamed over it, which also gives the lock back.
 * So no line of another `clusterfs key install` is lost; one of a program that knows nothing of the lock only if it
 * comes between the last look and the rename. There is always a whole file: where the server cannot rename over one
 * (posix-rename), the old one would have to be removed first, and that is done only by force. What is interrupted then
 * leaves the keys under the lock's name alone: no force ever removes that while there is no authorized_keys; it is
 * put in its place first.
 *
 * Signals wait while we hold the lock, so that it does not stay. */
#include "cli/device_keys.h"
#include "base/clock.h"
#include "base/log.h"
#include "base/text.h"
#include "cli/blocking.h"
#include "cli/reach.h"
#include "cli/signals.h"
#include "cli/waited.h"
#include "remote/pool.h"
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>

static const char folder_name[] = ".ssh", file_name[] = ".ssh/authorized_keys";
static const char lock_name[] = ".ssh/authorized_keys.clusterfs-new";

enum { FILE_MOST = 1 << 20, LOCK_LIMIT_MS = 30 * 1000, LOCK_PAUSE_MS = 200, EDITS_MOST = 10 };

struct cfs_device_keys {
    bool has_library;
    struct cfs_profile *profile;
    struct cfs_remote *remote;
    char login_key[64];
    char *name;
};

/* --- the login --- */

static int connect_device(struct cfs_device_keys *device, struct cfs_error *error)
{
    const struct cfs_pool_options options = {
        .lanes = 1,
        .sessions = 1,
        .op_timeout_ms = device->profile->op_timeout_ms,
        .remote_dir = "", /* the login folder */
    };
    struct cfs_transport *transport;
    struct cfs_pool_status status;
    int result = cfs_reach(device->profile, NULL, &transport, error);
    if (result == 0)
        result = cfs_pool_open(transport, &options, &device->remote, error);
    if (result < 0)
        return result;
    cfs_pool_status(device->remote, &status);
    snprintf(device->login_key, sizeof(device->login_key), "%s", status.ssh.login_key);
    device->name = cfs_text_format("%s on %s", device->profile->user, device->profile->host);
    return device->name ? 0 : cfs_error_set(error, ENOMEM, CFS_FAILURE_SYSTEM, "There is not enough memory.");
}

int cfs_device_keys_open(const struct cfs_profile_request *request, struct cfs_device_keys **ret_device,
                         struct cfs_error *error)
{
    struct cfs_device_keys *device CFS_CLEANUP(cfs_device_keys_free) = calloc(1, sizeof(*device));
    if (!device)
        return cfs_error_set(error, ENOMEM, CFS_FAILURE_SYSTEM, "There is not enough memory.");
    int result = cfs_profile_load(request, &device->profile, error);
    if (result < 0)
        return result;
    cfs_log_set_level(CFS_LOG_ERROR); /* what matters is said in sentences */
    device->profile->connections = 1; /* no session is logged in ahead */
    if (cfs_ssh_library_init() < 0)
        return cfs_error_set(error, ENOMEM, CFS_FAILURE_SYSTEM, "There is not enough memory.");
    device->has_library = true;
    result = connect_device(device, error);
    if (result == 0)
        *ret_device = CFS_TAKE(device);
    return result;
}

void cfs_device_keys_free(struct cfs_device_keys *device)
{
    if (!device)
        return;
    if (device->remote)
        cfs_pool_free(device->remote);
    if (device->has_library)
        cfs_ssh_library_fini();
    cfs_profile_free(device->profile);
    free(device->name);
    free(device);
}

const char *cfs_device_keys_name(const struct cfs_device_keys *device)
{
    return device->name;
}

const char *cfs_device_keys_login_key(const struct cfs_device_keys *device)
{
    return device->login_key;
}

/* --- sentences --- */

static int fail(const struct cfs_device_keys *device, const char *what, int result, struct cfs_error *error)
{
    return cfs_error_set(error, -result, cfs_waited_failure(result), "Cannot %s of %s: %s.", what, device->name,
                         strerror(-result));
}

static int fail_link(const struct cfs_device_keys *device, const char *name, struct cfs_error *error)
{
    return cfs_error_set(error, ELOOP, CFS_FAILURE_REMOTE_PATH,
                         "~/%s of %s is a symbolic link, which would be replaced by a file. It is left as it is: "
                         "edit the file that it leads to on the device itself.",
                         name, device->name);
}

static int fail_locked(const struct cfs_device_keys *device, struct cfs_error *error)
{
    return cfs_error_set(error, EBUSY, CFS_FAILURE_BUSY,
                         "Somebody else is changing the keys of %s, or has left ~/%s behind when it was interrupted. "
                         "Try again later; if it stays, say --force.",
                         device->name, lock_name);
}

/* Between the two steps nobody has a key to come in with. */
static int fail_two_steps(const struct cfs_device_keys *device, struct cfs_error *error)
{
    return cfs_error_set(error, EOPNOTSUPP, CFS_FAILURE_REMOTE_PATH,
                         "The server of %s cannot replace a file in one step: it would have to remove the old keys "
                         "first, and should the connection be lost then, no key would let anybody in. Nothing was "
                         "changed. Edit ~/%s on the device itself, or say --force.",
                         device->name, file_name);
}

/* --- reading --- */

/* What there is must be of TYPE. 1: it is; 0: there is nothing. */
static int look(struct cfs_device_keys *device, const char *name, mode_t type, mode_t *ret_mode,
                struct cfs_error *error)
{
    struct cfs_remote_attributes attributes;
    int result = cfs_blocking_lstat(device->remote, name, &attributes);
    if (result == -ENOENT)
        return 0;
    if (result < 0)
        return fail(device, "look at the keys", result, error);
    mode_t found = attributes.valid & CFS_REMOTE_MODE ? attributes.mode : type | 0777;
    if (S_ISLNK(found))
        return fail_link(device, name, error);
    if ((found & S_IFMT) != type)
        return fail(device, "use the keys", S_ISDIR(type) ? -ENOTDIR : -EISDIR, error);
    *ret_mode = found & 07777;
    return 1;
}

static int read_file(struct cfs_device_keys *device, struct cfs_buffer *text, struct cfs_error *error)
{
    int result = cfs_blocking_read_file(device->remote, file_name, FILE_MOST, text);
    if (result == -ENOENT)
        return 0;
    return result < 0 ? fail(device, "read the keys", result, error) : 0;
}

int cfs_device_keys_read(struct cfs_device_keys *device, struct cfs_buffer *text, struct cfs_error *error)
{
    mode_t mode;
    int result = look(device, file_name, S_IFREG, &mode, error);
    return result > 0 ? read_file(device, text, error) : result;
}

/* --- the lock --- */

/* An edit that is under way. */
struct edit {
    struct cfs_device_keys *device;
    cfs_device_keys_editor *editor;
    void *context;
    bool is_forced;
    sigset_t signals; /* that waited before ours did */
    struct cfs_buffer before, after;
    struct cfs_error *error;
};

static int fail_recovering(const struct cfs_device_keys *device, int result, struct cfs_error *error)
{
    return cfs_error_set(error, -result, cfs_waited_failure(result),
                         "There is no ~/%s of %s, and ~/%s, which may be the only copy of the keys, cannot be renamed "
                         "to it: %s. Nothing was removed; rename it on the device itself.",
                         file_name, device->name, lock_name, strerror(-result));
}

/* An edit by force was interrupted between its two steps: what it has left behind are the keys. */
static int recover(struct cfs_device_keys *device, struct cfs_error *error)
{
    int result = cfs_blocking_rename(device->remote, lock_name, file_name, CFS_REMOTE_RENAME_NOREPLACE);
    if (result < 0)
        return fail_recovering(device, result, error);
    fprintf(stderr, "clusterfs: There was no ~/%s of %s; what was left in ~/%s by an interrupted edit is there now.\n",
            file_name, device->name, lock_name);
    return 0;
}

/* Takes the lock away from whoever has it, or has left it behind. */
static int break_lock(struct cfs_device_keys *device, struct cfs_error *error)
{
    struct cfs_remote_attributes keys, left;
    int result = cfs_blocking_lstat(device->remote, file_name, &keys);
    if (result == -ENOENT) {
        int found = cfs_blocking_lstat(device->remote, lock_name, &left);
        if (found < 0)
            return found == -ENOENT ? 0 : fail(device, "look at the keys", found, error);
        bool is_file = !(left.valid & CFS_REMOTE_MODE) || S_ISREG(left.mode);
        if (is_file && (!(left.valid & CFS_REMOTE_SIZE) || left.size > 0))
            return recover(device, error);
    } else if (result < 0) {
        return fail(device, "look at the keys", result, error);
    }
    (void)!cfs_blocking_unlink(device->remote, lock_name);
    return 0;
}

/* Others hold it for a few round trips. While we wait for them a signal may end us. */
static int take_lock(struct edit *edit)
{
    static const struct timespec pause = {.tv_nsec = LOCK_PAUSE_MS * 1000000L};
    struct cfs_remote *remote = edit->device->remote;
    int64_t until = cfs_clock_ms(&cfs_system_clock) + LOCK_LIMIT_MS;
    int result = edit->is_forced ? break_lock(edit->device, edit->error) : 0;
    if (result < 0)
        return result;
    for (;;) {
        result = cfs_blocking_write_file(remote, lock_name, O_CREAT | O_EXCL, 0600, "", 0);
        if (result != -EEXIST)
            return result < 0 ? fail(edit->device, "change the keys", result, edit->error) : 0;
        if (cfs_clock_ms(&cfs_system_clock) >= until)
            return fail_locked(edit->device, edit->error);
        (void)!ppoll(NULL, 0, &pause, &edit->signals);
    }
}

static bool can_replace(const struct cfs_device_keys *device)
{
    return device->remote->operations->facts(device->remote)->capabilities & CFS_REMOTE_CAN_RENAME_OVER;
}

/* What has failed must not take the only copy of the keys with it. */
static void give_lock_back(struct edit *edit, int result)
{
    struct cfs_remote *remote = edit->device->remote;
    struct cfs_remote_attributes attributes;
    if (result < 0 && !can_replace(edit->device) && edit->before.length > 0 &&
        cfs_blocking_lstat(remote, file_name, &attributes) < 0) {
        cfs_error_append(edit->error,
                         " The keys may be in ~/%s alone now: rename it to authorized_keys, or no key lets anybody in.",
                         lock_name);
        return;
    }
    int removed = cfs_blocking_unlink(remote, lock_name);
    if (result < 0 && removed < 0 && removed != -ENOENT)
        cfs_error_append(edit->error, " ~/%s may be left there: the next time say --force.", lock_name);
}

/* --- the edit --- */

static bool are_equal(const struct cfs_buffer *a, const struct cfs_buffer *b)
{
    return a->length == b->length && (a->length == 0 || memcmp(a->bytes, b->bytes, a->length) == 0);
}

/* 1: something is to be changed; 0: nothing is. */
static int run_editor(struct edit *edit)
{
    cfs_buffer_clear(&edit->before);
    cfs_buffer_clear(&edit->after);
    int result = cfs_device_keys_read(edit->device, &edit->before, edit->error);
    if (result == 0)
        result = edit->editor(edit->context, &edit->before, &edit->after, edit->error);
    if (result < 0 || are_equal(&edit->before, &edit->after))
        return result;
    bool is_safe = edit->before.length == 0 || can_replace(edit->device) || edit->is_forced;
    return is_safe ? 1 : fail_two_steps(edit->device, edit->error);
}

static int write_new(struct edit *edit)
{
    const struct cfs_buffer *after = &edit->after;
    int result = cfs_blocking_write_file(edit->device->remote, lock_name, O_TRUNC, 0600,
                                         after->length > 0 ? after->bytes : NULL, after->length);
    return result < 0 ? fail(edit->device, "write the keys", result, edit->error) : 0;
}

static int replace(struct edit *edit)
{
    int result = cfs_blocking_rename(edit->device->remote, lock_name, file_name, CFS_REMOTE_RENAME_REPLACE);
    return result < 0 ? fail(edit->device, "replace the keys", result, edit->error) : 0;
}

/* 1: the file is still what was edited. */
static int is_unchanged(struct edit *edit)
{
    struct cfs_buffer now CFS_AUTO_BUFFER = {0};
    int result = cfs_device_keys_read(edit->device, &now, edit->error);
    return result < 0 ? result : are_equal(&edit->before, &now);
}

/* The lock is ours. 0: it has become the file; 1: there was nothing to be changed any more. */
static int edit_locked(struct edit *edit)
{
    for (int i = 0; i < EDITS_MOST; i++) {
        int result = run_editor(edit);
        if (result == 0)
            return 1; /* somebody else has done it */
        if (result > 0)
            result = write_new(edit);
        if (result == 0)
            result = is_unchanged(edit);
        if (result < 0)
            return result;
        if (result > 0)
            return replace(edit);
    }
    return fail_locked(edit->device, edit->error);
}

/* The folder is there, and nobody else may look into it. */
static int prepare_folder(struct cfs_device_keys *device, struct cfs_error *error)
{
    mode_t mode = 0700;
    int result = look(device, folder_name, S_IFDIR, &mode, error);
    if (result < 0)
        return result;
    bool is_there = result > 0;
    result = is_there ? 0 : cfs_blocking_mkdir(device->remote, folder_name, 0700);
    if (!is_there || (mode & 07777) != 0700)
        result =
            result == 0 || result == -EEXIST ? cfs_blocking_chmod(device->remote, folder_name, S_IFDIR, 0700) : result;
    return result < 0 ? fail(device, "make the folder for the keys", result, error) : 0;
}

static int lock_and_edit(struct edit *edit)
{
    int result = prepare_folder(edit->device, edit->error);
    if (result == 0)
        result = take_lock(edit);
    if (result < 0)
        return result;
    result = edit_locked(edit);
    if (result != 0)
        give_lock_back(edit, result);
    return result < 0 ? result : 0;
}

int cfs_device_keys_edit(struct cfs_device_keys *device, cfs_device_keys_editor *editor, void *context, bool is_forced,
                         struct cfs_error *error)
{
    struct edit edit = {.device = device, .editor = editor, .context = context, .is_forced = is_forced, .error = error};
    int result = run_editor(&edit);
    if (result > 0) {
        cfs_signals_hold(&edit.signals);
        result = lock_and_edit(&edit);
        cfs_signals_release(&edit.signals);
    }
    cfs_buffer_fini(&edit.before);
    cfs_buffer_fini(&edit.after);
    return result;
}

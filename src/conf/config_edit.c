/* Changing a configuration file: see config_edit.h. The folder is opened once, locked, and all is done in it by
 * descriptor, so that the file that was read is the one that is replaced. */
#include "conf/config_edit.h"

#include "base/fd.h"
#include "base/text.h"
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdint.h>
#include <string.h>
#include <sys/file.h>
#include <sys/random.h>
#include <time.h>

enum { LOCK_TRIES = 200, LOCK_PAUSE_MS = 50, NAME_TRIES = 20, MEBIBYTE = 1024 * 1024 };

void cfs_config_edit_fini(struct cfs_config_edit *edit)
{
    cfs_buffer_fini(&edit->text);
    free(edit->path);
    free(edit->folder);
    free(edit->name);
    if (edit->folder_fd >= 0)
        close(edit->folder_fd);
    *edit = (struct cfs_config_edit){.folder_fd = -1};
}

static int no_memory(struct cfs_error *error)
{
    return cfs_error_set(error, ENOMEM, CFS_FAILURE_SYSTEM, "There is not enough memory.");
}

static int fail(const char *path, const char *what, int cause, struct cfs_error *error)
{
    return cfs_error_set(error, cause, CFS_FAILURE_CONFIG, "%s: %s: %s", path, what, strerror(cause));
}

/* Only its owner can give the new file the same owner; and it takes its place by a rename. */
static const char *hint_at(const struct cfs_config_edit *edit, int cause)
{
    bool denied = cause == EACCES || cause == EPERM;
    if (denied && edit->exists && edit->status.st_uid != geteuid())
        return edit->status.st_uid == 0 ? ". It belongs to root: run the command as root"
                                        : ". It belongs to somebody else: run the command as its owner";
    if (cause == EPERM)
        return ". Its group, of which you are not, or its attributes (lsattr) forbid it";
    if (cause == EACCES)
        return ". You must be allowed to write into its folder";
    return cause == EBUSY ? ". Something is mounted on the file; change it with an editor" : "";
}

static int fail_to_write(const struct cfs_config_edit *edit, int cause, struct cfs_error *error)
{
    int result = fail(edit->path, "cannot be written", cause, error);
    cfs_error_append(error, "%s", hint_at(edit, cause));
    return result;
}

/* Makes PATH and what is missing above it. */
static int make_folders(const char *path)
{
    char *copy CFS_AUTO_FREE = strdup(path);
    if (!copy)
        return -ENOMEM;
    for (char *slash = strchr(copy + 1, '/');; slash = strchr(slash + 1, '/')) {
        if (slash)
            *slash = '\0';
        if (mkdir(copy, 0700) < 0 && errno != EEXIST)
            return -errno;
        if (!slash)
            return 0;
        *slash = '/';
    }
}

/* Where the file is, whatever links lead there. A file that is not there yet is beside its name. */
static int resolve(const char *path, bool create, char **ret_resolved, struct cfs_error *error)
{
    char *resolved = realpath(path, NULL);
    struct stat status;
    if (resolved || errno != ENOENT || !create) {
        if (!resolved)
            return fail(path, "cannot be read", errno, error);
        *ret_resolved = resolved;
        return 0;
    }
    if (lstat(path, &status) == 0)
        return cfs_error_set(error, ENOENT, CFS_FAILURE_CONFIG, "%s: the symbolic link leads to no file", path);
    const char *slash = strrchr(path, '/');
    char *folder CFS_AUTO_FREE = !slash          ? strdup(".")
                                 : slash == path ? strdup("/")
                                                 : strndup(path, (size_t)(slash - path));
    if (!folder)
        return no_memory(error);
    int result = make_folders(folder);
    if (result < 0)
        return fail(folder, "cannot be made", -result, error);
    char *real CFS_AUTO_FREE = realpath(folder, NULL);
    if (!real)
        return fail(folder, "cannot be read", errno, error);
    *ret_resolved = cfs_text_format("%s/%s", strcmp(real, "/") == 0 ? "" : real, slash ? slash + 1 : path);
    return *ret_resolved ? 0 : no_memory(error);
}

/* Some file systems know no locks: then two edits at once are told apart by the check before the rename only. */
static int lock(const struct cfs_config_edit *edit, struct cfs_error *error)
{
    static const struct timespec pause = {.tv_nsec = LOCK_PAUSE_MS * 1000000};
    for (int i = 0; i < LOCK_TRIES; i++) {
        if (flock(edit->folder_fd, LOCK_EX | LOCK_NB) == 0 || errno != EWOULDBLOCK)
            return 0;
        nanosleep(&pause, NULL);
    }
    return cfs_error_set(error, EBUSY, CFS_FAILURE_CONFIG, "%s: another program is changing the file; try again",
                         edit->path);
}

static int open_folder(struct cfs_config_edit *edit, const char *resolved, struct cfs_error *error)
{
    const char *slash = strrchr(resolved, '/');
    edit->folder = slash == resolved ? strdup("/") : strndup(resolved, (size_t)(slash - resolved));
    edit->name = strdup(slash + 1);
    if (!edit->folder || !edit->name)
        return no_memory(error);
    edit->folder_fd = open(edit->folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (edit->folder_fd < 0)
        return fail(edit->folder, "cannot be opened", errno, error);
    return lock(edit, error);
}

static int read_text(struct cfs_config_edit *edit, const char *resolved, enum cfs_config_file_owner owner,
                     struct cfs_error *error)
{
    struct cfs_config_file file CFS_AUTO_CONFIG_FILE = {0};
    if (fstatat(edit->folder_fd, edit->name, &edit->status, AT_SYMLINK_NOFOLLOW) < 0) {
        if (errno == ENOENT)
            return 0;
        return fail(edit->path, "cannot be read", errno, error);
    }
    edit->exists = true;
    int result = cfs_config_file_read(resolved, owner, &file, error);
    if (result < 0)
        return result;
    if (edit->status.st_nlink > 1)
        return cfs_error_set(error, EMLINK, CFS_FAILURE_CONFIG,
                             "%s: the file has more than one name (hard links), which would become different files; "
                             "change it with an editor",
                             edit->path);
    cfs_buffer_add(&edit->text, file.bytes, file.length);
    return edit->text.failed ? no_memory(error) : 0;
}

int cfs_config_edit_init(const char *path, enum cfs_config_file_owner owner, bool create,
                         struct cfs_config_edit *ret_edit, struct cfs_error *error)
{
    struct cfs_config_edit edit CFS_AUTO_CONFIG_EDIT = {.folder_fd = -1, .owner = owner, .path = strdup(path)};
    cfs_buffer_init_secret(&edit.text);
    if (!edit.path)
        return no_memory(error);
    char *resolved CFS_AUTO_FREE = NULL;
    int result = resolve(path, create, &resolved, error);
    if (result == 0)
        result = open_folder(&edit, resolved, error);
    if (result == 0)
        result = read_text(&edit, resolved, owner, error);
    if (result < 0)
        return result;
    *ret_edit = edit;
    edit = (struct cfs_config_edit){.folder_fd = -1};
    return 0;
}

/* ---- back to the disk ---- */

static bool is_same(const struct stat *a, const struct stat *b)
{
    return a->st_dev == b->st_dev && a->st_ino == b->st_ino && a->st_size == b->st_size &&
           a->st_mtim.tv_sec == b->st_mtim.tv_sec && a->st_mtim.tv_nsec == b->st_mtim.tv_nsec &&
           a->st_ctim.tv_sec == b->st_ctim.tv_sec && a->st_ctim.tv_nsec == b->st_ctim.tv_nsec;
}

static int check_unchanged(const struct cfs_config_edit *edit, struct cfs_error *error)
{
    struct stat now;
    bool exists = fstatat(edit->folder_fd, edit->name, &now, AT_SYMLINK_NOFOLLOW) == 0;
    if (exists == edit->exists && (!exists || is_same(&now, &edit->status)))
        return 0;
    return cfs_error_set(error, ESTALE, CFS_FAILURE_CONFIG,
                         "%s: somebody else has changed the file meanwhile; nothing was written, try again",
                         edit->path);
}

/* A new file beside the other one, which nobody else can read yet. */
static int make_file(const struct cfs_config_edit *edit, char **ret_name)
{
    for (int i = 0; i < NAME_TRIES; i++) {
        uint64_t number = 0;
        if (getrandom(&number, sizeof(number), 0) != (ssize_t)sizeof(number))
            return -EIO;
        char *name CFS_AUTO_FREE = cfs_text_format(".%.200s.%016llx", edit->name, (unsigned long long)number);
        if (!name)
            return -ENOMEM;
        int fd = openat(edit->folder_fd, name, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600);
        if (fd >= 0) {
            *ret_name = CFS_TAKE(name);
            return fd;
        }
        if (errno != EEXIST)
            return -errno;
    }
    return -EEXIST;
}

/* Owner first: chown(2) may take mode bits away. */
static int dress(const struct cfs_config_edit *edit, int fd)
{
    struct stat made;
    if (!edit->exists)
        return 0;
    if (fstat(fd, &made) < 0)
        return -errno;
    if ((made.st_uid != edit->status.st_uid || made.st_gid != edit->status.st_gid) &&
        fchown(fd, edit->status.st_uid, edit->status.st_gid) < 0)
        return -errno;
    return fchmod(fd, edit->status.st_mode & 07777) < 0 ? -errno : 0;
}

static int fill(const struct cfs_config_edit *edit, int fd)
{
    int result = dress(edit, fd);
    if (result == 0)
        result = cfs_fd_write_all(fd, edit->text.bytes, edit->text.length);
    if (result == 0 && fsync(fd) < 0)
        result = -errno;
    return result;
}

/* Who reads it next would refuse it, and with it all that stands in it. */
static int check_size(const struct cfs_config_edit *edit, struct cfs_error *error)
{
    unsigned most = cfs_config_file_most_mib(edit->owner);
    if (edit->text.length <= (size_t)most * MEBIBYTE)
        return 0;
    return cfs_error_set(
        error, EFBIG, CFS_FAILURE_CONFIG,
        "%s: the file would be larger than %u MiB, and could not be read any more; nothing was written", edit->path,
        most);
}

int cfs_config_edit_write(struct cfs_config_edit *edit, struct cfs_error *error)
{
    int size = check_size(edit, error);
    if (size < 0)
        return size;
    char *name CFS_AUTO_FREE = NULL;
    int fd CFS_AUTO_CLOSE = make_file(edit, &name);
    if (fd < 0)
        return fail_to_write(edit, -fd, error);
    int result = fill(edit, fd);
    if (result < 0)
        fail_to_write(edit, -result, error);
    else
        result = check_unchanged(edit, error);
    if (result == 0 && renameat(edit->folder_fd, name, edit->folder_fd, edit->name) < 0)
        result = fail_to_write(edit, errno, error);
    if (result < 0) {
        unlinkat(edit->folder_fd, name, 0);
        return result;
    }
    /* The file is what it shall be; that its name is on the disk, too, cannot be had on every file system. */
    if (fsync(edit->folder_fd) < 0 && errno == EIO)
        return fail(edit->path, "was written, but perhaps not to the disk", EIO, error);
    return 0;
}

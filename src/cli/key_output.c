/* Files that `clusterfs key` writes on this machine. They are written under another name beside their place, and put
 * there when they are on the disk: by link(2), which takes nobody's place, or by rename(2). Signals wait meanwhile: the
 * other name may hold a private key without a passphrase, and must not stay. */
#include "base/fd.h"
#include "base/text.h"
#include "cli/key.h"
#include "cli/signals.h"
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>

static int fail_exists(const char *path, struct cfs_error *error)
{
    return cfs_error_set(error, EEXIST, CFS_FAILURE_USAGE,
                         "%s is there already, and is left as it is. Name another file, or say --force.", path);
}

static int fail_write(const char *path, int errno_value, struct cfs_error *error)
{
    return cfs_error_set(error, errno_value, CFS_FAILURE_SYSTEM, "Cannot write %s: %s.", path, strerror(errno_value));
}

static int write_beside(const char *name, const void *bytes, size_t length, mode_t mode)
{
    int fd CFS_AUTO_CLOSE = open(name, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0600);
    if (fd < 0)
        return -errno;
    int result = fchmod(fd, mode) < 0 ? -errno : cfs_fd_write_all(fd, bytes, length);
    if (result == 0 && fsync(fd) < 0)
        result = -errno;
    return result;
}

/* A file system without hard links (exFAT) can look first at least. */
static int put_in_place(const char *from, const char *to, bool replace)
{
    struct stat status;
    if (!replace) {
        if (link(from, to) == 0)
            return 0;
        if (errno != EPERM && errno != EOPNOTSUPP && errno != ENOSYS)
            return -errno;
        if (lstat(to, &status) == 0)
            return -EEXIST;
    }
    return rename(from, to) < 0 ? -errno : 0;
}

int cfs_key_output_check(const char *path, struct cfs_error *error)
{
    struct stat status;
    return lstat(path, &status) == 0 ? fail_exists(path, error) : 0;
}

static int write_whole(const char *path, const void *bytes, size_t length, mode_t mode, bool replace,
                       struct cfs_error *error)
{
    char *beside CFS_AUTO_FREE = cfs_text_format("%s.new-%d", path, (int)getpid());
    if (!beside)
        return fail_write(path, ENOMEM, error);
    int result = write_beside(beside, bytes, length, mode);
    if (result == -EEXIST) /* not ours to remove */
        return fail_write(beside, EEXIST, error);
    if (result == 0)
        result = put_in_place(beside, path, replace);
    unlink(beside); /* after rename(2) there is none */
    if (result == -EEXIST)
        return fail_exists(path, error);
    return result < 0 ? fail_write(path, -result, error) : 0;
}

int cfs_key_output_write(const char *path, const void *bytes, size_t length, unsigned mode, bool replace,
                         struct cfs_error *error)
{
    sigset_t before;
    cfs_signals_hold(&before);
    int result = write_whole(path, bytes, length, (mode_t)mode, replace, error);
    cfs_signals_release(&before);
    return result;
}

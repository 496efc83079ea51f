/* Adds a key to a known_hosts file that other programs (ssh, other mounts) may be adding to at the same time: one
 * O_APPEND write of a whole line under flock, so that lines never mix. */
#include "base/text.h"
#include "ssh/host_key_priv.h"
#include "ssh/known_hosts.h"
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <time.h>

enum { LOCK_TRIES = 500 }; /* 10 s */

/* Makes the folders above PATH, 0700 each. */
static int make_folders(const char *path)
{
    char *folder CFS_AUTO_FREE = strdup(path);
    if (!folder)
        return -ENOMEM;
    for (char *slash = strchr(folder + 1, '/'); slash; slash = strchr(slash + 1, '/')) {
        *slash = '\0';
        if (mkdir(folder, 0700) < 0 && errno != EEXIST)
            return -errno;
        *slash = '/';
    }
    return 0;
}

static int open_file(const char *path)
{
    enum { FLAGS = O_RDWR | O_APPEND | O_CREAT | O_CLOEXEC | O_NONBLOCK | O_NOCTTY };
    int fd = open(path, FLAGS, 0600);
    if (fd < 0 && errno == ENOENT && make_folders(path) == 0)
        fd = open(path, FLAGS, 0600);
    return fd < 0 ? -errno : fd;
}

/* Whoever holds the lock writes a line and is gone; longer than LOCK_TRIES naps is somebody who hangs. -ETIMEDOUT. */
int cfs_known_hosts_lock(int fd)
{
    static const struct timespec nap = {.tv_nsec = 20 * 1000 * 1000};
    for (int try = 0; flock(fd, LOCK_EX | LOCK_NB) < 0; try++) {
        if (errno != EWOULDBLOCK && errno != EINTR)
            return -errno;
        if (try == LOCK_TRIES)
            return -ETIMEDOUT;
        nanosleep(&nap, NULL);
    }
    return 0;
}

bool cfs_known_hosts_is_still(int fd, const char *path)
{
    struct stat opened, named;
    return fstat(fd, &opened) == 0 && stat(path, &named) == 0 && opened.st_dev == named.st_dev &&
           opened.st_ino == named.st_ino;
}

/* 1 when somebody has written the key since it was looked up. */
static int is_there(const char *path, const char *name, const uint8_t *blob, size_t length)
{
    struct cfs_known_hosts found CFS_AUTO_KNOWN_HOSTS = {0};
    int result = cfs_known_hosts_read(path, name, true, &found);
    for (size_t i = 0; result == 0 && i < found.count; i++)
        if (found.entries[i].mark == CFS_KNOWN_HOST_PLAIN && found.entries[i].blob_length == length &&
            memcmp(found.entries[i].blob, blob, length) == 0)
            return 1;
    return result;
}

/* Whether the file's last byte is no newline: a hand-edited file. */
static bool lacks_newline(int fd, off_t size)
{
    char last = '\n';
    return size > 0 && pread(fd, &last, 1, size - 1) == 1 && last != '\n';
}

/* Either the whole line or nothing: half a line would spoil the next. */
static int write_line(int fd, const char *line, off_t size)
{
    size_t length = strlen(line);
    ssize_t count = write(fd, line, length);
    if (count == (ssize_t)length)
        return fsync(fd) < 0 ? -errno : 0;
    int result = count < 0 ? -errno : -ENOSPC;
    if (count > 0 && ftruncate(fd, size) < 0)
        return -errno;
    return result;
}

static int sync_folder(const char *path)
{
    const char *slash = strrchr(path, '/');
    char *folder CFS_AUTO_FREE =
        slash && slash > path ? strndup(path, (size_t)(slash - path)) : strdup(slash ? "/" : ".");
    if (!folder)
        return -ENOMEM;
    int fd CFS_AUTO_CLOSE = open(folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    return fd < 0 || fsync(fd) < 0 ? -errno : 0;
}

/* Opens and locks it; its name may be another file's by the time that the lock is ours (known_hosts_edit.c). -ENODEV:
 * /dev/null, the user wants no record. */
static int open_and_lock(const char *path)
{
    for (int try = 0;; try++) {
        int opened = open_file(path);
        if (opened < 0)
            return opened;
        int fd CFS_AUTO_CLOSE = opened;
        struct stat status;
        if (fstat(fd, &status) < 0)
            return -errno;
        if (!S_ISREG(status.st_mode))
            return -ENODEV;
        int result = cfs_known_hosts_lock(fd);
        if (result < 0)
            return result;
        if (cfs_known_hosts_is_still(fd, path))
            return CFS_TAKE_FD(fd);
        if (try == LOCK_TRIES)
            return -ESTALE;
    }
}

int cfs_known_hosts_append(const char *path, const char *name, const char *type, const uint8_t *blob, size_t length)
{
    char *key CFS_AUTO_FREE = cfs_base64_encode(blob, length, true);
    if (!key)
        return -ENOMEM;
    int opened = open_and_lock(path);
    if (opened < 0)
        return opened == -ENODEV ? 0 : opened;
    int fd CFS_AUTO_CLOSE = opened;
    struct stat status;
    int result = fstat(fd, &status) < 0 ? -errno : 0;
    if (result == 0)
        result = is_there(path, name, blob, length);
    if (result != 0)
        return result < 0 ? result : 0;
    if (fstat(fd, &status) < 0)
        return -errno;
    bool fresh = status.st_size == 0;
    char *line CFS_AUTO_FREE =
        cfs_text_format("%s%s %s %s\n", lacks_newline(fd, status.st_size) ? "\n" : "", name, type, key);
    if (!line)
        return -ENOMEM;
    result = write_line(fd, line, status.st_size);
    return result == 0 && fresh ? sync_folder(path) : result;
}

/* Reading one configuration file: see config_file.h. What is checked is the descriptor that is read, not the name. */
#include "conf/config_file.h"

#include "base/log.h"
#include "base/text.h"
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>

enum { MEBIBYTE = 1024 * 1024 };

unsigned cfs_config_file_most_mib(enum cfs_config_file_owner owner)
{
    return owner == CFS_CONFIG_FILE_LARGE ? 16 : 1;
}

void cfs_config_file_fini(struct cfs_config_file *file)
{
    if (file->bytes)
        explicit_bzero(file->bytes, file->length);
    free(file->bytes);
    *file = (struct cfs_config_file){0};
}

/* The path as one word of a shell command; NULL if memory is short. */
static char *quote(const char *path)
{
    char *quoted = NULL;
    size_t length = 0;
    FILE *out = open_memstream(&quoted, &length);
    if (!out)
        return NULL;
    fputc('\'', out);
    for (; *path; path++)
        if (*path == '\'')
            fputs("'\\''", out);
        else
            fputc(*path, out);
    fputc('\'', out);
    if (fclose(out) != 0) {
        free(quoted);
        return NULL;
    }
    return quoted;
}

static int check_owner(const char *path, const struct stat *status, enum cfs_config_file_owner owner,
                       struct cfs_error *error)
{
    if (status->st_uid == 0 || status->st_uid == geteuid() || status->st_uid == getuid() ||
        (owner == CFS_CONFIG_FILE_NAMED && geteuid() == 0))
        return 0;
    return cfs_error_set(error, EPERM, CFS_FAILURE_CONFIG,
                         "%s: the file belongs to another user (uid %lu), who could change it; "
                         "copy it, or let root own it",
                         path, (unsigned long)status->st_uid);
}

static int check_safety(const char *path, const struct stat *status, enum cfs_config_file_owner owner,
                        struct cfs_error *error)
{
    int result = check_owner(path, status, owner, error);
    if (result < 0)
        return result;
    if (status->st_mode & (S_IWGRP | S_IWOTH)) {
        char *quoted CFS_AUTO_FREE = quote(path);
        return cfs_error_set(error, EPERM, CFS_FAILURE_CONFIG,
                             "%s: the file can be written by others than its owner (mode %04o); run: chmod go-w %s",
                             path, (unsigned)(status->st_mode & 07777), quoted ? quoted : path);
    }
    return 0;
}

static int check_status(const char *path, const struct stat *status, enum cfs_config_file_owner owner,
                        struct cfs_error *error)
{
    if (!S_ISREG(status->st_mode))
        return cfs_error_set(error, EINVAL, CFS_FAILURE_CONFIG, "%s: this is not a regular file", path);
    int result = owner >= CFS_CONFIG_FILE_UNCHECKED ? 0 : check_safety(path, status, owner, error);
    if (result < 0)
        return result;
    unsigned limit = cfs_config_file_most_mib(owner);
    if (status->st_size > (off_t)limit * MEBIBYTE)
        return cfs_error_set(error, EFBIG, CFS_FAILURE_CONFIG, "%s: the file is larger than %u MiB", path, limit);
    return 0;
}

/* Reads up to SIZE bytes; the file may have changed its size in between. */
static int read_all(int fd, char *bytes, size_t size, size_t *ret_length)
{
    size_t length = 0;
    while (length < size) {
        ssize_t count = read(fd, bytes + length, size - length);
        if (count < 0 && errno == EINTR)
            continue;
        if (count < 0)
            return -errno;
        if (count == 0)
            break;
        length += (size_t)count;
    }
    *ret_length = length;
    return 0;
}

int cfs_config_file_read(const char *path, enum cfs_config_file_owner owner, struct cfs_config_file *ret_file,
                         struct cfs_error *error)
{
    /* O_NONBLOCK: a FIFO in the file's place must not hang us before it is refused. */
    int fd CFS_AUTO_CLOSE = open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY | O_NONBLOCK);
    struct stat status;
    if (fd < 0 || fstat(fd, &status) < 0) {
        int cause = errno;
        return cfs_error_set(error, cause, CFS_FAILURE_CONFIG, "%s: cannot be read: %s", path, strerror(cause));
    }
    int result = check_status(path, &status, owner, error);
    if (result < 0)
        return result;
    struct cfs_config_file file CFS_AUTO_CONFIG_FILE = {.mode = status.st_mode};
    size_t size = (size_t)status.st_size;
    file.bytes = calloc(1, size + 1);
    if (!file.bytes)
        return cfs_error_set(error, ENOMEM, CFS_FAILURE_SYSTEM, "There is not enough memory.");
    result = read_all(fd, file.bytes, size, &file.length);
    if (result < 0)
        return cfs_error_set(error, -result, CFS_FAILURE_CONFIG, "%s: cannot be read: %s", path, strerror(-result));
    *ret_file = file;
    file = (struct cfs_config_file){0};
    return 0;
}

int cfs_config_file_check_secret(const struct cfs_config_file *file, const char *path, const char *place,
                                 const char *key, struct cfs_error *error)
{
    if (!(file->mode & (S_IRWXG | S_IRWXO)))
        return 0;
    char *quoted CFS_AUTO_FREE = quote(path);
    return cfs_error_set(error, EPERM, CFS_FAILURE_CONFIG,
                         "%s: the file holds a %s and others can read it (mode %04o); run: chmod 600 %s", place, key,
                         (unsigned)(file->mode & 07777), quoted ? quoted : path);
}

int cfs_config_file_forgive(int result, const struct cfs_error *cause, struct cfs_error *error)
{
    if (result == -ENOENT || result == -ENOTDIR)
        return 0;
    if (result == -EACCES) {
        cfs_log_warning("conf", "%s", cause->text);
        return 0;
    }
    if (result < 0 && error)
        *error = *cause;
    return result;
}

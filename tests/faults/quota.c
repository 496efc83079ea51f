/* Preloaded into the server's sftp-server: while the file $QUOTA_FILE is there, its user's disk quota is used up. What
 * is written to a file fails with EDQUOT, sometimes after a part of it; so does whatever would make a file, a folder or
 * a link. (A kernel with quotas is not what every machine has.) */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

/* The C library's own function of that name. */
#define REAL(name) ((__typeof__(&name))dlsym(RTLD_NEXT, #name))

static bool is_used_up(void)
{
    const char *path = getenv("QUOTA_FILE");
    int before = errno;
    bool used_up = path && access(path, F_OK) == 0;
    errno = before;
    return used_up;
}

static bool is_file(int fd)
{
    struct stat state;
    return fstat(fd, &state) == 0 && S_ISREG(state.st_mode);
}

static int refuse(void)
{
    errno = EDQUOT;
    return -1;
}

/* How much of LENGTH there is still room for: nothing, or, of each third call, the half. */
static size_t room(size_t length)
{
    static unsigned calls;
    return calls++ % 3 == 0 ? length / 2 : 0;
}

ssize_t write(int fd, const void *bytes, size_t length)
{
    if (!is_file(fd) || !is_used_up())
        return REAL(write)(fd, bytes, length);
    size_t left = room(length);
    return left > 0 ? REAL(write)(fd, bytes, left) : refuse();
}

ssize_t pwrite(int fd, const void *bytes, size_t length, off_t offset)
{
    if (!is_used_up())
        return REAL(pwrite)(fd, bytes, length, offset);
    size_t left = room(length);
    return left > 0 ? REAL(pwrite)(fd, bytes, left, offset) : refuse();
}

ssize_t pwrite64(int fd, const void *bytes, size_t length, off64_t offset)
{
    if (!is_used_up())
        return REAL(pwrite64)(fd, bytes, length, offset);
    size_t left = room(length);
    return left > 0 ? REAL(pwrite64)(fd, bytes, left, offset) : refuse();
}

static bool would_make(const char *path, int flags)
{
    return (flags & O_CREAT) && access(path, F_OK) < 0 && errno == ENOENT && is_used_up();
}

int open(const char *path, int flags, ...)
{
    va_list arguments;
    va_start(arguments, flags);
    mode_t mode = flags & (O_CREAT | O_TMPFILE) ? va_arg(arguments, mode_t) : 0;
    va_end(arguments);
    return would_make(path, flags) ? refuse() : REAL(open)(path, flags, mode);
}

int open64(const char *path, int flags, ...)
{
    va_list arguments;
    va_start(arguments, flags);
    mode_t mode = flags & (O_CREAT | O_TMPFILE) ? va_arg(arguments, mode_t) : 0;
    va_end(arguments);
    return would_make(path, flags) ? refuse() : REAL(open64)(path, flags, mode);
}

int mkdir(const char *path, mode_t mode)
{
    return access(path, F_OK) < 0 && errno == ENOENT && is_used_up() ? refuse() : REAL(mkdir)(path, mode);
}

int symlink(const char *target, const char *path)
{
    return faccessat(AT_FDCWD, path, F_OK, AT_SYMLINK_NOFOLLOW) < 0 && errno == ENOENT && is_used_up()
               ? refuse()
               : REAL(symlink)(target, path);
}

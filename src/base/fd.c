/* write(2) and pwrite(2) may write a part, and be interrupted. */
#include "base/fd.h"

#include <errno.h>
#include <unistd.h>

enum { WHERE_IT_STANDS = -1 };

static int write_all(int fd, const char *bytes, size_t length, off_t offset)
{
    for (size_t done = 0; done < length;) {
        ssize_t written = offset == WHERE_IT_STANDS ? write(fd, bytes + done, length - done)
                                                    : pwrite(fd, bytes + done, length - done, offset + (off_t)done);
        if (written < 0 && errno == EINTR)
            continue;
        if (written <= 0)
            return written < 0 ? -errno : -EIO;
        done += (size_t)written;
    }
    return 0;
}

int cfs_fd_write_all(int fd, const void *bytes, size_t length)
{
    return write_all(fd, bytes, length, WHERE_IT_STANDS);
}

int cfs_fd_write_all_at(int fd, const void *bytes, size_t length, uint64_t offset)
{
    return write_all(fd, bytes, length, (off_t)offset);
}

/* What we agree on with the kernel (FUSE_INIT).
 *
 * libfuse before 3.17 (its issue 861) does not pass FUSE_PARALLEL_DIROPS on to the kernel, and without it the kernel
 * sends one lookup a folder at a time: over distance that is one name a round trip. So we stand between libfuse and the
 * device for the one reply to INIT, and complete its flags. */
#include "fuse/call.h"
#include <errno.h>
#include <linux/fuse.h>
#include <string.h>
#include <sys/uio.h>
#include <unistd.h>

enum {
    /* Requests of the kernel's own making (read-ahead, mainly) that may be in flight; the default of 12 is for local
       disks. */
    BACKGROUND_REQUESTS = 128,
};

void cfs_fuse_connection_init(struct cfs_fuse_session *session, struct fuse_conn_info *connection)
{
    (void)session;
    unsigned wanted = FUSE_CAP_ASYNC_READ | FUSE_CAP_ATOMIC_O_TRUNC | FUSE_CAP_PARALLEL_DIROPS | FUSE_CAP_READDIRPLUS |
                      FUSE_CAP_AUTO_INVAL_DATA | FUSE_CAP_IOCTL_DIR | FUSE_CAP_ASYNC_DIO;
    /* READDIRPLUS_AUTO would let the kernel go back to plain READDIR; attributes come with each listing anyway.
     * Splicing gains nothing for data that comes out of a cipher. The kernel's writeback cache is not for files that
     * others write to. */
    unsigned unwanted = FUSE_CAP_READDIRPLUS_AUTO | FUSE_CAP_SPLICE_READ | FUSE_CAP_SPLICE_WRITE |
                        FUSE_CAP_SPLICE_MOVE | FUSE_CAP_WRITEBACK_CACHE;
    connection->want |= connection->capable & wanted;
    connection->want &= ~unwanted;
    connection->max_background = BACKGROUND_REQUESTS;
    connection->congestion_threshold = BACKGROUND_REQUESTS * 3 / 4;
    connection->time_gran = 1000000000; /* SFTP carries whole seconds */
}

#if FUSE_VERSION < FUSE_MAKE_VERSION(3, 17)

/* Reads a request; notes the INIT of a kernel that offers what we want. */
static ssize_t read_request(int fd, void *buffer, size_t size, void *userdata)
{
    struct cfs_fuse_session *session = userdata;
    ssize_t length = read(fd, buffer, size);
    struct fuse_in_header header;
    struct fuse_init_in init;
    if (length >= (ssize_t)(sizeof(header) + offsetof(struct fuse_init_in, flags) + sizeof(init.flags))) {
        memcpy(&header, buffer, sizeof(header));
        if (header.opcode == FUSE_INIT) {
            memset(&init, 0, sizeof(init));
            size_t body = (size_t)length - sizeof(header);
            memcpy(&init, (char *)buffer + sizeof(header), body < sizeof(init) ? body : sizeof(init));
            if (init.flags & FUSE_PARALLEL_DIROPS)
                atomic_store(&session->init_unique, header.unique);
        }
    }
    return length;
}

static ssize_t write_init_reply(int fd, const struct iovec *vector, int count)
{
    struct iovec changed[2] = {vector[0], vector[1]};
    struct fuse_init_out init;
    memset(&init, 0, sizeof(init));
    memcpy(&init, vector[1].iov_base, vector[1].iov_len < sizeof(init) ? vector[1].iov_len : sizeof(init));
    init.flags |= FUSE_PARALLEL_DIROPS;
    if (vector[1].iov_len <= sizeof(init))
        changed[1].iov_base = &init;
    return writev(fd, changed, count);
}

static ssize_t write_reply(int fd, struct iovec *vector, int count, void *userdata)
{
    struct cfs_fuse_session *session = userdata;
    uint64_t unique = atomic_load(&session->init_unique);
    if (unique != 0 && count == 2 && vector[0].iov_len == sizeof(struct fuse_out_header)) {
        struct fuse_out_header header;
        memcpy(&header, vector[0].iov_base, sizeof(header));
        if (header.unique == unique) {
            atomic_store(&session->init_unique, 0);
            if (header.error == 0 && vector[1].iov_len > offsetof(struct fuse_init_out, flags) + sizeof(uint32_t))
                return write_init_reply(fd, vector, count);
        }
    }
    return writev(fd, vector, count);
}

int cfs_fuse_connection_hook(struct cfs_fuse_session *session)
{
    static const struct fuse_custom_io io = {.read = read_request, .writev = write_reply};
    return fuse_session_custom_io(session->fuse, &io, fuse_session_fd(session->fuse));
}

#else

int cfs_fuse_connection_hook(struct cfs_fuse_session *session)
{
    (void)session;
    return 0;
}

#endif

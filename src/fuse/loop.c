/* The worker threads: they read the kernel's requests and hand them to libfuse, which calls the handlers. Handlers do
 * not block, so that a few workers serve any number of requests. Our own loop and not libfuse's, because a loop must be
 * able to leave while the kernel is silent (a signal, `clusterfs umount`): each worker polls the device and the
 * session's stop_fd. The device is non-blocking: when one worker was faster, the others go back to polling. */
#include "base/log.h"
#include "base/thread.h"
#include "fuse/session_priv.h"
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>

enum { WORKERS = 4 };

/* Leaves when the session ends; tells the others by stop. */
static void *work(void *context)
{
    struct cfs_fuse_session *session = context;
    struct fuse_buf buffer = {0};
    struct pollfd polled[] = {{.fd = fuse_session_fd(session->fuse), .events = POLLIN},
                              {.fd = session->stop_fd, .events = POLLIN}};

    while (!fuse_session_exited(session->fuse)) {
        if (poll(polled, CFS_COUNT(polled), -1) < 0 && errno != EINTR)
            break;
        if (polled[1].revents)
            break;
        int length = fuse_session_receive_buf(session->fuse, &buffer);
        if (length == -EAGAIN || length == -EINTR)
            continue;
        if (length <= 0) /* 0: unmounted */
            break;
        fuse_session_process_buf(session->fuse, &buffer);
    }
    free(buffer.mem);
    cfs_fuse_session_stop(session);
    return NULL;
}

int cfs_fuse_loop_run(struct cfs_fuse_session *session)
{
    int fd = fuse_session_fd(session->fuse);
    int flags = fcntl(fd, F_GETFL);
    if (flags < 0 || fcntl(fd, F_SETFL, flags | O_NONBLOCK) < 0)
        return -errno;

    pthread_t workers[WORKERS];
    size_t count = 0;
    int error = 0;
    while (count < WORKERS && !error) {
        error = cfs_thread_start(work, session, &workers[count]);
        if (!error)
            count++;
    }
    if (count > 0 && error) {
        cfs_log_warning("fuse", "only %zu of %d worker threads: %s", count, (int)WORKERS, strerror(-error));
        error = 0;
    }
    for (size_t i = 0; i < count; i++)
        pthread_join(workers[i], NULL);
    return error;
}

/* The worker threads: they read the kernel's requests and hand them to libfuse, which calls the handlers. Handlers do
 * not block, so that a few workers serve any number of requests. Our own loop and not libfuse's, because a loop must be
 * able to leave while the kernel is silent (a signal, `clusterfs umount`): each worker waits for the device and the
 * session's stop_fd, with an epoll of its own, so that a request wakes one of them (EPOLLEXCLUSIVE); poll(2) would wake
 * them all. The device is non-blocking: when another worker was faster, one goes back to waiting. */
#include "base/doing.h"
#include "base/later.h"
#include "base/log.h"
#include "base/thread.h"
#include "fuse/session_priv.h"
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>

enum { WORKERS = 4 };

static int watch(const struct cfs_fuse_session *session)
{
    int epoll_fd CFS_AUTO_CLOSE = epoll_create1(EPOLL_CLOEXEC);
    struct epoll_event request = {.events = EPOLLIN | EPOLLEXCLUSIVE, .data.fd = fuse_session_fd(session->fuse)};
    struct epoll_event stop = {.events = EPOLLIN, .data.fd = session->stop_fd};

    if (epoll_fd < 0 || epoll_ctl(epoll_fd, EPOLL_CTL_ADD, request.data.fd, &request) < 0 ||
        epoll_ctl(epoll_fd, EPOLL_CTL_ADD, stop.data.fd, &stop) < 0)
        return -errno;
    return CFS_TAKE_FD(epoll_fd);
}

/* Whether there is a request, or the end of the device; false: to stop. */
static bool wait_for_request(const struct cfs_fuse_session *session, int epoll_fd)
{
    struct epoll_event events[2];
    cfs_doing(NULL);
    int count = epoll_wait(epoll_fd, events, CFS_COUNT(events), -1);

    if (count < 0 && errno != EINTR)
        return false;
    for (int i = 0; i < count; i++)
        if (events[i].data.fd == session->stop_fd)
            return false;
    return true;
}

/* Leaves when the session ends; tells the others by stop. */
static void *work(void *context)
{
    struct cfs_fuse_session *session = context;
    struct fuse_buf buffer = {0};
    int epoll_fd CFS_AUTO_CLOSE = watch(session);

    cfs_doing_begin("worker", false);
    if (epoll_fd < 0)
        cfs_log_error("fuse", "a worker cannot watch the device: %s", strerror(-epoll_fd));
    while (epoll_fd >= 0 && !fuse_session_exited(session->fuse) && wait_for_request(session, epoll_fd)) {
        cfs_doing("the device");
        int length = fuse_session_receive_buf(session->fuse, &buffer);
        if (length == -EAGAIN || length == -EINTR)
            continue;
        if (length <= 0) /* 0: unmounted */
            break;
        cfs_later_begin(); /* what the caches know is answered by us, at once */
        fuse_session_process_buf(session->fuse, &buffer);
        cfs_later_end();
    }
    free(buffer.mem);
    cfs_doing_end();
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

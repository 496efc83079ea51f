/* Interrupts. The kernel tells us once (FUSE_INTERRUPT) when a caller that waits for our reply has got any signal, be
 * it SIGKILL or the SIGALRM of a progress bar; it does not tell of a later SIGKILL. POSIX programs do not expect EINTR
 * from an operation on a file, and many fail on it (git's progress timer is the known case): so a request is given up
 * only if a signal is pending by which programs are ended. The watcher looks at the callers of interrupted calls at
 * once, and then four times a second for as long as they wait. */
#include "base/clock.h"
#include "base/doing.h"
#include "base/thread.h"
#include "fuse/call.h"
#include "fuse/signals.h"
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

enum { LOOK_AGAIN_MS = 250 };

/* True if the caller shall be let go: it wants to end, or is gone, or cannot be seen from here. */
static bool let_go(pid_t thread)
{
    char path[64], status[4096];
    if (thread <= 0)
        return true;
    snprintf(path, sizeof(path), "/proc/%d/status", (int)thread);
    int fd CFS_AUTO_CLOSE = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0)
        return errno == ENOENT;
    ssize_t length = read(fd, status, sizeof(status) - 1);
    if (length <= 0)
        return true;
    status[length] = '\0';
    return cfs_fuse_wants_to_end(status);
}

/* Under calls_lock. True if there is a reason to look again. */
static bool look(struct cfs_fuse_session *session)
{
    bool again = false;
    struct cfs_list *link;
    cfs_list_each (link, &session->calls) {
        struct cfs_fuse_call *call = cfs_container_of(link, struct cfs_fuse_call, link);
        if (!call->interrupted)
            continue;
        again = true;
        if (let_go(call->thread))
            cfs_fs_interrupt(session->fs, &call->request);
    }
    return again;
}

static void *watch(void *context)
{
    struct cfs_fuse_session *session = context;
    cfs_doing_begin("interrupts", false);
    pthread_mutex_lock(&session->calls_lock);
    while (!session->watcher_leaves) {
        session->interrupts_pending = false;
        cfs_doing("callers that were interrupted");
        bool again = look(session);
        cfs_doing(NULL);
        if (!again) {
            while (!session->interrupts_pending && !session->watcher_leaves)
                pthread_cond_wait(&session->calls_changed, &session->calls_lock);
            continue;
        }
        struct timespec until;
        clock_gettime(CLOCK_MONOTONIC, &until);
        until.tv_nsec += LOOK_AGAIN_MS * 1000000L;
        if (until.tv_nsec >= 1000000000L) {
            until.tv_nsec -= 1000000000L;
            until.tv_sec++;
        }
        while (!session->interrupts_pending && !session->watcher_leaves) {
            if (pthread_cond_timedwait(&session->calls_changed, &session->calls_lock, &until) == ETIMEDOUT)
                break;
        }
    }
    pthread_mutex_unlock(&session->calls_lock);
    cfs_doing_end();
    return NULL;
}

int cfs_fuse_interrupts_start(struct cfs_fuse_session *session)
{
    int error = cfs_thread_start(watch, session, &session->watcher);
    session->watcher_runs = error == 0;
    return error;
}

void cfs_fuse_interrupts_stop(struct cfs_fuse_session *session)
{
    if (!session->watcher_runs)
        return;
    pthread_mutex_lock(&session->calls_lock);
    session->watcher_leaves = true;
    pthread_cond_broadcast(&session->calls_changed);
    pthread_mutex_unlock(&session->calls_lock);
    pthread_join(session->watcher, NULL);
    session->watcher_runs = false;
}

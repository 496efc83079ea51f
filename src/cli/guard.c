/* `give_up` and `end` run on the watchdog's own thread and must not wait: they take no lock that is held for longer
 * than a moment, and do not log (the log may be what everybody waits for). */
#include "cli/guard.h"
#include "base/doing.h"
#include "base/log.h"
#include "cli/mountpoint.h"
#include <inttypes.h>
#include <string.h>
#include <unistd.h>

enum { REQUESTS_TOLD = 20 };

static void tell_threads(void)
{
    struct cfs_doing_now list[CFS_DOING_MOST];
    size_t count = cfs_doing_list(list);
    for (size_t i = 0; i < count; i++)
        cfs_log_error("watchdog", "thread %s: %s (step %" PRIu64 ")", list[i].name,
                      list[i].what ? list[i].what : "waits for work", list[i].steps);
}

static void tell_requests(struct cfs_guard *guard)
{
    struct cfs_fuse_waiting waiting[REQUESTS_TOLD];
    pthread_mutex_lock(&guard->telling);
    pthread_mutex_lock(&guard->lock);
    struct cfs_fuse_session *session = guard->session;
    struct cfs_fs *fs = guard->fs;
    pthread_mutex_unlock(&guard->lock);
    size_t count = session ? cfs_fuse_session_oldest(session, waiting, REQUESTS_TOLD) : 0;
    for (size_t i = 0; i < count; i++) {
        char *path CFS_AUTO_FREE = cfs_fs_path(fs, waiting[i].node);
        cfs_log_error("watchdog", "request %s /%s has waited for %" PRId64 " ms", waiting[i].operation,
                      path ? path : "?", waiting[i].age_ms);
    }
    pthread_mutex_unlock(&guard->telling);
}

static void tell(void *context, enum cfs_watchdog_news news, const char *thread, const char *what)
{
    struct cfs_guard *guard = context;
    if (news == CFS_WATCHDOG_STALLED) {
        cfs_log_error("watchdog", "the thread %s has not gone on for %" PRIu32 " s: %s", thread,
                      guard->timeout_ms / 1000, what);
        tell_threads();
        tell_requests(guard);
    } else if (news == CFS_WATCHDOG_GOES_ON) {
        cfs_log_warning("watchdog", "all threads go on again");
    } else {
        cfs_log_error("watchdog", "%s is taken away: the thread %s does not go on", guard->mountpoint, thread);
        tell_threads();
    }
}

static void give_up(void *context)
{
    struct cfs_guard *guard = context;
    struct cfs_error error = {0};
    pthread_mutex_lock(&guard->lock);
    if (guard->session)
        cfs_fuse_session_abort(guard->session);
    pthread_mutex_unlock(&guard->lock);
    (void)!cfs_mountpoint_unmount(guard->mountpoint, true, &error); /* or it stays, and answers ENOTCONN */
}

static void end(void *context)
{
    (void)context;
    _exit(cfs_failure_exit_code(CFS_FAILURE_DATA));
}

void cfs_guard_start(struct cfs_guard *guard, uint32_t timeout_ms, const char *mountpoint,
                     struct cfs_fuse_session *session, struct cfs_fs *fs)
{
    struct cfs_watchdog_options options = {
        .timeout_ms = timeout_ms, .tell = tell, .give_up = give_up, .end = end, .context = guard};
    *guard = (struct cfs_guard){.mountpoint = mountpoint, .timeout_ms = timeout_ms, .session = session, .fs = fs};
    pthread_mutex_init(&guard->telling, NULL);
    pthread_mutex_init(&guard->lock, NULL);
    int error = timeout_ms > 0 ? cfs_watchdog_start(&options, &guard->watchdog) : 0;
    if (error)
        cfs_log_warning("watchdog", "there is none: %s", strerror(-error));
}

void cfs_guard_leave(struct cfs_guard *guard)
{
    if (!guard->mountpoint)
        return;
    pthread_mutex_lock(&guard->telling);
    pthread_mutex_lock(&guard->lock);
    guard->session = NULL;
    guard->fs = NULL;
    pthread_mutex_unlock(&guard->lock);
    pthread_mutex_unlock(&guard->telling);
}

void cfs_guard_stop(struct cfs_guard *guard)
{
    if (!guard->mountpoint)
        return;
    cfs_watchdog_stop(guard->watchdog);
    pthread_mutex_destroy(&guard->telling);
    pthread_mutex_destroy(&guard->lock);
}

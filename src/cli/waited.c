/* A completion that wakes whoever waits for it. */
#include "cli/waited.h"
#include "base/list.h"
#include <errno.h>

static void done(struct cfs_remote_call *call)
{
    struct cfs_waited *waited = cfs_container_of(call, struct cfs_waited, call);
    pthread_mutex_lock(&waited->lock);
    waited->is_done = true;
    pthread_cond_signal(&waited->changed);
    pthread_mutex_unlock(&waited->lock);
}

void cfs_waited_begin(struct cfs_waited *waited)
{
    *waited = (struct cfs_waited){.call.done = done};
    pthread_mutex_init(&waited->lock, NULL);
    pthread_cond_init(&waited->changed, NULL);
}

int cfs_waited_end(struct cfs_waited *waited)
{
    pthread_mutex_lock(&waited->lock);
    while (!waited->is_done)
        pthread_cond_wait(&waited->changed, &waited->lock);
    pthread_mutex_unlock(&waited->lock);
    pthread_cond_destroy(&waited->changed);
    pthread_mutex_destroy(&waited->lock);
    return waited->call.error;
}

/* -EIO is what the server says of a disk that fails: a connection that is lost is -ENOTCONN. */
enum cfs_failure cfs_waited_failure(int error)
{
    switch (-error) {
    case ENOSPC:
    case EDQUOT:
    case EIO:
    case EBADMSG:
        return CFS_FAILURE_DATA;
    case ETIMEDOUT:
        return CFS_FAILURE_TIMEOUT;
    case ENOTCONN:
        return CFS_FAILURE_LOST;
    default:
        return CFS_FAILURE_REMOTE_PATH;
    }
}

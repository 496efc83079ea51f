/* Threads of our own. They take no signals: those are for the main thread, whose handlers may use what only it frees.
 */
#ifndef CFS_BASE_THREAD_H
#define CFS_BASE_THREAD_H

#include "base/cleanup.h"
#include <pthread.h>

/* Starts RUN(CONTEXT) on a joinable thread with all signals blocked. 0 or -errno; *RET_THREAD is the caller's to join.
 */
CFS_CHECKED int cfs_thread_start(void *(*run)(void *context), void *context, pthread_t *ret_thread);

#endif

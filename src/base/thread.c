/* A new thread inherits the mask of the one that makes it: so that one is blocked for a moment. */
#include "base/thread.h"
#include <signal.h>

int cfs_thread_start(void *(*run)(void *context), void *context, pthread_t *ret_thread)
{
    sigset_t all, before;
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &before);
    int error = pthread_create(ret_thread, NULL, run, context);
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    return -error;
}

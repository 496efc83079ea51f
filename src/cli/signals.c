/* One list of the signals that wait, so that none is forgotten where others wait. SIGKILL cannot: what must not stay
 * behind even then needs more than this. */
#include "cli/signals.h"
#include "base/cleanup.h"

void cfs_signals_hold(sigset_t *ret_before)
{
    static const int numbers[] = {SIGINT, SIGTERM, SIGHUP, SIGQUIT, SIGTSTP};
    sigset_t held;
    sigemptyset(&held);
    for (size_t i = 0; i < CFS_COUNT(numbers); i++)
        sigaddset(&held, numbers[i]);
    pthread_sigmask(SIG_BLOCK, &held, ret_before);
}

void cfs_signals_release(const sigset_t *before)
{
    pthread_sigmask(SIG_SETMASK, before, NULL);
}

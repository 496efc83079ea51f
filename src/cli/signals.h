/* Signals that wait while something is half done: a file that would be left behind, a mount without its process. */
#ifndef CFS_CLI_SIGNALS_H
#define CFS_CLI_SIGNALS_H

#include <signal.h>

/* What ends or stops a program from a terminal (SIGINT, SIGTERM, SIGHUP, SIGQUIT, SIGTSTP) waits from now on, for the
 * calling thread, and for those that it makes. *RET_BEFORE is for cfs_signals_release, on the same thread. */
void cfs_signals_hold(sigset_t *ret_before);
/* What came meanwhile takes effect. */
void cfs_signals_release(const sigset_t *before);

#endif

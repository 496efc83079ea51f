/* Later, but on this thread: tasks that a function leaves behind, for whoever called it to run when it has returned and
 * holds no locks. It spares the way by a loop's thread, two changes of threads for an answer that is known at once.
 *
 * A scope is of one thread, and does not nest: an inner one is part of the outer one, which runs the tasks. */
#ifndef CFS_BASE_LATER_H
#define CFS_BASE_LATER_H

#include "base/loop.h"

/* From here on tasks are kept. */
void cfs_later_begin(void);
/* Runs what was kept, in the order in which it was left, also what those tasks leave. Hold no lock. */
void cfs_later_end(void);
/* Keeps TASK until the end of this thread's scope; false if there is none. */
bool cfs_later_keep(struct cfs_task *task);

#endif

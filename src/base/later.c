/* Tasks kept by a thread for the end of its scope: a list in the thread's own memory, so that there is nothing to lock.
 * While they run the scope is still open; what they leave comes behind them, never inside one of them. */
#include "base/later.h"

static _Thread_local struct {
    unsigned depth;
    struct cfs_list kept; /* while depth > 0 */
} scope;

void cfs_later_begin(void)
{
    if (scope.depth++ == 0)
        cfs_list_init(&scope.kept);
}

void cfs_later_end(void)
{
    if (scope.depth == 1) {
        struct cfs_list *link;
        while ((link = cfs_list_pop_front(&scope.kept))) {
            struct cfs_task *task = cfs_container_of(link, struct cfs_task, link);
            task->run(task);
        }
    }
    scope.depth--;
}

bool cfs_later_keep(struct cfs_task *task)
{
    if (scope.depth == 0)
        return false;
    cfs_list_push_back(&scope.kept, &task->link);
    return true;
}

/* A task and a semaphore. */
#include "lib/session_call.h"
#include "lib/test.h"

#include <semaphore.h>

struct call {
    struct cfs_task task;
    void (*function)(void *context);
    void *context;
    sem_t done;
};

static void run_call(struct cfs_task *task)
{
    struct call *call = cfs_container_of(task, struct call, task);
    call->function(call->context);
    sem_post(&call->done);
}

void test_call(struct cfs_loop *loop, void (*function)(void *context), void *context)
{
    struct call call = {.task = {.run = run_call}, .function = function, .context = context};
    assert_int_equal(sem_init(&call.done, 0, 0), 0);
    assert_int_equal(cfs_loop_post(loop, &call.task), 0);
    while (sem_wait(&call.done) < 0)
        assert_int_equal(errno, EINTR);
    sem_destroy(&call.done);
}

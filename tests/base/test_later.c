/* Tasks that are left for the end of a thread's scope. */
#include "lib/test.h"

#include "base/later.h"
#include <pthread.h>

struct noting_task {
    struct cfs_task task;
    int *order, number;
    struct noting_task *leaves;
};

static void note(struct cfs_task *task)
{
    struct noting_task *self = cfs_container_of(task, struct noting_task, task);
    *self->order = *self->order * 10 + self->number;
    if (self->leaves)
        assert_true(cfs_later_keep(&self->leaves->task));
}

static void without_a_scope_nothing_is_kept(void **state)
{
    (void)state;
    int order = 0;
    struct noting_task one = {.task.run = note, .order = &order, .number = 1};
    assert_false(cfs_later_keep(&one.task));
    cfs_later_begin();
    cfs_later_end();
    assert_false(cfs_later_keep(&one.task));
    assert_int_equal(order, 0);
}

static void tasks_run_at_the_end_in_order_and_after_them_what_they_leave(void **state)
{
    (void)state;
    int order = 0;
    struct noting_task three = {.task.run = note, .order = &order, .number = 3};
    struct noting_task one = {.task.run = note, .order = &order, .number = 1, .leaves = &three};
    struct noting_task two = {.task.run = note, .order = &order, .number = 2};
    cfs_later_begin();
    assert_true(cfs_later_keep(&one.task));
    assert_true(cfs_later_keep(&two.task));
    assert_int_equal(order, 0);
    cfs_later_end();
    assert_int_equal(order, 123);
}

static void an_inner_scope_leaves_its_tasks_to_the_outer_one(void **state)
{
    (void)state;
    int order = 0;
    struct noting_task one = {.task.run = note, .order = &order, .number = 1};
    cfs_later_begin();
    cfs_later_begin();
    assert_true(cfs_later_keep(&one.task));
    cfs_later_end();
    assert_int_equal(order, 0);
    cfs_later_end();
    assert_int_equal(order, 1);
}

static void *keep(void *task)
{
    return cfs_later_keep(task) ? task : NULL;
}

static void a_scope_is_of_one_thread(void **state)
{
    (void)state;
    int order = 0;
    struct noting_task one = {.task.run = note, .order = &order, .number = 1};
    pthread_t thread;
    void *kept = &one;
    cfs_later_begin();
    assert_int_equal(pthread_create(&thread, NULL, keep, &one.task), 0);
    assert_int_equal(pthread_join(thread, &kept), 0);
    cfs_later_end();
    assert_null(kept);
    assert_int_equal(order, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(without_a_scope_nothing_is_kept),
        cmocka_unit_test(tasks_run_at_the_end_in_order_and_after_them_what_they_leave),
        cmocka_unit_test(an_inner_scope_leaves_its_tasks_to_the_outer_one),
        cmocka_unit_test(a_scope_is_of_one_thread),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

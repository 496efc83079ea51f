/* The event loop: tasks from other threads, watches that are taken away while they are due, a loop that ends. */
#include "lib/test.h"

#include <pthread.h>
#include <stdatomic.h>
#include <sys/epoll.h>

/* --- tasks --- */

enum { POSTERS = 4, POSTS = 5000 };

struct numbered_task {
    struct cfs_task task;
    int poster, number;
};

struct poster {
    struct cfs_loop *loop;
    struct numbered_task *tasks;
    int refused;
};

static int last_of_poster[POSTERS];
static int tasks_run, tasks_out_of_order;

static void note_task(struct cfs_task *task)
{
    const struct numbered_task *self = cfs_container_of(task, const struct numbered_task, task);
    tasks_out_of_order += last_of_poster[self->poster] + 1 != self->number;
    last_of_poster[self->poster] = self->number;
    tasks_run++;
}

static void *post_many(void *context)
{
    struct poster *poster = context;
    for (int i = 0; i < POSTS; i++)
        poster->refused += cfs_loop_post(poster->loop, &poster->tasks[i].task) != 0;
    return NULL;
}

static void *run_loop(void *loop)
{
    cfs_loop_run(loop);
    return NULL;
}

static void tasks_of_several_threads_run_once_and_in_order(void **state)
{
    struct cfs_loop *loop CFS_CLEANUP(cfs_loop_free) = cfs_loop_new();
    struct poster posters[POSTERS];
    pthread_t threads[POSTERS], runner;
    for (int i = 0; i < POSTERS; i++) {
        posters[i] = (struct poster){.loop = loop, .tasks = calloc(POSTS, sizeof(struct numbered_task))};
        assert_non_null(posters[i].tasks);
        last_of_poster[i] = -1;
        for (int j = 0; j < POSTS; j++)
            posters[i].tasks[j] = (struct numbered_task){.task.run = note_task, .poster = i, .number = j};
    }
    assert_int_equal(pthread_create(&runner, NULL, run_loop, loop), 0);
    for (int i = 0; i < POSTERS; i++)
        assert_int_equal(pthread_create(&threads[i], NULL, post_many, &posters[i]), 0);
    for (int i = 0; i < POSTERS; i++)
        pthread_join(threads[i], NULL);
    cfs_loop_stop(loop); /* what was posted is run all the same */
    pthread_join(runner, NULL);
    assert_int_equal(tasks_run, POSTERS * POSTS);
    assert_int_equal(tasks_out_of_order, 0);
    for (int i = 0; i < POSTERS; i++) {
        assert_int_equal(posters[i].refused, 0);
        free(posters[i].tasks);
    }
}

struct counting_task {
    struct cfs_task task;
    struct cfs_loop *loop;
    int runs, again;
};

static void count_and_post_again(struct cfs_task *task)
{
    struct counting_task *self = cfs_container_of(task, struct counting_task, task);
    self->runs++;
    if (self->again-- > 0)
        assert_int_equal(cfs_loop_post(self->loop, task), 0);
}

static void a_stopped_loop_drains_and_then_refuses(void **state)
{
    struct cfs_loop *loop CFS_CLEANUP(cfs_loop_free) = cfs_loop_new();
    struct counting_task counting = {.task.run = count_and_post_again, .loop = loop, .again = 10};
    assert_int_equal(cfs_loop_post(loop, &counting.task), 0);
    cfs_loop_stop(loop);
    cfs_loop_run(loop);
    assert_int_equal(counting.runs, 11); /* those too that tasks posted while it drained */
    assert_int_equal(cfs_loop_post(loop, &counting.task), -ESHUTDOWN);
    cfs_loop_run_once(loop, 0);
    assert_int_equal(counting.runs, 11);
}

static void a_task_that_is_queued_stays_where_it_is(void **state)
{
    struct cfs_loop *loop CFS_CLEANUP(cfs_loop_free) = cfs_loop_new();
    struct counting_task tasks[3] = {0};
    for (size_t i = 0; i < CFS_COUNT(tasks); i++) {
        tasks[i].task.run = count_and_post_again;
        tasks[i].loop = loop;
        assert_int_equal(cfs_loop_post(loop, &tasks[i].task), 0);
    }
    assert_int_equal(cfs_loop_post(loop, &tasks[0].task), 0);
    assert_int_equal(cfs_loop_post(loop, &tasks[1].task), 0);
    cfs_loop_run_once(loop, 0);
    cfs_loop_run_once(loop, 0);
    for (size_t i = 0; i < CFS_COUNT(tasks); i++)
        assert_int_equal(tasks[i].runs, 1);
}

static void freeing_a_loop_runs_what_is_queued(void **state)
{
    struct cfs_loop *loop = cfs_loop_new();
    struct counting_task counting = {.task.run = count_and_post_again, .loop = loop, .again = 1};
    assert_int_equal(cfs_loop_post(loop, &counting.task), 0);
    cfs_loop_free(loop);
    assert_int_equal(counting.runs, 2);
    cfs_loop_free(NULL);
}

static void free_task(struct cfs_task *task)
{
    free(cfs_container_of(task, struct counting_task, task));
}

static void a_task_may_free_itself(void **state)
{
    struct cfs_loop *loop CFS_CLEANUP(cfs_loop_free) = cfs_loop_new();
    for (int i = 0; i < 3; i++) {
        struct counting_task *counting = calloc(1, sizeof(*counting));
        assert_non_null(counting);
        counting->task.run = free_task;
        assert_int_equal(cfs_loop_post(loop, &counting->task), 0);
    }
    cfs_loop_run_once(loop, 0);
}

static void *wake_loop(void *loop)
{
    cfs_loop_wake(loop);
    return NULL;
}

static void a_wake_ends_the_wait_once(void **state)
{
    struct cfs_loop *loop CFS_CLEANUP(cfs_loop_free) = cfs_loop_new();
    pthread_t thread;
    for (int i = 0; i < 3; i++) {
        assert_int_equal(pthread_create(&thread, NULL, wake_loop, loop), 0);
        cfs_loop_run_once(loop, -1);
        pthread_join(thread, NULL);
    }
    cfs_loop_run_once(loop, 0);
}

struct ping {
    struct cfs_task task;
    atomic_int runs;
};

static void answer_ping(struct cfs_task *task)
{
    atomic_fetch_add(&cfs_container_of(task, struct ping, task)->runs, 1);
}

static void a_post_wakes_a_waiting_loop(void **state)
{
    struct cfs_loop *loop CFS_CLEANUP(cfs_loop_free) = cfs_loop_new();
    struct ping ping = {.task.run = answer_ping};
    pthread_t runner;
    assert_int_equal(pthread_create(&runner, NULL, run_loop, loop), 0);
    for (int i = 0; i < 50; i++) { /* sooner or later, it is waiting when we post */
        assert_int_equal(cfs_loop_post(loop, &ping.task), 0);
        test_wait_until(ping.runs == i + 1);
    }
    cfs_loop_stop(loop);
    pthread_join(runner, NULL);
}

struct thread_check {
    struct cfs_task task;
    struct cfs_loop *loop;
    atomic_int answer; /* -1: none yet */
};

static void check_thread(struct cfs_task *task)
{
    struct thread_check *self = cfs_container_of(task, struct thread_check, task);
    self->answer = cfs_loop_is_own_thread(self->loop);
}

static void a_loop_knows_its_thread(void **state)
{
    struct cfs_loop *loop CFS_CLEANUP(cfs_loop_free) = cfs_loop_new();
    struct thread_check check = {.task.run = check_thread, .loop = loop, .answer = -1};
    pthread_t runner;
    assert_false(cfs_loop_is_own_thread(loop));
    cfs_loop_run_once(loop, 0);
    assert_true(cfs_loop_is_own_thread(loop));
    assert_int_equal(pthread_create(&runner, NULL, run_loop, loop), 0);
    assert_int_equal(cfs_loop_post(loop, &check.task), 0);
    test_wait_until(check.answer >= 0);
    assert_int_equal(check.answer, 1);
    assert_false(cfs_loop_is_own_thread(loop));
    cfs_loop_stop(loop);
    pthread_join(runner, NULL);
    assert_false(cfs_loop_is_own_thread(loop));
}

/* --- watches --- */

enum { PIPES = 8 };

struct pipe_watch {
    struct cfs_watch watch;
    struct pipes *pipes;
    int fds[2];
};

/* Pipes that all have something to read. */
struct pipes {
    struct cfs_loop *loop;
    struct pipe_watch *members[PIPES];
    int calls;
    void (*on_call)(struct pipe_watch *called);
};

static void pipe_ready(struct cfs_watch *watch, uint32_t events)
{
    struct pipe_watch *called = cfs_container_of(watch, struct pipe_watch, watch);
    called->pipes->calls++;
    if (called->pipes->on_call)
        called->pipes->on_call(called);
}

static void open_pipes(struct pipes *pipes, struct cfs_loop *loop)
{
    *pipes = (struct pipes){.loop = loop};
    for (int i = 0; i < PIPES; i++) {
        struct pipe_watch *member = calloc(1, sizeof(*member));
        assert_non_null(member);
        assert_int_equal(pipe(member->fds), 0);
        assert_int_equal(write(member->fds[1], "x", 1), 1);
        member->pipes = pipes;
        member->watch = (struct cfs_watch){.fd = member->fds[0], .ready = pipe_ready};
        assert_int_equal(cfs_loop_watch(loop, &member->watch, EPOLLIN), 0);
        pipes->members[i] = member;
    }
}

/* Unwatches, closes and frees all but KEPT. */
static void close_pipes(struct pipes *pipes, const struct pipe_watch *kept)
{
    for (int i = 0; i < PIPES; i++) {
        struct pipe_watch *member = pipes->members[i];
        if (!member || member == kept)
            continue;
        cfs_loop_unwatch(pipes->loop, &member->watch);
        close(member->fds[0]);
        close(member->fds[1]);
        free(member);
        pipes->members[i] = NULL;
    }
}

static void a_watch_is_called_while_it_is_ready(void **state)
{
    struct cfs_loop *loop CFS_CLEANUP(cfs_loop_free) = cfs_loop_new();
    struct pipes pipes;
    open_pipes(&pipes, loop);
    cfs_loop_run_once(loop, -1);
    assert_int_equal(pipes.calls, PIPES);
    cfs_loop_run_once(loop, -1); /* level-triggered */
    assert_int_equal(pipes.calls, 2 * PIPES);
    assert_int_equal(cfs_loop_watch(loop, &pipes.members[0]->watch, 0), 0);
    cfs_loop_unwatch(loop, &pipes.members[1]->watch);
    cfs_loop_unwatch(loop, &pipes.members[1]->watch);
    cfs_loop_run_once(loop, -1);
    assert_int_equal(pipes.calls, 3 * PIPES - 2);
    assert_int_equal(cfs_loop_watch(loop, &pipes.members[0]->watch, EPOLLIN), 0);
    assert_int_equal(cfs_loop_watch(loop, &pipes.members[1]->watch, EPOLLIN), 0);
    cfs_loop_run_once(loop, -1);
    assert_int_equal(pipes.calls, 4 * PIPES - 2);
    close_pipes(&pipes, NULL);
}

static void free_all_others(struct pipe_watch *called)
{
    close_pipes(called->pipes, called);
}

static void a_watch_that_another_takes_away_is_not_called(void **state)
{
    struct cfs_loop *loop CFS_CLEANUP(cfs_loop_free) = cfs_loop_new();
    struct pipes pipes;
    open_pipes(&pipes, loop);
    pipes.on_call = free_all_others;
    cfs_loop_run_once(loop, -1);
    assert_int_equal(pipes.calls, 1); /* all were due in this turn */
    close_pipes(&pipes, NULL);
}

/* Gives the others a new pipe each, one with nothing to read. */
static void replace_all_others(struct pipe_watch *called)
{
    struct pipes *pipes = called->pipes;
    for (int i = 0; i < PIPES; i++) {
        struct pipe_watch *member = pipes->members[i];
        if (member == called)
            continue;
        cfs_loop_unwatch(pipes->loop, &member->watch);
        close(member->fds[0]);
        close(member->fds[1]);
        assert_int_equal(pipe(member->fds), 0);
        member->watch.fd = member->fds[0];
        assert_int_equal(cfs_loop_watch(pipes->loop, &member->watch, EPOLLIN), 0);
    }
}

static void a_watch_used_again_gets_no_old_events(void **state)
{
    struct cfs_loop *loop CFS_CLEANUP(cfs_loop_free) = cfs_loop_new();
    struct pipes pipes;
    open_pipes(&pipes, loop);
    pipes.on_call = replace_all_others;
    cfs_loop_run_once(loop, -1);
    assert_int_equal(pipes.calls, 1);
    close_pipes(&pipes, NULL);
}

static void free_all_others_in_an_inner_turn(struct pipe_watch *called)
{
    struct pipes *pipes = called->pipes;
    pipes->on_call = free_all_others; /* CALLED too, perhaps */
    cfs_loop_run_once(pipes->loop, -1);
    assert_int_equal(pipes->calls, 2);
}

static void an_inner_turn_may_take_away_what_the_outer_collected(void **state)
{
    struct cfs_loop *loop CFS_CLEANUP(cfs_loop_free) = cfs_loop_new();
    struct pipes pipes;
    open_pipes(&pipes, loop);
    pipes.on_call = free_all_others_in_an_inner_turn;
    cfs_loop_run_once(loop, -1);
    assert_int_equal(pipes.calls, 2);
    close_pipes(&pipes, NULL);
}

static void a_task_that_posts_itself_does_not_starve_a_watch(void **state)
{
    struct cfs_loop *loop CFS_CLEANUP(cfs_loop_free) = cfs_loop_new();
    struct counting_task counting = {.task.run = count_and_post_again, .loop = loop, .again = 100};
    struct pipes pipes;
    open_pipes(&pipes, loop);
    assert_int_equal(cfs_loop_post(loop, &counting.task), 0);
    cfs_loop_run_once(loop, -1);
    assert_in_range(counting.runs, 1, 10);
    assert_int_equal(pipes.calls, PIPES);
    close_pipes(&pipes, NULL);
}

static void a_bad_descriptor_is_refused(void **state)
{
    struct cfs_loop *loop CFS_CLEANUP(cfs_loop_free) = cfs_loop_new();
    struct cfs_watch watch = {.fd = -1};
    assert_int_equal(cfs_loop_watch(loop, &watch, EPOLLIN), -EBADF);
    assert_false(watch.active);
    cfs_loop_unwatch(loop, &watch);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(tasks_of_several_threads_run_once_and_in_order),
        cmocka_unit_test(a_stopped_loop_drains_and_then_refuses),
        cmocka_unit_test(a_task_that_is_queued_stays_where_it_is),
        cmocka_unit_test(freeing_a_loop_runs_what_is_queued),
        cmocka_unit_test(a_task_may_free_itself),
        cmocka_unit_test(a_wake_ends_the_wait_once),
        cmocka_unit_test(a_post_wakes_a_waiting_loop),
        cmocka_unit_test(a_loop_knows_its_thread),
        cmocka_unit_test(a_watch_is_called_while_it_is_ready),
        cmocka_unit_test(a_watch_that_another_takes_away_is_not_called),
        cmocka_unit_test(a_watch_used_again_gets_no_old_events),
        cmocka_unit_test(an_inner_turn_may_take_away_what_the_outer_collected),
        cmocka_unit_test(a_task_that_posts_itself_does_not_starve_a_watch),
        cmocka_unit_test(a_bad_descriptor_is_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

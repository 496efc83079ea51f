/* Threads of our own take no signals, and leave the mask of the one that starts them as it was. */
#include "base/thread.h"
#include "lib/test.h"
#include <signal.h>

static void *own_mask(void *context)
{
    pthread_sigmask(SIG_SETMASK, NULL, context);
    return NULL;
}

static void a_thread_takes_no_signals(void **state)
{
    (void)state;
    sigset_t before, inside, after;
    pthread_t thread;
    sigemptyset(&inside);
    pthread_sigmask(SIG_SETMASK, NULL, &before);
    assert_int_equal(cfs_thread_start(own_mask, &inside, &thread), 0);
    assert_int_equal(pthread_join(thread, NULL), 0);
    pthread_sigmask(SIG_SETMASK, NULL, &after);
    static const int numbers[] = {SIGINT, SIGTERM, SIGHUP, SIGQUIT, SIGALRM, SIGCHLD};
    for (size_t i = 0; i < CFS_COUNT(numbers); i++) {
        assert_int_equal(sigismember(&inside, numbers[i]), 1);
        assert_int_equal(sigismember(&after, numbers[i]), sigismember(&before, numbers[i]));
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(a_thread_takes_no_signals)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}

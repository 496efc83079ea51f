/* Which signals let a caller go: those by which programs are ended, when they are pending and not blocked. */
#include "fuse/signals.h"
#include "lib/test.h"
#include <signal.h>
#include <stdio.h>

static void status_with(char *text, size_t size, unsigned long long thread, unsigned long long process,
                        unsigned long long blocked)
{
    snprintf(text, size, "Name:\tgit\nThreads:\t1\nSigQ:\t0/95\nSigPnd:\t%016llx\nShdPnd:\t%016llx\nSigBlk:\t%016llx\n",
             thread, process, blocked);
}

static bool ends(unsigned long long thread, unsigned long long process, unsigned long long blocked)
{
    char text[512];
    status_with(text, sizeof(text), thread, process, blocked);
    return cfs_fuse_wants_to_end(text);
}

#define BIT(signal) (1ULL << ((signal)-1))

static void a_program_that_is_to_end_is_let_go(void **state)
{
    (void)state;
    assert_true(ends(BIT(SIGKILL), 0, 0));
    assert_true(ends(0, BIT(SIGINT), 0));
    assert_true(ends(0, BIT(SIGTERM), 0));
    assert_true(ends(0, BIT(SIGHUP), 0));
    assert_true(ends(BIT(SIGQUIT), 0, 0));
}

static void a_timer_or_a_child_interrupts_nothing(void **state)
{
    (void)state;
    assert_false(ends(0, 0, 0));
    assert_false(ends(BIT(SIGALRM), BIT(SIGCHLD) | BIT(SIGPROF) | BIT(SIGURG), 0));
}

static void a_blocked_signal_waits_but_kill_cannot_be_blocked(void **state)
{
    (void)state;
    assert_false(ends(0, BIT(SIGINT), BIT(SIGINT)));
    assert_true(ends(0, BIT(SIGKILL), ~0ULL));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_program_that_is_to_end_is_let_go),
        cmocka_unit_test(a_timer_or_a_child_interrupts_nothing),
        cmocka_unit_test(a_blocked_signal_waits_but_kill_cannot_be_blocked),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

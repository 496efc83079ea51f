/* What every unit test includes first: cmocka, and waiting for a condition instead of sleeping. */
#ifndef CFS_TESTS_LIB_TEST_H
#define CFS_TESTS_LIB_TEST_H

/* The order that cmocka.h wants. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/clock.h"
#include "base/loop.h"
#include <errno.h>
#include <string.h>

/* How long a test waits for what should come at once: the machine may be busy. */
enum { TEST_LIMIT_MS = 60 * 1000 };

/* Turns LOOP until CONDITION, an expression, is true; fails the test if it does not come true. */
#define test_run_until(loop, condition)                                                                                \
    do {                                                                                                               \
        int64_t test_limit_ms = cfs_clock_ms(&cfs_system_clock) + TEST_LIMIT_MS;                                       \
        while (!(condition)) {                                                                                         \
            if (cfs_clock_ms(&cfs_system_clock) > test_limit_ms)                                                       \
                fail_msg("waited in vain for: %s", #condition);                                                        \
            cfs_loop_run_once(loop, 20);                                                                               \
        }                                                                                                              \
    } while (0)

/* The same for what other threads or processes do, without a loop. */
#define test_wait_until(condition)                                                                                     \
    do {                                                                                                               \
        int64_t test_limit_ms = cfs_clock_ms(&cfs_system_clock) + TEST_LIMIT_MS;                                       \
        while (!(condition)) {                                                                                         \
            if (cfs_clock_ms(&cfs_system_clock) > test_limit_ms)                                                       \
                fail_msg("waited in vain for: %s", #condition);                                                        \
            usleep(2000);                                                                                              \
        }                                                                                                              \
    } while (0)

#endif

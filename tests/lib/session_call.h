/* Running a function on the loop's thread of an SSH session, and waiting for it. */
#ifndef CFS_TESTS_LIB_SESSION_CALL_H
#define CFS_TESTS_LIB_SESSION_CALL_H

#include "base/loop.h"

/* Returns when FUNCTION(CONTEXT) has run on LOOP's thread. Fails the test when the loop has stopped. */
void test_call(struct cfs_loop *loop, void (*function)(void *context), void *context);

#endif

/* A pool whose connection is lost, and made again when the test lets it. */
#ifndef CFS_TESTS_LIB_LOST_POOL_H
#define CFS_TESTS_LIB_LOST_POOL_H

#include "lib/pool_fixture.h"
#include <stdint.h>

/* For lost_pool_open. */
/* As long as there is a file "hold", no server starts. */
#define LOST_POOL_HELD "while [ -e \"$1/hold\" ]; do sleep 0.01; done; "
/* What the server answers goes through a program that can be stopped. */
#define LOST_POOL_THROUGH_CAT                                                                                          \
    LOST_POOL_HELD "echo $$ >>\"$1/pids\"; sh -c 'echo $$ >>\"$0/behind\"; exec \"$1\"' \"$1\" \"$2\" | "              \
                   "sh -c 'echo $$ >>\"$0/cats\"; exec cat' \"$1\"; exit"

/* Two lanes, to servers that run BEFORE first; calls wait for TIMEOUT_MS (0: without end). */
void lost_pool_open(struct pool_fixture *fixture, const char *before, uint32_t timeout_ms);
/* SIGNAL to the processes of LIST ("pids", "behind", "cats"); to how many. */
unsigned lost_pool_signal(struct pool_fixture *fixture, const char *list, int signal);
void lost_pool_kill(struct pool_fixture *fixture);
/* While it is ON no server starts. */
void lost_pool_hold(struct pool_fixture *fixture, bool on);
/* Without a connection, and none to be had; until it is there again. */
void lost_pool_cut(struct pool_fixture *fixture);
void lost_pool_mend(struct pool_fixture *fixture);

#endif

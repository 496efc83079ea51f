/* The contract remote/remote.h as a suite of checks, run against each of its implementations. */
#ifndef CFS_TESTS_LIB_REMOTE_CONFORMANCE_H
#define CFS_TESTS_LIB_REMOTE_CONFORMANCE_H

/* Runs the suite as a cmocka group; returns the number of failures. SETUP gives each check a driver (lib/remote_sync.h)
 * in *state, over an empty folder; TEARDOWN takes it back. SETUP may skip(). */
int remote_conformance(const char *name, int (*setup)(void **state), int (*teardown)(void **state));

#endif

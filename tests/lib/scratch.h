/* A folder of a test's own, and programs run in it. Fails the test (cmocka) when something does not work. */
#ifndef CFS_TESTS_LIB_SCRATCH_H
#define CFS_TESTS_LIB_SCRATCH_H

#include "base/cleanup.h"
#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

/* Makes /tmp/cfs.XXXXXX (0700); a short path, for sockets. The caller frees the name through scratch_remove. */
char *scratch_make(void);
/* Removes the folder with all that is in it, and frees the name. NULL is fine. */
void scratch_remove(char *folder);

/* "FOLDER/NAME"; the caller frees. */
char *scratch_path(const char *folder, const char *name);
/* Writes a whole file, with exactly this mode. */
void scratch_write(const char *path, const void *bytes, size_t length, mode_t mode);
void scratch_write_text(const char *path, const char *text, mode_t mode);
/* Reads a whole file, with a NUL behind it; the caller frees. */
char *scratch_read(const char *path, size_t *ret_length);

/* Runs a program from PATH, without stdin; what it prints is dropped. Its exit code, 127 if it is not there. */
int scratch_run(const char *program, ...) __attribute__((sentinel));
/* Fails the test when the exit code is not 0. */
#define scratch_must_run(...) assert_int_equal(scratch_run(__VA_ARGS__), 0)

/* Whether posix_spawn(3) fails when a program is not there: under valgrind its child ends with status 127 instead. */
bool scratch_spawn_tells(void);

/* Starts a program in the same way and leaves it running; the test must stop it. */
pid_t scratch_start(const char *program, ...) __attribute__((sentinel));
/* SIGTERM, and waits for its end. */
void scratch_stop(pid_t child);

#endif

/* What the files of the suite share. */
#ifndef CFS_TESTS_LIB_REMOTE_CONFORMANCE_PRIV_H
#define CFS_TESTS_LIB_REMOTE_CONFORMANCE_PRIV_H

#include "lib/remote_sync.h"

enum { MEBIBYTE = 1024 * 1024 };

#define OK(expression) assert_int_equal(expression, 0)

unsigned conform_capabilities(struct remote_driver *driver);
void conform_make_file(struct remote_driver *driver, const char *path, const void *data, size_t length);
void conform_expect_content(struct remote_driver *driver, const char *path, const void *data, size_t length);
/* LENGTH bytes, to be freed. */
uint8_t *conform_pattern(size_t length);
mode_t conform_mode_of(struct remote_driver *driver, const char *path);

/* remote_conformance_at_once.c */
int conform_at_once(const char *name, int (*setup)(void **state), int (*teardown)(void **state));

#endif

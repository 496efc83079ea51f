/* Contents over the memory remote, turned by hand, as a driver for the functions of lib/remote_sync.h: the loop on
 * which the contents answer and the remote take turns on the test's own thread. */
#ifndef CFS_TESTS_LIB_CONTENTS_FIXTURE_H
#define CFS_TESTS_LIB_CONTENTS_FIXTURE_H

#include "cache/contents.h"
#include "lib/memory_remote.h"
#include "lib/remote_sync.h"

struct contents_fixture {
    struct remote_driver driver; /* of the contents; first */
    struct memory_remote *memory;
    struct cfs_loop *loop;
    struct cfs_remote *contents;
    unsigned idle_turns;
};

/* OPTIONS or CACHE may be NULL: no latency; 16 MiB of blocks, 4 MiB dirty at most, with prefetch. */
void contents_fixture_init(struct contents_fixture *fixture, const struct memory_remote_options *options,
                           const struct cfs_cache_options *cache);
/* Runs what is left; files must have been closed. */
void contents_fixture_fini(struct contents_fixture *fixture);

/* Runs all that is left to do. */
void contents_run(struct contents_fixture *fixture);
/* What the contents can do without the remote. */
void contents_turn(struct contents_fixture *fixture);
struct cfs_cache_status contents_status(struct contents_fixture *fixture);

/* A file of LENGTH bytes behind the back, long ago: content_byte() of each offset. */
void contents_poke(struct contents_fixture *fixture, const char *path, size_t length);
uint8_t content_byte(uint64_t offset);
/* Opens, or ends the test. */
struct cfs_remote_file *contents_open(struct contents_fixture *fixture, const char *path, int flags);
/* Reads and compares with content_byte(); the number of calls that it cost. */
uint64_t contents_expect(struct contents_fixture *fixture, struct cfs_remote_file *file, uint64_t offset,
                         size_t length);

#endif

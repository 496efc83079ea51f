/* A pool over sftp-servers that are child processes, in a scratch folder: each "session" and each lane is a server of
 * its own, whose process ids the test knows. */
#ifndef CFS_TESTS_LIB_POOL_FIXTURE_H
#define CFS_TESTS_LIB_POOL_FIXTURE_H

#include "lib/remote_sync.h"
#include "remote/pool.h"
#include <stdatomic.h>
#include <sys/types.h>

enum { POOL_FIXTURE_SERVERS = 64 };

struct pool_fixture {
    struct remote_driver driver; /* first: it is what *state points at */
    char *folder, *work;         /* scratch, and what the pool shows, below it */
    atomic_uint lost;            /* how often a loss was told */
};

/* For cmocka: makes the folders, without a pool; frees all. */
int pool_fixture_make(void **state);
int pool_fixture_remove(void **state);

/* A transport whose servers run BEFORE, a piece of shell, first; $1 is the scratch folder, $2 sftp-server. */
struct cfs_transport *pool_fixture_transport(struct pool_fixture *fixture, const char *before);
/* Opens the pool on TRANSPORT; the work folder and what tells of a loss are set here. -errno, told. */
int pool_fixture_open(struct pool_fixture *fixture, struct cfs_transport *transport, struct cfs_pool_options options);
struct cfs_pool_status pool_fixture_status(struct pool_fixture *fixture);
/* Opens (what is made has the mode 0644), or ends the test. */
struct cfs_remote_file *pool_fixture_file(struct pool_fixture *fixture, const char *path, int flags);
/* The process ids of all servers that were started, in that order; how many they are. */
size_t pool_fixture_servers(struct pool_fixture *fixture, pid_t pids[POOL_FIXTURE_SERVERS]);

/* In the work folder, seen past the pool: makes a file with CONTENT, or ends the test. */
void pool_fixture_make_file(struct pool_fixture *fixture, const char *name, const char *content);
/* Ends the test if the file's content is another one. */
void pool_fixture_check_content(struct pool_fixture *fixture, const char *name, const char *expected);
bool pool_fixture_has(struct pool_fixture *fixture, const char *name);
mode_t pool_fixture_mode(struct pool_fixture *fixture, const char *name);

/* PID is a process of ours, or a few below: the number of one that has ended may be another process's by now. */
bool pool_fixture_is_below_us(pid_t pid);

#endif

/* A cache over the memory remote, turned by hand: calls as plain functions that submit, turn both until the call has
 * completed, and give its error. What a call cost is seen in memory_remote_count(). */
#ifndef CFS_TESTS_LIB_CACHE_FIXTURE_H
#define CFS_TESTS_LIB_CACHE_FIXTURE_H

#include "cache/cache.h"
#include "lib/memory_remote.h"

struct cache_fixture {
    struct memory_remote *memory;
    struct cfs_loop *loop;
    struct cfs_cache_options options; /* may be changed before cache_fixture_start */
    struct cfs_remote *cache;
    const struct cfs_remote_operations *operations; /* of the cache */
    enum cfs_remote_when_lost when_lost;            /* of the functions below */
    uint64_t told;                                  /* cache_cost */
};

/* A call and whether it has completed; what its result points to is copied. */
struct cache_call {
    struct cfs_remote_call call;
    unsigned completed;
    char *target;
    char *names; /* read_listing: "a b c " */
    struct cfs_remote_entry *entries;
    char *entry_names;
};

/* OPTIONS of the remote, or NULL. attr_ttl is auto. */
void cache_fixture_init(struct cache_fixture *fixture, const struct memory_remote_options *options);
void cache_fixture_start(struct cache_fixture *fixture);
/* Runs what is left and frees all. */
void cache_fixture_fini(struct cache_fixture *fixture);

void cache_call_init(struct cache_call *call);
void cache_call_fini(struct cache_call *call);
/* What the cache can do without the remote. */
void cache_turn(struct cache_fixture *fixture);
/* Runs both until nothing is left to do. */
void cache_run(struct cache_fixture *fixture);
/* Runs until the call has completed; its error. Fails the test if nothing is left before. */
int cache_wait(struct cache_fixture *fixture, struct cache_call *call);
/* How many calls the remote below got since the last time it was asked. */
uint64_t cache_cost(struct cache_fixture *fixture);

/* Synchronous operations: 0 or -errno. */
int cache_lstat(struct cache_fixture *fixture, const char *path, struct cfs_remote_attributes *ret_attributes);
int cache_setattr(struct cache_fixture *fixture, const char *path, const struct cfs_remote_attributes *attributes);
int cache_readlink(struct cache_fixture *fixture, const char *path, char *target, size_t size);
int cache_mkdir(struct cache_fixture *fixture, const char *path);
int cache_rmdir(struct cache_fixture *fixture, const char *path);
int cache_unlink(struct cache_fixture *fixture, const char *path);
int cache_symlink(struct cache_fixture *fixture, const char *target, const char *path);
int cache_link(struct cache_fixture *fixture, const char *from, const char *to);
int cache_rename(struct cache_fixture *fixture, const char *from, const char *to, enum cfs_remote_rename how);
int cache_open(struct cache_fixture *fixture, const char *path, int flags, struct cfs_remote_file **ret_file);
int cache_flush(struct cache_fixture *fixture, struct cfs_remote_file *file);
int cache_close(struct cache_fixture *fixture, struct cfs_remote_file *file);
ssize_t cache_read(struct cache_fixture *fixture, struct cfs_remote_file *file, uint64_t offset, size_t length,
                   void *buffer);
int cache_write(struct cache_fixture *fixture, struct cfs_remote_file *file, uint64_t offset, size_t length,
                const void *data);
/* And what nobody waits for has ended. */
int cache_sync(struct cache_fixture *fixture);
int cache_fstat(struct cache_fixture *fixture, struct cfs_remote_file *file,
                struct cfs_remote_attributes *ret_attributes);
int cache_fsetattr(struct cache_fixture *fixture, struct cfs_remote_file *file,
                   const struct cfs_remote_attributes *attributes);
/* Opens, writes at offset 0, closes. */
int cache_create(struct cache_fixture *fixture, const char *path, const char *content);
/* The whole listing, "a b c ", the caller frees; NULL with *ret_error. */
char *cache_list(struct cache_fixture *fixture, const char *path, int *ret_error);

#endif

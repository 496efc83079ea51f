/* A file system over the memory remote, for tests: its operations as plain functions that submit, turn the remote until
 * the reply is there, and give the error. What a program and the kernel do in between (lookups, lookup counts) is here,
 * too. */
#ifndef CFS_TESTS_LIB_FS_FIXTURE_H
#define CFS_TESTS_LIB_FS_FIXTURE_H

#include "cache/cache.h"
#include "fs/fs.h"
#include "lib/memory_remote.h"
#include <pthread.h>
#include <stdatomic.h>

struct fs_fixture {
    struct memory_remote *memory;
    /* May be changed before fs_fixture_start. */
    struct cfs_profile profile;
    bool is_cached; /* the cache stands in between, with these options (clock, loop, number and changed are set) */
    struct cfs_cache_options cache_options;
    void (*lost)(void *context, const char *path, int error); /* as in cfs_fs_options */
    void *lost_context;
    struct cfs_loop *loop; /* of the cache, turned with the remote; or NULL */
    struct cfs_remote *cache;
    unsigned idle;
    struct cfs_fs *fs;
    /* What the notifier was told. */
    unsigned nodes_changed;
    uint64_t changed_node;
    int64_t changed_offset;
};

/* A request and whether it was answered. */
struct fs_call {
    struct cfs_request request;
    atomic_bool replied;
    unsigned replies;
    char *names; /* read_folder: "a b c " */
    size_t name_count, name_limit;
    uint64_t next;
    char target[4096]; /* readlink */
    struct cfs_entry last_entry;
    uint64_t looked_up[64]; /* nodes that entries of a read_folder counted */
};

/* OPTIONS of the remote, or NULL. Profile: attr_ttl 1 s, uid and gid 1000, idmap none. */
void fs_fixture_init(struct fs_fixture *fixture, const struct memory_remote_options *options);
void fs_fixture_start(struct fs_fixture *fixture);
/* Runs what is left, and checks that no node but the root's is left when no lookup is; KNOWN: nodes that the test still
 * has. */
void fs_fixture_fini(struct fs_fixture *fixture);
/* One event of the remote, and what the cache makes of it. False: nothing was left to do; with a cache, time goes on a
 * little then. */
bool fs_fixture_turn(struct fs_fixture *fixture);
/* Until nothing is left to do. */
void fs_fixture_run(struct fs_fixture *fixture);

void fs_call_init(struct fs_call *call);
/* Turns the remote until the call is answered; its error. */
int fs_call_wait(struct fs_fixture *fixture, struct fs_call *call);

/* Synchronous operations: 0 or -errno. Entries count lookups that the caller forgets. */
int fs_lookup(struct fs_fixture *fixture, uint64_t parent, const char *name, struct cfs_entry *ret_entry);
/* Walks a path from the root with lookups; the node keeps one lookup, those above are forgotten. Ends the test if there
 * is none. */
uint64_t fs_walk(struct fs_fixture *fixture, const char *path);
void fs_forget(struct fs_fixture *fixture, uint64_t node);
int fs_getattr(struct fs_fixture *fixture, uint64_t node, struct cfs_open_file *file, struct stat *ret_attributes,
               uint32_t *ret_ttl_ms);
int fs_setattr(struct fs_fixture *fixture, uint64_t node, struct cfs_open_file *file, const struct stat *attributes,
               unsigned set, struct stat *ret_attributes);
int fs_mkdir(struct fs_fixture *fixture, uint64_t parent, const char *name, mode_t mode, struct cfs_entry *ret_entry);
int fs_mknod(struct fs_fixture *fixture, uint64_t parent, const char *name, mode_t mode, struct cfs_entry *ret_entry);
int fs_symlink(struct fs_fixture *fixture, const char *target, uint64_t parent, const char *name,
               struct cfs_entry *ret_entry);
int fs_link(struct fs_fixture *fixture, uint64_t node, uint64_t parent, const char *name, struct cfs_entry *ret_entry);
int fs_unlink(struct fs_fixture *fixture, uint64_t parent, const char *name);
int fs_rmdir(struct fs_fixture *fixture, uint64_t parent, const char *name);
int fs_rename(struct fs_fixture *fixture, uint64_t parent, const char *name, uint64_t new_parent, const char *new_name,
              unsigned flags);
int fs_readlink(struct fs_fixture *fixture, uint64_t node, char *target, size_t size);
int fs_open(struct fs_fixture *fixture, uint64_t node, int flags, struct cfs_open_file **ret_file);
int fs_create(struct fs_fixture *fixture, uint64_t parent, const char *name, mode_t mode, int flags,
              struct cfs_open_file **ret_file, struct cfs_entry *ret_entry);
/* Bytes, or -errno. */
ssize_t fs_read(struct fs_fixture *fixture, struct cfs_open_file *file, uint64_t offset, void *buffer, size_t length);
ssize_t fs_write(struct fs_fixture *fixture, struct cfs_open_file *file, uint64_t offset, const void *data,
                 size_t length);
void fs_release(struct fs_fixture *fixture, struct cfs_open_file *file);
int fs_open_folder(struct fs_fixture *fixture, uint64_t node, struct cfs_open_folder **ret_folder);
void fs_release_folder(struct fs_fixture *fixture, struct cfs_open_folder *folder);
/* At most LIMIT entries from OFFSET; "a b c " (the caller frees) and where to go on; nodes that were counted are
 * forgotten. */
int fs_read_folder(struct fs_fixture *fixture, struct cfs_open_folder *folder, uint64_t offset, bool plus, size_t limit,
                   char **ret_names, uint64_t *ret_next);
/* For read_folder calls that a test submits itself. */
bool fs_add_entry(struct cfs_request *request, const char *name, const struct cfs_entry *entry, uint64_t next);

#endif

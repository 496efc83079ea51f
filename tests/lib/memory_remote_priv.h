/* What the files of the in-memory remote share: its state, and calls in flight. */
#ifndef CFS_TESTS_LIB_MEMORY_REMOTE_PRIV_H
#define CFS_TESTS_LIB_MEMORY_REMOTE_PRIV_H

#include "base/list.h"
#include "lib/fake_clock.h"
#include "lib/memory_remote.h"
#include <pthread.h>

struct cfs_remote_file {
    struct memory_remote *memory;
    struct memory_node *node;           /* NULL: it is opened when it is used first, */
    struct cfs_remote_attributes known; /* and must be as that, */
    bool stale;                         /* or was not */
    struct cfs_list link;
    int flags;
    bool closing; /* close was submitted */
    char *path;   /* as opened: for messages */
};

/* Entries as they were when the batch was fetched. */
struct memory_batch {
    struct cfs_remote_entry *entries;
    char **names;
    size_t count;
};

struct cfs_remote_listing {
    struct memory_remote *memory;
    struct memory_node *folder;
    struct cfs_list link;
    char **names;
    size_t next;
    struct memory_batch ahead[CFS_REMOTE_LISTING_AHEAD]; /* as many as the options say, the oldest first */
    bool reading, closing;
    char *path;
};

enum fault_kind { FAULT_NONE, FAULT_BEFORE, FAULT_AFTER, FAULT_SILENT };

struct fault {
    enum fault_kind kind;
    enum memory_operation operation;
    unsigned left; /* strikes when this many more calls were submitted */
    int error;
};

/* A call in flight. */
struct pending {
    struct cfs_list link; /* in memory->pending, in the order of submission */
    struct cfs_remote_call *call;
    enum memory_operation operation;
    int64_t effect_at, done_at, timeout_at;
    bool effected;
    struct fault fault; /* kind FAULT_NONE: none */

    /* arguments */
    char *path, *other; /* other: the second path, or the target */
    int flags;
    mode_t mode;
    enum cfs_remote_rename how;
    struct cfs_remote_attributes attributes;
    struct cfs_remote_file *file, *to;
    struct cfs_remote_listing *listing;
    uint64_t offset, to_offset;
    size_t length;
    void *destination;
    uint8_t *data;
    const void *put_data; /* the caller's, until `done` */
    uint32_t *ids;
    size_t uid_count, gid_count;

    /* outcome */
    int error;
    struct cfs_remote_result result;
    struct cfs_remote_entry *entries;
    char **entry_names;
    struct cfs_remote_id_name *id_names;
    char (*id_texts)[24];
    char *target;
};

struct memory_remote {
    struct cfs_remote remote;
    struct fake_clock clock;
    struct memory_tree *tree;
    struct memory_remote_options options;
    struct cfs_remote_facts facts;
    pthread_mutex_t lock; /* all below; recursive: a poke may come from `done` */
    uint64_t random;
    struct cfs_list pending, files, listings;
    bool connected, is_lost;
    bool held[MEMORY_OPERATIONS];
    void (*came)(void *context, const char *path); /* when a call of the kind `watched` comes; NULL: nobody asks */
    void *came_context;
    enum memory_operation watched;
    int fail_all[MEMORY_OPERATIONS];
    struct fault faults[8];
    uint64_t counts[MEMORY_OPERATIONS];
    uint64_t bytes_read, bytes_written;
};

/* Says what broke the contract and ends the test. */
void memory_fault(const char *format, ...) CFS_PRINTF(1, 2) __attribute__((noreturn));
void *memory_need(void *memory);
uint64_t memory_random(struct memory_remote *memory, uint64_t below);

/* memory_trace.c: EVENT happens to a call; told with CLUSTERFS_TEST_TRACE. */
void memory_trace(const struct memory_remote *memory, const struct pending *pending, const char *event);

/* memory_effects.c: lets the call take effect; fills error and result. The lock is held. */
void memory_effect(struct memory_remote *memory, struct pending *pending);
void memory_file_free(struct cfs_remote_file *file);
void memory_listing_free(struct cfs_remote_listing *listing);

/* memory_remote.c */
extern const struct cfs_remote_operations memory_operations;

/* memory_schedule.c. Submits (takes the lock); owns PENDING from now on. */
void memory_submit(struct memory_remote *memory, struct pending *pending);
void memory_cancel(struct memory_remote *memory, struct cfs_remote_call *call);

#endif

/* What the rooms of src/fs share: the file system itself, open files, and the functions between rooms.
 *
 * Locks. One lock over the tree, the open files, the queues and the stamps; held for moments, never over a call of the
 * remote's, a reply, or memory of a caller's. For calls and interrupts see step.c. */
#ifndef CFS_FS_FS_PRIV_H
#define CFS_FS_FS_PRIV_H

#include "fs/claim.h"
#include "fs/fs.h"
#include "fs/node.h"
#include "fs/owners.h"
#include "fs/step.h"
#include <pthread.h>
#include <stdatomic.h>

enum { CFS_STRIPES = 32, CFS_NAME_LIMIT = 255 };

struct cfs_worker {
    pthread_t thread;
    struct cfs_list queue; /* the lock's */
    pthread_cond_t changed;
    bool leaves; /* the lock's */
};

struct cfs_counts {
    atomic_uint_fast64_t requests, requests_in_flight, errors, bytes_read, bytes_written;
};

struct cfs_fs {
    struct cfs_remote *remote;
    const struct cfs_remote_facts *facts;
    const struct cfs_profile *profile;
    const struct cfs_clock *clock;
    struct cfs_fs_notifier notifier;
    void (*lost)(void *context, const char *path, int error); /* may be NULL */
    void *context;
    struct cfs_owners *owners; /* has its own lock */
    struct cfs_worker worker;
    struct cfs_counts counts;
    pthread_mutex_t stripes[CFS_STRIPES]; /* see step.c */

    pthread_mutex_t lock; /* protects the rest */
    pthread_cond_t idle;  /* closing or running_ready went down */
    struct cfs_tree tree;
    struct cfs_list claims; /* steps that wait for theirs */
    uint64_t scan;
    struct cfs_list ready; /* steps */
    bool running_ready;
    uint64_t stamp; /* counts beginnings and ends of own changes */
    struct cfs_list files, folders;
    size_t open_files;
    unsigned closing; /* closes in flight that no request waits for */
};

/* An open file. References: the open itself and each request that uses it; the last one to go closes it. */
struct cfs_open_file {
    struct cfs_list of_fs, of_node; /* the lock's; empty until it is open, and again once released */
    struct cfs_node *node;          /* referenced */
    struct cfs_remote_file *remote; /* NULL: not open */
    int flags;                      /* as open(2) */
    unsigned references;            /* the lock's */
    struct cfs_step *release;       /* the lock's: the request that waits for the last reference to go */
    struct cfs_remote_call close;   /* where no request waits */
    struct cfs_fs *fs;
};

/* --- attributes.c --- */

/* A remote's attributes as stat(2) shows them. A missing mode is that of an unreadable file of TYPE. */
void cfs_attributes_show(struct cfs_fs *fs, const struct cfs_node *node, const struct cfs_remote_attributes *attributes,
                         struct stat *ret_stat);
/* What to show of something that we made a moment ago and could not look at. */
void cfs_attributes_make_up(mode_t mode, struct cfs_remote_attributes *ret_attributes);

/* For how long they may be told: as the remote says, or else as the profile does. */
uint32_t cfs_attributes_ttl_ms(const struct cfs_fs *fs, const struct cfs_remote_attributes *attributes);

/* Under the lock. STARTED is cfs_stamp() from before the attributes were asked for: how long the kernel may
 * use them, 0 if an own change overtook them; they are noted as told. */
uint32_t cfs_attributes_tell(struct cfs_fs *fs, struct cfs_node *node, const struct cfs_remote_attributes *attributes,
                             uint64_t started);

/* Sees to it that the owners in COUNT attributes can be shown, then goes on with THEN: mostly at once. THEN is told 0
 * (an owner that could not be asked for is shown by its number). */
void cfs_attributes_prepare(struct cfs_step *step, const struct cfs_remote_attributes *attributes, size_t count,
                            cfs_step_function *then);

/* --- changes.c: own changes and the attributes that they overtake --- */

uint64_t cfs_stamp(struct cfs_fs *fs);
/* An own change of the node begins; its stamp. NODE may be NULL. */
uint64_t cfs_node_change_begin(struct cfs_fs *fs, struct cfs_node *node);
/* It ends. The stamp from which on attributes that came with the change's own answer hold; 0: another change of ours
 * was under way meanwhile, and they may be from before it. */
uint64_t cfs_node_change_end(struct cfs_fs *fs, struct cfs_node *node, uint64_t begun);
/* Under the lock: the node changed after that stamp. */
bool cfs_changed_since(const struct cfs_node *node, uint64_t stamp);

/* --- lookup.c --- */

/* Counts a lookup of NAME in PARENT, which is known to look like this, and describes it. MADE: we just made it. -EIO:
 * the attributes do not say what it is. */
CFS_CHECKED int cfs_entry_make(struct cfs_fs *fs, struct cfs_node *parent, const char *name,
                               const struct cfs_remote_attributes *attributes, uint64_t started, bool made,
                               struct cfs_entry *ret_entry);
/* A node by its number with a reference; NULL. */
struct cfs_node *cfs_fs_node(struct cfs_fs *fs, uint64_t id);
void cfs_fs_put_node(struct cfs_fs *fs, struct cfs_node *node);
/* The path of what the step has claimed: of claim.node[INDEX], or of the name in it. */
CFS_CHECKED int cfs_step_path(struct cfs_step *step, int index, char **ret_path);
CFS_CHECKED int cfs_check_name(const char *name);

/* --- files.c --- */

CFS_CHECKED struct cfs_open_file *cfs_open_file_new(struct cfs_fs *fs, struct cfs_node *node, int flags);
/* The remote opened it. */
void cfs_file_opened(struct cfs_open_file *file, struct cfs_remote_file *remote);
/* Closes it if it is open; no request waits. NULL is let pass. */
void cfs_file_discard(struct cfs_open_file *file);
/* The mount ends, and no program will close it: what was written to it is written, or told to be lost, and it is
 * closed. */
void cfs_file_end(struct cfs_open_file *file);
/* A reference; false: it is released. */
CFS_CHECKED bool cfs_file_get(struct cfs_open_file *file);
void cfs_file_put(struct cfs_open_file *file);
/* Under the lock: a referenced open file of NODE, WRITING: one that is open for writing. NULL. */
struct cfs_open_file *cfs_file_find_open(struct cfs_node *node, bool writing);
/* A referenced open file by which NODE can be reached though no path leads there; WRITING: one that is open for
 * writing. NULL: there is none, or NODE has its path. */
struct cfs_open_file *cfs_file_of_lost_node(struct cfs_fs *fs, struct cfs_node *node, bool writing);
/* The server says that there is nothing at NODE's path (which the caller has claimed): another host took it away. If it
 * is open here it goes on without a name, by the file that is given. */
struct cfs_open_file *cfs_file_of_vanished_node(struct cfs_fs *fs, struct cfs_node *node, bool writing);

/* --- folders.c --- */

/* Closes a folder that is left over. */
void cfs_folder_discard(struct cfs_open_folder *folder);
struct cfs_open_folder *cfs_folder_left_over(struct cfs_fs *fs);

#endif

/* What the rooms of behind share: behind.c is its life, jobs.c the order of what is on its way, behind_paths.c and
 * behind_files.c have the operations, failures.c remembers what went wrong.
 *
 * One lock, behind->lock, for all that stands here. Order: a call's stripe (call.h), this lock, the locks of the remote
 * below and of the loop. Jobs are handed to the remote below under it, which never calls back from a submitting
 * function. */
#ifndef CFS_CACHE_BEHIND_PRIV_H
#define CFS_CACHE_BEHIND_PRIV_H

#include "cache/behind.h"
#include "cache/cache_priv.h"
#include "cache/call.h"
#include "cache/journal.h"
#include "cache/own.h"

struct cfs_behind {
    struct cfs_cache core; /* what call.c works on: lower, loop, stripes. Its names are not used */
    struct cfs_remote vouched;
    void (*told)(void *context, const char *path, bool failed);
    void *context;
    bool closes_at_once;         /* durability = fsync */
    struct cfs_journal *journal; /* behind_journal.c; NULL: none is kept */
    bool misses_journal;         /* there should be one: close waits for the server */
    pthread_mutex_t lock;
    struct cfs_list jobs, ready; /* in the order of their arrival; those that can start */
    size_t job_count;
    uint64_t jobs_begun;
    int64_t round_trip_ms;  /* what the last open took */
    bool starting;          /* `ready` is being worked off */
    uint64_t waiting_bytes; /* of writes to files that are being made */
    struct cfs_list files;
    struct cfs_own_table own;
    struct cfs_timer plug; /* the loop's thread */
    bool plugged;          /* it runs, or will */
    struct cfs_list failures;
    size_t failure_count; /* in the list */
    struct cfs_cache_failures failed;
    uint64_t failures_synced; /* of them, how many a sync has told */
    int last_error;
    size_t unlogged;      /* jobs that should be in the journal and are not */
    struct cfs_list kept; /* behind_journal.c: what has failed and stays in the journal */
};

enum cfs_job_kind {
    CFS_JOB_OPEN,
    CFS_JOB_MKDIR,
    CFS_JOB_SYMLINK,
    CFS_JOB_LINK,
    CFS_JOB_UNLINK,
    CFS_JOB_RMDIR,
    CFS_JOB_RENAME,
    CFS_JOB_SETATTR, /* by path, or by file */
    CFS_JOB_FLUSH,
    CFS_JOB_FSYNC,
    CFS_JOB_LSTAT,
    CFS_JOB_READLINK,
    CFS_JOB_LIST,
    CFS_JOB_SYNC,
};

/* An open file; to who is above it is a `struct cfs_remote_file`. */
struct cfs_behind_file {
    struct cfs_behind *behind;
    struct cfs_list link; /* of all */
    struct cfs_remote_file *lower;
    int flags;
    char *path;          /* NULL: the name is gone */
    struct cfs_own *own; /* what it is, if we made it: pinned; or NULL */
    /* Lazy: it is ours, was just written, and opened for reading, perhaps only to set its mode and times: it is opened
     * on the server when that is needed. Being made, or opened: calls are deferred. Ready: they go to `lower`. None of
     * these: it could not be made, `error` says why. */
    bool lazy, being_made, ready;
    struct cfs_list deferred;
    struct cfs_job *making; /* its open, while it is being made */
    bool opens_late;        /* it is being put, and its opening waits for the end of that */
    bool was_put;           /* it is lazy, or was, since it has been put (behind_put.c), looking so */
    struct cfs_remote_attributes put_as;
    int64_t set_mtime; /* being opened late: what we had set its mtime to by then, if we had */
    int error;         /* of what completed early; sticky where it was not made, else told once */
    bool written;      /* and not flushed */
    unsigned uses;     /* by jobs, and by writes that were told to be done */
    unsigned callers;  /* whose calls have not completed: close completes after them */
    bool closing, answering;
    /* By what it will be known, should it be written to after the end of this process: what it was when it was opened,
     * unless all that is in it has come by this handle. */
    struct cfs_remote_attributes base;
    bool is_new;
    bool rewrites;      /* what was there, or what was written before, has been written again */
    uint64_t wrote_to;  /* the end of what was written */
    bool log_lacks;     /* bytes that were written are not in the journal */
    uint64_t logged_as; /* bytes are there already for the flush that is to come, as this change; or 0 */
    size_t going;       /* writes that were told to be done, handed down, and not with the remote below yet */
    unsigned parts;     /* of close, that have not ended; one while it is open */
    struct cfs_cache_call close, answer, drain; /* so that they cannot fail */
};

struct cfs_waiting;

/* Something that is on its way, or will be. */
struct cfs_job {
    struct cfs_list link, ready_link;
    struct cfs_behind *behind;
    enum cfs_job_kind kind;
    uint64_t number; /* in the journal; 0: it has no record there */
    bool log_tried, unlogged;
    struct cfs_remote_attributes known, known_other; /* rename: what was and is known of both, before */
    char *path, *other;                              /* as they were when it came; NULL: none */
    unsigned waits_for;                              /* how many before it */
    bool early;                                      /* its call has been told that it is done */
    bool plugged;                                    /* may wait for others to join it; open: is held */
    int64_t plugged_ms, joined_ms;                   /* since then; the last that joined it */
    int64_t started_ms;
    bool started;
    bool tried;    /* open: as if it were not there */
    bool is_late;  /* open: of a lazy one */
    bool is_stale; /* the same, and it is not what it was: it is being closed again */
    bool puts;     /* open: by a put, of these, */
    uint8_t *data;
    size_t length;
    size_t writes;               /* which came in so many */
    int failed;                  /* what it depends on has: it is not done */
    int answer;                  /* early: the error that its call is told */
    struct cfs_waiting *waiting; /* whom to answer when it has ended, or NULL */
    struct cfs_remote_call call;
    struct cfs_behind_file *file; /* a use; or NULL */
    struct cfs_own *own;          /* pinned and pending; or NULL */
    uint64_t own_changes;         /* setattr that waits: of what it sets, when it came */
    uint64_t begun_alone;         /* unlink, rmdir: how many jobs had begun, if it was alone then; or 0 */
    struct cfs_own *folders[2];   /* whose times change with it: pinned and filling; or NULL */
    /* arguments */
    struct cfs_remote_attributes attributes; /* open: set while it is held; rename: to be set before */
    mode_t mode;
    int flags;
    char *target; /* of a link; open: where the file is by now, if it was moved since */
    enum cfs_remote_rename how;
    bool vouched;
};

/* The call of who waits for a job, or waited; or, without one, for the journal. */
struct cfs_waiting {
    struct cfs_cache_call call;
    struct cfs_journal_waiter journal;
    int answer;                   /* when that has been written */
    struct cfs_job *job;          /* NULL: it has ended */
    struct cfs_behind_file *file; /* on which it is, a caller; or NULL */
};

static inline struct cfs_behind *cfs_behind_of_core(struct cfs_cache *core)
{
    return cfs_container_of(core, struct cfs_behind, core);
}

static inline struct cfs_behind_file *cfs_behind_file_of(struct cfs_remote_file *file)
{
    return (struct cfs_behind_file *)(void *)file;
}

/* The same remote by its face for what is vouched for. */
static inline struct cfs_remote *cfs_behind_main(struct cfs_remote *vouched)
{
    return &cfs_container_of(vouched, struct cfs_behind, vouched)->core.remote;
}

static inline struct cfs_behind *cfs_behind_of(struct cfs_remote *remote)
{
    return cfs_behind_of_core(cfs_cache_of(remote));
}

/* All below: under the lock, if nothing else is said. */

/* --- jobs.c --- */

/* A job for UPPER (NULL: of our own); PATH and OTHER are copied. NULL: answered; of our own: no memory. With or without
 * the lock. */
struct cfs_job *cfs_job_new(struct cfs_behind *behind, struct cfs_remote_call *upper, enum cfs_job_kind kind,
                            const char *path, const char *other);
enum cfs_job_answer {
    CFS_JOB_WAITS, /* its call waits for it */
    CFS_JOB_EARLY, /* its call completes now, with job->answer and what was put into the call's result */
    CFS_JOB_DONE,  /* the same, and there is nothing left to do for it */
};
/* The job takes its place. HOW, under the lock, may be NULL: waits. It is called only where there is room for more that
 * is done behind. Without the lock. */
void cfs_job_enter(struct cfs_job *job, enum cfs_job_answer (*how)(struct cfs_job *job));
/* The same for one of our own, under the lock. */
void cfs_job_enter_locked(struct cfs_job *job);
/* The same, and WAITING is answered when it has ended. Under the call's lock, too. */
void cfs_job_enter_waiting(struct cfs_job *job, struct cfs_waiting *waiting);
/* One that was not entered. */
void cfs_job_free(struct cfs_job *job);
/* The job changes what is known of OWN until it has ended; with `own` set already it is nothing. */
void cfs_job_own(struct cfs_job *job, struct cfs_own *own);
/* It has ended. Who waits for it is answered later, on the loop. */
void cfs_job_end(struct cfs_job *job, int error);
/* Whether something on its way concerns PATH, or (AND_BELOW) something below. */
bool cfs_jobs_concern(const struct cfs_behind *behind, const char *path, bool and_below);
/* Nothing else is on its way, but looks. */
bool cfs_job_is_alone(const struct cfs_job *job);
/* Those that wait to be joined start. */
void cfs_jobs_unplug(struct cfs_behind *behind);
/* The timer is over: the same, but for those whose file is being written. On the loop's thread. */
void cfs_jobs_unplug_late(struct cfs_behind *behind);
/* It waits for others no more; started by the next one. */
void cfs_job_unplug(struct cfs_job *job);
/* Starts what can. */
void cfs_jobs_start(struct cfs_behind *behind);
/* One that waits to be joined and changes the attributes of OWN, with nothing in between that JOB waits for. NULL:
 * none.
 */
struct cfs_job *cfs_jobs_to_join(const struct cfs_behind *behind, const struct cfs_job *job, const struct cfs_own *own);
/* `done` of a job's call. Takes the lock. */
void cfs_job_done(struct cfs_remote_call *call);
/* It waits for a connection as who waits for it does. */
void cfs_job_takes_patience(struct cfs_job *job);
/* Hands a job to the remote below: cfs_job_hand_down(job, lstat, path). */
#define cfs_job_hand_down(job, operation, ...)                                                                         \
    do {                                                                                                               \
        struct cfs_remote *cfs_lower = (job)->behind->core.lower;                                                      \
        (job)->call.done = cfs_job_done;                                                                               \
        cfs_job_takes_patience(job);                                                                                   \
        cfs_lower->operations->operation(cfs_lower, &(job)->call, ##__VA_ARGS__);                                      \
    } while (0)

/* What a job of a kind does. `run` hands it down; `ended` has seen the outcome in job->call: true if it goes on.
 * `settle` when it has ended with ERROR, sent or not. */
struct cfs_job_actions {
    void (*run)(struct cfs_job *job);
    bool (*ended)(struct cfs_job *job);
    void (*settle)(struct cfs_job *job, int error);
};
const struct cfs_job_actions *cfs_job_actions_of(enum cfs_job_kind kind); /* behind.c has the table */

/* --- behind.c --- */

/* There is no connection. Also under the lock. */
bool cfs_behind_is_lost(const struct cfs_behind *behind);

/* --- failures.c --- */

/* JOB, or what was written to PATH, has failed after it was promised. */
void cfs_failure_note(struct cfs_behind *behind, const char *path, const char *what, int error);
/* The error that the next use of PATH is to be told: 0 or -errno; it is told then. */
int cfs_failure_tell(struct cfs_behind *behind, const char *path);
/* It does not matter any more. */
void cfs_failure_forget(struct cfs_behind *behind, const char *path);
void cfs_failures_fini(struct cfs_behind *behind);
/* Tells who is above, on the loop, that PATH is not what was promised. */
void cfs_behind_tell(struct cfs_behind *behind, const char *path, bool failed);

/* --- behind_journal.c --- */

/* JOB is about to be told to be done, or it is a flush of our own: into the journal with it. Once for each job. */
void cfs_behind_log(struct cfs_job *job);
/* JOB, which is on its way or will be, sets SET, too: another was told that. */
void cfs_behind_log_set(struct cfs_job *job, const struct cfs_remote_attributes *set);
/* What has the name PATH (NULL: nothing) has SIZE now, on the server. */
void cfs_behind_log_truncated(struct cfs_behind *behind, const char *path, uint64_t size);
/* FILE is freed. */
void cfs_behind_log_closed(struct cfs_behind_file *file);
/* JOB has ended. */
void cfs_behind_log_end(struct cfs_job *job, int error);
/* All that is on its way is in the journal, and more may come: a close need not wait for the server. (So it is without
 * a journal.) */
bool cfs_behind_is_logged(const struct cfs_behind *behind);
/* What failed at PATH does not matter any more: nor does it to the next mount. */
void cfs_behind_log_forget(struct cfs_behind *behind, const char *path);
/* WAITING, whose file has one use more until then, is answered with ANSWER when the journal is on the disk; if that
 * fails, when what is on its way for its file is on the server. Without the lock. */
void cfs_behind_wait_for_log(struct cfs_waiting *waiting, int answer);
void cfs_behind_log_fini(struct cfs_behind *behind);

/* --- behind_open.c, behind_files.c, behind_close.c --- */

extern const struct cfs_job_actions cfs_open_actions, cfs_flush_actions, cfs_fsync_actions;
/* What was written and not flushed comes first: it would change the times. So it is flushed while others may join. FILE
 * may be NULL. False: no memory. */
CFS_CHECKED bool cfs_behind_flush_first(struct cfs_behind_file *file);
/* A job has ended that used it. */
void cfs_behind_file_put(struct cfs_behind_file *file);
/* The call of a caller has completed. Takes the lock. */
void cfs_behind_file_called(struct cfs_behind_file *file);
/* What has the name PATH is about to lose it: lazy ones are opened before. */
void cfs_behind_files_open_late(struct cfs_behind *behind, const char *path);
/* FROM, and what lies below, is called TO (NULL: is gone). */
void cfs_behind_files_renamed(struct cfs_behind *behind, const char *from, const char *to);
void cfs_behind_open(struct cfs_remote *remote, struct cfs_remote_call *call, const char *path, int flags, mode_t mode);
void cfs_behind_open_vouched(struct cfs_remote *remote, struct cfs_remote_call *call, const char *path, int flags,
                             mode_t mode);
void cfs_behind_read(struct cfs_remote *remote, struct cfs_remote_call *call, struct cfs_remote_file *file,
                     uint64_t offset, size_t length, void *destination);
void cfs_behind_write(struct cfs_remote *remote, struct cfs_remote_call *call, struct cfs_remote_file *file,
                      uint64_t offset, size_t length, const void *data);
void cfs_behind_fstat(struct cfs_remote *remote, struct cfs_remote_call *call, struct cfs_remote_file *file);
void cfs_behind_find_end(struct cfs_remote *remote, struct cfs_remote_call *call, struct cfs_remote_file *file);
void cfs_behind_fsetattr(struct cfs_remote *remote, struct cfs_remote_call *call, struct cfs_remote_file *file,
                         const struct cfs_remote_attributes *attributes);
void cfs_behind_flush(struct cfs_remote *remote, struct cfs_remote_call *call, struct cfs_remote_file *file);
void cfs_behind_fsync(struct cfs_remote *remote, struct cfs_remote_call *call, struct cfs_remote_file *file);
void cfs_behind_copy(struct cfs_remote *remote, struct cfs_remote_call *call, struct cfs_remote_file *from,
                     uint64_t from_offset, struct cfs_remote_file *to, uint64_t to_offset, size_t length);
void cfs_behind_close(struct cfs_remote *remote, struct cfs_remote_call *call, struct cfs_remote_file *file);

/* --- behind_put.c --- */

/* JOB, which is certain to make a file in FOLDER, may wait for what the file is to be. */
bool cfs_open_may_be_held(const struct cfs_job *job, const struct cfs_own *folder);
/* JOB (may be NULL) is an open, and does. */
bool cfs_open_is_held(const struct cfs_job *job);
/* The open that makes OWN, if it is held; or NULL. */
struct cfs_job *cfs_open_held_of(const struct cfs_behind *behind, const struct cfs_own *own);
/* It waits no more. */
void cfs_open_let_go(struct cfs_job *job);
/* Its file is complete, for now. */
void cfs_open_put(struct cfs_job *job);

/* --- behind_paths.c --- */

extern const struct cfs_job_actions cfs_mkdir_actions, cfs_symlink_actions, cfs_link_actions, cfs_unlink_actions,
    cfs_rmdir_actions, cfs_rename_actions, cfs_setattr_actions, cfs_lstat_actions, cfs_readlink_actions,
    cfs_list_actions, cfs_sync_actions;
/* What the change of attributes JOB sets, if we own it; NULL. */
struct cfs_own *cfs_set_own(const struct cfs_job *job);
/* Afterwards an open file without a handle could not get one, or would not be what it was. */
bool cfs_set_needs_handles(const struct cfs_remote_attributes *set);
/* How a change of attributes is answered: what we own shows it at once, and it joins one that waits for others. */
enum cfs_job_answer cfs_setattr_how(struct cfs_job *job);
void cfs_behind_lstat(struct cfs_remote *remote, struct cfs_remote_call *call, const char *path);
void cfs_behind_setattr(struct cfs_remote *remote, struct cfs_remote_call *call, const char *path, mode_t expected_type,
                        const struct cfs_remote_attributes *attributes);
void cfs_behind_readlink(struct cfs_remote *remote, struct cfs_remote_call *call, const char *path);
void cfs_behind_mkdir(struct cfs_remote *remote, struct cfs_remote_call *call, const char *path, mode_t mode);
void cfs_behind_mkdir_vouched(struct cfs_remote *remote, struct cfs_remote_call *call, const char *path, mode_t mode);
void cfs_behind_rmdir(struct cfs_remote *remote, struct cfs_remote_call *call, const char *path);
void cfs_behind_unlink(struct cfs_remote *remote, struct cfs_remote_call *call, const char *path);
void cfs_behind_symlink(struct cfs_remote *remote, struct cfs_remote_call *call, const char *target, const char *path);
void cfs_behind_link(struct cfs_remote *remote, struct cfs_remote_call *call, const char *from, const char *to);
void cfs_behind_rename(struct cfs_remote *remote, struct cfs_remote_call *call, const char *from, const char *to,
                       enum cfs_remote_rename how);
void cfs_behind_rename_vouched(struct cfs_remote *remote, struct cfs_remote_call *call, const char *from,
                               const char *to, enum cfs_remote_rename how);
void cfs_behind_open_listing(struct cfs_remote *remote, struct cfs_remote_call *call, const char *path);
void cfs_behind_sync(struct cfs_remote *remote, struct cfs_remote_call *call);

#endif

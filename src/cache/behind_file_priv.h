/* What the rooms of open files that are finished behind share: behind_open.c, behind_files.c, behind_close.c. */
#ifndef CFS_CACHE_BEHIND_FILE_PRIV_H
#define CFS_CACHE_BEHIND_FILE_PRIV_H

#include "cache/behind_priv.h"

/* A call on a file, perhaps deferred; or, without an upper call, a write that has been told to be done. */
struct cfs_on_file {
    struct cfs_cache_call call;
    struct cfs_list link; /* deferred */
    struct cfs_behind_file *file;
    struct cfs_behind_file *other;        /* copy: the target; or NULL */
    void (*go)(struct cfs_on_file *call); /* hands it down; without the lock */
    uint64_t offset, other_offset;
    size_t length;
    void *destination;
    const void *data;
    void *copy; /* of the data */
    bool flushes;
    bool looks;       /* flush: and asks what came of it */
    uint64_t changes; /* the look: of what the file is, when it was begun */
};

static inline struct cfs_on_file *cfs_on_file_of(struct cfs_cache_call *call)
{
    return cfs_container_of(call, struct cfs_on_file, call);
}

/* --- behind_open.c, under the lock --- */

/* One that is lazy is opened on the server now; what is done with it meanwhile is deferred. */
void cfs_behind_file_open_late(struct cfs_behind_file *file);
void cfs_behind_file_free(struct cfs_behind_file *file);

/* --- behind_put.c, under the lock: of a job that is an open --- */

/* It is held, and the file has been written up to END. */
void cfs_open_held_written(struct cfs_job *job, uint64_t end);
void cfs_open_run_put(struct cfs_job *job);
/* It is opened as others are after all, since what was put is still there to be written. */
void cfs_open_no_put(struct cfs_job *job);
/* It was put. */
void cfs_open_settle_put(struct cfs_job *job);
/* What has been opened late is what was put. */
bool cfs_open_is_as_put(const struct cfs_job *job);

/* --- behind_files.c --- */

/* A call on FILE for UPPER, which GO hands down; FILE has one caller more until it completes. NULL: answered. Without
 * the lock. */
struct cfs_on_file *cfs_on_file_new(struct cfs_behind_file *file, struct cfs_remote_call *upper,
                                    void (*go)(struct cfs_on_file *call));
/* The same of our own (UPPER is NULL), without a caller. With or without the lock. */
struct cfs_on_file *cfs_on_file_new_own(struct cfs_behind_file *file, struct cfs_remote_call *upper,
                                        void (*go)(struct cfs_on_file *call));
/* It is handed down, or deferred, or answered. Without the lock. */
void cfs_on_file_enter(struct cfs_on_file *call);
/* On the loop, for a file that has got its handle: what was deferred goes down in the order in which it came; then the
 * file is as any other. */
void cfs_behind_file_drain(struct cfs_cache_call *base);
/* A job on FILE, by the name that it has now. NULL: answered. Without the lock. */
struct cfs_job *cfs_behind_file_job(struct cfs_behind_file *file, struct cfs_remote_call *upper,
                                    enum cfs_job_kind kind);

#endif

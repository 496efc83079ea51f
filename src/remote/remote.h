/* THE CONTRACT between the file system (and its caches) and whatever holds the files: a table of asynchronous
 * operations. src/remote/pool.c implements it over SSH; tests/lib/memory_remote.c in memory, with injected latency and
 * faults.
 *
 * Calls. Every operation takes a `struct cfs_remote_call` that the caller embeds in what it works on. It submits and
 * returns at once; `call->done(call)` is called exactly once, later, with `call->error` (0 or -errno) and the
 * operation's result in `call->result`. Never from inside the submitting call, always without any lock of the
 * remote's held. The completion runs on a thread of the remote's (a lane's session thread): it must not
 * block, and may submit further calls. After `done` has been entered the call is the caller's again. All submitting
 * functions may be called on any thread.
 *
 * Arguments. Paths, names, targets and data to be written are copied (or sent) before the function returns. Paths are
 * relative to the root of the mount, without a leading '/', "" is the root itself; components are never "." or "..". A
 * result's pointers (names, targets) are the remote's and gone when `done` returns; a read's destination is the
 * caller's and must stay until `done`.
 *
 * Errors. -errno as a local file system would give it, probed where SFTP says only FAILURE (remote/diagnose.h).
 * -ETIMEDOUT: no answer within op_timeout. -EINTR: cancelled. -EIO, -ENOTCONN: the connection is lost (for this version
 * of the pool for good). -ESTALE: the file behind a handle is gone or another. -EOPNOTSUPP: the server cannot. A
 * mutating call that ends with -ETIMEDOUT, -EINTR, -EIO or -ENOTCONN may or may not have happened.
 *
 * Order. Calls on one file (write, read, fsetattr, flush, fsync, close of one cfs_remote_file) take effect in the order
 * in which they were submitted. Between files, and between a path operation and anything else, no order is promised
 * while both are in flight.
 *
 * A lost connection. The remote makes it again, and calls wait meanwhile; a caller that would rather go on says so by
 * `when_lost`. */
#ifndef CFS_REMOTE_REMOTE_H
#define CFS_REMOTE_REMOTE_H

#include "base/cleanup.h"
#include <errno.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

struct cfs_remote;
struct cfs_remote_file;    /* an open file; freed by close, whatever its outcome */
struct cfs_remote_listing; /* an open folder; freed by close_listing */

enum cfs_remote_attribute {
    CFS_REMOTE_SIZE = 1 << 0,
    CFS_REMOTE_OWNER = 1 << 1, /* uid and gid, always together (SFTP v3) */
    CFS_REMOTE_MODE = 1 << 2,
    CFS_REMOTE_TIMES = 1 << 3, /* atime and mtime, always together */
};

/* For how long attributes, or the absence that -ENOENT tells, may be told to others: milliseconds, or one of these. */
#define CFS_REMOTE_KEEP_DEFAULT 0          /* the remote has no opinion */
#define CFS_REMOTE_KEEP_NOT     UINT32_MAX /* just changing, or too old: not at all */

/* What SFTP v3 tells of a file. Times are whole seconds since 1970, 0..2^32-1. */
struct cfs_remote_attributes {
    unsigned valid; /* enum cfs_remote_attribute */
    mode_t mode;    /* type and permissions */
    uid_t uid;
    gid_t gid;
    uint64_t size;
    int64_t atime, mtime;
    uint32_t keep_ms; /* of results only; in a result of lstat that ends with -ENOENT, too */
};

struct cfs_remote_entry {
    const char *name; /* checked: not empty, no '/', not "." or "..", at most 255 bytes, ends with NUL */
    size_t name_length;
    struct cfs_remote_attributes attributes; /* as lstat(2); `valid` may lack fields on odd servers */
};

/* In bytes and counts, as statvfs(3). */
struct cfs_remote_statfs {
    uint64_t block_size, fragment_size, blocks, blocks_free, blocks_available, files, files_free, name_max;
    bool read_only;
};

/* A name for an id (idmap = name). NAME is "" where the server knows none. */
struct cfs_remote_id_name {
    uint32_t id;
    bool is_group;
    const char *name;
};

struct cfs_remote_result {
    struct cfs_remote_attributes attributes; /* lstat, fstat. open, mkdir, symlink, link, setattr, fsetattr: as they are
                                              * afterwards; valid = 0 unless the remote learned them on the way */
    struct cfs_remote_attributes folder;     /* unlink, rmdir: of the folder that it was in, likewise */
    struct cfs_remote_file *file;            /* open */
    struct cfs_remote_listing *listing;      /* open_listing */
    int set_error;                           /* set_and_rename: 0, or -errno of what was to be set */
    const struct cfs_remote_entry *entries;  /* read_listing */
    size_t count;                            /* entries; names; 0 entries: the end */
    size_t length;                           /* read, copy: bytes. Less than asked for: the end of the file */
    const char *target;                      /* readlink: NUL-terminated, may be empty, never longer than PATH_MAX */
    struct cfs_remote_statfs statfs;
    const struct cfs_remote_id_name *names; /* id_names */
    bool is_old;                            /* with CFS_REMOTE_TELL_OLD: it was not asked for */
};

/* What becomes of a call while there is no connection, or when it is lost under it. */
enum cfs_remote_when_lost {
    CFS_REMOTE_WAIT, /* for as long as the remote waits for another one */
    /* The same, but what is remembered will do, however old: lstat, readlink, fstat, open for reading, listings, and
     * what such a file or listing reads. Only who shows it to a program may say so: what is written, or decided upon it
     * (where an append goes), must be as the server has it. */
    CFS_REMOTE_TELL_OLD,
    CFS_REMOTE_FAIL, /* it ends with -ENOTCONN, at once */
};

struct cfs_remote_call {
    void (*done)(struct cfs_remote_call *call); /* set by the caller, with whatever contains the call */
    enum cfs_remote_when_lost when_lost;        /* the caller's */
    const struct cfs_remote_attributes *known;  /* the caller's, with TELL_OLD, of open: it is an empty file, as far as
                                                 * was  known last; NULL: that is not known */
    int error;
    struct cfs_remote_result result;
    void *implementation; /* the remote's, while the call is in flight; NULL otherwise */
};

/* An error after which a change may have been made all the same. */
static inline bool cfs_remote_outcome_is_unknown(int error)
{
    return error == -ETIMEDOUT || error == -EINTR || error == -EIO || error == -ENOTCONN;
}

enum cfs_remote_capability {
    CFS_REMOTE_CAN_LINK = 1 << 0,
    CFS_REMOTE_CAN_RENAME_OVER = 1 << 1, /* rename replaces atomically (posix-rename) */
    CFS_REMOTE_CAN_COPY = 1 << 2,
    CFS_REMOTE_CAN_FSYNC = 1 << 3,
    CFS_REMOTE_CAN_STATFS = 1 << 4,
    CFS_REMOTE_CAN_LSETSTAT = 1 << 5,
    CFS_REMOTE_CAN_NAME_IDS = 1 << 6,
    CFS_REMOTE_CAN_PUT = 1 << 7,            /* put: a small file that is complete */
    CFS_REMOTE_CAN_SET_AND_RENAME = 1 << 8, /* set_and_rename */
};

/* What does not change while the remote lives. */
struct cfs_remote_facts {
    unsigned capabilities;
    uint32_t read_size; /* the most bytes in one read and one write; larger ones are split by the remote itself */
    uint32_t write_size;
    const char *root; /* absolute path of the mount's root on the server; the remote's */
    /* Who the server takes us for: the owner of the login's home folder (the work folder may be somebody else's). */
    bool login_known;
    uid_t login_uid;
    /* The root as it was when the remote was made, which has asked at that time (cfs_system_clock): whoever looks first
     * need not ask again. valid = 0: unknown. */
    struct cfs_remote_attributes root_attributes;
    int64_t root_asked_ms;
};

enum { CFS_REMOTE_LISTING_AHEAD = 4 };

enum cfs_remote_rename { CFS_REMOTE_RENAME_REPLACE, CFS_REMOTE_RENAME_NOREPLACE };

struct cfs_remote_operations {
    const struct cfs_remote_facts *(*facts)(struct cfs_remote *remote);

    /* Asks for a call in flight to end soon: it completes with -EINTR unless it is completing already. The caller must
     * make sure that the call is still in flight or its memory still valid (hold the lock under which its completion
     * would free it). Calls whose loss would leak (close) go on in the background. Any thread, also completions. */
    void (*cancel)(struct cfs_remote *remote, struct cfs_remote_call *call);

    /* lstat(2): links are not followed. */
    void (*lstat)(struct cfs_remote *remote, struct cfs_remote_call *call, const char *path);
    /* Sets what VALID names (mode without type bits, size by truncation, owner, times). Links are not followed where
     * the server can (lsetstat); where it cannot, a change of a link itself is -EOPNOTSUPP: EXPECTED_TYPE (S_IFMT bits)
     * says what the path is known to be. */
    void (*setattr)(struct cfs_remote *remote, struct cfs_remote_call *call, const char *path, mode_t expected_type,
                    const struct cfs_remote_attributes *attributes);
    void (*readlink)(struct cfs_remote *remote, struct cfs_remote_call *call, const char *path);
    void (*mkdir)(struct cfs_remote *remote, struct cfs_remote_call *call, const char *path, mode_t mode);
    void (*rmdir)(struct cfs_remote *remote, struct cfs_remote_call *call, const char *path);
    void (*unlink)(struct cfs_remote *remote, struct cfs_remote_call *call, const char *path);
    void (*symlink)(struct cfs_remote *remote, struct cfs_remote_call *call, const char *target, const char *path);
    void (*link)(struct cfs_remote *remote, struct cfs_remote_call *call, const char *from, const char *to);
    /* Open files below FROM follow the rename: a later reopen uses the new path. */
    void (*rename)(struct cfs_remote *remote, struct cfs_remote_call *call, const char *from, const char *to,
                   enum cfs_remote_rename how);
    /* setattr of FROM, which is a file, no link, and rename to TO, replacing it: in this order, in as few round trips
     * as possible. The rename is done, and the call succeeds, even if the attributes (no size) could not be set:
     * result.set_error. Only with CFS_REMOTE_CAN_SET_AND_RENAME; NULL: it cannot. */
    void (*set_and_rename)(struct cfs_remote *remote, struct cfs_remote_call *call, const char *from, const char *to,
                           const struct cfs_remote_attributes *attributes);
    void (*statfs)(struct cfs_remote *remote, struct cfs_remote_call *call);

    /* FLAGS as open(2): O_RDONLY, O_WRONLY, O_RDWR, O_CREAT, O_EXCL, O_TRUNC (others are ignored; O_APPEND is the file
     * system's business, which writes at offsets). MODE for O_CREAT, final: the caller has applied the umask. */
    void (*open)(struct cfs_remote *remote, struct cfs_remote_call *call, const char *path, int flags, mode_t mode);
    /* A file at PATH that is known to be as ATTRIBUTES say, for reading: without asking, whether there is a connection
     * or not. It is opened when it is used first, as after a lost connection: -ESTALE if it is another one. NULL: it
     * cannot. */
    void (*open_known)(struct cfs_remote *remote, struct cfs_remote_call *call, const char *path,
                       const struct cfs_remote_attributes *attributes);
    /* Whether there is no connection at the moment. Any thread, also under a lock of the caller's. NULL: there always
     * is one. */
    bool (*is_lost)(struct cfs_remote *remote);
    /* Bytes at OFFSET into DESTINATION. */
    void (*read)(struct cfs_remote *remote, struct cfs_remote_call *call, struct cfs_remote_file *file, uint64_t offset,
                 size_t length, void *destination);
    /* All of the bytes, or an error. */
    void (*write)(struct cfs_remote *remote, struct cfs_remote_call *call, struct cfs_remote_file *file,
                  uint64_t offset, size_t length, const void *data);
    /* As the file is now, with what was written here: never from memory (an append goes to the size that it tells). */
    void (*fstat)(struct cfs_remote *remote, struct cfs_remote_call *call, struct cfs_remote_file *file);
    /* Where the file ends, for an append: attributes with the size alone. As fstat, but from memory while bytes of our
     * own that end there are on their way to the server: who appends line by line asks once. NULL: it is what fstat
     * tells. */
    void (*find_end)(struct cfs_remote *remote, struct cfs_remote_call *call, struct cfs_remote_file *file);
    void (*fsetattr)(struct cfs_remote *remote, struct cfs_remote_call *call, struct cfs_remote_file *file,
                     const struct cfs_remote_attributes *attributes);
    /* What was written, all writes that have completed before, is on the server: 0; or the first error that a write met
     * after it had completed well, told once for each file. (A remote that writes behind completes a write before the
     * server has it; any other has nothing to do.) fsync and close tell such an error, too, if flush has not. */
    void (*flush)(struct cfs_remote *remote, struct cfs_remote_call *call, struct cfs_remote_file *file);
    /* On the server's disk; success where the server cannot (CFS_REMOTE_CAN_FSYNC says so). */
    void (*fsync)(struct cfs_remote *remote, struct cfs_remote_call *call, struct cfs_remote_file *file);
    /* Copies on the server; -EOPNOTSUPP, -EXDEV when it cannot for these two files: the caller copies by itself. */
    void (*copy)(struct cfs_remote *remote, struct cfs_remote_call *call, struct cfs_remote_file *from,
                 uint64_t from_offset, struct cfs_remote_file *to, uint64_t to_offset, size_t length);
    /* No other call on FILE may be submitted afterwards; those in flight complete first. */
    void (*close)(struct cfs_remote *remote, struct cfs_remote_call *call, struct cfs_remote_file *file);
    /* A file that is complete, in as few round trips as possible: open of PATH with FLAGS (O_CREAT among them) and
     * MODE, write of LENGTH bytes at its begin, fsetattr of ATTRIBUTES (no size; valid = 0: none), close.
     * result.attributes: as the file is then. The first error of them; with any, the file may be there, empty or with a
     * part of the data, but nothing is in another file. DATA is the caller's and stays until `done`. It is not
     * cancelled. Only with CFS_REMOTE_CAN_PUT; NULL: it cannot. */
    void (*put)(struct cfs_remote *remote, struct cfs_remote_call *call, const char *path, int flags, mode_t mode,
                size_t length, const void *data, const struct cfs_remote_attributes *attributes);

    void (*open_listing)(struct cfs_remote *remote, struct cfs_remote_call *call, const char *path);
    /* The next batch, in the server's order; "." and ".." and bad names are left out (bad ones with one warning in the
     * log). One call at a time on a listing. Batches are fetched ahead: what a call gives was asked for after the call
     * CFS_REMOTE_LISTING_AHEAD before it on this listing was submitted (open_listing, where there were not so many), or
     * is as the remote knows it by now. Changes of our own that came later may be missing in it. */
    void (*read_listing)(struct cfs_remote *remote, struct cfs_remote_call *call, struct cfs_remote_listing *listing);
    void (*close_listing)(struct cfs_remote *remote, struct cfs_remote_call *call, struct cfs_remote_listing *listing);

    /* All that was told to be done before it has been done by the server: 0; or an error of what could not be done that
     * no other sync has told. NULL: nothing is ever told before the server has done it. */
    void (*sync)(struct cfs_remote *remote, struct cfs_remote_call *call);

    /* Names for numeric ids (users-groups-by-id@openssh.com). */
    void (*id_names)(struct cfs_remote *remote, struct cfs_remote_call *call, const uint32_t *uids, size_t uid_count,
                     const uint32_t *gids, size_t gid_count);
};

/* The head of every implementation. */
struct cfs_remote {
    const struct cfs_remote_operations *operations;
};

#endif

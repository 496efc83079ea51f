/* The file system: nodes, open files and POSIX semantics over a cfs_remote. No FUSE types: src/fuse translates.
 *
 * Requests. One operation of a program is a `struct cfs_request` that the caller embeds in its own. Every function
 * below takes it, returns at once, and later calls `request->reply(request)` exactly once, with `error` (0 or -errno)
 * and `result` filled in; possibly on the calling thread before the function returns (when nothing must be waited for),
 * else on a thread of the remote's. When `reply` is entered the request is the caller's again and may be freed. Names
 * and data passed in are borrowed until the function returns - but for `data` of write and `buffer` of read, which must
 * stay until the reply.
 *
 * Everything here may be called on any thread, for any nodes at once. Nothing blocks but for short locks.
 *
 * Nodes are named by a number (`node`, FUSE's nodeid): CFS_ROOT_NODE is the root; others come from an entry in a
 * result, each of which counts one lookup, given back by cfs_fs_forget. Inode numbers (st_ino) are made from the path
 * at first sight, so that they are the same after a remount, and stay with the node while it is known, through renames.
 */
#ifndef CFS_FS_FS_H
#define CFS_FS_FS_H

#include "base/clock.h"
#include "conf/profile.h"
#include "remote/remote.h"
#include <stdbool.h>
#include <stdint.h>
#include <sys/stat.h>
#include <sys/statvfs.h>

struct cfs_fs;
struct cfs_open_file;
struct cfs_open_folder;

enum { CFS_ROOT_NODE = 1 };

struct cfs_entry {
    uint64_t node;
    uint64_t generation; /* of NODE: a number is not used twice with one generation */
    struct stat attributes;
    uint32_t attributes_ttl_ms;
    uint32_t entry_ttl_ms;
};

/* Who asks. */
struct cfs_caller {
    uid_t uid;
    gid_t gid;
    pid_t pid;
    mode_t umask;
};

struct cfs_result {
    struct cfs_entry
        entry; /* lookup, mknod, mkdir, symlink, link, create; node 0: known not to exist, for entry_ttl_ms */
    struct stat attributes; /* getattr, setattr */
    uint32_t attributes_ttl_ms;
    const char *target;         /* readlink; gone when the reply returns */
    struct cfs_open_file *file; /* open, create */
    bool keep_cache;            /* open: the kernel's pages of the node are still right */
    bool attributes_changed;    /* open: the kernel's attributes of the node are not, and must go before the reply */
    struct cfs_open_folder *folder; /* open_folder */
    size_t length;                  /* read, write, copy_range: bytes */
    struct statvfs statvfs;
    uint64_t offset; /* lseek */
};

struct cfs_request {
    void (*reply)(struct cfs_request *request); /* set by the caller */
    struct cfs_caller caller;                   /* set by the caller */
    int error;
    struct cfs_result result;
    struct cfs_step *steps; /* the file system's, while the request is worked on */
};

/* The program was interrupted: the request is answered with -EINTR soon, unless it is being answered already. The
 * caller must hold what keeps the request's memory valid, as in cfs_remote's cancel. Never replies from inside. */
void cfs_fs_interrupt(struct cfs_fs *fs, struct cfs_request *request);

/* What the file system tells the kernel by itself. Called on any thread, without locks; only notes what is to be told:
 * src/fuse sends the notifications, on a thread of its own (never inside a request). */
struct cfs_fs_notifier {
    /* Attributes and the pages of [offset, offset + length) are no longer right; length 0: to the end; offset -1:
     * attributes only. */
    void (*node_changed)(void *context, uint64_t node, int64_t offset, int64_t length);
    /* The name is no longer right. */
    void (*entry_changed)(void *context, uint64_t parent, const char *name);
    void *context;
};

struct cfs_fs_options {
    const struct cfs_profile *profile; /* idmap, symlinks, uid, gid, umask, attr_ttl_ms, read_only; outlives the fs */
    const struct cfs_clock *clock;
    struct cfs_fs_notifier notifier; /* may be zero: nothing is told */
    /* What a program has written to the file at PATH, which it has not closed, could not be written at the end (ERROR
     * is -errno), and there is no program any more to tell. From inside cfs_fs_free, any thread. May be NULL. */
    void (*lost)(void *context, const char *path, int error);
    void *context;
};

/* The remote stays the caller's and must outlive the fs. -ENOMEM. */
CFS_CHECKED int cfs_fs_new(struct cfs_remote *remote, const struct cfs_fs_options *options, struct cfs_fs **ret_fs);
/* No request may be in flight. Open files and folders left over (the kernel is gone) are closed; waits for that,
 * bounded by the remote's deadlines. */
void cfs_fs_free(struct cfs_fs *fs);

/* The server's side of what has this path (relative to the root) was found changed; IS_ANOTHER: something else has the
 * name now, or nothing. Any thread, also the remote's; tells the notifier. */
void cfs_fs_remote_changed(struct cfs_fs *fs, const char *path, bool is_another);

/* Counts for status: any thread. */
struct cfs_fs_status {
    uint64_t nodes, open_files, requests, requests_in_flight, errors;
    uint64_t bytes_read, bytes_written;
};
void cfs_fs_status(struct cfs_fs *fs, struct cfs_fs_status *ret_status);
/* The path of a node, relative to the root; the caller frees. NULL: not known, or it has none. Any thread. */
char *cfs_fs_path(struct cfs_fs *fs, uint64_t node);
/* Gives COUNT lookups of NODE back. No reply. */
void cfs_fs_forget(struct cfs_fs *fs, uint64_t node, uint64_t count);

void cfs_fs_lookup(struct cfs_fs *fs, struct cfs_request *request, uint64_t parent, const char *name);
/* FILE may be NULL: an open file of the node helps when the name is gone. */
void cfs_fs_getattr(struct cfs_fs *fs, struct cfs_request *request, uint64_t node, struct cfs_open_file *file);

enum cfs_set {
    CFS_SET_MODE = 1 << 0,
    CFS_SET_UID = 1 << 1,
    CFS_SET_GID = 1 << 2,
    CFS_SET_SIZE = 1 << 3,
    CFS_SET_ATIME = 1 << 4,
    CFS_SET_MTIME = 1 << 5,
    CFS_SET_ATIME_NOW = 1 << 6,
    CFS_SET_MTIME_NOW = 1 << 7,
};
void cfs_fs_setattr(struct cfs_fs *fs, struct cfs_request *request, uint64_t node, struct cfs_open_file *file,
                    const struct stat *attributes, unsigned set);
void cfs_fs_readlink(struct cfs_fs *fs, struct cfs_request *request, uint64_t node);
void cfs_fs_mknod(struct cfs_fs *fs, struct cfs_request *request, uint64_t parent, const char *name, mode_t mode,
                  dev_t device);
void cfs_fs_mkdir(struct cfs_fs *fs, struct cfs_request *request, uint64_t parent, const char *name, mode_t mode);
void cfs_fs_unlink(struct cfs_fs *fs, struct cfs_request *request, uint64_t parent, const char *name);
void cfs_fs_rmdir(struct cfs_fs *fs, struct cfs_request *request, uint64_t parent, const char *name);
void cfs_fs_symlink(struct cfs_fs *fs, struct cfs_request *request, const char *target, uint64_t parent,
                    const char *name);
/* FLAGS as renameat2(2): RENAME_NOREPLACE, RENAME_EXCHANGE (-EINVAL: the server cannot). */
void cfs_fs_rename(struct cfs_fs *fs, struct cfs_request *request, uint64_t parent, const char *name,
                   uint64_t new_parent, const char *new_name, unsigned flags);
void cfs_fs_link(struct cfs_fs *fs, struct cfs_request *request, uint64_t node, uint64_t new_parent,
                 const char *new_name);

/* The inode number that the file at PATH is shown with, as a rule: one that was renamed keeps the one it had. Pure. */
uint64_t cfs_fs_usual_number(const char *path);

/* FLAGS as open(2). */
void cfs_fs_open(struct cfs_fs *fs, struct cfs_request *request, uint64_t node, int flags);
void cfs_fs_create(struct cfs_fs *fs, struct cfs_request *request, uint64_t parent, const char *name, mode_t mode,
                   int flags);
/* Fills BUFFER: less than LENGTH only at the end of the file. */
void cfs_fs_read(struct cfs_fs *fs, struct cfs_request *request, struct cfs_open_file *file, uint64_t offset,
                 size_t length, void *buffer);
/* APPEND: the file was opened with O_APPEND: the data goes to the end, wherever OFFSET says. */
void cfs_fs_write(struct cfs_fs *fs, struct cfs_request *request, struct cfs_open_file *file, uint64_t offset,
                  size_t length, const void *data);
void cfs_fs_flush(struct cfs_fs *fs, struct cfs_request *request, struct cfs_open_file *file);
void cfs_fs_fsync(struct cfs_fs *fs, struct cfs_request *request, struct cfs_open_file *file, bool data_only);
void cfs_fs_release(struct cfs_fs *fs, struct cfs_request *request, struct cfs_open_file *file);
void cfs_fs_fallocate(struct cfs_fs *fs, struct cfs_request *request, struct cfs_open_file *file, int mode,
                      uint64_t offset, uint64_t length);
/* WHENCE: SEEK_DATA, SEEK_HOLE: all is data. */
void cfs_fs_lseek(struct cfs_fs *fs, struct cfs_request *request, struct cfs_open_file *file, uint64_t offset,
                  int whence);
void cfs_fs_copy_range(struct cfs_fs *fs, struct cfs_request *request, struct cfs_open_file *from, uint64_t from_offset,
                       struct cfs_open_file *to, uint64_t to_offset, size_t length);

void cfs_fs_open_folder(struct cfs_fs *fs, struct cfs_request *request, uint64_t node);
/* Entries from OFFSET on, "." and ".." included. ADD returns false when there is no room for this entry (it is then not
 * counted). With PLUS an entry whose attributes may be used has `node` and counts a lookup; else (also for "." and
 * "..") `node` is 0 and only st_ino and the type of `attributes` are set. NEXT is the offset to go on from. Called
 * between the function's entry and the reply, on the thread that replies. Offsets stay valid while the folder is open.
 */
typedef bool cfs_add_entry(struct cfs_request *request, const char *name, const struct cfs_entry *entry, uint64_t next);
void cfs_fs_read_folder(struct cfs_fs *fs, struct cfs_request *request, struct cfs_open_folder *folder, uint64_t offset,
                        bool plus, cfs_add_entry *add);
void cfs_fs_release_folder(struct cfs_fs *fs, struct cfs_request *request, struct cfs_open_folder *folder);
void cfs_fs_fsync_folder(struct cfs_fs *fs, struct cfs_request *request, struct cfs_open_folder *folder);
void cfs_fs_statfs(struct cfs_fs *fs, struct cfs_request *request);

#endif

/* What the rooms of the contents share: content.c knows files, content_version.c and content_check.c
 * whether what is kept of them may be used, turns.c orders calls on them, reader.c and writer.c move bytes,
 * content_files.c and content_paths.c have the operations.
 *
 * One lock, contents->lock, for all that stands here (but for the embedded calls). Order: a call's stripe (call.h),
 * this lock, the locks of the remote below and of the loop. Under it calls of our own are handed to the remote below,
 * which takes its own locks and never calls back from a submitting function; calls of others are posted to the loop and
 * handed down from there.
 *
 * The life of a read: cfs_turn -> reader.c tries it -> from memory, or it waits in content->readers for fetches and is
 * tried again when one ends. Of a write: cfs_turn (which waits for room in the budget) -> copied into dirty extents,
 * completes -> extents are sent, one after another or many at once -> acknowledged: gone from memory, or patched into
 * blocks. What must not pass a write takes a turn that waits for the file to be at rest, or for what was written so
 * far. */
#ifndef CFS_CACHE_CONTENTS_PRIV_H
#define CFS_CACHE_CONTENTS_PRIV_H

#include "cache/blocks.h"
#include "cache/cache_priv.h"
#include "cache/call.h"
#include "cache/contents.h"
#include "cache/extents.h"
#include "cache/trackers.h"
#include "remote/link.h"

struct cfs_contents {
    struct cfs_cache core; /* what call.c works on: lower, loop, stripes. Its names are not used */
    pthread_mutex_t lock;
    struct cfs_hash by_path;
    struct cfs_list all;
    struct cfs_blocks blocks;
    struct cfs_link down, up;
    uint64_t stamp; /* counts own changes */
    uint64_t dirty_bytes;
    struct cfs_list hungry;   /* files that would fetch ahead when the link has room: cfs_content_file.hungry */
    struct cfs_list dirty;    /* contents with extents not sent: cfs_content.of_dirty */
    struct cfs_list starving; /* contents whose next write waits for room: cfs_content.of_starving */
    uint64_t read_hits, read_misses, prefetched;
    size_t write_size;
    bool looks_ahead;
    uint64_t copying_bytes; /* conflict.c: of copies that are being made, not looked at yet */
    void (*appeared)(void *context, const char *path); /* constant */
    void *appeared_context;
};

/* A file's content, to all who have it open by one path, and to those who open it next. */
struct cfs_content {
    struct cfs_block_owner owner;
    struct cfs_contents *contents;
    struct cfs_hash_link link;
    struct cfs_list of_all;
    char *path;        /* NULL: the name is gone; the content lives with its open files */
    char *path_before; /* where another file has its name by now, on the server: that name; NULL */
    size_t references;
    struct cfs_list files;
    unsigned readable; /* of the files: those open for reading */

    /* What it looks like. */
    bool size_known;
    uint64_t size;        /* to those who read here */
    uint64_t server_size; /* on the server, as far as it has acknowledged */
    bool end_doubted;     /* somebody saw another size or mtime */
    bool version_known;   /* no change of ours since the mtime was told */
    int64_t mtime;
    int64_t version_since_ms;          /* first told */
    int64_t confirmed_ms;              /* last told */
    struct cfs_remote_attributes kind; /* mode and owner, as far as known */
    bool unmixed;                      /* the version is not known, and only we have changed the file since it was */
    bool unproven;                     /* bytes are kept that others may have changed within the second of the mtime */
    bool asking;                       /* for the version */
    uint64_t tainted_from;  /* what is kept from here on could have changed without a change of size and mtime */
    uint64_t suspect_below; /* what is kept before is compared before it is used; 0: nothing */
    uint64_t suspicions;    /* how often that was raised */
    bool checking;
    bool told_old;       /* to who opened it without a connection, and nothing was compared since */
    uint64_t changed_at; /* the stamp of the last own change */
    uint64_t entered_at; /* stamp: when it got its path */

    /* turns.c */
    struct cfs_list turns; /* waiting, in the order of their arrival */
    bool barrier;          /* one has the file for itself */
    struct cfs_list readers;
    unsigned fetches;

    /* writer.c */
    struct cfs_extents extents;
    struct cfs_list sent;
    uint64_t written;  /* the number of the last write */
    uint64_t drain_to; /* what was written until then should be sent now */
    struct cfs_list drains;
    struct cfs_list of_dirty, of_starving;
    int error;       /* the last one, */
    uint64_t errors; /* and how many */
    bool must_learn; /* what the server has is not known after an error: asked for as soon as the file is at rest, */
    bool learns;     /* now */
    /* conflict.c: it has changed on the server under what was written; a copy is to be made when `sent` is empty */
    bool is_conflicted;
    struct cfs_conflict *conflict; /* NULL: none is */
};

/* An open file; to the file system it is a `struct cfs_remote_file`. */
struct cfs_content_file {
    struct cfs_contents *contents;
    struct cfs_content *content; /* referenced */
    struct cfs_remote_file *lower;
    struct cfs_list of_content, hungry;
    int flags;
    unsigned uses; /* calls on the way, ours and others' */
    uint64_t errors_told;
    struct cfs_trackers trackers;
    struct cfs_remote_attributes seen; /* told last by the handle, or at its opening */
    struct cfs_content_call *closing;  /* `close`, when it waits for `uses` */
    struct cfs_content_call *close;    /* so that it cannot fail */
};

enum cfs_turn_kind {
    CFS_TURN_READ,
    CFS_TURN_WRITE,
    CFS_TURN_DRAIN,   /* then waits for what was written so far */
    CFS_TURN_BARRIER, /* has the file for itself, at rest: nothing dirty, nothing on the way */
};

/* A place in the order of the calls on one file. */
struct cfs_turn {
    struct cfs_list link; /* in turns, readers or drains */
    struct cfs_content *content;
    enum cfs_turn_kind kind;
    uint64_t offset, length; /* read and write */
    uint64_t number;         /* drain: the last write that it waits for */
    bool waiting, draining;
    void (*granted)(struct cfs_turn *turn); /* under the lock */
    void *context;                          /* the owner's */
};

/* A call with a turn. */
struct cfs_content_call {
    struct cfs_cache_call call;
    struct cfs_turn turn;
    struct cfs_content *content;               /* referenced */
    struct cfs_content_file *file;             /* counted in `uses`, or NULL */
    void (*then)(struct cfs_cache_call *call); /* on the loop, with the turn */
    /* read, write */
    uint64_t next, end;
    uint8_t *destination;
    const uint8_t *data;
    bool is_random, through, owns_data;
    /* others */
    struct cfs_remote_attributes attributes;
    char *path, *other;
    mode_t type;
    enum cfs_remote_rename how;
    uint64_t started;
    bool has_barrier;
    struct cfs_conflict *conflict;    /* conflict.c: to be begun */
    struct cfs_content_file *opening; /* open: to be; close: to be no more */
    int error;
};

static inline struct cfs_contents *cfs_contents_of(struct cfs_remote *remote)
{
    return cfs_container_of(cfs_cache_of(remote), struct cfs_contents, core);
}

static inline struct cfs_content_file *cfs_content_file_of(struct cfs_remote_file *file)
{
    return (struct cfs_content_file *)(void *)file;
}

static inline struct cfs_content_call *cfs_content_call_of(struct cfs_cache_call *call)
{
    return cfs_container_of(call, struct cfs_content_call, call);
}

static inline struct cfs_contents *cfs_contents_of_call(const struct cfs_cache_call *call)
{
    return cfs_container_of(call->cache, struct cfs_contents, core);
}

/* All below: under the lock, if nothing else is said. */

/* --- content.c --- */

/* NULL: there is none. */
struct cfs_content *cfs_content_find(const struct cfs_contents *contents, const char *path);
/* A new one in the place of what may have had the name; referenced. NULL without memory. */
struct cfs_content *cfs_content_new(struct cfs_contents *contents, const char *path);
void cfs_content_get(struct cfs_content *content);
void cfs_content_put(struct cfs_content *content); /* NULL is fine */
/* The name is gone, or stands for something else. */
void cfs_content_detach(struct cfs_content *content);
/* FROM, and what lies below it, is at TO now. */
void cfs_contents_renamed(struct cfs_contents *contents, const char *from, const char *to);
/* What is kept is not to be used any more: the file is not what it was. */
void cfs_content_drop(struct cfs_content *content);
/* The same, and no more than that. */
void cfs_content_forget(struct cfs_content *content);
/* An own change begins or ends. */
void cfs_content_changed(struct cfs_content *content);
/* Bytes are written and not on the server, or the file was changed by us after the stamp STARTED: what the server said
 * then does not hold. */
bool cfs_content_is_ahead(const struct cfs_content *content, uint64_t started);
/* The file now has SIZE, on the server, too (which is at rest). */
void cfs_content_truncated(struct cfs_content *content, uint64_t size);

/* --- content_version.c --- */

/* A handle's own attributes, of a file at rest: nothing of what is kept may be used. */
void cfs_content_learn(struct cfs_content *content, const struct cfs_remote_attributes *attributes);
/* An open with FLAGS was told ATTRIBUTES, asked for at STARTED: who else has the file open, and should be asked whether
 * his, too, has grown; NULL: nobody. */
struct cfs_content_file *cfs_content_witness(const struct cfs_contents *contents, const char *path, int flags,
                                             const struct cfs_remote_attributes *attributes, uint64_t started);
/* The content that the file has. Referenced. PROVEN: this one is the same file, by its witness; or NULL. NULL without
 * memory. */
struct cfs_content *cfs_content_opened(struct cfs_contents *contents, const char *path, int flags,
                                       const struct cfs_remote_attributes *attributes, uint64_t started,
                                       const struct cfs_content *proven);
/* Attributes were asked for at STARTED, by path or handle: learns from them, or, of a file that is ahead of the server,
 * corrects them. */
void cfs_content_correct(struct cfs_content *content, struct cfs_remote_attributes *attributes, uint64_t started,
                         bool by_handle);
/* Somebody has made it longer; its page with the old end is not kept or known to be whole. */
void cfs_content_grew(struct cfs_content *content, uint64_t size);
/* What is kept below OFFSET is suspect. */
void cfs_content_suspect(struct cfs_content *content, uint64_t offset);
/* Bytes from OFFSET on are about to be kept: notes whether they could change unseen. */
void cfs_content_taint(struct cfs_content *content, uint64_t offset);
/* A change from now on cannot leave the version as it is. */
bool cfs_content_is_stable(const struct cfs_content *content);
/* The server told the version a moment ago. */
bool cfs_content_was_just_confirmed(const struct cfs_content *content);
/* What we wrote has been flushed: asks what version has come of it, if that can be of use. */
void cfs_content_ask_version(struct cfs_content *content, struct cfs_content_file *file);
/* We have set the times; nothing of ours is on the way. */
void cfs_content_times_set(struct cfs_content *content, int64_t mtime);

/* --- content_old.c --- */

/* There is no connection. */
bool cfs_contents_is_lost(const struct cfs_contents *contents);
/* CALL is told what is old, since there is none. */
bool cfs_content_call_is_told_old(const struct cfs_content_call *call);
/* fstat from memory; false: too little is known. */
bool cfs_content_file_tell_old(const struct cfs_content_file *file, struct cfs_remote_result *ret_result);
/* OPENING, an open with a path, may be answered from memory. */
bool cfs_content_may_open_old(struct cfs_content_call *opening);
/* Answers it so; false: it cannot be any more. Without the lock. */
bool cfs_content_opened_unseen(struct cfs_content_call *opening); /* with a handle, of which no more was told */
bool cfs_content_open_from_memory(struct cfs_content_call *opening);

/* --- content_check.c --- */

/* What is kept at OFFSET must be compared before it is used. */
static inline bool cfs_content_is_suspect(const struct cfs_content *content, uint64_t offset)
{
    return offset < content->suspect_below;
}
/* Compares what is suspect with what FILE, which must be open for reading, says, if it is not being done; then lets the
 * readers go on. */
void cfs_content_check(struct cfs_content_file *file);

/* --- turns.c --- */

/* Takes a turn: TURN's content, kind, ... are set. `granted` is called at once or later. */
void cfs_content_turn_take(struct cfs_turn *turn);
/* The same before all others: for what may go at once. */
void cfs_turn_force(struct cfs_turn *turn);
/* A granted one ends: a barrier is lifted. */
void cfs_turn_end(struct cfs_turn *turn);
/* Takes one out that waits; true if it did. */
bool cfs_turn_withdraw(struct cfs_turn *turn);
/* Something has ended: who can go on now does. */
void cfs_turns_pump(struct cfs_content *content);
/* Nothing dirty, nothing on the way. */
bool cfs_content_is_at_rest(const struct cfs_content *content);
/* Pumps those that wait for room to write. */
void cfs_turns_feed_starving(struct cfs_contents *contents);

/* --- reader.c --- */
void cfs_readers_try(struct cfs_content *content);
void cfs_read_granted(struct cfs_turn *turn);
/* Fetches ahead while the link has room. */
void cfs_readers_look_ahead(struct cfs_contents *contents);
/* An acknowledged extent: what is kept is brought up to date. */
void cfs_reader_patch(struct cfs_content *content, const struct cfs_extent *extent);
/* No more is fetched ahead for FILE. */
void cfs_reader_forget(struct cfs_content_file *file);

/* --- writer.c --- */

extern const size_t cfs_writer_extent_size; /* of what begins with an extent */
void cfs_write_granted(struct cfs_turn *turn);
bool cfs_writer_has_room(const struct cfs_contents *contents, uint64_t length);
/* Sends what should be sent now. */
void cfs_writer_kick(struct cfs_content *content);
void cfs_writer_kick_all(struct cfs_contents *contents);
/* A turn of kind DRAIN that was granted: ends it when what was written is acknowledged. */
void cfs_writer_drain(struct cfs_turn *turn, void (*drained)(struct cfs_turn *turn));
/* The error that FILE has not been told: 0 or -errno; it has been told then. */
int cfs_writer_tell(struct cfs_content_file *file);
/* The extent that counts at OFFSET; NULL and *RET_LIMIT: there is none up to there. With one, it counts up to there. */
const struct cfs_extent *cfs_writer_find(const struct cfs_content *content, uint64_t offset, uint64_t *ret_limit);
/* The end of the last extent; 0: there is none. */
uint64_t cfs_writer_end(const struct cfs_content *content);
/* Wanted after an error, at rest: what does the server have? */
void cfs_writer_learn(struct cfs_content *content);

/* --- conflict.c --- */

/* A write has ended with -ESTALE. */
void cfs_conflict_begin(struct cfs_content *content);
/* EXTENT was on its way. True: it is the copy's now. */
CFS_CHECKED bool cfs_conflict_takes(struct cfs_content *content, struct cfs_extent *extent);
/* It is in `sent` no more. */
void cfs_conflict_go_on(struct cfs_content *content);

/* --- content_files.c --- */

/* A call on CONTENT (may be NULL) by FILE (may be NULL); NULL: answered. Without the lock. */
struct cfs_content_call *cfs_content_call_new(struct cfs_remote *remote, struct cfs_remote_call *upper,
                                              struct cfs_content_file *file);
/* Takes the call's turn; it can be cancelled while it waits. Without the lock. */
void cfs_content_call_enter(struct cfs_content_call *call, enum cfs_turn_kind kind, void (*granted)(struct cfs_turn *));
/* The same for a change of the attributes that CALL has: mode and owner are no matter to what is being read. */
void cfs_content_call_enter_to_set(struct cfs_content_call *call);
/* FILE is a new one of CONTENT, to which it has a reference. */
void cfs_content_file_attach(struct cfs_content_file *file, struct cfs_content *content);
/* Gives FILE back a use. */
void cfs_content_file_put(struct cfs_content_file *file);
/* A granted: goes on with the call's `then` on the loop. */
void cfs_content_call_go_on(struct cfs_turn *turn);
/* A granted of a drain: the same, once it has drained. */
void cfs_content_call_drain(struct cfs_turn *turn);
/* The change of attributes that CALL asked for, by path or file, has ended with ERROR. Takes the lock. */
void cfs_content_attributes_set(struct cfs_content_call *call, int error);
/* `finished`: passes the outcome on. Takes the lock to end the turn. */
void cfs_content_call_pass(struct cfs_cache_call *call);

/* --- the operations; contents.c has the table --- */
void cfs_contents_open(struct cfs_remote *remote, struct cfs_remote_call *call, const char *path, int flags,
                       mode_t mode);
void cfs_contents_read(struct cfs_remote *remote, struct cfs_remote_call *call, struct cfs_remote_file *file,
                       uint64_t offset, size_t length, void *destination);
void cfs_contents_write(struct cfs_remote *remote, struct cfs_remote_call *call, struct cfs_remote_file *file,
                        uint64_t offset, size_t length, const void *data);
void cfs_contents_fstat(struct cfs_remote *remote, struct cfs_remote_call *call, struct cfs_remote_file *file);
void cfs_contents_find_end(struct cfs_remote *remote, struct cfs_remote_call *call, struct cfs_remote_file *file);
void cfs_contents_fsetattr(struct cfs_remote *remote, struct cfs_remote_call *call, struct cfs_remote_file *file,
                           const struct cfs_remote_attributes *attributes);
void cfs_contents_flush(struct cfs_remote *remote, struct cfs_remote_call *call, struct cfs_remote_file *file);
void cfs_contents_fsync(struct cfs_remote *remote, struct cfs_remote_call *call, struct cfs_remote_file *file);
void cfs_contents_copy(struct cfs_remote *remote, struct cfs_remote_call *call, struct cfs_remote_file *from,
                       uint64_t from_offset, struct cfs_remote_file *to, uint64_t to_offset, size_t length);
void cfs_contents_close(struct cfs_remote *remote, struct cfs_remote_call *call, struct cfs_remote_file *file);
void cfs_contents_put(struct cfs_remote *remote, struct cfs_remote_call *call, const char *path, int flags, mode_t mode,
                      size_t length, const void *data, const struct cfs_remote_attributes *attributes);
void cfs_contents_lstat(struct cfs_remote *remote, struct cfs_remote_call *call, const char *path);
void cfs_contents_setattr(struct cfs_remote *remote, struct cfs_remote_call *call, const char *path,
                          mode_t expected_type, const struct cfs_remote_attributes *attributes);
void cfs_contents_unlink(struct cfs_remote *remote, struct cfs_remote_call *call, const char *path);
void cfs_contents_rename(struct cfs_remote *remote, struct cfs_remote_call *call, const char *from, const char *to,
                         enum cfs_remote_rename how);
void cfs_contents_set_and_rename(struct cfs_remote *remote, struct cfs_remote_call *call, const char *from,
                                 const char *to, const struct cfs_remote_attributes *attributes);
void cfs_contents_open_listing(struct cfs_remote *remote, struct cfs_remote_call *call, const char *path);
void cfs_contents_read_listing(struct cfs_remote *remote, struct cfs_remote_call *call,
                               struct cfs_remote_listing *listing);
void cfs_contents_close_listing(struct cfs_remote *remote, struct cfs_remote_call *call,
                                struct cfs_remote_listing *listing);

#endif

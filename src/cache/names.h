/* What is known of names: a tree of path components. A name is present (with attributes, a link target, a complete
 * listing), absent, or unknown; what is known has an age and a time to live (names_known.c).
 *
 * Two rules keep it true:
 * - Own changes. cfs_name_change_begin before a call that changes something is handed to the remote,
 * cfs_name_change_end when it has completed, then what it did is entered. In between nothing that was known is told.
 * - Overtaken replies. Who asks the remote takes a stamp first (cfs_names_stamp); what the reply says may be entered
 * only while cfs_name_is_current(name, stamp): no own change of it was in flight at that time or since, and no folder
 * above was moved.
 *
 * A name without references and without names below it may be evicted, the least recently used first. A reference keeps
 * a name's struct, not its place: a name that another one replaced, or whose folder is gone, is detached; what was
 * asked for it is never current again.
 *
 * No locking: one lock (cache_priv.h, names_lock) is held around all of it. Times are monotonic milliseconds. */
#ifndef CFS_CACHE_NAMES_H
#define CFS_CACHE_NAMES_H

#include "base/clock.h"
#include "base/hash.h"
#include "base/list.h"
#include "remote/remote.h"

struct cfs_ahead;

enum cfs_presence { CFS_NAME_UNKNOWN, CFS_NAME_PRESENT, CFS_NAME_ABSENT };

/* When something was learned, and how long it may be told. ttl_ms 0: not at all. */
struct cfs_freshness {
    int64_t learned_ms;
    uint32_t ttl_ms;
};

struct cfs_name {
    struct cfs_name *parent;           /* NULL: the root, or detached */
    struct cfs_list children, sibling; /* children in the order in which the remote listed them */
    uint64_t learned_at;               /* stamp: when the remote was asked for what is known */

    enum cfs_presence presence;
    bool complete;  /* what is no child here is absent (while `completeness` is fresh) */
    bool is_shared; /* has another name that we gave it: changes there do not show here, so attributes are not kept */
    bool is_root, detached;
    struct cfs_remote_attributes attributes; /* valid = 0: present, no more is known */
    struct cfs_freshness freshness;          /* of the attributes, or of the absence */
    struct cfs_freshness completeness;
    bool made_here;           /* a folder that this mount made */
    int64_t filled_ms;        /* of the topmost of such folders: when this mount last made a file below; 0: never */
    int64_t proven_ms;        /* the last time that the remote itself proved the completeness */
    int64_t seen_changed_ms;  /* when the remote's side was last seen changed; 0: never */
    int64_t listed_ms;        /* walk.c: when a program last listed it; 0: never */
    int64_t unknown_ms;       /* walk.c: when a name in it was last asked for of which nothing was known, */
    unsigned unknown;         /* how many were, */
    const void *unknown_last; /* and which was the last: to compare with, it may be gone */
    bool fetched_ahead;       /* walk.c: and no program has listed it since */
    uint64_t expanded_by;     /* neighbours.c: the course that has taken what is in it into its queue */
    int64_t opened_ahead_ms;  /* ahead.c: when it was last opened ahead, */
    unsigned ahead_tries;     /* and how often since it was of use */
    struct cfs_ahead *ahead;  /* ahead.c: open, or being opened, and to be claimed; NULL: not */
    bool polled;              /* poll.c: it is being asked about */
    char *target;             /* of a link; NULL: not known */
    struct cfs_freshness target_freshness;
    uint64_t lost_at; /* stamp: when a child was last evicted or forgotten */

    unsigned changing, moving;     /* own changes in flight: of the name; of the place of all below */
    bool mixed, mixed_moves;       /* several at once: which came last is not known */
    uint64_t changed_at, moved_at; /* stamps of the last ones that ended */
    uint64_t incarnation;          /* counts what had this name: an open file compares it */
    uint64_t drift;                /* counts when it was no longer known which name an open file has: likewise */

    /* names.c's own */
    struct cfs_hash_link link;
    struct cfs_list lru; /* in it while `references` is 0 */
    unsigned references; /* children count */
    char *text;
};

struct cfs_names {
    const struct cfs_clock *clock;
    int32_t attr_ttl_ms; /* -1: auto */
    struct cfs_name *root;
    struct cfs_hash table;
    struct cfs_list lru; /* least recently used first */
    size_t limit;
    uint64_t stamp;
    uint64_t forgotten_at; /* the latest own change of a name that was evicted */
    uint64_t doubted_at;   /* the latest own change of a file of which it is not known which name it has */
};

/* -ENOMEM. */
CFS_CHECKED int cfs_names_init(struct cfs_names *names, const struct cfs_clock *clock, int32_t attr_ttl_ms,
                               size_t limit);
/* References must have been put. */
void cfs_names_fini(struct cfs_names *names);

/* --- the tree (names.c) --- */

/* NULL: nothing is known. Makes it the most recently used. */
struct cfs_name *cfs_names_find(struct cfs_names *names, const char *path);
struct cfs_name *cfs_name_child(struct cfs_names *names, struct cfs_name *parent, const char *text, size_t length);
/* The same; makes those that are missing, as unknown. A reference. NULL without memory. */
CFS_CHECKED struct cfs_name *cfs_names_enter(struct cfs_names *names, const char *path);
CFS_CHECKED struct cfs_name *cfs_name_enter_child(struct cfs_names *names, struct cfs_name *parent, const char *text,
                                                  size_t length);
void cfs_name_get(struct cfs_names *names, struct cfs_name *name);
void cfs_name_put(struct cfs_names *names, struct cfs_name *name); /* NULL is fine */
size_t cfs_names_count(const struct cfs_names *names);
/* The path of a name; the caller frees. NULL: it, or a folder above, is detached; or without memory. */
char *cfs_name_path(const struct cfs_name *name);

/* All that is known of it and below is forgotten; what had the name is another one. Names below without references go.
 */
void cfs_name_clear(struct cfs_names *names, struct cfs_name *name);
/* The same where it is not known whether anything has happened: an open file keeps its name. Whether the name is there
 * at all must be asked. */
void cfs_name_doubt(struct cfs_names *names, struct cfs_name *name);
/* Whether something below NAME is being changed by us, or was since the stamp SINCE, or may have been. */
bool cfs_name_changed_below(const struct cfs_names *names, struct cfs_name *name, uint64_t since);
/* What is open under NAME, or below it, may have any other name by now: it was perhaps renamed. (file->drift of
 * cached_file.h) */
void cfs_name_cast_adrift(struct cfs_name *name);
/* Frees it if nothing holds it. */
void cfs_name_drop_unused(struct cfs_names *names, struct cfs_name *name);
/* NAME becomes what TO was called; TO is detached, NAME's old place is an absence. Where one is below the other
 * (no honest server says so) all is cleared. */
void cfs_name_move(struct cfs_names *names, struct cfs_name *name, struct cfs_name *to);

/* --- stamps and own changes (names_change.c) --- */

uint64_t cfs_names_stamp(struct cfs_names *names);
/* Whether what the remote was asked for after STAMP is still true of NAME. NULL stands for a name that nobody held
 * meanwhile. */
bool cfs_name_is_current(const struct cfs_names *names, const struct cfs_name *name, uint64_t stamp);

/* The same for the place alone: neither it nor a folder above was moved, removed or made. */
bool cfs_name_place_is_current(const struct cfs_name *name, uint64_t stamp);

/* Own changes of NAME: of its attributes, or (MOVES) of its place: it comes, goes, or goes elsewhere with all below. */
void cfs_name_change_begin(struct cfs_names *names, struct cfs_name *name, bool moves);
void cfs_name_change_end(struct cfs_names *names, struct cfs_name *name, bool moves);
/* Before that: whether NAME has stood for the same place since BEGUN, but for this one change; whether, besides, no
 * other one (MOVES: of its place) was in flight that could have undone it: what it did is what is. */
bool cfs_name_change_in_place(const struct cfs_name *name, bool moves, uint64_t begun);
bool cfs_name_change_alone(const struct cfs_name *name, bool moves, uint64_t begun);
/* PATH has been changed, by somebody who took it for another name than it stands for now. */
void cfs_names_changed_elsewhere(struct cfs_names *names, const char *path, bool moves);
/* A file has been changed that may have any name: what is known of the attributes of files must not be told. */
void cfs_names_changed_adrift(struct cfs_names *names);

/* --- what is known (names_known.c) --- */

enum cfs_names_answer {
    CFS_NAMES_ASK,     /* nothing, or it is too old, or just changing */
    CFS_NAMES_PRESENT, /* with attributes; *ret_name */
    CFS_NAMES_ABSENT,
};
/* RET_KEEP_MS: for how long the answer may be told. */
enum cfs_names_answer cfs_names_look(struct cfs_names *names, const char *path, struct cfs_name **ret_name,
                                     uint32_t *ret_keep_ms);
/* The same where the remote cannot be asked: what was known last, however old, and although it may be changing. A name
 * that is just being moved is asked for. */
enum cfs_names_answer cfs_names_look_old(struct cfs_names *names, const char *path, struct cfs_name **ret_name);
/* What was the target of a link, likewise; NULL: not known. */
const char *cfs_name_old_target(const struct cfs_name *name);
/* Whether all that was in FOLDER is known. */
bool cfs_name_was_listed(const struct cfs_name *folder);
/* Whether by all that is known FROM can be made (TO is NULL): it is absent; or renamed to TO: it is there, and TO is
 * absent or no folder. */
bool cfs_names_vouch(struct cfs_names *names, const char *from, const char *to);
/* What is left of the time to live; 0 when it is over. */
uint32_t cfs_names_left_ms(const struct cfs_names *names, const struct cfs_freshness *freshness);
/* The same for a name's attributes: 0 while it is changing. */
uint32_t cfs_name_keep_ms(const struct cfs_names *names, const struct cfs_name *name);

/* The time to live of attributes that NAME, or a file opened under it, has; NULL: of a name of which no more is known.
 */
uint32_t cfs_name_ttl_ms(const struct cfs_names *names, const struct cfs_name *name,
                         const struct cfs_remote_attributes *attributes);
/* That of a listing of FOLDER. */
uint32_t cfs_name_listing_ttl_ms(const struct cfs_names *names, const struct cfs_name *folder);
/* Whether what is no child of FOLDER is known to be absent. */
bool cfs_name_is_listed(const struct cfs_names *names, const struct cfs_name *folder);
/* The target of a link, if it may be told; the name's. */
const char *cfs_name_fresh_target(const struct cfs_names *names, const struct cfs_name *name);

/* What the remote said, asked for at STAMP and ASKED_MS. False, and nothing learned, if it is not current, or older
 * than what is known. */
bool cfs_name_learn(struct cfs_names *names, struct cfs_name *name, const struct cfs_remote_attributes *attributes,
                    uint64_t stamp, int64_t asked_ms);
/* The attributes are these now, but it was not NAME that was asked for: they may be told as long as the last ones. */
void cfs_name_update(struct cfs_names *names, struct cfs_name *name, const struct cfs_remote_attributes *attributes);
bool cfs_name_learn_absence(struct cfs_names *names, struct cfs_name *name, uint64_t stamp, int64_t asked_ms);
bool cfs_name_learn_target(struct cfs_names *names, struct cfs_name *name, const char *target, uint64_t stamp,
                           int64_t asked_ms);
/* An entry of a listing that was begun at STAMP. False: it could not be entered, so the listing must not count as
 * complete. (True where an own change since made us know better.) */
bool cfs_name_learn_listed(struct cfs_names *names, struct cfs_name *folder, const struct cfs_remote_entry *entry,
                           uint64_t stamp, int64_t asked_ms);
/* All entries of that listing were learned: what is no child of FOLDER is absent, its children that were not listed go.
 */
bool cfs_name_learn_complete(struct cfs_names *names, struct cfs_name *folder, uint64_t stamp, int64_t asked_ms);

/* What an own change did, entered after its end. */
/* Something new has the name. IS_EMPTY: of a folder, nothing can have been put into it yet. */
void cfs_name_made(struct cfs_names *names, struct cfs_name *name, mode_t type, bool is_empty);
void cfs_name_removed(struct cfs_names *names, struct cfs_name *name);
void cfs_name_touched(struct cfs_names *names, struct cfs_name *name); /* attributes must be asked for again */
/* It is there, perhaps not since now; attributes must be asked for. */
void cfs_name_exists(struct cfs_names *names, struct cfs_name *name);
/* The attributes in SET were set: what follows for sure is entered; if anything does not, all must be asked for. */
void cfs_name_set(struct cfs_names *names, struct cfs_name *name, const struct cfs_remote_attributes *set);
/* A name was made in FOLDER: if it is complete, it stays so a little longer; IS_CONTENTS (not just another folder): so
 * do the folders that this mount made with it. */
void cfs_name_filled(struct cfs_names *names, struct cfs_name *folder, bool is_contents);

#endif

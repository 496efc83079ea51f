/* What this mount has made on the server and still knows to own: files, folders and links, with the attributes that
 * they have, or will have when what is on its way to the server has arrived there. It tells what may be promised before
 * the server was asked (behind.h), and what is to be told of names meanwhile.
 *
 * An entry is believed for a minute after its last use, or for as long as it is pinned: by what is on its way, by open
 * files. Times of the server are guessed from its last answer, never later than what it will say itself (src/fs takes a
 * time that goes back for another file).
 *
 * No locking: the lock of behind_priv.h is held around all of it. */
#ifndef CFS_CACHE_OWN_H
#define CFS_CACHE_OWN_H

#include "base/clock.h"
#include "base/hash.h"
#include "base/list.h"
#include "remote/remote.h"

struct cfs_own {
    char *path; /* NULL: the name stands for something else by now, or for nothing */
    bool made;  /* by us: `attributes` are its own. If not, it is a folder in which we have made something */
    struct cfs_remote_attributes attributes;
    int64_t made_ms; /* a folder: when */
    bool makes;      /* a folder that lets us make things, which belong to these */
    uid_t uid;
    gid_t gid;
    unsigned pending;       /* changes on their way */
    bool is_guessed;        /* its mtime: it was written to, and has not been looked at since */
    uint64_t changes;       /* counts those that were foreseen: what the server was asked before one is old */
    unsigned writers;       /* open files that may write to it */
    unsigned filling;       /* a folder: names in it that are on their way to come or go */
    int64_t known_until_ms; /* `attributes` may be told, without asking, until then */

    /* own.c */
    struct cfs_hash_link link;
    struct cfs_list of_all;
    unsigned pins;
    int64_t used_ms;
};

struct cfs_own_table {
    const struct cfs_clock *clock;
    struct cfs_hash by_path;
    struct cfs_list all; /* the least recently used first */
    int64_t ahead_ms;    /* the server's clock of ours, at least */
    int64_t tell_ms;     /* for how long attributes may be told */
    bool fills_behind;   /* folders that are not ours are filled behind, too */
};

/* -ENOMEM. */
CFS_CHECKED int cfs_own_init(struct cfs_own_table *table, const struct cfs_clock *clock, int32_t attr_ttl_ms);
/* Pins must have been given back. */
void cfs_own_fini(struct cfs_own_table *table);

/* NULL: nothing is known. */
struct cfs_own *cfs_own_find(struct cfs_own_table *table, const char *path);
/* The same; a new one, of which nothing is known, if there is none. NULL without memory. */
struct cfs_own *cfs_own_enter(struct cfs_own_table *table, const char *path);
void cfs_own_pin(struct cfs_own *own);
void cfs_own_unpin(struct cfs_own_table *table, struct cfs_own *own); /* NULL is fine */

/* What has the name PATH is not known any more, nor what lies below. */
void cfs_own_forget(struct cfs_own_table *table, const char *path);
/* FROM is called TO; what was below either is forgotten. */
void cfs_own_move(struct cfs_own_table *table, const char *from, const char *to);

/* The folder at PATH let us make something that has these attributes. */
void cfs_own_saw_made(struct cfs_own_table *table, const char *path, const struct cfs_remote_attributes *made);
/* The folder of PATH, if it is known to let us make things there; NULL if not. */
const struct cfs_own *cfs_own_folder_of(struct cfs_own_table *table, const char *path);
/* The entry of the folder of PATH, NULL if there is none. */
struct cfs_own *cfs_own_entry_of_folder(struct cfs_own_table *table, const char *path);
/* What is made there now will have these attributes. MODE with its type. */
void cfs_own_foresee(const struct cfs_own_table *table, const struct cfs_own *folder, mode_t mode,
                     struct cfs_remote_attributes *ret_attributes);
/* The server said just now that it made something at MTIME. */
void cfs_own_saw_time(struct cfs_own_table *table, int64_t mtime);
/* The time by the server's clock, as far as it is known, in seconds. */
int64_t cfs_own_server_time(const struct cfs_own_table *table);
/* OWN is written to now, up to END. */
void cfs_own_written(const struct cfs_own_table *table, struct cfs_own *own, uint64_t end);
/* These were set. */
void cfs_own_set(const struct cfs_own_table *table, struct cfs_own *own, const struct cfs_remote_attributes *set);
/* The server said these just now, of what we made or of a folder that lets us make things. */
void cfs_own_looked(const struct cfs_own_table *table, struct cfs_own *own,
                    const struct cfs_remote_attributes *attributes);
/* A name in the folder OWN has come or gone. A program that fills it asks for its attributes again and again. */
void cfs_own_filled(const struct cfs_own_table *table, struct cfs_own *own);
/* Its attributes as they are told; a guess that the server will soon know better is not to be kept. (With durability =
 * fsync it may take a while: there it is.) */
void cfs_own_tell(const struct cfs_own_table *table, const struct cfs_own *own,
                  struct cfs_remote_attributes *ret_attributes);
/* Whether its attributes may be told without asking: what is on its way foreseen, or what was seen just now. */
bool cfs_own_is_known(const struct cfs_own_table *table, const struct cfs_own *own);
/* Whether our setting these cannot be refused for want of a right: mode, times, and the owner that it has. */
bool cfs_own_may_set(const struct cfs_own *own, const struct cfs_remote_attributes *set);
/* What the server says of it itself; true if mode or owner are not what had been foreseen. */
bool cfs_own_learn(struct cfs_own *own, const struct cfs_remote_attributes *attributes);

/* Whether PATH is TOP, or below it ("" is above all). */
bool cfs_path_is_at_or_below(const char *path, const char *top);

#endif

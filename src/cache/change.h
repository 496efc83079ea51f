/* Own changes of names while their calls are in flight: what changes.c and files.c share. All under the cache's
 * names_lock. */
#ifndef CFS_CACHE_CHANGE_H
#define CFS_CACHE_CHANGE_H

#include "cache/names.h"

/* One name that a call changes; zeros: none. */
struct cfs_change {
    struct cfs_name *name;   /* referenced */
    struct cfs_name *folder; /* whose times change with it: referenced; NULL: none does */
    char *path;              /* by which the remote was asked; NULL: by a file */
    uint64_t begun;          /* stamp; 0: it has not */
    uint64_t folder_begun;
    bool moves;
    /* After the end: */
    bool in_place;     /* the name stood for the same place all the time */
    bool alone;        /* and no other change was in flight that could have undone this one */
    bool folder_alone; /* no other change of the folder was */
    bool crowded;      /* others of whatever kind were, of the name or, of a folder, in it */
};

/* The name at PATH comes, goes or goes elsewhere; -ENOMEM: nothing has begun. */
CFS_CHECKED int cfs_change_begin_place(struct cfs_names *names, struct cfs_change *change, const char *path);
/* What has the name changes: its attributes. The same. */
CFS_CHECKED int cfs_change_begin_attributes(struct cfs_names *names, struct cfs_change *change, const char *path);
void cfs_change_begin_name(struct cfs_names *names, struct cfs_change *change, struct cfs_name *name);
/* The call has completed: sets what came of it; the folder's attributes are to be asked for. What has the path by now,
 * if that is another name, is to be asked for as well: the call may have met that one. */
void cfs_change_end(struct cfs_names *names, struct cfs_change *change);
void cfs_change_put(struct cfs_names *names, struct cfs_change *change);

#endif

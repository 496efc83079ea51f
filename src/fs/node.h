/* The tree of nodes: what the kernel knows by number, what holds an open file, and the folders above those.
 *
 * A node is a name in a folder. SFTP tells no inode numbers, so each name of a hard link is a node of its own (one
 * that this mount made shows the inode number of the other). Nodes are found by their number, and as children by
 * (parent, name). A node lives as long as the kernel remembers it (lookups) or something here refers to it
 * (references: children, open files, claims); the root lives with the tree.
 *
 * A node whose name is gone is no longer `linked`: no path leads to it, while its open files stay usable. It keeps
 * its pointer to what was its parent, so that whoever walked up through it finds the same way back.
 *
 * Everything here is called with the file system's lock held. */
#ifndef CFS_FS_NODE_H
#define CFS_FS_NODE_H

#include "base/cleanup.h"
#include "base/hash.h"
#include "base/list.h"
#include "remote/remote.h"
#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

/* Steps take turns: see step.h. */
struct cfs_turn {
    bool taken;
    struct cfs_list waiting;
};

/* READs and WRITEs of the node's pages, under way, and steps that wait for one: see pages.h. */
struct cfs_pages {
    struct cfs_list reads, writes, waiting;
    uint64_t read_begin, read_end; /* what was read since the last WRITE came */
    int64_t dropped_ms;            /* when the kernel was last told to drop them; 0: never */
};

/* What was last seen of a file's content, to tell whether the kernel's pages are still right. */
struct cfs_sight {
    bool valid;
    bool stable_at_open; /* when the file was last opened, a later change could not have kept the same time */
    uint64_t size;
    int64_t mtime;
    int64_t since_ms; /* monotonic: these size and mtime were first seen */
};

/* The attributes that the kernel may still be using. */
struct cfs_told {
    bool valid;
    uint64_t size;
    int64_t mtime;
};

struct cfs_node {
    struct cfs_hash_link by_id, by_name, by_ino;
    uint64_t id;
    uint64_t ino;
    struct cfs_node *parent; /* referenced; NULL: the root */
    char *name;              /* NULL: the root */
    bool linked;
    mode_t type; /* S_IFMT bits */
    uint64_t lookups;
    unsigned references;

    /* claim.c */
    unsigned users; /* claims on paths through this node */
    bool exclusive;
    uint64_t wanted_scan;

    /* Own changes: in flight, and the file system's stamp when the last one began or ended. */
    unsigned changing;
    uint64_t changed_at;
    uint64_t named_at; /* the stamp when we gave the node its name */

    struct cfs_list files; /* open files: cfs_open_file.of_node */
    struct cfs_pages pages;
    struct cfs_turn ends; /* what writes at the end of the file does so one after another */
    struct cfs_sight sight;
    struct cfs_told told;
};

struct cfs_tree {
    struct cfs_hash by_id, by_name, by_ino;
    uint64_t next_id;
    struct cfs_node *root;
};

/* -ENOMEM. */
CFS_CHECKED int cfs_tree_init(struct cfs_tree *tree);
/* Frees all nodes, whoever refers to them. */
void cfs_tree_fini(struct cfs_tree *tree);

/* NULL: not known. */
struct cfs_node *cfs_tree_find(const struct cfs_tree *tree, uint64_t id);
struct cfs_node *cfs_tree_child(const struct cfs_tree *tree, const struct cfs_node *parent, const char *name);
/* The node of a name that is known to exist and to be of TYPE; made if there is none. A node of another type that had
 * the name is detached. The caller counts a lookup or a reference, or drops the node with cfs_node_settle. -ENOMEM;
 * -ENOENT when PARENT's own name is gone; -ENAMETOOLONG. */
CFS_CHECKED int cfs_tree_enter(struct cfs_tree *tree, struct cfs_node *parent, const char *name, mode_t type,
                               struct cfs_node **ret_node);
/* NODE is another name of the file that OF is: it shows the same inode number, as long as it lives. */
void cfs_tree_share_ino(struct cfs_tree *tree, struct cfs_node *node, const struct cfs_node *of);
/* The inode number that a name has or would get. 0 without memory. */
uint64_t cfs_tree_ino(struct cfs_tree *tree, const struct cfs_node *parent, const char *name);

void cfs_node_get(struct cfs_node *node);
void cfs_node_put(struct cfs_tree *tree, struct cfs_node *node); /* NULL is let pass */
/* Gives lookups back (never more than there are). */
void cfs_node_forget(struct cfs_tree *tree, struct cfs_node *node, uint64_t count);
/* Frees the node if nobody knows it. */
void cfs_node_settle(struct cfs_tree *tree, struct cfs_node *node);

/* The name is gone. */
void cfs_node_detach(struct cfs_tree *tree, struct cfs_node *node);
/* The node gets another name; what had that name is detached. NEW_PARENT must not be below NODE. -ENOMEM, and then the
 * node is detached. */
int cfs_node_move(struct cfs_tree *tree, struct cfs_node *node, struct cfs_node *new_parent, const char *new_name);
/* NODE is FOLDER, or below it. */
bool cfs_node_is_below(const struct cfs_node *node, const struct cfs_node *folder);
/* Folders between the root and the node: 0 for the root and what lies in it. */
size_t cfs_node_depth(const struct cfs_node *node);

/* The path relative to the root, of NODE or (NAME not NULL) of a name in it; the caller frees. -ENOENT: no
 * path leads there any more; -ENAMETOOLONG, -ENOMEM. */
CFS_CHECKED int cfs_node_path(const struct cfs_node *node, const char *name, char **ret_path);

/* Notes what a file looks like; a file that looks different is not stable. */
void cfs_node_saw(struct cfs_node *node, const struct cfs_remote_attributes *attributes, int64_t now_ms);
/* The file is being opened and looks like this: true if the kernel's pages of it are right. WALL is the time of day. */
bool cfs_node_opened(struct cfs_node *node, const struct cfs_remote_attributes *attributes, int64_t now_ms,
                     int64_t wall);

#endif
